//! The sessions of an instance of a legacy server.

use std::time::Duration;

use serde_json::{Value, json};

use super::named::{call, config, of, run};
use super::rig::{Rig, User};

/// A config whose server `sa` is legacy, and limited so.
fn limited(scope: &str, limits: Value) -> Value {
    let mut config = config(scope, json!([]));
    config["upstreams"]["sa"]["args"] = json!(["sa", "legacy"]);
    config["upstreams"]["sa"]["limits"] = limits;
    config
}

/// Begins calls of a client that can be asked, each of which has a session of its own. Returns their labels.
async fn begin(rig: &mut Rig, calls: usize) -> Vec<String> {
    let labels: Vec<String> = (0..calls).map(|call| format!("slow {call}")).collect();
    for (id, label) in labels.iter().enumerate() {
        let asks = json!({ "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} } });
        let params = json!({ "name": "sa__slow", "arguments": {}, "_meta": asks });
        rig.send(&of(User::Alice), label, json!(id), "tools/call", params).await;
    }
    labels
}

#[test]
fn a_legacy_server_has_no_more_sessions_than_its_limits_allow() {
    run(async {
        let mut rig = Rig::new(&limited("user", json!({ "sessions": 2 })));
        let labels = begin(&mut rig, 3).await;
        rig.pass(Duration::from_secs(8)).await;
        assert_eq!(rig.world.connections(), 2);
        rig.pass(Duration::from_secs(40)).await;
        let heard = rig.heard();
        let refused = labels.iter().filter(|label| heard[*label].concat().contains("-31003")).count();
        assert_eq!(refused, 1, "{heard:?}");
    });
}

#[test]
fn sessions_of_a_legacy_server_end_that_nobody_uses_while_others_are_used() {
    run(async {
        let mut rig = Rig::new(&limited("shared", json!({ "session_idle": "10s" })));
        begin(&mut rig, 3).await;
        rig.pass(Duration::from_secs(40)).await;
        for _ in 0..8 {
            assert!(call(&mut rig, User::Ann, "sa__get_a").await.contains("sa to"));
        }
        assert_eq!(rig.world.connections(), 1);
    });
}
