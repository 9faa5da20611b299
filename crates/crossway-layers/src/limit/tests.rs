use std::any::Any;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossway_policy::{Principal, TenantName};
use crossway_service::{Call, CallError, Context, Link, Outcome, Reason, Reply, RequestLimiter};
use crossway_testkit::Server;
use tokio::time::Instant;

use super::*;
use crate::limits;
use crate::script::{around, call_of, is_pending, response, settle};

mod charges;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn user_of(call: &Call) -> QuotaKey {
    let who = call.context.extensions.get::<Principal>().unwrap();
    QuotaKey::new(format!("user {} {}", who.issuer(), who.subject()))
}

fn at_once(most: u32, of: Option<QuotaKey>) -> AtOnce {
    AtOnce { most: number(most), of }
}

/// One quota for a tenant, with fairness between its users.
fn tenant(most: u32) -> LimitLayer {
    let quotas = move |call: &Call| -> QuotaList {
        Arc::from([Quota::new(QuotaKey::new("tenant")).at_once(at_once(most, Some(user_of(call))))])
    };
    LimitLayer::new(quotas, LimitOptions::default())
}

async fn answer(server: &Server) {
    let id = server.expect("m").await;
    server.answer(&id, "{}");
}

fn ask(link: &Link, user: &str) -> Reply {
    link.call(call_of(user, 1, "m", "{}"))
}

async fn refused(reply: Reply) -> CallError {
    let error = response(reply).await.unwrap_err();
    let is_full = error.to_string().contains("too many quotas");
    assert!(
        matches!((error.reason(), is_full), (Reason::OverQuota(_), false) | (Reason::OverLimit(_), true)),
        "{error}"
    );
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.retry_after_seconds().is_some_and(|seconds| seconds > 0));
    error
}

#[tokio::test(start_paused = true)]
async fn calls_over_a_rate_are_refused_until_there_is_room_again() {
    let quotas = |call: &Call| -> QuotaList {
        Arc::from([Quota::new(user_of(call)).calls(Rate::per_minute(number(3)))])
    };
    let (link, server) = around(&LimitLayer::new(quotas, LimitOptions::default())).await;
    for _ in 0..3 {
        let reply = ask(&link, "alice");
        answer(&server).await;
        response(reply).await.unwrap();
    }
    let error = refused(ask(&link, "alice")).await;
    assert_eq!(error.retry_after_seconds(), Some(20));
    assert_eq!(error.to_error_object().code, crossway_proto::ErrorCode::OVER_LIMIT);
    // Another user has a separate count.
    let reply = ask(&link, "bob");
    answer(&server).await;
    response(reply).await.unwrap();
    tokio::time::advance(Duration::from_secs(20)).await;
    let reply = ask(&link, "alice");
    answer(&server).await;
    response(reply).await.unwrap();
    refused(ask(&link, "alice")).await;
}

#[tokio::test]
async fn a_call_counts_for_all_quotas_however_many_there_are() {
    let quotas = |_: &Call| -> QuotaList {
        let quota = |key: usize| Quota { is_closed: key == 99, ..Quota::new(QuotaKey::new(key.to_string())) };
        (0..100).map(quota).collect()
    };
    let (link, server) = around(&LimitLayer::new(quotas, LimitOptions::default())).await;
    refused(ask(&link, "alice")).await;
    drop(link);
    assert!(server.receive().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_until_another_one_is_over() {
    let (link, server) = around(&tenant(1)).await;
    let first = ask(&link, "alice");
    let second = tokio::spawn(response(ask(&link, "alice")));
    let id = server.expect("m").await;
    settle().await;
    assert!(!second.is_finished());
    server.answer(&id, "{}");
    response(first).await.unwrap();
    answer(&server).await;
    second.await.unwrap().unwrap();
    // A dropped call has ended too.
    drop(ask(&link, "alice"));
    let reply = ask(&link, "alice");
    server.receive().await;
    server.receive().await;
    answer(&server).await;
    response(reply).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_tower_service_waits_too_and_its_wait_has_an_end() {
    use tower::ServiceExt;
    use tower_layer::Layer;
    let (upstream, mut servers) = crossway_testkit::Scripted::new();
    let link = crossway_service::Upstream::connect(&upstream, crossway_service::Scope::Shared);
    let (_, server) = servers.recv().await.unwrap();
    let service = tenant(1).layer(link);
    let call = || service.clone().oneshot(call_of("alice", 1, "m", "{}"));
    let Ok(first) = call().await;
    let second = tokio::spawn(call());
    let id = server.expect("m").await;
    settle().await;
    assert!(!second.is_finished());
    server.answer(&id, "{}");
    response(first).await.unwrap();
    let Ok(_second) = second.await.unwrap();
    server.expect("m").await;
    let Ok(third) = call().await;
    refused(third).await;
}

#[tokio::test(start_paused = true)]
async fn of_those_who_wait_the_user_with_the_fewest_calls_is_next() {
    let (link, server) = around(&tenant(3)).await;
    let named = |user: &str| link.call(call_of(user, 1, "m", &format!(r#"{{"name":"{user}"}}"#)));
    let mut first: Vec<Reply> = (0..3).map(|_| named("alice")).collect();
    for user in ["alice", "alice", "bob", "carol"] {
        tokio::spawn(response(named(user)));
        settle().await;
    }
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(server.expect("m").await);
    }
    let mut served = Vec::new();
    for id in ids {
        server.answer(&id, "{}");
        response(first.remove(0)).await.unwrap();
        served.push(server.receive().await.unwrap().name().unwrap().into_owned());
    }
    assert_eq!(served, ["bob", "carol", "alice"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_an_end_and_those_who_wait_have_a_bound() {
    let (link, _server) = around(&tenant(1)).await;
    let _first = ask(&link, "alice");
    let began = Instant::now();
    let mut waiting: Vec<Reply> = (0..limits::LIMIT_WAITING).map(|_| ask(&link, "alice")).collect();
    for reply in &mut waiting {
        assert!(is_pending(reply));
    }
    refused(ask(&link, "alice")).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    // Another user has a separate queue.
    let other = ask(&link, "bob");
    refused(waiting.remove(0)).await;
    assert_eq!(began.elapsed(), limits::LIMIT_WAIT);
    refused(other).await;
}

#[tokio::test(start_paused = true)]
async fn those_of_one_user_who_wait_under_the_users_own_quota_have_the_same_bound() {
    use crossway_policy::{Policy, PolicyConfig, TenantName, UpstreamFacts};
    let config = serde_json::json!({
        "tenants": { "acme": { "email_domains": ["a"] } }, "quotas": [{ "per_user": { "in_flight": 1 } }],
    });
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    let policy = Policy::compile(&config, &[UpstreamFacts { name: "u".into(), trusted: false }]).unwrap();
    let quotas = move |call: &Call| -> QuotaList {
        let who = call.context.extensions.get::<Principal>().unwrap();
        Quota::all_of_policy(&policy.quotas(who, &TenantName::new("acme").unwrap(), "u", None), who)
    };
    let (link, _server) = around(&LimitLayer::new(quotas, LimitOptions::default())).await;
    let mut replies: Vec<Reply> = (0..=limits::LIMIT_WAITING).map(|_| ask(&link, "alice")).collect();
    assert!(replies.iter_mut().all(is_pending));
    let began = Instant::now();
    refused(ask(&link, "alice")).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn one_that_gives_up_waiting_leaves_no_trace() {
    let layer = tenant(1);
    let (link, server) = around(&layer).await;
    let first = ask(&link, "alice");
    let (mut gone, mut next) = (ask(&link, "bob"), ask(&link, "carol"));
    assert!(is_pending(&mut gone));
    assert!(is_pending(&mut next));
    drop(gone);
    answer(&server).await;
    response(first).await.unwrap();
    let next = tokio::spawn(response(next));
    answer(&server).await;
    next.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_standing_stream_is_no_call_at_once() {
    let (link, server) = around(&tenant(1)).await;
    let _listening = link.call(call_of("alice", 1, "subscriptions/listen", "{}"));
    server.expect("subscriptions/listen").await;
    let reply = ask(&link, "alice");
    answer(&server).await;
    response(reply).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn bytes_are_paid_back_before_more_may_be_used() {
    let quotas = |_: &Call| -> QuotaList {
        Arc::from([Quota::new(QuotaKey::new("t")).bytes(Rate::per_second(number(1000)))])
    };
    let (link, server) = around(&LimitLayer::new(quotas, LimitOptions::default())).await;
    let reply = ask(&link, "alice");
    let id = server.expect("m").await;
    server.answer(&id, &format!("\"{}\"", "x".repeat(2900)));
    response(reply).await.unwrap();
    let error = refused(ask(&link, "alice")).await;
    assert!(error.retry_after().unwrap() > Duration::from_millis(1900), "{error:?}");
    tokio::time::advance(Duration::from_millis(2100)).await;
    let reply = ask(&link, "alice");
    answer(&server).await;
    response(reply).await.unwrap();
}

#[test]
fn many_bytes_in_a_long_time_are_as_many_as_was_said() {
    let day = Rate { amount: (100_u64 << 30).try_into().unwrap(), period: Duration::from_secs(86_400) };
    let (mut bucket, now) = (bucket::Bucket::new(day), Instant::now().into_std());
    for _ in 0..100 {
        assert_eq!(bucket.check(now), Ok(()));
        bucket.charge(now, 1 << 30);
    }
    bucket.charge(now, 1 << 30);
    assert_eq!(bucket.check(now), Err(Duration::from_secs(864)));
}

#[tokio::test(start_paused = true)]
async fn a_table_of_keys_has_a_bound_and_forgets_who_is_idle() {
    let quotas = |call: &Call| -> QuotaList {
        Arc::from([Quota::new(user_of(call)).calls(Rate::per_minute(number(1))).at_once(at_once(1, None))])
    };
    let layer = LimitLayer::new(quotas, LimitOptions::default().keys(3));
    let (link, server) = around(&layer).await;
    let held = ask(&link, "user 0");
    for user in 1..3 {
        let reply = ask(&link, &format!("user {user}"));
        if user == 1 {
            server.receive().await;
        }
        answer(&server).await;
        response(reply).await.unwrap();
    }
    refused(ask(&link, "user 3")).await;
    assert_eq!(layer.keys(), 3);
    tokio::time::advance(limits::LIMIT_IDLE).await;
    let reply = ask(&link, "user 3");
    answer(&server).await;
    response(reply).await.unwrap();
    assert_eq!(layer.keys(), 2, "one has a call, one is new");
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn one_tenants_counts_leave_room_for_the_others() {
    let quotas = |call: &Call| -> QuotaList {
        let is_acmes = call.context.extensions.get::<Principal>().unwrap().subject().starts_with("acme");
        let tenant = if is_acmes { "acme" } else { "globex" };
        let quota = Quota::new(user_of(call)).calls(Rate::per_minute(number(9)));
        Arc::from([quota.of_tenant(crossway_policy::TenantName::new(tenant).unwrap())])
    };
    let (link, server) = around(&LimitLayer::new(quotas, LimitOptions::default().keys(4))).await;
    let passes = async |user: &str| {
        let reply = ask(&link, user);
        answer(&server).await;
        response(reply).await.unwrap();
    };
    for user in ["acme 0", "acme 1", "acme 2"] {
        passes(user).await;
    }
    refused(ask(&link, "acme 3")).await;
    passes("globex 0").await;
    passes("acme 2").await;
    tokio::time::advance(limits::LIMIT_IDLE).await;
    passes("acme 3").await;
}

#[tokio::test(start_paused = true)]
async fn other_bounds_count_from_then_on_and_calls_that_are_under_way_still_count() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let most = Arc::new(AtomicU32::new(1));
    let shared = Arc::clone(&most);
    let quotas = move |_: &Call| -> QuotaList {
        Arc::from([Quota::new(QuotaKey::new("t")).at_once(at_once(shared.load(Ordering::Relaxed), None))])
    };
    let (link, server) = around(&LimitLayer::new(quotas, LimitOptions::default())).await;
    let _first = ask(&link, "alice");
    let mut second = ask(&link, "alice");
    assert!(is_pending(&mut second));
    most.store(3, Ordering::Relaxed);
    let _third = ask(&link, "alice");
    let _second = tokio::spawn(response(second));
    for _ in 0..3 {
        server.expect("m").await;
    }
    let mut fourth = ask(&link, "alice");
    assert!(is_pending(&mut fourth));
}

#[test]
fn keys_do_not_tell_who_calls() {
    let quota =
        Quota::new(QuotaKey::new("alice@acme.example")).at_once(at_once(1, Some(QuotaKey::new("alice"))));
    assert!(!format!("{quota:?}").contains("alice"));
}

#[tokio::test(start_paused = true)]
async fn a_policys_quotas_are_its_tenants_and_its_users_and_nothing_is_nothing() {
    use crossway_policy::{Policy, PolicyConfig, TenantName, UpstreamFacts};
    let config = serde_json::json!({
        "tenants": { "acme": { "email_domains": ["a"] }, "globex": { "email_domains": ["g"] }, "initech": { "email_domains": ["i"] } },
        "quotas": [
            { "tenant": "acme", "calls": "600/min", "in_flight": 50, "per_user": { "calls": "2/min", "bytes": "1MiB/s" } },
            { "tenant": "globex", "calls": "0/min" },
            { "tenant": "initech", "bytes": "100GiB/day" },
        ],
    });
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    let policy = Policy::compile(&config, &[UpstreamFacts { name: "u".into(), trusted: false }]).unwrap();
    let of = |tenant: &str, call: &Call| -> QuotaList {
        let who = call.context.extensions.get::<Principal>().unwrap();
        let quotas = policy.quotas(who, &TenantName::new(tenant).unwrap(), "u", None);
        Quota::all_of_policy(&quotas, who)
    };
    let (alice, bob) = (call_of("alice", 1, "m", "{}"), call_of("bob", 1, "m", "{}"));
    let (hers, his) = (of("acme", &alice), of("acme", &bob));
    assert_eq!(hers[0].calls, Some(Rate::per_minute(number(2))));
    assert_ne!(hers[0].key, his[0].key);
    assert_eq!(hers[1].key, his[1].key);
    assert_eq!(hers[1].at_once.as_ref().map(|at_once| at_once.most), Some(number(50)));
    assert_ne!(hers[1].at_once, his[1].at_once, "they take turns");
    assert_ne!(of("globex", &alice)[0].key, hers[0].key);

    let much = of("initech", &alice)[0].bytes.unwrap();
    assert_eq!((much.amount.get(), much.period), (100 << 30, Duration::from_secs(86_400)));

    let closed = of("globex", &alice);
    let quotas = move |_: &Call| closed.clone();
    let (link, server) = around(&LimitLayer::new(quotas, LimitOptions::default())).await;
    refused(ask(&link, "alice")).await;
    drop(link);
    assert!(server.receive().await.is_none());
}

/// One concurrent call for all; records refusals and waiting bytes.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<(Vec<OverQuota>, usize)>>);

impl Quotas for Told {
    fn quotas(&self, _: &Call) -> QuotaList {
        Arc::from([Quota::new(QuotaKey::new("t"))
            .calls(Rate::per_minute(number(3)))
            .at_once(at_once(1, None))])
    }

    fn refused(&self, _: &Context, by: OverQuota) {
        self.0.lock().unwrap().0.push(by);
    }

    fn waits(&self, _: &Context, bytes: usize) -> Option<Box<dyn Any + Send>> {
        struct Waiting(Told, usize);
        impl Drop for Waiting {
            fn drop(&mut self) {
                self.0.0.lock().unwrap().1 -= self.1;
            }
        }
        self.0.lock().unwrap().1 += bytes;
        Some(Box::new(Waiting(self.clone(), bytes)))
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_told_what_refuses_calls_and_how_much_waits() {
    let told = Told::default();
    let (link, _server) = around(&LimitLayer::new(told.clone(), LimitOptions::default())).await;
    let (bytes, refused) = (|| told.0.lock().unwrap().1, || told.0.lock().unwrap().0.clone());
    let _first = ask(&link, "alice");
    assert_eq!(bytes(), 0);
    let (second, third) = (ask(&link, "alice"), ask(&link, "alice"));
    let both = bytes();
    assert!(both > 0);
    drop(third);
    assert_eq!(bytes() * 2, both);
    self::refused(ask(&link, "alice")).await;
    assert!(matches!(refused()[..], [OverQuota::Calls { .. }]), "{:?}", refused());
    self::refused(second).await;
    assert_eq!((refused()[1], refused().len(), bytes()), (OverQuota::Waited, 2, 0));
}

/// A user's quotas: the tenant's rate, and half of it for the user.
fn of_requests(tenant: &str, user: &str, rate: u32) -> QuotaList {
    let quota = |key: String, rate| {
        Quota::new(QuotaKey::new(key))
            .of_tenant(TenantName::new(tenant).unwrap())
            .calls(Rate::per_second(rate))
    };
    Arc::from([
        quota(format!("user {tenant} {user}"), number(rate / 2)),
        quota(format!("tenant {tenant}"), number(rate)),
    ])
}

/// How many requests pass until one is refused.
fn admitted(bound: &RequestLimiter) -> usize {
    std::iter::from_fn(|| bound.admit().ok()).take(100).count()
}

#[tokio::test(start_paused = true)]
async fn requests_count_for_the_user_and_the_tenant_and_for_no_other() {
    let counts = RequestCounts::new(LimitOptions::default());
    let bound = |tenant: &str, user: &str| counts.bound(of_requests(tenant, user, 8), |_| {});
    let (alice, ann, bob) = (bound("acme", "alice"), bound("acme", "ann"), bound("globex", "bob"));
    // A request refused for the user uses up nothing of the tenant's.
    assert_eq!((admitted(&alice), admitted(&alice), admitted(&ann)), (4, 0, 4));
    assert_eq!(admitted(&bound("acme", "amy")), 0, "the tenant has no more");
    assert_eq!(admitted(&bob), 4);
    let error = alice.admit().unwrap_err();
    assert_eq!((error.outcome(), error.retry_after_seconds()), (Outcome::NotSent, Some(1)));
    assert!(error.to_string().contains("too many requests in this time"), "{error}");
    tokio::time::advance(Duration::from_millis(250)).await;
    assert_eq!((admitted(&alice), admitted(&ann)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn who_asks_anew_for_the_same_bound_counts_on_and_with_those_who_have_it() {
    let counts = RequestCounts::new(LimitOptions::default().keys(8));
    let bound = |user: &str| counts.bound(of_requests("acme", user, 40), |_| {});
    let alice = bound("alice");
    assert_eq!(admitted(&alice), 20);
    assert_eq!(admitted(&bound("alice")), 0);
    // Three quarters of the table are full, and alice keeps her place however long she sends nothing.
    let others: Vec<_> = (0..4).map(|number| bound(&number.to_string())).collect();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let late = bound("late");
    assert_eq!(admitted(&late), 0, "there is no room for its counts");
    assert_eq!((admitted(&alice), admitted(&bound("alice"))), (20, 0));
    drop(others);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(admitted(&late), 20, "there is room again");
}

#[tokio::test(start_paused = true)]
async fn a_bound_of_nothing_lets_no_request_through_and_says_so() {
    let told = std::sync::Arc::new(Mutex::new(Vec::new()));
    let mut quotas = of_requests("acme", "alice", 2);
    Arc::get_mut(&mut quotas).unwrap()[1].is_closed = true;
    let refused = {
        let told = std::sync::Arc::clone(&told);
        move |over| told.lock().unwrap().push(over)
    };
    let bound = RequestCounts::new(LimitOptions::default()).bound(quotas, refused);
    assert_eq!(bound.admit().unwrap_err().retry_after(), Some(limits::LIMIT_CLOSED_RETRY));
    assert_eq!(*told.lock().unwrap(), [OverQuota::Closed]);
}
