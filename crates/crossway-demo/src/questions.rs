//! Questions to the client, and the two ways to ask them.
//!
//! A legacy client gets requests from the server, while the call is pending. A modern one gets an `input_required` result
//! (2026-07-28, basic/patterns/mrtr) and calls again, with the answers in `inputResponses`.

use futures_util::future::{try_join, try_join_all};
use rmcp::{
    RoleServer, ServiceError,
    model::{
        ClientCapabilities, CreateMessageRequest, CreateMessageRequestParams, ElicitRequest,
        ElicitRequestParams, ErrorData, InputRequest, InputRequests, InputRequiredResult, InputResponses,
        ListRootsRequest, SamplingMessage, ServerRequest,
    },
    service::{PeerRequestOptions, RequestContext},
};
use serde_json::Value;

use crate::{
    answers::{Answer, Answers},
    era::Dialect,
    limits::ANSWERING,
    stop::Stop,
};

/// A tool's questions, each with its own key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Questions(InputRequests);

impl Questions {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Asks the user to fill in a form: a flat JSON schema of type `object`.
    pub(crate) fn form(self, key: &str, message: &str, schema: Value) -> Result<Self, Stop> {
        let broken =
            |error: serde_json::Error| ErrorData::internal_error(format!("bad form {key}: {error}"), None);
        let requested_schema = serde_json::from_value(schema).map_err(broken)?;
        let params = ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: message.to_owned(),
            requested_schema,
        };
        Ok(self.with(key, InputRequest::Elicitation(ElicitRequest::new(params))))
    }

    /// Asks the client's model to continue from `prompt`.
    pub(crate) fn sample(self, key: &str, prompt: &str, max_tokens: u32) -> Self {
        let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], max_tokens);
        self.with(key, InputRequest::CreateMessage(CreateMessageRequest::new(params)))
    }

    /// Asks for the client's roots.
    pub(crate) fn roots(self, key: &str) -> Self {
        self.with(key, InputRequest::ListRoots(ListRootsRequest::default()))
    }

    /// Removes questions that a client with these capabilities could not answer.
    pub(crate) fn that_suit(mut self, declared: &ClientCapabilities) -> Self {
        self.0.retain(|_, question| can_answer(declared, question));
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fails if the client lacks a capability that the questions need.
    ///
    /// A modern client gets -32021, which must not be sent to a legacy one.
    pub(crate) fn check(&self, dialect: Dialect, declared: &ClientCapabilities) -> Result<(), Stop> {
        let missing: Vec<&InputRequest> =
            self.0.values().filter(|question| !can_answer(declared, question)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut required = ClientCapabilities::default();
        for question in missing {
            require(&mut required, question);
        }
        Err(missing_capability(dialect, required))
    }

    /// The answers in a modern request, if each question has a usable one. Others are ignored.
    pub(crate) fn answered_by(&self, responses: &InputResponses) -> Option<Answers> {
        let answer = |(key, question): (&String, &InputRequest)| {
            Some((key.clone(), Answer::to(question, responses.get(key)?)?))
        };
        self.0.iter().map(answer).collect()
    }

    /// The result that asks a modern client to answer and call again.
    pub(crate) fn into_result(self, state: Option<String>) -> InputRequiredResult {
        InputRequiredResult::new(Some(self.0), state)
    }

    /// Asks a legacy client, all questions at once except forms: not every client can show two of these.
    pub(crate) async fn put_to(self, context: &RequestContext<RoleServer>) -> Result<Answers, Stop> {
        let is_form =
            |(_, question): &(String, InputRequest)| matches!(question, InputRequest::Elicitation(_));
        let (forms, others): (Vec<_>, Vec<_>) = self.0.into_iter().partition(is_form);
        let forms = async {
            let mut answers = Vec::new();
            for (key, question) in forms {
                answers.push(put(key, question, context).await?);
            }
            Ok(answers)
        };
        let others = try_join_all(others.into_iter().map(|(key, question)| put(key, question, context)));
        let (forms, others) = try_join(forms, others).await?;
        Ok(forms.into_iter().chain(others).collect())
    }

    fn with(mut self, key: &str, question: InputRequest) -> Self {
        self.0.insert(key.to_owned(), question);
        self
    }
}

/// Asks a legacy client one question.
async fn put(
    key: String,
    question: InputRequest,
    context: &RequestContext<RoleServer>,
) -> Result<(String, Answer), Stop> {
    let request = match question {
        InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
        InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
        InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
        _ => return Err(unknown_question()),
    };
    let options = PeerRequestOptions::with_timeout(ANSWERING);
    let asked =
        async { context.peer.send_request_with_option(request, options).await?.await_response().await };
    let result = tokio::select! {
        result = asked => result.map_err(|error| Stop::Failed(why(&key, error)))?,
        () = context.ct.cancelled() => return Err(Stop::Failed("cancelled".to_owned())),
    };
    let answer = Answer::from_client(result)
        .ok_or_else(|| Stop::Failed(format!("the client's answer to {key} is no answer to it")))?;
    Ok((key, answer))
}

/// The refusal of a call that needs more than the client supports.
pub(crate) fn missing_capability(dialect: Dialect, required: ClientCapabilities) -> Stop {
    match dialect {
        Dialect::Modern => ErrorData::missing_required_client_capability(required).into(),
        Dialect::Legacy => {
            let named = [
                (required.elicitation.is_some(), "elicitation"),
                (required.sampling.is_some(), "sampling"),
                (required.roots.is_some(), "roots"),
            ];
            let named: Vec<&str> = named.into_iter().filter_map(|(is, name)| is.then_some(name)).collect();
            Stop::Failed(format!("this tool needs a client with the capability {}", named.join(" and ")))
        }
    }
}

/// Whether the client declared the capability for a question. Elicitation without a mode means forms (2025-11-25, client/elicitation).
fn can_answer(declared: &ClientCapabilities, question: &InputRequest) -> bool {
    match question {
        InputRequest::Elicitation(_) => {
            declared.elicitation.as_ref().is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
        }
        InputRequest::CreateMessage(_) => declared.sampling.is_some(),
        InputRequest::ListRoots(_) => declared.roots.is_some(),
        _ => false,
    }
}

fn require(capabilities: &mut ClientCapabilities, question: &InputRequest) {
    match question {
        InputRequest::Elicitation(_) => capabilities.elicitation = Some(Default::default()),
        InputRequest::CreateMessage(_) => capabilities.sampling = Some(Default::default()),
        InputRequest::ListRoots(_) => capabilities.roots = Some(Default::default()),
        _ => {}
    }
}

fn unknown_question() -> Stop {
    ErrorData::internal_error("a question of a kind that this server does not put", None).into()
}

fn why(key: &str, error: ServiceError) -> String {
    match error {
        ServiceError::McpError(error) => format!("the client refused to answer {key}: {}", error.message),
        error => format!("no answer to {key}: {error}"),
    }
}
