//! Checks a response of a fuzzed server.

use std::cell::RefCell;
use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, Bytes};
use crossway_proto::sse::{ENDPOINT, MESSAGE, SseDecoder, SseEvent};
use crossway_proto::{Incoming, Kind, Limits, Message};
use http::response::Parts;
use http::{Method, StatusCode, header};
use tokio::time::timeout;

use super::known::Known;
use super::request::Asked;

/// How long a stream is read: long enough for a keep-alive comment at least.
const READ_FOR: Duration = Duration::from_secs(40);
/// How many pieces of a stream are read at most.
const READ_PIECES: usize = 64;

/// The kind of a body, by the response's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// An error with a reason.
    Refusal,
    /// Messages as JSON.
    Answer,
    Events,
    /// Nothing of meaning.
    Nothing,
}

pub(super) fn check_head(head: &Parts, asked: &Asked) -> What {
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let has = |name| head.headers.contains_key(name);
    match head.status {
        status if status.is_client_error() || status.is_server_error() => {
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(kind, Some("application/json"), "{status} without a reason");
            assert_eq!(has(header::ALLOW), status == StatusCode::METHOD_NOT_ALLOWED);
            let asks_to_wait =
                matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(has(header::RETRY_AFTER), asks_to_wait);
            What::Refusal
        }
        StatusCode::OK if kind == Some("text/event-stream") => {
            assert!(has(header::CACHE_CONTROL));
            What::Events
        }
        StatusCode::OK => {
            assert_eq!(kind, Some("application/json"));
            assert_eq!(asked.method, Method::POST);
            What::Answer
        }
        StatusCode::ACCEPTED | StatusCode::NO_CONTENT => What::Nothing,
        status => panic!("a response has the status {status}"),
    }
}

pub(super) async fn check_body<B>(what: What, mut body: Pin<&mut B>, asked: &Asked, known: &RefCell<Known>)
where
    B: http_body::Body<Data: Buf, Error: Debug>,
{
    let hint = body.size_hint();
    let mut whole = Vec::new();
    let mut stream =
        Stream { decoder: SseDecoder::new(1 << 20), answered: 0, opened_with_endpoint: false, asked, known };
    let mut has_ended = false;
    for _ in 0..READ_PIECES {
        let next = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx));
        let piece = match timeout(READ_FOR, next).await {
            Ok(Some(Ok(frame))) => frame.into_data().map(|mut data| data.copy_to_bytes(data.remaining())),
            Ok(Some(Err(error))) => panic!("a response fails: {error:?}"),
            Ok(None) => {
                has_ended = true;
                break;
            }
            Err(_) => break,
        };
        let Ok(piece) = piece else { panic!("a response has trailers") };
        if what == What::Events {
            stream.take(piece);
        } else {
            whole.extend_from_slice(&piece);
        }
    }
    if what == What::Events {
        // An open stream sent something, if only a comment.
        assert!(has_ended || hint.exact().is_none());
        assert!(!has_ended || !stream.decoder.finish(), "a stream ends within an event");
        return;
    }
    assert!(has_ended, "a response does not end");
    assert!(
        hint.lower() <= whole.len() as u64 && hint.upper().is_none_or(|upper| upper >= whole.len() as u64)
    );
    check_whole(what, whole, asked);
}

fn check_whole(what: What, whole: Vec<u8>, asked: &Asked) {
    if what == What::Nothing {
        assert!(whole.is_empty() || whole.iter().all(u8::is_ascii_alphabetic));
        return;
    }
    let whole = Bytes::from(whole);
    match Incoming::parse(whole.clone(), &Limits::default()) {
        Ok(Incoming::One(message)) if what == What::Refusal => {
            assert_eq!(message.kind(), Kind::Error);
            let id = message.id().map(|id| id.as_json().to_vec());
            assert!(id.is_none() || asked.message.is_none() || id.as_ref() == asked.ids.first());
        }
        Ok(Incoming::One(message)) => check_answer(&message, asked),
        Ok(Incoming::Batch(messages)) if what == What::Answer => {
            assert!(asked.message.is_none(), "a message is answered by a batch");
            messages.iter().for_each(|message| check_answer(message, asked));
        }
        other => panic!("a body is {other:?}: {}", whole.escape_ascii()),
    }
}

/// Checks that an answer has the id of a request, and the upstream's result for it.
fn check_answer(message: &Message, asked: &Asked) {
    assert!(message.is_response());
    let id = message.id().map(|id| id.as_json().to_vec()).unwrap_or_default();
    assert!(asked.ids.contains(&id), "an answer to what was not asked: {}", id.escape_ascii());
    if let (Some(result), Some(question)) = (message.result(), &asked.message)
        && let Some(echo) = result.strip_prefix(br#"{"echo":"#)
        && question.progress_token().is_none()
    {
        assert_eq!(echo.strip_suffix(b"}"), Some(question.params().unwrap_or(b"null")));
    }
}

/// A stream of events, checked as it arrives.
struct Stream<'a> {
    decoder: SseDecoder,
    answered: usize,
    /// Whether the stream is one of HTTP+SSE.
    opened_with_endpoint: bool,
    asked: &'a Asked,
    known: &'a RefCell<Known>,
}

impl Stream<'_> {
    fn take(&mut self, piece: Bytes) {
        assert!(!piece.is_empty());
        self.decoder.feed(piece);
        while let Some(event) = self.decoder.next_event().unwrap_or_else(|error| panic!("{error}")) {
            self.event(&event);
        }
    }

    fn event(&mut self, event: &SseEvent) {
        let mut known = self.known.borrow_mut();
        if let Some(id) = &event.id {
            known.learn_event(id);
        }
        if event.event == ENDPOINT {
            self.opened_with_endpoint = true;
            return known.learn_endpoint(&event.data);
        }
        assert_eq!(event.event, MESSAGE);
        if event.data.is_empty() {
            assert!(event.id.is_some(), "an event says nothing");
            return;
        }
        let message = Message::parse(event.data.clone(), &Limits::default());
        let message = message.unwrap_or_else(|error| panic!("{error}: {}", event.data.escape_ascii()));
        let id = message.id().map(|id| id.as_json().to_vec());
        if message.is_request() {
            known.learn_request(&id.unwrap_or_default());
        } else if message.is_response() {
            self.answered += 1;
            if self.asked.method == Method::POST {
                assert!(self.answered <= self.asked.ids.len(), "more answers than questions");
                check_answer(&message, self.asked);
            } else {
                // "The server **MUST NOT** send a JSON-RPC _response_ on the stream **unless** resuming a stream
                // associated with a previous client request" (2025-11-25, basic/transports).
                assert!(self.opened_with_endpoint || self.asked.takes_up, "an answer on a standing stream");
                assert!(id.is_none_or(|id| known.was_asked(&id)), "an answer to what was not asked");
            }
        }
    }
}
