use proptest::prelude::*;

use super::*;

/// Feeds the pieces and takes out what there is after each, then finishes.
fn decode<'a>(
    decoder: &mut LineDecoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Result<Bytes, usize>> {
    let mut lines = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        while let Some(line) = decoder.next_line().map_err(|error| error.limit).transpose() {
            lines.push(line);
        }
    }
    while let Some(line) = decoder.finish().map_err(|error| error.limit).transpose() {
        lines.push(line);
    }
    lines
}

fn lines(text: &[u8]) -> Vec<Bytes> {
    decode(&mut LineDecoder::new(1 << 20), [text]).into_iter().collect::<Result<_, _>>().unwrap()
}

#[test]
fn lines_end_with_lf_or_crlf_and_empty_ones_are_skipped() {
    assert_eq!(lines(b"{}\n\n\r\n \t\n[1]\r\n3\r4\r\r\n"), ["{}", "[1]", "3\r4\r"]);
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_alone() {
    assert_eq!(lines(b"\xEF\xBB\xBF{}\n\xEF\xBB\xBF{}\n"), [&b"{}"[..], b"\xEF\xBB\xBF{}"]);
    assert_eq!(lines(b"\xEF\xBB"), [&b"\xEF\xBB"[..]]);
}

#[test]
fn the_end_of_the_input_ends_the_last_line() {
    assert_eq!(lines(b"{}\n[1]"), ["{}", "[1]"]);
    assert_eq!(lines(b"{}\r"), ["{}"]);
    assert_eq!(lines(b""), [] as [Bytes; 0]);
}

#[test]
fn finishing_gives_out_lines_that_were_not_taken_yet() {
    let mut decoder = LineDecoder::new(100);
    decoder.feed(b"1\n2\n3");
    let mut all = Vec::new();
    while let Some(line) = decoder.finish().unwrap() {
        all.push(line);
    }
    assert_eq!(all, ["1", "2", "3"]);
}

#[test]
fn a_line_at_the_limit_passes_and_one_above_is_reported_once() {
    let mut decoder = LineDecoder::new(4);
    let all: &[u8] = b"1234\n1234\r\n12345\n1\n123456789012\n\n2\n12345";
    let expected: Vec<Result<Bytes, usize>> =
        vec![Ok("1234".into()), Ok("1234".into()), Err(4), Ok("1".into()), Err(4), Ok("2".into()), Err(4)];
    assert_eq!(decode(&mut decoder, [all]), expected);
    assert_eq!(decode(&mut decoder, all.chunks(1)), expected);
}

#[test]
fn a_line_that_is_too_long_shows_its_head() {
    let mut decoder = LineDecoder::new(2000);
    decoder.feed(b"{\"id\":7,");
    decoder.feed(&[b' '; 3000]);
    let error = decoder.next_line().unwrap_err();
    assert!(error.head.starts_with(b"{\"id\":7,"));
    assert_eq!(error.head.len(), LineTooLong::HEAD_BYTES);
    assert_eq!(error.to_string(), "a line has more than 2000 bytes");
    assert_eq!(format!("{error:?}"), "LineTooLong { limit: 2000, .. }");
    assert!(decoder.is_within_line());
    assert_eq!(decoder.buffered(), 0);
}

#[test]
fn an_endless_line_takes_no_memory() {
    let mut decoder = LineDecoder::new(1000);
    let mut errors = 0;
    for _ in 0..10_000 {
        decoder.feed(&[b'x'; 700]);
        errors += usize::from(decoder.next_line().is_err());
        assert!(decoder.buffer.capacity() <= LARGEST_READ);
    }
    assert_eq!(errors, 1);
    decoder.feed(b"\n{}\n");
    assert_eq!(decoder.next_line().unwrap().unwrap(), "{}");
}

#[test]
fn lines_are_slices_of_the_buffer() {
    let mut decoder = LineDecoder::new(100);
    decoder.buffer().extend_from_slice(b"first\nsecond\n");
    let start = decoder.buffer.as_ptr();
    let first = decoder.next_line().unwrap().unwrap();
    let second = decoder.next_line().unwrap().unwrap();
    assert_eq!(first.as_ptr(), start);
    assert_eq!(second.as_ptr() as usize, start as usize + "first\n".len());
}

#[test]
fn a_big_line_is_moved_a_few_times_only() {
    let mut decoder = LineDecoder::new(64 << 20);
    let mut moves = 0;
    let mut last = std::ptr::null();
    for _ in 0..4096 {
        decoder.feed(&[b'x'; 8192]);
        moves += usize::from(decoder.buffer.as_ptr() != last);
        last = decoder.buffer.as_ptr();
        assert_eq!(decoder.next_line(), Ok(None));
    }
    assert!(moves <= 20, "{moves}");
    assert!(decoder.buffer.capacity() <= 2 * decoder.buffer.len() + LARGEST_READ);
}

#[test]
fn lines_as_long_as_those_before_are_hardly_moved() {
    let line = [b"x".repeat(66_000).as_slice(), b"\n"].concat();
    let stream = line.repeat(100);
    let mut decoder = LineDecoder::new(64 << 20);
    let (mut copied, mut lines, mut at) = (0, 0, 0);
    while at < stream.len() {
        let (before, kept) = (decoder.buffer.as_ptr(), decoder.buffer.len());
        let buffer = decoder.buffer();
        copied += if buffer.as_ptr() == before { 0 } else { kept };
        let read = (buffer.capacity() - buffer.len()).min(65_536).min(stream.len() - at);
        buffer.extend_from_slice(&stream[at..at + read]);
        at += read;
        while let Some(line) = decoder.next_line().unwrap() {
            assert_eq!(line.len(), 66_000);
            lines += 1;
        }
    }
    assert_eq!(lines, 100);
    assert!(copied < stream.len() / 10, "{copied} of {}", stream.len());
}

#[test]
fn a_line_that_is_not_as_long_as_those_before_holds_on_to_little() {
    let mut decoder = LineDecoder::new(64 << 20);
    for _ in 0..10 {
        decoder.feed(&[b"x".repeat(8 << 20).as_slice(), b"\n"].concat());
        assert!(decoder.next_line().unwrap().is_some());
        assert_eq!(decoder.next_line(), Ok(None));
    }
    decoder.feed(b"short\n");
    assert!(decoder.buffer.capacity() <= 2 * LARGEST_READ);
    assert!(decoder.next_line().unwrap().is_some());
    decoder.feed(&b"x".repeat(20_000));
    assert!(decoder.buffer().capacity() <= EXPECTED_GROWTH * 20_000 + 2 * SLACK + LARGEST_READ);
}

#[test]
fn memory_is_given_back_after_a_big_line() {
    let mut decoder = LineDecoder::new(64 << 20);
    decoder.feed(&vec![b'x'; 16 << 20]);
    assert_eq!(decoder.next_line(), Ok(None));
    decoder.feed(b"\n{\"half a li");
    assert_eq!(decoder.next_line().unwrap().unwrap().len(), 16 << 20);
    assert_eq!(decoder.next_line(), Ok(None));
    assert!(decoder.buffer.capacity() < 1024, "{}", decoder.buffer.capacity());
    decoder.feed(b"ne\"}\n");
    assert_eq!(decoder.next_line().unwrap().unwrap(), "{\"half a line\"}");
}

#[test]
fn a_decoder_at_rest_can_give_its_buffer_back() {
    let mut decoder = LineDecoder::new(100);
    decoder.feed(b"{}\n[");
    decoder.next_line().unwrap();
    decoder.release();
    assert_eq!(decoder.buffered(), 1, "half a line is kept");
    decoder.feed(b"]\n");
    decoder.next_line().unwrap();
    decoder.release();
    assert_eq!(decoder.buffer.capacity(), 0);
    assert!(!decoder.is_within_line());
}

#[test]
fn reads_that_fill_their_room_are_offered_more_and_small_ones_less() {
    let mut decoder = LineDecoder::new(1 << 30);
    let room = |decoder: &mut LineDecoder| {
        decoder.release();
        let buffer = decoder.buffer();
        buffer.capacity() - buffer.len()
    };
    assert_eq!(room(&mut decoder), SMALLEST_READ);
    for _ in 0..5 {
        let room = room(&mut decoder);
        decoder.buffer().resize(room, b'\n');
        assert_eq!(decoder.next_line(), Ok(None));
    }
    assert_eq!(room(&mut decoder), LARGEST_READ);
    for _ in 0..10 * SMALL_READS {
        decoder.feed(b"{}\n");
        decoder.next_line().unwrap();
    }
    assert_eq!(room(&mut decoder), SMALLEST_READ);
}

#[test]
fn the_tail_of_a_line_that_was_too_long_is_told_however_it_is_cut() {
    let line = [b"x".repeat(200).as_slice(), br#","id":7}"#].concat();
    let whole = [&line[..], b"\r\nnext\n"].concat();
    for size in [1, 3, 64, 100, 207, 208, 209, 210, 211, whole.len()] {
        let mut decoder = LineDecoder::new(100);
        let mut tails = Vec::new();
        for piece in whole.chunks(size) {
            decoder.feed(piece);
            loop {
                let next = decoder.next_line();
                tails.extend(decoder.take_tail());
                if next == Ok(None) {
                    break;
                }
            }
        }
        assert_eq!(tails.len(), 1, "pieces of {size}");
        assert!(tails[0].len() <= LineTooLong::TAIL_BYTES && tails[0].ends_with(br#","id":7}"#));
    }
}

#[test]
fn encoding_copies_nothing_unless_there_are_newlines() {
    let text = Bytes::from(b"{\"a\":1}".to_vec());
    let line = encode([text.clone()]);
    assert_eq!(line.iter().next().unwrap().as_ptr(), text.as_ptr());
    assert_eq!(encode([Bytes::from_static(b"\r\n{\n}\n")]).into_bytes(), "  { } \n");
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            &b"\n"[..],
            b"\r\n",
            b"\r",
            b" ",
            b"\xEF\xBB\xBF",
            b"\xEF",
            b"\xBB\xBF",
            b"12345"
        ])
        .prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..24)
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_lines(pieces in pieces(), max in 1_usize..12) {
        let whole = pieces.concat();
        let stripped = whole.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&whole);
        let expected: Vec<_> = stripped
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .filter(|line| line.len() > max || !line.iter().all(u8::is_ascii_whitespace))
            .map(|line| if line.len() > max { Err(max) } else { Ok(Bytes::copy_from_slice(line)) })
            .collect();
        let mut decoder = LineDecoder::new(max);
        prop_assert_eq!(&decode(&mut decoder, [&whole[..]]), &expected);
        prop_assert_eq!(&decode(&mut decoder, pieces.iter().map(Vec::as_slice)), &expected);
        prop_assert_eq!(&decode(&mut decoder, whole.chunks(1)), &expected);
    }

    #[test]
    fn what_is_encoded_is_decoded_as_one_line(slices in prop::collection::vec("[ -~\r\n]{0,9}", 0..4)) {
        let message = slices.concat().replace(['\r', '\n'], " ");
        let line = encode(slices.into_iter().map(Bytes::from)).into_bytes();
        let expected: Vec<Bytes> = if message.trim().is_empty() { vec![] } else { vec![message.into()] };
        prop_assert_eq!(lines(&line), expected);
    }

    #[test]
    fn a_message_is_the_line_that_its_chunks_are(space in "[ \r\n]{0,3}", length in 0_usize..6000, is_spliced: bool) {
        let text = format!(r#"{{{space}"jsonrpc":"2.0","id":1,{space}"result":"{}"}}"#, "x".repeat(length));
        let mut message = Message::parse(text.into(), &crate::Limits::default()).unwrap();
        if is_spliced {
            message.set_id(&crate::RequestId::from("another"));
        }
        prop_assert_eq!(encode_message(&message).into_bytes(), encode(message.chunks()).into_bytes());
    }
}
