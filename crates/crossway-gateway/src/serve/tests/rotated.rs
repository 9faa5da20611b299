//! Secrets that are rotated or removed.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::named::{TIME, call, config, of, run};
use super::rig::{Rig, User};
use super::world::CallerSet;

const ALICES: &str = "alice_40acme.example";

/// Where `sb` is started with what is in a user's file.
fn of_files(directory: &Path, quotas: Value) -> Value {
    let mut config = config("user", quotas);
    config["credentials"] =
        json!([{ "upstream": "sb", "for": "user", "env": "WHO", "from": { "directory": directory } }]);
    config
}

async fn listens(rig: &mut Rig, filter: Value) {
    let params = json!({ "notifications": filter });
    rig.send(&of(User::Alice), "heard", json!("l"), "subscriptions/listen", params).await;
    rig.pass(TIME).await;
}

#[test]
fn who_replaces_a_secret_is_served_with_the_new_one_at_once_whatever_the_quota() {
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join(ALICES), "first").unwrap();
    run(async {
        let quotas = json!([{ "per_user": { "children": 1 }, "upstream": "sb" }]);
        let mut rig = Rig::new(&of_files(files.path(), quotas));
        listens(&mut rig, json!({ "toolsListChanged": true })).await;
        assert!(call(&mut rig, User::Alice, "sb__get_a").await.contains("sb to first"));
        std::fs::write(files.path().join(ALICES), "second").unwrap();
        rig.pass(Duration::from_secs(2)).await;
        assert!(call(&mut rig, User::Alice, "sb__get_a").await.contains("sb to second"));
        // The new one's changes are heard, and not those of the one before.
        let changes = |rig: &Rig| rig.heard()["heard"].concat().matches("tools/list_changed").count();
        rig.pass(Duration::from_secs(120)).await;
        let before = changes(&rig);
        rig.world.change("sb", CallerSet::Of(&["first"]), &["first"]);
        rig.pass(Duration::from_secs(10)).await;
        assert_eq!(changes(&rig), before);
        rig.world.change("sb", CallerSet::Of(&["second"]), &["second"]);
        rig.pass(Duration::from_secs(10)).await;
        assert_eq!(changes(&rig), before + 1);
    });
}

#[test]
fn who_has_no_secret_any_more_hears_nothing_of_a_server_that_was_started_with_it() {
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join(ALICES), "first").unwrap();
    run(async {
        let mut rig = Rig::new(&of_files(files.path(), json!([])));
        listens(&mut rig, json!({ "resourceSubscriptions": ["sb://r/1"] })).await;
        rig.world.update("sb", CallerSet::All, "sb://r/1");
        rig.pass(TIME).await;
        let updates = |rig: &Rig| rig.heard()["heard"].concat().matches("resources/updated").count();
        assert_eq!(updates(&rig), 1, "{:?}", rig.heard());
        std::fs::remove_file(files.path().join(ALICES)).unwrap();
        rig.pass(Duration::from_secs(2)).await;
        let refused = call(&mut rig, User::Alice, "sb__get_a").await;
        assert!(refused.contains("needs a credential"), "{refused}");
        rig.world.update("sb", CallerSet::All, "sb://r/1");
        rig.pass(TIME).await;
        assert_eq!(updates(&rig), 1);
        assert_eq!(rig.heard()["heard"].last().map(String::as_str), Some("over"));
    });
}
