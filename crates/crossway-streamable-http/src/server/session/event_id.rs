//! Event ids, which name a stream and a position in it.

use std::fmt;

/// The content of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamKind {
    /// The answer to a POST.
    Call,
    /// Messages outside calls: the answer to a GET.
    Standing,
}

/// The id of an event: `c3-7` is the seventh event of the third stream of the session, which answers a call.
///
/// "Event IDs **SHOULD** encode sufficient information to identify the originating stream" (2025-11-25,
/// basic/transports, Resumability and Redelivery). A priming event has number 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventId {
    pub(crate) kind: StreamKind,
    pub(crate) stream: u32,
    pub(crate) number: u32,
}

impl EventId {
    /// Reads a `Last-Event-ID`.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let kind = match text.as_bytes().first()? {
            b'c' => StreamKind::Call,
            b'g' => StreamKind::Standing,
            _ => return None,
        };
        let (stream, number) = text[1..].split_once('-')?;
        let id = Self { kind, stream: stream.parse().ok()?, number: number.parse().ok()? };
        // One event, one id: `+1` and `01` are never written here.
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            StreamKind::Call => 'c',
            StreamKind::Standing => 'g',
        };
        write!(f, "{kind}{}-{}", self.stream, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_read_back() {
        for kind in [StreamKind::Call, StreamKind::Standing] {
            let id = EventId { kind, stream: 3, number: u32::MAX };
            assert_eq!(EventId::parse(id.to_string().as_bytes()), Some(id));
        }
    }

    #[test]
    fn what_was_not_written_here_is_no_event_id() {
        for not in [
            "",
            "c",
            "c1",
            "c1-",
            "c-1",
            "x1-1",
            "c01-1",
            "c1-+1",
            "c1-1 ",
            "c1-4294967296",
            "\u{e9}1-1",
            "c1-1-1",
        ] {
            assert_eq!(EventId::parse(not.as_bytes()), None, "{not}");
        }
        assert_eq!(EventId::parse(b"c1-\xff"), None);
    }
}
