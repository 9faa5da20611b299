//! Compiles credential rules.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Credential, CredentialMissing, Credentials, MissingReason, Place, SecretSource};
use crate::config::{CredentialRule, FileBy, Holder, PolicyConfig, Source, TokenSource};
use crate::file_name;
use crate::finding::{Findings, Problem};
use crate::template::{BadTemplate, Sink, Template, Text, Unfilled};
use crate::tenants::Tenants;
use crate::upstreams::Upstreams;
use crate::{Principal, Severity, TenantName, limits};

/// The compiled credential rules, by upstream.
#[derive(Default)]
pub(crate) struct CredentialRules {
    by_upstream: HashMap<u32, Vec<Rule>>,
}

struct Rule {
    index: u32,
    upstream: Arc<str>,
    holder: Holder,
    tenant: Option<TenantName>,
    place: Place,
    text: Template,
    basic: Option<Template>,
    from: Option<From>,
    required: bool,
    ask: Option<Arc<str>>,
}

enum From {
    Variable(String),
    File(Template),
    Directory(Template, FileBy),
    Command { program: String, args: Vec<Template>, timeout: Duration, keep: Duration },
    Broker { url: Template, field: String, token: Option<TokenSource>, timeout: Duration, keep: Duration },
    Named(String),
}

impl CredentialRules {
    pub(crate) fn compile(
        config: &PolicyConfig,
        upstreams: &Upstreams,
        tenants: &Tenants,
        findings: &mut Findings,
    ) -> Self {
        let mut rules = Self::default();
        if config.credentials.len() > limits::RULES {
            findings.error("credentials", Problem::TooMany { limit: limits::RULES });
            return rules;
        }
        for (index, rule) in (0..).zip(&config.credentials) {
            let path = format!("credentials[{index}]");
            if let Some(tenant) = &rule.tenant {
                tenants.check(tenant, format_args!("{path}.tenant"), findings);
            }
            let upstream = upstreams.require(&rule.upstream, format_args!("{path}.upstream"), findings);
            let compiled = Rule::compile(index, rule, &path, findings);
            let (Some(upstream), Some(compiled)) = (upstream, compiled) else { continue };
            let others = rules.by_upstream.entry(upstream).or_default();
            let same =
                others.iter().find(|other| other.rank() == compiled.rank() && other.clashes(&compiled));
            if let Some(same) = same {
                let other = format!("credentials[{}]", same.index);
                findings.error(&path, Problem::SameCredential { other });
            }
            others.push(compiled);
        }
        rules
    }

    /// Returns the credentials for an upstream. Of several rules about one place, the one with the highest rank wins.
    pub(crate) fn of(
        &self,
        principal: &Principal,
        tenant: &TenantName,
        upstream: u32,
    ) -> Result<Credentials, CredentialMissing> {
        let mut chosen: Vec<&Rule> = Vec::new();
        for rule in self.by_upstream.get(&upstream).into_iter().flatten() {
            if rule.tenant.as_ref().is_some_and(|of| of != tenant) {
                continue;
            }
            match chosen.iter_mut().find(|other| other.place == rule.place) {
                Some(other) if rule.rank() > other.rank() => *other = rule,
                Some(_) => {}
                None => chosen.push(rule),
            }
        }
        let mut credentials = Vec::with_capacity(chosen.len());
        for rule in chosen {
            match rule.fill(principal, tenant) {
                Ok(credential) => credentials.push(credential),
                Err(why) if rule.required => {
                    let (upstream, ask) = (Arc::clone(&rule.upstream), rule.ask.clone());
                    let (holder, why) = (rule.holder, MissingReason::Unfilled(why));
                    return Err(CredentialMissing { upstream, holder, ask, why });
                }
                Err(_) => {}
            }
        }
        Ok(credentials)
    }

    /// Checks that a secret can be sent where the rule of this index puts it.
    pub(crate) fn check_secret(&self, index: usize, secret: &str) -> Result<(), MissingReason> {
        let mut rules = self.by_upstream.values().flatten();
        let Some(rule) = rules.find(|rule| rule.index as usize == index) else { return Ok(()) };
        if secret.is_empty() {
            return Err(MissingReason::NoSecret);
        }
        // In base64 any secret fits, unless it is too long, which is not checked here.
        let is_basic = rule.basic.is_some();
        let fits = is_basic || rule.place.fits(&rule.text.sample(secret));
        if fits { Ok(()) } else { Err(MissingReason::Unfit) }
    }

    /// The narrowest holder of all credentials of an upstream.
    pub(crate) fn narrowest(&self, upstream: u32) -> Option<Holder> {
        self.by_upstream.get(&upstream)?.iter().map(|rule| rule.holder).max()
    }
}

impl Rule {
    fn compile(index: u32, rule: &CredentialRule, path: &str, findings: &mut Findings) -> Option<Self> {
        let before = findings.0.len();
        let place = place(rule, path, findings);
        let basic = rule.basic.as_ref();
        let basic =
            basic.map(|basic| template(&basic.user, Sink::Variable, &format!("{path}.basic.user"), findings));
        let basic = match basic {
            Some(basic) => Some(basic?),
            None => None,
        };
        if basic.as_ref().is_some_and(|basic| basic.plain().any(|text| text.contains(':'))) {
            findings.error(format!("{path}.basic.user"), Problem::ColonInUser);
        }
        let fixed = rule.bearer || basic.is_some();
        if fixed && rule.value.is_some() {
            findings.error(format!("{path}.value"), Problem::ValueNotUsed);
        }
        let into = if rule.env.is_some() || rule.query.is_some() { Sink::Variable } else { Sink::Header };
        let text = rule.value.as_deref().unwrap_or(if rule.bearer { "Bearer {secret}" } else { "{secret}" });
        let text = Template::parse_with_secret(text, into);
        let text = parsed(text, &format!("{path}.value"), findings)?;
        if text.has_secret() != rule.from.is_some() {
            let problem = if text.has_secret() { Problem::NoSource } else { Problem::SecretNotUsed };
            findings.error(path, problem);
        }
        let from = rule.from.as_ref().map(|from| From::compile(from, &format!("{path}.from"), findings));
        let compiled = Self {
            index,
            upstream: rule.upstream.as_str().into(),
            holder: rule.holder,
            tenant: rule.tenant.clone(),
            place: place?,
            text,
            basic,
            from: match from {
                Some(from) => Some(from?),
                None => None,
            },
            required: rule.required,
            ask: rule.ask.as_deref().map(Into::into),
        };
        compiled.check_holder(path, findings);
        let failed = findings.0[before..].iter().any(|finding| finding.severity == Severity::Error);
        (!failed).then_some(compiled)
    }

    /// Reports a tenant's credential that depends on the user, and a shared one that depends on the user or the tenant: whoever got it
    /// first would share it with the others.
    fn check_holder(&self, path: &str, findings: &mut Findings) {
        let path = format!("{path}.for");
        let templates = || {
            let of_source = self.from.iter().flat_map(From::templates);
            of_source.chain([&self.text]).chain(&self.basic)
        };
        let user_file = matches!(self.from, Some(From::Directory(..)));
        let of_user = user_file || templates().any(Template::is_of_user);
        let of_tenant = templates().any(Template::is_of_tenant);
        let named = matches!(self.from, Some(From::Named(_)));
        match self.holder {
            Holder::User if !of_user && !named => findings.warning(path, Problem::SameForAllUsers),
            Holder::Tenant if of_user => findings.error(path, Problem::DependsOnUser),
            Holder::Shared if of_user => findings.error(path, Problem::DependsOnUser),
            Holder::Shared if of_tenant || self.tenant.is_some() => {
                findings.error(path, Problem::DependsOnTenant);
            }
            Holder::Tenant if !of_tenant && !named && self.tenant.is_none() => {
                findings.warning(path, Problem::SameForAllTenants);
            }
            _ => {}
        }
    }

    /// Ranks a rule: higher if it names a tenant, then by how few share the credential.
    fn rank(&self) -> (bool, Holder) {
        (self.tenant.is_some(), self.holder)
    }

    fn clashes(&self, other: &Self) -> bool {
        self.place == other.place && self.tenant == other.tenant
    }

    fn fill(&self, principal: &Principal, tenant: &TenantName) -> Result<Credential, Unfilled> {
        let into = if matches!(self.place, Place::Header(_)) { Sink::Header } else { Sink::Variable };
        let text = match self.basic {
            Some(_) => Text::secret(),
            None => self.text.fill(into, principal, tenant)?,
        };
        let basic = self.basic.as_ref().map(|basic| {
            let user = basic.fill(Sink::Variable, principal, tenant)?.without_secret();
            // The first colon ends the user name (RFC 7617, section 2).
            if user.contains(':') { Err(Unfilled::Unsafe) } else { Ok(user.into()) }
        });
        let source = self.from.as_ref().map(|from| from.fill(self.holder, principal, tenant));
        Ok(Credential {
            place: self.place.clone(),
            text,
            basic: basic.transpose()?,
            source: source.transpose()?,
            holder: self.holder,
            required: self.required,
            ask: self.ask.clone(),
            upstream: Arc::clone(&self.upstream),
            rule: self.index,
        })
    }
}

impl From {
    fn compile(from: &Source, path: &str, findings: &mut Findings) -> Option<Self> {
        let seconds = |given: Option<u32>, default| {
            given.map_or(default, |seconds| Duration::from_secs(seconds.into()))
        };
        Some(match from {
            Source::Env(name) => Self::Variable(name.clone()),
            Source::File(file) => Self::File(template(file, Sink::Path, &format!("{path}.file"), findings)?),
            Source::Directory(directory) => {
                let path = format!("{path}.directory");
                Self::Directory(template(directory.path(), Sink::Path, &path, findings)?, directory.by())
            }
            Source::Command(command) => {
                let args = (0..).zip(&command.args).map(|(at, arg): (usize, _)| {
                    template(arg, Sink::Argument, &format!("{path}.command.args[{at}]"), findings)
                });
                Self::Command {
                    args: args.collect::<Option<_>>()?,
                    program: command.program.clone(),
                    timeout: seconds(command.timeout_seconds, limits::COMMAND_TIMEOUT),
                    keep: seconds(command.keep_seconds, limits::CREDENTIAL_KEEP),
                }
            }
            Source::Broker(broker) => Self::Broker {
                url: broker_url(&broker.url, &format!("{path}.broker.url"), findings)?,
                field: broker.field.clone(),
                token: broker.token.clone(),
                timeout: seconds(broker.timeout_seconds, limits::BROKER_TIMEOUT),
                keep: seconds(broker.keep_seconds, limits::CREDENTIAL_KEEP),
            },
            Source::Named(name) => Self::Named(name.clone()),
        })
    }

    fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Variable(_) | Self::Named(_) => Vec::new(),
            Self::File(template) | Self::Directory(template, _) => vec![template],
            Self::Command { args, .. } => args.iter().collect(),
            Self::Broker { url, .. } => vec![url],
        }
    }

    fn fill(
        &self,
        holder: Holder,
        principal: &Principal,
        tenant: &TenantName,
    ) -> Result<SecretSource, Unfilled> {
        let text = |template: &Template, into| {
            template.fill(into, principal, tenant).map(|text| text.without_secret())
        };
        Ok(match self {
            Self::Variable(name) => SecretSource::Variable(name.clone()),
            Self::File(path) => SecretSource::File(text(path, Sink::Path)?),
            Self::Directory(path, by) => {
                let path = text(path, Sink::Path)?;
                let known =
                    *by == FileBy::Subject || principal.email().is_some_and(|email| !email.is_empty());
                let why = if known { Unfilled::TooLong } else { Unfilled::Missing };
                let name = file_name(principal, *by).ok_or(why)?;
                SecretSource::File(format!("{}/{name}", path.trim_end_matches('/')))
            }
            Self::Command { program, args, timeout, keep } => SecretSource::Command {
                program: program.clone(),
                args: args.iter().map(|arg| text(arg, Sink::Argument)).collect::<Result<_, _>>()?,
                timeout: *timeout,
                keep: *keep,
            },
            Self::Broker { url, field, token, timeout, keep } => SecretSource::Broker {
                url: text(url, Sink::Url)?,
                field: field.clone(),
                token: token.clone(),
                timeout: *timeout,
                keep: *keep,
            },
            Self::Named(name) => SecretSource::Named {
                name: name.clone(),
                user: (holder == Holder::User).then(|| principal.clone()),
                tenant: (holder != Holder::Shared).then(|| tenant.clone()),
            },
        })
    }
}

/// Parses a template that has no secret.
fn template(text: &str, into: Sink, path: &str, findings: &mut Findings) -> Option<Template> {
    parsed(Template::parse(text, into), path, findings)
}

fn parsed(template: Result<Template, BadTemplate>, path: &str, findings: &mut Findings) -> Option<Template> {
    template.map_err(|bad| findings.error(path, Problem::Template(bad))).ok()
}

/// Parses a broker's URL. Values are filled in only behind the host: no caller chooses which host the gateway asks.
fn broker_url(text: &str, path: &str, findings: &mut Findings) -> Option<Template> {
    let template = template(text, Sink::Url, path, findings)?;
    let scheme = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let host = scheme.and_then(|rest| rest.split_once('/')).map(|(host, _)| host);
    if host.is_none_or(|host| host.is_empty() || host.contains(['{', '}', '@'])) {
        findings.error(path, Problem::BrokerUrl);
        return None;
    }
    Some(template)
}

fn place(rule: &CredentialRule, path: &str, findings: &mut Findings) -> Option<Place> {
    let places =
        [rule.header.is_some(), rule.bearer, rule.basic.is_some(), rule.query.is_some(), rule.env.is_some()];
    if places.iter().filter(|place| **place).count() != 1 {
        findings.error(path, Problem::NotOnePlace);
        return None;
    }
    if let Some(name) = &rule.env {
        if !is_safe_variable(name) {
            findings.error(format!("{path}.env"), Problem::UnsafeVariable);
            return None;
        }
        return Some(Place::Variable(name.as_str().into()));
    }
    if let Some(name) = &rule.query {
        if name.is_empty() || name.contains(char::is_control) {
            findings.error(format!("{path}.query"), Problem::UnsafeQuery);
            return None;
        }
        return Some(Place::Query(name.as_str().into()));
    }
    let name = rule.header.as_deref().unwrap_or("authorization").to_ascii_lowercase();
    if !is_safe_header(&name) {
        findings.error(format!("{path}.header"), Problem::UnsafeHeader);
        return None;
    }
    Some(Place::Header(name.into()))
}

/// Whether a credential may go into a header: its name is a token (RFC 9110, section 5.6.2), and the header does not belong to the
/// connection or the protocol.
fn is_safe_header(name: &str) -> bool {
    const TAKEN: &[&str] = &[
        "accept",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "last-event-id",
        "origin",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token) && !TAKEN.contains(&name) && !name.starts_with("mcp-")
}

/// Whether a secret may go into an environment variable: not if the variable affects which code is run.
fn is_safe_variable(name: &str) -> bool {
    const TAKEN: &[&str] = &[
        "BASH_ENV",
        "CLASSPATH",
        "ENV",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "HOME",
        "IFS",
        "JAVA_TOOL_OPTIONS",
        "NODE_OPTIONS",
        "NODE_PATH",
        "PATH",
        "PERL5LIB",
        "PERL5OPT",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "RUBYLIB",
        "RUBYOPT",
        "SHELL",
    ];
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let word = name.bytes().all(letters) && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    let upper = name.to_ascii_uppercase();
    word && !TAKEN.contains(&&*upper) && !["LD_", "DYLD_"].iter().any(|loader| upper.starts_with(loader))
}
