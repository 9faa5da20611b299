//! What passes, and how much of it.

use crossway_proto::{Kind, Message};
use crossway_service::{Reason, Reply, Scope, Upstream};
use crossway_stdio::StdioUpstream;
use crossway_testkit::corpus::{ODD_REQUESTS, ODD_RESULTS};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use crate::support::{Client, answer, command, message, options, upstream};

fn session() -> Client {
    Client::new(upstream("legacy").connect(Scope::Session))
}

fn echo(id: usize, text: &str) -> Message {
    message(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"echo","params":{{"n":{id},"text":"{text}"}}}}"#))
}

async fn check_echo(id: usize, text: &str, reply: Reply) {
    let answer = answer(reply).await.unwrap().to_bytes();
    let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"n":{id},"text":"{text}"}}}}"#);
    assert!(answer == expected.as_bytes(), "{id}: {} bytes", answer.len());
}

/// The child writes each answer before it reads on, and blocks on its stdout when that is full: so it does not read
/// while nobody reads it. All messages are handed over before the first answer is taken.
async fn thousand_large_messages_pass_both_ways(upstream: StdioUpstream) {
    let client = Client::new(upstream.connect(Scope::Session));
    let text = "lorem ipsum ".repeat(200 * 1024 / 12);
    let replies: Vec<Reply> = (0..1000).map(|id| client.send(echo(id, &text))).collect();
    let mut checks: FuturesUnordered<_> =
        replies.into_iter().enumerate().map(|(id, reply)| check_echo(id, &text, reply)).collect();
    while checks.next().await.is_some() {}
}

#[tokio::test]
async fn reading_and_writing_never_wait_for_each_other() {
    let options = options().with(|options| options.outgoing_bytes = 1 << 30);
    thousand_large_messages_pass_both_ways(StdioUpstream::new(command("legacy"), options)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn senders_on_many_threads_do_not_mix_their_lines() {
    let client = session();
    let senders = (0..8).map(|sender| {
        let client = client.clone();
        tokio::spawn(async move {
            for round in 0..100 {
                // Small ones, which are written at once, between such as fill the pipe.
                let text = "x".repeat(if round % 10 == sender { 100_000 } else { 10 * round });
                let id = sender * 1000 + round;
                check_echo(id, &text, client.send(echo(id, &text))).await;
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
}

#[tokio::test]
async fn messages_of_sixteen_mebibytes_pass_both_ways_four_at_a_time() {
    let client = session();
    let text = "0123456789abcdef".repeat(1 << 20);
    let check = |id| check_echo(id, &text, client.send(echo(id, &text)));
    tokio::join!(check(1), check(2), check(3), check(4));
}

#[tokio::test]
async fn odd_requests_arrive_as_they_are_but_for_their_ids() {
    let client = session();
    for odd in ODD_REQUESTS {
        // What the child answers depends on the method, so that is changed; everything else is as it was.
        let method = message(*odd).method().unwrap().into_owned();
        let text =
            odd.replacen("to\\u006fls\\/call", "line", 1).replacen(&format!("\"{method}\""), "\"line\"", 1);
        let sent = message(text.clone());
        let answer = answer(client.send(sent.clone())).await.unwrap();
        assert_eq!(answer.id().unwrap().as_json(), sent.id().unwrap().as_json(), "{odd}");

        let line: String = serde_json::from_slice(answer.result().unwrap()).unwrap();
        let arrived = message(line.clone());
        let mut expected = sent.clone();
        expected.set_id(&arrived.id().unwrap());
        if sent.progress_token().is_some() {
            expected.set_progress_token(&arrived.id().unwrap());
        }
        assert_eq!(line.as_bytes(), expected.to_bytes(), "{odd}");
    }
}

#[tokio::test]
async fn odd_results_come_back_as_they_are() {
    let client = session();
    for odd in ODD_RESULTS {
        let answer = answer(client.ask("result", &json!({ "text": odd }))).await.unwrap();
        assert_eq!(
            answer.to_bytes(),
            format!(r#"{{"jsonrpc":"2.0","id":"result","result":{odd}}}"#),
            "{odd}"
        );
    }
}

#[tokio::test]
async fn a_message_with_newlines_is_one_line_for_the_child() {
    let client = session();
    let pretty = "{\r\n  \"jsonrpc\": \"2.0\",\n  \"id\": 1,\n  \"method\": \"line\"\n}\n";
    let answer = answer(client.send(message(pretty))).await.unwrap();
    let line: String = serde_json::from_slice(answer.result().unwrap()).unwrap();
    assert!(line.starts_with("{    \"jsonrpc\": \"2.0\",") && !line.contains('\n'), "{line}");
}

#[tokio::test]
async fn progress_and_requests_of_the_server_come_before_the_answer_and_in_order() {
    let client = session();
    let text = concat!(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":ID,\"progress\":1}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"roots/list\"}\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":ID,\"progress\":2}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{}}\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":ID,\"progress\":3}}\n",
    );
    let params = json!({ "text": text, "_meta": { "progressToken": "p" } });
    let mut reply = client.ask("say", &params);
    let mut heard = Vec::new();
    while let Some(message) = reply.next().await {
        let message = message.unwrap();
        heard.push((message.kind(), message.progress_token().map(|token| token.to_string())));
    }
    let token = Some("\"p\"".to_owned());
    assert_eq!(
        heard,
        [
            (Kind::Notification, token.clone()),
            (Kind::Request, None),
            (Kind::Notification, token),
            (Kind::Result, None)
        ]
    );
}

/// Far more than may wait for one reader, in the course of one call.
fn flood(count: usize) -> Value {
    let progress = |n: usize| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":ID,\"progress\":{n}}}}}\n"
        )
    };
    let text: String = (0..count).map(progress).collect();
    let text = text + "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{}}\n";
    json!({ "text": text, "_meta": { "progressToken": "p" } })
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_up_the_others_of_a_pooled_session() {
    let link = upstream("legacy").connect(Scope::Pooled);
    let (slow, other) = (Client::new(link.clone()), Client::new(link));
    let mut unread = slow.ask("say", &flood(20_000));
    check_echo(1, "other", other.send(echo(1, "other"))).await;
    let error = loop {
        if let Err(error) = unread.next().await.unwrap() {
            break error;
        }
    };
    assert!(matches!(error.reason(), Reason::OverLimit(_)), "{error}");
    check_echo(2, "slow", slow.send(echo(2, "slow"))).await;
}

#[tokio::test]
async fn a_client_that_reads_gets_all_that_a_pooled_session_has_for_it() {
    let client = Client::new(upstream("legacy").connect(Scope::Pooled));
    let mut reply = client.ask("say", &flood(20_000));
    let mut heard = 0;
    while let Some(message) = reply.next().await {
        heard += 1;
        assert_eq!(message.unwrap().is_response(), heard == 20_001);
    }
    assert_eq!(heard, 20_001);
}

#[tokio::test]
async fn a_client_that_does_not_listen_holds_its_child_up_and_loses_nothing() {
    let mut options = options();
    options.service.waiting_messages = 10;
    let client = Client::new(StdioUpstream::new(command("legacy"), options).connect(Scope::Session));
    let mut listener = client.listen();
    let note = |n: usize| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{{\"n\":{n},\"pad\":\"{}\"}}}}\n",
            "x".repeat(500)
        )
    };
    let text: String = (0..5000).map(note).collect();
    let said = client
        .ask("say-and-exit", &json!({ "text": text + "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{}}\n" }));
    for n in 0..5000 {
        let message = listener.next().await.unwrap().unwrap();
        assert_eq!(serde_json::from_slice::<Value>(message.params().unwrap()).unwrap()["n"], n);
    }
    assert!(answer(said).await.is_ok());
    assert!(listener.next().await.unwrap().is_err());
}
