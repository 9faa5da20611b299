//! `crossway explain` and `crossway tools`: why a call is permitted or not, and which tools a user sees.

use std::fmt::Write as _;
use std::io;

use crossway_era::keys;
use crossway_proto::{Kind, Message, Part, RequestId, Revision, excerpt, printable, printable_lines};
use crossway_router::ListState;
use crossway_service::{Call, Context, Origin, Scope, Upstream};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::Gateway;
use super::current_policy::{CurrentPolicy, PolicySnapshot};
use super::question::{Asked, Question, Who, endpoint, unknown};
use crate::RunError;
use crate::args::{CheckFormat, ExplainArgs, ToolsArgs, UserArgs};
use crate::config;
use crate::face_maker::FaceMaker;
use crate::limits::EXCERPT_CHARS;
use crate::metrics::Metrics;
use crate::upstream::connect::by_plan_of_config;

impl From<&UserArgs> for Who {
    fn from(args: &UserArgs) -> Self {
        Self {
            issuer: args.issuer.clone(),
            subject: args.subject.clone().unwrap_or_default(),
            email: args.email.clone(),
            groups: args.groups.clone(),
            roles: args.roles.clone(),
            name: args.name.clone(),
            claims: args.claims.iter().cloned().collect(),
        }
    }
}

/// Says that credentials depend on a subject that was not given: the answer may then differ from that for the user's own requests.
fn without_subject(user: &UserArgs, rules: impl Iterator<Item = usize>) -> Option<String> {
    let email = user.email.as_ref().filter(|_| user.subject.is_none())?;
    let rules: Vec<String> = rules.map(|index| format!("credentials[{index}]")).collect();
    (!rules.is_empty()).then(|| {
        format!(
            "the subject decides in {}: {email} was taken for it, as --subject was not given",
            rules.join(", ")
        )
    })
}

/// Prints why a call is permitted or not. Returns whether it is.
///
/// # Errors
///
/// When the config can't be used, has no such upstream or endpoint, the arguments are no JSON, or nothing can be printed.
pub fn explain(args: &ExplainArgs, out: &mut impl io::Write) -> Result<bool, RunError> {
    let loaded = config::load_without_telemetry(&args.config.file)?;
    let arguments = args.arguments.as_deref().map(serde_json::from_str::<Box<RawValue>>).transpose();
    let arguments =
        arguments.map_err(|error| RunError::Question(format!("--arguments is no JSON: {error}")))?;
    let upstreams = || loaded.upstreams.iter().map(|spec| spec.name.as_str());
    let upstream = match loaded.upstreams.iter().find(|spec| spec.name == args.upstream) {
        Some(spec) => Asked::Served { prefix: &spec.prefix, disabled_tools: Some(&spec.disabled_tools) },
        None if loaded.switched_off.contains(&args.upstream) => Asked::SwitchedOff,
        None => return Err(RunError::Unknown(unknown("upstream", &args.upstream, upstreams()))),
    };
    let question = Question {
        user: Who::from(&args.user),
        endpoint: endpoint(&loaded.policy, args.user.endpoint.as_deref()).map_err(RunError::Unknown)?,
        upstream: args.upstream.clone(),
        tool: args.tool.clone(),
        prompt: args.prompt.clone(),
        resource: args.resource.clone(),
        arguments,
        read_only: args.read_only.then_some(true),
    };
    let answer = question.answer(&loaded.policy, &loaded.identity, upstream);
    let answer = answer.map_err(RunError::Question)?;
    let of_upstream = loaded.by_subject.iter().filter(|(_, upstream)| *upstream == args.upstream);
    let note = without_subject(&args.user, of_upstream.map(|(index, _)| *index));
    let text = match (args.format, note) {
        (CheckFormat::Text, None) => answer.to_string(),
        (CheckFormat::Text, Some(note)) => format!("{answer}  {note}"),
        (CheckFormat::Json, note) => {
            let mut answer = json!(answer);
            if let Some(note) = note {
                answer["note"] = note.into();
            }
            answer.to_string()
        }
    };
    writeln!(out, "{}", printable_lines(text.trim_end())).map_err(RunError::Stdio)?;
    Ok(answer.permitted)
}

/// The tools that a user sees, one a line with its description.
///
/// # Errors
///
/// When the config can't be used, or the user belongs to no tenant.
pub async fn tools(args: ToolsArgs) -> Result<String, RunError> {
    let mut loaded = config::load_without_telemetry(&args.config.file)?;
    let endpoint = endpoint(&loaded.policy, args.user.endpoint.as_deref()).map_err(RunError::Unknown)?;
    let endpoint = endpoint.map(Into::into);
    let principal = Who::from(&args.user).principal(loaded.identity.issuer());
    let note = without_subject(&args.user, loaded.by_subject.iter().map(|(index, _)| *index));
    let upstreams = std::mem::take(&mut loaded.upstreams);
    let maker = FaceMaker::unserved(loaded.listening.hosts.clone(), loaded.listening.origins.clone());
    let metrics = Metrics::new();
    let current = CurrentPolicy::new(PolicySnapshot::of(loaded, &upstreams, None, &metrics));
    let actor = current.get().actors.of(&principal, endpoint.as_ref());
    let actor = actor.map_err(|why| RunError::Question(why.reason().to_string()))?;
    let mut gateway = Gateway::new(current, maker, None, metrics, None, false, by_plan_of_config())?;
    gateway.apply(upstreams);
    let mut context = Context::new(Origin::unique(), Some(Revision::V2026_07_28));
    context.extensions = actor.extensions();
    let link = gateway.merged.connect(Scope::Shared);
    let mut reply = link.call(Call::message(list("crossway tools")?, context));
    let mut text = String::new();
    while let Some(item) = reply.next().await {
        let message = item.map_err(|error| RunError::Question(printable(&error.to_string()).into_owned()))?;
        if message.kind() == Kind::Result {
            text = tool_lines(&message);
        }
    }
    // Nobody else uses this gateway, so the states of the upstreams are the states for this user.
    for (upstream, state) in gateway.merged.states() {
        if let ListState::Failing(why) | ListState::Stale(why) = state {
            let why = excerpt(&why.to_string(), EXCERPT_CHARS);
            let _ = writeln!(text, "without the tools of {upstream}: {why}");
        }
    }
    if let Some(note) = note {
        let _ = writeln!(text, "{}", printable(&note));
    }
    gateway.close().await;
    Ok(text)
}

/// A request for the list of tools, by a client of this name.
pub(crate) fn list(client: &str) -> Result<Message, RunError> {
    let params = json!({ "_meta": {
        keys::PROTOCOL_VERSION: Revision::V2026_07_28.as_str(),
        keys::CLIENT_INFO: { "name": client, "version": env!("CARGO_PKG_VERSION") },
        keys::CLIENT_CAPABILITIES: {},
    } });
    Message::request_of(&RequestId::from(1), "tools/list", Some(params.to_string().as_bytes()))
        .map_err(|error| RunError::Question(error.to_string()))
}

fn tool_lines(list: &Message) -> String {
    #[derive(Deserialize)]
    struct Tool {
        name: String,
        #[serde(default)]
        description: String,
    }
    let tools = list.member(Part::Result, "tools").unwrap_or(b"[]");
    let tools: Vec<Tool> = serde_json::from_slice(tools).unwrap_or_default();
    let shown = tools.iter().map(|tool| {
        let line = tool.description.lines().next().unwrap_or_default();
        (printable(&tool.name), printable(line))
    });
    let shown: Vec<_> = shown.collect();
    let width = shown.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, line) in &shown {
        let _ = writeln!(text, "{name:width$}  {line}");
    }
    if shown.is_empty() {
        text.push_str("no tool\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use crossway_proto::Limits;

    use super::*;

    #[test]
    fn tools_are_told_one_a_line() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","description":"One.\nTwo."},{"name":"long"}]}}"#;
        let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        assert_eq!(tool_lines(&message), "a     One.\nlong  \n");
        let evil = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a\nforged","description":"\u001b[2J\u202ex"}]}}"#;
        let message = Message::parse(Bytes::from(evil), &Limits::default()).unwrap();
        assert_eq!(tool_lines(&message), "a\\nforged  \\u001b[2J\\u202ex\n");
        let none = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#;
        let message = Message::parse(Bytes::from(none), &Limits::default()).unwrap();
        assert_eq!(tool_lines(&message), "no tool\n");
    }
}
