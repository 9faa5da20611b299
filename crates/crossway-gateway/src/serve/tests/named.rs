//! Cases of non-interference that are tested by name, besides the properties.

use std::time::Duration;

use serde_json::{Value, json};

use super::rig::{At, Rig, User};
use super::world::CallerSet;

pub(super) const TIME: Duration = Duration::from_secs(7);

pub(super) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test);
}

pub(super) fn config(scope: &str, quotas: Value) -> Value {
    let upstream = |name: &str| json!({ "command": "in-process", "args": [name, "modern"], "scope": scope });
    let all = |tenant: &str, upstream: &str| json!({ "tenant": tenant, "upstream": upstream, "tools": ["*"], "prompts": ["*"], "resources": ["**"] });
    json!({
        "identity": { "proof": "api-keys", "keys": [{ "sha256": "0".repeat(64), "subject": "nobody" }] },
        "upstreams": { "sa": upstream("sa"), "sb": upstream("sb"), "secret-of-globex": upstream("secret-of-globex") },
        "tenants": { "acme": { "groups": ["acme"] }, "globex": { "groups": ["globex"] } },
        "grants": [all("acme", "s?"), all("globex", "*")],
        "credentials": [{ "upstream": "sb", "for": "user", "env": "WHO", "value": "{user.subject}" }],
        "quotas": quotas,
    })
}

pub(super) fn of(user: User) -> At {
    At { user, upstream: None, is_legacy: false }
}

pub(super) async fn call(rig: &mut Rig, user: User, tool: &str) -> String {
    let params = json!({ "name": tool, "arguments": {} });
    rig.ask(&of(user), "tools/call", params, TIME).await.concat()
}

/// Calls a tool that takes long, and does not wait for it.
pub(super) async fn begin(rig: &mut Rig, user: User, tool: &str) {
    rig.send(
        &of(user),
        &format!("begun {tool} {user:?}"),
        json!("slow"),
        "tools/call",
        json!({ "name": tool }),
    )
    .await;
    rig.pass(Duration::from_secs(1)).await;
}

#[test]
fn a_tenant_has_no_more_processes_than_its_quota_allows_and_an_idle_one_makes_room() {
    run(async {
        let mut rig = Rig::new(&config("user", json!([{ "tenant": "acme", "children": 2 }])));
        begin(&mut rig, User::Alice, "sa__slow").await;
        assert!(call(&mut rig, User::Ann, "sa__get_a").await.contains("sa to : "));
        // Ann's is idle: it makes room for another of Alice's.
        begin(&mut rig, User::Alice, "sb__slow").await;
        let refused = call(&mut rig, User::Ann, "sa__get_a").await;
        assert!(
            refused.contains("-31003") && refused.contains("as many servers as you may have"),
            "{refused}"
        );
        // Of another tenant's nothing is counted there.
        assert!(call(&mut rig, User::Bob, "sa__get_a").await.contains("sa to : "));
        rig.pass(Duration::from_secs(40)).await;
        assert!(call(&mut rig, User::Ann, "sa__get_a").await.contains("sa to : "));
        let begun = rig.heard();
        let slow = begun.iter().filter(|(label, _)| label.starts_with("begun"));
        assert!(
            slow.clone().count() == 2 && slow.into_iter().all(|(_, told)| told.concat().contains("slow")),
            "{begun:?}"
        );
    });
}

#[test]
fn a_user_has_no_more_processes_than_the_quota_of_users_allows() {
    run(async {
        let mut rig = Rig::new(&config("user", json!([{ "per_user": { "children": 1 } }])));
        begin(&mut rig, User::Alice, "sa__slow").await;
        assert!(call(&mut rig, User::Alice, "sb__get_a").await.contains("-31003"));
        assert!(call(&mut rig, User::Ann, "sb__get_a").await.contains("sb to ann"));
        // Where all of a tenant share a process it is nobody's own.
        let mut rig =
            Rig::new(&config("tenant", json!([{ "per_user": { "children": 1 }, "upstream": "s*" }])));
        begin(&mut rig, User::Alice, "sa__slow").await;
        assert!(call(&mut rig, User::Alice, "sb__get_a").await.contains("sb to alice"));
    });
}

#[test]
fn a_server_whose_list_was_asked_for_makes_room_for_the_next_one() {
    run(async {
        let mut rig = Rig::new(&config("user", json!([{ "per_user": { "children": 1 } }])));
        let [sa, sb] =
            ["sa", "sb"].map(|name| At { user: User::Alice, upstream: Some(name), is_legacy: false });
        for at in [&sa, &sb, &sa, &sb] {
            let listed = rig.ask(at, "tools/list", json!({}), TIME).await.concat();
            assert!(listed.contains("get_a"), "{listed}");
            let called = rig.ask(at, "tools/call", json!({ "name": "get_a" }), TIME).await.concat();
            assert!(called.contains("result"), "{called}");
        }
        // Nobody asks any more: what the gateway itself hears starts nothing.
        let started = rig.world.started();
        rig.pass(Duration::from_secs(240)).await;
        assert_eq!(rig.world.started(), started);
    });
}

#[test]
fn no_log_line_list_change_or_update_of_another_tenants_server_goes_to_anybody_else() {
    run(async {
        let mut rig = Rig::new(&config("tenant", json!([])));
        let uris = ["secret-of-globex://r/1", "sa://r/1", "mem://x/1"];
        let filter = json!({
            "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true, "resourceSubscriptions": uris,
        });
        let legacy = At { is_legacy: true, ..of(User::Ann) };
        rig.send(
            &of(User::Alice),
            "alice hears",
            json!("l"),
            "subscriptions/listen",
            json!({ "notifications": filter }),
        )
        .await;
        rig.send(&legacy, "level", json!(1), "logging/setLevel", json!({ "level": "debug" })).await;
        rig.hear(&legacy, "ann hears").await;
        for uri in uris {
            rig.send(&legacy, uri, json!(uri), "resources/subscribe", json!({ "uri": uri })).await;
        }
        rig.pass(TIME).await;
        let before = rig.heard();
        for user in [User::Bob, User::Ben] {
            for tool in [
                "secret-of-globex__get_a",
                "secret-of-globex__fail",
                "sa__set_a",
                "sb__fail",
                "secret-of-globex__die",
            ] {
                call(&mut rig, user, tool).await;
            }
            rig.world.change("secret-of-globex", CallerSet::All, &[]);
            rig.world.change("sb", CallerSet::Of(&["bob", "ben"]), &["bob", "ben"]);
            rig.world.update("secret-of-globex", CallerSet::All, "mem://x/1");
            rig.world.update("secret-of-globex", CallerSet::All, "secret-of-globex://r/1");
            rig.pass(Duration::from_secs(200)).await;
        }
        let mut after = rig.heard();
        after.retain(|label, _| before.contains_key(label));
        assert_eq!(after, before);
        // What they were told names nobody, but for what was asked for by name.
        let named = |told: &Vec<String>| told.concat().contains("globex");
        assert!(!before.iter().any(|(label, told)| !label.contains("globex") && named(told)), "{before:?}");
    });
}

#[test]
fn what_is_supplied_for_a_server_is_not_sent_to_the_one_that_had_the_name_before() {
    run(async {
        let mut config = config("user", json!([]));
        let mut rig = Rig::new(&config);
        let at = At { user: User::Alice, upstream: Some("sb"), is_legacy: false };
        let params = json!({ "name": "get_a", "arguments": {} });
        assert!(rig.ask(&at, "tools/call", params.clone(), TIME).await.concat().contains("result"));
        config["upstreams"]["sb"]["args"] = json!(["sb", "legacy"]);
        config["credentials"][0]["value"] = "{user.email}".into();
        rig.reload(&config);
        // This client's request was on its way to the one before.
        let answer = rig.ask(&at, "tools/call", params.clone(), TIME).await.concat();
        assert!(answer.contains("not sent"), "{answer}");
        let at = At { is_legacy: true, ..at };
        assert!(rig.ask(&at, "tools/call", params, TIME).await.concat().contains("result"));
    });
}

#[test]
fn a_tenant_that_takes_all_turns_of_a_shared_server_leaves_some_for_others() {
    run(async {
        let mut config = config("shared", json!([]));
        config["upstreams"]["sa"]["limits"] = json!({ "concurrent": 4, "queued": 4 });
        let mut rig = Rig::new(&config);
        for number in 0..4 {
            let (label, params) = (format!("slow {number}"), json!({ "name": "sa__slow" }));
            rig.send(&of(User::Alice), &label, json!(number), "tools/call", params).await;
        }
        let params = json!({ "name": "sa__get_a", "arguments": {} });
        let moment = Duration::from_millis(500);
        let ours = rig.ask(&of(User::Ann), "tools/call", params.clone(), moment).await.concat();
        assert!(!ours.contains("result"), "{ours}");
        let theirs = rig.ask(&of(User::Bob), "tools/call", params, moment).await.concat();
        assert!(theirs.contains("result"), "{theirs}");
    });
}

#[test]
fn a_link_of_a_tenant_s_only_server_stays_as_it_is_whatever_servers_others_have() {
    run(async {
        let all = config("tenant", json!([]));
        let own = json!({ "tenant": "acme", "upstream": "sa", "tools": ["*"], "prompts": ["*"], "resources": ["linked://*"] });
        let mut alone = all.clone();
        alone["grants"] = json!([own]);
        alone["upstreams"].as_object_mut().unwrap().retain(|name, _| name == "sa");
        alone["credentials"] = json!([]);
        let mut beside = all.clone();
        beside["grants"] = json!([own, all["grants"][1]]);
        let mut rig = Rig::new(&alone);
        for config in [&alone, &beside, &alone] {
            rig.reload(config);
            for (method, name) in [("tools/call", "sa__get_b"), ("prompts/get", "sa__ask_a")] {
                let params = json!({ "name": name, "arguments": {} });
                let told = rig.ask(&of(User::Alice), method, params, TIME).await.concat();
                assert!(told.contains(r#""uri":"linked://sa""#), "{told}");
            }
            let params = json!({ "uri": "linked://sa" });
            let told = rig.ask(&of(User::Alice), "resources/read", params, TIME).await.concat();
            assert!(told.contains(r#""text":"sa to ""#), "{told}");
        }
        rig.reload(&beside);
        // Globex has several.
        let told = call(&mut rig, User::Bob, "sa__get_b").await;
        assert!(told.contains("crossway://sa/linked://sa"), "{told}");
    });
}
