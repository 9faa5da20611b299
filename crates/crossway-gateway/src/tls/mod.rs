//! TLS of listeners: certificates that are reloaded, and client certificates.

mod acceptor;
mod client_certificate;
mod door;
mod files;
pub mod limits;

pub use acceptor::Tls;
pub use client_certificate::ClientCertificate;
pub use door::Door;
pub(crate) use files::has_certificates;
pub use files::{TlsError, TlsFiles};
