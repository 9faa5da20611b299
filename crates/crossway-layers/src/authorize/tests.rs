use crossway_policy::{
    Item, Kind, Permit, Policy, PolicyConfig, Principal, Proof, TenantName, UpstreamFacts,
};
use crossway_proto::{Message, Part};
use crossway_service::{Call, Connection, Link, Reply};
use crossway_testkit::Server;
use serde_json::json;

use super::*;
use crate::audit::{AuditKey, AuditLayer, AuditLog, AuditOptions};
use crate::script::{around, call_of, response};

fn policy() -> Policy {
    let config = json!({
        "tenants": { "acme": { "groups": ["acme"] } },
        "grants": [
            { "tenant": "acme", "upstream": "files", "tools": ["read_*"], "prompts": ["*"], "resources": ["file:///public/**"] },
            { "tenant": "acme", "upstream": "files", "tools": ["read_secrets"], "effect": "deny" },
            { "tenant": "acme", "upstream": "other", "tools": ["*"] },
        ],
    });
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    let upstreams = ["files", "other"].map(|name| UpstreamFacts { name: name.into(), trusted: false });
    Policy::compile(&config, &upstreams).unwrap()
}

fn alice() -> Principal {
    Principal::new("https://issuer.example", "alice", Proof::Jwt).with_groups(["acme"])
}

fn call(method: &str, params: &str) -> Call {
    let mut call = call_of("alice", 1, method, params);
    call.context.extensions.insert(alice());
    call
}

fn permit(upstream: &str, kind: Kind, name: &str) -> Permit {
    let rights = policy().rights_unchecked(&alice(), &TenantName::new("acme").unwrap());
    rights.decide(&Item::new(upstream, kind, name), None).unwrap()
}

/// Whether a call reaches the server.
async fn passes(link: &Link, server: &Server, call: Call) -> bool {
    let method = match &call.ask {
        crossway_service::Ask::Message(request) => request.method().unwrap().into_owned(),
        _ => unreachable!(),
    };
    let mut reply = link.call(call);
    if crate::script::is_pending(&mut reply) {
        let id = server.expect(&method).await;
        server.answer(&id, "{}");
        response(reply).await.unwrap();
        return true;
    }
    false
}

async fn error(link: &Link, call: Call) -> String {
    let answer = response(link.call(call)).await.unwrap();
    String::from_utf8(answer.error().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_gate_lets_pass_what_has_a_permit_for_exactly_that() {
    let (link, server) = around(&AuthorizeLayer::gate("files")).await;
    for (permit, does_pass) in [
        (Some(permit("files", Kind::Tool, "read_file")), true),
        (Some(permit("files", Kind::Tool, "read_other")), false),
        (Some(permit("files", Kind::Prompt, "read_file")), false),
        (Some(permit("other", Kind::Tool, "read_file")), false),
        (None, false),
    ] {
        let mut call = call("tools/call", r#"{"name":"read_file"}"#);
        if let Some(permit) = permit.clone() {
            call.context.extensions.insert(permit);
        }
        assert_eq!(passes(&link, &server, call).await, does_pass, "{permit:?}");
    }
    // Another caller's permit.
    let mut others = call("tools/call", r#"{"name":"read_file"}"#);
    others.context.extensions.insert(permit("files", Kind::Tool, "read_file"));
    others.context.extensions.insert(alice().with_groups(["acme", "others"]));
    assert!(!passes(&link, &server, others).await);
    // Requests without a name were decided, and are filtered, by outer layers.
    for method in ["tools/list", "server/discover", "subscriptions/listen"] {
        assert!(passes(&link, &server, call(method, "{}")).await, "{method}");
    }
    for (method, params) in [
        ("tasks/get", r#"{"taskId":"1"}"#),
        ("tools/call", "{}"),
        ("x/y", "{}"),
        ("completion/complete", r#"{"ref":{"name":"p","uri":"u"}}"#),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"p"},"ref":{"type":"ref/prompt","name":"q"}}"#,
        ),
        ("resources/read", r#"{"uri":"file:///public/a"}"#),
    ] {
        assert!(!passes(&link, &server, call(method, params)).await, "{method} {params}");
    }
}

#[tokio::test]
async fn a_gate_lets_nobody_listen_to_resources_without_a_permit() {
    let (link, server) = around(&AuthorizeLayer::gate("files")).await;
    let listen = |uris: &str, permit: Option<Permit>| {
        let params =
            format!(r#"{{"notifications":{{"toolsListChanged":true,"resourceSubscriptions":[{uris}]}}}}"#);
        let mut call = call("subscriptions/listen", &params);
        if let Some(permit) = permit {
            call.context.extensions.insert(permit);
        }
        call
    };
    let of_a = || permit("files", Kind::Resource, "file:///public/a");
    for (uris, permit, does_pass) in [
        ("", None, true),
        (r#""file:///public/a""#, None, false),
        (r#""file:///public/a""#, Some(of_a()), true),
        // Rights to the one resource cover the other.
        (r#""file:///public/a","file:///public/b""#, Some(of_a()), true),
        (r#""file:///public/a","file:///private/b""#, Some(of_a()), false),
        (r#""file:///public/b""#, Some(of_a()), false),
        (r#""file:///public/a""#, Some(permit("files", Kind::Prompt, "file:///public/a")), false),
    ] {
        assert_eq!(passes(&link, &server, listen(uris, permit)).await, does_pass, "{uris}");
    }
}

/// A policy that grants everything but the given names.
fn wide(denied: &[&str]) -> Policy {
    let config = json!({
        "tenants": { "globex": { "groups": ["globex"] } },
        "grants": [
            { "everyone": true, "upstream": "files", "tools": ["*"], "prompts": ["*"] },
            { "everyone": true, "upstream": "files", "tools": denied, "prompts": denied, "effect": "deny" },
        ],
    });
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    Policy::compile(&config, &[UpstreamFacts { name: "files".into(), trusted: false }]).unwrap()
}

#[tokio::test]
async fn a_judge_takes_no_rights_of_another_policy_or_caller_and_no_tenant_that_is_not_proven() {
    let (link, server) = around(&AuthorizeLayer::judge("files", policy(), None)).await;
    let write = || call("tools/call", r#"{"name":"write_file"}"#);
    let read = || call("tools/call", r#"{"name":"read_file"}"#);
    let globex = Principal::new("https://issuer.example", "alice", Proof::Jwt).with_groups(["globex"]);
    let of_wide = wide(&["x"]).rights_at(&globex, None).unwrap();
    let mut with_others = write();
    with_others.context.extensions.insert(of_wide);
    assert!(!passes(&link, &server, with_others).await, "rights of another policy");
    let ours = policy();
    let (link, server) = around(&AuthorizeLayer::judge("files", ours.clone(), None)).await;
    let rights = ours.rights_at(&alice(), None).unwrap();
    for (who, does_pass) in [(alice(), true), (alice().with_groups(["globex"]), false)] {
        let mut call = read();
        call.context.extensions.insert(rights.clone());
        call.context.extensions.insert(who);
        assert_eq!(passes(&link, &server, call).await, does_pass);
    }
    let mut call = read();
    call.context.extensions.insert(globex);
    call.context.extensions.insert(TenantName::new("acme").unwrap());
    assert!(!passes(&link, &server, call).await, "a tenant that nobody has proven");
}

#[tokio::test]
async fn two_judges_decide_each_by_its_own_policy() {
    let both = tower_layer::Stack::new(
        AuthorizeLayer::judge("files", policy(), None),
        AuthorizeLayer::judge("files", wide(&["nothing"]), None),
    );
    let (link, server) = around(&both).await;
    let with = |name: &str| {
        let mut call = call("tools/call", &format!(r#"{{"name":"{name}"}}"#));
        call.context.extensions.insert(alice().with_groups(["acme", "globex"]));
        call
    };
    assert!(passes(&link, &server, with("read_file")).await);
    assert!(!passes(&link, &server, with("write_file")).await);
}

#[tokio::test]
async fn a_judge_denies_a_denied_name_in_all_capital_letters_and_does_not_list_it() {
    let (link, server) = around(&AuthorizeLayer::judge("files", wide(&["delete_all", "Drop_*"]), None)).await;
    let by_globex = |mut call: Call| {
        call.context.extensions.insert(alice().with_groups(["globex"]));
        call
    };
    for (name, does_pass) in [
        ("get", true),
        ("delete_all", false),
        ("Delete_All", false),
        ("DELETE_ALL", false),
        ("drop_it", false),
        ("delete_al", true),
    ] {
        for method in ["tools/call", "prompts/get"] {
            let call = by_globex(call(method, &format!(r#"{{"name":"{name}"}}"#)));
            assert_eq!(passes(&link, &server, call).await, does_pass, "{method} {name}");
        }
    }
    let reply = link.call(by_globex(call("tools/list", "{}")));
    let id = server.expect("tools/list").await;
    server.answer(&id, r#"{"tools":[{"name":"get"},{"name":"Delete_All"},{"name":"dROP_it"}]}"#);
    let answer = response(reply).await.unwrap().reread().unwrap();
    assert_eq!(answer.member(Part::Result, "tools"), Some(&br#"[{"name":"get"}]"#[..]));
}

#[tokio::test]
async fn a_judge_permits_what_the_policy_grants_and_hands_on_the_permit() {
    let (link, server) = around(&AuthorizeLayer::judge("files", policy(), None)).await;
    for (method, params, does_pass) in [
        ("tools/call", r#"{"name":"read_file"}"#, true),
        ("tools/call", r#"{"name":"read_secrets"}"#, false),
        ("tools/call", r#"{"name":"write_file"}"#, false),
        ("tools/call", r#"{"name":"READ_file"}"#, false),
        ("tools/call", r#"{"name":"read_file","arguments":{"a":1},"arguments":{"a":2}}"#, false),
        ("prompts/get", r#"{"name":"p"}"#, true),
        ("resources/read", r#"{"uri":"file:///public/a"}"#, true),
        ("resources/read", r#"{"uri":"file:///private/a"}"#, false),
        ("resources/read", r#"{"uri":"file:///public/../private/a"}"#, false),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"}}"#, true),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["file:///public/a"]}}"#, true),
        (
            "subscriptions/listen",
            r#"{"notifications":{"resourceSubscriptions":["file:///public/a","file:///b"]}}"#,
            false,
        ),
        ("subscriptions/listen", r#"{"notifications":{"toolsListChanged":true}}"#, true),
        (
            "subscriptions/listen",
            r#"{"notifications":{},"notifications":{"resourceSubscriptions":["file:///b"]}}"#,
            false,
        ),
        ("server/discover", "{}", true),
        ("tasks/get", "{}", false),
    ] {
        assert_eq!(passes(&link, &server, call(method, params)).await, does_pass, "{method} {params}");
    }
}

/// A custom layer that changes the name in requests.
struct Renaming(Link);

impl Connection for Renaming {
    fn call(&self, mut call: Call) -> Reply {
        let crossway_service::Ask::Message(request) = &mut call.ask else { unreachable!() };
        request.edit(Part::Params, &[], &[("name", b"\"write_file\"")]).unwrap();
        self.0.call(call)
    }
}

#[tokio::test]
async fn what_a_layer_around_a_judge_has_changed_is_what_the_judge_decides() {
    let (link, server) = around(&AuthorizeLayer::judge("files", policy(), None)).await;
    let link = Link::new(Renaming(link));
    let granted = call("tools/call", r#"{"name":"read_file"}"#);
    assert!(!passes(&link, &server, granted).await);
}

#[tokio::test]
async fn who_is_nobody_may_call_nothing_and_sees_empty_lists() {
    let (link, server) = around(&AuthorizeLayer::judge("files", policy(), None)).await;
    for who in [None, Some(Principal::anonymous()), Some(Principal::new("i", "stranger", Proof::Jwt))] {
        let with = |mut call: Call| {
            call.context.extensions = crossway_service::Extensions::new();
            if let Some(who) = who.clone() {
                call.context.extensions.insert(who);
            }
            call
        };
        assert!(!passes(&link, &server, with(call("tools/call", r#"{"name":"read_file"}"#))).await);
        let reply = link.call(with(call("tools/list", "{}")));
        let id = server.expect("tools/list").await;
        server.answer(&id, r#"{"tools":[{"name":"read_file"}],"nextCursor":"c"}"#);
        let answer = response(reply).await.unwrap().reread().unwrap();
        assert_eq!(answer.member(Part::Result, "tools"), Some(&b"[]"[..]));
    }
}

#[tokio::test]
async fn denied_and_missing_are_answered_alike() {
    let (link, server) = around(&AuthorizeLayer::judge("files", policy(), None)).await;
    let denied = error(&link, call("tools/call", r#"{"name":"write_file"}"#)).await;
    let missing = error(&link, call("tools/call", r#"{"name":"no_such_x"}"#)).await;
    assert_eq!(denied, r#"{"code":-32602,"message":"Unknown tool: write_file"}"#);
    assert_eq!(denied.replace("write_file", ""), missing.replace("no_such_x", ""));
    drop(link);
    assert!(server.receive().await.is_none());
}

#[tokio::test]
async fn lists_are_filtered_page_by_page_and_items_stay_as_they_are() {
    let (link, server) = around(&AuthorizeLayer::judge("files", policy(), None)).await;
    for (method, page, left) in [
        (
            "tools/list",
            r#"{"tools":[{ "name":"read_a", "x":1.50 },{"name":"write"},{"name":"read_secrets"},{"no":1},7],"nextCursor":"c"}"#,
            r#"{"tools":[{ "name":"read_a", "x":1.50 }],"nextCursor":"c"}"#,
        ),
        ("prompts/list", r#"{ "prompts":[ {"name":"p"} ] }"#, r#"{ "prompts":[ {"name":"p"} ] }"#),
        (
            "resources/list",
            r#"{"resources":[{"name":"read_a","uri":"file:///private/x"},{"uri":"file:///public/x"}]}"#,
            r#"{"resources":[{"uri":"file:///public/x"}]}"#,
        ),
        (
            "resources/templates/list",
            r#"{"resourceTemplates":[{"uriTemplate":"file:///private/{x}"},{"uriTemplate":"file:///public/{x}"}]}"#,
            r#"{"resourceTemplates":[{"uriTemplate":"file:///public/{x}"}]}"#,
        ),
    ] {
        let reply = link.call(call(method, "{}"));
        let id = server.expect(method).await;
        server.answer(&id, page);
        let answer = response(reply).await.unwrap().reread().unwrap();
        assert_eq!(std::str::from_utf8(answer.result().unwrap()), Ok(left));
    }
    for unread in
        [r#"{"tools":{"name":"write"}}"#, r#"{"tools":[{"name":"read_a"}],"tools":[{"name":"write"}]}"#]
    {
        for who in [alice(), Principal::anonymous()] {
            let mut call = call("tools/list", "{}");
            call.context.extensions.insert(who);
            let reply = link.call(call);
            let id = server.expect("tools/list").await;
            server.answer(&id, unread);
            response(reply).await.unwrap_err();
        }
    }
}

#[tokio::test]
async fn what_was_decided_is_in_the_record() {
    let (log, mut writer) = AuditLog::new(AuditKey::new(b"k"), AuditOptions::default());
    let layers =
        tower_layer::Stack::new(AuthorizeLayer::judge("files", policy(), None), AuditLayer::new(log));
    let (link, server) = around(&layers).await;
    assert!(passes(&link, &server, call("tools/call", r#"{"name":"read_file"}"#)).await);
    assert!(!passes(&link, &server, call("tools/call", r#"{"name":"read_secrets"}"#)).await);
    let lines = String::from_utf8(writer.next().await.unwrap()).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(
        lines[0]
            .contains(r#""decision":"allowed","rule":"grants[0]","upstream":"files","own_name":"read_file""#),
        "{lines:?}"
    );
    assert!(lines[1].contains(r#""decision":"denied","rule":"grants[1]"#), "{lines:?}");
}

#[test]
fn a_denial_does_not_say_why() {
    let error = NotPermitted::thing(Kind::Tool, &"x".repeat(5000));
    assert!(error.to_string().len() < 300 && !error.to_string().contains("denied"));
    let request: Message = crate::script::message(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    drop(NotPermitted::Method.to_reply(&request));
}

#[tokio::test]
async fn what_a_server_might_read_otherwise_reaches_none() {
    for layer in [AuthorizeLayer::gate("files"), AuthorizeLayer::judge("files", policy(), None)] {
        let (link, server) = around(&layer).await;
        let may = |kind, name: &str, mut call: Call| {
            call.context.extensions.insert(permit("files", kind, name));
            call
        };
        let read = r#""name":"read_file""#;
        assert!(
            passes(&link, &server, may(Kind::Tool, "read_file", call("tools/call", &format!("{{{read}}}"))))
                .await
        );
        for more in
            [r#""Name":"read_secrets""#, r#""ARGUMENTS":{}"#, r#""argument\u017f":{}"#, r#""_META":{}"#]
        {
            let call = may(Kind::Tool, "read_file", call("tools/call", &format!("{{{read},{more}}}")));
            assert!(error(&link, call).await.contains("-32600"), "{more}");
        }
        let of = |more: &str| {
            let params = format!(
                r#"{{"ref":{{"type":"ref/prompt","name":"a"{more}}},"argument":{{"name":"b","value":""}}}}"#
            );
            may(Kind::Prompt, "a", call("completion/complete", &params))
        };
        assert!(passes(&link, &server, of("")).await);
        assert!(!passes(&link, &server, of(r#","Name":"c""#)).await);
        let listen = r#"{"notifications":{"ResourceSubscriptions":["file:///secret"]}}"#;
        assert!(!passes(&link, &server, call("subscriptions/listen", listen)).await);
        // A notification has no answer, and does not pass either.
        let smuggled =
            r#"{"jsonrpc":"2.0","method":"notifications/x","Method":"tools/call","ID":9,"Params":{}}"#;
        let smuggled = Message::parse(smuggled.into(), &crossway_proto::Limits::default()).unwrap();
        let mut told = link.call(Call::message(smuggled, call("ping", "{}").context));
        assert!(futures_util::StreamExt::next(&mut told).await.is_none());
        let fine = Message::parse(
            r#"{"jsonrpc":"2.0","method":"notifications/x"}"#.into(),
            &crossway_proto::Limits::default(),
        );
        let _passed = link.call(Call::message(fine.unwrap(), call("ping", "{}").context));
        assert!(server.receive().await.unwrap().is_method("notifications/x"));
    }
}

#[test]
fn arguments_are_those_that_the_upstream_acts_by() {
    let of = |method: &str, params: &str| {
        let call = call(method, params);
        let request = call.request().unwrap();
        arguments(request).map(|json| json.map(|json| String::from_utf8(json.to_vec()).unwrap()))
    };
    let a = Ok(Some(r#"{"a":1}"#.to_owned()));
    assert_eq!(of("tools/call", r#"{"name":"t","arguments":{"a":1}}"#), a);
    assert_eq!(of("prompts/get", r#"{"name":"t","arguments":{"a":1}}"#), a);
    assert_eq!(of("tools/call", r#"{"name":"t"}"#), Ok(None));
    assert_eq!(of("resources/read", r#"{"uri":"u","arguments":{"a":1}}"#), Ok(None));
    let completed = r#"{"arguments":{"b":2},"context":{"arguments":{"a":1}}}"#;
    assert_eq!(of("completion/complete", completed), a);
    assert_eq!(of("completion/complete", r#"{"arguments":{"b":2}}"#), Ok(None));
    let mut edited = crate::script::message(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":1}}}"#,
    );
    edited.edit(Part::Params, &[], &[("arguments", br#"{"a":2}"#)]).unwrap();
    assert_eq!(arguments(&edited), Ok(Some(&br#"{"a":2}"#[..])));
    for twice in [
        ("tools/call", r#"{"name":"t","arguments":{"a":1},"arguments":{}}"#),
        ("completion/complete", r#"{"context":{},"context":{}}"#),
        ("completion/complete", r#"{"context":{"arguments":{},"Arguments":{}}}"#),
        ("completion/complete", r#"{"context":{"arguments":{},"arguments":{}}}"#),
    ] {
        assert_eq!(of(twice.0, twice.1), Err(AmbiguousArguments), "{twice:?}");
    }
}
