//! Client responses to server questions, in either era's form.

use std::collections::BTreeMap;

use rmcp::model::{
    ClientResult, CreateMessageResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ErrorData, InputRequest, ListRootsResult, Root, SamplingMessageContentBlock,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::stop::Stop;

/// One answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Form(ElicitResult),
    Sample(Box<CreateMessageResult>),
    Roots(ListRootsResult),
}

impl Answer {
    /// Reads a member of `inputResponses`. `None` if it does not have the form of an answer to `question`; the client is then asked again.
    pub(crate) fn to(question: &InputRequest, response: &Value) -> Option<Self> {
        match question {
            InputRequest::Elicitation(asked) => {
                let answer: ElicitResult = read(response)?;
                (answer.action != ElicitationAction::Accept || fills_in(&answer, asked))
                    .then_some(Self::Form(answer))
            }
            InputRequest::CreateMessage(_) => read(response).map(|answer| Self::Sample(Box::new(answer))),
            InputRequest::ListRoots(_) => read(response).map(Self::Roots),
            _ => None,
        }
    }

    /// Reads the result of a request that the server sent.
    pub(crate) fn from_client(result: ClientResult) -> Option<Self> {
        match result {
            ClientResult::ElicitResult(answer) => Some(Self::Form(answer)),
            ClientResult::CreateMessageResult(answer) => Some(Self::Sample(answer)),
            ClientResult::ListRootsResult(answer) => Some(Self::Roots(answer)),
            _ => None,
        }
    }
}

/// All answers to some [`Questions`](crate::questions::Questions), by their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(BTreeMap<String, Answer>);

impl FromIterator<(String, Answer)> for Answers {
    fn from_iter<I: IntoIterator<Item = (String, Answer)>>(answers: I) -> Self {
        Self(answers.into_iter().collect())
    }
}

impl Answers {
    /// The user's action on a form, and the form's content.
    pub(crate) fn form(&self, key: &str) -> Result<(&ElicitationAction, Map<String, Value>), Stop> {
        match self.0.get(key) {
            Some(Answer::Form(answer)) => {
                let content = answer.content.as_ref().and_then(Value::as_object);
                Ok((&answer.action, content.cloned().unwrap_or_default()))
            }
            _ => Err(unasked(key)),
        }
    }

    /// The content of a form. A form that was not accepted ends the call.
    pub(crate) fn filled(&self, key: &str) -> Result<Map<String, Value>, Stop> {
        match self.form(key)? {
            (ElicitationAction::Accept, content) => Ok(content),
            (ElicitationAction::Decline, _) => Err(Stop::Declined("The user declined to answer.".to_owned())),
            _ => Err(Stop::Declined("The user dismissed the question.".to_owned())),
        }
    }

    /// A field of a form as text, whatever its type.
    pub(crate) fn field(&self, key: &str, field: &str) -> Result<String, Stop> {
        match self.filled(key)?.get(field) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value) => Ok(value.to_string()),
            None => Err(Stop::Failed(format!("the form {key} came back without {field}"))),
        }
    }

    /// The text of the client's sampling result.
    pub(crate) fn sampled(&self, key: &str) -> Result<String, Stop> {
        let Some(Answer::Sample(answer)) = self.0.get(key) else { return Err(unasked(key)) };
        let texts = answer.message.content.clone().into_vec().into_iter().filter_map(|block| match block {
            SamplingMessageContentBlock::Text(text) => Some(text.text),
            _ => None,
        });
        Ok(texts.collect::<Vec<_>>().join("\n"))
    }

    /// The client's roots.
    pub(crate) fn roots(&self, key: &str) -> Result<&[Root], Stop> {
        match self.0.get(key) {
            Some(Answer::Roots(answer)) => Ok(&answer.roots),
            _ => Err(unasked(key)),
        }
    }
}

fn read<T: DeserializeOwned>(response: &Value) -> Option<T> {
    T::deserialize(response).ok()
}

/// Whether an accepted form has all required fields.
fn fills_in(answer: &ElicitResult, asked: &ElicitRequest) -> bool {
    let ElicitRequestParams::FormElicitationParams { requested_schema, .. } = &asked.params else {
        return true;
    };
    let required = requested_schema.required.iter().flatten();
    let Some(content) = answer.content.as_ref().and_then(Value::as_object) else {
        return required.count() == 0;
    };
    required.into_iter().all(|field| content.contains_key(field))
}

fn unasked(key: &str) -> Stop {
    ErrorData::internal_error(format!("{key} was never asked, or was a question of another kind"), None)
        .into()
}
