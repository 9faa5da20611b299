//! Input-required results, round by round, as a modern client sees them (2026-07-28, basic/patterns/mrtr).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use rmcp::{
    ServiceError,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, GetPromptRequestParams, GetPromptResponse,
        InputRequiredResult,
    },
};
use serde_json::{Value, json};
use support::{Client, client, code, modern, text};

const STATE: &str = "test_input_required_result_request_state";
const TAMPERED: &str = "test_input_required_result_tampered_state";
const ROUNDS: &str = "test_input_required_result_multi_round";

async fn round(
    client: &Client,
    name: &str,
    responses: Value,
    state: Option<&str>,
) -> Result<CallToolResponse, ServiceError> {
    let mut request = CallToolRequestParams::new(name.to_owned());
    request.input_responses = serde_json::from_value(responses).unwrap();
    request.request_state = state.map(str::to_owned);
    client.call_tool_once(request).await
}

fn asked(response: Result<CallToolResponse, ServiceError>) -> InputRequiredResult {
    match response.unwrap() {
        CallToolResponse::InputRequired(input) => input,
        other => panic!("not asked: {other:?}"),
    }
}

fn done(response: Result<CallToolResponse, ServiceError>) -> CallToolResult {
    match response.unwrap() {
        CallToolResponse::Complete(result) => result,
        other => panic!("not done: {other:?}"),
    }
}

fn accepted(content: Value) -> Value {
    json!({"action": "accept", "content": content})
}

#[tokio::test(start_paused = true)]
async fn a_question_is_put_until_there_is_a_usable_answer() {
    let client = client(modern()).await;
    let name = "test_input_required_result_elicitation";
    for unusable in [
        json!(null),
        json!({}),
        json!({"someone_else": accepted(json!({"name": "Ada"}))}),
        json!({"user_name": 12345}),
        json!({"user_name": "Ada"}),
        json!({"user_name": {"action": "shrug"}}),
        json!({"user_name": {"action": "accept"}}),
        json!({"user_name": accepted(json!({"nickname": "Ada"}))}),
    ] {
        let input = asked(round(&client, name, unusable, None).await);
        let questions = serde_json::to_value(input.input_requests).unwrap();
        assert_eq!(questions["user_name"]["method"], "elicitation/create");
        assert_eq!(questions["user_name"]["params"]["message"], "What is your name?");
        assert_eq!(questions["user_name"]["params"]["requestedSchema"]["required"], json!(["name"]));
    }
    let answers = json!({"user_name": accepted(json!({"name": "Ada"})), "extra": 1});
    assert_eq!(text(&done(round(&client, name, answers, None).await)), "Hello, Ada!");
    let declined = json!({"user_name": {"action": "decline"}});
    assert_eq!(text(&done(round(&client, name, declined, None).await)), "The user declined to answer.");
}

#[tokio::test(start_paused = true)]
async fn answers_count_only_with_the_state_that_belongs_to_them() {
    let client = client(modern()).await;
    let answers = json!({"confirm": accepted(json!({"ok": true}))});
    let state = asked(round(&client, STATE, json!({}), None).await).request_state.unwrap();

    let without = asked(round(&client, STATE, answers.clone(), None).await);
    assert!(without.request_state.is_some());
    assert!(text(&done(round(&client, STATE, answers.clone(), Some(&state)).await)).starts_with("state-ok"));

    let forged = format!("{state}-TAMPERED");
    assert_eq!(code(round(&client, STATE, answers.clone(), Some(&forged)).await), -32602);
    assert_eq!(code(round(&client, STATE, json!({}), Some("")).await), -32602);
    assert_eq!(code(round(&client, TAMPERED, answers.clone(), Some(&state)).await), -32602);
    let mut other = CallToolRequestParams::new(STATE).with_arguments(support::arguments(json!({"other": 1})));
    (other.input_responses, other.request_state) = (serde_json::from_value(answers).unwrap(), Some(state));
    assert_eq!(code(client.call_tool_once(other).await), -32602);
}

#[tokio::test(start_paused = true)]
async fn a_state_of_another_server_is_refused() {
    let (first, second) = (client(modern()).await, client(modern()).await);
    let state = asked(round(&first, STATE, json!({}), None).await).request_state.unwrap();
    assert_eq!(code(round(&second, STATE, json!({}), Some(&state)).await), -32602);
}

#[tokio::test(start_paused = true)]
async fn two_rounds_remember_the_first_in_the_second() {
    let client = client(modern()).await;
    let first = asked(round(&client, ROUNDS, json!({}), None).await);
    let (first_questions, first_state) = (first.input_requests.unwrap(), first.request_state.unwrap());
    assert_eq!(first_questions.keys().collect::<Vec<_>>(), ["step1"]);

    let answers = json!({"step1": accepted(json!({"name": "Ada"}))});
    let second = asked(round(&client, ROUNDS, answers, Some(&first_state)).await);
    let second_state = second.request_state.unwrap();
    assert_ne!(first_state, second_state);
    let questions = serde_json::to_value(second.input_requests).unwrap();
    assert_eq!(questions["step2"]["params"]["message"], "Step 2: what is your favourite colour, Ada?");

    let early = json!({"step2": accepted(json!({"color": "blue"}))});
    assert!(asked(round(&client, ROUNDS, early.clone(), Some(&first_state)).await).input_requests.is_some());
    assert_eq!(text(&done(round(&client, ROUNDS, early, Some(&second_state)).await)), "Ada likes blue.");
}

#[tokio::test(start_paused = true)]
async fn a_prompt_asks_as_well() {
    let client = client(modern()).await;
    let mut request = GetPromptRequestParams::new("test_input_required_result_prompt");
    let GetPromptResponse::InputRequired(input) = client.get_prompt_once(request.clone()).await.unwrap()
    else {
        panic!("not asked")
    };
    assert!(input.input_requests.unwrap().contains_key("user_context"));

    request.input_responses =
        serde_json::from_value(json!({"user_context": accepted(json!({"context": "tests"}))})).unwrap();
    let GetPromptResponse::Complete(prompt) = client.get_prompt_once(request.clone()).await.unwrap() else {
        panic!("not done")
    };
    assert_eq!(prompt.messages[0].content.as_text().unwrap().text, "Answer in this context: tests");

    request.input_responses = serde_json::from_value(json!({"user_context": {"action": "cancel"}})).unwrap();
    assert_eq!(code(client.get_prompt_once(request).await), -32603);
}
