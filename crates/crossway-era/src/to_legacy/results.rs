//! Results of legacy servers, adapted to modern clients.

use std::borrow::Cow;

use bytes::Bytes;
use crossway_proto::{ErrorCode, Message, Part};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::keys;
use crate::members::{Members, elements};

/// Methods whose results have a lifetime and a cache scope (2026-07-28, server/utilities/caching).
const CACHEABLE: [&str; 5] =
    ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"];

/// Adds the members that a modern result must have. A translated result is private and expires at once, since the server has not said
/// otherwise.
pub(crate) fn complete(result: &mut Message, method: &str, (info, meta): &(Bytes, Bytes)) {
    let kind: (&str, &[u8]) = ("resultType", br#""complete""#);
    let all: [(&str, &[u8]); 4] =
        [("_meta", &meta[..]), kind, ("ttlMs", b"0"), ("cacheScope", br#""private""#)];
    let put = if CACHEABLE.contains(&method) { &all[..] } else { &all[..2] };
    if result.meta().is_none() {
        let _ = result.edit(Part::Result, &[], put);
        return;
    }
    let put = &put[1..];
    // A result that is not an object is left as it is: it can't have members.
    if result.edit(Part::Result, &[], put).is_ok() {
        let _ = result.edit(Part::Meta, &[], &[(keys::SERVER_INFO, &info[..])]);
    }
}

/// Adapts a list of tools to modern clients: removes `execution`, which says whether a tool can be called as a task, and, where the server
/// has such tasks, the tools that can only be called that way.
///
/// "If `taskSupport` is `\"required\"`, clients **MUST** invoke the tool as a task. Servers **MUST** return a `-32601` (Method not found)
/// error if a client does not attempt to do so" (2025-11-25, basic/utilities/tasks, Tool-Level Negotiation).
pub(super) fn without_tasks(result: &mut Message, has_tasks: bool) {
    let tools = result.member(Part::Result, "tools");
    let Some(tools) = tools.filter(|tools| memchr::memmem::find(tools, b"\"execution\"").is_some()) else {
        return;
    };
    let Some(tools) = std::str::from_utf8(tools).ok().and_then(elements) else { return };
    let (mut kept, mut is_changed) = (String::from("["), false);
    for tool in tools {
        let members = Members::read(tool).filter(|members| members.value("execution").is_some());
        is_changed |= members.is_some();
        let tool = match members {
            Some(members) if has_tasks && is_a_task(&members) => continue,
            Some(members) => Cow::from(members.with(|name, _| (name == "execution").then(String::new))),
            None => Cow::from(tool),
        };
        if kept.len() > 1 {
            kept.push(',');
        }
        kept.push_str(&tool);
    }
    if is_changed {
        kept.push(']');
        // Code that merges lists reads this list again.
        let edited = result.edit(Part::Result, &[], &[("tools", kept.as_bytes())]).ok();
        if let Some(read) = edited.and_then(|()| result.reread().ok()) {
            *result = read;
        }
    }
}

fn is_a_task(tool: &Members<'_>) -> bool {
    let execution = tool.value("execution").and_then(Members::read);
    let support = execution.and_then(|execution| execution.value("taskSupport"));
    support.and_then(|json| serde_json::from_str::<String>(json).ok()).as_deref() == Some("required")
}

/// An error with a code that modern revisions allow.
///
/// -32002 and -32042 are retired, and codes from -32020 to -32099 are the specification's own (2026-07-28, basic/index,
/// Error Codes). Some legacy servers say of an unknown tool that its method is not found. For a modern client that is a status of 404, by which
/// it takes the endpoint for one that lacks the method (2026-07-28, basic/transports/streamable-http, Server Error Responses).
pub(super) fn error(response: Message, request: &Message) -> Message {
    #[derive(Deserialize)]
    struct Error<'a> {
        code: i64,
        #[serde(borrow)]
        message: &'a RawValue,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
    }
    let (Some(id), Some(text)) = (response.id(), response.error()) else { return response };
    let Ok(error) = serde_json::from_slice::<Error<'_>>(text) else { return response };
    let is_of_unknown_item = match ErrorCode(error.code) {
        ErrorCode::METHOD_NOT_FOUND => request.is_method("tools/call") || request.is_method("prompts/get"),
        // "Resource not found", whose data names the resource.
        code => code == ErrorCode(-32002),
    };
    let code = match error.code {
        _ if is_of_unknown_item => {
            let data = error.data.map(|data| format!(r#","data":{}"#, data.get())).unwrap_or_default();
            let code = ErrorCode::INVALID_PARAMS.0;
            let text = format!(r#"{{"code":{code},"message":{}{data}}}"#, error.message.get());
            return Message::error_with(&id, text.as_bytes()).unwrap_or(response);
        }
        // An error without URLs, or in a call in which nobody can be asked.
        super::url_elicitation::REQUIRED => ErrorCode::INTERNAL_ERROR,
        // A legacy server can't mean the modern codes.
        -32099..=-32020 => ErrorCode::INTERNAL_ERROR,
        _ => return response,
    };
    let data = error.data.map_or("null", RawValue::get);
    let data = format!(r#"{{"code":{},"data":{data}}}"#, error.code);
    let text = format!(r#"{{"code":{},"message":{},"data":{data}}}"#, code.0, error.message.get());
    Message::error_with(&id, text.as_bytes()).unwrap_or(response)
}

/// A level of log messages, ordered from the lowest (RFC 5424, as MCP has them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

impl Level {
    /// Parses a level from its JSON text.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let name: String = serde_json::from_slice(json).ok()?;
        let place = LEVELS.iter().position(|level| *level == name)?;
        u8::try_from(place).ok().map(Self)
    }

    /// The level's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        LEVELS[usize::from(self.0)]
    }

    /// Whether a log message is of this level or above.
    pub(super) fn admits(self, log: &Message) -> bool {
        log.member(Part::Params, "level").and_then(Self::parse).is_some_and(|level| level >= self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(tools: &str, has_tasks: bool) -> String {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":{tools},"nextCursor":"n"}}}}"#);
        let mut list = Message::parse(text.into(), &crossway_proto::Limits::default()).unwrap();
        without_tasks(&mut list, has_tasks);
        String::from_utf8(list.member(Part::Result, "tools").unwrap().to_vec()).unwrap()
    }

    #[test]
    fn tools_that_can_be_called_as_tasks_alone_are_not_in_the_list() {
        let tools = r#"[{"name":"a","n":1.0},{"name":"b","execution":{"taskSupport":"required"}},{"execution":{"taskSupport":"optional"},"name":"c","n":1.50},{"name":"d","inputSchema":{"properties":{"execution":{}}}}]"#;
        let [a, b, c, d] = [
            r#"{"name":"a","n":1.0}"#,
            r#"{"name":"b"}"#,
            r#"{"name":"c","n":1.50}"#,
            r#"{"name":"d","inputSchema":{"properties":{"execution":{}}}}"#,
        ];
        assert_eq!(listed(tools, true), format!("[{a},{c},{d}]"));
        // "clients **MUST NOT** attempt to use task augmentation on that server's tools, regardless of the `execution.taskSupport` value"
        assert_eq!(listed(tools, false), format!("[{a},{b},{c},{d}]"));
        for same in ["[]", r#"[{"name":"a" }, 1]"#, r#"{"execution":1}"#, r#"[ {"x":{"execution":1}} ]"#] {
            assert_eq!(listed(same, true), same);
        }
    }
}
