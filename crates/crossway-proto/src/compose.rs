//! Builds new messages.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use crate::edit::write_string;
use crate::scan::{self, Envelope, Member, Span};
use crate::{ErrorObject, Kind, Layout, Limits, Message, ParseError, Part, RequestId};

impl Message {
    /// A request. `params` is JSON text, an object.
    ///
    /// # Errors
    ///
    /// When `params` is not one valid JSON value, an object or an array.
    pub fn request_of(id: &RequestId, method: &str, params: Option<&[u8]>) -> Result<Self, ParseError> {
        compose(Some(id.as_json()), Some(method), ("params", params))
    }

    /// A notification. `params` is JSON text, an object.
    ///
    /// # Errors
    ///
    /// When `params` is not one valid JSON value, an object or an array.
    pub fn notification_of(method: &str, params: Option<&[u8]>) -> Result<Self, ParseError> {
        compose(None, Some(method), ("params", params))
    }

    /// The answer to the request `id`. `result` is JSON text.
    ///
    /// # Errors
    ///
    /// When `result` is not one valid JSON value.
    pub fn result_of(id: &RequestId, result: &[u8]) -> Result<Self, ParseError> {
        compose(Some(id.as_json()), None, ("result", Some(result)))
    }

    /// The answer to the request `id`, with a result whose members `fill` adds, and whose layout is
    /// [noted](Self::note_layout). Room is made for `bytes` of them; they may take more.
    ///
    /// Values are copied and not parsed. For lists of thousands of tools, parsing is most of the work of
    /// [`result_of`](Self::result_of).
    #[must_use]
    pub fn result_with(id: &RequestId, bytes: usize, fill: impl FnOnce(&mut ResultMembers)) -> Self {
        /// More than the text around the members, with a few short ones.
        const AROUND: usize = 192;
        let mut text = BytesMut::with_capacity(bytes + id.as_json().len() + AROUND);
        text.put_slice(br#"{"jsonrpc":"2.0","id":"#);
        let id = appended(&mut text, |text| text.put_slice(id.as_json()));
        text.put_slice(br#","result":"#);
        let base = text.len();
        text.put_u8(b'{');
        let envelope = Envelope { id, ..Envelope::default() };
        let mut members = ResultMembers { text, base, noted: SmallVec::new(), envelope };
        fill(&mut members);
        let ResultMembers { mut text, noted, mut envelope, .. } = members;
        text.put_u8(b'}');
        envelope.result = Span::new(base, text.len());
        text.put_u8(b'}');
        let mut message = Self::unedited(text.freeze(), Kind::Result, envelope);
        message.0.noted = Some(Layout::of(Part::Result, Arc::new(noted)));
        message
    }

    /// The error that answers the request `id`, or, with a null id, a message whose id is unknown. Its `data`
    /// is left out unless it is one valid JSON value.
    #[must_use]
    pub fn error_of(id: Option<&RequestId>, error: &ErrorObject) -> Self {
        /// More than what is written around the values.
        const AROUND: usize = 96;
        let data = error.data.as_deref().filter(|data| scan::is_value(data));
        let long = data.map_or(0, <[u8]>::len) + error.message.len() + id.map_or(0, |id| id.as_json().len());
        let mut text = BytesMut::with_capacity(long + AROUND);
        text.put_slice(br#"{"jsonrpc":"2.0","id":"#);
        let id = appended(&mut text, |text| text.put_slice(id.map_or(b"null", RequestId::as_json)));
        text.put_slice(br#","error":"#);
        let object = appended(&mut text, |text| {
            text.put_slice(br#"{"code":"#);
            text.put_slice(error.code.0.to_string().as_bytes());
            text.put_slice(br#","message":"#);
            write_string(text, &error.message);
            if let Some(data) = data {
                text.put_slice(br#","data":"#);
                text.put_slice(data.trim_ascii());
            }
            text.put_u8(b'}');
        });
        text.put_u8(b'}');
        let envelope = Envelope { id, result: object, ..Envelope::default() };
        Self::unedited(text.freeze(), Kind::Error, envelope)
    }

    /// The error that answers this request.
    #[must_use]
    pub fn error_response(&self, error: &ErrorObject) -> Self {
        Self::error_of(self.request_id().as_ref(), error)
    }

    /// The error that answers the request `id`, from JSON text, an object.
    ///
    /// # Errors
    ///
    /// When it is not one valid JSON value, an object.
    pub fn error_with(id: &RequestId, error: &[u8]) -> Result<Self, ParseError> {
        compose(Some(id.as_json()), None, ("error", Some(error)))
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

/// The members of a result that is being written, in their order: [`Message::result_with`].
///
/// Values are JSON text, and must be valid: nobody reads them.
#[derive(Debug)]
pub struct ResultMembers {
    text: BytesMut,
    /// Where the result begins.
    base: usize,
    noted: SmallVec<[Member; 6]>,
    envelope: Envelope,
}

impl ResultMembers {
    /// Adds a member of this value.
    pub fn put(&mut self, name: &str, value: &[u8]) {
        self.write(name, |text| text.put_slice(value));
    }

    /// Adds a member whose value `write` appends.
    pub fn write(&mut self, name: &str, write: impl FnOnce(&mut BytesMut)) {
        let value = self.append(name, write);
        let Envelope { meta, version, .. } = &mut self.envelope;
        match name {
            "_meta" => *meta = value,
            "protocolVersion" => *version = value,
            _ => {}
        }
    }

    /// Adds `_meta`, an object that has no subscription id: [`subscription_id`](Message::subscription_id) would not see that.
    pub fn put_meta(&mut self, object: &[u8]) {
        self.put("_meta", object);
    }

    fn append(&mut self, name: &str, write: impl FnOnce(&mut BytesMut)) -> Span {
        if !self.noted.is_empty() {
            self.text.put_u8(b',');
        }
        self.envelope.has_rare |= ["requestState", "cacheScope"].contains(&name);
        let name = appended(&mut self.text, |text| write_string(text, name));
        self.text.put_u8(b':');
        let value = appended(&mut self.text, write);
        self.noted.push(Member {
            name: name.shifted_back(self.base),
            is_escaped: self.text[name.range()].contains(&b'\\'),
            value: value.shifted_back(self.base),
        });
        value
    }
}

/// The position of the text that `write` appends.
fn appended(text: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) -> Span {
    let start = text.len();
    write(text);
    Span::new(start, text.len())
}

fn compose(
    id: Option<&[u8]>,
    method: Option<&str>,
    (name, value): (&str, Option<&[u8]>),
) -> Result<Message, ParseError> {
    /// More than what is written around the values.
    const AROUND: usize = 96;
    let long: usize = value.into_iter().chain(id).map(<[u8]>::len).sum();
    let mut text = BytesMut::with_capacity(long + method.map_or(0, str::len) + AROUND);
    text.put_slice(br#"{"jsonrpc":"2.0""#);
    let method = method.map(|method| {
        let mut text = Vec::with_capacity(method.len() + 2);
        write_string(&mut text, method);
        text
    });
    let mut written = Span::default();
    for (name, value) in [("id", id), ("method", method.as_deref()), (name, value)] {
        if let Some(value) = value {
            text.put_slice(b",\"");
            text.put_slice(name.as_bytes());
            text.put_slice(b"\":");
            written = appended(&mut text, |text| text.put_slice(value.trim_ascii()));
        }
    }
    text.put_u8(b'}');
    let message = Message::parse(Bytes::from(text), &Limits::OF_OWN)?;
    let read = if message.is_response() { message.0.envelope.result } else { message.0.envelope.params };
    // A text such as `{},"id":1` would make a valid message, but is not one value.
    if value.is_some() && read != written {
        return Err(ParseError::NotJson { what: "text follows the value", at: read.range().end });
    }
    Ok(message)
}

impl Limits {
    /// The limits of messages that are composed here from parts that were within the limits: such a message
    /// may be longer and a few levels deeper than each part. The scan does not recurse, so depth costs one
    /// byte per level.
    pub(crate) const OF_OWN: Self = Self {
        message_bytes: usize::MAX,
        depth: usize::MAX,
        id_bytes: usize::MAX,
        batch_messages: Self::BATCH_MESSAGES,
    };
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
            &[("resultType", br#""complete""#), ("a\"b", b"{\"_meta\": 1}"), ("cacheScope", b" 1 ")],
        ];
        for (id, members) in ids.iter().flat_map(|id| members.map(|members| (id, members))) {
            let made = Message::result_with(id, 0, |result| {
                members.iter().for_each(|(name, value)| result.put(name, value));
            });
            let mut read = Message::parse(made.to_bytes(), &Limits::default()).unwrap();
            assert_eq!((made.kind(), made.id()), (read.kind(), Some(id.clone())));
            assert_eq!(made.result(), read.result());
            assert!(made.meta().is_none());
            assert_eq!(made.has_rare_members(), read.has_rare_members());
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

    #[test]
    fn what_is_more_than_one_value_makes_no_message() {
        let id = RequestId::from(1);
        let follows = |made: Result<Message, ParseError>| {
            matches!(made, Err(ParseError::NotJson { what: "text follows the value", .. }))
        };
        for more in [r#","x":1"#, r#","X":{}"#, r#","y":{}  "#] {
            let value = format!("{{}}{more}");
            assert!(follows(Message::request_of(&id, "m", Some(value.as_bytes()))), "{more}");
            assert!(follows(Message::notification_of("m", Some(value.as_bytes()))), "{more}");
            assert!(follows(Message::result_of(&id, value.as_bytes())), "{more}");
            assert!(follows(Message::error_with(&id, value.as_bytes())), "{more}");
        }
        assert!(follows(Message::notification_of("m", Some(br#"{},"id":3"#))));
        for params in [&br#"{},"method":"n""#[..], br#"{},"params":{}"#, br#"{},"result":1"#, b"{}}", b" "] {
            assert!(Message::request_of(&id, "m", Some(params)).is_err(), "{params:?}");
            assert!(Message::notification_of("m", Some(params)).is_err(), "{params:?}");
        }
        let spaced = Message::request_of(&id, "m", Some(b" { \"a\" : 1 }\r\n\t")).unwrap();
        assert_eq!(spaced.params(), Some(&b"{ \"a\" : 1 }"[..]));
        assert!(Message::request_of(&id, "m", None).unwrap().params().is_none());
    }

    #[test]
    fn an_error_is_what_would_have_been_read_and_has_no_data_that_is_not_one_value() {
        let error = |data: Option<&'static [u8]>| ErrorObject {
            data: data.map(Bytes::from_static),
            ..ErrorObject::new(crate::ErrorCode(-1), "m \" \n \u{e9}")
        };
        for (id, data) in
            [(None, None), (Some(RequestId::from("a\"b")), Some(&b" {\"a\":[\"\xc3\xa9\"]} "[..]))]
        {
            let made = Message::error_of(id.as_ref(), &error(data));
            let read = Message::parse(made.to_bytes(), &Limits::default()).unwrap();
            assert_eq!((made.0.kind, made.0.envelope), (read.0.kind, read.0.envelope));
            assert_eq!(made.id(), id);
        }
        let without = Message::error_of(None, &error(None)).to_bytes();
        for not_one in [&b"1},\"x\":{\"y\":2"[..], b"", b"1 2", b"{", b"\"\xff\""] {
            assert_eq!(Message::error_of(None, &error(Some(not_one))).to_bytes(), without);
        }
    }

    #[test]
    fn an_error_answers_a_request_under_its_id_and_nothing_else_under_any() {
        let error = ErrorObject::new(crate::ErrorCode(-1), "m");
        let id = RequestId::from("a");
        let request = Message::request_of(&id, "m", None).unwrap();
        assert_eq!(request.error_response(&error), Message::error_of(Some(&id), &error));
        let notification = Message::notification_of("m", None).unwrap();
        for other in
            [notification, Message::result_of(&id, b"{}").unwrap(), Message::error_of(Some(&id), &error)]
        {
            assert_eq!(other.error_response(&error), Message::error_of(None, &error), "{other:?}");
        }
    }

    #[test]
    fn what_came_within_the_limits_can_be_put_into_what_is_deeper() {
        let id = RequestId::from(1);
        let depth = Limits::default().depth;
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let inside = format!(r#"{{"a":{{"b":{deep}}}}}"#);
        let mut request = Message::request_of(&id, "m", Some(inside.as_bytes())).unwrap();
        assert_eq!(request.params(), Some(inside.as_bytes()));
        assert!(Message::notification_of("m", Some(inside.as_bytes())).is_ok());
        assert!(Message::result_of(&id, inside.as_bytes()).is_ok());
        assert!(Message::error_with(&id, inside.as_bytes()).is_ok());
        request.edit(Part::Params, &[], &[("c", inside.as_bytes())]).unwrap();
        assert_eq!(request.reread().unwrap().member(Part::Params, "c"), Some(inside.as_bytes()));
        let error = ErrorObject { data: Some(inside.into()), ..ErrorObject::new(crate::ErrorCode(1), "m") };
        assert!(Message::error_of(Some(&id), &error).to_bytes().len() > 2 * depth);
    }

    #[test]
    fn the_meta_of_a_result_of_members_is_seen_and_can_be_taken_away() {
        let mut made = Message::result_with(&RequestId::from(7), 0, |result| {
            result.put("ttlMs", b"0");
            result.put_meta(br#"{"k":{"n":1}}"#);
            result.put("tools", b"[]");
        });
        assert_eq!(made.meta(), Some(&br#"{"k":{"n":1}}"#[..]));
        assert_eq!(made.member(Part::Meta, "k"), Some(&br#"{"n":1}"#[..]));
        made.set_id(&RequestId::from("longer"));
        assert_eq!(made.member(Part::Meta, "k"), Some(&br#"{"n":1}"#[..]));
        let put = Message::result_with(&RequestId::from(7), 0, |result| {
            result.put("protocolVersion", b"\"2025-11-25\"");
            result.put("_meta", br#"{"k":1}"#);
        });
        assert_eq!(put.initialize_version().as_deref(), Some("2025-11-25"));
        assert_eq!(put.meta(), Some(&br#"{"k":1}"#[..]));
        made.edit(Part::Result, &["_meta", "ttlMs"], &[]).unwrap();
        assert_eq!(made.to_bytes(), r#"{"jsonrpc":"2.0","id":"longer","result":{"tools":[]}}"#);
    }
}
