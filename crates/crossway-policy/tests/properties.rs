//! Properties of every policy.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossway_policy::config::{Effect, Grant};
use crossway_policy::{
    Denied, DenyReason, Hints, Item, Kind, Policy, PolicyConfig, Principal, Proof, Rights, TenantName,
    UpstreamFacts,
};
use proptest::prelude::*;
use serde_json::json;

const UPSTREAMS: [&str; 2] = ["a", "b"];
const NAMES: [&str; 6] = ["get_x", "get_y", "put_x", "s://x/y", "s://x/../y", "s://{x}"];
const KINDS: [Kind; 4] = [Kind::Tool, Kind::Prompt, Kind::Resource, Kind::Template];

fn pattern() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "*",
        "get_*",
        "*_x",
        "get_x",
        "put_x",
        "{get,put}_?",
        "s://**",
        "s://*/y",
        "s://x/../y",
    ])
    .prop_map(str::to_owned)
}

fn grant(tenant: &'static str) -> impl Strategy<Value = Grant> {
    let lists = prop::collection::vec(prop::collection::vec(pattern(), 0..3), 3);
    let who = (prop::option::of(prop::sample::select(vec!["g", "h"])), any::<bool>(), any::<bool>());
    let upstream = prop::sample::select(vec!["a", "b", "*"]);
    (lists, who, upstream).prop_map(move |(lists, (group, deny, read_only), upstream)| Grant {
        tenant: Some(TenantName::new(tenant).unwrap()),
        group: group.map(str::to_owned),
        upstream: upstream.to_owned(),
        // A grant has to name something.
        tools: if lists.iter().all(Vec::is_empty) { vec!["get_x".to_owned()] } else { lists[0].clone() },
        prompts: lists[1].clone(),
        resources: lists[2].clone(),
        effect: if deny { Effect::Deny } else { Effect::Allow },
        read_only: read_only && !deny && upstream == "b" && lists[1].is_empty() && lists[2].is_empty(),
        ..Grant::default()
    })
}

fn compile(grants: &[Grant]) -> Policy {
    let tenants = json!({ "t": { "everyone": true }, "other": { "groups": ["o"] } });
    let config = PolicyConfig {
        tenants: serde_json::from_value(tenants).unwrap(),
        grants: grants.to_vec(),
        ..PolicyConfig::default()
    };
    let upstreams = UPSTREAMS.map(|name| UpstreamFacts { name: name.to_owned(), trusted: name == "b" });
    Policy::compile(&config, &upstreams).unwrap()
}

fn rights(policy: &Policy, groups: &[&str]) -> Rights {
    let principal = Principal::new("i", "s", Proof::Jwt).with_groups(groups.iter().copied());
    policy.rights_unchecked(&principal, &TenantName::new("t").unwrap())
}

fn items() -> impl Iterator<Item = Item<'static>> {
    UPSTREAMS.into_iter().flat_map(|upstream| {
        NAMES.into_iter().flat_map(move |name| {
            KINDS.into_iter().flat_map(move |kind| {
                [None, Some(true), Some(false)]
                    .map(|read_only| Item::new(upstream, kind, name).with_hints(Hints { read_only }))
            })
        })
    })
}

fn lists(rights: &Rights) -> Vec<bool> {
    items().map(|item| rights.lists(&item)).collect()
}

proptest! {
    #[test]
    fn what_is_listed_is_callable_and_nothing_else(grants in prop::collection::vec(grant("t"), 0..8)) {
        let policy = compile(&grants);
        for groups in [&[][..], &["g"], &["g", "h"]] {
            let rights = rights(&policy, groups);
            for item in items() {
                prop_assert_eq!(rights.lists(&item), rights.decide(&item, None).is_ok(), "{:?}", item);
                let mut beginnings = rights.beginnings(item.upstream, item.kind);
                prop_assert!(!rights.lists(&item) || beginnings.any(|text| item.name.starts_with(text)), "{:?}", item);
            }
        }
    }

    #[test]
    fn what_denies_wins_in_any_order(grants in prop::collection::vec(grant("t"), 1..6).prop_shuffle(), denies in grant("t")) {
        let denies = Grant { effect: Effect::Deny, read_only: false, group: None, ..denies };
        let alone = compile(&[Grant { effect: Effect::Allow, ..denies.clone() }]);
        let only = rights(&alone, &[]);
        for at in 0..=grants.len() {
            let mut all = grants.clone();
            all.insert(at, denies.clone());
            let rights = rights(&compile(&all), &["g", "h"]);
            for item in items().filter(|item| only.lists(item)) {
                let denied = rights.decide(&item, None).err();
                let reason = denied.as_ref().map(Denied::reason);
                prop_assert!(!rights.lists(&item), "{:?} at {}", item, at);
                prop_assert!(matches!(reason, Some(DenyReason::DeniedBy(_))), "{:?} at {}: {:?}", item, at, reason);
            }
        }
    }

    #[test]
    fn what_another_tenant_is_granted_changes_nothing(
        grants in prop::collection::vec(grant("t"), 0..6), others in prop::collection::vec(grant("other"), 1..6),
    ) {
        let (before, after) = (compile(&grants), compile(&[grants, others].concat()));
        for groups in [&[][..], &["g"], &["g", "h"]] {
            let (before, after) = (rights(&before, groups), rights(&after, groups));
            prop_assert_eq!(before.view(), after.view());
            for item in items() {
                prop_assert_eq!(before.lists(&item), after.lists(&item));
                let text = |rights: &Rights| match rights.decide(&item, None) {
                    Ok(permit) => permit.rule().to_string(),
                    Err(denied) => format!("{denied}, {}", denied.reason()),
                };
                prop_assert_eq!(text(&before), text(&after));
            }
        }
    }

    #[test]
    fn equal_views_list_the_same(one in prop::collection::vec(grant("t"), 0..3), other in prop::collection::vec(grant("t"), 0..3)) {
        let (one_policy, other_policy) = (compile(&one), compile(&other));
        for groups in [&[][..], &["g"], &["g", "h"]] {
            let (a, b) = (rights(&one_policy, groups), rights(&other_policy, &["g"]));
            prop_assert!(a.view() != b.view() || lists(&a) == lists(&b));
        }
        // The order of grants does not matter.
        let reversed: Vec<Grant> = one.iter().rev().cloned().collect();
        let (forth, back) = (rights(&one_policy, &["g"]), rights(&compile(&reversed), &["g"]));
        prop_assert_eq!(forth.view(), back.view());
    }

    #[test]
    fn a_finding_is_true(grants in prop::collection::vec(grant("t"), 1..6)) {
        // Removing grants that are shadowed or deny nothing changes nothing.
        let policy = compile(&grants);
        for finding in policy.findings().iter().filter(|finding| finding.path.starts_with("grants[")) {
            let index: usize = finding.path["grants[".len()..].split(']').next().unwrap().parse().unwrap();
            let mut without = grants.clone();
            without.remove(index);
            for groups in [&[][..], &["g"], &["h"], &["g", "h"]] {
                let (with, without) = (rights(&policy, groups), rights(&compile(&without), groups));
                prop_assert_eq!(lists(&with), lists(&without), "{}", finding);
            }
        }
    }
}
