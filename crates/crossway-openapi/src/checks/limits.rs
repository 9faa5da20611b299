//! Every bound of reading arguments and holding them against schemas, with its default and the reason for it.

/// The longest schema that is resolved, or that arguments are checked against: 1 MiB. With a longer one, the
/// checks are left to its server.
pub(crate) const SCHEMA_BYTES: usize = 1 << 20;

/// The most regular expressions of a schema: 64. Schemas that people write have a few. With more, the checks
/// are left to its server.
pub(crate) const PATTERNS: usize = 64;

/// The largest compiled size of a regular expression: 256 KiB. Those that people write take a few KiB, and
/// `x{1000}{1000}` would take any amount.
pub(crate) const PATTERN_BYTES: usize = 256 << 10;

/// The most steps that a regular expression may backtrack on one text: 100,000. After that the text does not
/// match.
pub(crate) const PATTERN_STEPS: u64 = 100_000;

/// The same where a call has many texts or long ones, and for names: 1,000. Expressions that people write
/// need fewer for a name or a line.
pub(crate) const PATTERN_STEPS_OF_MANY: u64 = 1000;

/// The most work of all regular expressions of a schema for one call: 32 Mi steps. Each step counts once more
/// for each 256 bytes of its text. This takes some seconds at worst. A call whose arguments need more is
/// refused.
pub(crate) const PATTERN_WORK: u64 = 32 << 20;

/// The bytes of text that a regular expression reads in the time of one step: 256.
pub(crate) const PATTERN_STEP_BYTES: usize = 256;

/// The most faults in arguments that an error reports: 16.
pub(crate) const FAULTS: usize = 16;

/// The most places of a schema for which all faults are searched for: 20,000. What it refers to counts at
/// each place, and as often as the arguments are deep. For a larger schema, the error only says which
/// argument is wrong.
pub(crate) const FAULT_PLACES: usize = 20_000;

/// The deepest nesting in this search: 512 steps. Each takes stack.
pub(crate) const FAULT_DEPTH: usize = 512;

/// The most characters of a fault that an error reports: 300. Faults are shorter, except for long lists of
/// allowed values.
pub(crate) const FAULT_CHARS: usize = 300;

/// The most characters of a duplicate name that an error quotes: 64.
pub(crate) const NAME_CHARS: usize = 64;
