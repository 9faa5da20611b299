//! Tools that send something before their result: log messages, progress, the end of a stream.

use rmcp::model::{ClientCapabilities, LoggingLevel};

use super::{Entry, Outcome, nothing, said};
use crate::{
    limits::{AWAY, PACE},
    questions::missing_capability,
    turn::Turn,
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "test_tool_with_logging",
        about: "Sends three log messages of level info while it works.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(logging(turn)),
    },
    Entry {
        name: "test_logging_tool",
        about: "Sends one log message of level info, if the client wants it.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(log_once(turn)),
    },
    Entry {
        name: "test_tool_with_progress",
        about: "Reports progress at 0, 50 and 100 of 100 while it works.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(progress(turn)),
    },
    Entry {
        name: "test_reconnection",
        about: "Closes the SSE stream of its call before it answers, where the transport lets it: the client has to come back.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(reconnection(turn)),
    },
    Entry {
        name: "test_missing_capability",
        about: "Refuses clients that did not declare the capability sampling.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(sampling_only(turn)),
    },
];

async fn logging(turn: &Turn<'_>) -> Outcome {
    turn.log(LoggingLevel::Info, "Tool execution started").await;
    turn.pause(PACE).await?;
    turn.log(LoggingLevel::Info, "Tool processing data").await;
    turn.pause(PACE).await?;
    turn.log(LoggingLevel::Info, "Tool execution completed").await;
    said("The tool has logged.")
}

async fn log_once(turn: &Turn<'_>) -> Outcome {
    turn.log(LoggingLevel::Info, "The client asked for messages of this level").await;
    said("The tool has logged, if it was asked to.")
}

async fn progress(turn: &Turn<'_>) -> Outcome {
    turn.progress(0, 100, "begun").await;
    turn.pause(PACE).await?;
    turn.progress(50, 100, "half done").await;
    turn.pause(PACE).await?;
    turn.progress(100, 100, "done").await;
    said("The tool has reported its progress.")
}

/// A log message goes first: a transport that prefers JSON answers then opens the stream that is to be closed.
async fn reconnection(turn: &Turn<'_>) -> Outcome {
    turn.log(LoggingLevel::Info, "Closing the stream of this call").await;
    if let Some(closer) = turn.demo.stream_closer(&turn.context.extensions) {
        closer.close();
    }
    turn.pause(AWAY).await?;
    said("The call went on while its stream was closed.")
}

async fn sampling_only(turn: &Turn<'_>) -> Outcome {
    if turn.declared().sampling.is_none() {
        let required = ClientCapabilities::builder().enable_sampling().build();
        return Err(missing_capability(turn.dialect, required));
    }
    said("The client declared sampling.")
}
