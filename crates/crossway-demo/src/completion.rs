//! Completion of the arguments of a prompt and of the resource template.

use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, Reference};

use crate::{prompts, resources};

const WORDS: &[&str] = &["test", "testValue1", "testValue2", "text", "train"];
const IDS: &[&str] = &["1", "12", "123", "42"];

/// Completes the value of an argument. An argument without suggestions gets none.
pub(crate) fn complete(request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let name = request.argument.name.as_str();
    let known: &[&str] = match &request.r#ref {
        Reference::Prompt(prompt) if prompt.name == prompts::WITH_ARGUMENTS => match name {
            "arg1" | "arg2" => WORDS,
            _ => &[],
        },
        Reference::Prompt(prompt) if prompts::exists(&prompt.name) => &[],
        Reference::Resource(resource) if resource.uri == resources::TEMPLATE => match name {
            "id" => IDS,
            _ => &[],
        },
        Reference::Resource(resource) if resources::exists(&resource.uri) => &[],
        _ => return Err(ErrorData::invalid_params("there is no such prompt or resource template", None)),
    };
    let value = request.argument.value.as_str();
    let fitting =
        known.iter().filter(|known| known.starts_with(value)).map(|known| (*known).to_owned()).collect();
    let fitting =
        CompletionInfo::with_all_values(fitting).map_err(|error| ErrorData::internal_error(error, None))?;
    Ok(CompleteResult::new(fitting))
}
