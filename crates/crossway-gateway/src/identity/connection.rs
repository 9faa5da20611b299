//! Facts about a connection: peer address and client certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use super::sums::Sums;
use crate::tls::ClientCertificate;

/// The connection that a request came on: where from, and by whose certificate.
///
/// Whatever accepts connections puts one into the extensions of each request. Without it nothing is known of the
/// connection, and no fence is passed.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    address: Option<SocketAddr>,
    /// Shared, for each request of the connection has a copy of this.
    certificate: Option<Arc<ClientCertificate>>,
    sums: Sums,
}

impl Connection {
    /// A connection from an address, as the socket has it. What a `Forwarded` header says is not asked.
    #[must_use]
    pub fn from_address(address: SocketAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    /// With a certificate of the client, which TLS has verified.
    #[must_use]
    pub fn with_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.certificate = Some(Arc::new(certificate));
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
        self.certificate.as_deref()
    }

    /// The sums of what requests on it prove themselves by.
    pub(super) fn sums(&self) -> &Sums {
        &self.sums
    }
}
