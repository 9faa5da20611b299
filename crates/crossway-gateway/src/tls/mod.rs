//! TLS before a listener: certificates that are read anew, and who a client's certificate says it is.

mod acceptor;
mod client_certificate;
mod files;
pub mod limits;
mod tcp;

pub use acceptor::Tls;
pub use client_certificate::ClientCertificate;
pub use files::{TlsError, TlsFiles};
pub use tcp::Tcp;
