//! Conditions of grants.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossway_policy::{
    BadCondition, ConditionError, DenyReason, Item, Kind, Policy, PolicyConfig, Principal, Problem, Proof,
    Rights, TenantName, UpstreamFacts, limits,
};
use serde_json::{Value, json};

fn compile(grants: Value) -> Result<Policy, Problem> {
    let config = json!({ "tenants": { "acme": { "everyone": true } }, "grants": grants });
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    let upstream = UpstreamFacts { name: "github".to_owned(), trusted: false };
    Policy::compile(&config, &[upstream]).map_err(|findings| findings[0].what.clone())
}

fn alice() -> Principal {
    Principal::new("login", "alice", Proof::Jwt)
        .with_email("alice@acme.example")
        .with_groups(["dev", "ops"])
        .with_claim("level", json!(3))
}

fn rights(grants: Value) -> Rights {
    compile(grants).unwrap().rights_unchecked(&alice(), &TenantName::new("acme").unwrap())
}

fn grant(when: &str) -> Value {
    json!({ "tenant": "acme", "upstream": "github", "tools": ["*"], "when": when })
}

const TOOL: Item<'_> = Item {
    upstream: "github",
    kind: Kind::Tool,
    name: "get_issue",
    hints: crossway_policy::Hints { read_only: None },
};

/// The decision about a call with one conditional grant.
fn decide(when: &str, arguments: &str) -> Result<(), DenyReason> {
    let rights = rights(json!([grant(when)]));
    rights.decide(&TOOL, Some(arguments)).map(|_| ()).map_err(|denied| denied.reason().clone())
}

fn failure(when: &str, arguments: &str) -> Option<ConditionError> {
    match decide(when, arguments) {
        Err(DenyReason::ConditionFailed(_, why)) => Some(why),
        _ => None,
    }
}

/// The reason of a denial, if any, where one grant allows a call and others deny it under conditions.
fn denied(whens: &[&str], arguments: &str) -> Option<DenyReason> {
    let denials = whens.iter().map(|when| {
        let mut grant = grant(when);
        grant["effect"] = json!("deny");
        grant
    });
    let all = json!({ "tenant": "acme", "upstream": "github", "tools": ["*"] });
    let rights = rights(Value::Array(denials.chain([all]).collect()));
    rights.decide(&TOOL, Some(arguments)).err().map(|denied| denied.reason().clone())
}

#[test]
fn a_name_that_is_compared_as_a_text_is_looked_at_in_all_capital_letters() {
    for when in [
        r#"args.exists(k, k == "force")"#,
        r#"["force", "all"].exists(k, k in args)"#,
        r#"args.exists(k, k in ["force"])"#,
        r#"args[user.subject == "alice" ? "force" : "soft"] == true"#,
    ] {
        for (arguments, is_denied) in [
            (r#"{"force":true,"soft":1}"#, true),
            (r#"{"soft":true}"#, when.starts_with("args[")),
            (r#"{"Force":true}"#, true),
            (r#"{"FORCE":1}"#, true),
        ] {
            let why = denied(&[when], arguments);
            assert_eq!(why.is_some(), is_denied, "{when} {arguments}: {why:?}");
        }
        let why = denied(&[when], r#"{"Force":true,"soft":1}"#);
        assert!(
            matches!(why, Some(DenyReason::ConditionFailed(_, ConditionError::OtherSpelling))),
            "{why:?}"
        );
    }
}

#[test]
fn the_conditions_of_a_call_share_one_bound() {
    // The estimated work counts, though evaluation is immediate.
    let when = r#"false && args.a.exists(x, x == "none of them")"#;
    let arguments = |count: usize| json!({ "a": vec![0; count] }).to_string();
    let is_fine = |count: &usize| denied(&[when], &arguments(*count)).is_none();
    // The most elements that one condition may have, to a factor of two: it takes a quarter of the work or more.
    let most = (0..15).map(|power| 1 << power).take_while(is_fine).last().unwrap();
    let why = denied(&[when; 12], &arguments(most));
    assert!(matches!(why, Some(DenyReason::ConditionFailed(_, ConditionError::TooMuchWork))), "{why:?}");
    assert_eq!(denied(&[when; 12], &arguments(most / 16)), None);
}

#[test]
fn the_conditions_of_a_callers_rights_share_one_bound() {
    let mut denial = grant(r#"false && user.groups.exists(g, g == "none of them")"#);
    denial["effect"] = json!("deny");
    let lists = |groups: usize, denials: usize| {
        let groups: Vec<String> = (0..groups).map(|number| format!("g{number}")).collect();
        let all = json!({ "tenant": "acme", "upstream": "github", "tools": ["*"] });
        let grants = std::iter::repeat_n(denial.clone(), denials).chain([all]).collect();
        let policy = compile(Value::Array(grants)).unwrap();
        let caller = alice().with_groups(groups);
        policy.rights_unchecked(&caller, &TenantName::new("acme").unwrap()).lists(&TOOL)
    };
    assert!(lists(1000, 1) && lists(10, 100));
    // A condition without an answer denies.
    assert!(!lists(1000, 1000));
}

#[test]
fn a_condition_decides_at_the_call() {
    let when = r#"args.owner == "acme""#;
    assert_eq!(decide(when, r#"{"owner":"acme"}"#), Ok(()));
    assert!(matches!(decide(when, r#"{"owner":"evil"}"#), Err(DenyReason::ConditionFalse(_))));
    for (when, arguments) in [
        (r#"args.repo.startsWith("acme/") && size(args.repo) < 20"#, r#"{"repo":"acme/site"}"#),
        (r#"args.labels.all(l, l in ["bug", "docs"])"#, r#"{"labels":["bug","docs"]}"#),
        (r#"args.labels.exists(l, l == "bug")"#, r#"{"labels":["docs","bug"]}"#),
        (r#"!has(args.force) || !args.force"#, r#"{"x":1}"#),
        (r#""dev" in user.groups && args.n <= user.claims.level"#, r#"{"n":3}"#),
        (r#"args.owner + "@" + tenant + ".example" == user.email"#, r#"{"owner":"alice"}"#),
        (r#"type(args.n) == int && args["n"] in [1, 2]"#, r#"{"n":2}"#),
        (r#"args.when.n == 1.0"#, r#"{"when":{"n":1}}"#),
    ] {
        assert_eq!(decide(when, arguments), Ok(()), "{when}");
    }
}

#[test]
fn a_tool_with_a_condition_on_arguments_is_listed() {
    let rights = rights(json!([grant("args.owner == 'acme'")]));
    assert!(rights.lists(&TOOL));
    let denied = rights.decide(&TOOL, None).unwrap_err();
    assert!(matches!(denied.reason(), DenyReason::ConditionFailed(..)), "{}", denied.reason());
}

#[test]
fn a_condition_on_the_caller_alone_decides_lists_too() {
    for (when, listed) in [
        ("'dev' in user.groups", true),
        ("user.claims.level > 3", false),
        ("tenant == 'acme'", true),
        ("user.claims.nothing == 1", false),
        ("user.email", false),
    ] {
        let rights = rights(json!([grant(when)]));
        assert_eq!(rights.lists(&TOOL), listed, "{when}");
        assert_eq!(rights.decide(&TOOL, None).is_ok(), listed, "{when}");
        let plain = self::rights(json!([{ "tenant": "acme", "upstream": "github", "tools": ["*"] }]));
        assert_eq!(rights.view() == plain.view(), listed, "{when}");
    }
}

#[test]
fn no_answer_denies() {
    use ConditionError::{
        ArgumentsTooLong, InexactNumber, NameTwice, NotABool, NotAnObject, NotThere, OtherSpelling, WrongType,
    };
    let owner = "args.owner == 'acme'";
    let long = format!(r#"{{"owner":"{}"}}"#, "a".repeat(limits::ARGUMENT_BYTES));
    for (when, arguments, why) in [
        (owner, "{}", NotThere),
        ("args.list[1] == 1", r#"{"list":[1]}"#, NotThere),
        ("args.owner < 1", r#"{"owner":"acme"}"#, WrongType),
        ("args.n / 0 == 1", r#"{"n":1}"#, WrongType),
        ("4611686018427387904 * args.n > 0", r#"{"n":2}"#, WrongType),
        ("args.owner", r#"{"owner":"acme"}"#, NotABool),
        (owner, r#"["acme"]"#, NotAnObject),
        (owner, r#"{"owner":"acme"}}"#, NotAnObject),
        (owner, r#"{"owner":"acme",}"#, NotAnObject),
        (owner, "", NotAnObject),
        (owner, &format!(r#"{{"owner":"acme","x":{}1{}}}"#, "[".repeat(200), "]".repeat(200)), NotAnObject),
        (owner, r#"{"owner":"acme","owner":"acme"}"#, NameTwice),
        (owner, r#"{"owner":"acme","x":{"a":1,"A":1}}"#, NameTwice),
        (owner, r#"{"owner":"acme","Owner":"evil"}"#, NameTwice),
        (owner, r#"{"owner":"acme","o\u0077ner":"evil"}"#, NameTwice),
        ("!has(args.owner) || args.owner == 'acme'", r#"{"Owner":"evil"}"#, OtherSpelling),
        ("!('secret' in args)", r#"{"\u017fecret":1}"#, OtherSpelling),
        ("!('key' in args)", "{\"\u{212a}ey\":1}", OtherSpelling),
        ("args.id != 9007199254740993", r#"{"id":9007199254740993.0}"#, InexactNumber),
        ("args.id != 1", r#"{"id":123456789012345678901234567890}"#, InexactNumber),
        // A JavaScript server reads it as ..768.
        ("args.id != 1234567890123456768", r#"{"id":1234567890123456769}"#, InexactNumber),
        ("args.id != 1", r#"{"id":-9007199254740992}"#, InexactNumber),
        ("args.id != 1", r#"{"id":18446744073709551615}"#, InexactNumber),
        ("args.id != 1", r#"{"ids":[9007199254740992]}"#, InexactNumber),
        (owner, &long, ArgumentsTooLong),
    ] {
        assert_eq!(failure(when, arguments), Some(why), "{when} of {arguments:.60}");
    }
}

#[test]
fn a_denial_without_an_answer_denies() {
    let deny = |when: &str| {
        json!([
            { "tenant": "acme", "upstream": "github", "tools": ["*"] },
            { "tenant": "acme", "upstream": "github", "tools": ["*"], "when": when, "effect": "deny" },
        ])
    };
    let reason = |when: &str, arguments: &str| {
        let decision = rights(deny(when)).decide(&TOOL, Some(arguments));
        decision.map(|_| ()).map_err(|denied| denied.reason().clone())
    };
    assert_eq!(reason("args.force", r#"{"force":false}"#), Ok(()));
    assert!(matches!(reason("args.force", r#"{"force":true}"#), Err(DenyReason::DeniedBy(_))));
    for arguments in ["{}", "nonsense", r#"{"force":1}"#, r#"{"force":false,"FORCE":true}"#] {
        assert!(matches!(reason("args.force", arguments), Err(DenyReason::ConditionFailed(..))));
    }
    // Conditions on arguments do not affect lists; conditions on the caller do.
    assert!(rights(deny("args.force")).lists(&TOOL));
    assert!(!rights(deny("user.claims.nothing")).lists(&TOOL));
}

#[test]
fn what_is_granted_without_a_condition_does_not_wait_for_one() {
    let grants =
        json!([grant("args.owner == 'acme'"), { "tenant": "acme", "upstream": "github", "tools": ["*"] }]);
    let permit = rights(grants).decide(&TOOL, Some("nonsense")).unwrap();
    assert_eq!(permit.rule().index(), 1);
}

#[test]
fn conditions_that_can_not_be_meant_are_refused_when_they_are_read() {
    let refused = |when: &str| match compile(json!([grant(when)])).unwrap_err() {
        Problem::Condition(bad) => bad,
        other => panic!("{when}: {other}"),
    };
    assert!(matches!(refused("args.owner =="), BadCondition::NoExpression(_)));
    assert_eq!(refused("arg.owner == 1"), BadCondition::NoVariable("arg".to_owned()));
    assert_eq!(refused("args.x.matches('(a+)+$')"), BadCondition::NoFunction("matches".to_owned()));
    assert_eq!(refused("args.l.all(x, args.l.all(y, x == y))"), BadCondition::NestedLoop);
    assert_eq!(refused("args.l.map(x, [x, x]) == []"), BadCondition::GrowingLoop);
    assert_eq!(refused("(args.l + args.l).all(x, x == 1)"), BadCondition::GrowingLoop);
    assert_eq!(
        refused(&format!("args.a{}", " + args.a".repeat(17))),
        BadCondition::TooManySums { limit: 16 }
    );
    assert_eq!(refused(&format!("[{}] == []", "1,".repeat(250))), BadCondition::TooManyParts { limit: 200 });
    assert_eq!(refused(&"a".repeat(3000)), BadCondition::TooLong { limit: 2048 });
}

#[test]
fn deep_conditions_are_refused_and_take_no_more_stack_than_there_is() {
    for (before, middle, after) in [
        ("(", "true", ")"),
        ("[", "1", "]"),
        ("!", "true", ""),
        ("-", "1", ""),
        ("{1:", "1", "}"),
        ("", "args", ".a"),
        ("", "args", "[0]"),
        ("", "1", "+1"),
        ("", "1", "-1"),
        ("", "true", "==true"),
        ("", "true", "?true:true"),
        ("args[", "0", "]"),
        ("size(", "args", ")"),
        ("", "true", "&&true"),
        ("true?true:", "true", ""),
        ("", "args", ".all(x,x"),
        ("", "''", ".size()"),
    ] {
        for parts in [10, 16, 24, 50, 100, 199, 1000] {
            let text = format!("{}{middle}{}", before.repeat(parts), after.repeat(parts));
            let compiled = compile(json!([grant(&text)]));
            assert!(parts < 200 || compiled.is_err(), "{before}{middle}{after} {parts}");
        }
    }
}

#[test]
fn a_bomb_is_too_much_work() {
    let when = format!("args.l.all(x, x != args && {})", vec!["args == args"; 18].join(" && "));
    let arguments = |elements: usize| {
        let list: Vec<usize> = (0..elements).collect();
        json!({ "l": list }).to_string()
    };
    assert_eq!(failure(&when, &arguments(10_000)), Some(ConditionError::TooMuchWork));
    // Accepted arguments are small: the example `condition_speed` measures how long they take.
    let is_done = |elements: &usize| decide(&when, &arguments(*elements)).is_ok();
    let most = (1..10_000).step_by(50).take_while(is_done).last();
    assert!(matches!(most, Some(1..1_000)), "{most:?}");
}

#[test]
fn ordinary_conditions_are_not_too_much_work_for_the_longest_arguments() {
    let body = "x".repeat(limits::ARGUMENT_BYTES - 200);
    let issue =
        json!({ "owner": "acme", "repo": "acme/site", "labels": ["bug", "docs"], "body": body }).to_string();
    for when in [
        r#"args.owner == "acme""#,
        r#"args.repo.startsWith("acme/") && size(args.repo) < 20 && !args.body.contains("secret")"#,
        r#"args.labels.all(l, l in ["bug", "docs"])"#,
        r#"args.owner in user.claims.owners && args.owner == user.claims.owners[0]"#,
        r#"user.groups.exists(g, g == args.owner)"#,
        r#"!args.labels.exists(l, l in user.groups)"#,
        r#"args.owner + "@" + tenant + ".example" != user.email"#,
    ] {
        let many: Vec<String> =
            (0..200).map(|number| format!("{number:08x}-0000-4000-8000-000000000000")).collect();
        let caller = alice().with_groups([many, vec!["acme".to_owned()]].concat());
        let caller = caller.with_claim("owners", json!(["acme", "other"]));
        let policy = compile(json!([grant(when)])).unwrap();
        let decided =
            policy.rights_unchecked(&caller, &TenantName::new("acme").unwrap()).decide(&TOOL, Some(&issue));
        assert!(decided.is_ok(), "{when}: {}", decided.unwrap_err().reason());
    }
    let paths: Vec<String> = (0..1000).map(|number| format!("/acme/docs/{number}")).collect();
    let arguments = json!({ "paths": paths }).to_string();
    assert_eq!(decide(r#"args.paths.all(p, p.startsWith("/acme/"))"#, &arguments), Ok(()));
}

#[test]
fn no_value_is_in_what_is_said_of_a_failure() {
    let secret = r#"{"owner":{"token":"s3cret"}}"#;
    let denied = rights(json!([grant("args.owner < 1")])).decide(&TOOL, Some(secret)).unwrap_err();
    assert!(!format!("{denied:?} {} {denied}", denied.reason()).contains("s3cret"));
}

#[test]
fn parts_about_the_caller_that_are_asked_once_decide_as_they_would_each_time() {
    let of_caller = ["user.subject == 'alice'", "user.subject == 'bob'", "user.claims.none == 1", "tenant"];
    let of_call = ["args.n == 1", "args.n == 2", "args.none == 1", "size(args)"];
    let is_permitted = |grants: Value| {
        let rights = rights(grants);
        // The first decision evaluates, the second uses the cached result.
        let decided = [(); 2].map(|()| rights.decide(&TOOL, Some(r#"{"n":1}"#)).is_ok());
        assert_eq!(decided[0], decided[1]);
        decided[0]
    };
    for (caller, call) in of_caller.iter().flat_map(|caller| of_call.iter().map(move |call| (caller, call))) {
        for when in [
            format!("{caller} && {call}"),
            format!("{call} && {caller}"),
            format!("{call} && {caller} && args.n == 1"),
            format!("({caller} && user.issuer == 'login') && (args.n == 1 && {call})"),
        ] {
            // Not split, as `&&` is not at the top.
            let whole = format!("({when}) || false");
            for effect in ["allow", "deny"] {
                let grants = |when: &str| {
                    let mut grant = grant(when);
                    grant["effect"] = json!(effect);
                    json!([{ "everyone": true, "upstream": "github", "tools": if effect == "deny" { "*" } else { "x" }.split(' ').collect::<Vec<_>>() }, grant])
                };
                assert_eq!(is_permitted(grants(&when)), is_permitted(grants(&whole)), "{effect} {when}");
            }
        }
    }
}

#[test]
fn what_no_caller_has_is_refused_with_the_nearest_name_of_what_they_have() {
    let refused = |when: &str| match compile(json!([grant(when)])).map(|_| ()) {
        Err(Problem::Condition(bad)) => bad.to_string(),
        other => panic!("{when}: {other:?}"),
    };
    let is = |asked: &str, like: &str| format!("asks for `user.{asked}`; is `user.{like}` meant?");
    let has = "; there are `issuer`, `subject`, `groups`, `roles`, `claims`, `email` and `name`";
    for (when, wanted) in [
        (r#"user.role == "admin""#, is("role", "roles")),
        (r#""admin" in user.role"#, is("role", "roles")),
        ("user.emial.endsWith('x')", is("emial", "email")),
        (r#"user["emial"] == "x""#, is("emial", "email")),
        ("has(user.mail)", is("mail", "email")),
        (r#"args.x == 1 && ("departments" in user)"#, format!("asks for `user.departments`{has}")),
        ("user.groups.exists(g, g == user.organization)", format!("asks for `user.organization`{has}")),
        (
            r#"tenant.name == "acme""#,
            "asks for a part of `tenant`, which is the tenant's name alone".to_owned(),
        ),
        (
            r#"tenant["name"] == "acme""#,
            "asks for a part of `tenant`, which is the tenant's name alone".to_owned(),
        ),
    ] {
        assert_eq!(refused(when), wanted, "{when}");
    }
    for when in [
        r#"user.issuer == "login" && user.subject == "alice" && "dev" in user.groups && size(user.roles) == 0"#,
        r#"has(user.email) && !has(user.name) && user["email"] == "alice@acme.example" && "email" in user"#,
        r#"user.claims.level == 3 && user.claims["level"] == 3 && !has(user.claims.role) && tenant == "acme""#,
        // A loop's own variable has the members of the list's elements.
        r#"[{"role": "x"}].exists(user, user.role == "x") && [{"a": 1}].all(tenant, tenant.a == 1)"#,
        r#"user[has(user.email) ? "email" : "subject"] == "alice@acme.example""#,
    ] {
        assert_eq!(decide(when, "{}"), Ok(()), "{when}");
    }
}
