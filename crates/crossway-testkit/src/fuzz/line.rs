//! Fuzzes the line codec.

use bytes::Bytes;
use crossway_proto::line::{self, LineDecoder, LineTooLong};

use super::input::{Input, cut};

/// An output of a decoder.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    Line(Bytes),
    TooLong,
}

/// Checks that lines are those of a plain reading, however the bytes are cut; that limits hold; and that an encoded text is one line that
/// decodes to the same.
///
/// # Panics
///
/// When a check fails.
pub fn line(data: &[u8]) {
    let mut input = Input::new(data);
    let (limit, seed) = (input.byte(), input.byte());
    let text = input.rest();
    // The highest bit chooses whether memory is released while reading.
    let max_line = usize::from(limit & 0x7f);
    let expected = read(text, max_line);
    for seed in [0, 1, seed] {
        let found = decode(&cut(text, seed), max_line, limit >= 0x80, &expected);
        let expected = expected.iter().map(|line| match line {
            Ok(line) => Item::Line(Bytes::copy_from_slice(line)),
            Err(_) => Item::TooLong,
        });
        assert_eq!(found, expected.collect::<Vec<_>>(), "in pieces of {seed}");
    }
    encoded_is_one_line(text, seed);
}

/// The plain reading: each line, or `Err` with a line that is too long.
fn read(text: &[u8], max_line: usize) -> Vec<Result<&[u8], &[u8]>> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    text.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| line.len() > max_line || !line.iter().all(u8::is_ascii_whitespace))
        .map(|line| if line.len() > max_line { Err(line) } else { Ok(line) })
        .collect()
}

fn decode(pieces: &[&[u8]], max_line: usize, release: bool, expected: &[Result<&[u8], &[u8]>]) -> Vec<Item> {
    let mut decoder = LineDecoder::new(max_line);
    let mut found = Vec::new();
    let mut take = |next: Result<Option<Bytes>, LineTooLong>| {
        found.push(match next {
            Ok(None) => return None,
            Ok(Some(line)) => Item::Line(line),
            Err(error) => {
                let Some(Err(whole)) = expected.get(found.len()) else { panic!("no line is too long here") };
                assert_eq!(error.limit, max_line);
                // If a piece ends there, the head has the first byte of the line's end.
                let head = error.head.strip_suffix(b"\r").unwrap_or(&error.head);
                assert!(whole.starts_with(head) && error.head.len() <= LineTooLong::HEAD_BYTES);
                assert!(error.head.len() >= (max_line + 1).min(LineTooLong::HEAD_BYTES));
                Item::TooLong
            }
        });
        Some(found.len() - 1)
    };
    // The line whose tail is still to come.
    let mut ends = None;
    for piece in pieces {
        if piece.len() % 2 == 0 {
            decoder.feed(piece);
        } else {
            decoder.buffer().extend_from_slice(piece);
        }
        loop {
            let next = decoder.next_line();
            ends = if next.is_err() { None } else { ends };
            let was_error = next.is_err();
            let at = take(next);
            ends = if was_error { at } else { ends };
            if let Some(tail) = decoder.take_tail() {
                let Some(Err(whole)) = ends.take().and_then(|at: usize| expected.get(at)) else {
                    panic!("a tail of no line")
                };
                check_tail(whole, &tail);
            }
            if at.is_none() {
                break;
            }
        }
        assert!(decoder.buffered() <= (max_line + 1).max(2), "more is held than a line may have");
        assert!(ends.is_none() || decoder.is_within_line(), "a line has ended and its tail did not come");
        if release {
            decoder.release();
        }
    }
    while take(decoder.finish()).is_some() {}
    assert_eq!((decoder.buffered(), decoder.is_within_line()), (0, false));
    found
}

fn check_tail(whole: &[u8], tail: &[u8]) {
    let end = whole.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    assert!(whole[..end].ends_with(tail) && tail.len() <= LineTooLong::TAIL_BYTES);
    // Two bytes may have been taken for the line's end.
    assert!(end < whole.len() || tail.len() >= whole.len().min(LineTooLong::TAIL_BYTES - 2));
}

fn encoded_is_one_line(text: &[u8], seed: u8) {
    let line = line::encode(cut(text, seed).into_iter().map(Bytes::copy_from_slice)).into_bytes();
    let expected: Vec<u8> =
        text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
    assert_eq!(line.strip_suffix(b"\n"), Some(&expected[..]));

    let mut decoder = LineDecoder::new(expected.len());
    // The newline moves the decoder past the start, where it would skip a byte order mark.
    decoder.feed(b"\n");
    decoder.feed(&line);
    let blank = expected.iter().all(u8::is_ascii_whitespace);
    assert_eq!(decoder.next_line(), Ok((!blank).then(|| Bytes::from(expected))));
    assert_eq!(decoder.next_line(), Ok(None));
}
