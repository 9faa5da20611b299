//! Messages of our own making.

use bytes::{BufMut, Bytes, BytesMut};

use crate::edit::write_string;
use crate::{ErrorObject, Limits, Message, ParseError, RequestId};

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
