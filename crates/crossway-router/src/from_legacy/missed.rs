//! Notifications for a client that may have missed changes.

use std::collections::VecDeque;

use crossway_era::SubscriptionFilter;
use crossway_proto::Message;
use serde_json::json;

use crate::limits::SUBSCRIBED;

/// Says that each list and resource of a filter may have changed: changes while nobody listened are not reported otherwise.
pub(super) fn missed(filter: &[u8]) -> VecDeque<Message> {
    let filter = SubscriptionFilter::readable(filter);
    let lists = [
        ("notifications/tools/list_changed", filter.tools),
        ("notifications/prompts/list_changed", filter.prompts),
        ("notifications/resources/list_changed", filter.resources),
    ];
    let lists = lists.into_iter().filter(|(_, is_wanted)| *is_wanted);
    let lists = lists.map(|(method, _)| Message::notification_of(method, None));
    let resources = filter.uris.iter().take(SUBSCRIBED).map(|uri| {
        let params = json!({ "uri": uri }).to_string();
        Message::notification_of("notifications/resources/updated", Some(params.as_bytes()))
    });
    lists.chain(resources).flatten().collect()
}
