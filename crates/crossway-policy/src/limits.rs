//! Every bound of this crate, with its value and the reason for it.

use std::time::Duration;

/// How many tenants a policy may have: 10,000, ten times what is measured.
pub const TENANTS: usize = 10_000;

/// How many grants a policy may have: 100,000, ten times what is measured.
pub const GRANTS: usize = 100_000;

/// How many rules about credentials, and how many about quotas, a policy may have: 10,000 each.
pub const RULES: usize = 10_000;

/// How many upstreams a policy may know: 10,000.
pub const UPSTREAMS: usize = 10_000;

/// How many patterns one list of a grant may have: 1,000. Who names more means a pattern, or an upstream of its own.
pub const PATTERNS: usize = 1000;

/// How long a pattern may be, in bytes: 512. Names of tools have 128 at most, and URIs that are written by hand are shorter.
pub const PATTERN_BYTES: usize = 512;

/// How many `*`, `?`, `[` and `{` a pattern may have: 32. More is a bomb rather than a name.
pub const PATTERN_WILDCARDS: usize = 32;

/// How many patterns of a policy may be more than a name with one `*` in it: 10,000, each use of one counted. Each text is an automaton.
pub const AUTOMATA: usize = 10_000;

/// How large the automaton of a pattern may be, in bytes: 64 KiB. Alternatives within alternatives grow without end.
pub const AUTOMATON_BYTES: usize = 64 << 10;

/// How long a name or a URI may be that is granted, in bytes: 8 KiB, what a request line may have. Longer ones are denied.
pub const NAME_BYTES: usize = 8 << 10;

/// How long the name of a tenant may be, in bytes: 64. It becomes part of metrics, logs and paths of files.
pub const TENANT_BYTES: usize = 64;

/// How long the name of a user's file may be, in bytes: 253, what a key of a Kubernetes secret may have.
pub const FILE_NAME_BYTES: usize = 253;

/// How long a template of a credential may be, in bytes: 4 KiB.
pub const TEMPLATE_BYTES: usize = 4 << 10;

/// How long a credential may be when it is sent, in bytes: 16 KiB, what servers take as a header section.
pub const VALUE_BYTES: usize = 16 << 10;

/// How many grants an explanation shows before it leaves out those about other callers: 1,000.
pub const EXPLAINED: usize = 1000;

/// How long a condition may be, in bytes: 2 KiB.
pub const CONDITION_BYTES: usize = 2 << 10;

/// How many `(`, `[`, `{` and `?` a condition may have, in texts too: 24. The parser takes stack for each.
pub const CONDITION_BRACKETS: usize = 24;

/// How much stack the parser of conditions has: 32 MiB, ten times what it was seen to take. It is given back when a condition is read.
pub const CONDITION_STACK: usize = 32 << 20;

/// How many parts a condition may have once its macros are written out: 200.
pub const CONDITION_PARTS: usize = 200;

/// How deeply its parts may be within each other: 32. Evaluation takes stack for each.
pub const CONDITION_DEPTH: usize = 32;

/// How many `+` a condition may have: 16. Each may copy the arguments.
pub const CONDITION_SUMS: usize = 16;

/// How much work the conditions of a call may be together: 8 Mi, counted in bytes of text that are gone through, of the arguments and of what
/// is known of the caller, those within a loop once for each element of the list. At worst some milliseconds, mostly microseconds.
pub const CONDITION_WORK: u64 = 8 << 20;

/// As how many bytes each part of a condition counts, whatever it is about: 64.
pub const CONDITION_STEP: usize = 64;

/// How many times each byte counts that is compared as a part of a value, which may be a list or an object: 8.
pub const CONDITION_VALUE: usize = 8;

/// How many times each byte counts that is copied as a part of such a value: 32. Lists and objects have a piece of memory for each of their
/// values.
pub const CONDITION_COPY: usize = 32;

/// How much work the conditions may be together that are not about arguments, and are asked once when a caller's rights are made: 512 Mi, 64
/// times a call's. 100,000 of a few parts each, over what a token usually says.
pub const RIGHTS_WORK: u64 = 512 << 20;

/// How long arguments may be that a condition is about, in bytes: 64 KiB. Longer ones are denied.
pub const ARGUMENT_BYTES: usize = 64 << 10;

/// How many pairs of grants are compared when a policy is read, to find what can hardly be meant: 4 million, a fraction of a second.
/// With more grants the others are not compared, which is a finding of its own.
pub const COMPARISONS: usize = 4_000_000;

/// How long a command may take of which nothing is said: 10 s, for those that ask a network.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a broker may take of which nothing is said: 4 s. A call waits for it; where it waits for a list too, that is for 5 s, and the
/// broker's failure has to come before.
pub const BROKER_TIMEOUT: Duration = Duration::from_secs(4);

/// How long what a command or a broker gave holds, where nothing is said: 60 s, so that a rotated secret is known soon and nobody is asked at
/// each call.
pub const CREDENTIAL_KEEP: Duration = Duration::from_secs(60);

/// How many names are searched for the one that a mistaken name was meant to be: 1,000. The message is not worth more time.
pub const SIMILAR_NAMES: usize = 1000;
