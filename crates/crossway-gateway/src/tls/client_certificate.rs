//! The identity in a client's certificate (mTLS).

use std::fmt;

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;

use super::limits::NAMES;
use crate::hex::hex;

/// A certificate whose key the client has proven to have, verified against the configured authorities.
///
/// Part of the [`Connection`](crate::identity::Connection) among the extensions of each request, if TLS requires client
/// certificates.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// The subject's alternative names that are DNS names or URIs (RFC 5280, section 4.2.1.6), as text: DNS names
    /// first. The subject itself is not used: RFC 9525 uses alternative names only.
    pub subject_alt_names: Vec<String>,
    /// The SHA-256 of the certificate in DER.
    pub fingerprint: [u8; 32],
}

impl ClientCertificate {
    /// Parses a certificate in DER that TLS has verified, and whose key the client has proven to have.
    #[must_use]
    pub fn from_verified_der(der: &[u8]) -> Self {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, der).as_ref());
        let der = CertificateDer::from(der);
        let subject_alt_names = match webpki::EndEntityCert::try_from(&der) {
            Ok(parsed) => {
                let names = parsed.valid_dns_names().chain(parsed.valid_uri_names());
                names.take(NAMES).map(str::to_owned).collect()
            }
            Err(_) => Vec::new(),
        };
        Self { subject_alt_names, fingerprint }
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("subject_alt_names", &self.subject_alt_names)
            .field("fingerprint", &hex(&self.fingerprint))
            .finish()
    }
}
