//! One request of a legacy client, from its first sending to its answer.

use std::collections::BTreeMap;

use bytes::Bytes;
use crossway_proto::{ErrorCode, ErrorObject, Kind, Message, Outcome, Part, RequestId, Revision};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::results::{Outline, ResultType};
use super::{Asked, Client, questions, results, revisions, structured};
use crate::content;
use crate::limits::{QUESTIONS, ROUNDS};
use crate::messages::{error_of, is_change};

/// One request of a legacy client.
#[derive(Debug)]
pub struct Call {
    /// The request for the server.
    request: Message,
    id: RequestId,
    asked: Asked,
    /// The client's revision.
    revision: Revision,
    /// The client's capabilities: JSON text, an object.
    capabilities: Bytes,
    rounds: u32,
    questions: Vec<Question>,
    /// Server requests that have to be cancelled at the client.
    withdrawn: Vec<RequestId>,
    /// The server's `requestState`, sent back unchanged: JSON text.
    state: Option<Bytes>,
}

/// A server request that the client has to answer.
#[derive(Debug)]
struct Question {
    /// The server's key for it, in `inputRequests`.
    key: String,
    /// The id under which the client gets it.
    id: RequestId,
    is_elicitation: bool,
    /// JSON text.
    answer: Option<Bytes>,
}

/// What to do after a message of the server's.
// Exhaustive on purpose: whoever drives the machine has to carry out each of these, so one that is new must not compile unnoticed.
#[derive(Debug)]
pub enum Step {
    /// Send this to the client.
    Pass(Message),
    /// Send these requests to the client. Each answer goes into [`Call::handle_response`].
    Ask(Vec<Message>),
    /// Send this, the same request under a new id, to the server.
    Again(Message),
    /// Do nothing: the message is not for the client.
    Nothing,
    /// Send this to the client; the call has ended.
    Done(Message),
}

impl Call {
    pub(super) fn new(request: Message, id: RequestId, client: &Client) -> Self {
        let asked = Asked::of(&request);
        Self {
            request,
            id,
            asked,
            revision: client.revision,
            capabilities: client.capabilities.clone(),
            rounds: 0,
            questions: Vec::new(),
            withdrawn: Vec::new(),
            state: None,
        }
    }

    /// The id that the client gave the call.
    #[must_use]
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// The first request for the server.
    #[must_use]
    pub fn request(&self) -> Message {
        self.request.clone()
    }

    /// Handles a message of the server's reply. `next_id` gives ids for the server requests that the client gets.
    pub fn handle_reply(&mut self, mut message: Message, next_id: impl FnMut() -> RequestId) -> Step {
        match message.kind() {
            Kind::Notification if is_of_a_call(&message) => Step::Pass(message),
            Kind::Notification => Step::Nothing,
            // A modern server sends no requests (2026-07-28, basic/transports), and could not get the answer.
            Kind::Request => Step::Nothing,
            Kind::Error => {
                message.set_id(&self.id);
                Step::Done(results::error(message, &self.asked))
            }
            Kind::Result => {
                let outline = Outline::of(&message);
                match outline.kind {
                    ResultType::Complete => {}
                    ResultType::InputRequired => return self.ask(&message, next_id),
                    ResultType::Unknown => {
                        return self.fail("the server answered with a type of result that is not known");
                    }
                }
                message.set_id(&self.id);
                results::strip(&mut message, &outline);
                if self.asked.is_tool_call && outline.has_other_structure {
                    structured::to_text(&mut message);
                }
                if self.asked.is_tool_list {
                    structured::only_object_schemas(&mut message);
                }
                // Lists have no content blocks, and are long.
                if self.asked.may_need_input {
                    content::replace_unknown(&mut message, self.revision);
                }
                Step::Done(message)
            }
        }
    }

    /// Handles the client's response to a server request of this call; `None` if it belongs to none of them, or if other answers are still
    /// missing.
    pub fn handle_response(&mut self, response: &Message) -> Option<Step> {
        let id = response.id()?;
        let question = self.questions.iter_mut().find(|question| question.id == id)?;
        match (response.result(), response.error()) {
            (Some(result), _) => question.answer = Some(Bytes::copy_from_slice(result)),
            // A client that fails to ask its user counts as a cancelled elicitation.
            (None, Some(_)) if question.is_elicitation => {
                question.answer = Some(Bytes::from_static(br#"{"action":"cancel"}"#));
            }
            // A modern server can't be sent a client's error.
            (None, error) => return Some(self.refused(&id, error)),
        }
        if self.questions.iter().any(|question| question.answer.is_none()) {
            return None;
        }
        Some(self.again())
    }

    /// Handles the client's cancellation of the call: its open server requests are withdrawn.
    pub fn handle_cancelled(&mut self) {
        self.withdraw(None);
    }

    /// The next cancellation of a withdrawn server request, for the client. Call it after [`Call::handle_cancelled`], and before the answer
    /// of a [`Step::Done`].
    pub fn poll_withdrawn(&mut self) -> Option<Message> {
        let id = self.withdrawn.pop()?;
        Some(Message::cancellation_of(&id, "the call that it was needed for has ended"))
    }

    /// Whether a response with this id is awaited.
    #[must_use]
    pub fn awaits(&self, id: &RequestId) -> bool {
        self.questions.iter().any(|question| question.id == *id && question.answer.is_none())
    }

    fn ask(&mut self, message: &Message, mut next_id: impl FnMut() -> RequestId) -> Step {
        #[derive(Deserialize)]
        struct Required<'a> {
            #[serde(rename = "inputRequests", borrow, default)]
            requests: BTreeMap<String, Request<'a>>,
            #[serde(rename = "requestState", borrow, default)]
            state: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Request<'a> {
            method: String,
            #[serde(borrow, default)]
            params: Option<&'a RawValue>,
        }
        if !self.asked.may_need_input {
            return self.fail("the server asks for input where the specification has none");
        }
        // A layer in between may have replaced the server's state by its own.
        let message = message.reread().ok();
        let result = message.as_ref().and_then(Message::result);
        let required = result.and_then(|result| serde_json::from_slice::<Required<'_>>(result).ok());
        let Some(required) = required else {
            return self.fail("what the server asks for can't be read");
        };
        // "Servers MUST include at least one of `inputRequests` or `requestState`" (basic/patterns/mrtr).
        if required.requests.is_empty() && required.state.is_none() {
            return self.fail("the server asks for input and does not say for what");
        }
        self.rounds += 1;
        if self.rounds > ROUNDS || required.requests.len() > QUESTIONS {
            return self.fail("the server asks for too much input");
        }
        self.state = required.state.map(|state| Bytes::copy_from_slice(state.get().as_bytes()));
        self.questions.clear();
        let mut asked = Vec::new();
        for (key, Request { method, params }) in required.requests {
            let params = params.map(|params| params.get().as_bytes());
            if !revisions::can_be_asked(&self.capabilities, &method, params) {
                return self.fail("the server asks for what the client has not said that it can do");
            }
            let params = match params {
                Some(params) => match questions::in_revision(self.revision, &method, params) {
                    Some(params) => Some(params),
                    None => return self.fail("the server asks for what the client's revision does not have"),
                },
                None => None,
            };
            let params = params.as_deref();
            let id = next_id();
            let Ok(mut request) = Message::request_of(&id, &method, params) else {
                return self.fail("what the server asks for can't be read");
            };
            // Legacy clients learn of an elicitation's end by its id, which modern servers no longer send.
            if revisions::is_by_url(params) && request.member(Part::Params, "elicitationId").is_none() {
                let edited = request.edit(Part::Params, &[], &[("elicitationId", id.as_json())]);
                request = edited.ok().and_then(|()| request.reread().ok()).unwrap_or(request);
            }
            let is_elicitation = method == "elicitation/create";
            self.questions.push(Question { key, id, is_elicitation, answer: None });
            asked.push(request);
        }
        if asked.is_empty() { self.again() } else { Step::Ask(asked) }
    }

    fn again(&mut self) -> Step {
        let mut responses = String::from("{");
        for Question { key, answer, .. } in self.questions.drain(..) {
            let Some(answer) = answer else { continue };
            if responses.len() > 1 {
                responses.push(',');
            }
            responses.push_str(&serde_json::Value::from(key).to_string());
            responses.push(':');
            responses.push_str(&String::from_utf8_lossy(&answer));
        }
        responses.push('}');
        let mut put: Vec<(&str, &[u8])> = Vec::new();
        if responses.len() > 2 {
            put.push(("inputResponses", responses.as_bytes()));
        }
        put.extend(self.state.as_ref().map(|state| ("requestState", &state[..])));
        let mut request = self.request.clone();
        let id = format!("crossway-round-{}-{}", self.rounds, self.id);
        request.set_id(&RequestId::from(id.as_str()));
        let edited = request.edit(Part::Params, &["inputResponses", "requestState"], &put);
        match edited.ok().and_then(|()| request.reread().ok()) {
            Some(request) => Step::Again(request),
            None => self.fail("the client's answers can't be passed on"),
        }
    }

    fn refused(&mut self, id: &RequestId, error: Option<&[u8]>) -> Step {
        self.withdraw(Some(id));
        let why = "the client did not answer what the server asked for";
        let error = ErrorObject::of_call(ErrorCode::INTERNAL_ERROR, why, Outcome::Answered)
            .with_member("clientError", error.unwrap_or(b"null"));
        Step::Done(error_of(&self.id, &error))
    }

    fn fail(&mut self, why: &'static str) -> Step {
        self.questions.clear();
        Step::Done(error_of(
            &self.id,
            &ErrorObject::of_call(ErrorCode::INTERNAL_ERROR, why, Outcome::Answered),
        ))
    }

    /// Drops all server requests. Those that the client has not answered are withdrawn.
    fn withdraw(&mut self, answered: Option<&RequestId>) {
        let open = self.questions.drain(..).filter(|question| question.answer.is_none());
        self.withdrawn = open.map(|question| question.id).filter(|id| Some(id) != answered).collect();
        // `poll_withdrawn` takes them from the end.
        self.withdrawn.reverse();
    }
}

/// Whether a notification may come in the course of a call. Those of subscriptions have streams of their own; and with a cancellation, a
/// server could make its client drop another server's request, since their ids are ours.
fn is_of_a_call(notification: &Message) -> bool {
    let method = notification.method();
    method.as_deref().is_some_and(|method| {
        !is_change(method)
            && !matches!(method, "notifications/cancelled" | "notifications/subscriptions/acknowledged")
    })
}
