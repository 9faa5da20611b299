//! Error responses.

use std::borrow::Cow;

use bytes::Bytes;
use crossway_service::{CallError, Outcome, Reason};
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use super::answer::json;
use super::{Body, limits};
use crate::checks::{Fault, Step};

/// An error response: an HTTP status and a JSON object with `detail`, as clients of FastAPI know it.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    detail: Detail,
    retry_after: Option<u64>,
    allow: Option<&'static str>,
    /// Whether a missing key may be sent as a password.
    takes_basic: bool,
}

#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    detail: &'a Detail,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Detail {
    Message(Message),
    /// The faults of a request's body, in FastAPI's form.
    Faults(Vec<Fault>),
}

#[derive(Debug, Serialize)]
struct Message {
    message: Cow<'static, str>,
    /// The outcome of a failed call: `not sent`, `sent, unknown` or `answered with an error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    /// The error's code, if an MCP server has answered with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let message = Message { message: message.into(), outcome: None, code: None, data: None };
        Self::of(status, Detail::Message(message))
    }

    fn of(status: StatusCode, detail: Detail) -> Self {
        Self { status, detail, retry_after: None, allow: None, takes_basic: false }
    }

    /// The problem of arguments that do not match their schema. They are the request's body.
    pub(crate) fn faults(mut faults: Vec<Fault>) -> Self {
        for fault in &mut faults {
            fault.loc.insert(0, Step::Name("body".to_owned()));
        }
        Self::of(StatusCode::UNPROCESSABLE_ENTITY, Detail::Faults(faults))
    }

    /// The problem of a tool that does not exist for this caller.
    pub(crate) fn no_tool() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such tool")
    }

    /// The problem of a method that a path does not accept, with the accepted ones.
    pub(crate) fn not_allowed(allow: &'static str) -> Self {
        let why = format!("this path takes {allow} only");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, why) }
    }

    /// A key that is missing.
    pub(crate) fn no_key(takes_basic: bool) -> Self {
        let why = "send the key, as Authorization: Bearer KEY";
        Self { takes_basic, ..Self::new(StatusCode::UNAUTHORIZED, why) }
    }

    /// The problem for an error that an upstream has answered.
    pub(crate) fn answered(
        status: StatusCode,
        code: i64,
        message: String,
        data: Option<Box<RawValue>>,
    ) -> Self {
        let message = Message { message: message.into(), outcome: None, code: Some(code), data };
        Self::of(status, Detail::Message(message))
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        if let Detail::Message(message) = &mut self.detail {
            message.outcome = Some(outcome.as_str());
        }
        self
    }

    pub(crate) fn with_retry_after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after = seconds;
        self
    }

    /// The problem for a call that failed below the level of messages.
    ///
    /// | what went wrong | status |
    /// |---|---|
    /// | a bound or a quota | 429 with `Retry-After` |
    /// | the upstream refused for its load: 429, 503 | 429 with its `Retry-After` |
    /// | we are closing | 503, with `Retry-After` if the call was not sent |
    /// | no answer in time | 504 |
    /// | it can't be reached, went away, refused our credentials, or answered what is no answer | 424, with `Retry-After` where that is known |
    pub(crate) fn failed(error: &CallError) -> Self {
        let known = error.retry_after_seconds();
        let (status, after) = match error.reason() {
            Reason::OverQuota(_) | Reason::OverLimit(_) | Reason::Refused { status: 429 | 503, .. } => {
                (StatusCode::TOO_MANY_REQUESTS, Some(known.unwrap_or(limits::RETRY_AFTER)))
            }
            Reason::Closing => {
                let may_come_back = error.outcome() == Outcome::NotSent;
                (StatusCode::SERVICE_UNAVAILABLE, may_come_back.then_some(limits::RETRY_AFTER))
            }
            Reason::TimedOut(_) => (StatusCode::GATEWAY_TIMEOUT, known),
            _ => (StatusCode::FAILED_DEPENDENCY, known),
        };
        Self::new(status, error.to_string()).with_outcome(error.outcome()).with_retry_after(after)
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let text = serde_json::to_vec(&ErrorBody { detail: &self.detail }).unwrap_or_default();
        let mut response = json(self.status, Bytes::from(text));
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        // "A server generating a 401 (Unauthorized) response MUST send a WWW-Authenticate header field" (RFC 9110, section 15.5.2).
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            if self.takes_basic {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="crossway""#));
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_is_told_as_fastapi_tells_it() {
        let (loc, msg) = (vec![Step::Name("a".to_owned()), Step::Index(1)], "no".to_owned());
        let problem = Problem::faults(vec![Fault { loc, msg, kind: "type".to_owned() }]);
        assert_eq!(problem.status.as_u16(), 422);
        let told = problem.into_response().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(told, r#"{"detail":[{"loc":["body","a",1],"msg":"no","type":"type"}]}"#);
    }
}
