//! Templates of a session's requests, filled in for each call.

use bytes::Bytes;
use serde_json::json;
use smallvec::smallvec;

use super::work::{Target, Work};
use crate::body::Slices;
use crate::limits::SPLICE_FROM;
use crate::revision::Revision;

/// The client's name.
const CLIENT_NAME: &str = "crossway-load";

/// The length of a text's unique part: run, session and call, in hexadecimal.
pub(crate) const UNIQUE_LENGTH: usize = 8 + 1 + 6 + 1 + 8 + 1;

/// A call of the tool without its id and its text.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// The text before the id; `None` where calls have none.
    opening: Option<&'static str>,
    middle: String,
    filler: Bytes,
    tail: Bytes,
    run: u32,
}

/// One call, ready to be sent and to be checked.
#[derive(Debug)]
pub(crate) struct Call {
    /// The request.
    pub(crate) request: Slices,
    /// The unique part of its text.
    pub(crate) unique: String,
}

impl Template {
    /// The template of a run's calls; `run` distinguishes runs that use one server at the same time.
    pub(crate) fn new(work: &Work, run: u32) -> Self {
        let string = |text: &str| serde_json::Value::from(text).to_string();
        let filler = filler(work.payload);
        if let Target::OpenApi(_) = work.target {
            let middle = format!("{{{}:\"", string(&work.argument));
            return Self { opening: None, middle, filler, tail: Bytes::from_static(b"\"}"), run };
        }
        let middle = format!(
            r#","method":"tools/call","params":{{"name":{},"arguments":{{{}:""#,
            string(&work.tool),
            string(&work.argument)
        );
        let meta = meta(work.revision).map_or_else(String::new, |meta| format!(",\"_meta\":{meta}"));
        let opening = Some(r#"{"jsonrpc":"2.0","id":"#);
        Self { opening, middle, filler, tail: format!("\"}}{meta}}}}}").into(), run }
    }

    /// The part of a text that is the same in all calls.
    pub(crate) fn filler(&self) -> &Bytes {
        &self.filler
    }

    /// The call `id` of a session. A long text is a slice of its own, and is not copied.
    pub(crate) fn call(&self, session: usize, id: u64) -> Call {
        let unique = format!("{:08x}.{session:06x}.{id:08x}.", self.run);
        let mut head = match self.opening {
            Some(opening) => format!("{opening}{id}{}{unique}", self.middle).into_bytes(),
            None => format!("{}{unique}", self.middle).into_bytes(),
        };
        let request = if self.filler.len() < SPLICE_FROM {
            head.extend_from_slice(&self.filler);
            head.extend_from_slice(&self.tail);
            smallvec![head.into()]
        } else {
            smallvec![head.into(), self.filler.clone(), self.tail.clone()]
        };
        Call { request, unique }
    }
}

/// Text that needs no escapes, for the part that all calls share.
fn filler(payload: usize) -> Bytes {
    let alphabet = b"The quick brown fox jumps over the lazy dog 0123456789; ";
    alphabet.iter().copied().cycle().take(payload.saturating_sub(UNIQUE_LENGTH)).collect()
}

/// The first request of a session: `initialize`, or `server/discover` where there is no handshake.
pub(crate) fn first_request(revision: Revision, id: u64) -> Bytes {
    let request = match meta(revision) {
        Some(meta) => json!({
            "jsonrpc": "2.0", "id": id, "method": "server/discover", "params": { "_meta": meta }
        }),
        None => json!({
            "jsonrpc": "2.0", "id": id, "method": "initialize", "params": {
                "protocolVersion": revision.as_str(),
                "capabilities": {},
                "clientInfo": { "name": CLIENT_NAME, "version": env!("CARGO_PKG_VERSION") },
            }
        }),
    };
    request.to_string().into()
}

/// The method of that request.
pub(crate) fn first_method(revision: Revision) -> &'static str {
    if revision.is_modern() { "server/discover" } else { "initialize" }
}

/// The notification that ends the handshake.
pub(crate) fn initialized() -> Bytes {
    Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
}

/// The `_meta` of each request of a modern client (2026-07-28, basic).
pub(crate) fn meta(revision: Revision) -> Option<serde_json::Value> {
    revision.is_modern().then(|| {
        json!({
            "io.modelcontextprotocol/protocolVersion": revision.as_str(),
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": CLIENT_NAME, "version": env!("CARGO_PKG_VERSION") },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(payload: usize, revision: Revision) -> (serde_json::Value, String) {
        let work = Work {
            payload,
            revision,
            argument: "a \"b\"".to_owned(),
            ..Work::new(Target::Stdio(Vec::new()))
        };
        let call = Template::new(&work, 0xabc).call(3, 9);
        (serde_json::from_slice(&call.request.concat()).unwrap(), call.unique)
    }

    #[test]
    fn a_call_is_valid_json_and_its_text_is_as_long_as_asked() {
        for payload in [32, 64, SPLICE_FROM, 100_000] {
            let (value, unique) = call(payload, Revision::V2025_11_25);
            let text = value["params"]["arguments"]["a \"b\""].as_str().unwrap();
            assert_eq!(text.len(), payload);
            assert!(text.starts_with(&unique));
            assert_eq!(unique.len(), UNIQUE_LENGTH);
            assert_eq!(value["id"], 9);
            assert!(value["params"].get("_meta").is_none());
        }
    }

    #[test]
    fn modern_requests_say_what_they_are() {
        let (value, _) = call(64, Revision::V2026_07_28);
        let meta = &value["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
        let first: serde_json::Value =
            serde_json::from_slice(&first_request(Revision::V2026_07_28, 1)).unwrap();
        assert_eq!(first["method"], first_method(Revision::V2026_07_28));
    }
}
