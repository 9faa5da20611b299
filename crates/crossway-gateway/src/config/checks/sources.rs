//! Checks that the sources of credentials exist, and that shared secrets in files and variables are usable. Makes no requests, and runs no
//! programs.

use std::io;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use crossway_layers::credentials::{SecretValue, SourceFailed};
use crossway_policy::config::{CredentialRule, DirectorySource, Source, TokenSource};
use crossway_policy::{MissingReason, Policy};

use super::super::problem::Problem;
use super::super::read::Context;
use super::super::tree::Step;
use super::{Findings, steps};

/// A problem with the source of a credential. Callers who need the credential are refused until it is fixed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceProblem {
    /// An environment variable is not set, or empty.
    #[error("the environment variable {0} is not set, or empty: it gives nobody a credential")]
    NoVariable(String),
    /// A file does not exist.
    #[error("{} is no file: it gives nobody a credential", .0.display())]
    NoFile(PathBuf),
    /// A folder does not exist.
    #[error("{} is no folder: it gives nobody a credential", .0.display())]
    NoFolder(PathBuf),
    /// A program does not exist.
    #[error("there is no program {0:?}: it gives nobody a credential")]
    NoProgram(String),
    /// The secret in a file or a variable can't be used.
    #[error("{what} can't be used: {why}; it gives nobody a credential")]
    Unusable {
        /// The file or the variable.
        what: String,
        /// Why not.
        why: SourceFailed,
    },
    /// A named source, which only a program that embeds the gateway can provide.
    #[error("this program has no sources of its own, such as {0:?}: it gives nobody a credential")]
    NoNamed(String),
}

/// Warns about all sources that do not exist. The rules' paths have to be resolved against the config's folder.
pub(super) fn check(rules: &[CredentialRule], context: &Context<'_>, findings: &mut Findings) {
    let no_variable = |name: &String| {
        let is_set = (context.lookup)(name).is_some_and(|value| !value.is_empty());
        (!is_set).then(|| SourceProblem::NoVariable(name.clone()))
    };
    for (index, rule) in rules.iter().enumerate() {
        let Some(source) = &rule.from else { continue };
        let (keys, problem) = match source {
            Source::Env(name) => (&["env"][..], no_variable(name)),
            Source::File(path) => (&["file"][..], missing(path, Path::is_file, SourceProblem::NoFile)),
            Source::Directory(directory) => {
                let keys = match directory {
                    DirectorySource::Path(_) => &["directory"][..],
                    DirectorySource::Named(_) => &["directory", "path"][..],
                };
                (keys, missing(directory.path(), Path::is_dir, SourceProblem::NoFolder))
            }
            Source::Command(command) => (&["command", "program"][..], no_program(&command.program, context)),
            Source::Broker(broker) => match &broker.token {
                Some(TokenSource::Env(name)) => (&["broker", "token", "env"][..], no_variable(name)),
                Some(TokenSource::File(path)) => {
                    let path = Path::new(path);
                    let problem = || SourceProblem::NoFile(path.to_owned());
                    (&["broker", "token", "file"][..], is_missing(path, Path::is_file).then(problem))
                }
                None => continue,
            },
            Source::Named(name) => (&["named"][..], Some(SourceProblem::NoNamed(name.clone()))),
        };
        if let Some(problem) = problem {
            // At the text itself, so that a value from the environment is not shown.
            let mut at = steps!["credentials", index, "from"];
            at.extend(keys.iter().map(|key| Step::from(*key)));
            findings.warning(at, Problem::Source(problem));
        }
    }
}

/// Warns about unusable secrets of rules with one secret for everybody. A file that can't be read here may be readable for the gateway.
pub(super) fn check_secrets(
    rules: &[CredentialRule],
    policy: &Policy,
    context: &Context<'_>,
    findings: &mut Findings,
) {
    for (index, rule) in rules.iter().enumerate() {
        let (key, what, secret) = match &rule.from {
            Some(Source::Env(name)) => match (context.lookup)(name).filter(|value| !value.is_empty()) {
                Some(value) => ("env", name.clone(), Ok(SecretValue::new(value))),
                None => continue,
            },
            Some(Source::File(template)) => match fixed(template) {
                Some(path) if path.is_file() => {
                    ("file", path.display().to_string(), SecretValue::read_blocking(&path))
                }
                _ => continue,
            },
            _ => continue,
        };
        let why = match secret {
            Ok(secret) => match policy.check_secret(index, secret.expose()) {
                Ok(()) => continue,
                Err(MissingReason::NoSecret) => SourceFailed::Empty,
                Err(_) => SourceFailed::Unfit,
            },
            Err(why @ (SourceFailed::NotText | SourceFailed::TooLong)) => why,
            Err(_) => continue,
        };
        let problem = SourceProblem::Unusable { what, why };
        findings.warning(steps!["credentials", index, "from", key], Problem::Source(problem));
    }
}

/// Returns the path of a template, unless it has placeholders.
fn fixed(template: &str) -> Option<PathBuf> {
    let plain = template.replace("{{", "\u{1}").replace("}}", "\u{2}");
    (!plain.contains('{')).then(|| unescaped(&plain))
}

fn unescaped(plain: &str) -> PathBuf {
    PathBuf::from(plain.replace('\u{1}', "{").replace('\u{2}', "}"))
}

/// Whether a path leads to nothing, or to something of another kind. Without permission to look, it may exist: the gateway may run as
/// another user.
fn is_missing(path: &Path, is_it: fn(&Path) -> bool) -> bool {
    match path.metadata() {
        Ok(_) => !is_it(path),
        Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}

/// Checks the path of a template, or, if it has placeholders, the folder before the first one.
fn missing(
    template: &str,
    is_it: fn(&Path) -> bool,
    problem: fn(PathBuf) -> SourceProblem,
) -> Option<SourceProblem> {
    if let Some(path) = fixed(template) {
        return is_missing(&path, is_it).then(|| problem(path));
    }
    let plain = template.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let (before, _) = plain.split_once('{')?;
    let (folder, _) = before.rsplit_once(['/', MAIN_SEPARATOR])?;
    let folder = unescaped(folder);
    let is_named = !folder.as_os_str().is_empty();
    (is_named && is_missing(&folder, Path::is_dir)).then_some(SourceProblem::NoFolder(folder))
}

/// Checks that a program exists at its path or in a folder of `PATH`. Not on Windows, which tries extensions that are not known here.
fn no_program(program: &str, context: &Context<'_>) -> Option<SourceProblem> {
    let is_there = match Path::new(program).components().count() {
        _ if cfg!(windows) => true,
        1 => {
            let path = (context.lookup)("PATH");
            path.is_none_or(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
        }
        _ => !is_missing(Path::new(program), Path::is_file),
    };
    (!is_there).then(|| SourceProblem::NoProgram(program.to_owned()))
}
