//! The config of `crossway serve`: parsed, validated as a whole, then built.
//!
//! A file of any format is parsed into a tree with positions ([`Format`]); the tree is deserialized into the types that
//! the JSON Schema is generated from ([`mod@file`]), collecting all errors; these are checked and become [`Loaded`]. Each
//! finding has file, line, column and the key's path.

mod checks;
pub mod file;
mod format;
pub mod limits;
mod nearest;
mod problem;
mod read;
mod reload;
mod schema;
mod spec;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossway_dial::Proxies;
use crossway_policy::{Policy, TenantName};
use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_seal::Keyring;

pub use checks::{ApiProblem, NamedProblem, PlaceProblem, SourceProblem, UpstreamProblem};
pub use format::Format;
pub(crate) use nearest::nearest;
pub use problem::{ConfigErrors, Finding, Problem, Severity};
pub use reload::Reloads;
pub use schema::schema;
pub use spec::UpstreamSpec;

use crate::hex::hex;
use crate::identity::Identity;
use crate::operations::AdminKey;
use crate::secret::Secret;
use crate::tls::TlsFiles;
use checks::Findings;
use file::{ConfigFile, LimitsFile, LogFile, OverflowFile, ToolsAsOpenApiFile};
use read::{Context, Found};
use reload::Stamps;
use tree::{Node, Step, Value};

/// A valid config, ready for use.
#[derive(Debug)]
pub struct Loaded {
    /// The clients' listener.
    pub listening: Listening,
    /// Whether tools are served as OpenAPI, and how.
    pub openapi: Option<ToolsAsOpenApiFile>,
    /// The operators' listener.
    pub operations: Option<Operations>,
    /// The keys for sealing session ids, if they are shared with other processes.
    pub keyring: Option<Arc<Keyring>>,
    /// The upstreams: those of `upstreams` by name, then those of `mcpServers` by name.
    pub upstreams: Vec<UpstreamSpec>,
    /// The names of the entries of `mcpServers` that are switched off. The policy knows them too.
    pub switched_off: BTreeSet<String>,
    /// The outgoing proxies for everything that has none of its own.
    pub proxies: Proxies,
    /// The authentication of callers.
    pub identity: Identity,
    /// The tenants, including that of anonymous callers.
    pub tenants: Vec<TenantName>,
    /// The policy: permissions, credentials and quotas.
    pub policy: Policy,
    /// The rules of credentials that depend on the user's subject: their indexes among all rules, and their upstreams.
    pub by_subject: Vec<(usize, String)>,
    /// The audit log, if there is one.
    pub audit: Option<Audit>,
    /// The gateway's limits.
    pub limits: LimitsFile,
    /// The settings of the log.
    pub log: LogFile,
    /// Warnings: settings that are valid, but probably not intended.
    pub warnings: Vec<Finding>,
    /// The files that were read, the config and those of secrets, in their state before that. A change of any of them is a change of
    /// the config.
    files: Stamps,
    /// The keys that only take effect at the start of a process.
    pub fixed: Fixed,
    /// A hash of everything that was read, including secrets and documents. It changes with any of them.
    pub says: u64,
    /// A hash of the file's text: the same on all replicas with the same file, whatever their secrets are.
    pub hash: String,
}

/// Hashes of the values of the keys that only take effect at the start of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fixed([u64; FIXED.len()]);

/// The keys that only take effect at the start of a process.
const FIXED: [&str; 9] =
    ["listen", "allow_hosts", "allow_origins", "tls", "operations", "session_keys", "audit", "limits", "log"];

impl Fixed {
    fn of(root: &Node<'_>, contents: &BTreeMap<usize, u64>) -> Self {
        Self(FIXED.map(|key| {
            let mut hasher = DefaultHasher::new();
            if let Some(node) = root.find(&[Step::Key(key.into())]) {
                node.hash_into(contents, &mut hasher);
            }
            hasher.finish()
        }))
    }

    /// Returns the keys whose values differ in another config. They take effect at the next start.
    #[must_use]
    pub fn changed_in(&self, other: &Self) -> Vec<&'static str> {
        let pairs = FIXED.iter().zip(self.0.iter().zip(&other.0));
        pairs.filter_map(|(key, (now, other))| (now != other).then_some(*key)).collect()
    }
}

/// The clients' listener.
#[derive(Debug, Clone)]
pub struct Listening {
    /// Its address.
    pub address: SocketAddr,
    /// The allowed host names.
    pub hosts: AllowedHosts,
    /// The allowed web origins.
    pub origins: AllowedOrigins,
    /// Its TLS.
    pub tls: Option<TlsFiles>,
}

/// The operators' listener.
#[derive(Debug, Clone)]
pub struct Operations {
    /// Its address.
    pub address: SocketAddr,
    /// The allowed host names: those of the clients' listener.
    pub hosts: AllowedHosts,
    /// The key for administration. Without one, there is no administration.
    pub admin_key: Option<AdminKey>,
    /// Its TLS.
    pub tls: Option<TlsFiles>,
}

/// The audit log.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Where the records go.
    pub to: AuditTo,
    /// What to do with calls that can't be recorded for lack of room.
    pub overflow: OverflowFile,
    /// The number of calls that there is room for, if configured.
    pub calls: Option<NonZeroUsize>,
    /// The key for hashing arguments. Without one, the process uses its own.
    pub key: Option<Secret>,
}

/// The target of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditTo {
    /// Standard error.
    Stderr,
    /// This file, which is appended to. Its folder existed when the config was checked.
    File(PathBuf),
}

/// Reads and checks a config, including the files of secrets and the environment.
///
/// # Errors
///
/// When the config can't be used: all errors and warnings.
pub fn load(path: &Path) -> Result<Loaded, ConfigErrors> {
    let mut files = Stamps::new();
    load_with(path, variable, &mut files, None).map(|loaded| Loaded { files, ..loaded })
}

/// Like [`load`], for commands that send no telemetry: the shell or the CI job that they run in may have an OpenTelemetry setup of its own.
pub(crate) fn load_without_telemetry(path: &Path) -> Result<Loaded, ConfigErrors> {
    let lookup = |name: &str| if name.starts_with("OTEL_") { None } else { variable(name) };
    load_with(path, lookup, &mut Stamps::new(), None)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Like [`load`]. Adds the files that were read to `files`, in their state before that, even if the config can't be used. `before` is the
/// policy in force during a reload.
fn load_with(
    path: &Path,
    lookup: impl Fn(&str) -> Option<String>,
    files: &mut Stamps,
    before: Option<&Policy>,
) -> Result<Loaded, ConfigErrors> {
    let whole = |problem| {
        ConfigErrors(vec![Finding {
            file: path.to_owned(),
            at: None,
            severity: Severity::Error,
            path: String::new(),
            problem,
        }])
    };
    files.insert(path.to_owned(), reload::stamp(path));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| whole(Problem::Unreadable(error)))?;
    file.take(limits::FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| whole(Problem::Unreadable(error)))?;
    if bytes.len() as u64 > limits::FILE_BYTES {
        return Err(whole(Problem::TooLarge(limits::FILE_BYTES)));
    }
    let text = String::from_utf8(bytes).map_err(|_| whole(Problem::NotText))?;
    parse_with(path, &text, lookup, files, before)
}

fn hash_of(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    hex(&digest.as_ref()[..8])
}

/// Checks a config's text; `lookup` returns an environment variable's value. Relative paths are resolved against `path`'s
/// folder, and its extension decides the format.
///
/// # Errors
///
/// When the config can't be used: all errors and warnings.
pub fn parse(
    path: &Path,
    text: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Loaded, ConfigErrors> {
    parse_with(path, text, lookup, &mut Stamps::new(), None)
}

fn parse_with(
    path: &Path,
    text: &str,
    lookup: impl Fn(&str) -> Option<String>,
    files: &mut Stamps,
    before: Option<&Policy>,
) -> Result<Loaded, ConfigErrors> {
    let hash = hash_of(text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let places = Places { file: path, lines: tree::Lines::new(text) };
    let mut root = root_of(text, &places).map_err(ConfigErrors)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut context = Context::new(&lookup, folder);
    context.policy_before = before;
    // Values keep their positions when variables are expanded.
    let wrong = read::expand_all(&mut root, &context);
    let file = match read::read::<ConfigFile>(&root, &context, wrong) {
        Ok(file) => file,
        Err(wrong) => {
            files.extend(context.take_found().files);
            return Err(ConfigErrors(places.unreadable(wrong, &root)));
        }
    };
    let mut found = Findings::default();
    let loaded = checks::check(file, &root, &context, &mut found);
    let Found { literal, files: read, mut hasher, contents } = context.take_found();
    files.extend(read);
    let findings = places.findings(found, literal, &root);
    let can_be_used = findings.iter().all(|finding| finding.severity != Severity::Error);
    let Some(mut loaded) = loaded.filter(|_| can_be_used) else { return Err(ConfigErrors(findings)) };
    loaded.warnings = findings;
    loaded.fixed = Fixed::of(&root, &contents);
    root.hash_into(&contents, &mut hasher);
    loaded.says = hasher.finish();
    loaded.hash = hash;
    Ok(loaded)
}

/// Parses a config's text into a tree, which is never empty.
fn root_of<'a>(text: &'a str, places: &Places<'_>) -> Result<Node<'a>, Vec<Finding>> {
    let Some(format) = Format::of(places.file) else {
        return Err(vec![places.finding(None, Severity::Error, &[], Problem::UnknownFormat)]);
    };
    let root = format.parse(text).map_err(|faults| {
        let problem = |what| match what {
            format::What::Problem(problem) => problem,
            format::What::Twice(key, first) => Problem::Twice { key, line: places.lines.find(first).0 },
        };
        let finding = |(at, what)| places.finding(Some(at), Severity::Error, &[], problem(what));
        faults.into_iter().map(finding).collect::<Vec<_>>()
    })?;
    // An empty config would grant nothing, but more likely it is just being written.
    if root.is_empty() {
        return Err(vec![places.finding(None, Severity::Error, &[], Problem::Empty)]);
    }
    Ok(root)
}

/// Locates findings in the file.
struct Places<'a> {
    file: &'a Path,
    lines: tree::Lines<'a>,
}

impl Places<'_> {
    fn finding(&self, at: Option<usize>, severity: Severity, steps: &[Step], problem: Problem) -> Finding {
        Finding {
            file: self.file.to_owned(),
            at: at.map(|at| self.lines.find(at)),
            severity,
            path: tree::Path(steps).to_string(),
            problem,
        }
    }

    /// Returns the errors of deserializing a tree.
    fn unreadable(&self, wrong: Vec<(Vec<Step>, Problem)>, root: &Node<'_>) -> Vec<Finding> {
        let finding = |(steps, problem): (Vec<Step>, Problem)| {
            let at = place(root, &steps, &problem);
            self.finding(at, Severity::Error, &steps, unless_shown(problem, &steps, root))
        };
        let mut findings: Vec<_> = wrong.into_iter().map(finding).collect();
        sort(&mut findings);
        findings
    }

    /// Returns the checks' findings, and warnings about secrets in the file itself.
    fn findings(&self, found: Findings, literal: BTreeSet<usize>, root: &Node<'_>) -> Vec<Finding> {
        let of_checks = found.0.into_iter().map(|(severity, steps, problem)| {
            let problem = unless_shown(problem, &steps, root);
            self.finding(Some(root.place(&steps)), severity, &steps, problem)
        });
        let of_secrets = literal.into_iter().map(|at| {
            let steps = tree::path_to(root, at);
            self.finding(Some(at), Severity::Warning, &steps, Problem::LiteralSecret)
        });
        let mut findings: Vec<_> = of_checks.chain(of_secrets).collect();
        sort(&mut findings);
        findings
    }
}

/// Returns the offset at which to show a problem: that of the faulty key, or of the value.
fn place(root: &Node<'_>, steps: &[Step], problem: &Problem) -> Option<usize> {
    match problem {
        Problem::More { .. } => None,
        Problem::UnknownKey { .. } | Problem::Missing { .. } => Some(root.place(steps)),
        _ => Some(root.find(steps).map_or_else(|| root.place(steps), |node| node.at)),
    }
}

/// Returns the problem, or another one if it shows a value from the environment, which may be a secret in the wrong place. Paths
/// are shown, because nobody would find the file otherwise.
fn unless_shown(problem: Problem, steps: &[Step], root: &Node<'_>) -> Problem {
    let node = root.find(steps);
    let Some(Value::Text(text)) = node.map(|node| &node.value) else { return problem };
    let is_told_without = matches!(problem, Problem::BadExpansion { .. });
    let is_path = matches!(
        problem,
        Problem::Tls(_)
            | Problem::SecretFile { .. }
            | Problem::Source(SourceProblem::NoFile(_) | SourceProblem::NoFolder(_))
            | Problem::Place(PlaceProblem::NoAuditFile { .. })
    );
    // Messages show headers' names in lower case.
    let (told, shown) = (problem.to_string().to_lowercase(), text.text.to_lowercase());
    let quoted = format!("{shown:?}");
    // Messages show a word of the filter.
    let is_shown = matches!(problem, Problem::Place(PlaceProblem::BadFilter(_)))
        || told.contains(&shown)
        || told.contains(quoted.trim_matches('"'));
    if text.is_expanded && !shown.is_empty() && is_shown && !is_path && !is_told_without {
        return Problem::BadExpansion { wanted: "something else".to_owned() };
    }
    problem
}

/// Sorts findings by position. Those about the whole file come last.
fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (finding.at.is_none(), finding.at, finding.path.clone()));
}
