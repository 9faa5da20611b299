//! A server whose standing stream is a stream of its own, as over Streamable HTTP: nothing but what is in a message says
//! what it is of.

use crossway_service::{Ask, Closing, Connection};
use futures_util::stream::poll_fn;
use tokio::sync::mpsc::{Sender, channel};

use super::*;

/// Where the test says what comes in one stream.
struct Told(Sender<Result<Message, CallError>>);

impl Told {
    async fn say(&self, text: &str) {
        self.0.send(Ok(message(text))).await.unwrap();
    }

    async fn answer(&self, request: &Message) {
        let answer = Message::result_of(&request.id().unwrap(), br#"{"content":[]}"#).unwrap();
        self.0.send(Ok(answer)).await.unwrap();
    }
}

/// Hands each request to the test, with the stream of its reply; and, under no request, the standing stream.
#[derive(Clone)]
struct Streams(Sender<(Option<Message>, Told)>);

impl Upstream for Streams {
    fn connect(&self, _: Scope) -> Link {
        Link::new(self.clone())
    }
}

impl Connection for Streams {
    fn call(&self, call: Call) -> Reply {
        let request = match call.ask {
            Ask::Message(message) if message.is_request() => Some(message),
            Ask::Message(_) => return Reply::accepted(),
            _ => None,
        };
        if let Some(opening) = request.as_ref().filter(|request| request.is_method("initialize")) {
            return Reply::once(Message::result_of(&opening.id().unwrap(), OPENED.as_bytes()).unwrap());
        }
        let (told, mut messages) = channel(1024);
        let _ = self.0.try_send((request, Told(told)));
        Reply::stream(poll_fn(move |cx| messages.poll_recv(cx)))
    }

    fn close(&self) -> Closing {
        Box::pin(std::future::ready(()))
    }
}

struct Apart {
    back: ToLegacy,
    link: Link,
    streams: Receiver<(Option<Message>, Told)>,
}

fn apart(options: ToLegacyOptions) -> Apart {
    let (heard, streams) = channel(1024);
    let back = ToLegacy::new("b", Streams(heard), options);
    Apart { link: back.connect(Scope::Shared), back, streams }
}

impl Apart {
    fn call(&self, message: Message) -> Asked {
        // They have a session of their own where nobody shares one.
        let mut context = Context::default();
        context.extensions.insert(ClientSession(context.origin));
        Asked::of(self.link.call(Call::message(message, context)))
    }

    /// Calls a tool, and has the server log for it.
    async fn call_with_logs(&mut self, id: &str) -> (Asked, Message, Told) {
        let call = self.call(modern(id, "tools/call", "{}", LOGS, r#","name":"n""#));
        let (mut request, mut told) = self.request().await;
        if request.is_method("logging/setLevel") {
            told.answer(&request).await;
            (request, told) = self.request().await;
        }
        (call, request, told)
    }

    /// The next request that the server gets.
    async fn request(&mut self) -> (Message, Told) {
        let (request, told) = self.streams.recv().await.unwrap();
        (request.expect("the standing stream is open"), told)
    }

    async fn standing(&mut self) -> Told {
        let (request, told) = self.streams.recv().await.unwrap();
        assert!(request.is_none());
        told
    }
}

/// Opens the session, and its standing stream.
async fn opened() -> (Apart, Told) {
    opened_with(ToLegacyOptions::shared_by(SharedBy::Everyone)).await
}

async fn opened_with(options: ToLegacyOptions) -> (Apart, Told) {
    let mut apart = apart(options);
    apart.call(modern("0", "server/discover", "{}", "", "")).next().await;
    let standing = apart.standing().await;
    (apart, standing)
}

fn with_progress(id: &str, token: &str) -> Message {
    modern(id, "tools/call", "{}", &format!(r#","progressToken":{token}"#), r#","name":"n""#)
}

fn listen() -> Message {
    let filter = r#","notifications":{"toolsListChanged":true}"#;
    modern("\"listening\"", "subscriptions/listen", "{}", "", filter)
}

fn progress(of: &Message, count: u32) -> String {
    progress_of(&of.progress_token().unwrap(), count)
}

fn progress_of(token: &RequestId, count: u32) -> String {
    let token = String::from_utf8(token.as_json().to_vec()).unwrap();
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{count}}}}}"#
    )
}

#[tokio::test]
async fn progress_on_the_standing_stream_is_told_to_the_call_that_it_is_of() {
    let (mut apart, standing) = opened().await;
    // Two clients that use one token.
    let mut first = apart.call(with_progress("1", r#""p""#));
    let (one, to_first) = apart.request().await;
    let mut second = apart.call(with_progress("1", r#""p""#));
    let (two, to_second) = apart.request().await;
    assert_ne!(one.progress_token(), two.progress_token());
    standing.say(&progress(&two, 2)).await;
    standing.say(&progress(&one, 1)).await;
    for (heard, wanted) in [(first.next().await, "1"), (second.next().await, "2")] {
        assert_eq!(heard.progress_token(), Some(RequestId::from("p")));
        assert_eq!(heard.member(Part::Params, "progress"), Some(wanted.as_bytes()));
    }
    to_first.answer(&one).await;
    to_second.answer(&two).await;
    assert_eq!(first.next().await.kind(), Kind::Result);
    assert_eq!(second.next().await.kind(), Kind::Result);
    assert_eq!(apart.back.strays(), 0);
}

#[tokio::test]
async fn progress_of_no_call_in_flight_is_counted_and_told_to_nobody() {
    let (mut apart, standing) = opened().await;
    let mut ended = apart.call(with_progress("1", "7"));
    let (request, told) = apart.request().await;
    told.answer(&request).await;
    assert_eq!(ended.next().await.kind(), Kind::Result);
    ended.end().await;
    let mut silent = apart.call(tool("2", "{}"));
    let (unasked, to_silent) = apart.request().await;
    let mut listening = apart.call(listen());
    listening.next().await;
    standing.say(&progress(&request, 1)).await;
    // Its client has not asked for it.
    let of_the_other = progress_of(&unasked.id().unwrap(), 2);
    standing.say(&of_the_other).await;
    standing.say(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}"#).await;
    standing.say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
    assert_eq!(listening.next().await.method().as_deref(), Some("notifications/tools/list_changed"));
    to_silent.answer(&unasked).await;
    assert_eq!(silent.next().await.kind(), Kind::Result);
    assert_eq!(apart.back.strays(), 3);
}

#[tokio::test]
async fn progress_waits_for_a_client_that_does_not_read_and_not_without_end() {
    let (mut apart, standing) = opened().await;
    let reply = apart.link.call(Call::message(with_progress("1", "7"), Context::default()));
    let (request, told) = apart.request().await;
    let mut listening = apart.call(listen());
    listening.next().await;
    for count in 0..limits::MAIL + 10 {
        standing.say(&progress(&request, u32::try_from(count).unwrap())).await;
    }
    standing.say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
    listening.next().await;
    told.answer(&request).await;
    let mut reply = Asked::of(reply);
    for _ in 0..limits::MAIL {
        assert_eq!(reply.next().await.progress_token(), Some(RequestId::from(7)));
    }
    assert_eq!(reply.next().await.kind(), Kind::Result);
    assert_eq!(apart.back.strays(), 10);
}

const LOGS: &str = r#","io.modelcontextprotocol/logLevel":"info""#;

fn log(data: u32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"error","data":{data}}}}}"#
    )
}

const TOOLS_CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// Has all been taken that the server has said.
async fn settled(standing: &Told, listening: &mut Asked) {
    standing.say(TOOLS_CHANGED).await;
    assert!(listening.next().await.is_method("notifications/tools/list_changed"));
}

#[tokio::test]
async fn a_log_message_of_no_call_reaches_the_only_call_beside_those_who_listen() {
    let (mut apart, standing) = opened().await;
    let mut listening = apart.call(listen());
    listening.next().await;
    let (mut call, request, told) = apart.call_with_logs("1").await;
    standing.say(&log(1)).await;
    assert_eq!(call.next().await.member(Part::Params, "data"), Some(&b"1"[..]));
    // Of two calls it may be either's.
    let mut second = apart.call(tool("2", "{}"));
    let (other, to_second) = apart.request().await;
    standing.say(&log(2)).await;
    settled(&standing, &mut listening).await;
    to_second.answer(&other).await;
    assert_eq!(second.next().await.kind(), Kind::Result);
    second.end().await;
    told.answer(&request).await;
    assert_eq!(call.next().await.kind(), Kind::Result);
}

#[tokio::test]
async fn a_log_message_that_may_be_of_a_resource_somebody_listens_to_reaches_nobody() {
    let (mut apart, standing) = opened().await;
    let mut listening = apart.call(listen());
    listening.next().await;
    let (mut call, request, told) = apart.call_with_logs("1").await;
    let filter = r#","notifications":{"resourceSubscriptions":["u"]}"#;
    let mut to_resource = apart.call(modern("2", "subscriptions/listen", "{}", "", filter));
    let (subscription, to_subscription) = apart.request().await;
    standing.say(&log(1)).await;
    to_subscription.answer(&subscription).await;
    to_resource.next().await;
    standing.say(&log(2)).await;
    settled(&standing, &mut listening).await;
    drop(to_resource);
    let (end, to_end) = apart.request().await;
    assert!(end.is_method("resources/unsubscribe"));
    standing.say(&log(3)).await;
    settled(&standing, &mut listening).await;
    to_end.answer(&end).await;
    drop(to_end);
    tokio::task::yield_now().await;
    standing.say(&log(4)).await;
    assert_eq!(call.next().await.member(Part::Params, "data"), Some(&b"4"[..]));
    told.answer(&request).await;
    assert_eq!(call.next().await.kind(), Kind::Result);
}

#[tokio::test]
async fn in_a_client_s_own_session_a_log_message_of_no_call_reaches_its_only_call_that_wants_some() {
    let (mut apart, standing) = opened_with(ToLegacyOptions::shared_by(SharedBy::ClientSession)).await;
    let filter = r#","notifications":{"resourceSubscriptions":["u"]}"#;
    let mut listening = apart.call(modern("2", "subscriptions/listen", "{}", "", filter));
    let (subscription, to_subscription) = apart.request().await;
    to_subscription.answer(&subscription).await;
    listening.next().await;
    let _silent = apart.call(tool("3", "{}"));
    let _unanswered = apart.request().await;
    let (mut call, _request, _told) = apart.call_with_logs("1").await;
    standing.say(&log(1)).await;
    assert_eq!(call.next().await.member(Part::Params, "data"), Some(&b"1"[..]));
}
