//! Every bound of the identity edge, with its value and the reason for it.

use std::time::Duration;

/// Bytes of a token. Tokens with many groups have some thousands; the header section as a whole has 64 KiB at most.
pub(super) const TOKEN_BYTES: usize = 16 * 1024;

/// Bytes of a key, and of the value of a plain identity header. Names and addresses are shorter by far.
pub(super) const VALUE_BYTES: usize = 1024;

/// Bytes of a token whose SHA-256 is kept for the next request of its connection, with the token. Most have less than half of it.
pub(super) const SUMMED_BYTES: usize = 4 * 1024;

/// Bytes of one text that says something of a principal: who it is, a group, a role.
pub(super) const TEXT_BYTES: usize = 512;

/// Groups of a principal, and roles. Directories that have more in a token are asked to send those that matter.
pub(super) const TEXTS: usize = 512;

/// Verified tokens that are remembered. Enough for every user of a large Open WebUI, at one token for each.
pub(super) const CACHED_TOKENS: usize = 16 * 1024;

/// API keys of one listener: each request is compared with all of them.
pub(super) const API_KEYS: usize = 1024;

/// Bytes of an API key at least, before it is hashed: the hashes have no salt, so that a key must not be guessable.
pub(super) const API_KEY_BYTES: usize = 24;

/// Bytes of a secret that signs with HS256: "A key of the same size as the hash output (for instance, 256 bits for
/// "HS256") or larger MUST be used" (RFC 7518, section 3.2). Also what is advised for connection keys.
pub(super) const SECRET_BYTES: usize = 32;

/// Secrets that count at once, and connection keys: two while one is changed. What is signed by none of them is checked with each.
pub(super) const SECRETS: usize = 8;

/// By how much clocks may differ, unless configured.
pub(super) const LEEWAY: Duration = Duration::from_secs(60);

/// By how much clocks may differ at most: more would make short-lived tokens long-lived.
pub(super) const LEEWAY_AT_MOST: Duration = Duration::from_secs(600);

/// For how long a statement of Open WebUI is taken within its session once it has expired, unless configured. A turn of
/// a chat has one statement of five minutes and may take longer.
pub(super) const SESSION_LEEWAY: Duration = Duration::from_secs(3600);

/// The same at most: a day.
pub(super) const SESSION_LEEWAY_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// Bytes of an authorization server's keys (a JWK set). Those of large ones have some ten thousand, with a certificate for each key.
pub(super) const JWKS_BYTES: usize = 256 * 1024;

/// Keys of an authorization server. A dozen is many.
pub(super) const JWKS_KEYS: usize = 128;

/// How long an authorization server may take to give its keys. Requests whose key is not known wait for it.
pub(super) const JWKS_TIME: Duration = Duration::from_secs(5);

/// How often keys are asked for without a reason: a key that was withdrawn counts for as long.
pub(super) const JWKS_AGE: Duration = Duration::from_secs(600);

/// How often keys are asked for at most because a token names one that is not known. Whoever makes up names makes the gateway ask no
/// more often than this.
pub(super) const JWKS_REST: Duration = Duration::from_secs(30);

/// How soon keys are asked for again that could not be read. It doubles each time, up to the time above.
pub(super) const JWKS_AGAIN: Duration = Duration::from_secs(1);

/// Names in one list of the file that says which tokens are taken: audiences, scopes, authorization servers.
pub(super) const JWT_NAMES: usize = 64;
