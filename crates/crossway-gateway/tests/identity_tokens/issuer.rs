//! Authorization servers of tests: keys of each kind, and tokens that they have signed.

use std::time::SystemTime;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};

use super::{encode, token, unix};

/// Who has issued the tokens.
pub const ISSUER: &str = "https://login.example/realms/acme";
/// Whom they are for.
pub const AUDIENCE: &str = "https://gateway.example/mcp";

/// A key that signs, with the name that it has.
pub struct SigningKey {
    pub id: String,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair, &'static str),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    /// For ES256.
    pub fn p256(id: &str) -> Self {
        Self::ecdsa(id, &ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    /// For ES384.
    pub fn p384(id: &str) -> Self {
        Self::ecdsa(id, &ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    fn ecdsa(id: &str, algorithm: &'static EcdsaSigningAlgorithm, curve: &'static str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), pair: Pair::Ecdsa(pair, curve) }
    }

    /// For EdDSA.
    pub fn ed25519(id: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self { id: id.to_owned(), pair: Pair::Ed25519(pair) }
    }

    /// For RS256 and its like. It is always the same, for `ring` makes none; nothing but tests knows it.
    pub fn rsa(id: &str) -> Self {
        let pair = RsaKeyPair::from_pkcs8(include_bytes!("rsa.pk8")).unwrap();
        Self { id: id.to_owned(), pair: Pair::Rsa(Box::new(pair)) }
    }

    /// The public key, as a JWK set has it.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ecdsa(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
            Pair::Rsa(pair) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "n": encode(public.n), "e": encode(public.e) })
            }
        };
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token that it has signed, by its own algorithm.
    pub fn sign(&self, claims: &Value) -> String {
        let algorithm = match &self.pair {
            Pair::Ecdsa(_, "P-384") => "ES384",
            Pair::Ecdsa(..) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
            Pair::Rsa(_) => "RS256",
        };
        self.sign_by(&json!({ "alg": algorithm, "typ": "at+jwt", "kid": self.id }), claims)
    }

    /// A token with this header.
    pub fn sign_by(&self, header: &Value, claims: &Value) -> String {
        token(header, claims, |message| self.signature(message, header["alg"].as_str().unwrap_or_default()))
    }

    fn signature(&self, message: &[u8], algorithm: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        let pair = match &self.pair {
            Pair::Ecdsa(pair, _) => return pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => return pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => pair,
        };
        let by: &'static dyn RsaEncoding = match algorithm {
            "RS384" => &RSA_PKCS1_SHA384,
            "RS512" => &RSA_PKCS1_SHA512,
            "PS256" => &RSA_PSS_SHA256,
            "PS384" => &RSA_PSS_SHA384,
            "PS512" => &RSA_PSS_SHA512,
            _ => &RSA_PKCS1_SHA256,
        };
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(by, &random, message, &mut signature).unwrap();
        signature
    }
}

/// The set of some keys.
pub fn jwks(keys: &[&SigningKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

/// What an authorization server says of a user at a time.
pub fn access(subject: &str, now: SystemTime) -> Value {
    let now = unix(now);
    json!({
        "iss": ISSUER,
        "sub": subject,
        "aud": [AUDIENCE, "account"],
        "exp": now + 300,
        "iat": now,
        "jti": format!("{subject}-{now}"),
        "scope": "mcp offline_access",
        "email": format!("{subject}@Acme.Example"),
        "email_verified": true,
        "name": "Ünï Test",
        "groups": ["acme", "admins"],
        "realm_access": { "roles": ["user"] },
        "org": "o1",
    })
}
