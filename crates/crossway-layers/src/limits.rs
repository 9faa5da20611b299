//! Every bound of this crate, with its value and the reason for it.

use std::time::Duration;

/// The most characters of a name from a client in a span or a record: 256. Real names are shorter, and a
/// client must not fill the logs.
pub const NAME_CHARS: usize = 256;

/// The most calls in the audit log, in flight or waiting to be written: 65,536. A record has some 500 bytes,
/// so that is 32 MiB; the record of a subscription to resources has up to [`AUDIT_PARTS`] more.
pub const AUDIT_CALLS: usize = 65_536;

/// The most decisions in the record of one request that names several things: 64, some hundred bytes each. A
/// record is one line, and a subscription may name thousands of resources.
pub const AUDIT_PARTS: usize = 64;

/// How long a call waits for room in the audit log: 30 s, less than clients wait for an answer.
pub const AUDIT_WAIT: Duration = Duration::from_secs(30);

/// How long a request to listen may hold its place in the audit log before its stream begins: 10 s. Then it
/// is recorded as a listener.
pub const AUDIT_LISTEN: Duration = Duration::from_secs(10);

/// The most tenants without a call in the audit log whose shares of it are kept: 1,024. Further ones are made
/// again when needed.
pub const AUDIT_SHARES: usize = 1024;

/// The most of the audit log's room that one tenant's calls may take: 75 percent, so that some is left for
/// the others.
pub const AUDIT_TENANT_PERCENT: usize = 75;

/// The most records that are written at once: 1,024.
pub const AUDIT_BATCH: usize = 1024;

/// How long records are gathered before the next ones are written: 5 ms. Waking a thread for each record
/// would cost calls more than the rest of the audit log does.
pub const AUDIT_PAUSE: Duration = Duration::from_millis(5);

/// The smallest log, in calls, in which records are gathered: 4,096. No gateway with a few cores makes as
/// many calls in 5 ms.
pub const AUDIT_ROOMY: usize = 4096;

/// The pause before records that could not be written are written again: 1 s.
pub const AUDIT_RETRY: Duration = Duration::from_secs(1);

/// The most counts of quotas that are kept: 131,072, some 40 MiB when all are in use. Beyond that, calls that
/// need a new count are refused until one is idle.
pub const LIMIT_KEYS: usize = 131_072;

/// The most of these counts that one tenant may have: 75 percent, so that some are left for the others.
pub const LIMIT_TENANT_PERCENT: usize = 75;

/// How long an unused count of a quota is kept at least: 10 minutes, and as long as the period of its rate if
/// that is longer. Otherwise a user could start afresh by waiting less than the period.
pub const LIMIT_IDLE: Duration = Duration::from_secs(600);

/// The most calls of one user that wait for their turn under one quota: 64. A chat turn has fewer.
pub const LIMIT_WAITING: usize = 64;

/// The most calls of all users that wait for their turn under one quota: 4,096.
pub const LIMIT_WAITING_ALL: usize = 4096;

/// How long a call waits for its turn: 10 s. A longer wait looks like a failure to people.
pub const LIMIT_WAIT: Duration = Duration::from_secs(10);

/// When clients should try again after a call has waited in vain: in 1 s.
pub const LIMIT_RETRY: Duration = Duration::from_secs(1);

/// When clients should try again where a quota allows nothing: in 1 hour. Only another config changes that.
pub const LIMIT_CLOSED_RETRY: Duration = Duration::from_secs(3600);

/// The longest secret: 16 KiB, as long as what is sent of it may be.
pub const SECRET_BYTES: usize = 16 << 10;

/// The most sources whose secrets are cached, and the most plans made of them: 65,536.
pub const SECRETS: usize = 65_536;

/// The pause before a file, or a source that had no secret, is checked again: 1 s.
pub const FILE_LOOK: Duration = Duration::from_secs(1);

/// How old a file's last change has to be to trust that the same time means the same content: 2 s, the
/// coarsest time of a file system (FAT).
pub const FILE_MOMENT: Duration = Duration::from_secs(2);

/// How long a file, or a source in this program, may take: 4 s. Files may be on network shares. A call waits
/// 5 s for a list, and the source's failure has to come before that.
pub const SOURCE_TIME: Duration = Duration::from_secs(4);

/// How long the same failure of the credentials of a rule is not logged again: a minute.
pub const SOURCE_TOLD: Duration = Duration::from_secs(60);

/// When clients should try again after a source of credentials has failed: in 2 s.
pub const SECRET_RETRY: Duration = Duration::from_secs(2);

/// The longest answer of a broker: 64 KiB.
pub const BROKER_BYTES: usize = 64 << 10;

/// The most characters of a description or a title from an upstream that is not trusted: 8,192. The longest
/// ones in use have some 4,000.
pub const DESCRIPTION_CHARS: usize = 8192;

/// The most characters of its instructions: 16,384.
pub const INSTRUCTIONS_CHARS: usize = 16_384;
