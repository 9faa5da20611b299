//! Notifications of changes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(deprecated, reason = "resources/subscribe is legacy-only, and tested here")]

mod support;

use crossway_demo::{Demo, Era};
use rmcp::model::*;
use serde_json::json;
use support::{LEGACY, Raw, Willing, call, client, code, connect, modern, text};

const WATCHED: &str = "test://watched-resource";

#[tokio::test(start_paused = true)]
async fn a_change_made_in_one_session_is_told_to_all_others() {
    let demo = Demo::new(Era::Both);
    let (first, mut heard_by_first) = Willing::new();
    let (second, mut heard_by_second) = Willing::new();
    let first = connect(&demo, first, LEGACY).await;
    let _second = connect(&demo, second, LEGACY).await;
    let third = connect(&demo, Willing::new().0, modern()).await;
    let mut stream = third.listen(SubscriptionFilter::builder().tools_list_changed().build()).await.unwrap();

    let told = call(&first, "test_trigger_prompt_change", json!({})).await;
    assert_eq!(text(&told), "Listeners told: 2.");
    let told = call(&third, "test_trigger_tool_change", json!({})).await;
    assert_eq!(text(&told), "Listeners told: 3.");

    for heard in [&mut heard_by_first, &mut heard_by_second] {
        assert_eq!(
            (heard.recv().await.unwrap(), heard.recv().await.unwrap()),
            ("prompts".into(), "tools".into())
        );
    }
    let told = stream.next().await.unwrap().unwrap();
    assert!(matches!(told, ServerNotification::ToolListChangedNotification(_)), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_legacy_session_is_told_of_what_it_subscribed_to() {
    let demo = Demo::new(Era::Both);
    let (willing, mut heard) = Willing::new();
    let client = connect(&demo, willing, LEGACY).await;
    let other = connect(&demo, Willing::new().0, LEGACY).await;

    client.subscribe(SubscribeRequestParams::new(WATCHED)).await.unwrap();
    let told = call(&other, "test_trigger_resource_update", json!({})).await;
    assert_eq!(text(&told), "The resource is at version 2. Listeners told: 1.");
    assert_eq!(heard.recv().await.unwrap(), format!("updated {WATCHED}"));
    let read = client.read_resource(ReadResourceRequestParams::new(WATCHED)).await.unwrap();
    assert_eq!(read.contents, [ResourceContents::text("Version 2 of the watched resource.", WATCHED)]);

    client.unsubscribe(UnsubscribeRequestParams::new(WATCHED)).await.unwrap();
    let told = call(&other, "test_trigger_resource_update", json!({})).await;
    assert_eq!(text(&told), "The resource is at version 3. Listeners told: 0.");
    assert_eq!(code(client.subscribe(SubscribeRequestParams::new("test://nothing")).await), -32002);
}

#[tokio::test(start_paused = true)]
async fn a_session_may_watch_64_resources() {
    let client = client(LEGACY).await;
    for id in 0..64 {
        client.subscribe(SubscribeRequestParams::new(format!("test://template/{id}/data"))).await.unwrap();
    }
    client.subscribe(SubscribeRequestParams::new("test://template/0/data")).await.unwrap();
    assert_eq!(code(client.subscribe(SubscribeRequestParams::new(WATCHED)).await), -32602);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_acknowledged_for_what_there_is() {
    let client = client(modern()).await;
    let wanted = SubscriptionFilter::builder()
        .resource_subscriptions([WATCHED, "test://nothing"])
        .prompts_list_changed();
    let mut stream = client.listen(wanted.build()).await.unwrap();
    let accepted =
        SubscriptionFilter::builder().resource_subscriptions([WATCHED]).prompts_list_changed().build();
    assert_eq!(*stream.acknowledged(), accepted);

    let told = call(&client, "test_trigger_tool_change", json!({})).await;
    assert_eq!(text(&told), "Listeners told: 0.");
    call(&client, "test_trigger_resource_update", json!({})).await;
    let told = stream.next().await.unwrap().unwrap();
    assert!(
        matches!(told, ServerNotification::ResourceUpdatedNotification(update) if update.params.uri == WATCHED)
    );

    stream.cancel().await.unwrap();
    let told = call(&client, "test_trigger_prompt_change", json!({})).await;
    assert_eq!(text(&told), "Listeners told: 0.");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ended_is_told_nothing() {
    let demo = Demo::new(Era::Both);
    let gone = connect(&demo, Willing::new().0, LEGACY).await;
    let client = connect(&demo, Willing::new().0, modern()).await;
    assert_eq!(text(&call(&client, "test_trigger_tool_change", json!({})).await), "Listeners told: 1.");
    gone.cancel().await.unwrap();
    // The server notices the closed pipe in its own time. Each call gives it a turn, and it needs few.
    let mut told = String::new();
    for _ in 0..100 {
        told = text(&call(&client, "test_trigger_tool_change", json!({})).await).to_owned();
        if told == "Listeners told: 0." {
            break;
        }
    }
    assert_eq!(told, "Listeners told: 0.");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_does_not_read_holds_up_nobody_for_long() {
    let demo = Demo::new(Era::Both);
    let (ours, theirs) = tokio::io::duplex(256);
    support::serve(demo.clone(), theirs);
    let mut stuck = Raw::over(ours);
    stuck.initialize("2025-11-25").await;
    let client = connect(&demo, Willing::new().0, LEGACY).await;
    let begun = tokio::time::Instant::now();
    // Notifications that fit into the pipe are accepted; then each change waits for its second, and no longer.
    for _ in 0..10 {
        call(&client, "test_trigger_tool_change", json!({})).await;
    }
    assert!(begun.elapsed() <= std::time::Duration::from_secs(10));
    assert_eq!(text(&call(&client, "test_trigger_tool_change", json!({})).await), "Listeners told: 1.");
}
