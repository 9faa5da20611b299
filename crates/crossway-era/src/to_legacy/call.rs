//! One modern request on a legacy session, from its sending to its answer.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use bytes::Bytes;
use crossway_proto::{ErrorCode, ErrorObject, Kind, Message, Outcome, Part, RequestId, Revision};
use serde_json::Value;

use super::results::Level;
use super::url_elicitation::visits;
use super::{ClientFeatures, identity, may_ask, pong, refuse, results};
use crate::content;
use crate::limits::QUESTIONS;
use crate::messages::{answer, error_of, is_change};

/// The member by which legacy servers announce the end of an elicitation. "Remove the `notifications/elicitation/complete` notification
/// and the `elicitationId` field of URL mode elicitation requests" (2026-07-28, changelog).
const ELICITATION_ID: &str = "elicitationId";

/// One modern request on a legacy session.
#[derive(Debug)]
pub struct Call {
    /// The request for the server.
    request: Message,
    /// The id of the client's last request, under which it is answered.
    id: RequestId,
    /// The progress token of the client's last request; `None` if it wants no progress.
    progress: Option<RequestId>,
    /// The progress token that the server got.
    server_progress: Option<RequestId>,
    /// The server's revision.
    revision: Revision,
    /// Whether the server's tools can be called as tasks.
    has_tasks: bool,
    /// The server's `serverInfo`, and a `_meta` with it: JSON text.
    info: (Bytes, Bytes),
    asks: ClientFeatures,
    level: Option<Level>,
    /// How many requests the server has sent the client.
    asked: usize,
}

/// A server request that the call waits to have answered.
#[derive(Debug)]
pub struct Question {
    /// The client's key for it, in `inputRequests`: unique within a call.
    key: Box<str>,
    request: Message,
}

/// What to do after a message of the server's.
// Exhaustive on purpose: whoever drives the machine has to carry out each of these, so one that is new must not compile unnoticed.
#[derive(Debug)]
pub enum Step {
    /// Send this to the client.
    Pass(Message),
    /// Send this to the subscriptions.
    Announce(Message),
    /// Send this to the server.
    Reply(Message),
    /// Park the call: ask the client this, by [`Call::input_required`], together with the server's other requests at the time.
    Park(Question),
    /// The client can't be asked: send the first to the client and the second to the server, and cancel the call.
    Refuse(Message, Message),
    /// Send this to the client; the call has ended.
    Done(Message),
    /// Ask the client this by [`Call::input_required`]; the call has ended. The second request is an ordinary call, once
    /// [`url_elicitation_refused`](super::url_elicitation_refused) has let it pass.
    ElicitUrls(Vec<Question>),
    /// Do nothing.
    Nothing,
}

impl Call {
    pub(super) fn new(
        request: Message,
        id: RequestId,
        revision: Revision,
        info: (Bytes, Bytes),
        asks: ClientFeatures,
        level: Option<Level>,
        has_tasks: bool,
    ) -> Self {
        let progress = request.progress_token();
        Self {
            request,
            id,
            progress: progress.clone(),
            server_progress: progress,
            revision,
            info,
            asks,
            level,
            has_tasks,
            asked: 0,
        }
    }

    /// Sets another id for the server, which becomes the progress token as well. Needed where clients share the session:
    /// "The request ID MUST NOT have been previously used by the requestor within the same session" (2025-11-25, basic, Requests), and two
    /// clients may use the same. The client does not see it. Call this before the request is sent.
    pub fn rename(&mut self, id: &RequestId) {
        self.request.set_id(id);
        if self.server_progress.is_some() {
            self.request.set_progress_token(id);
            self.server_progress = Some(id.clone());
        }
    }

    /// The id under which the client is answered, whatever id the server got.
    #[must_use]
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// The request for the server.
    #[must_use]
    pub fn request(&self) -> Message {
        self.request.clone()
    }

    /// The progress token that the server got; `None` if the client wants no progress.
    #[must_use]
    pub fn server_progress(&self) -> Option<&RequestId> {
        self.server_progress.as_ref()
    }

    /// The features by which the client can be asked.
    #[must_use]
    pub fn asks(&self) -> &ClientFeatures {
        &self.asks
    }

    /// The level from which the client wants log messages; `None` if it wants none.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// Whether the server may send the client requests in the course of this call.
    #[must_use]
    pub fn may_ask(&self) -> bool {
        !self.asks.is_empty() && may_ask(&self.request)
    }

    /// Handles a message that came in the course of the call.
    pub fn handle_reply(&mut self, mut message: Message) -> Step {
        match message.kind() {
            Kind::Result => {
                message.set_id(&self.id);
                let method = self.request.method().unwrap_or_default();
                if method == "tools/list" {
                    results::without_tasks(&mut message, self.has_tasks);
                }
                results::complete(&mut message, &method, &self.info);
                Step::Done(message)
            }
            Kind::Error => {
                let visits = visits(&message).filter(|_| may_ask(&self.request));
                if let Some(visits) = visits {
                    return self.ask_anew(visits);
                }
                message.set_id(&self.id);
                Step::Done(results::error(message, &self.request))
            }
            Kind::Request => self.question(message),
            Kind::Notification => self.notification(message),
        }
    }

    /// The `input_required` answer that asks the client, with the `requestState` that it has to send back.
    #[must_use]
    pub fn input_required(&self, questions: &[Question], state: &str) -> Message {
        let mut asked = String::new();
        for Question { key, request } in questions {
            let separator = if asked.is_empty() { "" } else { "," };
            let method = Value::from(request.method().unwrap_or_default().as_ref());
            asked.push_str(&format!(r#"{separator}"{key}":{{"method":{method}"#));
            if let Some(params) = request.params() {
                asked.push_str(r#","params":"#);
                asked.push_str(&String::from_utf8_lossy(params));
            }
            asked.push('}');
        }
        let state = Value::from(state);
        let mut result = answer(
            &self.id,
            format!(
                r#"{{"resultType":"input_required","inputRequests":{{{asked}}},"requestState":{state}}}"#
            )
            .as_bytes(),
        );
        let info: &[(&str, &[u8])] = &[(crate::keys::SERVER_INFO, &self.info.0[..])];
        let _ = result.edit(Part::Meta, &[], info);
        result
    }

    /// Whether a later request repeats this one: whether both are equal but for the members of a second request.
    #[must_use]
    pub fn is_repeated_by(&self, request: &Message) -> bool {
        // A name that was edited on the way here is visible only after rereading.
        request.reread().is_ok_and(|request| digest(&self.request) == digest(&request))
    }

    /// Handles the client's second request, which [repeats](Call::is_repeated_by) the first. From now on the client is answered under the
    /// second request's id, and gets the progress and logs that it asks for.
    ///
    /// Returns the answers for the server, and removes them from `questions`: the client is asked again for those that are left.
    pub fn handle_again(&mut self, request: &Message, questions: &mut Vec<Question>) -> Vec<Message> {
        self.id = request.id().unwrap_or_else(|| self.id.clone());
        self.progress = request.progress_token();
        self.level = request.log_level().and_then(Level::parse);
        let responses = request.member(Part::Params, "inputResponses").unwrap_or_default();
        let responses: std::collections::HashMap<String, &serde_json::value::RawValue> =
            serde_json::from_slice(responses).unwrap_or_default();
        let mut answers = Vec::new();
        questions.retain(|Question { key, request }| {
            let response = responses.get(&**key).filter(|response| response.get().starts_with('{'));
            let Some((response, id)) = response.zip(request.id()) else { return true };
            let response = response.get().as_bytes();
            let changed = request.is_method("sampling/createMessage");
            let changed = changed.then(|| content::sampled(response, self.revision)).flatten();
            answers.push(answer(&id, changed.as_deref().map_or(response, str::as_bytes)));
            false
        });
        answers
    }

    fn question(&mut self, mut request: Message) -> Step {
        if request.is_method("ping") {
            return Step::Reply(pong(&request));
        }
        match self.asks.check(&request) {
            Ok(()) if self.may_ask() && self.asked < QUESTIONS => {
                self.asked += 1;
                // Nobody could report progress to the server.
                let _ = request.edit(Part::Meta, &["progressToken"], &[]);
                if request.member(Part::Params, ELICITATION_ID).is_some() {
                    let _ = request.edit(Part::Params, &[ELICITATION_ID], &[]);
                }
                let request = request.reread().unwrap_or(request);
                Step::Park(Question { key: format!("ask-{}", self.asked).into(), request })
            }
            Err(Value::Null) | Ok(()) => Step::Reply(refuse(&request)),
            Err(required) => Step::Refuse(self.missing(&required, Outcome::Unknown), refuse(&request)),
        }
    }

    /// Handles the server's refusal of the call until the user has visited some URLs.
    fn ask_anew(&mut self, visits: Vec<Message>) -> Step {
        if let Some(Err(required)) = visits.first().map(|visit| self.asks.check(visit)) {
            return Step::Done(self.missing(&required, Outcome::Answered));
        }
        let questions = visits.into_iter().map(|request| {
            self.asked += 1;
            Question { key: format!("ask-{}", self.asked).into(), request }
        });
        Step::ElicitUrls(questions.collect())
    }

    /// MissingRequiredClientCapability (2026-07-28, basic/index, Error Codes).
    fn missing(&self, required: &Value, outcome: Outcome) -> Message {
        let error = ErrorObject::of_call(
            ErrorCode::MISSING_CLIENT_CAPABILITY,
            "the server has to ask the client, which has not said that it can be asked",
            outcome,
        );
        error_of(&self.id, &error.with_data(&serde_json::json!({ "requiredCapabilities": required })))
    }

    fn notification(&self, mut message: Message) -> Step {
        match message.method().as_deref() {
            Some("notifications/progress") => {
                let is_own = message.progress_token() == self.server_progress;
                match &self.progress {
                    Some(token) if is_own => {
                        message.set_progress_token(token);
                        Step::Pass(message)
                    }
                    _ => Step::Nothing,
                }
            }
            Some("notifications/message") if self.level.is_some_and(|level| level.admits(&message)) => {
                Step::Pass(message)
            }
            Some(
                "notifications/message" | "notifications/cancelled" | "notifications/elicitation/complete",
            ) => Step::Nothing,
            Some(method) if is_change(method) => Step::Announce(message),
            _ => Step::Pass(message),
        }
    }
}

impl Question {
    /// The answer for the server when the client does not answer.
    #[must_use]
    pub fn unanswered(&self) -> Message {
        unanswered(&self.request)
    }

    /// The server's request, for another call when this one has ended without it.
    #[must_use]
    pub fn into_request(self) -> Message {
        self.request
    }
}

/// The answer to a server request that was not answered in time.
#[must_use]
pub fn unanswered(request: &Message) -> Message {
    let error = ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the client did not answer in time");
    request.error_response(&error)
}

/// A hash of the request's identity, with a random key: nobody outside can cause collisions.
fn digest(request: &Message) -> u64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    KEY.get_or_init(RandomState::new).hash_one(identity(request))
}
