//! Every bound of this crate, with its value and the reason for it.

use std::time::Duration;

/// How many characters of a name that a client says stand in a span or a record: 256. Names that are in use are shorter, and no
/// client writes logs at length.
pub const NAME_CHARS: usize = 256;

/// How many calls the audit log has room for, in flight or waiting to be written: 65,536. A record is some 500 bytes, so that
/// is 32 MiB; one of a subscription to resources has up to [`AUDIT_PARTS`] more.
pub const AUDIT_CALLS: usize = 65_536;

/// Of how many things that one request names the decisions are on record: 64, some hundred bytes each. A record is a line, and a subscription
/// may name thousands.
pub const AUDIT_PARTS: usize = 64;

/// How long a call waits for room in the audit log: 30 s, less than clients wait for an answer.
pub const AUDIT_WAIT: Duration = Duration::from_secs(30);

/// How long what listens may hold its place in the audit log before it has begun: 10 s. Then it is on record as what listens.
pub const AUDIT_LISTEN: Duration = Duration::from_secs(10);

/// How many tenants' shares of the audit log are kept that have no call in it: 1,024. Beyond that, they are made anew.
pub const AUDIT_SHARES: usize = 1024;

/// How much of the audit log's room one tenant's calls may take: 75 percent, so that some is left for the others.
pub const AUDIT_TENANT_PERCENT: usize = 75;

/// How many records are written at once: 1,024.
pub const AUDIT_BATCH: usize = 1024;

/// How long records are gathered before the next are written: 5 ms. A thread that is woken for each record costs calls more than
/// all else that their records do.
pub const AUDIT_PAUSE: Duration = Duration::from_millis(5);

/// How many calls a log has room for in which records are gathered: 4,096. In 5 ms no gateway of some cores makes as many.
pub const AUDIT_ROOMY: usize = 4096;

/// How long it is waited until records are written again that could not be: 1 s.
pub const AUDIT_RETRY: Duration = Duration::from_secs(1);

/// How many quotas' counts are kept: 131,072; some 40 MiB when all are in use. Beyond, calls of others are refused until one is idle.
pub const LIMIT_KEYS: usize = 131_072;

/// How many of the quotas' counts may be one tenant's: 75 percent, so that some are left for the others.
pub const LIMIT_TENANT_PERCENT: usize = 75;

/// How long a quota's counts are kept after their last use, at least: 10 minutes. For as long as a rate's period where that is longer,
/// or a user would begin anew by waiting less than the period.
pub const LIMIT_IDLE: Duration = Duration::from_secs(600);

/// How many calls of one user wait for their turn under one quota: 64. A chat turn has fewer.
pub const LIMIT_WAITING: usize = 64;

/// How many calls of all its users wait for their turn under one quota: 4,096.
pub const LIMIT_WAITING_ALL: usize = 4096;

/// How long a call waits for its turn: 10 s. Longer waits look like failures to people.
pub const LIMIT_WAIT: Duration = Duration::from_secs(10);

/// When to try again after a wait was in vain: 1 s.
pub const LIMIT_RETRY: Duration = Duration::from_secs(1);

/// When to try again where a quota allows nothing: 1 hour. Only another config changes it.
pub const LIMIT_CLOSED_RETRY: Duration = Duration::from_secs(3600);

/// How long a secret may be: 16 KiB, what may be sent of it.
pub const SECRET_BYTES: usize = 16 << 10;

/// How many sources' secrets, and how many plans made of them, are kept: 65,536.
pub const SECRETS: usize = 65_536;

/// How long it takes until a file is looked at again, or a source that had nothing: 1 s.
pub const FILE_LOOK: Duration = Duration::from_secs(1);

/// How long ago a file was changed of which no other content is expected that looks the same: 2 s, the coarsest time of a file system
/// (FAT).
pub const FILE_MOMENT: Duration = Duration::from_secs(2);

/// How long a file, or a source of this program, may take: 4 s. Files are on network shares too. Where a call waits for a list, that is for 5 s,
/// and a source's failure has to come before.
pub const SOURCE_TIME: Duration = Duration::from_secs(4);

/// How long it is not said again in the log that the credentials of a rule fail in the same way: a minute.
pub const SOURCE_TOLD: Duration = Duration::from_secs(60);

/// When to try again after a source of credentials has failed: 2 s.
pub const SECRET_RETRY: Duration = Duration::from_secs(2);

/// How long a broker's answer may be: 64 KiB.
pub const BROKER_BYTES: usize = 64 << 10;

/// How many characters a description or a title of an upstream that is not trusted may have: 8,192. The longest of those in use
/// have some 4,000.
pub const DESCRIPTION_CHARS: usize = 8192;

/// How many characters its instructions may have: 16,384.
pub const INSTRUCTIONS_CHARS: usize = 16_384;
