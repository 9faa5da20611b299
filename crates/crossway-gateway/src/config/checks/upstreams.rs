//! Validates the upstreams.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crossway_dial::Proxies;
use crossway_policy::Place;
use crossway_policy::config::CredentialRule;
use http::{HeaderName, HeaderValue};

use super::super::file::{ConfigFile, ScopeFile, TransportFile, UpstreamFile, UpstreamLimitsFile};
use super::super::problem::Problem;
use super::super::read::Context;
use super::super::tree::{Node, Step, Text, Value};
use super::super::{UpstreamSpec, limits};
use super::{Findings, steps};
use crate::args::{HeaderArg, HeaderError, TransportArg};
use crate::expand::expanded;
use crate::plan::{CommandPlan, UpstreamPlan, UrlPlan, http_url};

/// A problem with an upstream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamProblem {
    /// There is no upstream.
    #[error(
        "there is no upstream; add one, such as upstreams: {{ time: {{ command: uvx, args: [mcp-server-time] }} }}"
    )]
    None,
    /// There are too many upstreams.
    #[error("there are {found} upstreams, and there may be {limit}")]
    TooMany {
        /// The number of upstreams.
        found: usize,
        /// The highest possible number.
        limit: usize,
    },
    /// A name is invalid.
    #[error(
        "{0:?} can't be an upstream's name: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or a digit, since it is a part of \
         URLs and of tools' names"
    )]
    BadName(String),
    /// Two upstreams have the same name.
    #[error("{0:?} is an upstream's name already, in `upstreams`; take another")]
    Twice(String),
    /// An endpoint's path is invalid or taken.
    #[error("{}", if *.is_taken {
        format!("{path} is where the upstream of this name is; call the endpoint otherwise")
    } else {
        format!("an endpoint is a path of one name, such as /acme; {path:?} is not")
    })]
    BadEndpoint {
        /// The path.
        path: String,
        /// Whether an upstream is served at this path.
        is_taken: bool,
    },
    /// Two upstreams have the same prefix.
    #[error(
        "the names of its tools begin with {prefix:?}, as those of {other:?} do; give it another `prefix`"
    )]
    SamePrefix {
        /// The prefix.
        prefix: String,
        /// The other upstream.
        other: String,
    },
    /// An upstream has neither a command nor a URL, nor anything else to connect to.
    #[error("has neither `command` nor `url`, and no `openapi` or `webhook`; add one of them")]
    Nothing,
    /// An upstream has two of them.
    #[error("has `{0}` and also `{1}`; take one of them away")]
    Both(&'static str, &'static str),
    /// A key is for upstreams of another kind.
    #[error("is for an upstream with `{of}`; take it away")]
    OutOfPlace {
        /// The key that such upstreams have.
        of: &'static str,
    },
    /// A URL that can't be used.
    #[error("can't be used as a URL: {0}")]
    BadUrl(String),
    /// A URL with a user's name or a password in it.
    #[error("has a user or a password in it; put them into `credentials`, or into a header")]
    UserInUrl,
    /// A header that can't be sent.
    #[error("{0}")]
    Header(HeaderError),
    /// The name of an environment variable that can't be one.
    #[error("can't be the name of an environment variable: it is empty, or has a = or a NUL")]
    BadVariable,
    /// The working directory does not exist.
    #[error("there is no such folder")]
    NoFolder,
    /// All tenants share one process or session.
    #[error(
        "all tenants share this one's processes or sessions; take the scope `tenant` unless it keeps nothing of those who call"
    )]
    Shared,
    /// The scope is wider than a credential.
    #[error("the scope is narrowed to `{to}` by credentials[{by}], which a wider one would share")]
    Narrowed {
        /// The resulting scope.
        to: &'static str,
        /// The index of the credential's rule.
        by: usize,
    },
    /// A credential goes to a place that the upstream's own config fills for everybody.
    #[error(
        "the upstream has {0} of its own, which those would be called with who lack this one; take that away, and let a rule with `for: shared` say it"
    )]
    TakenPlace(Place),
    /// A number is too low.
    #[error("has to be at least {0}")]
    TooFew(usize),
    /// The longest time is shorter than the first.
    #[error("is shorter than `first`")]
    ShorterThanFirst,
    /// A problem with a REST API or webhooks.
    #[error(transparent)]
    Api(#[from] super::apis::ApiProblem),
    /// A problem with an entry of `mcpServers`.
    #[error("{0}")]
    Server(crate::servers::Problem),
    /// A member of an entry has no meaning here.
    #[error("means nothing here, and is passed over")]
    Ignored,
}

/// Checks all upstreams, and returns the usable ones.
pub(super) fn check(
    file: &ConfigFile,
    root: &Node<'_>,
    context: &Context<'_>,
    proxies: &Proxies,
    findings: &mut Findings,
) -> Vec<UpstreamSpec> {
    let found = file.upstreams.len() + file.mcp_servers.len();
    if found == 0 {
        findings.warning(steps!["upstreams"], UpstreamProblem::None);
    }
    if found > limits::UPSTREAMS {
        let problem = UpstreamProblem::TooMany { found, limit: limits::UPSTREAMS };
        findings.error(steps!["upstreams"], problem);
    }
    let mut specs = upstreams(file, root, context, proxies, findings);
    specs.extend(mcp_servers(file, root, context, findings));
    prefixes(file, &specs, findings);
    super::credentials::check(file, &specs, findings);
    specs
}

/// The usable upstreams of `upstreams`.
fn upstreams(
    file: &ConfigFile,
    root: &Node<'_>,
    context: &Context<'_>,
    proxies: &Proxies,
    findings: &mut Findings,
) -> Vec<UpstreamSpec> {
    let mut specs = Vec::new();
    for (name, upstream) in &file.upstreams {
        let at = steps!["upstreams", name];
        if !is_name(name) {
            findings.error(at.clone(), UpstreamProblem::BadName(name.clone()));
        }
        if let Some(prefix) = upstream.prefix.as_ref().filter(|prefix| !is_name(prefix)) {
            findings.error(with(&at, "prefix"), UpstreamProblem::BadName(prefix.clone()));
        }
        literals(&at, root, findings);
        check_limits(&with(&at, "limits"), &upstream.limits, findings);
        let proxies = own_proxies(&at, upstream, proxies, findings);
        if let Some(mut plan) = one(&at, name, upstream, &file.credentials, context, proxies, findings) {
            if let UpstreamPlan::Command(command) = &mut plan {
                let program = root.find(&with(&at, "command")).map(|node| &node.value);
                command.is_hidden = matches!(program, Some(Value::Text(text)) if text.is_expanded);
            }
            specs.push(spec(name, plan, upstream));
        }
    }
    specs
}

/// The usable upstreams of `mcpServers`.
fn mcp_servers(
    file: &ConfigFile,
    root: &Node<'_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Vec<UpstreamSpec> {
    let mut specs = Vec::new();
    for (name, entry) in &file.mcp_servers {
        let at = steps!["mcpServers", name];
        if file.upstreams.contains_key(name) {
            findings.error(at.clone(), UpstreamProblem::Twice(name.clone()));
        } else if !is_name(name) {
            findings.error(at.clone(), UpstreamProblem::BadName(name.clone()));
        }
        for ignored in entry.ignored() {
            findings.warning(with(&at, ignored), UpstreamProblem::Ignored);
        }
        if entry.is_disabled() {
            continue;
        }
        literals(&at, root, findings);
        match entry.upstream(name, &context.lookup) {
            Ok(mut plan) => {
                if let UpstreamPlan::Command(command) = &mut plan {
                    command.cwd = command.cwd.take().map(|cwd| folder(&at, &cwd, context, findings));
                }
                let disabled_tools = entry.disabled_tools().clone();
                specs.push(UpstreamSpec { disabled_tools, ..spec(name, plan, &UpstreamFile::default()) });
            }
            Err(problem) => findings.error(at, UpstreamProblem::Server(problem)),
        }
    }
    specs
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=limits::NAME_BYTES).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

pub(super) fn with<'a>(at: &[Step], step: impl Into<Step> + 'a) -> Vec<Step> {
    let mut path = at.to_vec();
    path.push(step.into());
    path
}

/// Warns about secrets in the file itself: headers and variables with the names of secrets, and a proxy's user.
fn literals(at: &[Step], root: &Node<'_>, findings: &mut Findings) {
    let proxy = with(at, "proxy");
    if let Some(Value::Text(text)) = root.find(&proxy).map(|node| &node.value)
        && text.is_literal()
        && text.text.contains('@')
    {
        findings.warning(proxy, Problem::LiteralSecret);
    }
    for key in ["env", "headers"] {
        let path = with(at, key);
        let Some(Value::Map(entries)) = root.find(&path).map(|node| &node.value) else { continue };
        for entry in entries.iter().filter(|entry| is_secret_name(&entry.key)) {
            let is_literal = match &entry.value.value {
                Value::Text(text) => is_literal(text) && !text.text.starts_with("file:"),
                _ => false,
            };
            if is_literal {
                findings.warning(with(&path, &*entry.key), Problem::LiteralSecret);
            }
        }
    }
}

/// Whether the file itself says it. Of `mcpServers` variables are not in their places yet.
fn is_literal(text: &Text<'_>) -> bool {
    let has_default = || expanded(&text.text, |_| Some(String::new())).is_ok_and(|text| text.has_default);
    text.is_literal() && (!text.text.contains("${") || text.has_default || has_default())
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts = ["authorization", "token", "secret", "password", "passwd", "cookie", "credential"];
    parts.iter().any(|part| name.contains(part)) || name.ends_with("key")
}

fn one(
    at: &[Step],
    name: &str,
    upstream: &UpstreamFile,
    rules: &[CredentialRule],
    context: &Context<'_>,
    proxies: Proxies,
    findings: &mut Findings,
) -> Option<UpstreamPlan> {
    let kinds = [
        ("command", upstream.command.is_some()),
        ("url", upstream.url.is_some()),
        ("openapi", upstream.openapi.is_some()),
        ("webhook", upstream.webhook.is_some()),
    ];
    let mut kinds = kinds.into_iter().filter(|(_, is_there)| *is_there).map(|(kind, _)| kind);
    match (kinds.next(), kinds.next()) {
        (None, _) => {
            findings.error(at.to_vec(), UpstreamProblem::Nothing);
            return None;
        }
        (Some(one), Some(other)) => {
            findings.error(at.to_vec(), UpstreamProblem::Both(one, other));
            return None;
        }
        (Some(kind), None) => {
            if matches!(kind, "command" | "url") {
                super::credentials::check_scope(at, name, upstream.scope, rules, findings);
            }
            out_of_place(at, kind, upstream, findings);
        }
    }
    if let Some(program) = &upstream.command {
        return Some(UpstreamPlan::Command(command(at, program, upstream, context, findings)));
    }
    if let Some(url) = &upstream.url {
        return url_plan(at, url, upstream, proxies, findings).map(UpstreamPlan::Url);
    }
    let api = super::apis::plan(at, name, upstream, rules, context, findings)?;
    Some(UpstreamPlan::Api(api.through(proxies)))
}

/// Reports keys that are for upstreams of another kind.
fn out_of_place(at: &[Step], kind: &str, upstream: &UpstreamFile, findings: &mut Findings) {
    let of_commands = [
        ("args", !upstream.args.is_empty()),
        ("env", !upstream.env.is_empty()),
        ("cwd", upstream.cwd.is_some()),
    ];
    let of_urls = [("transport", upstream.transport.is_some())];
    let of_http = [("headers", !upstream.headers.is_empty()), ("proxy", upstream.proxy.is_some())];
    let of_mcp = [("scope", upstream.scope != ScopeFile::default())];
    let wrong = [
        (kind != "command", "command", &of_commands[..]),
        (kind != "url", "url", &of_urls[..]),
        (kind == "command", "url", &of_http[..]),
        (matches!(kind, "openapi" | "webhook"), "command` or `url", &of_mcp[..]),
    ];
    for (_, of, keys) in wrong.into_iter().filter(|(is_wrong, ..)| *is_wrong) {
        for (key, _) in keys.iter().filter(|(_, is_there)| *is_there) {
            findings.error(with(at, *key), UpstreamProblem::OutOfPlace { of });
        }
    }
}

fn command(
    at: &[Step],
    program: &str,
    upstream: &UpstreamFile,
    context: &Context<'_>,
    findings: &mut Findings,
) -> CommandPlan {
    for name in upstream.env.keys() {
        if name.is_empty() || name.contains(['=', '\0']) {
            findings.error(with(&with(at, "env"), name), UpstreamProblem::BadVariable);
        }
    }
    if program.is_empty() {
        findings.error(with(at, "command"), UpstreamProblem::Nothing);
    }
    let cwd = upstream.cwd.as_ref().map(|cwd| folder(at, cwd, context, findings));
    CommandPlan {
        program: program.into(),
        args: upstream.args.iter().map(OsString::from).collect(),
        env: upstream.env.iter().map(|(name, value)| (name.into(), value.0.expose().into())).collect(),
        cwd,
        is_hidden: false,
        tenant: None,
    }
}

/// Resolves a working directory against the config's folder.
fn folder(at: &[Step], cwd: &Path, context: &Context<'_>, findings: &mut Findings) -> PathBuf {
    let folder = context.folder.join(cwd);
    if !folder.is_dir() {
        findings.error(with(at, "cwd"), UpstreamProblem::NoFolder);
    }
    folder
}

/// Returns an upstream's outgoing proxies: its own, none, or those for all upstreams.
fn own_proxies(at: &[Step], upstream: &UpstreamFile, of_all: &Proxies, findings: &mut Findings) -> Proxies {
    match upstream.proxy.as_ref().map(|proxy| proxy.0.expose()) {
        None => of_all.clone(),
        Some("none") => Proxies::none(),
        Some(url) => Proxies::all(url).unwrap_or_else(|bad| {
            findings.error(with(at, "proxy"), Problem::Proxy(bad));
            Proxies::none()
        }),
    }
}

fn url_plan(
    at: &[Step],
    url: &str,
    upstream: &UpstreamFile,
    proxies: Proxies,
    findings: &mut Findings,
) -> Option<UrlPlan> {
    let headers = headers(at, upstream, findings);
    let mut bad = |problem| findings.error(with(at, "url"), problem);
    let url = match http_url(url) {
        Ok(url) => url,
        Err(reason) => {
            bad(UpstreamProblem::BadUrl(reason));
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        bad(UpstreamProblem::UserInUrl);
    }
    let transport = upstream.transport.map(|transport| match transport {
        TransportFile::StreamableHttp => TransportArg::StreamableHttp,
        TransportFile::HttpSse => TransportArg::HttpSse,
    });
    Some(UrlPlan { url, transport, headers, proxies, keeps_ids: false })
}

/// Parses the headers for each request.
pub(super) fn headers(
    at: &[Step],
    upstream: &UpstreamFile,
    findings: &mut Findings,
) -> Vec<(HeaderName, HeaderValue)> {
    let headers = upstream.headers.iter().filter_map(|(name, value)| match header(name, value.0.expose()) {
        Ok(header) => Some(header),
        Err(error) => {
            findings.error(with(&with(at, "headers"), name), UpstreamProblem::Header(error));
            None
        }
    });
    headers.collect()
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
    // Variables are already expanded, so `${` is plain text here.
    let (name, _) = HeaderArg::new(name, "")?.resolve(|_| None)?;
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| HeaderError::BadValue(name.clone()))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Reports numbers that are zero, with which nothing would work.
pub(super) fn at_least_one<const N: usize>(
    at: &[Step],
    numbers: [(&str, usize); N],
    findings: &mut Findings,
) {
    for (key, _) in numbers.into_iter().filter(|(_, number)| *number == 0) {
        findings.error(with(at, key), UpstreamProblem::TooFew(1));
    }
}

fn check_limits(at: &[Step], file: &UpstreamLimitsFile, findings: &mut Findings) {
    at_least_one(at, [("concurrent", file.concurrent), ("sessions", file.sessions)], findings);
    if file.breaker.most.0 < file.breaker.first.0 {
        findings.error(with(&with(at, "breaker"), "most"), UpstreamProblem::ShorterThanFirst);
    }
}

fn spec(name: &str, plan: UpstreamPlan, file: &UpstreamFile) -> UpstreamSpec {
    UpstreamSpec {
        name: name.to_owned(),
        prefix: file.prefix.clone().unwrap_or_else(|| name.to_owned()),
        plan,
        scope: file.scope,
        is_trusted: file.trusted,
        sanitize: file.sanitize.unwrap_or(!file.trusted),
        instructions: file.instructions,
        limits: file.limits.clone(),
        disabled_tools: BTreeSet::new(),
    }
}

/// Reports upstreams with the same prefix, and warns about names that differ only in case.
fn prefixes(file: &ConfigFile, specs: &[UpstreamSpec], findings: &mut Findings) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut folded: BTreeMap<String, &str> = BTreeMap::new();
    let list = |spec: &UpstreamSpec| {
        if file.upstreams.contains_key(&spec.name) { "upstreams" } else { "mcpServers" }
    };
    for spec in specs {
        if let Some(other) = folded.insert(spec.name.to_ascii_lowercase(), &spec.name)
            && other != spec.name
        {
            let alike = crossway_policy::Problem::MuchAlike { other: other.to_owned() };
            findings.warning(steps![list(spec), &spec.name], Problem::Policy(alike));
        }
        // Equal names were reported already.
        if let Some(other) = owners.insert(&spec.prefix, &spec.name)
            && other != spec.name
        {
            let problem =
                UpstreamProblem::SamePrefix { prefix: spec.prefix.clone(), other: other.to_owned() };
            let mut path = steps![list(spec), &spec.name];
            if file.upstreams.get(&spec.name).is_some_and(|upstream| upstream.prefix.is_some()) {
                path.push("prefix".into());
            }
            findings.error(path, problem);
        }
    }
}
