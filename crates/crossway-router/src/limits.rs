//! Every bound of this crate, with its value and the reason for it.

use std::time::Duration;

/// The pause before a subscription that has ended is opened again: 1 s. A restarted server is back soon.
pub const RELISTEN_FIRST: Duration = Duration::from_secs(1);

/// The longest of these pauses, which double each time: 60 s. Servers without subscriptions would be asked in
/// vain.
pub const RELISTEN_MOST: Duration = Duration::from_secs(60);

/// The most sessions of a pool with one upstream: 256. Each may be a process.
pub const POOL_SESSIONS: usize = 256;

/// The most sessions in use at once for calls that may ask their client, per user or per group of like
/// clients: 4. Further calls wait. Each session may be a process, and starting one takes longer than most
/// calls.
pub const POOL_AT_ONCE: usize = 4;

/// How long a call waits for one of these sessions before another is opened for it: 10 s, as long as a call
/// waits at a guard. No call is refused because others take long.
pub const POOL_QUEUE_TIME: Duration = Duration::from_secs(10);

/// The most calls that wait for these sessions, per user or per group of like clients: 1,024, as many as wait
/// at a guard.
pub const POOL_QUEUED: usize = 1024;

/// How long an unused session of a pool is kept: 5 minutes. The pause between two turns of a chat is shorter.
pub const POOL_IDLE: Duration = Duration::from_secs(300);

/// How long an unused session of a full pool is reserved for further calls, before a client that only listens
/// may have its place: 1 minute. A client that could not listen tries again after that time at the latest.
pub const POOL_RESERVED: Duration = Duration::from_secs(60);

/// The most instances of an upstream, for all scopes together: 1,024. Each may be a process.
pub const SCOPED_INSTANCES: usize = 1024;

/// How long an unused instance of an upstream is kept: 5 minutes. The pause between two turns of a chat is
/// shorter.
pub const SCOPED_IDLE: Duration = Duration::from_secs(300);

/// How long an instance of an upstream gets new calls: a day at most, and half a day at least, so that not
/// all are replaced at once. A new instance helps against servers that leak memory or read their settings
/// only at their start.
pub const SCOPED_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How often unused sessions and instances are looked for: each 15 s.
pub const POOL_SWEEP: Duration = Duration::from_secs(15);

/// How long a server may take to open a session, to set its log level or to accept a subscription: 30 s.
/// Servers that are downloaded and compiled when they start take long.
pub const OPEN_TIME: Duration = Duration::from_secs(30);

/// How long a server that was pinged after a call without an answer may say nothing before its session gets
/// no new calls until it answers: 30 s. Servers that work through calls one by one answer when the current
/// one is done.
pub const SILENT_TIME: Duration = Duration::from_secs(30);

/// The pause between an unanswered ping and the next: 1 s. It doubles up to 30 s while pings cannot be sent.
pub const PING_PAUSE: Duration = Duration::from_secs(1);

/// The most calls that wait for their clients' answers, per upstream: 1,024, and at most three quarters of
/// its sessions. Each such call holds a session.
pub const PARKED_CALLS: usize = 1024;

/// How long a call waits for its client's answer: 10 minutes. A person needs time to think.
pub const PARKED_TIME: Duration = Duration::from_secs(600);

/// The most changes that wait for one listener: 256. A listener that falls further behind is told that
/// everything may have changed, or has to listen anew.
pub const CHANGES: usize = 256;

/// The most messages that wait for one call and that the server sent outside of its reply: 64. They wait
/// while the call's client does not read, or owes an answer. Beyond that, progress and log messages are
/// dropped, and questions are refused.
pub const MAIL: usize = 64;

/// The most requests of a server that wait for a call that can answer them: 16.
pub const ORPHANS: usize = 16;

/// The most groups of clients for which the lists of one upstream are kept: 16,384, enough for 15,000 users
/// who each have a credential of their own. Beyond that, the lists that were not requested for the longest
/// time are dropped.
pub const VIEWS: usize = 16_384;

/// The most bytes of the lists that are kept of one upstream: 256 MiB, which is 16 KiB for each of 16,384
/// users with lists of their own. Beyond that, the lists that were not requested for the longest time are
/// dropped.
pub const VIEW_BYTES: usize = 256 << 20;

/// How long a list that nobody requests is kept up to date: 5 minutes.
pub const VIEW_IDLE: Duration = Duration::from_secs(300);

/// How long a list is still given out after it is no longer kept up to date: a day. The client gets it at
/// once and is notified if it has changed; an older one is fetched first.
pub const LIST_KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long a client waits for a list that was not fetched before: 5 s. Then it gets the lists of the other
/// upstreams alone.
pub const FIRST_LIST_TIME: Duration = Duration::from_secs(5);

/// How long an upstream may take for all pages of a list: 30 s.
pub const LIST_TIME: Duration = Duration::from_secs(30);

/// The most pages of a list that are fetched: 1,000. Some servers never stop giving a next page.
pub const LIST_PAGES: usize = 1000;

/// The most bytes of a list that are fetched: 64 MiB, as many as one message may have.
pub const LIST_BYTES: usize = 64 << 20;

/// How much is kept of an error that an upstream answers to a list request, to tell it to callers of items
/// that may be in that list: 4,096 characters of its text, and its `data` if that has at most as many bytes.
pub const LIST_ERROR: usize = 4096;

/// The shortest time for which a list counts as fresh: 15 s. Many servers give it no lifetime, and announce
/// changes instead.
pub const REFRESH_LEAST: Duration = Duration::from_secs(15);

/// The pause before a list that callers are missing is fetched again: 1 s at first. It doubles each time.
pub const FAILED_LIST_PAUSE: Duration = Duration::from_secs(1);

/// The longest of these pauses: 1 minute.
pub const FAILED_LIST_PAUSE_MOST: Duration = Duration::from_secs(60);

/// The shortest time between two fetches of a list, whatever the upstream announces: 250 ms. An upstream that
/// announces changes all the time would be asked all the time.
pub const REFETCH_PAUSE: Duration = Duration::from_millis(250);

/// How many bytes of items a page of a merged list has before the next page begins: 8 MiB. Many clients read
/// only the first page.
pub const LIST_PAGE_BYTES: usize = 8 << 20;

/// The most merged lists that are cached: 4,096. Beyond that, those that were not requested for the longest
/// time are dropped, and built again when they are requested.
pub const MERGED_LISTS: usize = 4096;

/// The most bytes of the cached merged lists: 256 MiB, which is a hundred lists of 10,000 tools.
pub const MERGED_BYTES: usize = 256 << 20;

/// The most characters of one upstream's instructions that are joined with those of others: 2,048. Longer
/// ones are cut.
pub const JOINED_INSTRUCTIONS: usize = 2048;

/// The most bytes of the joined instructions of several upstreams: 16 KiB, about 4,000 tokens that every chat
/// pays for. The instructions of the last upstreams are left out.
pub const MERGED_INSTRUCTIONS: usize = 16 << 10;

/// The most callers for whom the instructions of their upstreams are kept: 16,384. Beyond that, the half that
/// has not listed anything for the longest time gets no instructions until it lists again.
pub const INTRODUCTIONS: usize = 16_384;

/// The most resources that one client may subscribe to: 4,096, more than a person can look at.
pub const SUBSCRIBED: usize = 4096;

/// The time by which each listener lengthens the period over which all of them check whether a change of
/// rights or of upstreams concerns them: 1 ms. All are woken at once, and calls should not wait until each
/// has checked.
pub const SIGHT_PACE: Duration = Duration::from_millis(1);

/// The longest that this period becomes, however many listen: 1 s. What clients may see and call changes at
/// once.
pub const SIGHT_TIME: Duration = Duration::from_secs(1);

/// How long an upstream may take to acknowledge a subscription before its client is told that it listens: 2
/// s. A later acknowledgement still counts.
pub const ACKNOWLEDGE_TIME: Duration = Duration::from_secs(2);

/// How long the answer to `resources/subscribe` waits until the server has the subscription, and how long a
/// call on another session of a listener waits until the server has it there: 2 s. After that the client may
/// miss a change, which is better than to get no answer.
pub const SUBSCRIBE_WAIT: Duration = Duration::from_secs(2);

/// The most subscriptions that are sent to a server at once: 16. If they were sent one after the other, the
/// thousands of one client would hold up those of others.
pub const SUBSCRIBES_AT_ONCE: usize = 16;

/// The most calls in flight at one upstream: 256, as many as common servers can queue.
pub const GUARD_CONCURRENT: usize = 256;

/// The most further calls that wait for their turn at one upstream: 1,024. More would wait longer than they
/// may.
pub const GUARD_QUEUED: usize = 1024;

/// The most that one group of callers, such as a tenant, may have of an upstream that several share, in
/// percent: 75. This holds for its calls in flight, its waiting calls and its instances, so that no group
/// takes all.
pub const GROUP_PERCENT: usize = 75;

/// The groups of callers that are counted at one upstream before those without calls are forgotten: 1,024.
pub const GUARD_GROUPS: usize = 1024;

/// How long a server may wait for an answer from a client before its call counts as silent: 1 hour. People
/// answer sooner.
pub const ANSWER_TIME: Duration = Duration::from_secs(3600);

/// The most open questions of a server that are tracked on one connection: 64. Beyond that, the oldest counts
/// as answered.
pub const OPEN_QUESTIONS: usize = 64;

/// How long a call may wait for its turn: 10 s, a sixth of the time for which SDKs wait for an answer.
pub const GUARD_QUEUE_TIME: Duration = Duration::from_secs(10);

/// The failures in a row after which an upstream gets no calls for a while: 5. A restart causes one or two.
pub const BREAKER_FAILURES: u32 = 5;

/// How long an upstream gets no calls at first: 1 s.
pub const BREAKER_FIRST: Duration = Duration::from_secs(1);

/// The longest that an upstream gets no calls: 60 s. The time doubles with each trial call that fails.
pub const BREAKER_MOST: Duration = Duration::from_secs(60);

/// How often a call that has not reached its upstream is tried again: twice.
pub const RETRIES: u32 = 2;

/// The pause before the first retry of a call: 100 ms. It doubles each time.
pub const RETRY_FIRST: Duration = Duration::from_millis(100);

/// The longest pause that an upstream's `Retry-After` can ask for: 5 minutes. A server that asks for more is
/// broken or hostile.
pub const PAUSE_MOST: Duration = Duration::from_secs(300);

/// The pause that clients are told to make when there are too many calls: 5 s. Queues drain in that time.
pub const FULL_RETRY: Duration = Duration::from_secs(5);

/// The most tools whose hints are remembered: 16,384.
pub const HINTED_TOOLS: usize = 16_384;

/// How long a list request waits for its answer while the server asks about roots: 500 ms. A list can't ask
/// its client, so the question is left to the next call; a server that has not answered by then waits for the
/// roots, and is told that nobody can be asked.
pub const ROOTS_HELD: Duration = Duration::from_millis(500);

/// How long a server's first question waits for further ones, so that the client is asked all of them at
/// once: 20 ms. Nobody notices that delay.
pub const PARK_GRACE: Duration = Duration::from_millis(20);

/// The pause before a client's standing stream continues in the next session, if the last session was ended
/// within this time: 5 s. A server that ends each session at once is thus asked at most twelve times a
/// minute.
pub const RENEW_PAUSE: Duration = Duration::from_secs(5);

/// The most resource subscriptions of a client that are renewed in a new session: 4,096, as many as a client
/// may have where eras are bridged.
pub const RENEWED_SUBSCRIPTIONS: usize = 4096;

/// The most notifications that are held back until the answer to `initialize` shows whether the server speaks
/// the client's era: 64. Servers send one or two log messages there.
pub const HELD_BACK: usize = 64;

/// The most servers that an error about an unknown name lists as having told nothing yet, where it may name
/// servers: 8. The log has all of them.
pub const UNTOLD_NAMED: usize = 8;

/// The most templates of earlier upstreams that one template is compared with: 1,000. A template that would
/// need more counts as clashing, and its URIs are wrapped.
pub const TEMPLATE_COMPARISONS: usize = 1000;

/// The most comparisons of URIs with templates for one result: 1,048,576. The URIs that are left are wrapped.
pub const LINK_COMPARISONS: usize = 1 << 20;

/// The most characters of the name of a tool, prompt or resource that an error quotes: 200. Real names are
/// shorter, and a client may send any.
pub(crate) const QUOTED_NAME_CHARS: usize = 200;
