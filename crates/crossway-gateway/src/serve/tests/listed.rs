//! What is listed is what can be called, of every kind.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::noninterference::cases;
use super::rig::{At, Rig, User};
use super::setup::{HIDDEN, SHARED, setups};
use super::trace::arguments;
use super::world::CallerSet;

/// Time in which everything is answered, but for what takes long by itself.
const TIME: Duration = Duration::from_secs(7);
const LONG: Duration = Duration::from_secs(40);

/// What somebody is answered, without what stands around it.
fn answer(told: &[String]) -> Value {
    let response = told.iter().map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
    response.into_iter().find(|message| message["id"] == 1).unwrap_or_default()
}

/// The names in a list, which has one page.
fn names(listed: &Value, member: &str, key: &str) -> Vec<String> {
    let items = listed["result"][member].as_array().unwrap_or_else(|| panic!("{listed}"));
    items.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

/// Whether something came of a request: a result, or what only its server says.
fn is_answered(answer: &Value) -> bool {
    answer["result"].is_object()
        || answer["error"]["message"].as_str().is_some_and(|why| why.ends_with(" has failed"))
}

/// Asks for a list, and again: who has not asked for long is given it as it was then, while it is fetched anew.
async fn ask_twice(rig: &mut Rig, at: &At, method: &str) -> Vec<String> {
    rig.ask(at, method, json!({}), TIME).await;
    rig.ask(at, method, json!({}), TIME).await
}

/// Asks for each thing that any server has, at `/mcp` and at each upstream alone, and holds that it is answered if and only if it
/// is listed there.
async fn check(rig: &mut Rig, user: User, is_legacy: bool, owner: impl Fn(&str) -> Option<String>) {
    let mut places: Vec<Option<&'static str>> = vec![None];
    places.extend(SHARED.into_iter().chain(HIDDEN).map(Some));
    for upstream in places {
        let at = At { user, upstream, is_legacy };
        let tools = ask_twice(rig, &at, "tools/list").await;
        let is_there = tools != ["404"];
        let mut listed = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        if is_there {
            let lists = [
                ("prompts/list", "prompts", "name"),
                ("resources/list", "resources", "uri"),
                ("resources/templates/list", "resourceTemplates", "uriTemplate"),
            ];
            listed[0] = names(&answer(&tools), "tools", "name");
            for (number, (method, member, key)) in lists.into_iter().enumerate() {
                listed[number + 1] = names(&answer(&ask_twice(rig, &at, method).await), member, key);
            }
        }
        for server in
            SHARED.into_iter().chain(HIDDEN).filter(|server| upstream.is_none_or(|it| it == *server))
        {
            // One without its credential lists nothing and answers nothing.
            let Some(owner) = owner(server) else { continue };
            let exposed =
                |name: &str| if upstream.is_some() { name.to_owned() } else { format!("{server}__{name}") };
            let [tools, prompts, resources, templates] = rig.world.items(server, &owner);
            for tool in tools.iter().filter(|tool| *tool != "die") {
                let params = json!({ "name": exposed(tool), "arguments": arguments() });
                let time = if tool == "slow" { LONG } else { TIME };
                let told = answer(&rig.ask(&at, "tools/call", params, time).await);
                let is_listed = listed[0].contains(&exposed(tool));
                assert_eq!(
                    is_answered(&told),
                    is_listed && user != User::Anonymous,
                    "{at:?} {server} {tool} {told}"
                );
            }
            for prompt in &prompts {
                let params = json!({ "name": exposed(prompt) });
                let is_listed = listed[1].contains(&exposed(prompt)) && user != User::Anonymous;
                let got = answer(&rig.ask(&at, "prompts/get", params.clone(), TIME).await);
                assert_eq!(is_answered(&got), is_listed, "{at:?} {server} {prompt} {got}");
                let reference = json!({ "ref": { "type": "ref/prompt", "name": exposed(prompt) }, "argument": { "name": "a", "value": "" } });
                let completed = answer(&rig.ask(&at, "completion/complete", reference, TIME).await);
                assert_eq!(is_answered(&completed), is_listed, "{at:?} {server} {prompt} {completed}");
            }
            for uri in &resources {
                // Of several servers that have one URI, the first has it as it is.
                let wrapped = format!("crossway://{server}/{uri}");
                let is_first = listed[2].contains(uri) && !listed[2].contains(&wrapped);
                let uri = if is_first || upstream.is_some() || !uri.starts_with("mem:") {
                    uri.clone()
                } else {
                    wrapped
                };
                let is_listed = listed[2].contains(&uri) && user != User::Anonymous;
                let read = answer(&rig.ask(&at, "resources/read", json!({ "uri": uri }), TIME).await);
                if uri.starts_with("mem:") && upstream.is_none() {
                    continue;
                }
                assert_eq!(is_answered(&read), is_listed, "{at:?} {server} {uri} {listed:?} {read}");
                assert_eq!(is_subscribed(rig, &at, &uri).await, is_listed, "{at:?} {server} {uri}");
            }
            for template in
                templates.iter().filter(|template| !template.starts_with("mem:") || upstream.is_some())
            {
                let is_listed = listed[3].contains(template) && user != User::Anonymous;
                let params = json!({ "ref": { "type": "ref/resource", "uri": template }, "argument": { "name": "id", "value": "" } });
                let completed = answer(&rig.ask(&at, "completion/complete", params, TIME).await);
                assert_eq!(is_answered(&completed), is_listed, "{at:?} {server} {template} {completed}");
            }
        }
    }
}

/// Whether a resource may be listened for, as a modern client hears of it.
async fn is_subscribed(rig: &mut Rig, at: &At, uri: &str) -> bool {
    let at = At { is_legacy: false, ..at.clone() };
    let params = json!({ "notifications": { "resourceSubscriptions": [uri] } });
    let told = rig.ask(&at, "subscriptions/listen", params, Duration::from_secs(5)).await;
    told.first()
        .is_some_and(|first| first.contains("acknowledged") && first.contains(&json!(uri).to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 4, max_shrink_iters: 100, ..ProptestConfig::default() })]

    /// Conditions on arguments hold for the arguments that are sent here.
    #[test]
    fn what_is_listed_can_be_called_and_nothing_else(setup in setups(), is_changed in any::<bool>(), is_legacy in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let setup = setup.without_quotas();
            let mut rig = Rig::new(&setup.config(0, Some(0)));
            let owners = ["acme", "alice", "ann", "globex", "bob", "ben"];
            for user in User::ALL {
                check(&mut rig, user, is_legacy, |server| setup.owner(server, user)).await;
                if is_changed {
                    rig.world.change("sa", CallerSet::All, &owners);
                    rig.pass(TIME).await;
                    rig.reload(&setup.config(1, Some(1)));
                    check(&mut rig, user, is_legacy, |server| setup.owner(server, user)).await;
                }
            }
        });
    }
}
