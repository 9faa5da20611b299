//! Tools that need the client's input, in one round or more (2026-07-28, basic/patterns/mrtr).
//!
//! On a legacy session the same code sends requests to the client.

use serde_json::{Value, json};

use super::{Entry, Outcome, nothing, said};
use crate::{questions::Questions, seal::Kept, stop::Stop, turn::Turn};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "test_input_required_result_elicitation",
        about: "Asks the user for a name.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(greet(turn)),
    },
    Entry {
        name: "test_input_required_result_sampling",
        about: "Asks the client's model for the capital of France.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(capital(turn)),
    },
    Entry {
        name: "test_input_required_result_list_roots",
        about: "Asks for the client's roots.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(roots(turn)),
    },
    Entry {
        name: "test_input_required_result_request_state",
        about: "Asks the user to confirm, and has the client carry a state.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(state(turn)),
    },
    Entry {
        name: "test_input_required_result_tampered_state",
        about: "The same: a state that was tampered with is refused.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(state(turn)),
    },
    Entry {
        name: "test_input_required_result_multiple_inputs",
        about: "Asks the user, the client's model and for roots, all at once.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(three_at_once(turn)),
    },
    Entry {
        name: "test_input_required_result_multi_round",
        about: "Asks the user twice, the second time by what was answered the first time.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(two_rounds(turn)),
    },
    Entry {
        name: "test_input_required_result_capabilities",
        about: "Asks the user and the client's model, as far as the client declared that it can.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(what_suits(turn)),
    },
    Entry {
        name: "test_streaming_elicitation",
        about: "Asks the user for a value.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(value(turn)),
    },
];

/// A form with one required field.
fn one(field: &str, kind: &str) -> Value {
    json!({"type": "object", "properties": {field: {"type": kind}}, "required": [field]})
}

async fn greet(turn: &Turn<'_>) -> Outcome {
    let questions = Questions::new().form("user_name", "What is your name?", one("name", "string"))?;
    let answers = turn.ask(questions).await?;
    said(format!("Hello, {}!", answers.field("user_name", "name")?))
}

async fn capital(turn: &Turn<'_>) -> Outcome {
    let questions = Questions::new().sample("capital_question", "What is the capital of France?", 100);
    let answers = turn.ask(questions).await?;
    said(format!("The model says: {}", answers.sampled("capital_question")?))
}

async fn roots(turn: &Turn<'_>) -> Outcome {
    let answers = turn.ask(Questions::new().roots("client_roots")).await?;
    let uris: Vec<&str> = answers.roots("client_roots")?.iter().map(|root| root.uri.as_str()).collect();
    said(format!("The client has {} roots: {}", uris.len(), uris.join(", ")))
}

async fn state(turn: &Turn<'_>) -> Outcome {
    // A bad state is refused first, with or without answers.
    turn.kept()?;
    let questions = Questions::new().form("confirm", "Please confirm", one("ok", "boolean"))?;
    let answers = turn.ask_with_state(questions, &Kept::new(1, "")).await?;
    said(format!("state-ok: the user answered {}", answers.field("confirm", "ok")?))
}

async fn three_at_once(turn: &Turn<'_>) -> Outcome {
    let questions = Questions::new()
        .form("user_name", "What is your name?", one("name", "string"))?
        .sample("greeting", "Write a short greeting.", 50)
        .roots("client_roots");
    let answers = turn.ask_with_state(questions, &Kept::new(1, "")).await?;
    let (name, greeting) = (answers.field("user_name", "name")?, answers.sampled("greeting")?);
    said(format!("{greeting} {name} has {} roots.", answers.roots("client_roots")?.len()))
}

async fn two_rounds(turn: &Turn<'_>) -> Outcome {
    let name = match turn.kept()? {
        Some(Kept { round: 2, note }) => note,
        _ => {
            let first =
                Questions::new().form("step1", "Step 1: what is your name?", one("name", "string"))?;
            turn.ask_with_state(first, &Kept::new(1, "")).await?.field("step1", "name")?
        }
    };
    let message = format!("Step 2: what is your favourite colour, {name}?");
    let second = Questions::new().form("step2", &message, one("color", "string"))?;
    let colour = turn.ask_with_state(second, &Kept::new(2, name.clone())).await?.field("step2", "color")?;
    said(format!("{name} likes {colour}."))
}

async fn what_suits(turn: &Turn<'_>) -> Outcome {
    let questions = Questions::new()
        .form("user_name", "What is your name?", one("name", "string"))?
        .sample("greeting", "Write a short greeting.", 50)
        .that_suit(&turn.declared());
    if questions.is_empty() {
        return Err(Stop::Declined("The client declared nothing that it could be asked.".to_owned()));
    }
    turn.ask(questions).await?;
    said("The client answered all that it can be asked.")
}

async fn value(turn: &Turn<'_>) -> Outcome {
    let questions = Questions::new().form("value", "Please give a value", one("value", "string"))?;
    said(format!("The value is: {}", turn.ask(questions).await?.field("value", "value")?))
}
