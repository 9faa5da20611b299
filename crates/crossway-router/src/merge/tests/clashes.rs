//! Names and URIs that two upstreams have.

use super::*;

/// A server that answers lists, and gives what else it is asked.
async fn beyond_lists(server: &Server, lists: &[(&str, &str)]) -> Message {
    loop {
        let message = server.receive().await.unwrap();
        let Some(id) = message.id() else { continue };
        let method = message.method().unwrap().into_owned();
        let is_about_lists = text(&message).contains("ListChanged");
        match lists.iter().find(|(of, _)| *of == method) {
            Some((_, list)) => server.answer(&id, list),
            None if ListKind::of(&message).is_some() => {
                server.answer(&id, r#"{"resources":[],"resourceTemplates":[],"tools":[],"prompts":[]}"#)
            }
            None if is_about_lists => {}
            None => return message,
        }
    }
}

const FILES: &[(&str, &str)] = &[
    ("resources/list", r#"{"resources":[{"uri":"file:///a","x":1.0}]}"#),
    ("resources/templates/list", r#"{"resourceTemplates":[{"uriTemplate":"file:///{path}"}]}"#),
];

/// A router whose two upstreams have the same resources. They answer until their lists are known.
async fn with_the_same_files() -> (Rig, Server, Server) {
    let rig = Rig::new(same());
    let (one, two) = (rig.add("one").await, rig.add("the second").await);
    let mut list = rig.call(modern("1", "resources/list", ""));
    let mut templates = rig.call(modern("2", "resources/templates/list", ""));
    let answers = async { (text(&list.next().await), text(&templates.next().await)) };
    let (list, templates) = tokio::select! {
        answers = answers => answers,
        _ = beyond_lists(&one, FILES) => unreachable!(),
        _ = beyond_lists(&two, FILES) => unreachable!(),
    };
    assert!(
        list.contains(
            r#""resources":[{"uri":"file:///a","x":1.0},{"uri":"crossway://the%20second/file:///a","x":1.0}]"#
        ),
        "{list}"
    );
    assert!(
        templates.contains(
            r#"[{"uriTemplate":"file:///{path}"},{"uriTemplate":"crossway://the%20second/file:///{path}"}]"#
        ),
        "{templates}"
    );
    (rig, one, two)
}

#[tokio::test(start_paused = true)]
async fn two_resources_of_one_uri_are_both_reached_and_come_back_under_the_clients_uri() {
    let (rig, one, two) = with_the_same_files().await;
    for (uri, server, own) in [
        ("file:///a", &one, "file:///a"),
        ("crossway://the%20second/file:///a", &two, "file:///a"),
        ("file:///other", &one, "file:///other"),
        ("crossway://the%20second/file:///other", &two, "file:///other"),
        // One upstream's own need not clash to be asked for this way.
        ("crossway://one/file:///a", &one, "file:///a"),
    ] {
        let mut read = rig.call(modern("5", "resources/read", &format!(r#","uri":"{uri}""#)));
        let request = beyond_lists(server, FILES).await;
        assert_eq!(request.name().as_deref(), Some(own), "{uri}");
        let id = request.id().unwrap();
        server.answer(
            &id,
            &format!(r#"{{"ttlMs":7,"contents":[{{"n":1e2,"uri":"{own}" }},{{"uri":"{own}/part"}}]}}"#),
        );
        let contents = format!(r#""contents":[{{"n":1e2,"uri":"{uri}" }},{{"uri":"{own}/part"}}]"#);
        let answer = text(&read.next().await);
        assert!(answer.contains(&contents) && answer.contains(r#""ttlMs":7"#), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn completion_and_subscriptions_follow_wrapped_uris() {
    let (rig, _one, two) = with_the_same_files().await;
    let mut complete = rig.call(modern(
        "5",
        "completion/complete",
        r#","ref":{"type":"ref/resource", "uri":"crossway://the%20second/file:///{path}"},"argument":{"name":"path","value":"x"}"#,
    ));
    let request = beyond_lists(&two, FILES).await;
    assert!(
        text(&request).contains(r#""ref":{"type":"ref/resource", "uri":"file:///{path}"}"#),
        "{request:?}"
    );
    two.answer(&request.id().unwrap(), r#"{"completion":{"values":["xy"]}}"#);
    assert!(text(&complete.next().await).contains("xy"));

    let mut listening = rig.call(modern(
        r#""mine""#,
        "subscriptions/listen",
        r#","notifications":{"resourceSubscriptions":["crossway://the%20second/file:///a"]}"#,
    ));
    let request = beyond_lists(&two, FILES).await;
    assert!(text(&request).contains(r#"{"resourceSubscriptions":["file:///a"]}"#), "{request:?}");
    let id = request.id().unwrap();
    for (method, rest) in [
        ("subscriptions/acknowledged", r#""notifications":{"resourceSubscriptions":["file:///a"]}"#),
        ("resources/updated", r#""uri":"file:///a","x":1.0"#),
    ] {
        two.send(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},{rest}}}}}"#
        ));
    }
    assert!(text(&listening.next().await).contains(r#"["crossway://the%20second/file:///a"]"#));
    let updated = listening.next().await;
    assert_eq!(updated.subscription_id(), Some(RequestId::from("mine")));
    let updated = text(&updated);
    assert!(
        updated.contains(r#""uri":"crossway://the%20second/file:///a""#) && updated.contains(r#""x":1.0"#)
    );
}

#[tokio::test(start_paused = true)]
async fn a_prompt_is_completed_under_the_name_that_it_has_there() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let long = "p".repeat(80);
    let exposed = Prefixed::default().expose("one", &long).into_owned();
    // Nobody has asked for prompts yet.
    let _complete = rig.call(modern(
        "1",
        "completion/complete",
        &format!(r#","ref":{{"name":"{exposed}","type":"ref/prompt"}},"argument":{{"name":"a","value":""}}"#),
    ));
    let prompts = format!(r#"{{"prompts":[{{"name":"{long}"}}]}}"#);
    let request = beyond_lists(&one, &[("prompts/list", &prompts)]).await;
    assert!(text(&request).contains(&format!(r#""ref":{{"name":"{long}","type":"ref/prompt"}}"#)));
}

#[tokio::test(start_paused = true)]
async fn of_two_tools_of_one_name_the_first_is_reached_and_both_owners_are_named() {
    let router = Router::with_naming(same(), Unprefixed);
    let rig = Rig { link: router.connect(Scope::Shared), router };
    let (one, two) = (rig.add("one").await, rig.add("two").await);
    let mut list = rig.call(modern("1", "tools/list", ""));
    tell_tools(&two, r#"[{"name":"x"},{"name":"y"}]"#).await;
    tell_tools(&one, r#"[{"name":"x","first":1}]"#).await;
    assert!(text(&list.next().await).contains(r#""tools":[{"name":"x","first":1},{"name":"y"}]"#));
    let clash = Clash { list: ListKind::Tools, name: "x".into(), first: "one".into(), second: "two".into() };
    assert_eq!(rig.router.clashes(), [clash]);
    for (name, server) in [("x", &one), ("y", &two)] {
        let _call = rig.call(modern("2", "tools/call", &format!(r#","name":"{name}""#)));
        until(server, "tools/call").await;
    }
}

#[tokio::test(start_paused = true)]
async fn operators_are_told_once_of_two_upstreams_with_the_same_names_until_others_come() {
    let rig = Rig::new(same());
    let (_one, _two) = (rig.add("one").await, rig.add("two").await);
    let clash = |name: &str, second: &str| Clash {
        list: ListKind::Tools,
        name: name.into(),
        first: "one".into(),
        second: second.into(),
    };
    let clashes = [clash("x", "two"), clash("y", "two"), clash("x", "three")];
    // Of each view, and whenever a list is another.
    assert_eq!(rig.router.untold(&clashes), [(&clashes[0], 2), (&clashes[2], 1)]);
    assert_eq!(rig.router.untold(&clashes), []);
    let _three = rig.add("three").await;
    assert_eq!(rig.router.untold(&clashes[..1]), [(&clashes[0], 1)]);
}

#[tokio::test(start_paused = true)]
async fn one_name_leads_each_client_to_the_upstream_that_lists_it_for_it() {
    let router = Router::with_naming(RouterOptions::default(), Unprefixed);
    let rig = Rig { link: router.connect(Scope::Shared), router };
    let (one, two) = (rig.add("one").await, rig.add("two").await);
    for (key, of_one, of_two) in [("a", r#"[{"name":"x"}]"#, "[]"), ("b", "[]", r#"[{"name":"x"}]"#)] {
        let mut list = rig.call_for(modern("1", "tools/list", ""), keyed(key));
        tell_tools(&one, of_one).await;
        tell_tools(&two, of_two).await;
        assert!(text(&list.next().await).contains(r#"[{"name":"x"}]"#));
    }
    for (key, server) in [("a", &one), ("b", &two)] {
        let _call = rig.call_for(modern("2", "tools/call", r#","name":"x""#), keyed(key));
        until(server, "tools/call").await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_silent_upstream_may_have_is_not_sent_and_what_nobody_can_have_is_unknown() {
    let rig = Rig::new(same());
    let silent = rig.add("silent").await;
    let cut = Prefixed::default().expose("silent", &"x".repeat(80)).into_owned();
    for _ in 0..2 {
        let call = modern("1", "tools/call", &format!(r#","name":"{cut}""#));
        let error = rig.call(call).0.recv().await.unwrap().unwrap_err();
        assert_eq!(error.outcome(), crossway_service::Outcome::NotSent);
    }
    // A URI says of no upstream that it is its own, so that the only one is asked.
    let _read = rig.call(modern("1", "resources/read", r#","uri":"u:a""#));
    while !silent.receive().await.unwrap().is_method("resources/read") {}
    let unknown = text(&rig.call(modern("1", "tools/call", r#","name":"nobody__x""#)).next().await);
    assert!(unknown.contains("-32602") && unknown.contains("Unknown tool: nobody__x"), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn what_the_only_upstream_may_have_is_asked_of_it_though_its_list_is_not_known() {
    let router = Router::with_naming(RouterOptions::default().access(super::access::ByName), Unprefixed);
    let rig = Rig { link: router.connect(Scope::Shared), router };
    // Whatever there is for others.
    let (silent, _bobs) = (rig.add("silent").await, rig.add("only-bob").await);
    let _call = rig.call_for(modern("1", "tools/call", r#","name":"alice-x""#), keyed("alice"));
    until(&silent, "tools/list").await;
    until(&silent, "tools/call").await;
}
