//! Names that an upstream does not list, where rules name some of its tools.

use serde_json::{Value, json};

use super::named::{TIME, call, config, of, run};
use super::rig::{Rig, User};

/// What comes of calls by names of `sa` that it has by no list, and of one that is in no list either way.
async fn told(rig: &mut Rig, user: User) -> [Vec<String>; 2] {
    let mut told = [Vec::new(), Vec::new()];
    for name in ["GET_A", "no_such"] {
        told[0].push(call(rig, user, &format!("sa__{name}")).await);
        let at = super::rig::At { upstream: Some("sa"), ..of(user) };
        let params = json!({ "name": name, "arguments": {} });
        told[1].push(rig.ask(&at, "tools/call", params, TIME).await.concat());
    }
    told
}

fn is_unknown(told: &[Vec<String>; 2]) -> bool {
    let is_of = |told: &[String], prefix: &str| {
        told.iter().zip(["GET_A", "no_such"]).all(|(told, name)| {
            let error = json!({ "code": -32602, "message": format!("Unknown tool: {prefix}{name}") });
            serde_json::from_str::<Value>(told.trim_end_matches("over")).unwrap()["error"] == error
        })
    };
    is_of(&told[0], "sa__") && is_of(&told[1], "")
}

#[test]
fn where_tools_are_disabled_no_name_that_is_not_listed_reaches_the_server() {
    run(async {
        let all = config("tenant", json!([]));
        let mut rig = Rig::new(&all);
        let reached = told(&mut rig, User::Alice).await;
        assert!(reached.iter().flatten().all(|told| told.contains("sa has no such tool")), "{reached:?}");
        let mut disabled = all.clone();
        let server = disabled["upstreams"].as_object_mut().unwrap().remove("sa").unwrap();
        let (command, args) = (&server["command"], &server["args"]);
        disabled["mcpServers"] =
            json!({ "sa": { "command": command, "args": args, "disabledTools": ["get_a"] } });
        let mut rig = Rig::new(&disabled);
        let told = told(&mut rig, User::Alice).await;
        assert!(is_unknown(&told), "{told:?}");
        // The disabled tool is as one that is not there.
        assert!(call(&mut rig, User::Alice, "sa__get_a").await.contains("Unknown tool: sa__get_a\""));
        assert!(call(&mut rig, User::Alice, "sa__get_b").await.contains("sa to "));
        assert!(call(&mut rig, User::Alice, "sb__GET_A").await.contains("sb has no such tool"));
    });
}

#[test]
fn where_a_quota_of_the_caller_s_counts_tools_no_name_that_is_not_listed_reaches_the_server() {
    run(async {
        for tool in ["get_a", "get_*", "*"] {
            let quota = json!({ "tenant": "acme", "upstream": "sa", "tool": tool, "calls": "2/min" });
            let mut rig = Rig::new(&config("tenant", json!([quota])));
            let ours = told(&mut rig, User::Alice).await;
            assert!(is_unknown(&ours), "{tool} {ours:?}");
            assert!(call(&mut rig, User::Alice, "sa__get_b").await.contains("sa to "));
            assert!(call(&mut rig, User::Alice, "sb__GET_A").await.contains("sb has no such tool"));
            // Another tenant's calls are not counted by it, and go where they went.
            let theirs = told(&mut rig, User::Bob).await;
            assert!(theirs.iter().flatten().all(|told| told.contains("sa has no such tool")), "{theirs:?}");
        }
    });
}
