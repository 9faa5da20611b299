//! Resources that results name, and templates that fit the same URIs.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossway_proto::Part;

use super::*;

/// What a server has.
#[derive(Clone, Copy)]
struct Has {
    capabilities: &'static str,
    resources: &'static str,
    templates: &'static str,
    /// The result of each `tools/call` and `prompts/get`.
    result: &'static str,
}

const NONE: Has = Has {
    capabilities: r#"{"resources":{}}"#,
    resources: "[]",
    templates: "[]",
    result: r#"{"content":[]}"#,
};

/// A router of servers that have these, under the names `one`, `two` and so on. Contents say whose they are, and under which URI it was asked for.
fn rig(servers: &[Has]) -> (Rig, Arc<AtomicUsize>) {
    let rig = Rig::new(same());
    let lists = Arc::new(AtomicUsize::new(0));
    for (name, has) in ["one", "two"].into_iter().zip(servers.iter().copied()) {
        let lists = Arc::clone(&lists);
        let upstream = Scripted::answering(move |request| {
            let Some(id) = request.id() else { return Vec::new() };
            let uri = request.name().unwrap_or_default();
            let result = match request.method().as_deref() {
                Some("server/discover") => format!(r#"{{"capabilities":{}}}"#, has.capabilities),
                Some("resources/list") => {
                    lists.fetch_add(1, Ordering::Relaxed);
                    format!(r#"{{"resources":{}}}"#, has.resources)
                }
                Some("resources/templates/list") => format!(r#"{{"resourceTemplates":{}}}"#, has.templates),
                Some("tools/list") => r#"{"tools":[{"name":"t"}]}"#.to_owned(),
                Some("resources/read") => {
                    format!(r#"{{"contents":[{{"uri":"{uri}","text":"{uri} of {name}"}}]}}"#)
                }
                Some("completion/complete") => {
                    let about = request.member(Part::Params, "ref").unwrap();
                    format!(
                        r#"{{"completion":{{"values":["{name}"]}},"ref":{}}}"#,
                        String::from_utf8_lossy(about)
                    )
                }
                Some("subscriptions/listen") => return Vec::new(),
                _ => has.result.to_owned(),
            };
            vec![format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)]
        });
        rig.router.insert(name, &upstream);
    }
    (rig, lists)
}

async fn asked(rig: &Rig, method: &str, name: &str) -> String {
    let key = if method.starts_with("resources/") { "uri" } else { "name" };
    text(&rig.call(modern("1", method, &format!(r#","{key}":"{name}""#))).next().await)
}

fn answer(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
}

const FILE: &str = r#"[{"uri":"file:///a"}]"#;

#[tokio::test(start_paused = true)]
async fn a_linked_resource_is_read_from_the_server_that_has_linked_to_it() {
    // Both have the file; the rows are in no list, and of no template.
    let result = r#"{"n":1.0,"content":[{"type":"resource_link", "uri":"file:///a" ,"size":1e2},{"uri":"db:\u0037","type":"resource_link"},{"type":"resource","resource":{"uri":"db:8","text":"\u0041"}},{"type":"resource_link","uri":"https://web.example/"},{"type":"text","text":"file:///a"}],"structuredContent":{"uri":"file:///a"}, "isError":false}"#;
    let has = Has { resources: FILE, result, ..NONE };
    let (rig, _) = rig(&[has, has]);
    let found = asked(&rig, "tools/call", "two__find").await;
    let wrapped = result
        .replacen(r#""file:///a" ,"#, r#""crossway://two/file:///a" ,"#, 1)
        .replace(r#""db:\u0037""#, r#""crossway://two/db:7""#)
        .replace(r#""db:8""#, r#""crossway://two/db:8""#);
    assert_eq!(found, answer(&wrapped));
    let found = asked(&rig, "tools/call", "one__find").await;
    let wrapped = result
        .replace(r#""db:\u0037""#, r#""crossway://one/db:7""#)
        .replace(r#""db:8""#, r#""crossway://one/db:8""#);
    assert_eq!(found, answer(&wrapped));
    for (uri, of) in [
        ("file:///a", "file:///a of one"),
        ("crossway://two/file:///a", "file:///a of two"),
        ("crossway://two/db:7", "db:7 of two"),
        ("crossway://one/db:7", "db:7 of one"),
    ] {
        let read = asked(&rig, "resources/read", uri).await;
        let contents = format!(r#"{{"contents":[{{"uri":"{uri}","text":"{of}"}}]}}"#);
        assert_eq!(read, answer(&contents));
    }
}

#[tokio::test(start_paused = true)]
async fn prompts_link_as_tools_do() {
    let result = r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"file:///a"}}},{"role":"user","content":[{"type":"resource_link","uri":"b:1"}]}]}"#;
    let has = Has { resources: FILE, result, ..NONE };
    let (rig, _) = rig(&[has, has]);
    let wrapped =
        result.replace("file:///a", "crossway://two/file:///a").replace("b:1", "crossway://two/b:1");
    assert_eq!(asked(&rig, "prompts/get", "two__p").await, answer(&wrapped));
}

#[tokio::test(start_paused = true)]
async fn a_link_stays_as_it_is_where_it_leads_back() {
    let result =
        r#"{"content":[{"type":"resource_link","uri":"file:///a"},{"type":"resource_link","uri":"two:5"}]}"#;
    let none = Has { result, ..NONE };
    let two = Has { resources: FILE, templates: r#"[{"uriTemplate":"two:{id}"}]"#, ..none };
    // By its list and its template; and since nobody else has resources.
    for (servers, tool) in [([none, two], "two__find"), ([two, none], "one__find")] {
        let (rig, _) = rig(&servers);
        assert_eq!(asked(&rig, "tools/call", tool).await, answer(result));
    }
    let (rig, _) = rig(&[none]);
    assert_eq!(asked(&rig, "tools/call", "one__find").await, answer(result));
}

#[tokio::test(start_paused = true)]
async fn a_template_for_all_uris_does_not_claim_wrapped_ones() {
    let all = Has { templates: r#"[{"uriTemplate":"{+uri}"}]"#, ..NONE };
    let result = r#"{"content":[{"type":"resource_link","uri":"db:7"}]}"#;
    let (rig, _) = rig(&[all, Has { result, ..NONE }]);
    let found = asked(&rig, "tools/call", "two__find").await;
    assert_eq!(found, answer(&result.replace("db:7", "crossway://two/db:7")));
    assert!(asked(&rig, "resources/read", "crossway://two/db:7").await.contains("db:7 of two"));
    assert!(asked(&rig, "resources/read", "db:7").await.contains("db:7 of one"));
}

#[tokio::test(start_paused = true)]
async fn uris_of_servers_without_resources_are_no_concern_of_anybodys() {
    let result = r#"{"content":[{"type":"resource","resource":{"uri":"ui://w"}}]}"#;
    let has = Has { capabilities: r#"{"tools":{},"resources":null}"#, result, ..NONE };
    let (rig, lists) = rig(&[has, has]);
    assert_eq!(asked(&rig, "tools/call", "two__find").await, answer(result));
    let members = rig.router.members();
    assert!(members.by_name["two"].is_without_resources() && !members.by_name["one"].is_without_resources());
    assert_eq!(asked(&rig, "tools/call", "two__find").await, answer(result));
    assert_eq!(lists.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn what_one_user_is_told_of_resources_says_nothing_of_anothers() {
    let result = r#"{"content":[{"type":"resource","resource":{"uri":"ui://w"}}]}"#;
    let has = Has { capabilities: "{}", result, ..NONE };
    let (Rig { router, .. }, _) = rig(&[has, has]);
    let members = router.members().all.clone();
    let of_users = Router::new(RouterOptions::default());
    members.iter().for_each(|member| of_users.put(Arc::clone(member)));
    let rig = Rig { link: of_users.connect(Scope::Shared), router: of_users };
    let call = modern("1", "tools/call", r#","name":"two__find""#);
    assert_eq!(text(&rig.call_for(call, keyed("alice")).next().await), answer(result));
    assert!(!members.iter().any(|member| member.is_without_resources()));
}

/// Shows nobody but `one`.
struct OnlyOne;

impl crate::Access for OnlyOne {
    fn rights_group(&self, _: &Context) -> crate::CallerSet {
        crate::CallerSet::Everybody
    }

    fn list_group(&self, upstream: &str, _: &Context) -> crate::CallerSet {
        if upstream == "one" { crate::CallerSet::Everybody } else { crate::CallerSet::Nobody }
    }
}

#[tokio::test(start_paused = true)]
async fn who_sees_one_server_gets_its_links_as_they_are_and_reads_them_whatever_servers_there_are() {
    let result = r#"{"content":[{"type":"resource_link","uri":"db:7"}]}"#;
    let has = Has { result, ..NONE };
    for servers in [&[has][..], &[has, Has { resources: FILE, ..has }]] {
        let (Rig { router, .. }, lists) = rig(servers);
        let of_one = Router::new(RouterOptions::default().access(OnlyOne));
        router.members().all.iter().for_each(|member| of_one.put(Arc::clone(member)));
        let rig = Rig { link: of_one.connect(Scope::Shared), router: of_one };
        assert_eq!(asked(&rig, "tools/call", "one__find").await, answer(result));
        assert_eq!(asked(&rig, "prompts/get", "one__p").await, answer(result));
        assert_eq!(lists.load(Ordering::Relaxed), 0, "the server was asked for more than without the other");
        let contents = r#"{"contents":[{"uri":"db:7","text":"db:7 of one"}]}"#;
        assert_eq!(asked(&rig, "resources/read", "db:7").await, answer(contents));
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_templates_that_fit_one_uri_the_later_servers_is_wrapped_wherever_it_is_used() {
    let one = Has { templates: r#"[{"uriTemplate":"item:///{id}"}]"#, ..NONE };
    let two = Has {
        templates: r#"[{"uriTemplate":"item:///{name}","n":1.0},{"uriTemplate":"two:///{id}"}]"#,
        ..NONE
    };
    let (rig, _) = rig(&[one, two]);
    let list = asked(&rig, "resources/templates/list", "").await;
    let expected = r#"[{"uriTemplate":"item:///{id}"},{"uriTemplate":"crossway://two/item:///{name}","n":1.0},{"uriTemplate":"two:///{id}"}]"#;
    assert!(list.contains(expected), "{list}");
    for (uri, of) in [
        ("item:///x", "item:///x of one"),
        ("crossway://two/item:///x", "item:///x of two"),
        ("two:///x", "two:///x of two"),
    ] {
        let read = asked(&rig, "resources/read", uri).await;
        assert!(read.contains(of) && read.contains(&format!(r#""uri":"{uri}""#)), "{read}");
    }
    let about = r#","ref":{"type":"ref/resource","uri":"crossway://two/item:///{name}"}"#;
    let completed = text(&rig.call(modern("1", "completion/complete", about)).next().await);
    assert!(
        completed.contains(r#"["two"]"#) && completed.contains(r#""uri":"item:///{name}""#),
        "{completed}"
    );
}
