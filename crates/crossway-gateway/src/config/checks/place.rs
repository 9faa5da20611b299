//! How the gateway is reached.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_seal::{KeyError, Keyring};

use super::super::file::{AuditFile, ConfigFile, OperationsFile, TlsFile};
use super::super::problem::Problem;
use super::super::{Audit, AuditTo, Operations};
use super::{Findings, steps};
use crate::operations::{AdminKey, BadAdminKey};
use crate::secret::Secret;
use crate::tls::{TlsError, TlsFiles};

/// What is wrong with how the gateway is to be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceProblem {
    /// Listening beyond loopback without names.
    #[error(
        "{0} can be reached from other machines: name in allow_hosts what clients call it by, such as \
         allow_hosts: [gateway.example.com]"
    )]
    NoAllowedHost(SocketAddr),
    /// A host name that is none.
    #[error("{0:?} is not a host name; one is written as gateway.example.com, or gateway.example.com:8443")]
    BadHost(String),
    /// An origin that is none.
    #[error("{0:?} is not an origin; one is written as https://chat.example.com")]
    BadOrigin(String),
    /// Both listeners have one address.
    #[error("{0} is the address of the clients' listener too; take another port")]
    SameAddress(SocketAddr),
    /// Administration that everybody reaches.
    #[error(
        "{0} can be reached from other machines, and what goes there can be read on its way; give it tls, or a loopback address"
    )]
    AdminInTheOpen(SocketAddr),
    /// A key for administration that is none.
    #[error("{0}; `openssl rand -base64 32` prints one")]
    BadAdminKey(BadAdminKey),
    /// A key that anybody could try out.
    #[error(
        "the key has {0} bytes, and can be guessed; take 32 random ones, as `openssl rand -base64 32` prints them"
    )]
    ShortKey(usize),
    /// A key for sessions that is none.
    #[error("{0}")]
    BadKey(KeyError),
    /// A folder that is not there, or can't be looked into.
    #[error("the folder {} can't be used: {reason}", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// A log filter that is none.
    #[error(
        "{0:?} is not a filter; try a level (info, debug), or levels by crate (warn,crossway_stdio=debug)"
    )]
    BadFilter(String),
}

/// The fewest bytes of a key: what can't be tried out, even if only letters and digits were taken.
const KEY_BYTES: usize = 16;

/// The names by which clients may call.
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
    if let Some(filter) = &file.log.filter
        && filter.parse::<tracing_subscriber::filter::Targets>().is_err()
    {
        findings.error(steps!["log", "filter"], PlaceProblem::BadFilter(filter.clone()));
    }
    (hosts, origins)
}

/// TLS of a listener, whose files have to serve.
pub(super) fn tls(
    file: Option<&TlsFile>,
    at: &str,
    folder: &Path,
    findings: &mut Findings,
) -> Option<TlsFiles> {
    let file = file?;
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
            | TlsError::BadAuthority { path, .. } => [
                ("certificate", Some(&files.certificate)),
                ("key", Some(&files.key)),
                ("client_ca", files.client_ca.as_ref()),
            ]
            .into_iter()
            .find_map(|(key, file)| file.filter(|file| *file == path).map(|_| key)),
            TlsError::Unusable { .. } => None,
        };
        let path = at.split('.').chain(key).map(super::Step::from).collect();
        findings.error(path, Problem::Tls(error));
    }
    Some(files)
}

/// The operators' listener.
pub(super) fn operations(
    file: &ConfigFile,
    hosts: &AllowedHosts,
    folder: &Path,
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
    let tls = tls(tls_file.as_ref(), "operations.tls", folder, findings);
    Some(Operations { address, hosts: hosts.clone(), admin_key, tls })
}

/// The audit log. Its file has to be one that can be added to; it is made if it is not there.
pub(super) fn audit(file: Option<&AuditFile>, folder: &Path, findings: &mut Findings) -> Option<Audit> {
    let file = file?;
    let to = if file.file == Path::new("stderr") {
        AuditTo::Stderr
    } else {
        let path = folder.join(&file.file);
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Err(reason) = fs::metadata(parent) {
            findings
                .error(steps!["audit", "file"], PlaceProblem::NoFolder { folder: parent.to_owned(), reason });
        }
        AuditTo::File(path)
    };
    if let Some(key) = file.key.as_ref().filter(|key| key.expose().len() < KEY_BYTES) {
        findings.error(steps!["audit", "key"], PlaceProblem::ShortKey(key.expose().len()));
    }
    Some(Audit { to, overflow: file.on_overflow, calls: file.calls, key: file.key.clone() })
}

/// The keys of sessions, as one ring.
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
