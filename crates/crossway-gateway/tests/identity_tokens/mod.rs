//! Tokens of all kinds, made for tests: of whatever claims, signed by whatever key, or not at all.

pub mod issuer;
pub mod server;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

/// The secret of Open WebUI.
pub const SECRET: &str = "a-secret-of-open-webui-with-32-bytes-or-more";
/// The key of its connection.
pub const KEY: &str = "connection-key-0123456789abcdef0123456789";

/// Base64 as JOSE has it.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of a header and claims, with what `sign` makes of both.
pub fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// A token that a shared secret has signed.
pub fn hs256(claims: &Value, secret: &[u8]) -> String {
    token(&json!({ "alg": "HS256", "typ": "JWT" }), claims, |message| hmac_sha256(message, secret))
}

/// The HMAC of HS256.
pub fn hmac_sha256(message: &[u8], secret: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// Seconds since 1970.
pub fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What Open WebUI says of a user at a time.
pub fn statement(subject: &str, now: SystemTime) -> Value {
    let now = unix(now);
    json!({
        "sub": subject,
        "email": format!("{subject}@Acme.Example"),
        "name": "Ünï Test",
        "role": "user",
        "iss": "open-webui",
        "iat": now,
        "exp": now + 300,
    })
}

/// The claims with one of them changed.
pub fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

/// The claims without one of them.
pub fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// A time in the tests' past or future.
pub fn after(time: SystemTime, seconds: u64) -> SystemTime {
    time + Duration::from_secs(seconds)
}
