//! Notifications for a client that may have missed changes.

use std::collections::VecDeque;

use crossway_proto::Message;
use serde::Deserialize;
use serde_json::json;

use crate::limits::SUBSCRIBED;

/// The filter of a subscription.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Filter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resources_list_changed: bool,
    resource_subscriptions: Vec<String>,
}

/// Says that each list and resource of a filter may have changed: changes while nobody listened are not reported otherwise.
pub(super) fn missed(filter: &[u8]) -> VecDeque<Message> {
    let filter: Filter = serde_json::from_slice(filter).unwrap_or_default();
    let lists = [
        ("notifications/tools/list_changed", filter.tools_list_changed),
        ("notifications/prompts/list_changed", filter.prompts_list_changed),
        ("notifications/resources/list_changed", filter.resources_list_changed),
    ];
    let lists = lists.into_iter().filter(|(_, is_wanted)| *is_wanted);
    let lists = lists.map(|(method, _)| Message::notification_of(method, None));
    let resources = filter.resource_subscriptions.iter().take(SUBSCRIBED).map(|uri| {
        let params = json!({ "uri": uri }).to_string();
        Message::notification_of("notifications/resources/updated", Some(params.as_bytes()))
    });
    lists.chain(resources).flatten().collect()
}
