//! Every bound of this crate, with its value and the reason for it.

use std::time::Duration;

/// How long after its end a subscription is opened anew, at first: a server that was restarted is back soon.
pub const RELISTEN_FIRST: Duration = Duration::from_secs(1);

/// How long it takes at most, after the pause has doubled each time: servers without subscriptions are asked in vain.
pub const RELISTEN_MOST: Duration = Duration::from_secs(60);

/// How many sessions with one upstream a pool may have: 256. Each may be a process.
pub const POOL_SESSIONS: usize = 256;

/// How many sessions with one upstream calls of one user's or of clients alike have at once that may ask their clients, before others wait
/// for one of them: 4. Each may be a process, which takes longer to start than most calls take.
pub const POOL_AT_ONCE: usize = 4;

/// How long a call waits for one of these sessions before another is opened for it all the same: 10 s, as long as a call waits at a guard.
/// More calls that take long are no reason to refuse one.
pub const POOL_QUEUE_TIME: Duration = Duration::from_secs(10);

/// How many calls of one user's or of clients alike may wait so: 1,024, as many as wait at a guard.
pub const POOL_QUEUED: usize = 1024;

/// How long a pooled session is kept that nobody uses: 5 minutes, more than lies between two turns of a chat.
pub const POOL_IDLE: Duration = Duration::from_secs(300);

/// How many instances of an upstream there are for the scopes that use it: 1,024. Each may be a process.
pub const SCOPED_INSTANCES: usize = 1024;

/// How long the instance of a scope is kept that nobody uses: 5 minutes, more than lies between two turns of a chat.
pub const SCOPED_IDLE: Duration = Duration::from_secs(300);

/// How long the instance of a scope is given new calls: a day at most, half of it at least, so that not all are replaced at once. Servers
/// that lose memory, or keep what they were told at their start, begin anew.
pub const SCOPED_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How often it is looked for sessions that nobody uses.
pub const POOL_SWEEP: Duration = Duration::from_secs(15);

/// How long a server may take to open a session, to set its level of logs and to take a subscription: 30 s. Servers that are fetched and
/// compiled when they start take long.
pub const OPEN_TIME: Duration = Duration::from_secs(30);

/// For how long nothing at all may come from a server that was pinged after a call ended without an answer, until that session gets no new
/// calls: 30 s. Servers that work through calls one by one answer when they have done one.
pub const SILENT_TIME: Duration = Duration::from_secs(30);

/// How long after a ping without an answer the next one is sent: 1 s. It doubles up to 30 s while none can be sent.
pub const PING_PAUSE: Duration = Duration::from_secs(1);

/// How many calls may wait for their clients' answers, at one upstream: 1,024, and no more than three quarters of the sessions that there may be: each
/// holds one.
pub const PARKED_CALLS: usize = 1024;

/// How long a call waits for its client's answer: 10 minutes, time for a person to think.
pub const PARKED_TIME: Duration = Duration::from_secs(600);

/// How many changes wait for one who listens: 256. Who falls behind further is told that all may have changed, or to listen anew.
pub const CHANGES: usize = 256;

/// How much of what a server says outside of replies waits for a call whose client does not read, or which waits for its client: 64
/// messages. What comes beyond is dropped if it is progress or a log message, and refused if it is a question.
pub const MAIL: usize = 64;

/// How many requests of a server's wait for a call that could answer them: 16.
pub const ORPHANS: usize = 16;

/// How many kinds of clients lists are kept for, of one upstream: 16,384, one for each of 15,000 users with a credential of their own.
/// Beyond that, those go that were not asked for the longest.
pub const VIEWS: usize = 16_384;

/// How many bytes of items the different lists of one upstream may have that are kept: 256 MiB, 16 KiB for each of as many users
/// where each is told another. Beyond that, those go that were not asked for the longest.
pub const VIEW_BYTES: usize = 256 << 20;

/// How long lists are kept up to date that nobody asks for: 5 minutes.
pub const VIEW_IDLE: Duration = Duration::from_secs(300);

/// How long a user's or a tenant's list is kept that nobody asks for and nobody keeps up to date: a day. Who asks again is given it at once, and told if it
/// has changed; one that is older is waited for.
pub const LIST_KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long a client waits for a list of which nothing is known: 5 s. Then it gets the others' without.
pub const FIRST_LIST_TIME: Duration = Duration::from_secs(5);

/// How long an upstream may take for all pages of a list: 30 s.
pub const LIST_TIME: Duration = Duration::from_secs(30);

/// How many pages of a list are fetched: 1,000. A server that goes on has no end.
pub const LIST_PAGES: usize = 1000;

/// How many bytes of a list are fetched: 64 MiB, what one message may have.
pub const LIST_BYTES: usize = 64 << 20;

/// How much is kept of the error by which an upstream refuses a list, for those who call what may be in it: 4,096 characters of its
/// text, and its `data` if that has no more bytes.
pub const LIST_ERROR: usize = 4096;

/// How long a list is taken to hold at least: 15 s. Many servers say that it holds for no time, and tell when it changes.
pub const REFRESH_LEAST: Duration = Duration::from_secs(15);

/// How long it is waited until a list is asked for again that nobody has ever had: 1 s at first, twice as long each time it fails.
pub const FAILED_LIST_PAUSE: Duration = Duration::from_secs(1);

/// The longest of these waits: 1 minute.
pub const FAILED_LIST_PAUSE_MOST: Duration = Duration::from_secs(60);

/// How long it takes at least from one fetch of a list to the next, whatever the upstream tells: 250 ms. One that tells of changes
/// without end would be asked without end.
pub const REFETCH_PAUSE: Duration = Duration::from_millis(250);

/// How many bytes of items a page of a merged list has before the next one begins: 8 MiB. Many clients read the first page alone.
pub const LIST_PAGE_BYTES: usize = 8 << 20;

/// How many merged lists are kept ready: 4,096. Beyond that, those that were not asked for the longest are made anew.
pub const MERGED_LISTS: usize = 4096;

/// How many bytes merged lists may take that are kept ready: 256 MiB, a hundred lists of 10,000 tools.
pub const MERGED_BYTES: usize = 256 << 20;

/// How many characters of an upstream's instructions are told beside others': 2,048. What is longer is cut.
pub const JOINED_INSTRUCTIONS: usize = 2048;

/// How many bytes the instructions of several upstreams together may have: 16 KiB, about 4,000 tokens that every chat pays for. Those of
/// the upstreams that come last are left out.
pub const MERGED_INSTRUCTIONS: usize = 16 << 10;

/// For how many callers it is kept what upstreams said of themselves at their lists: 16,384. Beyond that, the half that has listed
/// longest ago is told no instructions until it lists again.
pub const INTRODUCTIONS: usize = 16_384;

/// How many resources one client may listen for: 4,096, more than a person can look at.
pub const SUBSCRIBED: usize = 4096;

/// How much later one client after the other looks whether a change of rights, or of which upstreams there are, is one for it: a millisecond. All who listen
/// hear of it at once, and calls are not to wait until they all have looked and are told.
pub const SIGHT_PACE: Duration = Duration::from_millis(1);

/// How long the last of them may wait to look, however many listen: a second. What clients may see and call does not wait for it.
pub const SIGHT_TIME: Duration = Duration::from_secs(1);

/// How long an upstream may take to acknowledge a subscription before its client is told that it listens: 2 s. It is taken at its
/// word when it comes later.
pub const ACKNOWLEDGE_TIME: Duration = Duration::from_secs(2);

/// How long the answer to `resources/subscribe` waits until the server knows of the subscription, and a call on another session of
/// a listener's until the server knows there: 2 s. After that the client may miss a change, which is better than to be without an answer.
pub const SUBSCRIBE_WAIT: Duration = Duration::from_secs(2);

/// How many resources a server is asked at once to tell of: 16. One after the other, thousands of one client's would hold up the others' for long.
pub const SUBSCRIBES_AT_ONCE: usize = 16;

/// How many calls may be in flight at one upstream: 256. What a server's own queue takes without falling over.
pub const GUARD_CONCURRENT: usize = 256;

/// How many more calls may wait for their turn at one upstream: 1,024. Beyond that they would wait longer than they may.
pub const GUARD_QUEUED: usize = 1024;

/// How much of an upstream's turns, of the places to wait for one, and of its instances one group of callers may have where several share them,
/// such as a tenant: 75 of 100. So one alone never takes all.
pub const GROUP_PERCENT: usize = 75;

/// For how many groups it is kept at one upstream what they have of it, before those that have nothing are forgotten: 1,024.
pub const GUARD_GROUPS: usize = 1024;

/// How long a server may wait for what it has asked a client until its call counts as silent all the same: 1 hour, more than a person takes.
pub const ANSWER_TIME: Duration = Duration::from_secs(3600);

/// How many open questions of a server's are told apart on one line: 64. Of more than that the oldest count as answered.
pub const OPEN_QUESTIONS: usize = 64;

/// How long a call may wait for its turn: 10 s, a sixth of what SDKs wait for an answer.
pub const GUARD_QUEUE_TIME: Duration = Duration::from_secs(10);

/// After how many failures in a row an upstream is left alone: 5. A restart loses one or two.
pub const BREAKER_FAILURES: u32 = 5;

/// How long it is left alone at first: 1 s.
pub const BREAKER_FIRST: Duration = Duration::from_secs(1);

/// How long it is left alone at most, after the time has doubled with each trial that failed: 60 s.
pub const BREAKER_MOST: Duration = Duration::from_secs(60);

/// How often a call is tried again that the upstream has not seen: twice.
pub const RETRIES: u32 = 2;

/// How long it is waited before a call is tried again, at first: 100 ms. It doubles.
pub const RETRY_FIRST: Duration = Duration::from_millis(100);

/// The longest that an upstream's `Retry-After` is heeded: 5 minutes. What asks for more is broken or means harm.
pub const PAUSE_MOST: Duration = Duration::from_secs(300);

/// What clients are told to wait when there are too many calls: 5 s, in which queues drain.
pub const FULL_RETRY: Duration = Duration::from_secs(5);

/// The most tools whose hints are remembered: 16,384.
pub const HINTED_TOOLS: usize = 16_384;

/// How long a list, which can't be answered by a question, waits beside one about the client's roots, which is then left to the next call: 500 ms.
/// A server that has not answered by then waits for it, and is told that there is nobody to ask.
pub const ROOTS_HELD: Duration = Duration::from_millis(500);

/// How long a server's first question waits for more, so that the client is asked all at once: 20 ms, which nobody who is
/// asked notices.
pub const PARK_GRACE: Duration = Duration::from_millis(20);

/// How old a session has to be that its client's standing stream finds ended, or it waits as long before the next: 5 seconds. A server that ends each at once
/// is asked for twelve a minute.
pub const RENEW_PAUSE: Duration = Duration::from_secs(5);

/// How many of a client's subscriptions to resources are taken up in a new session: 4,096, all that a client may have where eras are bridged.
pub const RENEWED_SUBSCRIPTIONS: usize = 4096;

/// How many notifications that come before the answer to `initialize` are held back until it is known whose session it is: 64. Servers log a line
/// or two there.
pub const HELD_BACK: usize = 64;

/// How many servers that have not told what they have an error about an unknown name tells, where it tells any: 8. The log has all.
pub const UNTOLD_NAMED: usize = 8;

/// With how many templates of earlier upstreams one template is compared: 1,000. One with more is taken to clash, and its URIs are wrapped.
pub const TEMPLATE_COMPARISONS: usize = 1000;

/// How many times a URI of one result is compared with a template: 1,048,576. URIs beyond that are wrapped.
pub const LINK_COMPARISONS: usize = 1 << 20;

/// How much of a tool's, prompt's or resource's name is quoted in an error: 200 characters. Names that are in use are shorter, and a client may send any.
pub(crate) const QUOTED_NAME_CHARS: usize = 200;
