//! Subscriptions that end, and what follows.

use std::time::Duration;

use tokio::time::timeout;

use super::*;

const A_LITTLE: Duration = Duration::from_secs(5);

const RESOURCES: &str = r#","notifications":{"resourceSubscriptions":["u:a"]}"#;

fn cancelled(id: &RequestId) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#)
}

/// Tells a resource, `u:a`, and takes the subscription to it, whose id it gives.
async fn subscribed(server: &Server) -> RequestId {
    loop {
        let message = server.receive().await.unwrap();
        let Some(id) = message.id() else { continue };
        match message.method().as_deref().unwrap() {
            "resources/list" => server.answer(&id, r#"{"resources":[{"uri":"u:a"}]}"#),
            "resources/templates/list" => server.answer(&id, r#"{"resourceTemplates":[]}"#),
            "subscriptions/listen" if text(&message).contains("resourceSubscriptions") => {
                server.send(&format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},"notifications":{{"resourceSubscriptions":["u:a"]}}}}}}"#
                ));
                return id;
            }
            _ => {}
        }
    }
}

/// The last message of a listen stream: its answer.
async fn end(listening: &mut Asked) {
    let last = timeout(A_LITTLE, listening.next()).await.expect("an end");
    assert_eq!(last.kind(), Kind::Result, "{last:?}");
    assert!(listening.0.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_an_upstream_cancels_is_asked_for_anew() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let _asked = rig.call(modern("1", "tools/list", ""));
    let listens = async || loop {
        let message = one.receive().await.unwrap();
        if message.is_method("subscriptions/listen") {
            return message.id().unwrap();
        }
    };
    let id = listens().await;
    one.send(&cancelled(&id));
    timeout(A_LITTLE, listens()).await.expect("another subscription");
}

#[tokio::test(start_paused = true)]
async fn who_is_subscribed_to_a_resource_hears_that_the_upstream_ends_it() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut listening = rig.call(modern("1", "subscriptions/listen", RESOURCES));
    let id = subscribed(&one).await;
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    one.send(&cancelled(&id));
    end(&mut listening).await;
}
