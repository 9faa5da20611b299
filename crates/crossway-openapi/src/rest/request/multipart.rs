//! Multipart bodies (RFC 7578).

use bytes::Bytes;

/// The media type of a part of raw bytes.
pub(super) const BYTES: &str = "application/octet-stream";

/// The kind of a part.
#[derive(Clone, Copy, Default)]
pub(super) struct Part<'a> {
    pub(super) mime: Option<&'a str>,
    pub(super) is_file: bool,
    /// "Using `contentEncoding` for a multipart field is equivalent to specifying an Encoding Object with a `headers` field containing
    /// `Content-Transfer-Encoding`" (OpenAPI 3.1.1, Encoding multipart Media Types).
    pub(super) is_base64: bool,
}

/// A multipart body. The boundary is random, and occurs in a part only with probability 2^-128.
pub(super) struct Multipart {
    boundary: String,
    text: Vec<u8>,
}

impl Multipart {
    pub(super) fn new() -> Self {
        Self { boundary: format!("crossway-{:032x}", crate::calling::random()), text: Vec::new() }
    }

    /// Adds a part. Its name can't end its header (WHATWG HTML, multipart form data: a quote and line breaks are
    /// escaped).
    pub(super) fn add(&mut self, name: &str, kind: Part<'_>, value: &[u8]) {
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let mut head = format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"", self.boundary);
        if kind.is_file {
            head.push_str(&format!("; filename=\"{name}\""));
        }
        head.push_str("\r\n");
        if let Some(mime) = kind.mime {
            head.push_str(&format!("Content-Type: {mime}\r\n"));
        }
        if kind.is_base64 {
            head.push_str("Content-Transfer-Encoding: base64\r\n");
        }
        head.push_str("\r\n");
        self.text.extend_from_slice(head.as_bytes());
        self.text.extend_from_slice(value);
        self.text.extend_from_slice(b"\r\n");
    }

    pub(super) fn finished(mut self) -> Self {
        self.text.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        self
    }

    pub(super) fn mime(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.text.into()
    }
}
