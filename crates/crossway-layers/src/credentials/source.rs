//! Sources of secrets: environment, files, commands, brokers, and the program itself.

use std::fmt;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossway_policy::config::TokenSource;
use crossway_policy::{Principal, SecretSource, TenantName};
use futures_util::future::BoxFuture;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::store::Provided;
use crate::limits::{FILE_LOOK, FILE_MOMENT, SECRET_BYTES, SOURCE_TIME};

/// A secret's value. Clones share it; its memory is overwritten when the last one is dropped.
#[derive(Clone)]
pub struct SecretValue(Arc<Zeroizing<String>>);

impl SecretValue {
    /// Takes a value unchanged.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Arc::new(Zeroizing::new(value)))
    }

    /// The value. It must go to its destination alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Reads a secret from a file. Blocks, so it is for checks of a config.
    ///
    /// # Errors
    ///
    /// When it can't be read, is no text, or is longer than [`SECRET_BYTES`].
    pub fn read_blocking(path: &Path) -> Result<Self, SourceFailed> {
        let file = std::fs::File::open(path).map_err(io)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES + 2));
        std::io::Read::take(file, SECRET_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() > SECRET_BYTES { Err(SourceFailed::TooLong) } else { Self::of(bytes) }
    }

    /// Makes a value of text, without a byte order mark at its beginning and a line break at its end.
    fn of(bytes: Zeroizing<Vec<u8>>) -> Result<Self, SourceFailed> {
        let text = std::str::from_utf8(&bytes).map_err(|_| SourceFailed::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        Ok(Self::new(text.to_owned()))
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a source does not work. It never contains what the source returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SourceFailed {
    /// It can't be read, or reached.
    #[error("it can't be read")]
    Unreadable,
    /// It can't be read, for a reason that the operating system names.
    #[error("it can't be read: {0}")]
    Io(ErrorKind),
    /// It is a folder, or a device.
    #[error("it is no file")]
    NotAFile,
    /// The folder of the file is missing.
    #[error("its folder is not there")]
    NoFolder,
    /// The file is missing; its folder is there.
    #[error("its file is not there")]
    NoFile,
    /// The variable is not set.
    #[error("its variable is not set")]
    NoVariable,
    /// It returned no secret, or an empty one.
    #[error("it gives nothing, or what is empty")]
    Empty,
    /// Its secret can't be sent where the rule puts it.
    #[error(
        "what it gives does not fit where it goes: it has a line break or another control, or space around it"
    )]
    Unfit,
    /// It has answered with this HTTP status.
    #[error("it has answered with the status {0}")]
    Status(u16),
    /// The command has ended with this exit code. Its stderr is not kept, because it may contain a secret.
    #[error("it has ended with the exit code {0}")]
    Exit(i32),
    /// Its secret is not UTF-8 text.
    #[error("what it gives is no text")]
    NotText,
    /// Its secret is longer than [`SECRET_BYTES`].
    #[error("what it gives is too long")]
    TooLong,
    /// It has not answered in time.
    #[error("it has not answered in time")]
    TimedOut,
    /// A signal has ended the command, or the source says that it has failed.
    #[error("it has failed")]
    Refused,
    /// Its answer does not have the agreed shape.
    #[error("its answer has another shape")]
    Shape,
    /// This program provides no such source.
    #[error("this program has no such source")]
    Unknown,
}

/// What a [`NamedSource`] has found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The secret; `None` if there is none.
    pub secret: Option<SecretValue>,
    /// How long this holds.
    pub keep: Duration,
}

/// A source of secrets that this program provides. The policy refers to it by name.
pub trait NamedSource: Send + Sync + 'static {
    /// Returns the secret of a user (by issuer and subject), of a tenant, or of everybody, as the policy asks.
    ///
    /// # Errors
    ///
    /// When the source can't tell whether there is one.
    fn secret<'a>(
        &'a self,
        user: Option<&'a Principal>,
        tenant: Option<&'a TenantName>,
    ) -> BoxFuture<'a, Result<Found, SourceFailed>>;
}

/// What was read from a source, and how long it holds.
#[derive(Clone)]
pub(super) struct Read {
    pub(super) secret: Result<Option<SecretValue>, SourceFailed>,
    /// What is missing, if there is no secret.
    pub(super) lacks: Option<SourceFailed>,
    pub(super) keep: Duration,
    /// The version of the file that was read. While it is the same, the file need not be read again.
    pub(super) file: Option<Stamp>,
}

/// A version of a file: the time of its last change, its length, and on Unix its inode, which is another one when Kubernetes changes a
/// secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(SystemTime, u64, u64);

impl Stamp {
    /// `None` if the file was changed just now: a second change at what its file system takes for the same time would go unnoticed.
    fn of(metadata: &std::fs::Metadata) -> Option<Self> {
        let changed = metadata.modified().ok()?;
        if changed.elapsed().ok()? < FILE_MOMENT {
            return None;
        }
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let number = 0;
        Some(Self(changed, metadata.len(), number))
    }
}

/// Reads a source, or finds that `before` still holds.
pub(super) async fn read(source: &SecretSource, before: Option<&Read>, provided: &Provided) -> Read {
    let (result, keep) = match source {
        SecretSource::Variable(name) => (Ok(variable(name)), Duration::MAX),
        SecretSource::File(path) => return file(path, before).await,
        SecretSource::Command { program, args, timeout: time, keep } => {
            (within(*time, command(program, args)).await, *keep)
        }
        SecretSource::Broker { url, field, token, timeout: time, keep } => {
            (within(*time, broker(url, field, token.as_ref(), provided)).await, *keep)
        }
        SecretSource::Named { name, user, tenant } => {
            let Some(source) = provided.named.get(name) else {
                let secret = Err(SourceFailed::Unknown);
                return Read { secret, lacks: None, keep: FILE_LOOK, file: None };
            };
            let found = async {
                let found = source.secret(user.as_ref(), tenant.as_ref()).await?;
                Ok(Some(found))
            };
            match within(SOURCE_TIME, found).await {
                Ok(found) => {
                    let found = found.unwrap_or(Found { secret: None, keep: FILE_LOOK });
                    (Ok(found.secret), found.keep)
                }
                Err(error) => (Err(error), FILE_LOOK),
            }
        }
        _ => (Err(SourceFailed::Unknown), FILE_LOOK),
    };
    let secret = result.map(|secret| secret.filter(|secret| !secret.expose().is_empty()));
    // A missing secret and a failed source are looked at again soon.
    let keep = if matches!(secret, Ok(Some(_))) { keep } else { keep.min(FILE_LOOK) };
    let lacks = match (source, &secret) {
        (SecretSource::Variable(_), Ok(None)) => Some(SourceFailed::NoVariable),
        _ => None,
    };
    Read { secret, lacks, keep, file: None }
}

async fn within<T>(
    time: Duration,
    read: impl Future<Output = Result<Option<T>, SourceFailed>>,
) -> Result<Option<T>, SourceFailed> {
    timeout(time, read).await.unwrap_or(Err(SourceFailed::TimedOut))
}

fn variable(name: &str) -> Option<SecretValue> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(SecretValue::new)
}

async fn file(path: &str, before: Option<&Read>) -> Read {
    let (secret, lacks, file) = match within(SOURCE_TIME, look(path, before)).await {
        Ok(Some((secret, stamp))) => (Ok(secret), None, stamp),
        Ok(None) => (Ok(None), Some(absence(path).await), None),
        Err(error) => (Err(error), None, None),
    };
    Read { secret, lacks, keep: FILE_LOOK, file }
}

/// Whether only the file is missing, or its folder too.
async fn absence(path: &str) -> SourceFailed {
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let is_there = within(SOURCE_TIME, async { Ok(tokio::fs::metadata(folder).await.ok()) }).await;
    if matches!(is_there, Ok(None)) { SourceFailed::NoFolder } else { SourceFailed::NoFile }
}

fn io(error: std::io::Error) -> SourceFailed {
    SourceFailed::Io(error.kind())
}

/// Reads a file, unless its version is still that of `before`. `None` if there is no file.
async fn look(
    path: &str,
    before: Option<&Read>,
) -> Result<Option<(Option<SecretValue>, Option<Stamp>)>, SourceFailed> {
    let stamp = match tokio::fs::metadata(path).await {
        Ok(metadata) if metadata.is_file() => Stamp::of(&metadata),
        Ok(_) => return Err(SourceFailed::NotAFile),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if let Some(before) = before.filter(|before| stamp.is_some() && before.file == stamp) {
        return Ok(Some((before.secret.clone()?, stamp)));
    }
    let secret = content(path).await?;
    Ok(Some((Some(secret).filter(|secret| !secret.expose().is_empty()), stamp)))
}

async fn content(path: &str) -> Result<SecretValue, SourceFailed> {
    let file = tokio::fs::File::open(path).await.map_err(io)?;
    SecretValue::of(bounded(file).await?)
}

/// Reads to the end; fails beyond [`SECRET_BYTES`].
async fn bounded(from: impl tokio::io::AsyncRead + Unpin) -> Result<Zeroizing<Vec<u8>>, SourceFailed> {
    // Allocated at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES + 2));
    let mut from = from.take(SECRET_BYTES as u64 + 1);
    from.read_to_end(&mut bytes).await.map_err(io)?;
    if bytes.len() > SECRET_BYTES { Err(SourceFailed::TooLong) } else { Ok(bytes) }
}

async fn command(program: &str, args: &[String]) -> Result<Option<SecretValue>, SourceFailed> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped());
    // Stderr may contain anything, also secrets.
    command.stderr(Stdio::null()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut running = Running(command.spawn().map_err(io)?);
    let output = running.0.stdout.take().ok_or(SourceFailed::Unreadable)?;
    let output = bounded(output).await?;
    let status = running.0.wait().await.map_err(io)?;
    match status.code() {
        Some(0) => SecretValue::of(output).map(Some),
        Some(code) => Err(SourceFailed::Exit(code)),
        None => Err(SourceFailed::Refused),
    }
}

/// A command. Dropping it before it has ended kills it, and on Unix its whole process group.
struct Running(Child);

#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};

        // After the command has been waited for, it has no id. Until then no other group can have its number.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn broker(
    url: &str,
    field: &str,
    token: Option<&TokenSource>,
    provided: &Provided,
) -> Result<Option<SecretValue>, SourceFailed> {
    let token = match token {
        None => None,
        Some(TokenSource::Env(name)) => Some(variable(name).ok_or(SourceFailed::NoVariable)?),
        Some(TokenSource::File(path)) => Some(content(path).await?),
    };
    #[cfg(feature = "broker")]
    return provided.broker.secret(url, field, token.as_ref()).await;
    #[cfg(not(feature = "broker"))]
    {
        _ = (url, field, token, provided);
        Err(SourceFailed::Unknown)
    }
}
