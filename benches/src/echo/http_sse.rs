//! The echo server over HTTP+SSE (2024-11-05).

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use smallvec::smallvec;
use tokio::sync::mpsc;

use super::body::{Answered, event};
use super::listener::{self, EVENT_STREAM, credential_in, refuse, respond, respond_empty};
use super::rpc::{self, Message};
use super::sessions::Sessions;
use crate::body::{ReadError, read_whole};
use crate::limits::{MAX_MESSAGE, MAX_QUEUED_EVENTS};

/// The state of the face: the sender to each session's stream.
#[derive(Debug, Default)]
pub(crate) struct Face {
    sessions: Sessions<mpsc::Sender<Bytes>>,
}

impl listener::Face for Face {
    async fn answer(&self, request: Request<Incoming>) -> Response<Answered> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/sse") => self.open_stream(),
            (&Method::POST, "/messages") => self.take_message(request).await,
            (_, "/sse") => listener::refuse_verb("GET"),
            (_, "/messages") => listener::refuse_verb("POST"),
            _ => refuse(StatusCode::NOT_FOUND, "the stream is at /sse"),
        }
    }
}

impl Face {
    fn open_stream(&self) -> Response<Answered> {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED_EVENTS);
        let id = self.sessions.begin(sender.clone());
        let endpoint = format!("event: endpoint\ndata: /messages?sessionId={id}\n\n");
        // The queue is new, so there is room.
        let _ = sender.try_send(endpoint.into());
        respond(StatusCode::OK, EVENT_STREAM, Answered::Stream(receiver))
    }

    async fn take_message(&self, request: Request<Incoming>) -> Response<Answered> {
        let query = request.uri().query().unwrap_or_default();
        let id =
            query.split('&').find_map(|pair| pair.strip_prefix("sessionId=")).unwrap_or_default().to_owned();
        let Some(stream) = self.sessions.with(&id, |stream| stream.clone()) else {
            return refuse(StatusCode::NOT_FOUND, "there is no such session");
        };
        let (head, body) = request.into_parts();
        let text = match read_whole(body, MAX_MESSAGE).await {
            Ok(text) => text,
            Err(error @ ReadError::TooLong { .. }) => {
                return refuse(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string());
            }
            Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let Ok(mut message) = Message::read(&text) else {
            return refuse(StatusCode::BAD_REQUEST, "the body is not a JSON object");
        };
        message.credential = credential_in(&head.headers);
        let Some(answer) = rpc::answer(&text, message) else { return respond_empty(StatusCode::ACCEPTED) };
        let events = answer.interim.into_iter().map(|text| event(&smallvec![text]));
        for event in events.chain([event(&answer.last)]) {
            if stream.send(event).await.is_err() {
                // The client closed its stream, and with it the session.
                self.sessions.end(&id);
                return refuse(StatusCode::NOT_FOUND, "the session has ended");
            }
        }
        respond_empty(StatusCode::ACCEPTED)
    }
}
