use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// What a decoder gave: an event's type, data, id and retry, or the limit that it exceeds.
type Seen = Result<(String, Bytes, Option<Bytes>, Option<u64>), usize>;

fn decode<'a>(decoder: &mut SseDecoder, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        while let Some(event) = decoder.next_event().transpose() {
            events.push(match event {
                Ok(SseEvent { event, data, id, retry }) => Ok((event.into_owned(), data, id, retry)),
                Err(error) => Err(error.limit),
            });
        }
    }
    events
}

/// The types and data of all events.
fn events(stream: &str) -> Vec<(String, String)> {
    decode(&mut SseDecoder::new(1 << 20), [stream.as_bytes()])
        .into_iter()
        .map(|event| event.unwrap())
        .map(|(event, data, ..)| (event, String::from_utf8(data.to_vec()).unwrap()))
        .collect()
}

fn messages<const N: usize>(data: [&str; N]) -> Vec<(String, String)> {
    data.map(|data| ("message".into(), data.into())).into()
}

#[test]
fn the_examples_of_the_standard_are_read_as_it_says() {
    assert_eq!(events("data: YHOO\ndata: +2\ndata: 10\n\n"), messages(["YHOO\n+2\n10"]));
    let ids = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n";
    assert_eq!(events(&format!("{ids}\n")), messages(["first event", "second event", " third event"]));
    assert_eq!(events(ids), messages(["first event", "second event"]));
    assert_eq!(events("data\n\ndata\ndata\n\ndata:"), messages(["", "\n"]));
    assert_eq!(events("data:test\n\ndata: test\n\n"), messages(["test", "test"]));
}

#[test]
fn lines_end_with_lf_cr_or_crlf() {
    assert_eq!(events("data: a\r\rdata: b\r\n\r\ndata: c\n\ndata: d\r\n\n"), messages(["a", "b", "c", "d"]));
    assert_eq!(events("data: a\n\rdata: b\r\r\n"), messages(["a", "b"]));
}

#[test]
fn an_event_that_a_cr_ends_is_given_out_before_the_lf_comes() {
    let mut decoder = SseDecoder::new(100);
    assert_eq!(decode(&mut decoder, [&b"data: a\r\n\r"[..]]).len(), 1);
    assert_eq!(decode(&mut decoder, [&b"\n"[..]]).len(), 0);
    assert_eq!(decode(&mut decoder, [&b"data: b\r\n\r\n"[..]]).len(), 1);
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_alone() {
    assert_eq!(events("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n"), messages(["a"]));
    assert_eq!(events("\u{FEFF}\n\ndata: a\n\n"), messages(["a"]));
}

#[test]
fn types_comments_and_unknown_fields() {
    assert_eq!(events("event: endpoint\ndata: /m?s=1\n\n"), [("endpoint".into(), "/m?s=1".into())]);
    assert_eq!(events(":\n: ping\n\nevent: x\n\nevent\nfoo: 1\n data: 2\ndata: a:b\n\n"), messages(["a:b"]));
    assert_eq!(events("event: \u{e9}\nevent: tick\ndata:\n\n"), [("tick".into(), String::new())]);
}

#[test]
fn ids_and_retry_are_tracked() {
    let mut decoder = SseDecoder::new(100);
    let seen = decode(&mut decoder, [&b"id: 1\nretry: 250\ndata:\n\n"[..]]);
    assert_eq!(seen, [Ok(("message".into(), Bytes::new(), Some("1".into()), Some(250)))]);
    assert_eq!((decoder.last_event_id(), decoder.retry()), (Some(&b"1"[..]), Some(250)));

    decode(&mut decoder, [&b"data: no id\n\nid: a\0b\nretry: -1\nretry: 1x\nretry:\ndata: bad ones\n\n"[..]]);
    assert_eq!((decoder.last_event_id(), decoder.retry()), (Some(&b"1"[..]), Some(250)));

    decode(&mut decoder, [&b"id: 2\nretry: 99999999999999999999999\n\n"[..]]);
    assert_eq!(decoder.last_event_id(), Some(&b"2"[..]), "a block without data sets the id too");
    assert_eq!(decoder.retry(), Some(250), "what no u64 can hold is ignored");

    decode(&mut decoder, [&b"id: 3\ndata: cut off"[..]]);
    assert_eq!(decoder.last_event_id(), Some(&b"2"[..]));
    assert!(decoder.finish());
    assert_eq!((decoder.last_event_id(), decoder.retry()), (Some(&b"2"[..]), Some(250)));

    decode(&mut decoder, [&b"id\ndata:\n\n"[..]]);
    assert_eq!(decoder.last_event_id(), None, "an empty id takes the last one back");
    assert!(!decoder.finish());

    let long = format!("id: {}\ndata:\n\n", "x".repeat(FIELD_BYTES + 1));
    decode(&mut SseDecoder::new(1 << 20), [long.as_bytes()]);
    assert_eq!(decoder.last_event_id(), None);
}

#[test]
fn an_unterminated_event_at_the_end_is_discarded() {
    for stream in ["data: a\n\ndata: b\n", "data: a\n\ndata: b", "data: a\n\nevent: x"] {
        let mut decoder = SseDecoder::new(100);
        assert_eq!(decode(&mut decoder, [stream.as_bytes()]).len(), 1);
        assert!(decoder.is_within_event() && decoder.finish(), "{stream:?}");
        assert_eq!(events(stream), messages(["a"]));
        assert_eq!(decode(&mut decoder, [&b"\xEF\xBB\xBFdata: c\n\n"[..]]).len(), 1, "as new after that");
    }
}

#[test]
fn an_event_that_came_in_one_piece_is_a_slice_of_it() {
    let stream = Bytes::from(b"event: message\nid: 9\ndata: {\"id\":1}\n\n".to_vec());
    let mut decoder = SseDecoder::new(100);
    decoder.feed(stream.clone());
    let event = decoder.next_event().unwrap().unwrap();
    assert_eq!(event.data.as_ptr(), stream[27..].as_ptr());
    assert_eq!(event.data, "{\"id\":1}");
    assert_eq!(decoder.next_event(), Ok(None));
    drop(event);
    assert!(stream.is_unique(), "between events nothing is held");
}

#[test]
fn an_event_over_the_limit_is_reported_once_and_skipped() {
    let mut decoder = SseDecoder::new(8);
    let stream: &[u8] =
        b"data: 12345678\n\ndata: 123456789\nid: 5\n\ndata: 1\n\ndata: 123\ndata: 456\ndata: 7\n\n\
        data: 123456789012345678901234567890\r\n\r\nid: 6\ndata: 2\n\n";
    let ok = |data: &'static str, id: Option<&'static str>| {
        Ok(("message".to_owned(), Bytes::from(data), id.map(Bytes::from), None))
    };
    let expected = [ok("12345678", None), Err(8), ok("1", None), Err(8), Err(8), ok("2", Some("6"))];
    assert_eq!(decode(&mut decoder, [stream]), expected);
    assert_eq!(decode(&mut decoder, stream.chunks(1)), expected);
}

#[test]
fn an_event_that_is_too_large_shows_its_head() {
    for stream in
        ["data: {\"id\":7,\"result\":123", "data: {\"id\":7,\ndata:1234567890", "data: {\"id\":7,     }\n"]
    {
        let mut decoder = SseDecoder::new(12);
        decoder.feed(Bytes::from(stream));
        let error = decoder.next_event().unwrap_err();
        assert!(error.head.starts_with(b"{\"id\":7,"), "{stream:?}");
        assert_eq!(format!("{error:?}"), "EventTooLarge { limit: 12, .. }");
        assert_eq!(error.to_string(), "an event of the stream is larger than 12 bytes");
    }
}

#[test]
fn an_endless_event_takes_no_memory() {
    let mut decoder = SseDecoder::new(1000);
    let mut pieces = vec![&b"data: "[..]];
    pieces.extend(std::iter::repeat_n(&b"xxxxxxxxxxxxxxxxxxxxxxxx"[..], 1000));
    pieces.extend(std::iter::repeat_n(&b"\ndata: x"[..], 1000));
    assert_eq!(decode(&mut decoder, pieces), [Err(1000)]);
    assert!(decoder.is_within_event());
    assert_eq!(decode(&mut decoder, [&b"\n\ndata: 1\n\n"[..]]).len(), 1);
}

#[test]
fn an_endless_comment_is_no_event_and_takes_no_memory() {
    let mut decoder = SseDecoder::new(10);
    let mut pieces = vec![&b":"[..]];
    pieces.extend(std::iter::repeat_n(&b" still here"[..], 1000));
    pieces.push(b"\r\nunknown ");
    pieces.extend(std::iter::repeat_n(&b" field"[..], 1000));
    assert_eq!(decode(&mut decoder, pieces), []);
    assert!(!decoder.is_within_event());
    assert_eq!(decode(&mut decoder, [&b"\ndata: 1\n\n"[..]]).len(), 1);
}

#[test]
fn fields_without_a_colon_count_too() {
    let stream: &[u8] = b"data:123\ndata\n\ndata: 1\n\n";
    for size in [1, 4, 100] {
        let seen = decode(&mut SseDecoder::new(3), stream.chunks(size));
        assert_eq!(seen, [Err(3), Ok(("message".into(), "1".into(), None, None))]);
    }
}

#[test]
fn a_type_that_is_too_long_makes_the_event_too_large() {
    let stream = format!("event: {}\ndata: 1\n\ndata: 2\n\n", "x".repeat(FIELD_BYTES + 1));
    for size in [1, 100, 10_000] {
        let seen = decode(&mut SseDecoder::new(99), stream.as_bytes().chunks(size));
        assert_eq!(seen, [Err(99), Ok(("message".into(), "2".into(), None, None))]);
    }
}

#[test]
fn what_was_not_looked_at_is_not_lost_by_feeding_more() {
    let mut decoder = SseDecoder::new(100);
    decoder.feed(Bytes::from("data: 1\n\nda"));
    decoder.feed(Bytes::from("ta: 2\n\n"));
    assert_eq!(decode(&mut decoder, [&b""[..]]).len(), 2);
}

#[test]
fn the_encoder_writes_what_each_transport_needs() {
    assert_eq!(SseEncoder::endpoint("/messages?s=1").unwrap(), "event: endpoint\ndata: /messages?s=1\n\n");
    assert_eq!(SseEncoder::priming("s0-1", None).unwrap(), "id: s0-1\ndata: \n\n");
    assert_eq!(SseEncoder::priming("s0-1", Some(500)).unwrap(), "id: s0-1\nretry: 500\ndata: \n\n");
    assert_eq!(SseEncoder::comment("ping").unwrap(), ": ping\n\n");
    assert_eq!(SseEncoder::keep_alive(), ":\n\n");
}

#[test]
fn values_that_would_break_the_stream_are_refused() {
    for bad in ["a\nb", "a\rb", "a\0b"] {
        assert!(SseEncoder::new().event(bad).is_err());
        assert!(SseEncoder::new().id(bad).is_err());
        assert!(SseEncoder::endpoint(bad).is_err());
        assert!(SseEncoder::comment(bad).is_err());
        assert!(SseEncoder::priming(bad, None).is_err());
    }
    assert!(SseEncoder::new().event("").is_err());
    assert!(SseEncoder::new().event(&"x".repeat(FIELD_BYTES + 1)).is_err());
    assert!(SseEncoder::endpoint("").is_err());
    assert!(SseEncoder::new().id(&"x".repeat(FIELD_BYTES + 1)).is_err());
}

#[test]
fn encoding_copies_nothing_unless_there_are_newlines() {
    let text = Bytes::from(b"{\"a\":1}".to_vec());
    let event = SseEncoder::message([text.clone()]);
    assert_eq!(event.iter().nth(1).unwrap().as_ptr(), text.as_ptr());
    let event = SseEncoder::new().data([Bytes::from_static(b"{\r\n1"), Bytes::from_static(b"\n}")]);
    assert_eq!(event.into_bytes(), "data: {\ndata: \ndata: 1\ndata: }\n\n");
}

/// The standard's algorithm (WHATWG HTML, 9.2.6) on a whole stream, as plainly as it can be written.
fn by_the_letter(stream: &[u8]) -> (Vec<Seen>, Vec<u8>) {
    let text = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let mut lines = vec![vec![]];
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' => lines.push(vec![]),
            b'\r' => {
                bytes.next_if(|next| **next == b'\n');
                lines.push(vec![]);
            }
            byte => lines.last_mut().unwrap().push(*byte),
        }
    }
    lines.pop(); // What no line end follows.

    let (mut seen, mut last_id) = (vec![], vec![]);
    let (mut event, mut data, mut id, mut retry) = (String::new(), vec![], None, None);
    for line in lines {
        if line.is_empty() {
            last_id = id.as_ref().map_or(last_id, |id: &Bytes| id.to_vec());
            if data.pop().is_some() {
                let event = if event.is_empty() { "message".into() } else { event };
                seen.push(Ok((event, Bytes::from(data), id, retry)));
            }
            (event, data, id, retry) = (String::new(), vec![], None, None);
            continue;
        }
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().unwrap();
        let value = parts.next().unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => event = String::from_utf8_lossy(value).into(),
            b"data" => data.extend(value.iter().chain(b"\n")),
            b"id" if !value.contains(&0) => id = Some(Bytes::copy_from_slice(value)),
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                retry = std::str::from_utf8(value).unwrap().parse().ok().or(retry);
            }
            _ => {}
        }
    }
    (seen, last_id)
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let words = [
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "data",
        "data:",
        "data: ",
        "event:",
        "event: tick",
        "id",
        "id: ",
        "id:7",
        "retry:",
        "retry: 12",
        ":",
        ": x",
        " ",
        "x",
        "foo: ",
        "\0",
        "\u{FEFF}",
        "\r\n\r\n",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..40)
}

proptest! {
    #[test]
    fn any_cut_gives_the_events_of_the_standard(pieces in pieces(), size in 1_usize..9) {
        let whole = pieces.concat();
        let (expected, last_id) = by_the_letter(&whole);
        let cuts: [Vec<&[u8]>; 4] = [
            vec![&whole],
            pieces.iter().map(Vec::as_slice).collect(),
            whole.chunks(1).collect(),
            whole.chunks(size).collect(),
        ];
        for cut in cuts {
            let mut decoder = SseDecoder::new(1 << 20);
            prop_assert_eq!(&decode(&mut decoder, cut), &expected);
            prop_assert_eq!(decoder.last_event_id().unwrap_or_default(), &last_id[..]);
        }
    }

    #[test]
    fn any_cut_meets_the_limit_at_the_same_events(pieces in pieces(), max in 1_usize..12) {
        let whole = pieces.concat();
        let expected = decode(&mut SseDecoder::new(max), whole.chunks(1));
        let all: Vec<Seen> = by_the_letter(&whole)
            .0
            .into_iter()
            .map(|event| event.and_then(|event| if event.1.len() > max { Err(max) } else { Ok(event) }))
            .collect();
        prop_assert_eq!(&decode(&mut SseDecoder::new(max), pieces.iter().map(Vec::as_slice)), &expected);
        // An event that is too large is reported even if the stream ends before it does.
        prop_assert_eq!(&expected[..all.len()], &all[..]);
        prop_assert!(expected.len() <= all.len() + 1);
    }

    #[test]
    fn what_is_encoded_is_decoded(
        event in "[^\r\n\0]{1,9}", id in prop::option::of("[^\r\n\0]{0,9}"), retry in any::<Option<u64>>(),
        data in prop::collection::vec("(?s).{0,9}", 0..5),
    ) {
        let mut encoder = SseEncoder::new().event(&event).unwrap();
        if let Some(id) = &id {
            encoder = encoder.id(id).unwrap();
        }
        if let Some(retry) = retry {
            encoder = encoder.retry(retry);
        }
        let expected = data.concat().replace('\r', "\n");
        let encoded = encoder.data(data.into_iter().map(Bytes::from)).into_bytes();
        let seen = decode(&mut SseDecoder::new(1 << 20), encoded.chunks(3));
        prop_assert_eq!(seen, [Ok((event, Bytes::from(expected), id.map(Bytes::from), retry))]);
    }
}
