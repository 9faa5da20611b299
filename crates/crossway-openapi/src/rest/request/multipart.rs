//! Bodies of parts (RFC 7578).

use bytes::Bytes;

/// What a part of bytes is.
pub(super) const BYTES: &str = "application/octet-stream";

/// A body of parts. What is between them is random, and in none of them but by a chance of 2^-128.
pub(super) struct Multipart {
    boundary: String,
    text: Vec<u8>,
}

impl Multipart {
    pub(super) fn new() -> Self {
        Self { boundary: format!("crossway-{:032x}", crate::calling::random()), text: Vec::new() }
    }

    /// Adds a part. Its name can't end the header that it stands in (WHATWG HTML, multipart form data: a quote and line breaks are
    /// escaped).
    pub(super) fn add(&mut self, name: &str, mime: Option<&str>, is_file: bool, value: &[u8]) {
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let mut head = format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"", self.boundary);
        if is_file {
            head.push_str(&format!("; filename=\"{name}\""));
        }
        head.push_str("\r\n");
        if let Some(mime) = mime {
            head.push_str(&format!("Content-Type: {mime}\r\n"));
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
