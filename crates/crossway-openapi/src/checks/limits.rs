//! Every bound of reading arguments and holding them against schemas, with its default and the reason for it.

/// The longest schema that arguments are checked by, or that is resolved: 1 MiB. The checks of a longer one are left to its server.
pub(crate) const SCHEMA_BYTES: usize = 1 << 20;

/// How many regular expressions a schema may have: 64. Schemas that people write have a few. The checks of one with more are left to its server.
pub(crate) const PATTERNS: usize = 64;

/// How large a regular expression of a schema may become: 256 KiB. Those that people write have a few KiB, and `x{1000}{1000}` has no end.
pub(crate) const PATTERN_BYTES: usize = 256 << 10;

/// How many steps a regular expression of a schema may take back for one text: 100,000. Then the text does not match.
pub(crate) const PATTERN_STEPS: u64 = 100_000;

/// The same where a call has many texts or long ones, and for names: 1,000, which those that people write do not need for a name or a line.
pub(crate) const PATTERN_STEPS_OF_MANY: u64 = 1000;

/// How much work all regular expressions of a schema may have with one call: 32 Mi steps, each of them one more for each 256 bytes of its
/// text. Some seconds at the very worst. The arguments of a call that would be more are refused.
pub(crate) const PATTERN_WORK: u64 = 32 << 20;

/// How many bytes of text a regular expression reads in the time of a step: 256.
pub(crate) const PATTERN_STEP_BYTES: usize = 256;

/// How many faults of arguments are told: 16.
pub(crate) const FAULTS: usize = 16;

/// How many places a schema may have, with what it refers to in its places and as often as the arguments are deep, for all that is
/// wrong to be searched for: 20,000. Of more, it is said which argument is wrong, and no more.
pub(crate) const FAULT_PLACES: usize = 20_000;

/// How deep that may go: 512 steps, for it takes stack.
pub(crate) const FAULT_DEPTH: usize = 512;

/// How many characters of a fault are told: 300. What is wrong is said in fewer, but for long lists of what would be right.
pub(crate) const FAULT_CHARS: usize = 300;

/// How much of a name that is there twice is told: 64 characters.
pub(crate) const NAME_CHARS: usize = 64;
