//! Validates hosts, origins, TLS, the operations listener, limits, the audit file and session keys.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_seal::{KeyError, Keyring};

use super::super::file::{AuditFile, ConfigFile, LimitsFile, OperationsFile, TlsFile};
use super::super::limits::{MESSAGE_LEAST, THREADS};
use super::super::problem::Problem;
use super::super::read::Context;
use super::super::{Audit, AuditTo, Operations};
use super::{Findings, steps};
use crate::log::{self, LogFilterError};
use crate::operations::{AdminKey, BadAdminKey};
use crate::secret::Secret;
use crate::tls::{TlsError, TlsFiles};

/// A problem with listeners, limits, the audit file or session keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceProblem {
    /// Listening beyond loopback without allowed host names.
    #[error(
        "{0} can be reached from other machines: name in allow_hosts what clients call it by, such as \
         allow_hosts: [gateway.example.com]"
    )]
    NoAllowedHost(SocketAddr),
    /// A host name is invalid.
    #[error("{0:?} is not a host name; one is written as gateway.example.com, or gateway.example.com:8443")]
    BadHost(String),
    /// An origin is invalid.
    #[error("{0:?} is not an origin; one is written as https://chat.example.com")]
    BadOrigin(String),
    /// Both listeners have the same address.
    #[error("{0} is the address of the clients' listener too; take another port")]
    SameAddress(SocketAddr),
    /// Administration without TLS on an address that other machines can reach.
    #[error(
        "{0} can be reached from other machines, and what goes there can be read on its way; give it tls, or a loopback address"
    )]
    AdminInTheOpen(SocketAddr),
    /// The admin key is invalid.
    #[error("{0}; `openssl rand -base64 32` prints one")]
    BadAdminKey(BadAdminKey),
    /// A key is so short that it can be guessed.
    #[error(
        "the key has {0} bytes, and can be guessed; take 32 random ones, as `openssl rand -base64 32` prints them"
    )]
    ShortKey(usize),
    /// A session key is invalid.
    #[error("{0}")]
    BadKey(KeyError),
    /// The audit file can't be appended to or created.
    #[error("records can't be written to {}: {reason}", file.display())]
    NoAuditFile {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The log filter is invalid.
    #[error("{0}")]
    BadFilter(LogFilterError),
    /// More threads than can be of use.
    #[error("at most {THREADS} threads can serve")]
    TooManyThreads,
    /// The bound of messages is too low even for opening a session.
    #[error(
        "less than {MESSAGE_LEAST} bytes lets no client in; a message takes some hundreds, and results take thousands"
    )]
    ShortMessages,
}

/// The fewest bytes of a key: too many to try out, even if it has only letters and digits.
const KEY_BYTES: usize = 16;

/// Checks the allowed host names and origins, and the log filter.
pub(super) fn names(file: &ConfigFile, findings: &mut Findings) -> (AllowedHosts, AllowedOrigins) {
    let mut hosts = AllowedHosts::loopback();
    for (index, host) in file.allow_hosts.iter().enumerate() {
        match hosts.clone().and(host) {
            Ok(more) => hosts = more,
            Err(_) => findings.error(steps!["allow_hosts", index], PlaceProblem::BadHost(host.clone())),
        }
    }
    let mut origins = AllowedOrigins::loopback();
    for (index, origin) in file.allow_origins.iter().enumerate() {
        match origins.clone().and(origin) {
            Ok(more) => origins = more,
            Err(_) => findings.error(steps!["allow_origins", index], PlaceProblem::BadOrigin(origin.clone())),
        }
    }
    let address = file.listen.0;
    if !address.ip().is_loopback() && file.allow_hosts.is_empty() {
        findings.error(steps!["listen"], PlaceProblem::NoAllowedHost(address));
    }
    if let Some(Err(error)) = file.log.filter.as_deref().map(log::filter) {
        findings.error(steps!["log", "filter"], PlaceProblem::BadFilter(error));
    }
    (hosts, origins)
}

/// Checks the gateway's limits, except those that only have to be at least one.
pub(super) fn limits(file: &LimitsFile, findings: &mut Findings) {
    if file.threads.is_some_and(|threads| threads.get() > THREADS) {
        findings.error(steps!["limits", "threads"], PlaceProblem::TooManyThreads);
    }
    // Zero is reported like that of the other limits.
    if (1..MESSAGE_LEAST).contains(&file.message.0) {
        findings.error(steps!["limits", "message"], PlaceProblem::ShortMessages);
    }
}

/// Checks that the files of a listener's TLS can be used.
pub(super) fn tls(
    file: Option<&TlsFile>,
    at: &str,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<TlsFiles> {
    let (file, folder) = (file?, context.folder);
    let files = TlsFiles {
        certificate: folder.join(&file.certificate),
        key: folder.join(&file.key),
        client_ca: file.client_ca.as_ref().map(|path| folder.join(path)),
    };
    if let Err(error) = files.check() {
        let key = match &error {
            TlsError::Read { path, .. }
            | TlsError::TooLong(path)
            | TlsError::NoCertificate(path)
            | TlsError::NoKey(path)
            | TlsError::OutOfDate { path, .. }
            | TlsError::BadAuthority { path, .. } => [
                ("certificate", Some(&files.certificate)),
                ("key", Some(&files.key)),
                ("client_ca", files.client_ca.as_ref()),
            ]
            .into_iter()
            .find_map(|(key, file)| file.filter(|file| *file == path).map(|_| key)),
            TlsError::NotItsKey { .. } | TlsError::Unusable { .. } => None,
        };
        let path = at.split('.').chain(key).map(super::Step::from).collect();
        match error {
            TlsError::OutOfDate { .. } => findings.warning(path, Problem::Tls(error)),
            _ => findings.at_start(context, path, Problem::Tls(error)),
        }
    }
    Some(files)
}

/// Checks the operators' listener.
pub(super) fn operations(
    file: &ConfigFile,
    hosts: &AllowedHosts,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<Operations> {
    let OperationsFile { listen, admin_key, tls: tls_file } = file.operations.as_ref()?;
    let address = listen.0;
    if address == file.listen.0 && address.port() != 0 {
        findings.error(steps!["operations", "listen"], PlaceProblem::SameAddress(address));
    }
    let admin_key = admin_key.as_ref().and_then(|key| {
        AdminKey::new(key.expose())
            .map_err(|error| {
                findings.error(steps!["operations", "admin_key"], PlaceProblem::BadAdminKey(error))
            })
            .ok()
    });
    if admin_key.is_some() && !address.ip().is_loopback() && tls_file.is_none() {
        findings.warning(steps!["operations", "listen"], PlaceProblem::AdminInTheOpen(address));
    }
    let tls = tls(tls_file.as_ref(), "operations.tls", context, findings);
    Some(Operations { address, hosts: hosts.clone(), admin_key, tls })
}

/// Checks the audit log. It must be possible to append to its file or to create it. A running gateway has the file open, so at a reload
/// this is only a warning.
pub(super) fn audit(
    file: Option<&AuditFile>,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<Audit> {
    let file = file?;
    let to = if file.file == Path::new("stderr") {
        AuditTo::Stderr
    } else {
        let path = context.folder.join(&file.file);
        if let Err(reason) = can_append(&path) {
            let problem = PlaceProblem::NoAuditFile { file: path.clone(), reason };
            findings.at_start(context, steps!["audit", "file"], problem);
        }
        AuditTo::File(path)
    };
    if let Some(key) = file.key.as_ref().filter(|key| key.expose().len() < KEY_BYTES) {
        findings.error(steps!["audit", "key"], PlaceProblem::ShortKey(key.expose().len()));
    }
    Some(Audit { to, overflow: file.on_overflow, calls: file.calls, key: file.key.clone() })
}

/// Checks that a file can be appended to, or created if it does not exist. Does not create it.
fn can_append(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        // Opening something other than a file, such as a pipe, may block or have effects.
        Ok(found) if found.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            can_add(folder.unwrap_or(Path::new(".")))
        }
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn can_add(folder: &Path) -> io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    // By the effective ids, as when the file is created: a process may have other rights than the user who started it.
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    Ok(accessat(CWD, folder, wanted, AtFlags::EACCESS)?)
}

#[cfg(not(unix))]
fn can_add(folder: &Path) -> io::Result<()> {
    fs::metadata(folder).map(drop)
}

/// Builds a keyring of the session keys.
pub(super) fn keyring(keys: &[Secret], findings: &mut Findings) -> Option<Arc<Keyring>> {
    let mut all = String::new();
    for (index, key) in keys.iter().enumerate() {
        match Keyring::parse(key.expose()) {
            Ok(_) => {
                all.push_str(key.expose());
                all.push('\n');
            }
            Err(error) => findings.error(steps!["session_keys", index], PlaceProblem::BadKey(error)),
        }
    }
    if all.is_empty() {
        return None;
    }
    match Keyring::parse(&all) {
        Ok(ring) => Some(Arc::new(ring)),
        Err(error) => {
            findings.error(steps!["session_keys"], PlaceProblem::BadKey(error));
            None
        }
    }
}
