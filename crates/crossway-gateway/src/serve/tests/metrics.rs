//! Metrics of calls, tenants and upstreams.

use std::time::Duration;

use serde_json::json;

use super::named::{TIME, begin, call, config, of, run};
use super::rig::{Rig, User};
use crate::operations::{UpstreamState, UpstreamStatus};

/// One series' value; 0 where there is none.
fn value(rig: &Rig, series: &str) -> f64 {
    let text = rig.gateway.metrics.scrape(&[], &[], None);
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

fn refusals(rig: &Rig, tenant: &str, bound: &str) -> f64 {
    value(rig, &format!(r#"crossway_quota_refusals_total{{tenant="{tenant}",bound="{bound}"}}"#))
}

#[test]
fn what_quotas_refuse_is_counted_by_tenant_and_bound() {
    run(async {
        let quotas = json!([
            { "tenant": "acme", "upstream": "sa", "in_flight": 1 },
            { "tenant": "acme", "upstream": "sb", "children": 1 },
            { "tenant": "globex", "upstream": "sa", "calls": "2/hour" },
            { "tenant": "globex", "upstream": "sb", "bytes": "1/day" },
            { "tenant": "globex", "upstream": "secret-of-globex", "calls": "0/day" },
        ]);
        let mut rig = Rig::new(&config("user", quotas));
        for _ in 0..3 {
            call(&mut rig, User::Bob, "sa__get_a").await;
            call(&mut rig, User::Bob, "secret-of-globex__get_a").await;
            call(&mut rig, User::Bob, "sb__get_a").await;
        }
        begin(&mut rig, User::Alice, "sb__slow").await;
        call(&mut rig, User::Ann, "sb__get_a").await;
        for (tenant, bound) in
            [("globex", "calls"), ("globex", "closed"), ("globex", "bytes"), ("acme", "children")]
        {
            assert!(refusals(&rig, tenant, bound) >= 1.0, "{tenant} {bound}");
        }
        assert_eq!(refusals(&rig, "acme", "calls"), 0.0);
        assert_eq!(refusals(&rig, "globex", "children"), 0.0);
        // A call of 24 s, and others that wait for 10 s.
        begin(&mut rig, User::Alice, "sa__slow").await;
        begin(&mut rig, User::Ann, "sa__get_a").await;
        let held = r#"crossway_request_in_flight_bytes{tenant="acme",upstream="sa"}"#;
        assert_eq!(refusals(&rig, "acme", "in_flight"), 0.0);
        let both = value(&rig, held);
        rig.pass(Duration::from_secs(12)).await;
        assert_eq!(refusals(&rig, "acme", "in_flight"), 1.0);
        let one = value(&rig, held);
        assert!(0.0 < one && one < both, "{one} {both}");
        rig.pass(Duration::from_secs(40)).await;
        assert_eq!(value(&rig, held), 0.0);
    });
}

#[test]
fn lists_that_are_read_anew_are_counted_and_those_that_are_known_are_not() {
    run(async {
        let mut rig = Rig::new(&config("shared", json!([])));
        let list = |rig: &Rig| value(rig, r#"crossway_list_reads_total{upstream="sa",outcome="ok"}"#);
        rig.ask(&of(User::Alice), "tools/list", json!({}), TIME).await;
        let first = list(&rig);
        assert!(first >= 1.0);
        rig.ask(&of(User::Alice), "tools/list", json!({}), TIME).await;
        assert_eq!(list(&rig), first);
        rig.world.change("sa", super::world::CallerSet::All, &[]);
        rig.pass(TIME).await;
        rig.ask(&of(User::Alice), "tools/list", json!({}), TIME).await;
        assert!(list(&rig) > first, "{first}");
    });
}

#[test]
fn a_tenant_that_is_gone_after_a_reload_loses_its_series_and_the_others_go_on() {
    run(async {
        let both = config("shared", json!([]));
        let mut rig = Rig::new(&both);
        let calls = |rig: &Rig, tenant: &str| {
            value(rig, &format!(r#"crossway_calls_total{{tenant="{tenant}",upstream="sa",outcome="ok"}}"#))
        };
        call(&mut rig, User::Alice, "sa__get_a").await;
        call(&mut rig, User::Bob, "sa__get_a").await;
        let (acme, globex) = (calls(&rig, "acme"), calls(&rig, "globex"));
        assert!(acme >= 1.0 && globex >= 1.0, "{acme} {globex}");
        let mut one = both.clone();
        one["tenants"].as_object_mut().unwrap().remove("globex");
        one["grants"].as_array_mut().unwrap().retain(|grant| grant["tenant"] != "globex");
        rig.reload(&one);
        call(&mut rig, User::Bob, "sa__get_a").await;
        let text = rig.gateway.metrics.scrape(&[], &[], None);
        assert!(!text.contains(r#"tenant="globex""#), "{text}");
        rig.reload(&both);
        let before = calls(&rig, "acme");
        assert!(before >= acme);
        call(&mut rig, User::Alice, "sa__get_a").await;
        assert!(calls(&rig, "acme") > before);
        call(&mut rig, User::Bob, "sa__get_a").await;
        assert!(calls(&rig, "globex") >= 1.0);
    });
}

/// How an upstream is, as operators are told.
fn status(rig: &Rig, name: &str) -> UpstreamStatus {
    let told = rig.gateway.monitored.lock();
    told.iter().find(|told| told.name == name).unwrap().status()
}

#[test]
fn operators_see_an_upstream_idle_up_down_and_tried() {
    run(async {
        let mut rig = Rig::new(&config("shared", json!([])));
        assert_eq!(status(&rig, "sa").state, UpstreamState::Idle);
        call(&mut rig, User::Alice, "sa__get_a").await;
        let up = status(&rig, "sa");
        assert_eq!((up.state, up.last_error, up.connections), (UpstreamState::Up, None, Some(1)));
        for _ in 0..5 {
            // It dies of each call, and none succeeds in between.
            rig.send(&of(User::Alice), "dies", json!(1), "tools/call", json!({ "name": "sa__die" })).await;
            rig.pass(Duration::from_millis(1)).await;
        }
        let down = status(&rig, "sa");
        assert_eq!((down.state, down.instances.unwrap().down), (UpstreamState::Down, 1), "{down:?}");
        assert!(down.last_error.is_some());
        assert_eq!(status(&rig, "sb").state, UpstreamState::Idle);
        // It is left alone for a second; the next call is the one that tries.
        rig.pass(Duration::from_secs(2)).await;
        begin(&mut rig, User::Alice, "sa__slow").await;
        assert_eq!(status(&rig, "sa").state, UpstreamState::Trying);
        rig.pass(Duration::from_secs(60)).await;
        let up = status(&rig, "sa");
        assert_eq!((up.state, up.instances.unwrap().up), (UpstreamState::Up, 1), "{up:?}");
    });
}

#[test]
fn an_upstream_whose_credentials_cannot_be_had_is_down() {
    let files = tempfile::tempdir().unwrap();
    // What is no file can't be read.
    std::fs::create_dir(files.path().join("alice_40acme.example")).unwrap();
    run(async {
        let mut config = config("user", json!([]));
        config["credentials"] =
            json!([{ "upstream": "sb", "for": "user", "env": "WHO", "from": { "directory": files.path() } }]);
        let mut rig = Rig::new(&config);
        call(&mut rig, User::Alice, "sb__get_a").await;
        let down = status(&rig, "sb");
        assert_eq!(down.state, UpstreamState::Down);
        assert_eq!(down.last_error.as_deref(), Some("its credentials can't be had: it is no file"));
        let calls = |outcome: &str| {
            format!(r#"crossway_calls_total{{tenant="acme",upstream="sb",outcome="{outcome}"}}"#)
        };
        assert_eq!(value(&rig, &calls("error")), 0.0);
        assert!(value(&rig, &calls("not_sent")) > 0.0);
        rig.pass(Duration::from_secs(61)).await;
        assert_eq!(status(&rig, "sb").state, UpstreamState::Idle);
    });
}

#[test]
fn an_upstream_is_as_its_best_instance_and_the_others_are_counted() {
    run(async {
        let mut rig = Rig::new(&config("user", json!([])));
        call(&mut rig, User::Bob, "sa__get_a").await;
        call(&mut rig, User::Alice, "sa__get_a").await;
        for _ in 0..5 {
            rig.send(&of(User::Alice), "dies", json!(1), "tools/call", json!({ "name": "sa__die" })).await;
            rig.pass(Duration::from_millis(1)).await;
        }
        let one = status(&rig, "sa");
        let counts = one.instances.unwrap();
        assert_eq!((one.state, counts.up, counts.down), (UpstreamState::Up, 1, 1), "{one:?}");
        assert!(one.last_error.is_some());
        rig.reload(&config("shared", json!([])));
        assert_eq!(status(&rig, "sa").state, UpstreamState::Idle);
    });
}
