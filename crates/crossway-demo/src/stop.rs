//! Why a tool or prompt returns no result.

use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ErrorData, GetPromptResponse, GetPromptResult,
    InputRequiredResult,
};

/// Why there is no result (yet). Meant for `?`.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A modern client has to answer first, and to call again.
    NeedsInput(Box<InputRequiredResult>),
    /// The request is refused: a JSON-RPC error.
    Refused(Box<ErrorData>),
    /// The tool ran, and failed in a way that the model should read about.
    Failed(String),
    /// The user was asked, and declined. That is an outcome, not a failure.
    Declined(String),
}

impl From<ErrorData> for Stop {
    fn from(error: ErrorData) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl Stop {
    /// The answer to a `tools/call`.
    pub(crate) fn of_tool(end: Result<CallToolResult, Self>) -> Result<CallToolResponse, ErrorData> {
        match end {
            Ok(result) => Ok(result.into()),
            Err(Self::NeedsInput(input)) => Ok((*input).into()),
            Err(Self::Refused(error)) => Err(*error),
            Err(Self::Failed(why)) => Ok(CallToolResult::error(vec![ContentBlock::text(why)]).into()),
            Err(Self::Declined(how)) => Ok(CallToolResult::success(vec![ContentBlock::text(how)]).into()),
        }
    }

    /// The answer to a `prompts/get`. A prompt has no failed result, so `Failed` and `Declined` are errors.
    pub(crate) fn of_prompt(end: Result<GetPromptResult, Self>) -> Result<GetPromptResponse, ErrorData> {
        match end {
            Ok(result) => Ok(result.into()),
            Err(Self::NeedsInput(input)) => Ok((*input).into()),
            Err(Self::Refused(error)) => Err(*error),
            Err(Self::Failed(why) | Self::Declined(why)) => Err(ErrorData::internal_error(why, None)),
        }
    }
}
