//! Tools that change something, and notify subscribers of it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Entry, Outcome, nothing, said};
use crate::{listeners::Change, resources, turn::Turn};

/// The tool whose description changes in the list of tools.
pub(super) const TOOL_CHANGE: &str = "test_trigger_tool_change";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: TOOL_CHANGE,
        about: "Changes the list of tools, which says how often, and tells all listeners.",
        input: nothing,
        changes: true,
        run: |turn| Box::pin(change(turn, &turn.demo.server.tool_changes, Change::Tools)),
    },
    Entry {
        name: "test_trigger_prompt_change",
        about: "Changes the list of prompts, which says how often, and tells all listeners.",
        input: nothing,
        changes: true,
        run: |turn| Box::pin(change(turn, &turn.demo.server.prompt_changes, Change::Prompts)),
    },
    Entry {
        name: "test_trigger_resource_update",
        about: "Changes the resource test://watched-resource, and tells those who subscribed to it.",
        input: nothing,
        changes: true,
        run: |turn| Box::pin(update(turn)),
    },
];

async fn change(turn: &Turn<'_>, count: &AtomicU64, change: Change<'_>) -> Outcome {
    count.fetch_add(1, Ordering::Relaxed);
    let told = turn.demo.server.listeners.tell(change).await;
    said(format!("Listeners told: {told}."))
}

async fn update(turn: &Turn<'_>) -> Outcome {
    let version = turn.demo.server.next_version();
    let told = turn.demo.server.listeners.tell(Change::Resource(resources::WATCHED)).await;
    said(format!("The resource is at version {version}. Listeners told: {told}."))
}
