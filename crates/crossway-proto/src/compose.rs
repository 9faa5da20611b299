//! Messages of our own making.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use crate::edit::write_string;
use crate::scan::{Envelope, Member, Span};
use crate::{ErrorObject, Kind, Layout, Limits, Message, ParseError, Part, RequestId};

impl Message {
    /// A request. `params` is JSON text, an object.
    ///
    /// # Errors
    ///
    /// When `params` is not valid JSON.
    pub fn request_of(id: &RequestId, method: &str, params: Option<&[u8]>) -> Result<Self, ParseError> {
        compose(Some(id.as_json()), Some(method), &[("params", params)])
    }

    /// A notification. `params` is JSON text, an object.
    ///
    /// # Errors
    ///
    /// When `params` is not valid JSON.
    pub fn notification_of(method: &str, params: Option<&[u8]>) -> Result<Self, ParseError> {
        compose(None, Some(method), &[("params", params)])
    }

    /// The answer to the request `id`. `result` is JSON text.
    ///
    /// # Errors
    ///
    /// When `result` is not valid JSON.
    pub fn result_of(id: &RequestId, result: &[u8]) -> Result<Self, ParseError> {
        compose(Some(id.as_json()), None, &[("result", Some(result))])
    }

    /// The answer to the request `id`, with a result of these members, whose layout is [noted](Self::note_layout).
    ///
    /// Values are JSON text, and must be valid: they are copied and not read, which for lists of thousands of tools is most of what
    /// [`result_of`](Self::result_of) takes. `_meta` and `protocolVersion` are not among them, for those would have to be read.
    #[must_use]
    pub fn result_with(id: &RequestId, members: &[(&str, &[u8])]) -> Self {
        /// More than what is written around the members.
        const AROUND: usize = 64;
        debug_assert!(members.iter().all(|(name, _)| !["_meta", "protocolVersion"].contains(name)));
        let long: usize = members.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut text = BytesMut::with_capacity(long + id.as_json().len() + AROUND);
        let put = |text: &mut BytesMut, bytes: &[u8]| {
            let start = text.len();
            text.put_slice(bytes);
            Span::new(start, text.len())
        };
        put(&mut text, br#"{"jsonrpc":"2.0","id":"#);
        let id = put(&mut text, id.as_json());
        put(&mut text, br#","result":"#);
        let base = text.len();
        let mut noted = SmallVec::new();
        for (index, (name, value)) in members.iter().enumerate() {
            put(&mut text, if index == 0 { b"{" } else { b"," });
            let start = text.len();
            write_string(&mut text, name);
            let name = Span::new(start, text.len());
            put(&mut text, b":");
            let value = put(&mut text, value);
            noted.push(Member { name: name.shifted_back(base), value: value.shifted_back(base) });
        }
        put(&mut text, if members.is_empty() { b"{}" } else { b"}" });
        let result = Span::new(base, text.len());
        put(&mut text, b"}");
        let envelope = Envelope { id, result, ..Envelope::default() };
        let mut message = Self::unedited(text.freeze(), Kind::Result, envelope);
        message.noted = Some(Arc::new(Layout::of(Part::Result, noted)));
        message
    }

    /// The error that answers the request `id`, or with a null id what can't be told to be one.
    ///
    /// # Errors
    ///
    /// When the error's `data` is not valid JSON.
    pub fn error_of(id: Option<&RequestId>, error: &ErrorObject) -> Result<Self, ParseError> {
        let mut object = BytesMut::new();
        object.put_slice(br#"{"code":"#);
        object.put_slice(error.code.0.to_string().as_bytes());
        object.put_slice(br#","message":"#);
        object.put_slice(serde_json::Value::from(error.message.as_ref()).to_string().as_bytes());
        if let Some(data) = &error.data {
            object.put_slice(br#","data":"#);
            object.put_slice(data);
        }
        object.put_u8(b'}');
        compose(Some(id.map_or(b"null", RequestId::as_json)), None, &[("error", Some(&object))])
    }

    /// `notifications/cancelled` for the request `id`.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "an id is valid JSON by its type, and so is what is written around it"
    )]
    pub fn cancellation_of(id: &RequestId, reason: &str) -> Self {
        let reason = serde_json::Value::from(reason).to_string();
        let params = [br#"{"requestId":"#, id.as_json(), br#","reason":"#, reason.as_bytes(), b"}"].concat();
        Self::notification_of("notifications/cancelled", Some(&params)).expect("valid by construction")
    }
}

fn compose(
    id: Option<&[u8]>,
    method: Option<&str>,
    rest: &[(&str, Option<&[u8]>)],
) -> Result<Message, ParseError> {
    /// More than what is written around the values.
    const AROUND: usize = 96;
    let long: usize = rest.iter().filter_map(|(_, value)| *value).chain(id).map(<[u8]>::len).sum();
    let mut text = BytesMut::with_capacity(long + method.map_or(0, str::len) + AROUND);
    text.put_slice(br#"{"jsonrpc":"2.0""#);
    let method = method.map(|method| {
        let mut text = Vec::with_capacity(method.len() + 2);
        write_string(&mut text, method);
        text
    });
    let head = [("id", id), ("method", method.as_deref())];
    for (name, value) in head.iter().chain(rest) {
        if let Some(value) = value {
            text.put_slice(b",\"");
            text.put_slice(name.as_bytes());
            text.put_slice(b"\":");
            text.put_slice(value);
        }
    }
    text.put_u8(b'}');
    let unbounded = Limits { message_bytes: usize::MAX, id_bytes: usize::MAX, ..Limits::default() };
    Message::parse(Bytes::from(text), &unbounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_of_members_is_what_would_have_been_read() {
        let ids = [RequestId::from(7), RequestId::from("a\"b")];
        let members: [&[(&str, &[u8])]; 3] = [
            &[],
            &[("tools", b"[]")],
            &[("resultType", br#""complete""#), ("a\"b", b"{\"_meta\": 1}"), ("c", b" 1 ")],
        ];
        for (id, members) in ids.iter().flat_map(|id| members.map(|members| (id, members))) {
            let made = Message::result_with(id, members);
            let mut read = Message::parse(made.to_bytes(), &Limits::default()).unwrap();
            assert_eq!((made.kind(), made.id()), (read.kind(), Some(id.clone())));
            assert_eq!(made.result(), read.result());
            assert!(made.meta().is_none());
            let found: Vec<_> =
                made.members(Part::Result).map(|(name, value)| (name.into_owned(), value.to_vec())).collect();
            let given = members.iter().map(|(name, value)| ((*name).to_owned(), value.trim_ascii().to_vec()));
            assert_eq!(found, given.collect::<Vec<_>>());
            read.note_layout(Part::Result);
            for (name, value) in members {
                assert_eq!(made.member(Part::Result, name).unwrap().trim_ascii(), value.trim_ascii());
                let (mut one, mut other) = (made.clone(), read.clone());
                one.edit(Part::Result, &[*name], &[("new", b"2")]).unwrap();
                other.edit(Part::Result, &[*name], &[("new", b"2")]).unwrap();
                assert_eq!(
                    serde_json::from_slice::<serde_json::Value>(&one.to_bytes()).unwrap(),
                    serde_json::from_slice::<serde_json::Value>(&other.to_bytes()).unwrap()
                );
            }
        }
    }
}
