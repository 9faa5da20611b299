//! Reads the `identity` section so that errors have a position.

use serde::{Deserialize, Deserializer};

use crate::identity::{
    ApiKeysConfig, HeadersConfig, IdentityConfig, JwtConfig, NoneConfig, OpenWebUiJwtConfig,
};

/// [`IdentityConfig`] by the word that it has under `proof`.
#[derive(Deserialize)]
#[serde(remote = "IdentityConfig", rename = "$crossway::tagged by proof")]
enum ByProof {
    #[serde(rename = "jwt")]
    Jwt(JwtConfig),
    #[serde(rename = "open-webui-jwt")]
    OpenWebUiJwt(OpenWebUiJwtConfig),
    #[serde(rename = "headers")]
    Headers(HeadersConfig),
    #[serde(rename = "api-keys")]
    ApiKeys(ApiKeysConfig),
    #[serde(rename = "none")]
    None(NoneConfig),
}

/// Reads what stands under `identity`.
pub(super) fn by_proof<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<IdentityConfig>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Proven(#[serde(with = "ByProof")] IdentityConfig);
    Ok(Option::<Proven>::deserialize(deserializer)?.map(|Proven(config)| config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read::TAGGED;

    #[test]
    fn the_reader_knows_the_name_of_what_is_tagged() {
        assert_eq!(format!("{TAGGED}proof"), "$crossway::tagged by proof");
    }

    #[test]
    fn the_words_are_those_of_the_schema() {
        let schema = schemars::schema_for!(IdentityConfig).to_value();
        let words: Vec<_> = schema["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["properties"]["proof"]["const"].as_str().unwrap())
            .collect();
        assert_eq!(words, ["jwt", "open-webui-jwt", "headers", "api-keys", "none"]);
    }
}
