//! The quotas that calls count against.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossway_policy::config::QuotaLimits;
use crossway_policy::{Item, Kind, Policy, PolicyConfig, Principal, Proof, Quota, TenantName, UpstreamFacts};
use serde_json::{Value, json};

fn policy(quotas: Value) -> Policy {
    let config = json!({
        "tenants": { "acme": { "groups": ["acme"] }, "globex": { "groups": ["globex"] } },
        "quotas": quotas,
    });
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    let upstreams =
        ["github", "gitlab", "wiki"].map(|name| UpstreamFacts { name: name.to_owned(), trusted: false });
    Policy::compile(&config, &upstreams).unwrap()
}

fn of(policy: &Policy, who: &str, tenant: &str, upstream: &str, tool: Option<&str>) -> Vec<Quota> {
    let who = Principal::new("login", who, Proof::Jwt);
    policy.quotas(&who, &TenantName::new(tenant).unwrap(), upstream, tool)
}

/// The keys and limits of quotas, one per line.
fn lines(quotas: &[Quota]) -> Vec<String> {
    let line = |quota: &Quota| {
        let key = &quota.key;
        let user = key.user.as_ref().map_or("-", |user| user.subject());
        let (upstream, tool) = (key.upstream.as_deref().unwrap_or("-"), key.tool.as_deref().unwrap_or("-"));
        format!("{} {user} {upstream} {tool}: {}", key.tenant, quota.limits)
    };
    quotas.iter().map(line).collect()
}

#[test]
fn a_general_rule_is_for_each_tenant_by_itself() {
    let policy = policy(json!([{ "calls": "100/min" }]));
    let (acme, globex) =
        (of(&policy, "alice", "acme", "wiki", None), of(&policy, "alice", "globex", "wiki", None));
    assert_eq!(lines(&acme), ["acme - - -: calls 100/min"]);
    assert_eq!(lines(&globex), ["globex - - -: calls 100/min"]);
    assert_ne!(acme[0].key, globex[0].key);
    // All of a tenant's users and upstreams count together.
    assert_eq!(acme, of(&policy, "bob", "acme", "github", Some("x")));
}

#[test]
fn a_tenants_rule_stands_in_place_of_the_general_one_about_the_same() {
    let policy = policy(json!([
        { "calls": "100/min", "in_flight": 10 },
        { "upstream": "git*", "calls": "20/min" },
        { "tenant": "acme", "calls": "600/min" },
    ]));
    assert_eq!(
        lines(&of(&policy, "alice", "acme", "github", None)),
        ["acme - - -: calls 600/min", "acme - github -: calls 20/min"],
        "the whole rule is replaced, and no other"
    );
    assert_eq!(
        lines(&of(&policy, "alice", "globex", "github", None)),
        ["globex - - -: calls 100/min, in_flight 10", "globex - github -: calls 20/min"]
    );
}

#[test]
fn each_upstream_and_tool_that_matches_a_pattern_is_counted_on_its_own() {
    let policy = policy(json!([{ "upstream": "git*", "tool": "search_*", "calls": "10/min" }]));
    let quotas = |upstream, tool| of(&policy, "alice", "acme", upstream, tool);
    assert_eq!(lines(&quotas("github", Some("search_code"))), ["acme - github search_code: calls 10/min"]);
    assert_eq!(lines(&quotas("gitlab", Some("search_code"))), ["acme - gitlab search_code: calls 10/min"]);
    assert_ne!(quotas("github", Some("search_a"))[0].key, quotas("github", Some("search_b"))[0].key);
    for (upstream, tool) in [
        ("wiki", Some("search_code")),
        ("github", Some("get")),
        ("github", None),
        ("nowhere", Some("search_code")),
    ] {
        assert_eq!(quotas(upstream, tool), [], "{upstream} {tool:?}");
    }
}

#[test]
fn a_user_has_a_quota_of_its_own_beside_the_tenants_whatever_its_token() {
    let policy = policy(
        json!([{ "tenant": "acme", "calls": "600/min", "per_user": { "calls": "60/min", "in_flight": 5 } }]),
    );
    let quotas = |who| of(&policy, who, "acme", "wiki", None);
    assert_eq!(
        lines(&quotas("alice")),
        ["acme - - -: calls 600/min", "acme alice - -: calls 60/min, in_flight 5"]
    );
    assert_eq!(quotas("alice")[0].key, quotas("bob")[0].key);
    assert_ne!(quotas("alice")[1].key, quotas("bob")[1].key);
    let acme = TenantName::new("acme").unwrap();
    let again =
        Principal::new("login", "alice", Proof::ApiKey).with_email("a@b").with_claim("jti", json!("2"));
    assert_eq!(policy.quotas(&again, &acme, "wiki", None), quotas("alice"));
    let elsewhere = Principal::new("other", "alice", Proof::Jwt);
    assert_ne!(policy.quotas(&elsewhere, &acme, "wiki", None)[1].key, quotas("alice")[1].key);
    assert_eq!(of(&policy, "alice", "globex", "wiki", None), []);
}

#[test]
fn other_limits_are_counted_anew() {
    let key = |calls: &str| {
        let policy = policy(json!([{ "calls": calls }]));
        of(&policy, "alice", "acme", "wiki", None).remove(0).key
    };
    assert_eq!(key("100/min"), key("100/min"));
    assert_ne!(key("100/min"), key("200/min"));
}

#[test]
fn a_call_counts_once_for_what_two_rules_say_alike() {
    let policy = policy(json!([
        { "upstream": "git*", "in_flight": 1 },
        { "upstream": "github", "in_flight": 1 },
        { "tenant": "acme", "tool": "get_*", "per_user": { "calls": "10/min" } },
        { "tenant": "acme", "tool": "*_issue", "per_user": { "calls": "10/min" } },
        { "tenant": "acme", "tool": "get_issue", "per_user": { "calls": "20/min" } },
    ]));
    let quotas = of(&policy, "alice", "acme", "github", Some("get_issue"));
    assert_eq!(
        lines(&quotas),
        [
            "acme alice - get_issue: calls 10/min",
            "acme alice - get_issue: calls 20/min",
            "acme - github -: in_flight 1",
        ]
    );
    assert!(quotas.iter().all(|quota| quota.limits != QuotaLimits::default()));
}

#[test]
fn requests_of_all_kinds_count_for_the_tenant_and_half_as_many_for_the_user() {
    let of = |quotas: Value, tenant: TenantName| {
        let who = if tenant.is_anonymous() {
            Principal::anonymous()
        } else {
            Principal::new("login", "alice", Proof::Jwt)
        };
        lines(&policy(quotas).request_quotas(&who, &tenant))
    };
    let acme = || TenantName::new("acme").unwrap();
    assert_eq!(of(json!([]), acme()), [""; 0]);
    let general = json!({ "requests": "100/s", "calls": "5/min" });
    // Anonymous callers are many who share the tenant's quota.
    assert_eq!(of(json!([general]), TenantName::anonymous()), ["anonymous - - -: requests 100/s"]);
    let own = json!({ "tenant": "acme", "requests": "9/s" });
    let of_wiki = json!({ "tenant": "acme", "upstream": "wiki", "calls": "1/s" });
    assert_eq!(
        of(json!([general, of_wiki]), acme()),
        ["acme - - -: requests 100/s", "acme alice - -: requests 50/s"],
        "a rule about an upstream stands in place of none about all"
    );
    assert_eq!(
        of(json!([general, own]), acme()),
        ["acme - - -: requests 9/s", "acme alice - -: requests 5/s"]
    );
    let user = json!({ "tenant": "acme", "per_user": { "requests": "600/min" } });
    assert_eq!(of(json!([user]), acme()), ["acme alice - -: requests 600/min"]);
}

#[test]
fn what_requests_count_for_is_nothing_that_calls_count_for() {
    let policy = policy(json!([{ "requests": "9/s", "calls": "5/min", "per_user": { "requests": "3/s" } }]));
    assert_eq!(lines(&of(&policy, "alice", "acme", "wiki", None)), ["acme - - -: calls 5/min"]);
    let requests = |who: &str, tenant: &str| {
        policy.request_quotas(&Principal::new("login", who, Proof::Jwt), &TenantName::new(tenant).unwrap())
    };
    assert_eq!(requests("alice", "acme")[0], requests("bob", "acme")[0]);
    assert_ne!(requests("alice", "acme")[1].key, requests("bob", "acme")[1].key);
    assert_ne!(requests("alice", "acme")[0].key, requests("alice", "globex")[0].key);
}

#[test]
fn explain_tells_what_requests_count_for_and_what_follows_from_the_tenants() {
    let policy = policy(json!([{ "tenant": "acme", "requests": "9/s" }]));
    let told = |group: &str| {
        let alice = Principal::new("login", "alice", Proof::Jwt).with_groups([group]);
        policy.explain(&alice, None, &Item::new("wiki", Kind::Tool, "x"), None).to_string()
    };
    let acme = "  quota for tenant acme: requests 9/s\n  quota for tenant acme, each user: requests 5/s, by default\n";
    assert!(told("acme").ends_with(acme), "{}", told("acme"));
    assert!(!told("globex").contains("quota") && !told("nobody").contains("quota"));
}

#[test]
fn explain_does_not_say_that_names_are_denied_where_they_are_counted_alone() {
    let config: PolicyConfig = serde_json::from_value(json!({
        "tenants": { "acme": { "everyone": true } },
        "grants": [{ "tenant": "acme", "upstream": "wiki", "tools": ["*"] }],
        "quotas": [{ "upstream": "wiki", "tool": "search", "calls": "2/min" }],
    }))
    .unwrap();
    let policy =
        Policy::compile(&config, &[UpstreamFacts { name: "wiki".to_owned(), trusted: false }]).unwrap();
    let alice = Principal::new("login", "alice", Proof::Jwt);
    let told = policy.explain(&alice, None, &Item::new("wiki", Kind::Tool, "x"), None).to_string();
    let wanted = "\n  if wiki lists it, for others are denied, counted or disabled by name\n";
    assert!(told.contains(wanted), "{told}");
}

#[test]
fn it_is_told_for_each_tenant_and_upstream_whether_a_quota_counts_tools_there() {
    let policy = policy(json!([
        { "calls": "9/min" },
        { "tenant": "acme", "upstream": "git*", "tool": "search", "calls": "2/min" },
        { "tenant": "globex", "tool": "*", "per_user": { "calls": "2/min" } },
    ]));
    let counts = |tenant: &str, upstream: &str| {
        let who = Principal::new("login", "x", Proof::Jwt);
        policy.rights_unchecked(&who, &TenantName::new(tenant).unwrap()).counts_tools(upstream)
    };
    assert!(counts("acme", "github") && counts("acme", "gitlab") && !counts("acme", "wiki"));
    assert!(counts("globex", "github") && counts("globex", "wiki") && !counts("globex", "nowhere"));
}
