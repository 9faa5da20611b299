//! The demo prompts.

use rmcp::model::{
    ContentBlock, ErrorData, GetPromptResponse, GetPromptResult, Prompt, PromptArgument, PromptMessage,
    ResourceContents, Role,
};
use serde_json::{Value, json};

use crate::{
    media::{PNG, PNG_TYPE},
    questions::Questions,
    stop::Stop,
    turn::Turn,
};

const SIMPLE: &str = "test_simple_prompt";
/// The prompt whose arguments can be completed.
pub(crate) const WITH_ARGUMENTS: &str = "test_prompt_with_arguments";
const WITH_RESOURCE: &str = "test_prompt_with_embedded_resource";
const WITH_IMAGE: &str = "test_prompt_with_image";
const THAT_ASKS: &str = "test_input_required_result_prompt";

/// Whether there is a prompt of this name.
pub(crate) fn exists(name: &str) -> bool {
    list(0).iter().any(|prompt| prompt.name == name)
}

/// All prompts, as in `prompts/list` after this number of changes.
pub(crate) fn list(changes: u64) -> Vec<Prompt> {
    let changed = match changes {
        0 => String::new(),
        _ => format!(". Changes of this list: {changes}"),
    };
    let required =
        |name: &str, about: &str| PromptArgument::new(name).with_description(about).with_required(true);
    vec![
        Prompt::new(SIMPLE, Some(format!("One message of text{changed}")), None),
        Prompt::new(
            WITH_ARGUMENTS,
            Some("One message that quotes two arguments"),
            Some(vec![required("arg1", "The first"), required("arg2", "The second")]),
        ),
        Prompt::new(
            WITH_RESOURCE,
            Some("A resource, and what to do with it"),
            Some(vec![required("resourceUri", "The URI that the resource is to have")]),
        ),
        Prompt::new(WITH_IMAGE, Some("A picture, and what to do with it"), None),
        Prompt::new(THAT_ASKS, Some("One message, after asking the user for its context"), None),
    ]
}

/// Gets a prompt.
pub(crate) async fn get(turn: &Turn<'_>) -> Result<GetPromptResponse, ErrorData> {
    let end = match turn.name {
        SIMPLE => Ok(messages(vec![text("This is a simple prompt for testing.")])),
        WITH_ARGUMENTS => with_arguments(turn),
        WITH_RESOURCE => with_resource(turn),
        WITH_IMAGE => {
            Ok(messages(vec![ContentBlock::image(PNG, PNG_TYPE), text("Please analyze the image above.")]))
        }
        THAT_ASKS => that_asks(turn).await,
        _ => Err(ErrorData::invalid_params(format!("unknown prompt: {}", turn.name), None).into()),
    };
    Stop::of_prompt(end)
}

fn with_arguments(turn: &Turn<'_>) -> Result<GetPromptResult, Stop> {
    let (first, second) = (argument(turn, "arg1")?, argument(turn, "arg2")?);
    Ok(messages(vec![text(format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))]))
}

fn with_resource(turn: &Turn<'_>) -> Result<GetPromptResult, Stop> {
    let uri = argument(turn, "resourceUri")?;
    Ok(messages(vec![
        ContentBlock::resource(ResourceContents::text("Embedded resource content for testing.", uri)),
        text("Please process the embedded resource above."),
    ]))
}

async fn that_asks(turn: &Turn<'_>) -> Result<GetPromptResult, Stop> {
    let form =
        json!({"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]});
    let questions = Questions::new().form("user_context", "What context should the prompt have?", form)?;
    let context = turn.ask(questions).await?.field("user_context", "context")?;
    Ok(messages(vec![text(format!("Answer in this context: {context}"))]))
}

/// "Missing required arguments: -32602" (2026-07-28, server/prompts).
fn argument<'t>(turn: &'t Turn<'_>, name: &str) -> Result<&'t str, Stop> {
    let value = turn.arguments.get(name).and_then(Value::as_str);
    value.ok_or_else(|| ErrorData::invalid_params(format!("the argument {name} is missing"), None).into())
}

fn text(text: impl Into<String>) -> ContentBlock {
    ContentBlock::text(text)
}

fn messages(content: Vec<ContentBlock>) -> GetPromptResult {
    GetPromptResult::new(content.into_iter().map(|block| PromptMessage::new(Role::User, block)).collect())
}
