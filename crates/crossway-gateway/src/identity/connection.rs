//! Facts about a connection: peer address and client certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use super::sums::Sums;
use crate::tls::ClientCertificate;

/// The connection that a request came on: its peer address and client certificate.
///
/// The code that accepts connections puts one into the extensions of each request. Without it, nothing is known about the
/// connection, and no fence lets it pass.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    address: Option<SocketAddr>,
    /// Shared, because each request of the connection has a copy.
    certificate: Option<Arc<ClientCertificate>>,
    sums: Sums,
}

impl Connection {
    /// Creates a connection from the socket's peer address. `Forwarded` headers are not used.
    #[must_use]
    pub fn from_address(address: SocketAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    /// Adds the client's certificate, which TLS has verified.
    #[must_use]
    pub fn with_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.certificate = Some(Arc::new(certificate));
        self
    }

    /// The peer's address.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The client's certificate, if it has shown one.
    #[must_use]
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_deref()
    }

    /// The cached sums of the credentials that came on this connection.
    pub(super) fn sums(&self) -> &Sums {
        &self.sums
    }
}
