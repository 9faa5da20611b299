//! Who hears of changes, and what upstreams are asked for it.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep, timeout};

use super::*;
use crate::limits::{FIRST_LIST_TIME, LIST_KEPT, REFETCH_PAUSE, REFRESH_LEAST, VIEW_IDLE};

const TOOLS: &str = r#","notifications":{"toolsListChanged":true}"#;

fn changed() -> &'static str {
    r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":0}}}"#
}

/// What is told on a listen stream until nothing comes any more.
async fn all_told(listening: &mut Asked) -> Vec<Message> {
    let mut told = Vec::new();
    while let Ok(Some(message)) = timeout(Duration::from_secs(1), listening.0.recv()).await {
        told.push(message.unwrap());
    }
    told
}

/// A server that answers lists with what `tools` gives for each request, and counts them.
fn serve(server: Server, tools: impl Fn(usize) -> Option<String> + Send + 'static) -> Counted {
    let (asked, count) = tokio::sync::watch::channel(0);
    let server = Arc::new(server);
    let serving = Arc::clone(&server);
    tokio::spawn(async move {
        while let Some(message) = serving.receive().await {
            if message.is_method("tools/list") {
                asked.send_modify(|count| *count += 1);
                let number = *asked.borrow();
                if let Some(tools) = tools(number) {
                    serving.answer(&message.id().unwrap(), &format!(r#"{{"tools":{tools}}}"#));
                }
            }
        }
    });
    Counted { server, count }
}

struct Counted {
    server: Arc<Server>,
    count: tokio::sync::watch::Receiver<usize>,
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_can_not_be_read_is_refused_and_null_is_absent() {
    let rig = Rig::new(same());
    let _one = rig.add("one").await;
    let malformed = r#","notifications":{"toolsListChanged":true,"resourceSubscriptions":"u:1"}"#;
    let refused = text(&rig.call(modern("1", "subscriptions/listen", malformed)).next().await);
    assert!(refused.contains(r#""id":1,"error":{"code":-32602"#), "{refused}");
    let with_null = r#","notifications":{"toolsListChanged":true,"resourceSubscriptions":null}"#;
    let acknowledged = text(&rig.call(modern("2", "subscriptions/listen", with_null)).next().await);
    assert!(acknowledged.contains(r#""notifications":{"toolsListChanged":true}"#), "{acknowledged}");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_to_those_alone_who_see_it() {
    let rig = Rig::new(RouterOptions::default());
    let one = rig.add("one").await;
    let mut streams = Vec::new();
    let mut listening = Vec::new();
    for key in ["a", "b"] {
        let mut stream =
            rig.call_for(modern(&format!("\"{key}\""), "subscriptions/listen", TOOLS), keyed(key));
        stream.next().await;
        listening.push(stream);
        streams.push(one.expect("subscriptions/listen").await);
        tell_tools(&one, "[]").await;
    }
    one.send(changed());
    // On a connection that is shared, a notification says by its subscription for whom it is.
    one.send(&changed().replace(":0}", &format!(":{}}}", streams[0])));
    tell_tools(&one, r#"[{"name":"x"}]"#).await;
    let told = all_told(&mut listening[0]).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].subscription_id(), Some(RequestId::from("a")));
    assert!(all_told(&mut listening[1]).await.is_empty());
    // That another upstream is there is everybody's business.
    let _two = rig.add("two").await;
    for stream in &mut listening {
        assert_eq!(all_told(stream).await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_listens_without_a_key_hears_of_changes_and_is_not_listened_for_when_gone() {
    let rig = Rig::new(RouterOptions::default());
    let one = rig.add("one").await;
    let mut listening = rig.call(modern("1", "subscriptions/listen", TOOLS));
    listening.next().await;
    let id = one.expect("subscriptions/listen").await;
    tell_tools(&one, "[]").await;
    one.send(&changed().replace(":0}", &format!(":{id}}}")));
    tell_tools(&one, r#"[{"name":"x"}]"#).await;
    assert!(listening.next().await.is_method("notifications/tools/list_changed"));
    let begun = Instant::now();
    drop(listening);
    // Whoever reads the reply in the background sees that nobody takes what comes.
    one.send(&changed().replace(":0}", &format!(":{id}}}")));
    tell_tools(&one, r#"[{"name":"y"}]"#).await;
    assert_eq!(one.receive().await.unwrap().cancelled_id(), Some(id));
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn who_listens_is_told_however_long_nobody_asks() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut listening = rig.call(modern("1", "subscriptions/listen", TOOLS));
    listening.next().await;
    let id = one.expect("subscriptions/listen").await;
    sleep(VIEW_IDLE * 3).await;
    one.send(&changed().replace(":0}", &format!(":{id}}}")));
    assert!(listening.next().await.is_method("notifications/tools/list_changed"));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_listened_to_when_nobody_asks_any_more() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut list = rig.call(modern("1", "tools/list", ""));
    let (mut listen, mut listed) = (None, false);
    while listen.is_none() || !listed {
        let message = one.receive().await.unwrap();
        let id = message.id().unwrap();
        if message.is_method("tools/list") {
            one.answer(&id, r#"{"tools":[]}"#);
            listed = true;
        } else {
            listen = Some(id);
        }
    }
    list.next().await;
    let begun = Instant::now();
    assert_eq!(one.receive().await.unwrap().cancelled_id(), listen);
    assert!(begun.elapsed() <= VIEW_IDLE * 2);
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_an_upstream_that_is_taken_away_ends_at_once() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut listening = rig.call(modern("1", "subscriptions/listen", TOOLS));
    listening.next().await;
    let id = one.expect("subscriptions/listen").await;
    tell_tools(&one, "[]").await;
    let begun = Instant::now();
    rig.router.remove("one");
    assert!(listening.next().await.is_method("notifications/tools/list_changed"));
    // The connection may end with it.
    let last = one.receive().await;
    assert!(last.as_ref().is_none_or(|last| last.cancelled_id().as_ref() == Some(&id)), "{last:?}");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_never_answers_is_waited_for_once() {
    let rig = Rig::new(same());
    let good = serve(rig.add("good").await, |_| Some(r#"[{"name":"a"}]"#.to_owned()));
    let _silent = serve(rig.add("silent").await, |_| None);
    for (id, longest) in [("1", FIRST_LIST_TIME), ("2", Duration::ZERO), ("3", Duration::ZERO)] {
        let begun = Instant::now();
        let answer = text(&rig.call(modern(id, "tools/list", "")).next().await);
        assert!(answer.contains("good__a") && !answer.contains("silent__"), "{answer}");
        assert!(begun.elapsed() <= longest, "{id}: {:?}", begun.elapsed());
    }
    assert_eq!(*good.count.borrow(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_changes_is_asked_about_no_more_often_than_the_pause_allows() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut listening = rig.call(modern("1", "subscriptions/listen", TOOLS));
    listening.next().await;
    let id = one.expect("subscriptions/listen").await;
    let one = serve(one, |number| Some(format!(r#"[{{"name":"a{number}"}}]"#)));
    rig.call(modern("2", "tools/list", "")).next().await;
    let change = changed().replace(":0}", &format!(":{id}}}"));
    let begun = Instant::now();
    for _ in 0..100 {
        for _ in 0..100 {
            one.server.send(&change);
        }
        advance(Duration::from_millis(20)).await;
    }
    let fetches = *one.count.borrow();
    let most = (begun.elapsed().as_millis() / REFETCH_PAUSE.as_millis()) as usize + 2;
    assert!((3..=most).contains(&fetches), "{fetches} of {most}");
    // What the last of them told of is known in the end.
    sleep(REFETCH_PAUSE * 2).await;
    let last = *one.count.borrow();
    let answer = text(&rig.call(modern("3", "tools/list", "")).next().await);
    assert!(answer.contains(&format!("one__a{last}\"")), "{last}: {answer}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_comes_back_as_it_was_is_no_news() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut listening = rig.call(modern("1", "subscriptions/listen", TOOLS));
    listening.next().await;
    let id = one.expect("subscriptions/listen").await;
    let one = serve(one, |_| Some(r#"[{"name":"a"}]"#.to_owned()));
    rig.call(modern("2", "tools/list", "")).next().await;
    one.server.send(&changed().replace(":0}", &format!(":{id}}}")));
    assert!(all_told(&mut listening).await.is_empty());
    assert_eq!(*one.count.borrow(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_an_upstream_refuses_is_not_acknowledged() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut listening = rig.call(modern(
        "1",
        "subscriptions/listen",
        r#","notifications":{"resourceSubscriptions":["u:a","u:b"]}"#,
    ));
    loop {
        let message = one.receive().await.unwrap();
        let id = message.id().unwrap();
        match message.method().as_deref().unwrap() {
            "resources/list" => one.answer(&id, r#"{"resources":[{"uri":"u:a"},{"uri":"u:b"}]}"#),
            "resources/templates/list" => one.answer(&id, r#"{"resourceTemplates":[]}"#),
            "subscriptions/listen" if text(&message).contains("resourceSubscriptions") => {
                one.send(&format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},"notifications":{{"resourceSubscriptions":["u:b"]}}}}}}"#
                ));
                break;
            }
            _ => {}
        }
    }
    assert_eq!(
        text(&listening.next().await),
        r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1},"notifications":{"resourceSubscriptions":["u:b"]}}}"#
    );
}

#[tokio::test(start_paused = true)]
async fn who_hears_of_a_change_is_the_same_whether_somebody_else_has_asked_for_the_list() {
    for is_asked in [false, true] {
        let rig = Rig::new(RouterOptions::default().access(super::access::ByName));
        let shared = rig.add("shared").await;
        if is_asked {
            let bob = tokio::spawn(rig.call_for(modern("1", "tools/list", ""), keyed("bob")).into_next());
            tell_tools(&shared, r#"[{"name":"alice-x"}]"#).await;
            bob.await.unwrap();
        }
        let mut listening = rig.call_for(modern("1", "subscriptions/listen", TOOLS), keyed("alice"));
        listening.next().await;
        let mut known = r#"[{"name":"alice-x"}]"#;
        let mut id = None;
        let told = tokio::select! {
            told = async {
                sleep(Duration::from_secs(2)).await;
                // Of this alice sees nothing.
                all_told(&mut listening).await.len()
            } => told,
            () = async {
                loop {
                    let message = shared.receive().await.unwrap();
                    if message.is_method("tools/list") {
                        shared.answer(&message.id().unwrap(), &format!(r#"{{"tools":{known},"ttlMs":3600000}}"#));
                    } else if message.is_method("subscriptions/listen") {
                        id = message.id();
                    }
                    if let (Some(id), false) = (&id, known.contains("bob")) && message.is_method("tools/list") {
                        known = r#"[{"name":"alice-x"},{"name":"bob-y"}]"#;
                        shared.send(&changed().replace(":0}", &format!(":{id}}}")));
                    }
                }
            } => unreachable!("it serves for ever"),
        };
        assert_eq!(told, 0, "{is_asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn templates_that_are_others_are_told_of_as_resources_are() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut listening =
        rig.call(modern("1", "subscriptions/listen", r#","notifications":{"resourcesListChanged":true}"#));
    listening.next().await;
    let (mut listen, mut resources, mut templates) = (None, 0, 0);
    let heard = tokio::select! {
        heard = timeout(Duration::from_secs(1), listening.next()) => heard.unwrap(),
        () = async {
            loop {
                let message = one.receive().await.unwrap();
                let id = message.id().unwrap();
                match message.method().as_deref() {
                    Some("subscriptions/listen") => listen = Some(id),
                    Some("resources/list") => {
                        resources += 1;
                        one.answer(&id, r#"{"resources":[{"uri":"u:a"}]}"#);
                    }
                    _ => {
                        templates += 1;
                        let template = format!(r#"{{"uriTemplate":"u:{templates}/{{x}}"}}"#);
                        one.answer(&id, &format!(r#"{{"resourceTemplates":[{template}]}}"#));
                    }
                }
                if let (Some(id), 1, 1) = (&listen, resources, templates) {
                    one.send(&changed().replace("tools", "resources").replace(":0}", &format!(":{id}}}")));
                }
            }
        } => unreachable!("it serves for ever"),
    };
    assert!(heard.is_method("notifications/resources/list_changed"), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_of_everybodys_is_forgotten_when_nobody_has_listened_for_changes_of_it() {
    let rig = Rig::new(same());
    let one =
        serve(rig.add("one").await, |number| Some(format!(r#"[{{"name":"v{number}"}}],"ttlMs":86400000"#)));
    let listed = async || text(&rig.call(modern("1", "tools/list", "")).next().await);
    assert!(listed().await.contains("one__v1"));
    assert!(listed().await.contains("one__v1"));
    // Nobody asks for long, and what changes in this time is told to nobody.
    sleep(VIEW_IDLE * 3).await;
    assert!(listed().await.contains("one__v2"));
    assert_eq!(*one.count.borrow(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_users_list_for_whose_changes_nobody_has_listened_is_given_at_once_and_fetched_anew() {
    let rig = Rig::new(RouterOptions::default());
    let mut one =
        serve(rig.add("one").await, |number| Some(format!(r#"[{{"name":"v{number}"}}],"ttlMs":86400000"#)));
    let listed = async || text(&rig.call_for(modern("1", "tools/list", ""), keyed("alice")).next().await);
    assert!(listed().await.contains("one__v1"));
    assert!(listed().await.contains("one__v1"));
    // Nobody asks for long, and what changes in this time is told to nobody.
    sleep(VIEW_IDLE * 3).await;
    assert_eq!(*one.count.borrow_and_update(), 1);
    let asked = Instant::now();
    assert!(listed().await.contains("one__v1"));
    assert_eq!(asked.elapsed(), Duration::ZERO);
    one.count.changed().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1), "nobody has to ask for it again");
    sleep(Duration::from_secs(1)).await;
    assert!(listed().await.contains("one__v2"));
    assert_eq!(*one.count.borrow(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_the_day_before_is_waited_for() {
    let rig = Rig::new(RouterOptions::default());
    let one =
        serve(rig.add("one").await, |number| Some(format!(r#"[{{"name":"v{number}"}}],"ttlMs":86400000"#)));
    let listed = async || text(&rig.call_for(modern("1", "tools/list", ""), keyed("alice")).next().await);
    assert!(listed().await.contains("one__v1"));
    sleep(LIST_KEPT + Duration::from_secs(1)).await;
    assert!(listed().await.contains("one__v2"));
    assert_eq!(*one.count.borrow(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_announcement_is_told_to_those_alone_who_see_others_than_before() {
    let access = Arc::new(Numbered::default());
    let rig = Rig::new(RouterOptions::default().access(Arc::clone(&access)));
    let _one = rig.add("one").await;
    let mut listening = Vec::new();
    for key in ["alice", "bob"] {
        let mut stream = rig.call_for(modern("1", "subscriptions/listen", TOOLS), keyed(key));
        stream.next().await;
        listening.push(stream);
    }
    access.bobs.store(1, std::sync::atomic::Ordering::Relaxed);
    rig.router.announce();
    // The order is what it was.
    rig.router.arrange(&["one"]);
    let told = [all_told(&mut listening[0]).await.len(), all_told(&mut listening[1]).await.len()];
    assert_eq!(told, [0, 1]);
}

/// The rights of each key are the same all the time, but for bob's.
#[derive(Default)]
struct Numbered {
    bobs: std::sync::atomic::AtomicUsize,
}

impl crate::Access for Arc<Numbered> {
    fn rights_group(&self, context: &Context) -> crate::CallerSet {
        let key = context.extensions.get::<ScopeKey>().unwrap();
        let number = self.bobs.load(std::sync::atomic::Ordering::Relaxed);
        match key.as_str() {
            "bob" => crate::CallerSet::Key(ScopeKey::new(format!("bob {number}"))),
            _ => crate::CallerSet::Key(key.clone()),
        }
    }

    fn list_group(&self, _: &str, _: &Context) -> crate::CallerSet {
        crate::CallerSet::Everybody
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_failed_comes_by_itself_though_nobody_asks_again() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut list = rig.call(modern("1", "tools/list", ""));
    for failures in 0..3 {
        let message = loop {
            let message = one.receive().await.unwrap();
            if message.is_method("tools/list") {
                break message;
            }
        };
        let id = message.id().unwrap();
        if failures < 2 {
            let error = r#""error":{"code":-32603,"message":"not yet"}"#;
            one.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},{error}}}"#));
        } else {
            one.answer(&id, r#"{"tools":[{"name":"a"}]}"#);
        }
        if failures == 0 {
            assert!(!text(&list.next().await).contains("one__a"));
        }
    }
    while rig.router.states()[0].1 != ListState::Ready {
        tokio::task::yield_now().await;
    }
    assert!(text(&rig.call(modern("2", "tools/list", "")).next().await).contains("one__a"));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_known_is_left_out_once_a_credential_is_missing_and_is_back_with_it() {
    const MISSING: &str =
        r#"{"code":-31001,"message":"get a token","data":{"outcome":"not sent","credential":"missing"}}"#;
    const FAILING: &str = r#"{"code":-31001,"message":"no","data":{"outcome":"not sent"}}"#;
    for (error, is_left_out) in [(MISSING, true), (FAILING, false)] {
        let rig = Rig::new(RouterOptions::default());
        let one = rig.add("one").await;
        let listed = || rig.call_for(modern("1", "tools/list", ""), keyed("alice"));
        let first = listed();
        tell_tools(&one, r#"[{"name":"a"}]"#).await;
        assert!(text(&first.into_next().await).contains("one__a"));
        let mut listening = rig.call_for(modern("2", "subscriptions/listen", TOOLS), keyed("alice"));
        listening.next().await;
        advance(REFRESH_LEAST).await;
        assert!(text(&listed().into_next().await).contains("one__a"), "it is fetched anew meanwhile");
        let id = until(&one, "tools/list").await;
        one.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#));
        let told = timeout(Duration::from_millis(1), listening.next()).await;
        assert_eq!(told.is_ok(), is_left_out, "{told:?}");
        assert_eq!(text(&listed().into_next().await).contains("one__a"), !is_left_out);
        if is_left_out {
            tell_tools(&one, r#"[{"name":"a"}]"#).await;
            assert!(listening.next().await.is_method("notifications/tools/list_changed"));
            assert!(text(&listed().into_next().await).contains("one__a"));
        }
    }
}
