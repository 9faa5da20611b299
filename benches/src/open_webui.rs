//! Open WebUI as a gateway sees it: its users, and the tokens that it signs for them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use ring::hmac;
use serde_json::{Value, json};

/// The header with the signed token.
const USER_JWT: HeaderName = HeaderName::from_static("x-openwebui-user-jwt");

/// The secrets that Open WebUI and the gateway share.
#[derive(Debug)]
pub(crate) struct OpenWebUi {
    key: hmac::Key,
    connection: HeaderValue,
}

impl OpenWebUi {
    /// The signing secret.
    const SECRET: &str = "a secret that nothing but benches is signed with";
    /// The API key of its connection.
    const CONNECTION_KEY: &str = "a-key-that-only-benches-have-0123456789abcdef";

    /// The gateway config's `identity` for its users, with the secret and the key above.
    pub(crate) fn identity() -> Value {
        json!({ "proof": "open-webui-jwt", "secret": Self::SECRET, "connection_key": Self::CONNECTION_KEY })
    }

    /// With the secret and the key above.
    pub(crate) fn new() -> Self {
        let connection = format!("Bearer {}", Self::CONNECTION_KEY);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, Self::SECRET.as_bytes()),
            // Letters, digits and dashes.
            connection: HeaderValue::try_from(connection).unwrap_or(HeaderValue::from_static("")),
        }
    }

    /// The headers of a user's requests; `life` is the token's lifetime. Open WebUI's own tokens last 300 s.
    pub(crate) fn headers(&self, email: &str, role: &str, life: Duration) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = vec![(AUTHORIZATION, self.connection.clone())];
        // The token is base64 with dots, so the header value is valid.
        headers
            .extend(HeaderValue::try_from(self.token(email, role, life)).ok().map(|token| (USER_JWT, token)));
        headers
    }

    /// Signs a token with HS256 and the claims of Open WebUI 0.12.
    fn token(&self, email: &str, role: &str, life: Duration) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let claims = json!({
            "sub": format!("id-of-{email}"),
            "email": email,
            "name": email,
            "role": role,
            "iss": "open-webui",
            "iat": now.as_secs(),
            "exp": (now + life).as_secs(),
        });
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_can_be_verified_and_says_who_it_is() {
        let headers = OpenWebUi::new().headers("ann@acme.example", "user", Duration::from_secs(300));
        let token = headers[1].1.to_str().unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, OpenWebUi::SECRET.as_bytes());
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(hmac::verify(&key, signed.as_bytes(), &signature).is_ok());
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["email"], "ann@acme.example");
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
    }
}
