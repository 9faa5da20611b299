//! Which quotas a call is charged to, and in which order it takes turns.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_user_over_its_own_quota_uses_up_nothing_of_its_tenants() {
    let quotas = |call: &Call| -> QuotaList {
        Arc::from([
            Quota::new(user_of(call)).calls(Rate::per_minute(number(1))),
            Quota::new(QuotaKey::new("tenant")).calls(Rate::per_minute(number(2))),
        ])
    };
    let (link, server) = around(&LimitLayer::new(quotas, LimitOptions::default())).await;
    let _alice = ask(&link, "alice");
    for _ in 0..10 {
        refused(ask(&link, "alice")).await;
    }
    let _bob = ask(&link, "bob");
    answer(&server).await;
    answer(&server).await;
    refused(ask(&link, "carol")).await;
}

/// A tenant's quota and a tool's, the tenant's first.
fn wide_and_narrow(wide: Quota, narrow: Quota) -> LimitLayer {
    let quotas = move |call: &Call| -> QuotaList {
        match call.request().and_then(|request| request.name()).as_deref() {
            Some("count") => Arc::from([wide.clone(), narrow.clone()]),
            _ => Arc::from([wide.clone()]),
        }
    };
    LimitLayer::new(quotas, LimitOptions::default())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_one_quota_refuses_counts_for_none_and_says_the_longest_wait() {
    let quota = |key: &str, most| Quota::new(QuotaKey::new(key)).calls(Rate::per_minute(number(most)));
    let layer = wide_and_narrow(quota("tenant", 6), quota("tool", 2));
    let (link, server) = around(&layer).await;
    let ask = |name: &str| link.call(call_of("alice", 1, "m", &format!(r#"{{"name":"{name}"}}"#)));
    let passes = async |name: &str| {
        let reply = ask(name);
        answer(&server).await;
        response(reply).await.unwrap();
    };
    passes("count").await;
    passes("count").await;
    for _ in 0..20 {
        assert_eq!(refused(ask("count")).await.retry_after_seconds(), Some(30));
    }
    for _ in 0..4 {
        passes("other").await;
    }
    assert_eq!(refused(ask("other")).await.retry_after_seconds(), Some(10));
    assert_eq!(refused(ask("count")).await.retry_after_seconds(), Some(30), "of both, the longest");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gets_no_turn_counts_for_nothing() {
    let quotas = |_: &Call| -> QuotaList {
        let quota = Quota::new(QuotaKey::new("t")).calls(Rate::per_minute(number(2)));
        Arc::from([quota.at_once(at_once(1, None))])
    };
    let (link, _server) = around(&LimitLayer::new(quotas, LimitOptions::default())).await;
    let _first = ask(&link, "alice");
    for _ in 0..3 {
        let began = Instant::now();
        refused(ask(&link, "alice")).await;
        assert_eq!(began.elapsed(), limits::LIMIT_WAIT, "it has waited for its turn");
    }
}

#[test]
fn what_is_given_back_was_never_used() {
    let now = Instant::now().into_std();
    let mut bucket = bucket::Bucket::new(Rate::per_minute(number(2)));
    bucket.charge_one(now);
    bucket.charge_one(now);
    assert_eq!(bucket.check_one(now), Err(Duration::from_secs(30)));
    bucket.give_back_one();
    assert_eq!(bucket.check_one(now), Ok(()));
    // Later it gives no credit.
    let later = now + Duration::from_secs(600);
    bucket.give_back_one();
    bucket.charge_one(later);
    bucket.charge_one(later);
    assert_eq!(bucket.check_one(later), Err(Duration::from_secs(30)));
}

#[test]
fn narrow_quotas_of_a_policy_are_before_wide_ones_whatever_the_order_of_its_rules() {
    use crossway_policy::{Policy, PolicyConfig, TenantName, UpstreamFacts};
    let config = serde_json::json!({
        "tenants": { "acme": { "email_domains": ["a"] } },
        "quotas": [
            { "in_flight": 5, "per_user": { "in_flight": 4 } },
            { "upstream": "u", "in_flight": 3 },
            { "tool": "count", "in_flight": 2, "per_user": { "in_flight": 1 } },
        ],
    });
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    let policy = Policy::compile(&config, &[UpstreamFacts { name: "u".into(), trusted: false }]).unwrap();
    let call = call_of("alice", 1, "m", "{}");
    let who = call.context.extensions.get::<Principal>().unwrap();
    let quotas = policy.quotas(who, &TenantName::new("acme").unwrap(), "u", Some("count"));
    let most = |quota: &Quota| quota.at_once.as_ref().map(|at_once| at_once.most.get());
    let all: Vec<_> = Quota::all_of_policy(&quotas, who).iter().filter_map(most).collect();
    assert_eq!(all, [1, 4, 2, 3, 5], "a user's before the tenant's, a tool's before an upstream's");
}

#[tokio::test(start_paused = true)]
async fn a_debt_is_kept_until_it_is_paid() {
    let quotas = |call: &Call| -> QuotaList {
        Arc::from([Quota::new(user_of(call)).bytes(Rate::per_second(number(1)))])
    };
    let (link, server) = around(&LimitLayer::new(quotas, LimitOptions::default().keys(1))).await;
    let reply = ask(&link, "alice");
    let id = server.expect("m").await;
    server.answer(&id, &format!("\"{}\"", "x".repeat(7200)));
    response(reply).await.unwrap();
    tokio::time::advance(Duration::from_secs(5400)).await;
    // A newcomer gets no place, and alice's debt is kept.
    refused(ask(&link, "bob")).await;
    let error = refused(ask(&link, "alice")).await;
    assert!(error.retry_after_seconds().is_some_and(|seconds| seconds > 1700), "{error:?}");
}
