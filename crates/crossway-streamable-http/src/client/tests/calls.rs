//! Requests and their answers.

use crossway_proto::Revision;
use crossway_service::{Call, Context, Outcome, Reason};
use crossway_testkit::corpus;

use super::peer::{Peer, ask, call, message, next, result, tool_call};
use crate::client::{Limits, Options};

const LEGACY: Revision = Revision::V2025_11_25;

#[tokio::test]
async fn a_json_answer_is_the_one_message_of_the_reply() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        let exchange = peer.expect("POST", "tools/call").await;
        assert_eq!(exchange.header("accept"), Some("application/json, text/event-stream"));
        assert_eq!(exchange.header("content-type"), Some("application/json"));
        assert_eq!(exchange.header("accept-encoding"), Some("identity"));
        assert_eq!(exchange.body, tool_call(1));
        exchange.answer(&result(1)).await;
    });
    assert_eq!(answer, Ok(result(1)));
}

#[tokio::test]
async fn an_event_stream_gives_its_messages_in_order_until_the_answer() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let progress =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#;
    let question = r#"{"jsonrpc":"2.0","id":"s-1","method":"sampling/createMessage","params":{}}"#;
    let mut reply = call(&link, &tool_call(1));
    let client = async {
        let mut seen = Vec::new();
        while let Some(item) = next(&mut reply).await {
            seen.push(item.unwrap());
        }
        seen
    };
    let (seen, ()) = tokio::join!(client, async {
        let mut exchange = peer.expect("POST", "tools/call").await;
        exchange.open_stream().await;
        exchange.chunk(": hello\n\nid: 1\ndata:\n\n").await;
        exchange.event(progress).await;
        exchange.chunk(&format!("event: other\ndata: {{}}\n\ndata: {}", &question[..20])).await;
        exchange.chunk(&format!("{}\n\n", &question[20..])).await;
        exchange.event(&result(1)).await;
        exchange.end_stream().await;
    });
    assert_eq!(seen, [progress, question, &result(1)]);
}

#[tokio::test]
async fn odd_messages_pass_byte_for_byte_both_ways() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    for (turn, text) in corpus::ODD_REQUESTS.iter().enumerate() {
        let request = message(text);
        let id = request.id().unwrap().to_string();
        let odd = corpus::ODD_RESULTS[turn % corpus::ODD_RESULTS.len()];
        let answer = format!("{{\"result\" : {odd}, \"jsonrpc\":\"2.0\",\"id\":{id} }}");
        let (got, ()) = tokio::join!(ask(&link, text), async {
            let mut exchange = peer.next().await;
            assert_eq!(exchange.body, *text);
            if turn % 2 == 0 {
                exchange.answer(&answer).await;
            } else {
                exchange.open_stream().await;
                exchange.event(&answer).await;
                exchange.end_stream().await;
            }
        });
        assert_eq!(got, Ok(answer));
    }
}

#[tokio::test]
async fn an_id_comes_back_as_the_client_wrote_it() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let (answer, ()) = tokio::join!(ask(&link, r#"{"jsonrpc":"2.0","id":7.0,"method":"ping"}"#), async {
        peer.next().await.answer(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#).await;
    });
    assert_eq!(answer.unwrap(), r#"{"jsonrpc":"2.0","id":7.0,"result":{}}"#);
}

#[tokio::test]
async fn many_calls_at_once_get_their_own_answers() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let clients = futures_util::future::join_all((1..=20).map(|id| {
        let link = link.clone();
        async move { assert_eq!(ask(&link, tool_call(id)).await, Ok(result(id))) }
    }));
    tokio::join!(clients, async {
        let mut waiting = Vec::new();
        for _ in 1..=20 {
            waiting.push(peer.next().await);
        }
        // In another order than they came.
        while let Some(exchange) = waiting.pop() {
            let id = message(&exchange.body).id().unwrap().as_u64().unwrap();
            exchange.answer(&result(id)).await;
        }
    });
}

#[tokio::test]
async fn an_answer_of_16_mib_passes() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let text = "x".repeat(16 << 20);
    let answer = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"text":"{text}"}}}}"#);
    let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"text":"{text}"}}}}"#);
    let (got, ()) = tokio::join!(ask(&link, &request), async {
        let exchange = peer.next().await;
        assert_eq!(exchange.body.len(), request.len());
        exchange.answer(&answer).await;
    });
    assert!(got == Ok(answer));
}

#[tokio::test]
async fn a_batch_is_read_in_2025_03_26_alone() {
    let batch = format!(
        r#"[{{"jsonrpc":"2.0","method":"notifications/message","params":{{}}}},{},{{"jsonrpc":"2.0","id":9,"result":{{}}}}]"#,
        result(1)
    );
    for (revision, is_read) in [(Revision::V2025_03_26, true), (LEGACY, false)] {
        let mut peer = Peer::new().await;
        let link = peer.session(revision).await;
        let mut reply = call(&link, &tool_call(1));
        let (first, ()) = tokio::join!(next(&mut reply), async { peer.next().await.answer(&batch).await });
        if is_read {
            assert!(first.unwrap().unwrap().contains("notifications/message"));
            assert_eq!(next(&mut reply).await, Some(Ok(result(1))));
            assert_eq!(next(&mut reply).await, None);
        } else {
            assert!(matches!(first.unwrap().unwrap_err().reason(), Reason::InvalidAnswer(_)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_call_and_cancels_it() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut context = Context::default();
    context.deadline = Some(std::time::Instant::now() + std::time::Duration::from_secs(7));
    let mut reply = link.call(Call::message(message(tool_call(1)), context));
    let error = next(&mut reply).await.unwrap().unwrap_err();
    assert!(matches!(error.reason(), Reason::TimedOut(_)));
    assert_eq!(error.outcome(), Outcome::Unknown);
    let exchange = peer.expect("POST", "tools/call").await;
    exchange.closed().await;
    let cancelled = peer.expect("POST", "notifications/cancelled").await;
    assert_eq!(message(&cancelled.body).cancelled_id(), Some(1.into()));
}

#[tokio::test(start_paused = true)]
async fn a_silent_answer_is_given_up_where_a_limit_says_so() {
    let limits = Limits { read_idle: Some(std::time::Duration::from_secs(60)), ..Limits::default() };
    let mut peer = Peer::in_memory(Options::default().limits(limits));
    let link = peer.session(LEGACY).await;
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        let mut exchange = peer.next().await;
        exchange.open_stream().await;
        exchange.closed().await;
    });
    assert!(matches!(answer.unwrap_err().reason(), Reason::Ended(_)));
}

#[tokio::test]
async fn too_many_calls_at_once_are_refused() {
    let limits = Limits { session_calls: 2, ..Limits::default() };
    let peer = Peer::with(Options::default().limits(limits)).await;
    let link = peer.link();
    let _held = (call(&link, &tool_call(1)), call(&link, &tool_call(2)));
    let error = ask(&link, tool_call(3)).await.unwrap_err();
    assert!(matches!(error.reason(), Reason::OverLimit(_)));
    assert_eq!(error.outcome(), Outcome::NotSent);
}

#[tokio::test(start_paused = true)]
async fn a_notification_that_is_never_accepted_is_given_up() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#;
    let mut reply = call(&link, notification);
    let begun = tokio::time::Instant::now();
    let (error, exchange) =
        tokio::join!(next(&mut reply), peer.expect("POST", "notifications/roots/list_changed"));
    let error = error.unwrap().unwrap_err();
    let limit = std::time::Duration::from_secs(30);
    assert_eq!((error.reason(), error.outcome()), (&Reason::TimedOut(limit), Outcome::Unknown));
    assert_eq!(begun.elapsed(), limit);
    exchange.closed().await;

    let mut context = Context::default();
    context.deadline = Some(std::time::Instant::now());
    let mut reply = link.call(Call::message(message(notification), context));
    let error = next(&mut reply).await.unwrap().unwrap_err();
    assert!(matches!(error.reason(), Reason::TimedOut(limit) if limit.is_zero()), "{error}");
}
