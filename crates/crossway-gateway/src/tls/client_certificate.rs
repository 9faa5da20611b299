//! Who is at the other end of a connection, by its certificate.

use std::fmt;

/// A certificate that the client of a connection has proven to hold, and that was verified against the configured
/// authorities.
///
/// It is in the extensions of each request of that connection. Where TLS asks for no client certificate, there is
/// none.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// The subject's alternative names that are DNS names or URIs (RFC 5280, section 4.2.1.6), as text: DNS names
    /// first. The subject itself is not looked at: RFC 9525 has names in alternative names alone.
    pub subject_alt_names: Vec<String>,
    /// The SHA-256 of the certificate as it came (DER).
    pub fingerprint: [u8; 32],
}

impl ClientCertificate {
    /// A certificate with these names and this fingerprint. Whoever makes one vouches for it.
    #[must_use]
    pub fn new(subject_alt_names: Vec<String>, fingerprint: [u8; 32]) -> Self {
        Self { subject_alt_names, fingerprint }
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint = self.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        f.debug_struct("ClientCertificate")
            .field("subject_alt_names", &self.subject_alt_names)
            .field("fingerprint", &fingerprint)
            .finish()
    }
}
