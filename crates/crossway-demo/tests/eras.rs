//! The revisions of each era, and refusals of the others.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossway_demo::{Demo, Era};
use rmcp::{ClientLifecycleMode, ClientServiceExt, model::ProtocolVersion};
use serde_json::json;
use support::{LEGACY, Raw, Willing, call, connect, meta, text};

fn auto() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: None,
    }
}

#[test]
fn an_era_is_read_as_it_is_written() {
    for era in Era::ALL {
        assert_eq!(era.to_string().parse(), Ok(era));
    }
    assert!("ancient".parse::<Era>().is_err());
}

#[tokio::test(start_paused = true)]
async fn every_legacy_revision_is_agreed_to() {
    for era in [Era::Both, Era::Legacy] {
        for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
            let answer = Raw::connect(&Demo::new(era)).initialize(revision).await;
            assert_eq!(answer["result"]["protocolVersion"], revision);
        }
        for unknown in ["2026-07-28", "2030-01-01", "1"] {
            let answer = Raw::connect(&Demo::new(era)).initialize(unknown).await;
            assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_legacy_server_refuses_what_is_modern_and_then_initializes() {
    let mut raw = Raw::connect(&Demo::new(Era::Legacy));
    let refused = raw.request(1, "server/discover", json!({"_meta": meta(json!({}))})).await;
    assert_eq!(refused["error"]["code"], -32601);
    assert_eq!(raw.initialize("2025-11-25").await["result"]["protocolVersion"], "2025-11-25");
    let listed = raw.request(2, "tools/list", json!({})).await;
    assert_eq!(listed["result"]["tools"][0]["name"], "test_simple_text");

    for (id, method) in [(3, "tools/list"), (4, "prompts/list"), (5, "resources/list")] {
        let refused = raw.request(id, method, json!({"_meta": meta(json!({}))})).await;
        assert_eq!(refused["error"]["code"], -32600, "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("2025-11-25"));
    }
    let listen = json!({"_meta": meta(json!({})), "notifications": {"toolsListChanged": true}});
    assert_eq!(raw.request(6, "subscriptions/listen", listen).await["error"]["code"], -32601);
}

#[tokio::test(start_paused = true)]
async fn a_client_of_both_eras_finds_out_which_one_it_is() {
    for (era, revision) in [
        (Era::Legacy, ProtocolVersion::V_2025_11_25),
        (Era::Both, ProtocolVersion::V_2026_07_28),
        (Era::Modern, ProtocolVersion::V_2026_07_28),
    ] {
        let client = connect(&Demo::new(era), Willing::new().0, auto()).await;
        assert_eq!(client.peer_info().unwrap().protocol_version, revision, "{era}");
        assert_eq!(text(&call(&client, "ask", json!({})).await), "The user answered: Ada");
    }
}

#[tokio::test(start_paused = true)]
async fn a_modern_server_refuses_initialize_and_names_what_it_speaks() {
    let (ours, theirs) = tokio::io::duplex(4096);
    support::serve(Demo::new(Era::Modern), theirs);
    assert!(Willing::new().0.serve_with_lifecycle(ours, LEGACY).await.is_err());

    let params = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}
    });
    let refused = Raw::connect(&Demo::new(Era::Modern)).request(1, "initialize", params).await;
    assert_eq!(refused["id"], 1);
    assert!(refused["error"]["message"].as_str().unwrap().contains("2026-07-28"));
    assert_eq!(refused["error"]["data"], json!({"supported": ["2026-07-28"], "requested": "2025-11-25"}));
}

#[tokio::test(start_paused = true)]
async fn a_modern_request_needs_a_revision_that_the_server_has() {
    for (era, supported) in [(Era::Both, 5), (Era::Modern, 1)] {
        let mut raw = Raw::connect(&Demo::new(era));
        let unknown = meta(json!({"io.modelcontextprotocol/protocolVersion": "v999.0.0"}));
        let refused = raw.request(1, "tools/list", json!({"_meta": unknown})).await;
        assert_eq!(refused["error"]["code"], -32022);
        assert_eq!(refused["error"]["data"]["requested"], "v999.0.0");
        assert_eq!(refused["error"]["data"]["supported"].as_array().unwrap().len(), supported);
        let refused = raw.request(2, "tools/list", json!({})).await;
        assert_eq!(refused["error"]["code"], -32602);
    }
}
