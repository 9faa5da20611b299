//! Links that several clients share: their requests go out under ids of the upstream's own.

use crossway_proto::RequestId;
use crossway_service::{Link, Outcome, Reason, Scope, Upstream};

use super::super::Options;
use super::peer::{Peer, ask, call, message, modern, next, result};

fn shared(peer: &Peer) -> Link {
    peer.upstream.connect(Scope::Shared)
}

#[tokio::test]
async fn a_second_answer_is_never_given_to_another_client_that_uses_the_same_id() {
    let mut peer = Peer::new().await;
    let links = [shared(&peer), shared(&peer)];
    let (answer, first) = tokio::join!(ask(&links[0], modern(1, "tools/list", "")), async {
        let mut exchange = peer.next().await;
        let answer = exchange.under_its_id(&result(0));
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}", answer.len());
        exchange.send(format!("{head}\r\n\r\n{answer}")).await;
        let nth = exchange.nth;
        exchange.keep();
        (format!("{head}\r\n\r\n{answer}"), nth)
    });
    assert_eq!(answer, Ok(result(1)));
    let (stolen, nth) = tokio::join!(ask(&links[1], modern(1, "tools/list", "")), async {
        let mut exchange = peer.next().await;
        exchange.send(first.0).await;
        exchange.nth
    });
    assert_eq!((first.1, nth), (1, 2), "the connection is reused");
    let error = stolen.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(
        matches!(error.reason(), Reason::InvalidAnswer(what) if what.to_string().contains("another request")),
        "{error}"
    );
}

#[tokio::test]
async fn ids_and_progress_tokens_come_back_as_the_client_wrote_them() {
    let mut peer = Peer::new().await;
    let link = shared(&peer);
    let request = modern(1, "tools/call", r#""name":"t","#)
        .replace(r#""id":1"#, r#""id":"a\u0062""#)
        .replace(r#""_meta":{"#, r#""_meta":{"progressToken":1.50,"#);
    let mut reply = call(&link, &request);
    let progress = |token: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
        )
    };
    let client = async {
        assert_eq!(next(&mut reply).await, Some(Ok(progress("1.50"))));
        assert_eq!(next(&mut reply).await, Some(Ok(result(1).replace(r#""id":1"#, r#""id":"a\u0062""#))));
        assert_eq!(next(&mut reply).await, None);
    };
    tokio::join!(client, async {
        let mut exchange = peer.expect("POST", "tools/call").await;
        let id = exchange.id();
        assert_ne!(id, RequestId::from("ab"));
        assert_eq!(message(&exchange.body).progress_token(), Some(id.clone()));
        exchange.open_stream().await;
        // That of another call.
        exchange.event(&progress("1.50")).await;
        exchange.event(&progress(&id.to_string())).await;
        let answer = exchange.under_its_id(&result(0));
        exchange.event(&answer).await;
        exchange.end_stream().await;
    });
    assert_eq!(peer.upstream.strays(), 1);
}

#[tokio::test]
async fn notifications_of_a_subscription_name_it_as_the_client_does_and_those_of_others_are_dropped() {
    let mut peer = Peer::new().await;
    let link = shared(&peer);
    let listen = modern(7, "subscriptions/listen", r#""notifications":{"toolsListChanged":true},"#);
    let mut reply = call(&link, &listen);
    let changed = |id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
        )
    };
    let client = async {
        assert_eq!(next(&mut reply).await, Some(Ok(changed("7"))));
        let end = next(&mut reply).await.unwrap().unwrap();
        assert_eq!(
            end,
            r#"{"jsonrpc":"2.0","id":7,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":7}}}"#
        );
    };
    tokio::join!(client, async {
        let mut exchange = peer.expect("POST", "subscriptions/listen").await;
        let id = exchange.id().to_string();
        exchange.open_stream().await;
        exchange.event(&changed("7777")).await;
        exchange.event(&changed(&id)).await;
        let end = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
        );
        exchange.event(&end).await;
        exchange.end_stream().await;
    });
    assert_eq!(peer.upstream.strays(), 1);
}

#[tokio::test]
async fn a_clients_own_link_keeps_its_bytes_and_a_shared_one_where_it_is_told_to() {
    let (mut own, mut told) = (Peer::new().await, Peer::with(Options::default().keep_ids()).await);
    for (link, peer) in [(own.link(), &mut own), (shared(&told), &mut told)] {
        let request = modern(1, "tools/list", "");
        let (answer, ()) = tokio::join!(ask(&link, &request), async {
            let exchange = peer.next().await;
            assert_eq!(exchange.body, request);
            exchange.answer(&result(1)).await;
        });
        assert_eq!(answer, Ok(result(1)));
    }
}
