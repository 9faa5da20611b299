//! Tools that use elicitation and sampling, with the forms that the conformance suite checks.

use rmcp::model::ElicitationAction;
use serde_json::{Value, json};

use super::{Entry, Outcome, nothing, said};
use crate::{questions::Questions, turn::Turn};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "test_sampling",
        about: "Has the client's model answer a prompt.",
        input: || {
            json!({
                "type": "object",
                "properties": {"prompt": {"type": "string", "description": "What to ask the model"}},
                "required": ["prompt"]
            })
        },
        changes: false,
        run: |turn| Box::pin(sampling(turn)),
    },
    Entry {
        name: "test_elicitation",
        about: "Asks the user for a name and an email address.",
        input: || {
            json!({
                "type": "object",
                "properties": {"message": {"type": "string", "description": "What to tell the user"}},
                "required": ["message"]
            })
        },
        changes: false,
        run: |turn| Box::pin(contact(turn)),
    },
    Entry {
        name: "test_elicitation_sep1034_defaults",
        about: "Shows the user a form with a default in every field.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(show(turn, "Please review the values of this form", defaults())),
    },
    Entry {
        name: "test_elicitation_sep1330_enums",
        about: "Shows the user a form with a choice of every kind.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(show(turn, "Please choose", choices())),
    },
];

async fn sampling(turn: &Turn<'_>) -> Outcome {
    let answers = turn.ask(Questions::new().sample("answer", turn.text("prompt")?, 100)).await?;
    said(format!("LLM response: {}", answers.sampled("answer")?))
}

async fn contact(turn: &Turn<'_>) -> Outcome {
    let form = json!({
        "type": "object",
        "properties": {
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"}
        },
        "required": ["username", "email"]
    });
    let answers = turn.ask(Questions::new().form("contact", turn.text("message")?, form)?).await?;
    let (action, content) = answers.form("contact")?;
    said(format!("User response: action={}, content={}", word(action), Value::Object(content)))
}

async fn show(turn: &Turn<'_>, message: &str, form: Value) -> Outcome {
    let answers = turn.ask(Questions::new().form("form", message, form)?).await?;
    let (action, content) = answers.form("form")?;
    said(format!("Elicitation completed: action={}, content={}", word(action), Value::Object(content)))
}

fn word(action: &ElicitationAction) -> &'static str {
    match action {
        ElicitationAction::Accept => "accept",
        ElicitationAction::Decline => "decline",
        _ => "cancel",
    }
}

fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "A name", "default": "John Doe"},
            "age": {"type": "integer", "description": "An age in years", "default": 30},
            "score": {"type": "number", "description": "A score", "default": 95.5},
            "status": {
                "type": "string", "description": "A status",
                "enum": ["active", "inactive", "pending"], "default": "active"
            },
            "verified": {"type": "boolean", "description": "Whether it was verified", "default": true}
        },
        "required": []
    })
}

fn choices() -> Value {
    let titled = |n: &str| json!({"const": format!("value{n}"), "title": format!("Option {n}")});
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
            "titledSingle": {"type": "string", "oneOf": [titled("1"), titled("2"), titled("3")]},
            "legacyEnum": {
                "type": "string", "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"]
            },
            "untitledMulti": {
                "type": "array", "minItems": 1, "maxItems": 3,
                "items": {"type": "string", "enum": ["option1", "option2", "option3"]}
            },
            "titledMulti": {
                "type": "array", "minItems": 1, "maxItems": 3,
                "items": {"anyOf": [titled("1"), titled("2"), titled("3")]}
            }
        },
        "required": []
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_sent(form: Value) -> Value {
        let schema: rmcp::model::ElicitationSchema = serde_json::from_value(form).unwrap();
        serde_json::to_value(schema).unwrap()
    }

    #[test]
    fn a_form_is_sent_as_it_was_written() {
        assert_eq!(as_sent(choices()), choices());
        assert_eq!(as_sent(defaults()), defaults());
    }
}
