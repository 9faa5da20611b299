//! The command of a server: program, arguments, environment and folder.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::StartError;

/// The variables that a child inherits from this process: what programs need to find their files and to use the user's
/// language. Everything else, above all secrets, has to be [given](Command::env) to it.
#[cfg(not(windows))]
const INHERITED: &[&str] = &["PATH", "HOME", "LANG", "TERM", "TMPDIR", "USER", "LOGNAME", "SHELL", "TZ"];
#[cfg(windows)]
const INHERITED: &[&str] = &[
    "PATH",
    "PATHEXT",
    "APPDATA",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE",
    "WINDIR",
];
/// The locale's categories.
const INHERITED_PREFIX: &str = "LC_";

/// A program that is an MCP server on its stdin and stdout, with its arguments, environment and working directory.
///
/// The child's environment has this process's `PATH`, `HOME`, `LANG`, `LC_*`, `TERM`, `TMPDIR`, `USER`, `LOGNAME`,
/// `SHELL` and `TZ` (on Windows: the usual equivalents), and what [`env`](Self::env) and
/// [`inherit`](Self::inherit) add.
///
/// `Debug` shows neither arguments nor values, because they may be secret.
#[derive(Clone)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    inherited: Vec<OsString>,
    cwd: Option<PathBuf>,
    name: Option<Arc<str>>,
    tenant: Option<Arc<str>>,
    shown: Option<&'static str>,
}

impl Command {
    /// Creates a command from a program: a path, or a name to search in `PATH`.
    pub fn new(program: impl Into<OsString>) -> Self {
        let (args, env, inherited) = Default::default();
        Self {
            program: program.into(),
            args,
            env,
            inherited,
            cwd: None,
            name: None,
            tenant: None,
            shown: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the child's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Lets the child inherit another variable of this process's environment.
    #[must_use]
    pub fn inherit(mut self, name: impl Into<OsString>) -> Self {
        self.inherited.push(name.into());
        self
    }

    /// Sets the child's working directory. A relative path to the program is resolved from there.
    #[must_use]
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// Sets the server's name in the log, the field `upstream`, also for its lines on stderr.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets for which tenant the server runs, as the log shows it in the field `tenant`.
    #[must_use]
    pub fn for_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Sets the text that errors and the log show in place of a program whose name contains a secret.
    #[must_use]
    pub fn shown_as(mut self, text: &'static str) -> Self {
        self.shown = Some(text);
        self
    }

    /// The program, or the text shown in its place.
    pub(crate) fn shown(&self) -> &OsStr {
        self.shown.map_or(&self.program, OsStr::new)
    }

    /// The program's executable file, or the text shown in its place.
    pub(crate) fn shown_path(&self, path: PathBuf) -> PathBuf {
        self.shown.map_or(path, PathBuf::from)
    }

    /// The server's name in the log.
    #[must_use]
    pub fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// For which tenant the server runs.
    #[must_use]
    pub fn tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }

    /// The program as it was given.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Checks whether the command could be started, without starting it. Returns the executable's path.
    ///
    /// # Errors
    ///
    /// When there is no such program, it can't be executed, or the working directory does not exist.
    pub fn check(&self) -> Result<PathBuf, StartError> {
        if let Some(cwd) = self.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
            return Err(StartError::WorkingDirectory { path: cwd.clone() });
        }
        let not_found = || StartError::NotFound { program: self.shown().to_string_lossy().into_owned() };
        if self.program.is_empty() {
            return Err(not_found());
        }
        let mut refused = None;
        for path in self.candidates() {
            match fitness(&path) {
                Fitness::Executable => return Ok(path),
                Fitness::NotExecutable => drop(refused.get_or_insert(path)),
                Fitness::Absent => {}
            }
        }
        Err(refused.map_or_else(not_found, |path| StartError::NotExecutable { path: self.shown_path(path) }))
    }

    /// Converts to a `tokio` command, without its streams. Also returns the executable's path.
    pub(crate) fn to_tokio(&self) -> Result<(tokio::process::Command, PathBuf), StartError> {
        let path = self.check()?;
        let mut command = tokio::process::Command::new(&path);
        // Programs with several names act by the name that they were called by.
        #[cfg(unix)]
        command.arg0(&self.program);
        command.args(&self.args).env_clear().envs(self.environment());
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        Ok((command, path))
    }

    /// The child's environment. If a name occurs twice, the last value counts.
    fn environment(&self) -> impl Iterator<Item = (OsString, OsString)> + '_ {
        let ours = std::env::vars_os().filter(|(name, value)| {
            let is_listed = name.to_str().is_some_and(is_inherited) || self.inherited.contains(name);
            // Functions that shells export in variables are code, not settings.
            is_listed && !value.as_encoded_bytes().starts_with(b"()")
        });
        ours.chain(self.env.iter().cloned())
    }

    /// The possible paths of the program, in the order of the search.
    fn candidates(&self) -> Vec<PathBuf> {
        let base = self.cwd.clone().unwrap_or_default();
        let base = std::path::absolute(&base).or_else(|_| std::env::current_dir()).unwrap_or(base);
        let is_path = Path::new(&self.program).components().count() > 1
            || self.program.as_encoded_bytes().iter().any(|byte| std::path::is_separator(char::from(*byte)));
        let folders = if is_path {
            vec![base]
        } else {
            let path = self.environment().filter(|(name, _)| is_name(name, "PATH")).last();
            let path = path.map(|(_, path)| path).unwrap_or_default();
            // An empty entry would mean the working directory, which is hardly ever intended.
            let folders = std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty());
            folders.map(|folder| base.join(folder)).collect()
        };
        let folders = folders.iter().map(|folder| folder.join(&self.program));
        folders.flat_map(|path| with_extensions(path, self.environment())).collect()
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.shown())
            .field("args", &self.args.len())
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

fn is_inherited(name: &str) -> bool {
    name.starts_with(INHERITED_PREFIX) || INHERITED.iter().any(|listed| is_name(OsStr::new(name), listed))
}

/// Whether a variable has this name. On Windows, names ignore case.
fn is_name(name: &OsStr, wanted: &str) -> bool {
    if cfg!(windows) { name.eq_ignore_ascii_case(wanted) } else { name == wanted }
}

enum Fitness {
    Absent,
    NotExecutable,
    Executable,
}

fn fitness(path: &Path) -> Fitness {
    match path.metadata() {
        Ok(found) if found.is_file() && is_executable(path) => Fitness::Executable,
        Ok(_) => Fitness::NotExecutable,
        Err(_) => Fitness::Absent,
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    true
}

#[cfg(not(windows))]
fn with_extensions(path: PathBuf, _: impl Iterator<Item = (OsString, OsString)>) -> Vec<PathBuf> {
    vec![path]
}

/// `npx` is `npx.cmd` on Windows: returns the file as named, then with each extension of `PATHEXT`.
#[cfg(windows)]
fn with_extensions(path: PathBuf, environment: impl Iterator<Item = (OsString, OsString)>) -> Vec<PathBuf> {
    let listed = environment.filter(|(name, _)| is_name(name, "PATHEXT")).last();
    let listed =
        listed.map_or_else(|| ".COM;.EXE;.BAT;.CMD".into(), |(_, list)| list.to_string_lossy().into_owned());
    let extended = listed.split(';').filter(|extension| !extension.is_empty()).map(|extension| {
        let mut name = path.clone().into_os_string();
        name.push(extension);
        PathBuf::from(name)
    });
    // A file without an extension is most likely a script for another shell.
    let as_named = path.extension().is_some().then(|| path.clone());
    as_named.into_iter().chain(extended).collect()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn executable(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_name_is_looked_for_in_the_path_that_the_child_gets() {
        let folder = tempfile::tempdir().unwrap();
        let path = executable(folder.path(), "only-here");
        assert!(matches!(Command::new("only-here").check(), Err(StartError::NotFound { .. })));
        assert_eq!(Command::new("only-here").env("PATH", folder.path()).check().unwrap(), path);
    }

    #[test]
    fn a_relative_path_starts_at_the_working_directory() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        let path = executable(&folder.path().join("bin"), "server");
        assert_eq!(Command::new("bin/server").current_dir(folder.path()).check().unwrap(), path);
        assert!(matches!(Command::new("bin/server").check(), Err(StartError::NotFound { .. })));
    }

    #[test]
    fn a_program_that_is_a_secret_is_not_shown() {
        let command = Command::new("no-hunter2").shown_as("${..}");
        let error = command.check().unwrap_err();
        assert_eq!(error.to_string(), r#"the command "${..}" was not found"#);
        assert!(!format!("{command:?} {error:?}").contains("hunter2"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hunter2");
        std::fs::write(&path, "").unwrap();
        let error = Command::new(&path).shown_as("${..}").check().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_there_but_no_program_is_told_from_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text");
        std::fs::write(&text, "hello").unwrap();
        let error = Command::new(&text).check().unwrap_err();
        assert!(matches!(&error, StartError::NotExecutable { path } if *path == text));
        assert!(matches!(Command::new(folder.path()).check(), Err(StartError::NotExecutable { .. })));
        assert!(matches!(Command::new("").check(), Err(StartError::NotFound { .. })));
        let nowhere = folder.path().join("nowhere");
        assert!(matches!(
            Command::new("sh").current_dir(nowhere).check(),
            Err(StartError::WorkingDirectory { .. })
        ));
    }

    #[test]
    fn debug_tells_no_argument_and_no_value() {
        let command = Command::new("server").arg("--token=abc").env("API_KEY", "s3cret");
        let text = format!("{command:?}");
        assert!(text.contains("API_KEY") && !text.contains("abc") && !text.contains("s3cret"), "{text}");
    }
}
