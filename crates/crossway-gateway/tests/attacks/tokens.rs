//! Tokens that are none, or not for here.

use std::fs;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::ask::{Answer, LIST, call, post};
use super::issued::issuer::{AUDIENCE, ISSUER, SigningKey, access, jwks};
use super::issued::server::Server;
use super::issued::{KEY, SECRET, encode, hmac_sha256, hs256, statement, token, unix, with, without};
use super::serving;
use super::support::{CROSSWAY, INITIALIZE, Serving};

/// What stands behind the identity in each config here.
fn rest() -> String {
    format!(
        "upstreams:\n  demo: {{ command: \"{CROSSWAY}\", args: [demo, --stdio], scope: tenant }}\n\
         tenants:\n  all: {{ everyone: true }}\ngrants:\n  - {{ tenant: all, upstream: demo, tools: [echo] }}\n"
    )
}

/// A gateway that takes tokens of this key, by these algorithms.
fn gateway(dir: &tempfile::TempDir, keys: &[&SigningKey], algorithms: &str) -> Serving {
    fs::write(dir.path().join("jwks.json"), jwks(keys).to_string()).unwrap();
    let identity = format!(
        "identity: {{ proof: jwt, issuer: \"{ISSUER}\", audience: [\"{AUDIENCE}\"], jwks_file: jwks.json, \
         resource: \"https://gateway.example\", algorithms: [{algorithms}] }}\n"
    );
    serving(dir, &format!("{identity}{}", rest()))
}

fn alice() -> Value {
    access("alice", SystemTime::now())
}

/// What a token gets.
fn with_token(serving: &Serving, token: &str) -> Answer {
    post("/mcp", INITIALIZE).bearer(token).send(serving)
}

/// That a token is refused as one that is none, and nothing is told of why.
#[track_caller]
fn assert_invalid(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.head.contains("error=\"invalid_token\""), "{}", answer.head);
    assert!(!answer.body.contains("signature") && !answer.body.contains("algorithm"), "{}", answer.body);
}

#[test]
fn a_forged_token_is_refused() {
    let (key, stranger) = (SigningKey::p256("a"), SigningKey::p256("a"));
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &[&key], "ES256");
    let good = key.sign(&alice());
    assert_eq!(with_token(&serving, &good).status, 200);
    let parts: Vec<&str> = good.split('.').collect();
    let root = encode(access("root", SystemTime::now()).to_string());
    for forged in [
        stranger.sign(&alice()),
        format!("{}.{root}.{}", parts[0], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], encode([0; 64])),
        format!("{}.{}.", parts[0], parts[1]),
    ] {
        assert_invalid(&with_token(&serving, &forged));
    }
    // The true one was seen, and its remembered verdict is of it alone.
    assert_eq!(with_token(&serving, &good).status, 200);
}

#[test]
fn an_expired_token_is_refused() {
    let key = SigningKey::ed25519("a");
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &[&key], "EdDSA");
    let now = unix(SystemTime::now());
    let expired = with_token(&serving, &key.sign(&with(alice(), "exp", now - 61)));
    assert_invalid(&expired);
    assert!(expired.body.contains("has expired; get a new one"), "{}", expired.body);
    for claims in [with(alice(), "nbf", now + 3600), without(alice(), "exp"), with(alice(), "exp", "never")] {
        assert_invalid(&with_token(&serving, &key.sign(&claims)));
    }
}

#[test]
fn a_token_for_another_audience_or_of_another_issuer_is_refused() {
    let key = SigningKey::p256("a");
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &[&key], "ES256");
    for audience in [
        json!("https://other.example/mcp"),
        json!([]),
        json!(format!("{AUDIENCE}/")),
        json!("https://GATEWAY.example/mcp"),
    ] {
        assert_invalid(&with_token(&serving, &key.sign(&with(alice(), "aud", audience))));
    }
    assert_invalid(&with_token(&serving, &key.sign(&without(alice(), "aud"))));
    for issuer in ["https://login.example/realms/globex", "https://login.example/realms/acme/"] {
        assert_invalid(&with_token(&serving, &key.sign(&with(alice(), "iss", issuer))));
    }
}

#[test]
fn a_token_that_nobody_signed_is_refused() {
    let key = SigningKey::p256("a");
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &[&key], "ES256");
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": algorithm, "kid": "a" });
        assert_invalid(&with_token(&serving, &token(&header, &alice(), |_| Vec::new())));
        assert_invalid(&with_token(&serving, &key.sign_by(&header, &alice())));
    }
}

#[test]
fn a_token_by_an_algorithm_that_is_not_configured_is_refused() {
    let (rsa, ec) = (SigningKey::rsa("a"), SigningKey::p256("b"));
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &[&rsa, &ec], "RS256");
    assert_eq!(with_token(&serving, &rsa.sign(&alice())).status, 200);
    assert_invalid(&with_token(&serving, &ec.sign(&alice())));
    for algorithm in ["RS384", "RS512", "PS256", "ES256", "EdDSA", "HS256", "RS1"] {
        assert_invalid(&with_token(
            &serving,
            &rsa.sign_by(&json!({ "alg": algorithm, "kid": "a" }), &alice()),
        ));
    }
}

#[test]
fn a_public_key_as_the_secret_of_an_hmac_signs_nothing() {
    let rsa = SigningKey::rsa("a");
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &[&rsa], "RS256, PS256");
    let jwk = rsa.jwk();
    let secrets = [
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        jwk.to_string().into_bytes(),
        fs::read(dir.path().join("jwks.json")).unwrap(),
        Vec::new(),
    ];
    for secret in secrets {
        for algorithm in ["HS256", "RS256"] {
            let header = json!({ "alg": algorithm, "kid": "a" });
            assert_invalid(&with_token(
                &serving,
                &token(&header, &alice(), |message| hmac_sha256(message, &secret)),
            ));
        }
    }
}

#[test]
fn a_key_that_a_token_brings_or_names_is_not_used_and_nobody_is_asked_for_it() {
    let (key, stranger) = (SigningKey::p256("a"), SigningKey::p256("b"));
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &[&key], "ES256");
    let server = Server::saying(&jwks(&[&stranger]).to_string());
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jku", json!(server.url("/jwks"))),
        ("x5u", json!(server.url("/chain"))),
        ("kid", json!("../../jwks.json")),
        ("kid", json!("' OR 1=1")),
    ] {
        for id in ["a", "b"] {
            let mut header = json!({ "alg": "ES256", "kid": id });
            header[name] = value.clone();
            assert_invalid(&with_token(&serving, &stranger.sign_by(&header, &alice())));
        }
    }
    assert!(server.paths().is_empty());
}

#[test]
fn keys_from_behind_a_redirect_are_not_taken() {
    let (key, stranger) = (SigningKey::p256("a"), SigningKey::p256("b"));
    let elsewhere = Server::saying(&jwks(&[&stranger]).to_string());
    let server = Server::saying(&jwks(&[&key]).to_string());
    let dir = tempfile::tempdir().unwrap();
    let serving = serving(
        &dir,
        &format!(
            "identity: {{ proof: jwt, issuer: \"{ISSUER}\", audience: [\"{AUDIENCE}\"], jwks_url: \"{}\" }}\n{}",
            server.url("/keys"),
            rest()
        ),
    );
    assert_eq!(with_token(&serving, &key.sign(&alice())).status, 200);
    server.say(302, &format!("Location: {}\r\n", elsewhere.url("/")), "");
    assert_eq!(with_token(&serving, &stranger.sign(&alice())).status, 401);
    assert_eq!(with_token(&serving, &key.sign(&alice())).status, 200);
    assert!(elsewhere.paths().is_empty());
    assert_eq!(server.paths().len(), 2);
}

#[test]
fn a_statement_of_open_webui_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let identity = format!(
        "identity: {{ proof: open-webui-jwt, secret: \"{SECRET}\", connection_key: \"{KEY}\", anonymous: false }}\n"
    );
    let serving = serving(&dir, &format!("{identity}{}", rest()));
    let now = SystemTime::now();
    let said = |key: &str, statement: &str| {
        post("/mcp", INITIALIZE).bearer(key).with("X-OpenWebUI-User-Jwt", statement).send(&serving)
    };
    let good = hs256(&statement("alice", now), SECRET.as_bytes());
    assert_eq!(said(KEY, &good).status, 200);
    let signed_by_nobody =
        |algorithm: &str| token(&json!({ "alg": algorithm }), &statement("alice", now), |_| Vec::new());
    for bad in [
        hs256(&statement("alice", now), b"another-secret-with-32-bytes-or-more"),
        hs256(&statement("alice", now), b""),
        hs256(&with(statement("alice", now), "iss", "somebody-else"), SECRET.as_bytes()),
        hs256(&with(statement("alice", now), "exp", unix(now) - 61), SECRET.as_bytes()),
        hs256(&without(statement("alice", now), "exp"), SECRET.as_bytes()),
        signed_by_nobody("none"),
        signed_by_nobody("HS256"),
        token(&json!({ "alg": "HS512" }), &statement("alice", now), |m| hmac_sha256(m, SECRET.as_bytes())),
        SigningKey::rsa("a").sign(&statement("alice", now)),
    ] {
        let answer = said(KEY, &bad);
        assert_eq!(answer.status, 401, "{}", answer.body);
    }
    // The statement without the connection's key, and with another.
    assert_eq!(post("/mcp", INITIALIZE).with("X-OpenWebUI-User-Jwt", &good).send(&serving).status, 401);
    assert_eq!(said("another-key-0123456789abcdef0123456789ab", &good).status, 401);
}

#[test]
fn a_token_in_the_url_or_in_the_body_is_none() {
    let key = SigningKey::p256("a");
    let dir = tempfile::tempdir().unwrap();
    let serving = gateway(&dir, &[&key], "ES256");
    let token = key.sign(&alice());
    assert_eq!(post(&format!("/mcp?access_token={token}"), LIST).send(&serving).status, 401);
    let in_body = call("/mcp", "demo__echo", json!({ "message": "hi", "access_token": token }));
    assert_eq!(in_body.send(&serving).status, 401);
}
