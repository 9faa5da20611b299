//! The credentials that upstreams are sent for callers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossway_policy::config::Holder;
use crossway_policy::{
    Credentials, MissingReason, Place, Policy, PolicyConfig, Principal, Proof, SecretSource, TenantName,
    Unfilled, UpstreamFacts, limits,
};
use serde_json::{Value, json};

fn policy(credentials: Value) -> Policy {
    let config = json!({
        "tenants": { "acme": { "groups": ["acme"] }, "globex": { "groups": ["globex"] } },
        "credentials": credentials,
    });
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    let upstreams = ["wiki", "jira"].map(|name| UpstreamFacts { name: name.to_owned(), trusted: false });
    Policy::compile(&config, &upstreams).unwrap()
}

fn tenant(name: &str) -> TenantName {
    TenantName::new(name).unwrap()
}

fn alice() -> Principal {
    Principal::new("login", "alice", Proof::Jwt).with_email("alice@acme.example")
}

/// A user without an e-mail address.
fn bob() -> Principal {
    Principal::new("login", "bob", Proof::Jwt)
}

fn rules(credentials: &Credentials) -> Vec<usize> {
    credentials.iter().map(crossway_policy::Credential::rule).collect()
}

/// A policy with one rule of each rank for the same place, in this order.
fn ranked(order: [usize; 5]) -> Policy {
    let file = |name: &str| json!({ "file": format!("/run/{name}") });
    let ranks = [
        json!({ "upstream": "wiki", "for": "shared", "bearer": true, "from": file("shared") }),
        json!({ "upstream": "wiki", "for": "tenant", "bearer": true, "from": file("{tenant}") }),
        json!({ "upstream": "wiki", "for": "user", "bearer": true, "from": { "directory": "/run/users" } }),
        json!({ "upstream": "wiki", "for": "tenant", "tenant": "acme", "bearer": true, "from": file("acme") }),
        json!({ "upstream": "wiki", "for": "user", "tenant": "acme", "header": "AUTHORIZATION", "from": { "directory": "/run/acme" } }),
    ];
    policy(order.map(|at| ranks[at].clone()).into_iter().collect())
}

#[test]
fn of_several_rules_about_one_place_the_one_that_says_most_of_whom_it_is_for_is_chosen() {
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]] {
        let policy = ranked(order);
        let chosen = |who: &Principal, of: &str| {
            let credentials = policy.credentials(who, &tenant(of), "wiki").unwrap();
            rules(&credentials).into_iter().map(|at| order[at]).collect::<Vec<_>>()
        };
        assert_eq!(chosen(&alice(), "acme"), [4], "{order:?}");
        assert_eq!(chosen(&alice(), "globex"), [2], "another tenant's rules are not looked at: {order:?}");
    }
    let without_users = |rules: Value| policy(rules).credentials(&bob(), &tenant("acme"), "wiki");
    let shared = json!({ "upstream": "wiki", "for": "shared", "bearer": true, "from": { "file": "/run/a" } });
    let general =
        json!({ "upstream": "wiki", "for": "tenant", "bearer": true, "from": { "file": "/run/{tenant}" } });
    let own = json!({ "upstream": "wiki", "for": "tenant", "tenant": "acme", "bearer": true, "from": { "file": "/run/b" } });
    assert_eq!(rules(&without_users(json!([shared, general])).unwrap()), [1]);
    assert_eq!(rules(&without_users(json!([own, general, shared])).unwrap()), [0]);
}

#[test]
fn which_rule_is_chosen_does_not_depend_on_who_has_a_secret() {
    // Bob has no e-mail address and so no file; a shared credential is still not sent for him.
    let missing = ranked([0, 1, 2, 3, 4]).credentials(&bob(), &tenant("acme"), "wiki").unwrap_err();
    assert_eq!(missing.reason(), MissingReason::Unfilled(Unfilled::Missing));
    assert_eq!(missing.upstream(), "wiki");
    let missing = ranked([0, 1, 2, 3, 4]).credentials(&bob(), &tenant("globex"), "wiki").unwrap_err();
    assert_eq!(missing.reason(), MissingReason::Unfilled(Unfilled::Missing));
}

#[test]
fn what_is_not_required_is_left_out_and_nothing_comes_in_its_place() {
    let policy = policy(json!([
        { "upstream": "wiki", "for": "user", "bearer": true, "required": false, "from": { "directory": "/run/users" } },
        { "upstream": "wiki", "for": "shared", "bearer": true, "from": { "file": "/run/shared" } },
        { "upstream": "wiki", "for": "user", "header": "X-User", "value": "{user.subject}" },
    ]));
    let of = |who: &Principal| policy.credentials(who, &tenant("acme"), "wiki").unwrap();
    let credentials = of(&alice());
    assert_eq!(rules(&credentials), [0, 2]);
    assert!(!credentials[0].is_required() && credentials[1].is_required());
    assert_eq!(rules(&of(&bob())), [2]);
    // When the source has no secret, the error is about this rule, and no other rule is tried.
    let missing = credentials[0].render("").unwrap_err();
    assert_eq!(missing.reason(), MissingReason::NoSecret);
}

#[test]
fn an_upstream_is_sent_what_its_own_rules_say_and_nothing_else() {
    let policy = ranked([0, 1, 2, 3, 4]);
    assert!(policy.credentials(&bob(), &tenant("acme"), "jira").unwrap().is_empty());
    assert!(policy.credentials(&bob(), &tenant("acme"), "nowhere").unwrap().is_empty());
}

#[test]
fn two_users_never_share_what_is_each_users_own() {
    let policy = policy(json!([
        { "upstream": "wiki", "for": "user", "bearer": true, "from": { "named": "vault" } },
        { "upstream": "jira", "for": "tenant", "bearer": true, "from": { "named": "vault" } },
    ]));
    let of = |who: &Principal, of: &str, upstream| policy.credentials(who, &tenant(of), upstream).unwrap();
    let source = |credentials: &Credentials| credentials[0].source().unwrap().clone();
    assert_ne!(of(&alice(), "acme", "wiki"), of(&bob(), "acme", "wiki"));
    assert_ne!(of(&alice(), "acme", "wiki"), of(&alice(), "globex", "wiki"));
    assert_eq!(of(&alice(), "acme", "jira"), of(&bob(), "acme", "jira"));
    assert_ne!(of(&alice(), "acme", "jira"), of(&alice(), "globex", "jira"));
    assert!(matches!(
        source(&of(&alice(), "acme", "wiki")),
        SecretSource::Named { user: Some(user), .. } if user == alice()
    ));
    assert!(matches!(source(&of(&alice(), "acme", "jira")), SecretSource::Named { user: None, .. }));
}

/// The text that is sent with a secret, by a rule for alice's own credential.
fn rendered(mut rule: Value, secret: &str) -> Result<String, MissingReason> {
    rule["upstream"] = "wiki".into();
    rule["for"] = "user".into();
    rule["from"] = json!({ "named": "vault" });
    let credentials = policy(json!([rule])).credentials(&alice(), &tenant("acme"), "wiki").unwrap();
    credentials[0].render(secret).map_err(|missing| missing.reason())
}

#[test]
fn a_secret_is_put_where_its_rule_says() {
    for (rule, secret, text) in [
        (json!({ "bearer": true }), "s3", "Bearer s3"),
        (json!({ "header": "X-Key" }), "s3 \t{tenant}~", "s3 \t{tenant}~"),
        (json!({ "header": "X-Key", "value": "{user.subject}:{secret}@{tenant}" }), "s3", "alice:s3@acme"),
        // RFC 7617, section 2: the secret may have any bytes, as it goes in base64.
        (json!({ "basic": { "user": "{user.email}" } }), "s3:\n", "Basic YWxpY2VAYWNtZS5leGFtcGxlOnMzOgo="),
        (json!({ "query": "key" }), "s3 &=%\u{e9}", "s3 &=%\u{e9}"),
        (json!({ "env": "KEY" }), "-----BEGIN\nKEY-----\n", "-----BEGIN\nKEY-----\n"),
    ] {
        assert_eq!(rendered(rule.clone(), secret).as_deref(), Ok(text), "{rule}");
    }
    let credentials = policy(
        json!([{ "upstream": "wiki", "for": "user", "header": "X-User-Email", "value": "{user.email}" }]),
    );
    let credentials = credentials.credentials(&alice(), &tenant("acme"), "wiki").unwrap();
    assert_eq!(credentials[0].place(), &Place::Header("x-user-email".into()));
    assert_eq!(
        (credentials[0].source(), credentials[0].render("")),
        (None, Ok("alice@acme.example".to_owned()))
    );
}

#[test]
fn a_secret_that_would_be_more_than_a_value_is_not_sent() {
    let header = json!({ "header": "X-Key" });
    for secret in ["s\r\nX-Admin: 1", "s\n", "s\r", "s\0", "s\u{7f}", "s\u{e9}", " s", "s ", "\ts", "s\t"] {
        assert_eq!(rendered(header.clone(), secret), Err(MissingReason::Unfit), "{secret:?}");
    }
    assert_eq!(rendered(json!({ "bearer": true }), "s\r\nX-Admin: 1"), Err(MissingReason::Unfit));
    assert_eq!(rendered(json!({ "env": "KEY" }), "s\0LD_PRELOAD=x"), Err(MissingReason::Unfit));
    assert_eq!(rendered(json!({ "query": "key" }), "s\r\n"), Err(MissingReason::Unfit));
    for rule in [
        header.clone(),
        json!({ "query": "key" }),
        json!({ "bearer": true }),
        json!({ "basic": { "user": "u" } }),
        json!({ "env": "K" }),
    ] {
        assert_eq!(rendered(rule, ""), Err(MissingReason::NoSecret));
    }
    let long = "x".repeat(limits::VALUE_BYTES);
    assert_eq!(rendered(header.clone(), &long).as_deref(), Ok(&*long));
    assert_eq!(rendered(header, &format!("{long}x")), Err(MissingReason::Unfit));
}

#[test]
fn a_caller_that_would_be_more_than_a_name_is_not_put_into_what_is_sent() {
    let policy = policy(json!([
        { "upstream": "wiki", "for": "user", "header": "X-User", "value": "{user.subject}" },
        { "upstream": "jira", "for": "user", "basic": { "user": "{user.subject}" }, "from": { "named": "vault" } },
    ]));
    let why = |subject: &str, upstream| {
        let who = Principal::new("login", subject, Proof::Jwt);
        policy.credentials(&who, &tenant("acme"), upstream).map_err(|missing| missing.reason())
    };
    let not_safe = MissingReason::Unfilled(Unfilled::Unsafe);
    for subject in ["a\r\nX-Admin: 1", "a, b", "a;b"] {
        assert_eq!(why(subject, "wiki"), Err(not_safe), "{subject:?}");
    }
    assert_eq!(why("admin:x", "jira"), Err(not_safe), "the user name would end at the colon");
    assert!(why("a", "wiki").is_ok() && why("a", "jira").is_ok());
}

#[test]
fn an_instance_is_shared_no_more_widely_than_anything_that_it_may_be_sent() {
    let shared =
        json!({ "upstream": "wiki", "for": "shared", "header": "X-A", "from": { "file": "/run/a" } });
    let tenants =
        json!({ "upstream": "wiki", "for": "tenant", "header": "X-B", "from": { "file": "/run/{tenant}" } });
    let users = json!({ "upstream": "wiki", "for": "user", "tenant": "globex", "header": "X-C", "required": false, "value": "{user.subject}" });
    for (rules, holder) in [
        (json!([]), None),
        (json!([shared]), Some(Holder::Shared)),
        (json!([tenants, shared]), Some(Holder::Tenant)),
        // A rule for one tenant and an optional rule count for all.
        (json!([shared, users, tenants]), Some(Holder::User)),
    ] {
        let policy = policy(rules);
        assert_eq!(policy.narrowest_holder("wiki"), holder);
        assert_eq!((policy.narrowest_holder("jira"), policy.narrowest_holder("nowhere")), (None, None));
    }
}

#[test]
fn nothing_of_a_caller_is_in_what_is_shown_of_a_credential() {
    let credentials = ranked([0, 1, 2, 3, 4]).credentials(&alice(), &tenant("acme"), "wiki").unwrap();
    let shown = format!("{credentials:?} {:?}", credentials[0].missing(MissingReason::NoSecret));
    assert!(!shown.contains("alice") && !shown.contains("/run"), "{shown}");
}
