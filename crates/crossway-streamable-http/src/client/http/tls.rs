//! TLS: rustls with ring, and the platform's roots.

use std::error::Error;
use std::sync::Arc;

use crossway_dial::Roots;
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// The config with the platform's roots, for all https upstreams.
static PLATFORM: Roots<Arc<ClientConfig>> = Roots::new();

pub(super) async fn platform() -> Result<Arc<ClientConfig>, String> {
    PLATFORM
        .get_or_read(|| async {
            // Reads a few hundred files on some platforms.
            let load = tokio::task::spawn_blocking(load).await;
            load.map_err(|_| "reading the platform's root certificates failed".to_owned())?
        })
        .await
}

/// Has the platform's roots read anew, if a handshake with them failed because none of them has signed the server's certificate.
pub(super) async fn doubt_platform(error: &std::io::Error) {
    if is_of_unknown_issuer(error) {
        PLATFORM.doubt().await;
    }
}

fn load() -> Result<Arc<ClientConfig>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(format!("the platform has no root certificates to verify servers with{why}"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Adds ALPN for HTTP/2 and HTTP/1.1 to a configuration, unless it has ALPN already.
pub(super) fn with_alpn(config: Arc<ClientConfig>) -> Arc<ClientConfig> {
    if !config.alpn_protocols.is_empty() {
        return config;
    }
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Whether an error or one of its causes is a certificate that does not verify.
pub(super) fn is_unverified(error: &(dyn Error + 'static)) -> bool {
    matches!(of_tls(error), Some(rustls::Error::InvalidCertificate(_)))
}

fn is_of_unknown_issuer(error: &(dyn Error + 'static)) -> bool {
    matches!(of_tls(error), Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)))
}

/// Formats an error and its causes as one line, with advice if there is any.
pub(super) fn explain(error: &(dyn Error + 'static)) -> String {
    let told = crossway_service::with_causes(error);
    match of_tls(error) {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            format!("{told}; to trust who has signed it, add their certificate to those of this machine")
        }
        Some(rustls::Error::InvalidMessage(_)) => format!("{told}; does it speak plain http://?"),
        _ => told,
    }
}

/// Finds the TLS error among an error and its causes.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        // `io::Error` does not return the error that it wraps as its source.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = error.downcast_ref::<rustls::Error>().or_else(|| inner?.downcast_ref());
        if tls.is_some() {
            return tls;
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use rustls::InvalidMessage;

    use super::*;

    #[test]
    fn only_an_unknown_issuer_makes_the_roots_doubtful() {
        let of = |error: CertificateError| {
            is_of_unknown_issuer(&std::io::Error::other(rustls::Error::InvalidCertificate(error)))
        };
        assert!(of(CertificateError::UnknownIssuer));
        assert!(!of(CertificateError::Expired) && !of(CertificateError::NotValidForName));
    }

    #[test]
    fn an_error_says_what_to_do_where_that_is_known() {
        for (error, wanted) in [
            (
                rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer),
                "add their certificate to those of this machine",
            ),
            (
                rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
                "does it speak plain http://?",
            ),
            (rustls::Error::InvalidCertificate(CertificateError::Expired), "Expired"),
        ] {
            let told = explain(&std::io::Error::other(error));
            assert!(told.ends_with(wanted), "{told}");
        }
    }
}
