//! Batches of a client: split into messages, and their responses joined.
//!
//! 2025-03-26, basic, Batching: "MCP implementations **MUST** support receiving JSON-RPC batches." JSON-RPC 2.0,
//! section 6: "The Server should respond with an Array containing the corresponding Response objects". No other
//! revision has them.

use bytes::Bytes;
use crossway_proto::{Message, RequestId, Slices, line};

/// The batches that wait for responses.
#[derive(Debug, Default)]
pub(super) struct Batches {
    open: Vec<Batch>,
}

#[derive(Debug)]
struct Batch {
    awaited: Vec<RequestId>,
    answers: Vec<Message>,
}

impl Batches {
    /// Records a batch. A batch without requests gets no answer.
    pub(super) fn begin(&mut self, messages: &[Message]) {
        let requests = messages.iter().filter(|message| message.is_request());
        let awaited: Vec<_> = requests.filter_map(Message::id).collect();
        if !awaited.is_empty() {
            self.open.push(Batch { awaited, answers: Vec::new() });
        }
    }

    /// Takes a message for the client. Returns what to write now, if anything. A message that belongs to no
    /// batch is written as it is.
    pub(super) fn put(&mut self, message: Message) -> Option<Slices> {
        let id = message.id().filter(|_| message.is_response() && !self.open.is_empty());
        let Some((at, id)) = id.and_then(|id| Some((self.position(&id)?, id))) else {
            return Some(line::encode_message(&message));
        };
        let batch = &mut self.open[at];
        batch.answers.push(message);
        batch.settle(&id);
        self.take_if_complete(at)
    }

    /// Records that the client has cancelled a request, which will get no answer. Returns its batch if that is
    /// complete now.
    pub(super) fn cancel(&mut self, id: &RequestId) -> Option<Slices> {
        let at = self.position(id)?;
        self.open[at].settle(id);
        self.take_if_complete(at)
    }

    fn position(&self, id: &RequestId) -> Option<usize> {
        self.open.iter().position(|batch| batch.awaited.contains(id))
    }

    fn take_if_complete(&mut self, at: usize) -> Option<Slices> {
        if !self.open[at].awaited.is_empty() {
            return None;
        }
        let answers = self.open.remove(at).answers;
        if answers.is_empty() {
            return None;
        }
        let mut chunks = vec![Bytes::from_static(b"[")];
        for (index, answer) in answers.iter().enumerate() {
            if index > 0 {
                chunks.push(Bytes::from_static(b","));
            }
            chunks.extend(answer.chunks());
        }
        chunks.push(Bytes::from_static(b"]"));
        Some(line::encode(chunks))
    }
}

impl Batch {
    fn settle(&mut self, id: &RequestId) {
        if let Some(at) = self.awaited.iter().position(|awaited| awaited == id) {
            self.awaited.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use crossway_proto::{Incoming, Limits};
    use crossway_testkit::message;

    use super::*;

    fn batches(text: &'static str) -> Batches {
        let Ok(Incoming::Batch(messages)) = Incoming::parse(Bytes::from(text), &Limits::default()) else {
            panic!("no batch: {text}")
        };
        let mut batches = Batches::default();
        batches.begin(&messages);
        batches
    }

    fn text(slices: Option<Slices>) -> Option<String> {
        slices.map(|slices| String::from_utf8(slices.into_bytes().to_vec()).unwrap())
    }

    #[test]
    fn answers_to_a_batch_go_out_together_and_all_else_at_once() {
        let mut batches = batches(
            r#"[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","method":"n"},{"jsonrpc":"2.0","id":"2","method":"b"}]"#,
        );
        assert_eq!(text(batches.put(message(r#"{"jsonrpc":"2.0","id":"2","result":{}}"#))), None);
        let notification = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;
        assert_eq!(text(batches.put(message(notification))).unwrap(), format!("{notification}\n"));
        let other = r#"{"jsonrpc":"2.0","id":3,"result":{}}"#;
        assert_eq!(text(batches.put(message(other))).unwrap(), format!("{other}\n"));
        assert_eq!(
            text(batches.put(message("{\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":[]}"))).unwrap(),
            "[{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"result\":{}},{\"jsonrpc\":\"2.0\", \"id\":1,\"result\":[]}]\n"
        );
        assert!(batches.open.is_empty());
    }

    #[test]
    fn a_cancelled_request_holds_no_batch_up() {
        let mut batches =
            batches(r#"[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":2,"method":"b"}]"#);
        assert_eq!(text(batches.put(message(r#"{"jsonrpc":"2.0","id":1,"result":1}"#))), None);
        assert_eq!(
            text(batches.cancel(&RequestId::from(2))).unwrap(),
            "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}]\n"
        );
        assert_eq!(text(batches.cancel(&RequestId::from(2))), None);
    }

    #[test]
    fn a_batch_without_requests_has_no_answer() {
        let batches = batches(r#"[{"jsonrpc":"2.0","method":"n"}]"#);
        assert!(batches.open.is_empty());
    }
}
