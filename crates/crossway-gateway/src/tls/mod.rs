//! TLS before a listener: certificates that are read anew, and who a client's certificate says it is.

mod client_certificate;

pub use client_certificate::ClientCertificate;
