//! Tools for people to try by hand.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Entry, Outcome, said};
use crate::{
    limits::{SLOW_MS, SLOW_MS_MAX, SLOW_STEPS, SLOW_STEPS_MAX},
    questions::Questions,
    turn::Turn,
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "echo",
        about: "Says back the message that it was given.",
        input: || {
            json!({
                "type": "object",
                "properties": {"message": {"type": "string", "description": "What to say back"}},
                "required": ["message"]
            })
        },
        changes: false,
        run: |turn| Box::pin(async { said(turn.text("message")?) }),
    },
    Entry {
        name: "slow",
        about: "Takes its time, step by step, and reports progress after each; stops when it is cancelled.",
        input: slow_input,
        changes: false,
        run: |turn| Box::pin(slow(turn)),
    },
    Entry {
        name: "ask",
        about: "Asks the user a question, and says what the answer was.",
        input: || {
            json!({
                "type": "object",
                "properties": {"question": {"type": "string", "description": "What to ask", "default": QUESTION}}
            })
        },
        changes: false,
        run: |turn| Box::pin(ask(turn)),
    },
];

const QUESTION: &str = "Which way at the crossing: left, right, or straight on?";

fn slow_input() -> Value {
    json!({
        "type": "object",
        "properties": {
            "steps": {
                "type": "integer", "minimum": 0, "maximum": SLOW_STEPS_MAX, "default": SLOW_STEPS,
                "description": "How many steps"
            },
            "ms": {
                "type": "integer", "minimum": 0, "maximum": SLOW_MS_MAX, "default": SLOW_MS,
                "description": "Milliseconds per step"
            }
        }
    })
}

async fn slow(turn: &Turn<'_>) -> Outcome {
    let steps = turn.whole_or("steps", SLOW_STEPS, SLOW_STEPS_MAX)?;
    let ms = turn.whole_or("ms", SLOW_MS, SLOW_MS_MAX)?;
    for step in 1..=steps {
        turn.pause(Duration::from_millis(ms)).await?;
        turn.progress(step, steps, &format!("step {step} of {steps}")).await;
    }
    said(format!("Took {steps} steps of {ms} ms."))
}

async fn ask(turn: &Turn<'_>) -> Outcome {
    let question = turn.text_or("question", QUESTION)?;
    let form = json!({
        "type": "object",
        "properties": {"answer": {"type": "string", "title": "Your answer"}},
        "required": ["answer"]
    });
    let answers = turn.ask(Questions::new().form("answer", question, form)?).await?;
    said(format!("The user answered: {}", answers.field("answer", "answer")?))
}
