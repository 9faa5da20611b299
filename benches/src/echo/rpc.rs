//! The echo server's answers, independent of the transport.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use smallvec::smallvec;

use crate::body::Slices;
use crate::limits::{MAX_PROGRESS_STEPS, SPLICE_FROM};
use crate::revision::Revision;
use crate::scan::{self, Malformed, member, string_content};

/// The key of the revision in the `_meta` of a modern request (2026-07-28, basic).
pub(crate) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The part of a message that the server reads; all spans are raw text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// The id, of any form.
    pub(crate) id: Option<&'a [u8]>,
    /// The method, without quotes.
    pub(crate) method: Option<&'a [u8]>,
    /// The parameters.
    pub(crate) params: Option<&'a [u8]>,
    /// The client's credential, where the face knows it.
    pub(crate) credential: Option<&'a str>,
}

/// How a request ended; HTTP derives the status from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A result, or an error of the tool.
    Answered,
    /// The method does not exist.
    UnknownMethod,
    /// The revision is not supported.
    UnknownRevision,
}

/// The server's behaviour, set once when it starts.
#[derive(Debug)]
pub(crate) struct Manner {
    /// Whether it speaks revisions before 2026-07-28.
    pub(crate) is_legacy: bool,
    /// Whether it speaks 2026-07-28.
    pub(crate) is_modern: bool,
    /// Whether there is the tool `whoami`.
    has_whoami: bool,
    /// The members of the answer to `tools/list`.
    tools: String,
}

impl Manner {
    /// A server with this number of tools besides its own two, or three.
    pub(crate) fn new(is_legacy: bool, is_modern: bool, has_whoami: bool, more_tools: usize) -> Self {
        let mut tools = TOOLS.trim_end_matches(']').to_owned();
        if has_whoami {
            tools.push_str(WHOAMI);
        }
        for number in 0..more_tools {
            tools.push_str(&format!(
                r#",{{"name":"tool_{number}","description":"One of many, which is there to be listed.","inputSchema":{{"type":"object","properties":{{"text":{{"type":"string","description":"What to do nothing with."}}}},"required":["text"]}}}}"#
            ));
        }
        tools.push(']');
        Self { is_legacy, is_modern, has_whoami, tools }
    }
}

/// The number of requests so far, which the unlisted tool `requests` returns.
static ASKED: AtomicU64 = AtomicU64::new(0);

static MANNER: OnceLock<Manner> = OnceLock::new();

/// Sets the server's behaviour. By default it speaks every revision and has two tools.
pub(crate) fn behave(manner: Manner) {
    // Set once, before anything is served.
    let _ = MANNER.set(manner);
}

/// The server's answer to one message.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Progress notifications that come first.
    pub(crate) interim: Vec<Bytes>,
    /// The response.
    pub(crate) last: Slices,
    /// How the request ended.
    pub(crate) verdict: Verdict,
}

impl<'a> Message<'a> {
    /// Finds id, method and parameters.
    ///
    /// # Errors
    ///
    /// When the text is not one JSON object.
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, Malformed> {
        let mut message = Self { id: None, method: None, params: None, credential: None };
        for member in scan::members(text) {
            match member? {
                (b"id", value) => message.id = Some(value),
                (b"method", value) => message.method = string_content(value),
                (b"params", value) => message.params = Some(value),
                _ => {}
            }
        }
        Ok(message)
    }

    /// The parameter `key`, raw.
    pub(crate) fn param(&self, key: &str) -> Option<&'a [u8]> {
        self.params.and_then(|params| member(params, key))
    }

    /// The revision that the request itself names, as modern requests do.
    pub(crate) fn meta_version(&self) -> Option<&'a [u8]> {
        self.param("_meta").and_then(|meta| member(meta, META_VERSION)).and_then(string_content)
    }
}

/// Answers a message that was parsed from `text`; `None` if it needs no answer.
pub(crate) fn answer(text: &Bytes, message: Message<'_>) -> Option<Answer> {
    let (Some(id), Some(method)) = (message.id, message.method) else { return None };
    let asked = ASKED.fetch_add(1, Ordering::Relaxed) + 1;
    let named = message.meta_version();
    if let Some(version) = named.filter(|version| *version != Revision::V2026_07_28.as_str().as_bytes()) {
        return Some(unknown_revision(id, version));
    }
    let modern = named.is_some();
    let manner = MANNER.get();
    if manner.is_some_and(|manner| if modern { !manner.is_modern } else { !manner.is_legacy }) {
        return Some(Answer {
            verdict: Verdict::UnknownMethod,
            ..error(id, -32601, "the echo server was told not to speak this revision", "")
        });
    }
    Some(match method {
        b"tools/call" if message.param("name") == Some(br#""requests""#) => {
            let count = Bytes::from(format!("\"{asked}\""));
            echo(&count, id, &count, modern)
        }
        b"tools/call" => call(text, id, message, modern),
        b"tools/list" => result(id, manner.map_or(TOOLS, |manner| &manner.tools), modern, modern),
        b"server/discover" if modern => result(id, DISCOVERY, true, true),
        b"initialize" if !modern => initialize(id, message),
        b"ping" if !modern => result(id, "", false, false),
        _ => Answer {
            verdict: Verdict::UnknownMethod,
            ..error(id, -32601, "the echo server has no such method", "")
        },
    })
}

/// An error response; `id` is raw.
pub(crate) fn error(id: &[u8], code: i32, message: &str, data: &str) -> Answer {
    let data = if data.is_empty() { String::new() } else { format!(r#","data":{data}"#) };
    let mut text = Vec::with_capacity(128);
    open(&mut text, id, "error");
    text.extend_from_slice(format!(r#"{{"code":{code},"message":"{message}"{data}}}}}"#).as_bytes());
    Answer { interim: Vec::new(), last: smallvec![text.into()], verdict: Verdict::Answered }
}

/// The refusal of a revision (2026-07-28, basic/versioning): it lists the supported ones.
pub(crate) fn unknown_revision(id: &[u8], requested: &[u8]) -> Answer {
    let supported: Vec<_> = Revision::ALL.iter().map(|revision| format!("\"{revision}\"")).collect();
    let requested = String::from_utf8_lossy(requested);
    let data = format!(r#"{{"supported":[{}],"requested":"{requested}"}}"#, supported.join(","));
    Answer {
        verdict: Verdict::UnknownRevision,
        ..error(id, -32022, "the protocol version is not supported", &data)
    }
}

const TOOLS: &str = r#""tools":[{"name":"echo","description":"Gives its text back, byte for byte.","inputSchema":{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}},{"name":"progress","description":"Notifies of progress `steps` times, then answers.","inputSchema":{"type":"object","properties":{"steps":{"type":"integer","minimum":0}},"required":["steps"]}}]"#;

/// The tool that a flag enables.
const WHOAMI: &str = r#",{"name":"whoami","description":"Gives its text back, and behind a blank what the client has proven itself with.","inputSchema":{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}}"#;

const DISCOVERY: &str = r#""supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"capabilities":{"tools":{}}"#;

const SERVER_INFO: &str =
    concat!(r#"{"name":"crossway-echo","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// The beginning of a response, up to the value of `member`.
fn open(text: &mut Vec<u8>, id: &[u8], member: &str) {
    text.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    text.extend_from_slice(id);
    text.extend_from_slice(b",\"");
    text.extend_from_slice(member.as_bytes());
    text.extend_from_slice(b"\":");
}

/// A result with these members; modern ones have a type and, if `cacheable`, a lifetime.
fn result(id: &[u8], members: &str, modern: bool, cacheable: bool) -> Answer {
    let mut text = Vec::with_capacity(64 + id.len() + members.len() + 128);
    open(&mut text, id, "result");
    text.push(b'{');
    text.extend_from_slice(members.as_bytes());
    if modern {
        text.extend_from_slice(br#","resultType":"complete""#);
    }
    if cacheable {
        text.extend_from_slice(
            br#","ttlMs":60000,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":"#,
        );
        text.extend_from_slice(SERVER_INFO.as_bytes());
        text.push(b'}');
    }
    text.extend_from_slice(b"}}");
    Answer { interim: Vec::new(), last: smallvec![text.into()], verdict: Verdict::Answered }
}

fn initialize(id: &[u8], message: Message<'_>) -> Answer {
    let asked = message.param("protocolVersion").and_then(string_content).unwrap_or_default();
    let revision = Revision::ALL
        .into_iter()
        .find(|revision| revision.as_str().as_bytes() == asked && !revision.is_modern())
        .unwrap_or(Revision::V2025_11_25);
    let members = format!(
        r#""protocolVersion":"{revision}","capabilities":{{"tools":{{}}}},"serverInfo":{SERVER_INFO}"#
    );
    result(id, &members, false, false)
}

fn call(text: &Bytes, id: &[u8], message: Message<'_>, modern: bool) -> Answer {
    let name = message.param("name").and_then(string_content);
    let arguments = message.param("arguments").unwrap_or(b"{}");
    match name {
        Some(b"echo") => {
            let raw = member(arguments, "message").or_else(|| member(arguments, "text"));
            match raw.filter(|raw| string_content(raw).is_some()) {
                Some(raw) => echo(text, id, raw, modern),
                None => error(id, -32602, "echo needs the argument `message`, a string", ""),
            }
        }
        Some(b"whoami") if MANNER.get().is_some_and(|manner| manner.has_whoami) => {
            match member(arguments, "message").and_then(string_content) {
                Some(said) => {
                    let credential = message.credential.unwrap_or("nothing");
                    let said = Bytes::from([b"\"", said, b" ", credential.as_bytes(), b"\""].concat());
                    echo(&said, id, &said, modern)
                }
                None => error(id, -32602, "whoami needs the argument `message`, a string", ""),
            }
        }
        Some(b"progress") => {
            let steps =
                member(arguments, "steps").and_then(|raw| std::str::from_utf8(raw).ok()?.parse().ok());
            match steps.filter(|steps| *steps <= MAX_PROGRESS_STEPS) {
                Some(steps) => progress(text, id, message, steps, modern),
                None => {
                    error(id, -32602, "progress needs the argument `steps`, a whole number up to 100000", "")
                }
            }
        }
        _ => error(id, -32602, "the echo server has no such tool", ""),
    }
}

/// The response with `raw`, a quoted string within `text`.
fn echo(text: &Bytes, id: &[u8], raw: &[u8], modern: bool) -> Answer {
    let mut head = Vec::with_capacity(96 + id.len() + if raw.len() < SPLICE_FROM { raw.len() } else { 0 });
    open(&mut head, id, "result");
    head.extend_from_slice(br#"{"content":[{"type":"text","text":"#);
    let tail: &[u8] = if modern { br#"}],"resultType":"complete"}}"# } else { b"}]}}" };
    let last = if raw.len() < SPLICE_FROM {
        head.extend_from_slice(raw);
        head.extend_from_slice(tail);
        smallvec![head.into()]
    } else {
        let tail = if modern {
            Bytes::from_static(br#"}],"resultType":"complete"}}"#)
        } else {
            Bytes::from_static(b"}]}}")
        };
        smallvec![head.into(), text.slice_ref(raw), tail]
    };
    Answer { interim: Vec::new(), last, verdict: Verdict::Answered }
}

fn progress(text: &Bytes, id: &[u8], message: Message<'_>, steps: u64, modern: bool) -> Answer {
    let token = message.param("_meta").and_then(|meta| member(meta, "progressToken"));
    let interim = token.map_or_else(Vec::new, |token| {
        let notification = |step| {
            let mut text = Vec::with_capacity(128 + token.len());
            text.extend_from_slice(
                br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"#,
            );
            text.extend_from_slice(token);
            text.extend_from_slice(format!(r#","progress":{step},"total":{steps}}}}}"#).as_bytes());
            Bytes::from(text)
        };
        (1..=steps).map(notification).collect()
    });
    Answer { interim, ..echo(text, id, b"\"done\"", modern) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Option<(Vec<String>, String, Verdict)> {
        let text = Bytes::from(text.to_owned());
        let answer = answer(&text, Message::read(&text).unwrap())?;
        let string = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        Some((
            answer.interim.iter().map(string).collect(),
            answer.last.iter().map(string).collect(),
            answer.verdict,
        ))
    }

    #[test]
    fn echo_gives_escapes_and_ids_back_byte_for_byte() {
        let asked = r#"{"params":{"arguments":{"message":"a\u0041\n\"é"},"name":"echo"},"method":"tools/call","id":"x\u0031","jsonrpc":"2.0"}"#;
        let (_, last, _) = ask(asked).unwrap();
        assert_eq!(
            last,
            r#"{"jsonrpc":"2.0","id":"x\u0031","result":{"content":[{"type":"text","text":"a\u0041\n\"é"}]}}"#
        );
    }

    #[test]
    fn a_long_text_is_handed_back_without_a_copy() {
        let long = "z".repeat(SPLICE_FROM);
        let text = Bytes::from(format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"message":"{long}"}}}}}}"#
        ));
        let answer = answer(&text, Message::read(&text).unwrap()).unwrap();
        assert_eq!(answer.last.len(), 3);
        assert!(text.as_ptr_range().contains(&answer.last[1].as_ptr()));
        let whole: Vec<u8> = answer.last.concat();
        let value: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(value["result"]["content"][0]["text"], long);
    }

    #[test]
    fn progress_comes_only_where_a_token_asks_for_it() {
        let with = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"progress","arguments":{"steps":3},"_meta":{"progressToken":"t"}}}"#;
        assert_eq!(ask(with).unwrap().0.len(), 3);
        let without = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"progress","arguments":{"steps":3}}}"#;
        assert_eq!(ask(without).unwrap().0.len(), 0);
    }

    #[test]
    fn every_answer_is_valid_json() {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        for asked in [
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#
                .to_owned(),
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"1999-01-01"}}"#
                .to_owned(),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.to_owned(),
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nope"}}"#.to_owned(),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#.to_owned(),
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{{meta}}}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{{meta}}}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"nope","params":{{{meta}}}}}"#),
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"a","params":{{{}}}}}"#,
                meta.replace("2026", "2099")
            ),
        ] {
            let (_, last, _) = ask(&asked).unwrap();
            let value: serde_json::Value =
                serde_json::from_str(&last).unwrap_or_else(|e| panic!("{e}: {last}"));
            assert_eq!(value["id"], 1);
        }
    }

    #[test]
    fn an_unknown_legacy_revision_is_answered_with_the_latest_legacy_one() {
        let asked =
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2026-07-28"}}"#;
        assert!(ask(asked).unwrap().1.contains(r#""protocolVersion":"2025-11-25""#));
    }

    #[test]
    fn notifications_and_responses_get_no_answer() {
        assert!(ask(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).is_none());
        assert!(ask(r#"{"jsonrpc":"2.0","id":4,"result":{}}"#).is_none());
    }

    #[test]
    fn an_unknown_method_and_revision_are_told_apart() {
        assert_eq!(ask(r#"{"jsonrpc":"2.0","id":1,"method":"nope"}"#).unwrap().2, Verdict::UnknownMethod);
        let asked = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01"}}}"#;
        let (_, last, verdict) = ask(asked).unwrap();
        assert_eq!(verdict, Verdict::UnknownRevision);
        assert!(last.contains("-32022") && last.contains("2099-01-01"));
    }
}
