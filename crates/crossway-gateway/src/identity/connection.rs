//! What is known of a connection besides what is said on it.

use std::net::SocketAddr;

use ring::digest;

/// The connection that a request came on: where from, and by whose certificate.
///
/// Whatever accepts connections puts one into the extensions of each request. Without it nothing is known of the
/// connection, and no fence is passed.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    address: Option<SocketAddr>,
    certificate: Option<ClientCertificate>,
}

impl Connection {
    /// A connection from an address, as the socket has it. What a `Forwarded` header says is not asked.
    #[must_use]
    pub fn from_address(address: SocketAddr) -> Self {
        Self { address: Some(address), certificate: None }
    }

    /// With a certificate of the client, which TLS has verified.
    #[must_use]
    pub fn with_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Where it is from.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The client's certificate, if it has shown one.
    #[must_use]
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref()
    }
}

/// The certificate that a client has proven to own, by its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    sha256: [u8; 32],
}

impl ClientCertificate {
    /// Of a certificate in DER that TLS has verified, and that the client has proven to have the key of.
    #[must_use]
    pub fn from_verified_der(der: &[u8]) -> Self {
        Self { sha256: sha256(der) }
    }

    /// Of a certificate that TLS has verified, by the SHA-256 of its DER.
    #[must_use]
    pub fn from_verified_sha256(sha256: [u8; 32]) -> Self {
        Self { sha256 }
    }

    /// The SHA-256 of the certificate's DER.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}
