//! Reads certificate and key files.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::digest::{Context, SHA256};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::limits::FILE_BYTES;

/// The paths of a listener's certificates and key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and its chain of issuers, in order.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authorities that sign clients' certificates. If set, clients need a certificate (mTLS).
    pub client_ca: Option<PathBuf>,
}

/// Why files can't be used for TLS. Errors never show the contents.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read.
    #[error("{path} can't be read", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is too long.
    #[error("{path} has more than {FILE_BYTES} bytes", path = .0.display())]
    TooLong(PathBuf),
    /// A file has no certificate.
    #[error("{path} has no certificate in PEM", path = .0.display())]
    NoCertificate(PathBuf),
    /// A file has no private key.
    #[error("{path} has no private key in PEM", path = .0.display())]
    NoKey(PathBuf),
    /// A file has a certificate that can't be an authority's.
    #[error("{path} has a certificate that can't be an authority's", path = .path.display())]
    BadAuthority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The key does not belong to the certificate.
    #[error("{key} is not the key of {certificate}: name the key that the certificate was made with", key = .key.display(), certificate = .certificate.display())]
    NotItsKey {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// The certificate is outside its validity, so that clients refuse it. The files can be used nonetheless.
    #[error("the certificate of {path} {outside}, so clients refuse it", path = .path.display())]
    OutOfDate {
        /// The file.
        path: PathBuf,
        /// How it is outside.
        outside: Outside,
    },
    /// Key and certificate are of a kind that is not supported.
    #[error("{key} and {certificate} do not serve together", key = .key.display(), certificate = .certificate.display())]
    Unusable {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// How a certificate is outside its validity (RFC 5280, section 4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// It has expired at this time.
    Expired(SystemTime),
    /// It becomes valid at this time.
    NotYet(SystemTime),
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(at) => write!(f, "expired at {}", humantime::format_rfc3339_seconds(*at)),
            Self::NotYet(from) => {
                write!(f, "is not valid before {}", humantime::format_rfc3339_seconds(*from))
            }
        }
    }
}

/// The contents of the files.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl TlsFiles {
    /// Checks that the files can be used, as they are now, and that the certificate is within its validity.
    ///
    /// # Errors
    ///
    /// When they can't be used; [`TlsError::OutOfDate`] when they can, but the certificate is outside its validity.
    pub fn check(&self) -> Result<(), TlsError> {
        self.check_date(&self.build(&self.read()?)?.leaf)
    }

    /// Checks that a certificate of these files is within its validity now.
    pub(super) fn check_date(&self, leaf: &CertificateDer<'_>) -> Result<(), TlsError> {
        let outside = |outside| TlsError::OutOfDate { path: self.certificate.clone(), outside };
        outside_validity(leaf, UnixTime::now()).map_or(Ok(()), |how| Err(outside(how)))
    }

    /// Reads all files.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            client_ca: self.client_ca.as_deref().map(read).transpose()?,
        })
    }

    /// Builds what handshakes need from the files' contents.
    pub(super) fn build(&self, contents: &Contents) -> Result<Built, TlsError> {
        let chain = certificates(&self.certificate, &contents.certificate)?;
        let leaf = chain.first().cloned().ok_or_else(|| TlsError::NoCertificate(self.certificate.clone()))?;
        let key =
            PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| TlsError::NoKey(self.key.clone()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = |source| {
            let (key, certificate) = (self.key.clone(), self.certificate.clone());
            match source {
                rustls::Error::InconsistentKeys(_) => TlsError::NotItsKey { key, certificate },
                source => TlsError::Unusable { key, certificate, source },
            }
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match self.client_ca.as_deref().zip(contents.client_ca.as_deref()) {
            Some((path, pem)) => builder.with_client_cert_verifier(authorities(path, pem, provider)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Built { config: Arc::new(config), leaf })
    }
}

/// What the files are for.
pub(super) struct Built {
    /// The config for handshakes.
    pub(super) config: Arc<ServerConfig>,
    /// The listener's own certificate, the first of its chain.
    pub(super) leaf: CertificateDer<'static>,
}

impl Contents {
    /// Returns a digest, which tells contents apart without keeping them.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        for part in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()] {
            let part = part.map_or(&[][..], Vec::as_slice);
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    let mut contents = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES + 1).read_to_end(&mut contents).map_err(failed)?;
    if contents.len() as u64 > FILE_BYTES {
        return Err(TlsError::TooLong(path.to_owned()));
    }
    Ok(contents)
}

/// Parses all certificates of a file; there has to be at least one.
fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    certificates
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| TlsError::NoCertificate(path.to_owned()))
}

/// Returns how a certificate is outside its validity at a time, or `None` if it is within, or can't be read.
fn outside_validity(leaf: &CertificateDer<'_>, now: UnixTime) -> Option<Outside> {
    let at = |time: UnixTime| UNIX_EPOCH + Duration::from_secs(time.as_secs());
    let certificate = webpki::EndEntityCert::try_from(leaf).ok()?;
    // Without authorities no certificate is trusted, but webpki looks at the validity first.
    let usage = webpki::KeyUsage::server_auth();
    match certificate.verify_for_usage(&[], &[], &[], now, usage, None, None).err()? {
        webpki::Error::CertExpired { not_after, .. } => Some(Outside::Expired(at(not_after))),
        webpki::Error::CertNotValidYet { not_before, .. } => Some(Outside::NotYet(at(not_before))),
        _ => None,
    }
}

fn authorities(
    path: &Path,
    pem: &[u8],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let bad = |source| TlsError::BadAuthority { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        roots.add(certificate).map_err(bad)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map_err(|_| TlsError::NoCertificate(path.to_owned()))
}

/// Checks that a file has certificates.
///
/// # Errors
///
/// When the file has none, or can't be read.
pub(crate) fn has_certificates(path: &Path) -> Result<(), TlsError> {
    match read(path) {
        Ok(pem) => certificates(path, &pem).map(drop),
        // The bound is only for listeners' files.
        Err(TlsError::TooLong(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
