//! Validates a parsed config and builds what the program needs from it.

mod apis;
mod credentials;
mod named;
mod place;
mod policy;
mod programs;
mod proven;
mod sources;
mod switched_off;
#[cfg(test)]
mod tests;
mod upstreams;

pub use apis::ApiProblem;
pub use named::NamedProblem;
pub use place::PlaceProblem;
pub use sources::SourceProblem;
pub use upstreams::UpstreamProblem;

use crossway_dial::Proxies;
use crossway_policy::TenantName;

use super::file::{ConfigFile, LimitsFile};
use super::problem::{Problem, Severity};
use super::read::Context;
use super::tree::{Node, Step};
use super::{Listening, Loaded};
use crate::otlp::{OtlpError, Settings};

/// The problems that checks find, each with its path.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<(Severity, Vec<Step>, Problem)>);

impl Findings {
    fn error(&mut self, path: Vec<Step>, problem: impl Into<Problem>) {
        self.0.push((Severity::Error, path, problem.into()));
    }

    /// Adds a problem with a file that is used from the start on: an error then, and a warning at a reload, which it must not hold up.
    fn at_start(&mut self, context: &Context<'_>, path: Vec<Step>, problem: impl Into<Problem>) {
        match context.policy_before {
            Some(_) => self.warning(path, problem),
            None => self.error(path, problem),
        }
    }

    fn warning(&mut self, path: Vec<Step>, problem: impl Into<Problem>) {
        self.0.push((Severity::Warning, path, problem.into()));
    }
}

/// Builds a path from its steps.
macro_rules! steps {
    ($($step:expr),* $(,)?) => { vec![$($crate::config::tree::Step::from($step)),*] };
}
use steps;

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<&String> for Step {
    fn from(key: &String) -> Self {
        Self::Key(key.clone())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// Checks the whole config. Returns `None` if identity or policy can't be used; other invalid parts are reported, and left out of the
/// result.
pub(super) fn check(
    mut file: ConfigFile,
    root: &Node<'_>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<Loaded> {
    let (hosts, origins) = place::names(&file, findings);
    let tls = place::tls(file.tls.as_ref(), "tls", context, findings);
    let operations = place::operations(&file, &hosts, context, findings);
    let keyring = place::keyring(&file.session_keys, findings);
    let audit = place::audit(file.audit.as_ref(), context, findings);
    let proxies = Proxies::from_variables(context.lookup).unwrap_or_else(|bad| {
        findings.error(Vec::new(), Problem::Proxy(bad));
        Proxies::none()
    });
    // Proxies are reported above.
    if let Err(error) = Settings::from_env(context.lookup)
        && !matches!(error, OtlpError::Proxy(_))
    {
        findings.error(Vec::new(), Problem::Otlp(error));
    }
    let upstreams = upstreams::check(&file, root, context, &proxies, findings);
    let LimitsFile { connections, sessions, message, .. } = file.limits;
    let numbers = [("connections", connections), ("sessions", sessions), ("message", message.0)];
    upstreams::at_least_one(&["limits".into()], numbers, findings);
    place::limits(&file.limits, findings);
    let identity = policy::identity(&file, root, context, findings);
    let tenants = file.tenants.keys().cloned().chain([TenantName::anonymous()]).collect();
    programs::check(&file, &upstreams, context, findings);
    named::check(&file, &upstreams, findings);
    let by_subject = proven::by_subject(&file.credentials);
    let switched_off = switched_off::check(&file, findings);
    let policy = policy::check(&mut file, &switched_off, root, context, findings)?;
    policy::document_for(&file, &policy, findings);
    let listening = Listening { address: file.listen.0, hosts, origins, tls };
    Some(Loaded {
        listening,
        openapi: file.openapi,
        operations,
        keyring,
        upstreams,
        switched_off,
        proxies,
        identity: identity?,
        tenants,
        policy,
        by_subject,
        audit,
        limits: file.limits,
        log: file.log,
        warnings: Vec::new(),
        files: super::reload::Stamps::new(),
        fixed: super::Fixed::default(),
        says: 0,
        hash: String::new(),
    })
}
