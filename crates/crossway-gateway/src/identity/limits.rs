//! Every bound of the identity edge, with its value and the reason for it.

use std::time::Duration;

/// The longest token, in bytes. Tokens with many groups have some thousands; the whole header section has 64
/// KiB at most.
pub(super) const TOKEN_BYTES: usize = 16 * 1024;

/// The longest key, and the longest value of a plain identity header, in bytes. Names and addresses are much
/// shorter.
pub(super) const VALUE_BYTES: usize = 1024;

/// The longest token, in bytes, whose SHA-256 is cached with it for the next request of its connection. Most
/// tokens are less than half as long.
pub(super) const SUMMED_BYTES: usize = 4 * 1024;

/// The longest text about a principal, in bytes: who it is, a group, a role.
pub(super) const TEXT_BYTES: usize = 512;

/// The most groups of a principal, and the most roles. A directory with more in a token should send only
/// those that matter.
pub(super) const TEXTS: usize = 512;

/// The most verified tokens that are cached: enough for every user of a large Open WebUI, with one token
/// each.
pub(super) const CACHED_TOKENS: usize = 16 * 1024;

/// The most API keys of one listener. Each request is compared with all of them.
pub(super) const API_KEYS: usize = 1024;

/// The shortest API key, in bytes, before it is hashed. The hashes have no salt, so a key must not be
/// guessable.
pub(super) const API_KEY_BYTES: usize = 24;

/// The shortest secret that signs with HS256, in bytes: "A key of the same size as the hash output (for
/// instance, 256 bits for "HS256") or larger MUST be used" (RFC 7518, section 3.2). It is also the
/// recommended length of connection keys.
pub(super) const SECRET_BYTES: usize = 32;

/// The most secrets that are valid at once, and the most connection keys. Two are enough while one is
/// replaced. A signature that matches none of them is checked against each.
pub(super) const SECRETS: usize = 8;

/// How much clocks may differ, unless configured.
pub(super) const LEEWAY: Duration = Duration::from_secs(60);

/// How much clocks may differ at most. With more, short-lived tokens would live long.
pub(super) const LEEWAY_AT_MOST: Duration = Duration::from_secs(600);

/// How long a statement of Open WebUI that has expired is still accepted within its session, unless
/// configured. One turn of a chat has one statement of five minutes, and may take longer.
pub(super) const SESSION_LEEWAY: Duration = Duration::from_secs(3600);

/// The longest that this can be configured to: a day.
pub(super) const SESSION_LEEWAY_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// The longest set of an authorization server's keys (a JWK set), in bytes. Large ones have some ten
/// thousand, with a certificate for each key.
pub(super) const JWKS_BYTES: usize = 256 * 1024;

/// The most keys of an authorization server. A dozen is many.
pub(super) const JWKS_KEYS: usize = 128;

/// How long an authorization server may take to send its keys. Requests with an unknown key wait for it.
pub(super) const JWKS_TIME: Duration = Duration::from_secs(5);

/// How often keys are fetched without a special reason. A withdrawn key stays valid for as long.
pub(super) const JWKS_AGE: Duration = Duration::from_secs(600);

/// The shortest time between two fetches that are caused by tokens with an unknown key. So nobody can make
/// the gateway fetch more often by inventing keys.
pub(super) const JWKS_REST: Duration = Duration::from_secs(30);

/// The pause before keys that could not be read are fetched again. It doubles each time, up to the time
/// above.
pub(super) const JWKS_AGAIN: Duration = Duration::from_secs(1);

/// The most names in one list of the file that says which tokens are accepted: audiences, scopes,
/// authorization servers.
pub(super) const JWT_NAMES: usize = 64;
