//! Envelope, codecs, splice and correlation.

use std::hint::black_box;

use bytes::{BufMut as _, Bytes, BytesMut};
use crossway_benches::samples::{SMALL_CALL, Text, answer};
use crossway_proto::line::{self, LineDecoder};
use crossway_proto::sse::{SseDecoder, SseEncoder};
use crossway_proto::{Calls, Limits, Message, RequestId};

const KIB_64: usize = 64 * 1024;
/// The number of lines or events in one read.
const AT_ONCE: usize = 16;

fn call() -> Bytes {
    Bytes::from(SMALL_CALL.trim_end().to_owned())
}

fn parse(text: Bytes) -> Message {
    Message::parse(text, &Limits::default()).expect("the samples are messages")
}

fn parse_often(text: &Bytes, count: u64) {
    for _ in 0..count {
        black_box(parse(black_box(text.clone())));
    }
}

pub(crate) fn envelope_300b(count: u64) {
    parse_often(&call(), count);
}

pub(crate) fn envelope_64k(count: u64) {
    parse_often(&answer(Text::Plain, KIB_64).into(), count);
}

pub(crate) fn envelope_64k_non_ascii(count: u64) {
    parse_often(&answer(Text::NonAscii, KIB_64).into(), count);
}

pub(crate) fn envelope_64k_escapes(count: u64) {
    parse_often(&answer(Text::Escapes, KIB_64).into(), count);
}

/// Decodes `count` lines of 300 bytes, sixteen to a read.
pub(crate) fn line(count: u64) {
    let read = SMALL_CALL.repeat(AT_ONCE);
    let mut decoder = LineDecoder::new(Limits::default().message_bytes);
    let mut lines = 0;
    while lines < count {
        decoder.feed(black_box(read.as_bytes()));
        while let Some(line) = decoder.next_line().expect("the lines are short") {
            black_box(line);
            lines += 1;
        }
    }
}

/// Decodes `count` events of 300 bytes, sixteen to a chunk.
pub(crate) fn sse_decode(count: u64) {
    let event = SseEncoder::message([call()]).into_bytes();
    let chunk = Bytes::from(event.repeat(AT_ONCE));
    let mut decoder = SseDecoder::new(Limits::default().message_bytes);
    let mut events = 0;
    while events < count {
        decoder.feed(black_box(chunk.clone()));
        while let Some(event) = decoder.next_event().expect("the events are short") {
            black_box(event);
            events += 1;
        }
    }
}

pub(crate) fn sse_encode(count: u64) {
    let message = parse(call());
    for _ in 0..count {
        black_box(SseEncoder::message(black_box(&message).chunks()));
    }
}

/// Splices an id and a progress token into a message, and writes it as a line.
pub(crate) fn splice(count: u64) {
    let message = parse(call());
    let mut out = BytesMut::with_capacity(KIB_64);
    for number in 0..count {
        let mut message = black_box(&message).clone();
        let id = RequestId::from(number);
        message.set_id(&id);
        message.set_progress_token(&id);
        out.clear();
        out.put(line::encode(message.chunks()));
        black_box(&out);
    }
}

/// Gives a request the upstream's id, and its answer the client's.
pub(crate) fn calls(count: u64) {
    let mut calls = Calls::new(usize::MAX);
    let request = parse(call());
    for _ in 0..count {
        let mut request = black_box(&request).clone();
        let key = calls.open(1, &mut request, ()).expect("the table has room");
        let mut answer = Message::result_of(&key.to_id(), b"{}").expect("a result");
        assert_eq!(calls.answered(&mut answer), Some(key));
        calls.close(key);
        black_box(answer);
    }
}
