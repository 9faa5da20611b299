//! Replaces the name or URI of an item and leaves the other bytes as they are.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A JSON object with a name or a URI.
pub(super) struct Named<'a> {
    json: &'a [u8],
    members: Members<'a>,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
}

impl<'a> Named<'a> {
    /// `None` if it is not an object.
    pub(super) fn read(json: &'a [u8]) -> Option<Self> {
        Some(Self { json, members: serde_json::from_slice(json).ok()? })
    }

    pub(super) fn name(&self) -> Option<String> {
        serde_json::from_str(self.members.name?.get()).ok()
    }

    pub(super) fn uri(&self) -> Option<String> {
        serde_json::from_str(self.members.uri?.get()).ok()
    }

    /// The object with another name, if it has a name.
    pub(super) fn with_name(&self, name: &str) -> Vec<u8> {
        self.with(self.members.name, name)
    }

    /// The object with another URI, if it has a URI.
    pub(super) fn with_uri(&self, uri: &str) -> Vec<u8> {
        self.with(self.members.uri, uri)
    }

    fn with(&self, token: Option<&RawValue>, text: &str) -> Vec<u8> {
        let Some(token) = token.map(RawValue::get) else { return self.json.to_vec() };
        let start = token.as_ptr() as usize - self.json.as_ptr() as usize;
        let text = serde_json::Value::from(text).to_string();
        [&self.json[..start], text.as_bytes(), &self.json[start + token.len()..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_changes() {
        let json = br#"{ "type":"ref/prompt","x":{"name":1.0}, "name" : "\u0061" ,"y":1e2}"#;
        let named = Named::read(json).unwrap();
        assert_eq!(named.name().as_deref(), Some("a"));
        assert_eq!(
            String::from_utf8(named.with_name("b\"")).unwrap(),
            r#"{ "type":"ref/prompt","x":{"name":1.0}, "name" : "b\"" ,"y":1e2}"#
        );
        assert_eq!(named.with_uri("u"), json);
        assert!(Named::read(b"[]").is_none_or(|named| named.name().is_none()));
    }
}
