use std::time::Duration;

use crossway_testkit::Scripted;
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;

use super::*;

const LIST: &str = r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#;

/// Upstreams that answer `tools/list` after a delay, or never.
fn directory(upstreams: &[(&str, Option<Duration>)]) -> Directory {
    let directory = Directory::new(Config::new());
    for (name, after) in upstreams {
        let (upstream, mut servers) = Scripted::new();
        directory.insert(name, OpenApi::new(upstream, Config::new()));
        let after = *after;
        tokio::spawn(async move {
            let (_, server) = servers.recv().await.unwrap();
            let Some(after) = after else { return std::future::pending().await };
            loop {
                let id = server.expect("tools/list").await;
                tokio::time::sleep(after).await;
                server.answer(&id, LIST);
            }
        });
    }
    directory
}

/// The document's paths, and how long the request took.
async fn paths(directory: &mut Directory) -> (Vec<String>, Duration) {
    let begun = Instant::now();
    let request = Request::get("/openapi.json").header("host", "localhost").body(Full::<Bytes>::default());
    let answer = directory.call(request.unwrap()).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (document["paths"].as_object().unwrap().keys().cloned().collect(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_document_does_not_wait_for_one_of_which_nothing_is_known_while_others_are() {
    let mut directory =
        directory(&[("a", Some(Duration::ZERO)), ("silent", None), ("b", Some(DOCUMENT_TIME / 2))]);
    let (paths, time) = paths(&mut directory).await;
    assert_eq!((paths, time), (vec!["/a/echo".to_owned(), "/b/echo".to_owned()], DOCUMENT_TIME));
}

#[tokio::test(start_paused = true)]
async fn a_document_waits_for_the_first_of_which_something_is_known() {
    let late = DOCUMENT_TIME * 3;
    let mut directory = directory(&[("later", Some(late * 2)), ("late", Some(late)), ("silent", None)]);
    assert_eq!(paths(&mut directory).await, (vec!["/late/echo".to_owned()], late));
}

#[tokio::test(start_paused = true)]
async fn a_document_of_upstreams_that_are_all_there_waits_for_nothing_else() {
    let mut directory = directory(&[("a", Some(Duration::ZERO)), ("b", Some(Duration::ZERO))]);
    assert_eq!(paths(&mut directory).await.1, Duration::ZERO);
}

#[tokio::test]
async fn who_lacks_a_key_that_is_strict_can_not_tell_a_name_from_another() {
    let key = crate::face::ApiKey::new("top-secret").unwrap().strict();
    let mut directory = Directory::new(Config::new().key(key));
    directory.insert("here", OpenApi::new(Scripted::new().0, Config::new()));
    for path in ["/here/echo", "/gone/echo", "/here", "/here/docs", "/docs", "/"] {
        let request = Request::get(path).header("host", "localhost").body(Full::<Bytes>::default());
        let answer = directory.call(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
}
