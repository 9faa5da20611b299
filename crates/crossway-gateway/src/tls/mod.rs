//! TLS of listeners: certificates that are reloaded, and client certificates.

mod acceptor;
mod client_certificate;
mod files;
pub mod limits;
mod maybe_tls;

pub use acceptor::Tls;
pub use client_certificate::ClientCertificate;
pub(crate) use files::has_certificates;
pub use files::{Outside, TlsError, TlsFiles};
pub use maybe_tls::MaybeTls;
