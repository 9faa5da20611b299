//! Fuzzes message parsing and splicing.

mod reference;

use bytes::Bytes;
use crossway_proto::{Incoming, Limits, Message, ParseError, RequestId};
use serde_json::Value;

use super::input::{Input, assert_equal_hash};
use super::json::{Elements, depth, is_json};
use reference::Reference;

/// Checks parsing against `serde_json`: a text is accepted if and only if a plain reading finds a message within the limits, and both find
/// the same parts. A splice changes its part alone, and restoring the old part restores the original bytes.
///
/// # Panics
///
/// When a check fails.
pub fn envelope(data: &[u8]) {
    let mut input = Input::new(data);
    let (limits, other_id) = (limits(input.byte()), input.byte());
    if other_id == b'=' {
        return ids(input.line(), input.rest());
    }
    let text = input.rest();
    let parsed = Message::parse(Bytes::copy_from_slice(text), &limits);
    let reference = Reference::of(without_bom(text), &limits);
    assert_eq!(parsed.is_ok(), reference.is_some(), "{:?}", parsed.as_ref().err());
    match &parsed {
        Err(ParseError::NotUtf8 | ParseError::NotJson { .. }) => assert!(!is_json(without_bom(text))),
        Err(ParseError::TooDeep { limit }) => assert_eq!(*limit, limits.depth),
        Err(ParseError::TooLong { limit }) => assert!(text.len() > *limit),
        _ => {}
    }
    incoming(text, &limits, &parsed);
    if let (Ok(message), Some(reference)) = (parsed, reference) {
        assert_eq!(message.to_bytes(), without_bom(text));
        reference.assert_agrees(&message);
        splices(&message, &reference, other_id);
    }
}

/// The default limits, or limits that inputs of a few bytes reach.
fn limits(choice: u8) -> Limits {
    if choice < 0x80 {
        return Limits::default();
    }
    Limits::default().with(|limits| {
        limits.message_bytes = 256;
        limits.depth = usize::from(choice % 8);
        limits.id_bytes = usize::from(choice % 16);
        limits.batch_messages = usize::from(choice % 4);
    })
}

fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
}

/// A message's text parses as that message; an array of messages parses as a batch of them.
fn incoming(text: &[u8], limits: &Limits, message: &Result<Message, ParseError>) {
    let incoming = Incoming::parse(Bytes::copy_from_slice(text), limits);
    let text = without_bom(text);
    let Some(Elements(elements)) = is_json(text).then(|| serde_json::from_slice(text).ok()).flatten() else {
        match (incoming, message) {
            (Ok(Incoming::One(one)), Ok(message)) => assert_eq!(one, *message),
            (Err(_), Err(_)) => {}
            (incoming, _) => panic!("read as {incoming:?}"),
        }
        return;
    };
    assert!(message.is_err());
    let messages: Result<Vec<_>, _> =
        elements.iter().map(|element| Message::parse(Bytes::copy_from_slice(element), limits)).collect();
    let is_batch = (1..=limits.batch_messages).contains(&elements.len())
        && text.len() <= limits.message_bytes
        && depth(text) <= limits.depth;
    match (incoming, messages) {
        (Ok(Incoming::Batch(batch)), Ok(messages)) if is_batch => {
            assert_eq!(batch, messages);
            for (message, element) in batch.iter().zip(elements) {
                assert_eq!(message.to_bytes(), element);
            }
        }
        (Err(_), messages) => assert!(!is_batch || messages.is_err(), "a batch is refused"),
        (incoming, _) => panic!("read as {incoming:?}"),
    }
}

/// The getter and the setter of a replaceable part.
type Part = (fn(&Message) -> Option<RequestId>, fn(&mut Message, &RequestId));

/// In the order of [`Reference::ids`].
const PARTS: [Part; 4] = [
    (Message::id, Message::set_id),
    (Message::progress_token, Message::set_progress_token),
    (Message::cancelled_id, Message::set_cancelled_id),
    (Message::subscription_id, Message::set_subscription_id),
];

fn splices(message: &Message, reference: &Reference<'_>, choice: u8) {
    let original = message.to_bytes();
    let new = match choice % 4 {
        0 => RequestId::from(u64::from(choice)),
        1 => RequestId::from(u64::MAX - u64::from(choice)),
        2 => RequestId::from(format!("\"\\{}\u{1f600}", char::from(choice)).as_str()),
        _ => RequestId::from(""),
    };
    let mut all = message.clone();
    let mut old = Vec::new();
    // The input decides the order.
    for step in 0..PARTS.len() {
        let at = (step + usize::from(choice >> 4)) % PARTS.len();
        let (part, set) = PARTS[at];
        let before = part(message);
        let mut one = message.clone();
        set(&mut one, &new);
        check_written(&one);
        if reference.ids()[at] == Some(b"null") {
            // An id can be put there, but the old value can't be restored.
            assert_eq!((before, part(&one)), (None, Some(new.clone())));
            continue;
        }
        assert_eq!(part(&one), before.as_ref().map(|_| new.clone()));
        if before.is_none() {
            assert_eq!(one.to_bytes(), original, "what is not there was replaced");
        }
        set(&mut all, &new);
        check_written(&all);
        old.extend(before.map(|before| (set, before)));
    }
    if let Some(id) = message.id() {
        let mut renamed = message.clone();
        renamed.set_id(&new);
        same_but_for_the_id(&original, &renamed.to_bytes(), &id, &new);
    }
    for (set, before) in old {
        set(&mut all, &before);
        check_written(&all);
    }
    assert_eq!(all.to_bytes(), original, "what was put back is not what came");
}

/// Checks that all ways to write a message agree, and that the written text parses to the same message.
fn check_written(message: &Message) {
    let written = message.to_bytes();
    assert_eq!(message.len(), written.len());
    assert_eq!(message.chunks().collect::<Vec<_>>().concat(), written);
    let mut appended = Vec::new();
    message.write_to(&mut appended);
    assert_eq!(appended, written);
    let unbounded = Limits::default().with(|limits| {
        limits.message_bytes = usize::MAX;
        limits.id_bytes = usize::MAX;
    });
    let read = Message::parse(written, &unbounded).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((read.kind(), read.method(), read.name()), (message.kind(), message.method(), message.name()));
    for (part, _) in PARTS {
        assert_eq!(
            part(&read).map(|id| id.as_json().to_vec()),
            part(message).map(|id| id.as_json().to_vec())
        );
    }
}

fn same_but_for_the_id(before: &[u8], after: &[u8], old: &RequestId, new: &RequestId) {
    let read = |text: &[u8]| serde_json::from_slice::<Value>(text);
    let (Ok(mut before), Ok(after)) = (read(before), read(after)) else { return };
    // `Value` stores most numbers as floating point, and refuses lone surrogates: such values were compared as text.
    let (Ok(old), Ok(new)) = (read(old.as_json()), read(new.as_json())) else { return };
    assert_eq!(before["id"], old);
    before["id"] = new;
    assert_eq!(before, after);
}

/// Checks which texts are ids, and which ids are equal.
fn ids(one: &[u8], other: &[u8]) {
    let [one, other] = [one, other].map(|text| {
        let id = RequestId::parse(text);
        let is_id = matches!(text.first(), Some(b'"' | b'-' | b'0'..=b'9'))
            && is_json(text)
            && !text.last().is_some_and(u8::is_ascii_whitespace);
        assert_eq!(id.is_some(), is_id, "{}", text.escape_ascii());
        id.inspect(|id| assert_eq!(id.as_json(), text))
    });
    let (Some(one), Some(other)) = (one, other) else { return };
    let equal = one == other;
    assert_eq!(other == one, equal);
    assert!(one == one.clone());
    if equal {
        assert_equal_hash(&one, &other);
    }
    match [&one, &other].map(Meaning::of) {
        [Meaning::Text(one), Meaning::Text(other)] => assert_eq!(equal, one == other),
        // Equal decimals are still equal when rounded.
        [Meaning::Number(one), Meaning::Number(other)] => assert!(!equal || one == other),
        [Meaning::HalfPair, Meaning::HalfPair] => {}
        _ => assert!(!equal, "what can't be equal is"),
    }
    if let (Some(left), Some(right)) = (one.as_u64(), other.as_u64()) {
        assert_eq!(equal, left == right);
    }
}

/// The value of an id, as the standard library and `serde_json` read it.
enum Meaning {
    Text(String),
    Number(f64),
    /// A string with half a surrogate pair, which is not Unicode text.
    HalfPair,
}

impl Meaning {
    fn of(id: &RequestId) -> Self {
        if id.as_json().starts_with(b"\"") {
            return serde_json::from_slice(id.as_json()).map_or(Self::HalfPair, Self::Text);
        }
        let number = id.to_string();
        Self::Number(number.parse().unwrap_or_else(|error| panic!("{number}: {error}")))
    }
}
