//! The findings of reading a policy.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossway_policy::{Policy, PolicyConfig, Severity, UpstreamFacts};
use serde_json::{Value, json};

/// The findings, one per line; errors begin with `!`.
fn found(config: Value) -> Vec<String> {
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    let upstream = |name: &str, trusted| UpstreamFacts { name: name.to_owned(), trusted };
    let upstreams = [upstream("github", false), upstream("wiki", true)];
    let findings = match Policy::compile(&config, &upstreams) {
        Ok(policy) => policy.findings().to_vec(),
        Err(findings) => findings.to_vec(),
    };
    let mark = |severity| if severity == Severity::Error { "!" } else { "" };
    findings.iter().map(|finding| format!("{}{finding}", mark(finding.severity))).collect()
}

fn grants(grants: Value) -> Vec<String> {
    found(json!({ "tenants": { "acme": { "groups": ["acme"] } }, "grants": grants }))
}

#[test]
fn grants_that_can_not_be_meant_are_found() {
    let tools = json!(["*"]);
    for (list, lines) in [
        (
            json!([{ "tenant": "acme", "upstream": "githup", "tools": tools }]),
            vec!["!grants[0].upstream: there is no upstream \"githup\"; is \"github\" meant?"],
        ),
        (
            json!([{ "tenant": "acne", "upstream": "wiki", "tools": tools }]),
            vec!["!grants[0].tenant: there is no tenant \"acne\"; is \"acme\" meant?"],
        ),
        (
            json!([{ "upstream": "wiki", "tools": tools }]),
            vec![
                "!grants[0]: it names no tenant, group, role or user; say `everyone: true` if all are meant",
            ],
        ),
        (
            json!([{ "tenant": "acme", "upstream": "wiki" }]),
            vec!["!grants[0]: it names no tools, prompts or resources"],
        ),
        (
            json!([{ "tenant": "acme", "upstream": "github", "tools": tools, "read_only": true }]),
            vec![
                "!grants[0].read_only: `read_only` takes the upstream's word for it, and it is not `trusted`",
            ],
        ),
        (
            json!([{ "tenant": "acme", "upstream": "wiki", "tools": ["a", "[b"] }]),
            vec![
                "!grants[0].tools[1]: the pattern is no pattern: a [ or { without its end, or a range that ends before it begins",
            ],
        ),
        (
            json!([{ "tenant": "acme", "upstream": "x*", "tools": tools }]),
            vec!["grants[0].upstream: no upstream matches"],
        ),
        (
            json!([
                { "tenant": "acme", "upstream": "*", "tools": ["get_*"] },
                { "tenant": "acme", "group": "admins", "upstream": "wiki", "tools": ["get_x", "get_a*"] },
            ]),
            vec!["grants[1]: grants[0] decides all that it is about"],
        ),
        (
            json!([
                { "tenant": "acme", "upstream": "wiki", "tools": ["get_x"] },
                { "everyone": true, "upstream": "*", "tools": tools, "effect": "deny", "name": "off" },
            ]),
            vec!["grants[0]: grants[1] (off) decides all that it is about"],
        ),
        (
            json!([
                { "tenant": "acme", "upstream": "wiki", "tools": ["get_*"] },
                { "tenant": "acme", "upstream": "wiki", "tools": ["delete_*"], "effect": "deny" },
            ]),
            vec!["grants[1]: it denies nothing that another grant allows"],
        ),
        (
            json!([
                { "tenant": "acme", "upstream": "wiki", "tools": ["x"] },
                { "tenant": "acme", "upstream": "wiki", "tools": ["x"] },
            ]),
            vec!["grants[1]: grants[0] decides all that it is about"],
        ),
        (
            json!([
                { "tenant": "acme", "upstream": "wiki", "tools": ["x"], "name": "n" },
                { "tenant": "acme", "user": "anonymous", "upstream": "wiki", "tools": ["y"], "name": "n" },
            ]),
            vec![
                "grants[1].name: grants[0] has the same name",
                "grants[1]: it is about nobody: who proves nothing has no tenant, group, role or issuer",
            ],
        ),
        (
            json!([
                { "tenant": "acme", "upstream": "wiki", "tools": ["get_*", "put"], "name": "fine" },
                { "tenant": "acme", "group": "dev", "upstream": "wiki", "tools": ["*"] },
                { "tenant": "acme", "upstream": "*", "tools": ["*_secret"], "effect": "deny" },
            ]),
            vec![],
        ),
    ] {
        let found: Vec<String> =
            grants(list.clone()).into_iter().filter(|line| !line.contains("nothing is granted")).collect();
        assert_eq!(found, lines, "{list}");
    }
}

#[test]
fn tenants_and_endpoints_that_can_not_be_meant_are_found() {
    let grant = json!([{ "tenant": "acme", "upstream": "wiki", "tools": ["*"] }]);
    let lines = found(json!({
        "tenants": { "Acme": { "groups": ["a"] }, "acme": { "groups": ["a"] }, "nobody": {} },
        "grants": grant,
    }));
    assert_eq!(
        lines,
        [
            "tenants.Acme: nothing is granted to it",
            "tenants.acme: its name differs from \"Acme\" in capital letters alone",
            "tenants.acme.groups: tenant Acme has the same callers: such callers need an endpoint that says which is meant",
            "tenants.nobody: nobody can belong to it: it names no groups, domains, claims or users who prove who they are, nor everyone",
            "tenants.nobody: nothing is granted to it",
        ]
    );
    let lines = found(json!({
        "tenants": { "acme": { "groups": ["a"] }, "anonymous": { "everyone": true } },
        "endpoints": { "/x": "amce" },
        "grants": grant,
    }));
    assert_eq!(
        lines,
        [
            "!tenants.anonymous: `anonymous` is the tenant of those who prove nothing, and can't be configured",
            "!endpoints./x: there is no tenant \"amce\"; is \"acme\" meant?",
        ]
    );
}

#[test]
fn tenants_of_which_nobody_can_be_one_are_found() {
    let of = |tenants: Value, endpoints: Value| {
        let grants = json!([{ "everyone": true, "upstream": "wiki", "tools": ["*"] }]);
        found(json!({ "tenants": tenants, "endpoints": endpoints, "grants": grants }))
    };
    let same = |tenant: &str, key: &str, other: &str| {
        vec![format!(
            "tenants.{tenant}.{key}: tenant {other} has the same callers: such callers need an endpoint that says which is meant"
        )]
    };
    let acme_and_all = json!({ "acme": { "groups": ["acme"] }, "all": { "everyone": true } });
    assert_eq!(of(acme_and_all.clone(), json!({})), same("all", "everyone", "acme"));
    assert_eq!(of(acme_and_all.clone(), json!({ "/all": "all" })), same("all", "everyone", "acme"));
    assert_eq!(of(acme_and_all, json!({ "/acme": "acme" })), [""; 0]);
    let of_issuers = |one: &str, other: &str| json!({ "acme": { "groups": ["acme"], "issuers": [one] }, "all": { "everyone": true, "issuers": [other] } });
    assert_eq!(of(of_issuers("a", "b"), json!({})), [""; 0]);
    assert_eq!(of(of_issuers("a", "a"), json!({})), same("all", "everyone", "acme"));
    let claims = json!({ "a": { "claims": { "org": "x", "unit": "y" } }, "b": { "claims": { "unit": "y", "org": "x" } } });
    assert_eq!(of(claims, json!({})), same("b", "claims", "a"));
    let nobody = "tenants.none: nobody can belong to it: it names no groups, domains, claims or users who prove who they are, nor everyone";
    assert_eq!(of(json!({ "none": { "users": ["anonymous"] } }), json!({})), [nobody]);
    assert_eq!(of(json!({ "some": { "users": ["anonymous", "alice"] } }), json!({})), [""; 0]);
}

#[test]
fn credentials_that_can_not_be_meant_are_found() {
    let one = |credential: Value| {
        let lines = found(json!({
            "tenants": { "acme": { "groups": ["a"] } },
            "grants": [{ "tenant": "acme", "upstream": "github", "tools": ["*"] }],
            "credentials": [credential],
        }));
        lines.join("\n")
    };
    let directory = json!({ "directory": "/run/secrets" });
    for (credential, line) in [
        (json!({ "upstream": "github", "for": "user", "bearer": true, "from": directory }), ""),
        (
            json!({ "upstream": "wiki", "for": "user", "bearer": true, "from": directory }),
            "credentials[0]: nothing uses it: nobody is granted anything of its upstream",
        ),
        (
            json!({ "upstream": "github", "for": "shared", "bearer": true, "from": directory }),
            "!credentials[0].for: it depends on the user, so that it is the user's own: `for: user`",
        ),
        (
            json!({ "upstream": "github", "for": "shared", "bearer": true, "from": { "file": "/run/{tenant}" } }),
            "!credentials[0].for: it depends on the tenant, so that it is the tenant's: `for: tenant`",
        ),
        (
            json!({ "upstream": "github", "for": "user", "bearer": true, "from": { "env": "TOKEN" } }),
            "credentials[0].for: it is said to be each user's own, and is the same for all; is `for: tenant` or `for: shared` meant?",
        ),
        (
            json!({ "upstream": "github", "for": "user", "from": directory }),
            "!credentials[0]: one of `header`, `bearer`, `basic`, `query` and `env` says where it goes",
        ),
        (
            json!({ "upstream": "github", "for": "user", "header": "Host", "from": directory }),
            "!credentials[0].header: no credential can be sent in this header",
        ),
        (
            json!({ "upstream": "github", "for": "user", "query": "", "from": directory }),
            "!credentials[0].query: no member of a query is called so: its name is empty, or has control characters",
        ),
        (
            json!({ "upstream": "github", "for": "user", "env": "LD_PRELOAD", "from": directory }),
            "!credentials[0].env: no credential can be passed in this variable: it is no name of one, or says what is run",
        ),
        (
            json!({ "upstream": "github", "for": "user", "header": "X-User", "value": "{user.mail}" }),
            "!credentials[0].value: the template has {user.mail}, which does not stand for anything here",
        ),
        (
            json!({ "upstream": "github", "for": "user", "bearer": true,
            "from": { "broker": { "url": "https://{tenant}.example/", "field": "token" } } }),
            "!credentials[0].from.broker.url: a broker's URL begins with http:// or https:// and a host without places and user names, and a /",
        ),
    ] {
        assert_eq!(one(credential.clone()), line, "{credential}");
    }
}

#[test]
fn quotas_that_can_not_be_meant_are_found() {
    let of = |quotas: Value| found(json!({ "quotas": quotas }));
    for (quotas, lines) in [
        (json!([{ "calls": "1/min" }, { "upstream": "wiki", "calls": "1/min" }]), vec![]),
        (
            json!([{ "upstream": "wiki", "tool": "x" }]),
            vec![
                "!quotas[0]: it limits nothing: say `requests`, `calls`, `in_flight`, `bytes` or `children`",
            ],
        ),
        (
            json!([{ "upstream": "wiki", "calls": "1/min" }, { "upstream": "wiki", "bytes": "1MiB/min" }]),
            vec!["!quotas[1]: another quota is about the same tenant, upstream and tool"],
        ),
        (json!([{ "requests": "50/s", "per_user": { "requests": "5/s" } }]), vec![]),
        (
            json!([
                { "upstream": "wiki", "requests": "50/s" },
                { "tool": "x", "per_user": { "requests": "50/s" } },
            ]),
            vec![
                "!quotas[0].requests: `requests` are counted before it is known what they are about: a rule that has them names no upstream and no tool; `calls` may",
                "!quotas[1].per_user.requests: `requests` are counted before it is known what they are about: a rule that has them names no upstream and no tool; `calls` may",
            ],
        ),
        (json!([{ "requests": "0/s" }]), vec!["quotas[0]: it lets nothing through"]),
        (json!([{ "per_user": { "in_flight": 0 } }]), vec!["quotas[0]: it lets nothing through"]),
        (json!([{ "children": 0 }]), vec!["quotas[0]: it lets nothing through"]),
        (json!([{ "per_user": { "children": 2 } }]), vec![]),
        (
            json!([{ "tool": "x", "children": 2 }]),
            vec!["quotas[0]: `children` of a tool are not counted: a server's tools share its processes"],
        ),
        (
            json!([{ "tenant": "acne", "upstream": "wikis", "calls": "1/min" }]),
            vec![
                "!quotas[0].tenant: there is no tenant \"acne\"",
                "!quotas[0].upstream: there is no upstream \"wikis\"; is \"wiki\" meant?",
            ],
        ),
    ] {
        assert_eq!(of(quotas.clone()), lines, "{quotas}");
    }
}

#[test]
fn what_can_match_nobody_as_it_is_written_is_found() {
    let lines = found(json!({
        "tenants": {
            "acme": { "groups": ["acme", "acme-*"], "users": ["*@acme.example", "alice"], "claims": { "org": "${ORG}" } },
            "globex": {
                "email_domains": ["globex.example", "@globex.example", "*.globex.example", "globex example", ".globex", ""],
                "issuers": ["https://login.example/*"],
            },
        },
        "grants": [
            { "everyone": true, "upstream": "wiki", "tools": ["*"] },
            { "user": "*@acme.example", "upstream": "wiki", "tools": ["a"], "effect": "deny" },
            { "group": "adm?n", "role": "[ab]", "upstream": "wiki", "tools": ["b"], "effect": "deny" },
            { "group": "${GROUP}", "upstream": "wiki", "tools": ["ok", "${PREFIX}_*"], "effect": "deny" },
        ],
    }));
    let domain = |index: usize| {
        format!(
            "tenants.globex.email_domains[{index}]: no e-mail address has this domain; write it as in acme.example"
        )
    };
    let pattern = |path: &str, wildcard: char| {
        format!(
            "{path}: no pattern can stand here: the {wildcard} is taken for a part of the name, which is compared as a whole"
        )
    };
    let variable = |path: &str| {
        format!(
            "{path}: no variable is put in its place here: what tenants and grants mean is the same everywhere"
        )
    };
    assert_eq!(
        lines,
        [
            pattern("tenants.acme.groups[1]", '*'),
            pattern("tenants.acme.users[0]", '*'),
            variable("tenants.acme.claims.org"),
            pattern("tenants.globex.issuers[0]", '*'),
            domain(1),
            domain(2),
            domain(3),
            domain(4),
            domain(5),
            pattern("grants[1].user", '*'),
            pattern("grants[2].group", '?'),
            pattern("grants[2].role", '['),
            variable("grants[3].group"),
            variable("grants[3].tools[1]"),
        ]
    );
}

#[test]
fn what_a_tenants_own_rule_leaves_out_of_the_general_one_is_told() {
    let of = |quotas: Value| {
        found(
            json!({ "tenants": { "globex": { "everyone": true } }, "grants": [{ "everyone": true, "upstream": "*", "tools": ["*"] }], "quotas": quotas }),
        )
    };
    let general = json!({ "requests": "20/s", "calls": "600/min", "in_flight": 10, "children": 20, "per_user": { "calls": "9/min" } });
    let own = json!({ "tenant": "globex", "calls": "1200/min" });
    let told = "it takes the place of quotas[0] for globex, so that `requests`, `in_flight`, `children`, `per_user.calls` of that do not count there";
    assert_eq!(of(json!([general, own])), [format!("quotas[1]: {told}")]);
    assert_eq!(
        of(json!([own, { "calls": "1/min", "bytes": "1KiB/s" }])),
        ["quotas[0]: it takes the place of quotas[1] for globex, so that `bytes` of that do not count there"]
    );
    // What is about another upstream or tool is beside it.
    assert!(of(json!([general, { "tenant": "globex", "upstream": "wiki", "calls": "1200/min" }])).is_empty());
    let all = json!({ "tenant": "globex", "requests": "40/s", "calls": "600/min", "in_flight": 10, "children": 2, "per_user": { "calls": "9/min" } });
    assert!(of(json!([general, all])).is_empty());
}

#[test]
fn a_users_quota_that_the_tenants_own_always_ends_first_is_told() {
    let of = |quotas: Value| found(json!({ "quotas": quotas }));
    let more = |key: &str| {
        format!(
            "quotas[0].per_user.{key}: it is more than the whole tenant may use, so that it limits nobody"
        )
    };
    for (quota, keys) in [
        (json!({ "calls": "60/min", "per_user": { "calls": "61/min" } }), &["calls"][..]),
        (json!({ "calls": "60/min", "per_user": { "calls": "120/s" } }), &["calls"]),
        (
            json!({ "requests": "2/s", "bytes": "1KiB/s", "in_flight": 2, "children": 2,
                "per_user": { "requests": "3/s", "bytes": "1MiB/s", "in_flight": 3, "children": 3 } }),
            &["requests", "in_flight", "bytes", "children"],
        ),
        // More at once, but less in the long run; and the other way round.
        (json!({ "calls": "60/min", "per_user": { "calls": "100/hour" } }), &[]),
        (json!({ "calls": "60/min", "per_user": { "calls": "10/s" } }), &[]),
        (
            json!({ "calls": "60/min", "in_flight": 2, "per_user": { "calls": "60/min", "in_flight": 2, "children": 9 } }),
            &[],
        ),
    ] {
        let wanted: Vec<_> = keys.iter().map(|key| more(key)).collect();
        assert_eq!(of(json!([quota])), wanted, "{quota}");
    }
}

#[test]
fn a_user_whom_no_tenant_takes_is_told() {
    let of = |tenants: Value, grant: Value| {
        let all = json!({ "everyone": true, "upstream": "wiki", "tools": ["*"] });
        let mut grant = grant;
        grant["upstream"] = json!("wiki");
        grant["tools"] = json!(["x"]);
        grant["effect"] = json!("deny");
        found(json!({ "tenants": tenants, "grants": [all, grant] }))
    };
    let tenants = || json!({ "acme": { "email_domains": ["Acme.example"] }, "globex": { "email_domains": ["globex.example"], "users": ["eve@home.example"] } });
    let none = "grants[1].user: no tenant takes this e-mail address in";
    for (user, told) in [
        ("bob@globx.example", vec![format!("{none}; is \"bob@globex.example\" meant?")]),
        ("eve@elsewhere.example", vec![none.to_owned()]),
        ("bob@ACME.example", vec![]),
        ("eve@home.example", vec![]),
        ("Eve@home.example", vec![]),
        ("bob", vec![]),
    ] {
        assert_eq!(of(tenants(), json!({ "user": user })), told, "{user}");
    }
    let of_acme = json!({ "tenant": "acme", "user": "bob@globex.example" });
    assert_eq!(of(tenants(), of_acme), ["grants[1].user: tenant acme does not take this e-mail address in"]);
    // Whoever has a group, a claim or a subject may have any address.
    for other in [
        json!({ "groups": ["x"] }),
        json!({ "claims": { "org": "x" } }),
        json!({ "everyone": true }),
        json!({ "users": ["4711"] }),
    ] {
        let mut tenants = json!({ "acme": { "email_domains": ["acme.example"] } });
        tenants["other"] = other;
        let lines = of(tenants, json!({ "user": "bob@globx.example" }));
        assert!(!lines.iter().any(|line| line.contains("e-mail address")), "{lines:?}");
    }
}
