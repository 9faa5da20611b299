//! Config types of the proofs of identity.

use std::collections::BTreeMap;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::jwt::JwtConfig;
use super::limits;
use super::text::text_or_none;
use crate::secret::Secrets;

/// How callers prove who they are: one proof, which every request has to give. The proofs are in order, from
/// the strongest to none.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "proof")]
#[non_exhaustive]
pub enum IdentityConfig {
    /// `jwt`: an access token of an authorization server, as bearer.
    #[serde(rename = "jwt")]
    Jwt(JwtConfig),
    /// `open-webui-jwt`: the token that Open WebUI signs about its user, and the key of its connection.
    #[serde(rename = "open-webui-jwt")]
    OpenWebUiJwt(OpenWebUiJwtConfig),
    /// `headers`: plain headers about a user, from behind a fence.
    #[serde(rename = "headers")]
    Headers(HeadersConfig),
    /// `api-keys`: keys, each of which stands for a caller.
    #[serde(rename = "api-keys")]
    ApiKeys(ApiKeysConfig),
    /// `none`: everybody is anonymous, sees what is granted to `anonymous`, and can call nothing.
    #[serde(rename = "none")]
    None(NoneConfig),
}

/// No proof. Callers see what is granted to `anonymous`, and can call nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoneConfig {}

/// What Open WebUI signs about its user (`X-OpenWebUI-User-Jwt`), and the key of its connection as bearer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenWebUiJwtConfig {
    /// The secret that Open WebUI signs with: its `FORWARD_USER_INFO_HEADER_JWT_SECRET`. It should have 32
    /// random bytes or more; fewer cause a warning. While it is replaced, a list of the old one and the new
    /// one.
    pub secret: Secrets,
    /// The key of the connection in Open WebUI, which is sent as bearer token. While it is replaced, a list
    /// of the old one and the new one.
    pub connection_key: Secrets,
    /// How much clocks may differ, in seconds: 60 by default, 600 at most.
    #[serde(default = "leeway")]
    pub leeway_seconds: u64,
    /// How long after its expiry a statement is still accepted within an open session, in seconds: 3600 by
    /// default, a day at most. Open WebUI signs once a turn, and a turn may take longer than the five minutes
    /// of its statement.
    #[serde(default = "session_leeway")]
    pub session_leeway_seconds: u64,
    /// Whether requests with the key but without a user are let in as anonymous. Open WebUI checks
    /// connections with such requests.
    #[serde(default = "yes")]
    pub anonymous: bool,
}

/// Plain headers about a user. Anybody who can send them can claim to be anybody, so they count only from
/// behind a fence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadersConfig {
    /// Where the headers have to come from.
    pub fence: FenceConfig,
    /// The names of the headers; by default, those of Open WebUI.
    #[serde(default)]
    pub names: HeaderNames,
    /// The issuer of these identities.
    #[serde(default = "open_webui")]
    pub issuer: String,
    /// Whether requests from behind the fence but without a user are let in as anonymous. Open WebUI checks
    /// connections with such requests.
    #[serde(default = "yes")]
    pub anonymous: bool,
}

/// What a connection needs before its headers are believed: the key, and one of the other two.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FenceConfig {
    /// The key of the connection, which is sent as bearer token. While it is replaced, a list of the old one
    /// and the new one.
    pub connection_key: Secrets,
    /// The networks (`10.0.0.0/8`) and addresses from which connections may come.
    #[serde(default, deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub networks: Vec<IpNet>,
    /// The client certificates that are accepted, by the SHA-256 of their DER in hexadecimal digits. TLS has
    /// to verify them too.
    #[serde(default)]
    pub client_certificates: Vec<Sha256>,
}

/// The names of plain headers about a user. `null`: none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderNames {
    /// The user's id, which becomes the subject. Without one, the e-mail address becomes it.
    #[serde(deserialize_with = "text_or_none")]
    pub id: Option<String>,
    /// The e-mail address.
    #[serde(deserialize_with = "text_or_none")]
    pub email: Option<String>,
    /// The name for people, percent-encoded.
    #[serde(deserialize_with = "text_or_none")]
    pub name: Option<String>,
    /// The role.
    #[serde(deserialize_with = "text_or_none")]
    pub role: Option<String>,
    /// The groups, separated by commas. A group with a comma in its name counts as two.
    #[serde(deserialize_with = "text_or_none")]
    pub groups: Option<String>,
}

impl Default for HeaderNames {
    fn default() -> Self {
        Self {
            id: Some("X-OpenWebUI-User-Id".to_owned()),
            email: Some("X-OpenWebUI-User-Email".to_owned()),
            name: Some("X-OpenWebUI-User-Name".to_owned()),
            role: Some("X-OpenWebUI-User-Role".to_owned()),
            groups: None,
        }
    }
}

/// Keys, each of which stands for a caller. They are sent as bearer token, or in `X-API-Key`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeysConfig {
    /// The keys.
    pub keys: Vec<ApiKeyConfig>,
    /// The issuer of these identities.
    #[serde(default = "api_keys")]
    pub issuer: String,
    /// Whether requests without a key are let in as anonymous.
    #[serde(default)]
    pub anonymous: bool,
}

/// A key, and the caller that it stands for.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyConfig {
    /// The SHA-256 of the key in hexadecimal digits. The key itself is stored nowhere.
    pub sha256: Sha256,
    /// The subject of the caller. Several keys may stand for one caller, which allows to replace a key.
    pub subject: String,
    /// The e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// The name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// The groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Further claims, for rules.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
}

/// A SHA-256, in hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Sha256(pub [u8; 32]);

/// The error for a text that is not a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 hexadecimal digits; of an API key, `printf %s KEY | sha256sum` prints it")]
#[non_exhaustive]
pub struct NotSha256;

impl TryFrom<String> for Sha256 {
    type Error = NotSha256;

    fn try_from(text: String) -> Result<Self, NotSha256> {
        let digits = text.as_bytes();
        let mut sum = [0; 32];
        if digits.len() != 64 {
            return Err(NotSha256);
        }
        for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
            let nibble = |digit: u8| char::from(digit).to_digit(16);
            let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else { return Err(NotSha256) };
            *byte = u8::try_from(high * 16 + low).map_err(|_| NotSha256)?;
        }
        Ok(Self(sum))
    }
}

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Sha256 {
    /// Shows the first two bytes only, enough to tell two sums apart.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sha256({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

impl JsonSchema for Sha256 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sha256".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9a-fA-F]{64}$",
            "description": "a SHA-256 in hexadecimal digits"
        })
    }
}

/// Reads networks. A single address is a network of one.
fn networks<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    /// A single network, so that an error points at the faulty one.
    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct Network(IpNet);

    impl TryFrom<String> for Network {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            let network = text.parse::<IpNet>().ok();
            let network = network.or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
            network.map(Self).ok_or_else(|| {
                format!("{text:?} is no network; one is written as 10.0.0.0/8, fd00::/8 or 10.0.0.7")
            })
        }
    }

    Ok(Vec::<Network>::deserialize(deserializer)?.into_iter().map(|network| network.0).collect())
}

fn leeway() -> u64 {
    limits::LEEWAY.as_secs()
}

fn session_leeway() -> u64 {
    limits::SESSION_LEEWAY.as_secs()
}

fn open_webui() -> String {
    "open-webui".to_owned()
}

fn api_keys() -> String {
    "api-keys".to_owned()
}

fn yes() -> bool {
    true
}
