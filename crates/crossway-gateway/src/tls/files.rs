//! Reads certificate and key files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
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

/// The contents of the files.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl TlsFiles {
    /// Checks that the files can be used, as they are now.
    ///
    /// # Errors
    ///
    /// When they can't be used.
    pub fn check(&self) -> Result<(), TlsError> {
        self.build(&self.read()?).map(drop)
    }

    /// Reads all files.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            client_ca: self.client_ca.as_deref().map(read).transpose()?,
        })
    }

    /// Builds the config for handshakes from the files' contents.
    pub(super) fn build(&self, contents: &Contents) -> Result<ServerConfig, TlsError> {
        let chain = certificates(&self.certificate, &contents.certificate)?;
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
        Ok(config)
    }
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
