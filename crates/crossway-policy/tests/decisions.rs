//! Who may see and call what.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossway_policy::{
    DenyReason, Hints, Item, Kind, Policy, PolicyConfig, Principal, Problem, Proof, TenantDenied, TenantName,
    UpstreamFacts,
};
use serde_json::{Value, json};

fn upstreams() -> Vec<UpstreamFacts> {
    let upstream = |name: &str, trusted| UpstreamFacts { name: name.to_owned(), trusted };
    vec![upstream("github", false), upstream("wiki", true), upstream("jira", false)]
}

fn policy(config: Value) -> Policy {
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    Policy::compile(&config, &upstreams()).unwrap()
}

fn example() -> Policy {
    policy(json!({
        "tenants": {
            "acme": { "groups": ["acme"], "email_domains": ["Acme.Example"] },
            "globex": { "claims": { "org": "globex" } },
        },
        "endpoints": { "/acme": "acme", "/globex": "globex" },
        "grants": [
            { "tenant": "acme", "upstream": "github", "tools": ["get_*", "list_*", "delete_repo"] },
            { "tenant": "acme", "group": "admins", "upstream": "*", "tools": ["*"] },
            { "tenant": "acme", "upstream": "github", "tools": ["delete_*"], "effect": "deny", "name": "no deletes" },
            { "user": "bob@Acme.example", "upstream": "wiki", "prompts": ["*"], "resources": ["wiki://**"] },
            { "tenant": "globex", "upstream": "*", "tools": ["*"], "read_only": true },
            { "user": "anonymous", "upstream": "wiki", "tools": ["search"] },
        ],
    }))
}

fn alice() -> Principal {
    Principal::new("login", "alice", Proof::Jwt).with_email("alice@acme.example")
}

fn tenant(name: &str) -> TenantName {
    TenantName::new(name).unwrap()
}

#[test]
fn nothing_is_granted_that_no_grant_names() {
    let policy = example();
    let rights = policy.rights_unchecked(&alice(), &tenant("acme"));
    let tool = |name| Item::new("github", Kind::Tool, name);
    let permit = rights.decide(&tool("get_issue"), None).unwrap();
    assert!(permit.is_for("github", Kind::Tool, "get_issue"));
    assert!(
        !permit.is_for("github", Kind::Prompt, "get_issue")
            && !permit.is_for("wiki", Kind::Tool, "get_issue")
    );
    assert_eq!(permit.rule().to_string(), "grants[0]");
    assert_eq!(permit.principal(), &alice());
    for (item, reason) in [
        (tool("put_issue"), DenyReason::NoGrant),
        (tool("Get_issue"), DenyReason::NoGrant),
        (Item::new("github", Kind::Prompt, "get_issue"), DenyReason::NoGrant),
        (Item::new("wiki", Kind::Tool, "get_issue"), DenyReason::NoGrant),
        (Item::new("nowhere", Kind::Tool, "get_issue"), DenyReason::NoUpstream),
    ] {
        let denied = rights.decide(&item, None).unwrap_err();
        assert_eq!(denied.reason(), &reason);
        assert_eq!(denied.to_string(), "there is no such thing, or it is not granted");
        assert!(!rights.lists(&item));
    }
    let long = format!("get_{}", "x".repeat(9000));
    assert_eq!(rights.decide(&tool(&long), None).unwrap_err().reason(), &DenyReason::NameTooLong);
}

#[test]
fn what_is_denied_once_is_denied() {
    let policy = example();
    for principal in [alice(), alice().with_groups(["admins"])] {
        let rights = policy.rights_unchecked(&principal, &tenant("acme"));
        let denied = rights.decide(&Item::new("github", Kind::Tool, "delete_repo"), None).unwrap_err();
        assert_eq!(denied.reason().to_string(), "grants[2] (no deletes) denies it");
    }
    let admin = policy.rights_unchecked(&alice().with_groups(["admins"]), &tenant("acme"));
    assert!(admin.decide(&Item::new("wiki", Kind::Tool, "delete_page"), None).is_ok());
}

#[test]
fn a_grant_to_a_user_is_to_that_user_alone() {
    let policy = example();
    let page = Item::new("wiki", Kind::Resource, "wiki://a/b");
    let bob = Principal::new("login", "b", Proof::Jwt);
    let lists = |principal: &Principal| policy.rights_unchecked(principal, &tenant("acme")).lists(&page);
    assert!(lists(&bob.clone().with_email("bob@ACME.example")));
    assert!(!lists(&bob.clone().with_email("Bob@acme.example")));
    assert!(!lists(&alice()));
    // A subject never counts as an e-mail address.
    assert!(!lists(&Principal::new("login", "bob@acme.example", Proof::Jwt)));
}

#[test]
fn who_is_denied_something_by_an_address_is_denied_it_whatever_the_address_s_case() {
    let policy = policy(json!({
        "tenants": { "acme": { "email_domains": ["acme.example"] } },
        "grants": [
            { "tenant": "acme", "upstream": "*", "tools": ["*"] },
            { "user": "Alice@acme.example", "upstream": "github", "tools": ["*"], "effect": "deny" },
            { "user": "Alice@acme.example", "upstream": "*", "prompts": ["*"] },
        ],
    }));
    for (email, is_denied, has_prompts) in [
        ("Alice@acme.example", true, true),
        ("alice@acme.example", true, false),
        ("ALICE@Acme.example", true, false),
        ("alic\u{e9}@acme.example", false, false),
        ("ann@acme.example", false, false),
    ] {
        let caller = Principal::new("login", "x", Proof::Jwt).with_email(email);
        let rights = policy.rights_at(&caller, None).unwrap();
        let tool = Item::new("github", Kind::Tool, "t");
        assert_eq!(
            (rights.lists(&tool), rights.decide(&tool, None).is_ok()),
            (!is_denied, !is_denied),
            "{email}"
        );
        assert_eq!(policy.explain(&caller, None, &tool, None).permitted, !is_denied, "{email}");
        assert!(rights.lists(&Item::new("wiki", Kind::Tool, "t")), "{email}");
        // What is allowed is allowed for the address as it is written.
        assert_eq!(rights.lists(&Item::new("wiki", Kind::Prompt, "p")), has_prompts, "{email}");
    }
}

#[test]
fn a_uri_that_may_be_read_as_another_is_granted_by_no_wildcard() {
    let policy = example();
    let bob = Principal::new("login", "b", Proof::Jwt).with_email("bob@acme.example");
    let rights = policy.rights_unchecked(&bob, &tenant("acme"));
    let page = |uri| Item::new("wiki", Kind::Resource, uri);
    assert!(rights.decide(&page("wiki://public/a"), None).is_ok());
    for uri in ["wiki://public/../secret", "wiki://public/%2e%2e/secret", "wiki://%70ublic/a"] {
        assert_eq!(rights.decide(&page(uri), None).unwrap_err().reason(), &DenyReason::AmbiguousUri);
        assert!(!rights.lists(&page(uri)));
    }
    assert!(rights.lists(&Item::new("wiki", Kind::Template, "wiki://{page}")));
}

#[test]
fn only_a_trusted_upstream_says_what_is_read_only() {
    let policy = example();
    let globex = Principal::new("login", "g", Proof::Jwt).with_claim("org", "globex".into());
    let rights = policy.rights_unchecked(&globex, &tenant("globex"));
    let read_only = |upstream, read_only| {
        rights.lists(&Item::new(upstream, Kind::Tool, "x").with_hints(Hints { read_only }))
    };
    assert!(read_only("wiki", Some(true)));
    assert!(!read_only("wiki", Some(false)) && !read_only("wiki", None));
    assert!(!read_only("github", Some(true)));
}

#[test]
fn who_proves_nothing_sees_what_is_granted_to_anonymous_and_calls_nothing() {
    let policy = example();
    let nobody = Principal::anonymous();
    let tenant = policy.tenant_of(&nobody, Some("/acme")).unwrap();
    assert!(tenant.is_anonymous());
    let rights = policy.rights_unchecked(&nobody, &tenant);
    let search = Item::new("wiki", Kind::Tool, "search");
    assert!(rights.lists(&search));
    assert_eq!(rights.decide(&search, None).unwrap_err().reason(), &DenyReason::Anonymous);
    // The subject alone does not make a caller anonymous.
    let named = Principal::new("login", "anonymous", Proof::Jwt);
    assert!(!policy.rights_unchecked(&named, &tenant).lists(&search));
}

#[test]
fn a_caller_belongs_to_the_one_tenant_whose_rule_matches() {
    let policy = example();
    let of = |principal: &Principal, endpoint| policy.tenant_of(principal, endpoint);
    let plain = Principal::new("login", "x", Proof::Jwt);
    let both = alice().with_claim("org", json!(["initech", "globex"]));
    assert_eq!(of(&alice(), None), Ok(tenant("acme")));
    assert_eq!(of(&alice(), Some("/mcp")), Ok(tenant("acme")));
    assert_eq!(of(&plain.clone().with_groups(["acme"]), None), Ok(tenant("acme")));
    assert_eq!(of(&plain.clone().with_email("x@sub.acme.example"), None), Err(TenantDenied::None));
    assert_eq!(of(&plain.clone().with_email("x@evil.example@ACME.example"), None), Ok(tenant("acme")));
    assert_eq!(of(&plain.clone().with_claim("org", json!({ "globex": 1 })), None), Err(TenantDenied::None));
    assert_eq!(of(&both, None), Err(TenantDenied::Several(vec![tenant("acme"), tenant("globex")])));
    assert_eq!(of(&both, Some("/globex")), Ok(tenant("globex")));
    assert_eq!(of(&alice(), Some("/globex")), Err(TenantDenied::NotOfEndpoint(tenant("globex"))));
}

#[test]
fn who_belongs_to_no_tenant_is_told_no_tenants_name() {
    let policy = example();
    let both = alice().with_claim("org", json!("globex"));
    let nobody = Principal::new("login", "x", Proof::Jwt);
    for (denied, reason) in [
        (policy.tenant_of(&nobody, None), "no tenant's rule matches"),
        (
            policy.tenant_of(&both, None),
            "several tenants' rules match (acme, globex), and the endpoint chooses none",
        ),
        (
            policy.tenant_of(&alice(), Some("/globex")),
            "the endpoint is of tenant globex, and its rule does not match",
        ),
    ] {
        let denied = denied.unwrap_err();
        assert_eq!(denied.to_string(), "the caller belongs to no tenant here");
        assert_eq!(denied.reason().to_string(), reason);
    }
}

#[test]
fn rights_are_those_of_a_tenant_to_which_the_caller_belongs() {
    let policy = example();
    assert_eq!(policy.rights_at(&alice(), None).unwrap().tenant(), &tenant("acme"));
    assert_eq!(
        policy.rights_at(&alice(), Some("/globex")).unwrap_err(),
        TenantDenied::NotOfEndpoint(tenant("globex"))
    );
    let both = alice().with_claim("org", json!("globex"));
    for (caller, of) in [(&alice(), [true, false]), (&both, [true, true])] {
        assert_eq!([tenant("acme"), tenant("globex")].map(|tenant| policy.is_of(caller, &tenant)), of);
        assert!(!policy.is_of(caller, &TenantName::anonymous()));
    }
    let nobody = Principal::anonymous();
    assert!(policy.is_of(&nobody, &TenantName::anonymous()) && !policy.is_of(&nobody, &tenant("acme")));
}

#[test]
fn a_denied_name_in_other_letters_is_told_of() {
    let grants = json!([
        { "everyone": true, "upstream": "wiki", "tools": ["*"], "prompts": ["*"], "resources": ["**"] },
        { "everyone": true, "upstream": "wiki", "tools": ["delete_all", "Drop_*", "[a-c]x"], "effect": "deny" },
        { "everyone": true, "upstream": "wiki", "resources": ["wiki://secret"], "effect": "deny" },
    ]);
    let policy = policy(json!({ "tenants": { "acme": { "groups": ["acme"] } }, "grants": grants }));
    let rights = policy.rights_at(&alice().with_groups(["acme"]), None).unwrap();
    let of = |kind, name| rights.denies_alike(&Item::new("wiki", kind, name));
    for name in ["Delete_All", "DELETE_ALL", "drop_it", "DROP_it", "Bx"] {
        assert!(of(Kind::Tool, name), "{name}");
    }
    // Neither a name that is denied as written, nor one that no denial matches.
    for name in ["delete_all", "Drop_it", "delete_all_", "get"] {
        assert!(!of(Kind::Tool, name), "{name}");
    }
    assert!(!of(Kind::Prompt, "Delete_All") && !of(Kind::Resource, "wiki://Secret"));
}

#[test]
fn an_explanation_says_what_the_decision_says() {
    let policy = example();
    let item = Item::new("github", Kind::Tool, "delete_repo");
    let explanation = policy.explain(&alice(), None, &item, None);
    assert!(!explanation.permitted && !explanation.listed);
    let text = explanation.to_string();
    for line in [
        "tool delete_repo of github: denied, not listed",
        "because grants[2] (no deletes) denies it",
        "tenant acme",
        "grants[0] (allow): applies",
        "grants[1] (allow): about other callers",
        "grants[2] (no deletes) (deny): applies",
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["rules"][1]["verdict"], "other-caller");
}

#[test]
fn items_are_looked_at_only_if_a_grant_is_for_tools_that_read() {
    assert!(example().looks_at_hints());
    let grants = json!([{ "everyone": true, "upstream": "wiki", "tools": ["*"] }]);
    assert!(!policy(json!({ "grants": grants })).looks_at_hints());
}

#[test]
fn what_is_denied_by_name_is_told_of_for_the_upstream_and_kind_alone() {
    let grants = json!([
        { "everyone": true, "upstream": "*", "tools": ["*"], "prompts": ["*"] },
        { "tenant": "acme", "upstream": "wiki", "tools": ["delete_*"], "effect": "deny" },
    ]);
    let tenants = json!({ "acme": { "groups": ["acme"] }, "globex": { "groups": ["globex"] } });
    let policy = policy(json!({ "tenants": tenants, "grants": grants }));
    let of = |group: &str| {
        let caller = Principal::new("issuer", "somebody", Proof::Jwt).with_groups([group]);
        policy.rights_unchecked(&caller, &policy.tenant_of(&caller, None).unwrap())
    };
    let (acme, globex) = (of("acme"), of("globex"));
    assert!(acme.denies_some("wiki", Kind::Tool));
    assert!(!acme.denies_some("wiki", Kind::Prompt) && !acme.denies_some("github", Kind::Tool));
    assert!(!globex.denies_some("wiki", Kind::Tool), "what denies one tenant says nothing of another");
    assert!(acme.looks_at_items() && !globex.looks_at_items());
}

#[test]
fn what_is_said_to_be_everybodys_can_not_be_one_tenants() {
    let config: PolicyConfig = serde_json::from_value(json!({
        "tenants": { "acme": { "groups": ["acme"] } },
        "credentials": [
            { "upstream": "wiki", "for": "shared", "tenant": "acme", "bearer": true, "from": { "file": "/run/secret" } },
        ],
    }))
    .unwrap();
    let findings = Policy::compile(&config, &upstreams()).unwrap_err();
    assert!(findings.iter().any(|finding| finding.what == Problem::DependsOnTenant), "{findings:?}");
}

#[cfg(feature = "cel")]
#[test]
fn a_policy_is_the_same_whatever_policy_was_before_it() {
    let grants = |tools: &str, when: &str| {
        json!({
            "tenants": { "acme": { "everyone": true } },
            "grants": [{ "tenant": "acme", "upstream": "github", "tools": [tools], "when": when }],
        })
    };
    let compiled = |config: Value, before: Option<&Policy>| {
        let config: PolicyConfig = serde_json::from_value(config).unwrap();
        Policy::compile_after(&config, &upstreams(), before)
    };
    let first = compiled(grants("get_?", "user.subject == 'alice'"), None).unwrap();
    for (tools, when) in
        [("get_?", "user.subject == 'alice'"), ("get_?", "user.subject == 'bob'"), ("{get_a,b}", "true")]
    {
        let (alone, after) =
            (policy(grants(tools, when)), compiled(grants(tools, when), Some(&first)).unwrap());
        for name in ["get_a", "get_ab", "b"] {
            let item = Item::new("github", Kind::Tool, name);
            let [alone, after] = [&alone, &after].map(|policy| {
                let rights = policy.rights_at(&alice(), None).unwrap();
                (rights.lists(&item), rights.decide(&item, None).is_ok(), rights.view().clone())
            });
            assert_eq!(alone, after, "{tools} {when} {name}");
        }
    }
    let findings = compiled(grants("get_?", "user.subject =="), Some(&first)).unwrap_err();
    assert!(
        matches!(findings[..], [crossway_policy::Finding { what: Problem::Condition(_), .. }]),
        "{findings:?}"
    );
}

#[test]
fn patterns_that_are_shown_alike_and_match_otherwise_are_another_view() {
    let view = |resources: Value| {
        let policy = policy(json!({
            "tenants": { "acme": { "everyone": true } },
            "grants": [{ "tenant": "acme", "upstream": "wiki", "resources": resources }],
        }));
        policy.rights_at(&alice(), None).unwrap().view().clone()
    };
    assert_ne!(view(json!(["wiki://**"])), view(json!(["wiki://*"])));
    assert_ne!(view(json!(["wiki://a", "b"])), view(json!(["wiki://a\", \"b"])));
    assert_eq!(view(json!(["b", "a?", "wiki://**"])), view(json!(["wiki://**", "a?", "b"])));
}
