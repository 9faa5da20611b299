//! Calls over a pipe of messages, with a server at its other end.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use crossway_benches::samples::SMALL_CALL;
use crossway_proto::{Limits, Message};
use crossway_service::{Call, duplex};
use futures_util::StreamExt as _;

/// One call after the other, from the link through the multiplexer to the server and back. Polled by hand, so that no runtime's work is
/// counted.
pub(crate) fn round_trips(count: u64) {
    let (ours, server) = duplex::pair(16);
    let (link, carry) = ours.connect(crossway_service::Limits::default());
    let mut carry = pin!(carry);
    let mut cx = Context::from_waker(Waker::noop());
    let text = Bytes::from(SMALL_CALL.trim_end().to_owned());
    let request = Message::parse(text, &Limits::default()).expect("a message");
    for _ in 0..count {
        let mut reply = link.call(Call::message(request.clone(), crossway_service::Context::default()));
        assert!(reply.poll_next_unpin(&mut cx).is_pending());
        let Poll::Ready(Some(asked)) = server.poll_receive(&mut cx) else { panic!("nothing was asked") };
        let id = asked.id().expect("a request has an id");
        server.send(Message::result_of(&id, br#"{"content":[]}"#).expect("a result")).expect("room");
        assert!(carry.as_mut().poll(&mut cx).is_pending());
        let Poll::Ready(Some(Ok(answer))) = reply.poll_next_unpin(&mut cx) else { panic!("no answer") };
        assert_eq!(answer.id(), request.id());
        black_box(answer);
        assert!(matches!(reply.poll_next_unpin(&mut cx), Poll::Ready(None)));
    }
}
