//! Random traces of client actions and server faults.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::rig::{At, Heard, Rig, User};
use super::setup::{HIDDEN, SHARED, Setup};
use super::world::CallerSet;

/// Time in which all that was begun ends, but for what takes long by itself.
const SETTLED: Duration = Duration::from_secs(7);
/// Time in which a server that has gone is listened to again.
const HEALED: Duration = Duration::from_secs(200);
/// Time in which what nobody uses is dropped.
const RESTED: Duration = Duration::from_secs(400);

/// One thing that is done or happens.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Ask(At, Ask),
    /// The lists of a server are others.
    Change(usize, Reach),
    /// The connections with a server end.
    Kill(usize, Reach),
    /// A resource of a server is another.
    Update(usize, Reach, String),
    /// The config is another: what the watched tenant has.
    ReloadOurs,
    /// The config is another: what the other tenant has.
    ReloadTheirs,
    /// Nothing happens for long.
    Rest,
}

/// Whose instances of a server something befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    All,
    Theirs,
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Request(&'static str, Value),
    /// Hears changes of lists, and of these resources.
    Listen(Vec<String>),
    /// Takes back what was asked in this many steps before.
    Cancel(usize),
}

fn users() -> impl Strategy<Value = User> {
    prop_oneof![
        4 => Just(User::Alice), 3 => Just(User::Ann), 1 => Just(User::Anonymous), 3 => Just(User::Bob), 2 => Just(User::Ben),
    ]
}

fn clients() -> impl Strategy<Value = At> {
    let upstream = prop_oneof![
        12 => Just(None), 4 => Just(Some("sa")), 1 => Just(Some("sb")), 1 => select(vec![Some("ba"), Some("zb"), Some("nothing")]),
    ];
    (users(), upstream, any::<bool>()).prop_map(|(user, upstream, is_legacy)| At {
        user,
        upstream,
        is_legacy,
    })
}

fn servers() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just("sa"), 3 => Just("sb"), 2 => Just("sc"), 1 => select(vec!["ba", "zb", "nothing"])]
}

pub(super) fn arguments() -> Value {
    json!({ "ok": true, "bad": false })
}

/// A name at `/mcp`, or at the path of one upstream alone.
fn named(server: &str, name: &str, at: &At) -> String {
    if at.upstream.is_some() { name.to_owned() } else { format!("{server}__{name}") }
}

fn asks() -> impl Strategy<Value = Step> {
    let tool = select(vec!["get_a", "get_b", "get_c", "set_a", "slow", "slow", "fail", "GET_A", "no_such"]);
    let prompt = select(vec!["ask_a", "ask_c", "tell_b", "no_such"]);
    let uri = || {
        (
            servers(),
            select(vec![
                "NAME://r/1",
                "NAME://r/2",
                "NAME://r/9",
                "mem://x/1",
                "mem://y/7",
                "crossway://NAME/mem://x/1",
                "else://z",
            ]),
        )
            .prop_map(|(server, uri)| uri.replace("NAME", server))
    };
    let template = (servers(), select(vec!["NAME://r/{id}", "mem://y/{id}"]))
        .prop_map(|(server, uri)| uri.replace("NAME", server));
    let other = select(vec![
        ("tools/list", json!({ "cursor": "page-1" })),
        ("prompts/list", json!({ "cursor": "page-0" })),
        ("ping", json!({})),
        ("server/discover", json!({})),
        ("logging/setLevel", json!({ "level": "debug" })),
        ("no/such/method", json!({})),
    ]);
    let lists = select(vec![
        "tools/list",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
    ]);
    let ask = prop_oneof![
        4 => lists.prop_map(|method| (method, json!({}), None)),
        4 => (servers(), tool).prop_map(|(server, name)| ("tools/call", json!({ "arguments": arguments() }), Some((server, name)))),
        2 => (servers(), prompt).prop_map(|(server, name)| ("prompts/get", json!({}), Some((server, name)))),
        2 => uri().prop_map(|uri| ("resources/read", json!({ "uri": uri }), None)),
        1 => uri().prop_map(|uri| ("resources/subscribe", json!({ "uri": uri }), None)),
        1 => uri().prop_map(|uri| ("resources/unsubscribe", json!({ "uri": uri }), None)),
        1 => (servers(), select(vec!["ask_a", "tell_b"])).prop_map(|(server, name)| {
            ("completion/complete", json!({ "argument": { "name": "a", "value": "b" } }), Some((server, name)))
        }),
        1 => template.prop_map(|uri| {
            ("completion/complete", json!({ "ref": { "type": "ref/resource", "uri": uri }, "argument": { "name": "id", "value": "" } }), None)
        }),
        1 => other.prop_map(|(method, params)| (method, params, None)),
    ];
    let request = (clients(), ask).prop_map(|(at, (method, mut params, name))| {
        if let Some((server, name)) = name {
            let name = named(server, name, &at);
            match method {
                "completion/complete" => params["ref"] = json!({ "type": "ref/prompt", "name": name }),
                _ => params["name"] = name.into(),
            }
        }
        Step::Ask(at, Ask::Request(method, params))
    });
    prop_oneof![
        12 => request,
        2 => (clients(), vec(uri(), 0..2)).prop_map(|(at, uris)| Step::Ask(at, Ask::Listen(uris))),
        1 => (clients(), 1_usize..4).prop_map(|(at, before)| Step::Ask(at, Ask::Cancel(before))),
    ]
}

pub(super) fn traces() -> impl Strategy<Value = Vec<Step>> {
    let reach = || select(vec![Reach::All, Reach::Theirs]);
    let uri = (servers(), select(vec!["NAME://r/1", "mem://x/1"]))
        .prop_map(|(server, uri)| uri.replace("NAME", server));
    vec(
        prop_oneof![
            16 => asks(),
            2 => (0_usize..5, reach()).prop_map(|(server, reach)| Step::Change(server, reach)),
            1 => (0_usize..5, reach()).prop_map(|(server, reach)| Step::Kill(server, reach)),
            1 => (0_usize..5, reach(), uri).prop_map(|(server, reach, uri)| Step::Update(server, reach, uri)),
            1 => Just(Step::ReloadOurs),
            1 => Just(Step::ReloadTheirs),
            1 => Just(Step::Rest),
        ],
        8..48,
    )
}

/// Plays a trace, with the other tenant or without it. Gives what those were told who are looked at.
pub(super) fn play(setup: &Setup, trace: &[Step], with_them: bool) -> Heard {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut forms = (0, 0);
        let config = |(ours, theirs): (usize, usize)| setup.config(ours, with_them.then_some(theirs));
        let mut rig = Rig::new(&config(forms));
        let their_names = ["globex", "bob", "ben"];
        let owners = ["acme", "alice", "ann", "globex", "bob", "ben"];
        // What happened to the other tenant's servers alone has not happened without it.
        let whose = |server: usize, reach: Reach| match reach {
            _ if server >= SHARED.len() => Some((HIDDEN[server - SHARED.len()], CallerSet::All)),
            _ if server >= setup.shared() => None,
            Reach::All => Some((SHARED[server], CallerSet::All)),
            Reach::Theirs if setup.has_owners(server) => Some((SHARED[server], CallerSet::Of(&their_names))),
            Reach::Theirs => None,
        };
        // Everything has its time, whatever else happens.
        let mut due = tokio::time::Instant::now();
        for (number, step) in trace.iter().enumerate() {
            let label = |user: User| format!("{} {number}", if user.is_watched() { "we" } else { "they" });
            match step {
                Step::Ask(at, _) if !at.user.is_watched() && !with_them => {}
                Step::Ask(at, ask) => put(&mut rig, at, ask, &label(at.user), number).await,
                Step::Change(server, reach) => {
                    if let Some((name, whose)) = whose(*server, *reach) {
                        rig.world.change(name, whose, &owners);
                    }
                }
                Step::Kill(server, reach) => {
                    if let Some((name, whose)) = whose(*server, *reach) {
                        rig.world.kill(name, whose);
                    }
                }
                Step::Update(server, reach, uri) => {
                    if let Some((name, whose)) = whose(*server, *reach) {
                        rig.world.update(name, whose, uri);
                    }
                }
                Step::ReloadOurs => {
                    forms.0 = 1 - forms.0;
                    rig.reload(&config(forms));
                }
                Step::ReloadTheirs => {
                    forms.1 = 1 - forms.1;
                    if with_them {
                        rig.reload(&config(forms));
                    }
                }
                Step::Rest => {}
            }
            due += match step {
                Step::Kill(..) => HEALED,
                Step::Rest => RESTED,
                _ => SETTLED,
            };
            assert!(tokio::time::Instant::now() <= due, "{step:?} took longer than it may");
            tokio::time::sleep_until(due).await;
            rig.end_step();
        }
        rig.pass(Duration::from_secs(30)).await;
        let mut heard = rig.heard();
        heard.retain(|label, _| label.starts_with("we ") || is_opening_of_ours(label));
        heard
    })
}

fn is_opening_of_ours(label: &str) -> bool {
    label.ends_with(" opens")
        && User::ALL.iter().any(|user| user.is_watched() && label.contains(&format!("{user:?}")))
}

async fn put(rig: &mut Rig, at: &At, ask: &Ask, label: &str, number: usize) {
    match ask {
        Ask::Request(method, params) => {
            let mut params = params.clone();
            if params["name"].as_str().is_some_and(|name| name.ends_with("slow")) {
                params["_meta"] = json!({ "progressToken": "p" });
            }
            rig.send(at, label, json!(number), method, params).await;
        }
        Ask::Listen(uris) if at.is_legacy => {
            rig.hear(at, label).await;
            for (count, uri) in uris.iter().enumerate() {
                let label = format!("{label} {count}");
                rig.send(at, &label, json!(label), "resources/subscribe", json!({ "uri": uri })).await;
            }
        }
        Ask::Listen(uris) => {
            let filter = json!({
                "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true,
                "resourceSubscriptions": uris,
            });
            rig.send(at, label, json!(number), "subscriptions/listen", json!({ "notifications": filter }))
                .await;
        }
        // Also of what somebody else has asked.
        Ask::Cancel(before) => {
            let params = json!({ "requestId": number.saturating_sub(*before) });
            rig.send(at, label, Value::Null, "notifications/cancelled", params).await;
        }
    }
}
