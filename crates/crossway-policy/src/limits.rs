//! Every bound of this crate, with its value and the reason for it.

use std::time::Duration;

/// The most tenants of a policy: 10,000, ten times what is measured.
pub const TENANTS: usize = 10_000;

/// The most grants of a policy: 100,000, ten times what is measured.
pub const GRANTS: usize = 100_000;

/// The most rules about credentials, and the most rules about quotas, of a policy: 10,000 each.
pub const RULES: usize = 10_000;

/// The most upstreams of a policy: 10,000.
pub const UPSTREAMS: usize = 10_000;

/// The most patterns in one list of a grant: 1,000. A longer list should be a wider pattern, or an upstream
/// of its own.
pub const PATTERNS: usize = 1000;

/// The longest pattern, in bytes: 512. Names of tools have 128 at most, and URIs that people write are
/// shorter.
pub const PATTERN_BYTES: usize = 512;

/// The most `*`, `?`, `[` and `{` in one pattern: 32. A pattern with more is an attack rather than a name.
pub const PATTERN_WILDCARDS: usize = 32;

/// The most patterns of a policy that are more than a name with one `*`: 10,000, each use counted. Each
/// different text becomes an automaton.
pub const AUTOMATA: usize = 10_000;

/// The largest automaton of a pattern, in bytes: 64 KiB. Nested alternatives would grow to any size.
pub const AUTOMATON_BYTES: usize = 64 << 10;

/// The longest name or URI that can be granted, in bytes: 8 KiB, as long as a request line may be. Longer
/// ones are denied.
pub const NAME_BYTES: usize = 8 << 10;

/// The longest name of a tenant, in bytes: 64. It is part of metrics, logs and paths of files.
pub const TENANT_BYTES: usize = 64;

/// The longest name of a user's file, in bytes: 253, as long as a key of a Kubernetes secret may be.
pub const FILE_NAME_BYTES: usize = 253;

/// The longest template of a credential, in bytes: 4 KiB.
pub const TEMPLATE_BYTES: usize = 4 << 10;

/// The longest credential that is sent, in bytes: 16 KiB, as much as servers accept in a header section.
pub const VALUE_BYTES: usize = 16 << 10;

/// The most grants that an explanation shows before it leaves out those for other callers: 1,000.
pub const EXPLAINED: usize = 1000;

/// The longest condition, in bytes: 2 KiB.
pub const CONDITION_BYTES: usize = 2 << 10;

/// The most `(`, `[`, `{` and `?` in one condition, its texts included: 24. The parser takes stack for each.
pub const CONDITION_BRACKETS: usize = 24;

/// The stack of the parser of conditions: 32 MiB, ten times what it was seen to use. It is freed when the
/// conditions are parsed.
pub const CONDITION_STACK: usize = 32 << 20;

/// The most parts of a condition after its macros are expanded: 200.
pub const CONDITION_PARTS: usize = 200;

/// The deepest nesting of its parts: 32. Evaluation takes stack for each level.
pub const CONDITION_DEPTH: usize = 32;

/// The most `+` in one condition: 16. Each may copy the arguments.
pub const CONDITION_SUMS: usize = 16;

/// The most work of all conditions of a call together: 8 Mi. It is counted in bytes of text that are read, of
/// the arguments and of what is known of the caller; within a loop, once for each element of the list. This
/// takes some milliseconds at worst, and mostly microseconds.
pub const CONDITION_WORK: u64 = 8 << 20;

/// The work of each part of a condition, whatever it is about, in such bytes: 64.
pub const CONDITION_STEP: usize = 64;

/// How many times each byte counts that is compared as part of a value that may be a list or an object: 8.
pub const CONDITION_VALUE: usize = 8;

/// How many times each byte counts that is copied as part of such a value: 32. Lists and objects take a piece
/// of memory for each of their values.
pub const CONDITION_COPY: usize = 32;

/// The most work of all conditions that are not about arguments: 512 Mi, 64 times that of a call. They are
/// evaluated once, when a caller's rights are determined. It is enough for 100,000 conditions of a few parts
/// each on a usual token.
pub const RIGHTS_WORK: u64 = 512 << 20;

/// The longest arguments that a condition may be about, in bytes: 64 KiB. Longer ones are denied.
pub const ARGUMENT_BYTES: usize = 64 << 10;

/// The most pairs of grants that are compared when a policy is read, to find grants that make no sense: 4
/// million, which takes a fraction of a second. The other pairs are not compared, and the findings say so.
pub const COMPARISONS: usize = 4_000_000;

/// How long a command may take if its rule sets no time: 10 s, for commands that use the network.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a broker may take if its rule sets no time: 4 s. A call waits for it, and 5 s for a list; the
/// broker's failure has to come before that.
pub const BROKER_TIMEOUT: Duration = Duration::from_secs(4);

/// How long what a command or a broker returned is used if its rule sets no time: 60 s. A rotated secret is
/// then known soon, and not every call asks for it.
pub const CREDENTIAL_KEEP: Duration = Duration::from_secs(60);

/// The most names that are searched for one that a mistaken name may mean: 1,000. The error message is not
/// worth more time.
pub const SIMILAR_NAMES: usize = 1000;
