//! The cost of the codecs: `cargo bench -p crossway-benches`. On noisy machines, `cargo xtask instructions`.

use std::hint::black_box;

use bytes::{BufMut as _, Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use crossway_benches::samples::{SMALL_CALL, Text, answer};
use crossway_proto::line::{self, LineDecoder};
use crossway_proto::sse::{SseDecoder, SseEncoder};
use crossway_proto::{Calls, Limits, Message, RequestId};

const KIB: usize = 1024;

/// The number of messages in one read.
const AT_ONCE: usize = 16;

fn small_call() -> Bytes {
    Bytes::from(SMALL_CALL.trim_end().to_owned())
}

fn parse(text: Bytes) -> Message {
    Message::parse(text, &Limits::default()).expect("the samples are messages")
}

fn envelope(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("envelope");
    let mut bench = |name: &str, text: Bytes| {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| parse(black_box(&text).clone())));
    };
    bench("call 300 B", small_call());
    for (name, bytes) in [("64 KiB", 64 * KIB), ("1 MiB", 1024 * KIB)] {
        bench(&format!("answer {name}"), answer(Text::Plain, bytes).into());
        bench(&format!("answer {name} non-ASCII"), answer(Text::NonAscii, bytes).into());
        bench(&format!("answer {name} escapes"), answer(Text::Escapes, bytes).into());
    }
    group.finish();
}

fn lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("line decoder");
    let small = SMALL_CALL.repeat(AT_ONCE);
    let large = answer(Text::Plain, 1024 * KIB) + "\n";
    for (name, text, cut) in
        [("16 lines of 300 B", small, usize::MAX), ("1 MiB in 64 KiB reads", large, 64 * KIB)]
    {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let mut decoder = LineDecoder::new(Limits::default().message_bytes);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for read in text.as_bytes().chunks(cut) {
                    decoder.feed(black_box(read));
                    while let Some(line) = decoder.next_line().expect("within the limit") {
                        black_box(line);
                    }
                }
            });
        });
    }
    group.finish();
}

fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("server-sent events");
    let event = SseEncoder::message([small_call()]).into_bytes();
    let small = Bytes::from(event.repeat(AT_ONCE));
    let large = SseEncoder::message([answer(Text::Plain, 1024 * KIB).into()]).into_bytes();
    for (name, text, cut) in
        [("decode 16 of 300 B", small, usize::MAX), ("decode 1 MiB in 64 KiB chunks", large, 64 * KIB)]
    {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let mut decoder = SseDecoder::new(Limits::default().message_bytes);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for start in (0..text.len()).step_by(cut) {
                    decoder.feed(text.slice(start..text.len().min(start.saturating_add(cut))));
                    while let Some(event) = decoder.next_event().expect("within the limit") {
                        black_box(event);
                    }
                }
            });
        });
    }
    for (name, message) in [
        ("encode 300 B", parse(small_call())),
        ("encode 1 MiB", parse(answer(Text::Plain, 1024 * KIB).into())),
    ] {
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| SseEncoder::message(black_box(&message).chunks()));
        });
    }
    group.finish();
}

/// The cost of an outgoing message: an id and a token are spliced in, and it is written to a buffer.
fn splice(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("splice and write");
    let id = RequestId::from(42);
    for (name, message) in
        [("call 300 B", parse(small_call())), ("answer 64 KiB", parse(answer(Text::Plain, 64 * KIB).into()))]
    {
        group.throughput(Throughput::Bytes(message.len() as u64));
        let mut out = BytesMut::with_capacity(128 * KIB);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut message = black_box(&message).clone();
                message.set_id(&id);
                message.set_progress_token(&id);
                out.clear();
                out.put(line::encode(message.chunks()));
                black_box(&out);
            });
        });
    }
    group.finish();
}

fn correlation(criterion: &mut Criterion) {
    let request = parse(small_call());
    let mut calls = Calls::new(Limits::CALLS_IN_FLIGHT);
    // With other calls open, as on a busy connection.
    for _ in 0..100 {
        calls.open(1, &mut request.clone(), ()).expect("room");
    }
    criterion.bench_function("correlation: open, answered, close", |bencher| {
        bencher.iter_batched(
            || request.clone(),
            |mut request| {
                let key = calls.open(1, &mut request, ()).expect("room");
                let mut answer = Message::result_of(&key.to_id(), b"{}").expect("a result");
                assert_eq!(calls.answered(&mut answer), Some(key));
                calls.close(key);
                answer
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default();
    targets = envelope, lines, events, splice, correlation
}
criterion_main!(benches);
