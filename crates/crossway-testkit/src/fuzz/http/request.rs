//! A fuzzed request.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use crossway_proto::{Incoming, Limits, Message};
use http::{HeaderMap, Method, Request, Uri, Version};
use http_body::{Frame, SizeHint};

use super::super::headers::header_map;
use super::super::input::{Input, cut};

/// How a request is sent.
pub(super) struct Manner {
    end: End,
    /// Decides the sizes of the body's pieces.
    seed: u8,
    /// Whether the body's length is announced.
    is_announced: bool,
    is_http2: bool,
    /// Whether the client goes away before the response has ended.
    pub(super) leaves: bool,
    /// Whether the client waits for the end of the response before its next request.
    pub(super) waits: bool,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    BreaksOff,
    Stalls,
}

impl Manner {
    pub(super) fn of(choice: u8) -> Self {
        Self {
            end: match choice & 0x0c {
                0x04 => End::BreaksOff,
                0x08 => End::Stalls,
                _ => End::Whole,
            },
            seed: if choice & 0x80 == 0 { 0 } else { choice & 0x0f },
            is_announced: choice & 0x0c == 0,
            is_http2: choice & 0x40 != 0,
            leaves: choice & 0x03 == 0x03,
            waits: choice & 0x03 == 0x02,
        }
    }
}

/// The properties of a request that its answer has to fit.
#[derive(Default)]
pub(super) struct Asked {
    /// The ids of the requests in the body, as their JSON text.
    pub(super) ids: Vec<Vec<u8>>,
    /// The body, if it is one message.
    pub(super) message: Option<Message>,
    /// Whether the request resumes a stream.
    pub(super) takes_up: bool,
    pub(super) method: Method,
}

/// Parses a request; `None` if an HTTP server would not accept the text.
pub(super) fn read(mut input: Input<'_>, manner: &Manner) -> Option<(Request<Pieces>, Asked)> {
    let mut line = input.line().splitn(2, |byte| *byte == b' ');
    let method = Method::from_bytes(line.next()?).ok()?;
    let uri = Uri::try_from(line.next()?).ok()?;
    let headers = header_map(&mut input);
    let body = input.rest();
    let asked = Asked::of(method.clone(), &headers, Some(body).filter(|_| manner.end == End::Whole));

    let pieces = cut(body, manner.seed).into_iter().map(Bytes::copy_from_slice).collect();
    let mut request = Request::new(Pieces { pieces, end: manner.end, is_announced: manner.is_announced });
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    *request.version_mut() = if manner.is_http2 { Version::HTTP_2 } else { Version::HTTP_11 };
    Some((request, asked))
}

impl Asked {
    fn of(method: Method, headers: &HeaderMap, body: Option<&[u8]>) -> Self {
        let takes_up = headers.contains_key("last-event-id");
        let body = body.map(|body| Incoming::parse(Bytes::copy_from_slice(body), &Limits::default()));
        let (messages, is_one) = match body {
            Some(Ok(Incoming::One(message))) => (vec![message], true),
            Some(Ok(Incoming::Batch(messages))) => (messages, false),
            _ => (Vec::new(), false),
        };
        let requests = messages.iter().filter(|message| message.is_request());
        let ids = requests.filter_map(Message::id).map(|id| id.as_json().to_vec()).collect();
        let message = messages.into_iter().next().filter(|_| is_one);
        Self { ids, message, takes_up, method }
    }
}

/// A request's body, in pieces.
#[derive(Debug)]
pub struct Pieces {
    pieces: VecDeque<Bytes>,
    end: End,
    is_announced: bool,
}

/// The connection broke off.
#[derive(Debug)]
pub struct BrokenOff;

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match (self.pieces.pop_front(), self.end) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (None, End::Whole) => Poll::Ready(None),
            (None, End::BreaksOff) => Poll::Ready(Some(Err(BrokenOff))),
            // Only the server's own clock can wake it.
            (None, End::Stalls) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.end == End::Whole
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_announced {
            SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
        } else {
            SizeHint::default()
        }
    }
}
