//! Tools that notify subscribers of a change.

use super::{Entry, Outcome, nothing, said};
use crate::{listeners::Change, resources, turn::Turn};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "test_trigger_tool_change",
        about: "Tells all listeners that the list of tools has changed.",
        input: nothing,
        changes: true,
        run: |turn| Box::pin(tell(turn, Change::Tools)),
    },
    Entry {
        name: "test_trigger_prompt_change",
        about: "Tells all listeners that the list of prompts has changed.",
        input: nothing,
        changes: true,
        run: |turn| Box::pin(tell(turn, Change::Prompts)),
    },
    Entry {
        name: "test_trigger_resource_update",
        about: "Changes the resource test://watched-resource, and tells those who subscribed to it.",
        input: nothing,
        changes: true,
        run: |turn| Box::pin(update(turn)),
    },
];

async fn tell(turn: &Turn<'_>, change: Change<'_>) -> Outcome {
    let told = turn.demo.server.listeners.tell(change).await;
    said(format!("Listeners told: {told}."))
}

async fn update(turn: &Turn<'_>) -> Outcome {
    let version = turn.demo.server.next_version();
    let told = turn.demo.server.listeners.tell(Change::Resource(resources::WATCHED)).await;
    said(format!("The resource is at version {version}. Listeners told: {told}."))
}
