use std::path::Path;

use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::tokens::issuer::{AUDIENCE, ISSUER, SigningKey, access, jwks};
use super::tokens::{after, encode, hmac_sha256, token, unix, with, without};
use super::*;
use crate::identity::IdentityError;

/// An edge with keys in a file, and the config that made it changed by `change`.
fn edge_with(keys: &Value, change: impl FnOnce(&mut Value)) -> Result<Identity, IdentityError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, keys.to_string()).unwrap();
    let mut json = json!({
        "proof": "jwt", "issuer": ISSUER, "audience": [AUDIENCE], "jwks_file": file,
        "claims": { "roles": "/realm_access/roles", "keep": ["org"] },
    });
    change(&mut json);
    Identity::new(&config(&json))
}

fn edge(keys: &[&SigningKey]) -> Identity {
    edge_with(&jwks(keys), |_| {}).unwrap()
}

fn with_token(token: &str) -> Builder {
    post("/mcp").header(AUTHORIZATION, format!("Bearer {token}"))
}

fn alice() -> Value {
    access("alice", now())
}

#[test]
fn a_token_of_the_issuer_says_who_calls() {
    let key = SigningKey::p256("a");
    let caller = check(&edge(&[&key]), with_token(&key.sign(&alice()))).unwrap();
    let principal = caller.principal();
    assert_eq!((principal.issuer(), principal.subject()), (ISSUER, "alice"));
    assert_eq!((principal.email(), principal.name()), (Some("alice@acme.example"), Some("Ünï Test")));
    assert_eq!(principal.groups(), ["acme", "admins"]);
    assert_eq!(principal.roles(), ["user"]);
    assert_eq!(principal.claims().iter().collect::<Vec<_>>(), [(&"org".to_owned(), &json!("o1"))]);
    assert_eq!(principal.proof(), crossway_policy::Proof::Jwt);
}

#[test]
fn each_accepted_algorithm_verifies_its_own_signatures() {
    let (p256, p384, ed) = (SigningKey::p256("a"), SigningKey::p384("b"), SigningKey::ed25519("c"));
    let rsa = SigningKey::rsa("d");
    let all = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    let edge = edge_with(&jwks(&[&p256, &p384, &ed, &rsa]), |json| json["algorithms"] = json!(all)).unwrap();
    for key in [&p256, &p384, &ed] {
        assert_eq!(subject(check(&edge, with_token(&key.sign(&alice())))), "alice");
    }
    for algorithm in &all[..6] {
        let token = rsa.sign_by(&json!({ "alg": algorithm, "kid": "d" }), &alice());
        assert_eq!(subject(check(&edge, with_token(&token))), "alice", "{algorithm}");
        // The same signature as another algorithm's.
        let other = if *algorithm == "RS256" { "PS256" } else { "RS256" };
        let message = format!(
            "{}.{}",
            encode(json!({ "alg": other, "kid": "d" }).to_string()),
            encode(alice().to_string())
        );
        let forged = format!("{message}.{}", token.rsplit_once('.').unwrap().1);
        assert_eq!(reason(check(&edge, with_token(&forged))), "signature", "{algorithm}");
    }
}

#[test]
fn a_token_of_another_key_or_with_other_claims_is_refused() {
    let (key, stranger) = (SigningKey::p256("a"), SigningKey::p256("a"));
    let edge = edge(&[&key]);
    assert_eq!(reason(check(&edge, with_token(&stranger.sign(&alice())))), "signature");
    let token = key.sign(&alice());
    let parts: Vec<&str> = token.split('.').collect();
    let forged = format!("{}.{}.{}", parts[0], encode(access("root", now()).to_string()), parts[2]);
    assert_eq!(reason(check(&edge, with_token(&forged))), "signature");
    for broken in ["a.b", "a.b.c", "..", "a", &format!("{}.{}.", parts[0], parts[1])] {
        let refusal = check(&edge, with_token(broken)).unwrap_err();
        assert_eq!(refusal.status().as_u16(), 401, "{broken}");
    }
}

#[test]
fn an_algorithm_that_is_not_accepted_is_refused_whatever_signs() {
    let (rsa, ec) = (SigningKey::rsa("a"), SigningKey::p256("b"));
    let edge = edge_with(&jwks(&[&rsa, &ec]), |json| json["algorithms"] = json!(["RS256"])).unwrap();
    for header in [json!({ "alg": "none" }), json!({ "alg": "None", "kid": "a" }), json!({ "alg": "" })] {
        let unsigned = token(&header, &alice(), |_| Vec::new());
        assert_eq!(reason(check(&edge, with_token(&unsigned))), "algorithm", "{header}");
    }
    assert_eq!(reason(check(&edge, with_token(&ec.sign(&alice())))), "algorithm");
    let other = rsa.sign_by(&json!({ "alg": "RS512", "kid": "a" }), &alice());
    assert_eq!(reason(check(&edge, with_token(&other))), "algorithm");
}

#[test]
fn a_public_key_is_no_secret_of_an_hmac() {
    let rsa = SigningKey::rsa("a");
    let edge = edge(&[&rsa]);
    let jwk = rsa.jwk();
    let modulus = jwk["n"].as_str().unwrap();
    for secret in
        [modulus.as_bytes().to_vec(), jwk.to_string().into_bytes(), jwks(&[&rsa]).to_string().into_bytes()]
    {
        let header = json!({ "alg": "HS256", "kid": "a" });
        let forged = token(&header, &alice(), |message| hmac_sha256(message, &secret));
        assert_eq!(reason(check(&edge, with_token(&forged))), "algorithm");
    }
    // Nor is a secret among the keys one that verifies.
    let secret =
        json!({ "kty": "oct", "kid": "s", "k": encode("a-secret-that-everybody-knows"), "alg": "HS256" });
    let refused = edge_with(&json!({ "keys": [secret] }), |_| {}).unwrap_err();
    assert!(matches!(refused, IdentityError::Keys { .. }), "{refused}");
    let wanted = serde_json::from_value::<IdentityConfig>(json!({
        "proof": "jwt", "issuer": "i", "audience": ["a"], "jwks_file": "f", "algorithms": ["HS256"]
    }));
    assert!(wanted.is_err());
}

#[test]
fn a_key_that_a_token_brings_along_is_not_looked_at() {
    let (key, stranger) = (SigningKey::p256("a"), SigningKey::p256("a"));
    let edge = edge(&[&key]);
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jku", json!("http://127.0.0.1:1/jwks")),
        ("x5u", json!("http://127.0.0.1:1/chain.pem")),
    ] {
        let mut header = json!({ "alg": "ES256", "kid": "a" });
        header[name] = value;
        assert_eq!(
            reason(check(&edge, with_token(&stranger.sign_by(&header, &alice())))),
            "signature",
            "{name}"
        );
    }
}

#[test]
fn a_token_counts_for_its_audience_and_of_its_issuer_and_in_its_time() {
    let key = SigningKey::ed25519("a");
    let edge = edge(&[&key]);
    let why = |claims: Value| reason(check(&edge, with_token(&key.sign(&claims))));
    for audience in [
        json!("https://other.example"),
        json!([]),
        json!(["account"]),
        json!(7),
        json!(format!("{AUDIENCE}/")),
    ] {
        assert_eq!(why(with(alice(), "aud", audience.clone())), "audience", "{audience}");
    }
    assert_eq!(why(without(alice(), "aud")), "audience");
    for issuer in [json!("https://login.example/realms/globex"), json!(format!("{ISSUER}/")), json!([ISSUER])]
    {
        assert_eq!(why(with(alice(), "iss", issuer.clone())), "issuer", "{issuer}");
    }
    assert_eq!(why(without(alice(), "exp")), "claim");
    assert_eq!(why(with(alice(), "exp", "soon")), "claim");
    assert_eq!(why(with(alice(), "exp", unix(now()) - 60)), "expired");
    assert_eq!(why(with(alice(), "nbf", unix(now()) + 61)), "not_yet_valid");
    let as_text = key.sign(&with(alice(), "aud", AUDIENCE));
    assert_eq!(subject(check(&edge, with_token(&as_text))), "alice");
    let just_over = key.sign(&with(alice(), "exp", unix(now()) - 59));
    assert_eq!(subject(check(&edge, with_token(&just_over))), "alice");
}

#[test]
fn a_token_that_was_verified_expires_all_the_same() {
    let key = SigningKey::p256("a");
    let edge = edge(&[&key]);
    let token = key.sign(&alice());
    let at = |seconds| edge.check(&parts(with_token(&token)), &Connection::default(), after(now(), seconds));
    assert_eq!(subject(at(0)), "alice");
    assert_eq!(subject(at(359)), "alice");
    let refusal = at(360).unwrap_err();
    assert!(refusal.message().contains("has expired"), "{}", refusal.message());
}

#[test]
fn a_token_of_another_kind_is_no_access_token() {
    let key = SigningKey::p256("a");
    let edge = edge(&[&key]);
    let signed = |kind: &str| key.sign_by(&json!({ "alg": "ES256", "kid": "a", "typ": kind }), &alice());
    for kind in ["JWT", "jwt", "at+JWT", "application/at+jwt"] {
        assert_eq!(subject(check(&edge, with_token(&signed(kind)))), "alice", "{kind}");
    }
    for kind in ["logout+jwt", "dpop+jwt", "secevent+jwt", ""] {
        assert_eq!(reason(check(&edge, with_token(&signed(kind)))), "not_a_token", "{kind}");
    }
}

#[test]
fn claims_that_say_nothing_clear_of_the_caller_let_nobody_in() {
    let key = SigningKey::p256("a");
    let edge = edge(&[&key]);
    let why = |claims: Value| reason(check(&edge, with_token(&key.sign(&claims))));
    for subject in [json!(""), json!("a\u{0}"), json!("\u{202e}ecila"), json!("a".repeat(513))] {
        assert_eq!(why(with(alice(), "sub", subject.clone())), "claim", "{subject}");
    }
    for groups in [json!([7]), json!({ "a": 1 }), json!([["a"]]), json!(vec!["g"; 513]), json!(["a\u{200b}"])]
    {
        assert_eq!(why(with(alice(), "groups", groups.clone())), "claim", "{groups}");
    }
    assert_eq!(why(with(alice(), "email", "no address")), "claim");
    // These are no JWT to begin with (RFC 7519, section 4.1.2).
    for subject in [json!(7), json!(["alice"]), json!(null)] {
        let token = key.sign(&with(alice(), "sub", subject.clone()));
        assert_eq!(check(&edge, with_token(&token)).unwrap_err().status().as_u16(), 401, "{subject}");
    }
    let one_group = key.sign(&with(alice(), "groups", "acme"));
    let caller = check(&edge, with_token(&one_group)).unwrap();
    assert_eq!(caller.principal().groups(), ["acme"]);
}

#[test]
fn an_address_of_which_the_issuer_does_not_know_whose_it_is_is_not_taken() {
    let key = SigningKey::p256("a");
    let edge = edge(&[&key]);
    for verified in [json!(false), json!("false"), json!(null), json!(0)] {
        let token = key.sign(&with(alice(), "email_verified", verified.clone()));
        assert_eq!(check(&edge, with_token(&token)).unwrap().principal().email(), None, "{verified}");
    }
    let token = key.sign(&without(alice(), "email_verified"));
    assert_eq!(check(&edge, with_token(&token)).unwrap().principal().email(), Some("alice@acme.example"));
}

#[test]
fn a_token_without_a_scope_that_is_needed_is_told_which() {
    let key = SigningKey::p256("a");
    let edge = edge_with(&jwks(&[&key]), |json| json["scopes"] = json!(["mcp", "tools:call"])).unwrap();
    let refusal = check(&edge, with_token(&key.sign(&alice()))).unwrap_err();
    assert_eq!((refusal.reason(), refusal.status().as_u16()), ("lacks_scope", 403));
    // What is to be done first is to get another one.
    let over = key.sign(&with(alice(), "exp", json!(1)));
    assert_eq!(reason(check(&edge, with_token(&over))), "expired");
    for (name, value) in [("scope", json!("tools:call mcp")), ("scp", json!(["mcp", "tools:call"]))] {
        let claims = with(without(alice(), "scope"), name, value);
        assert_eq!(subject(check(&edge, with_token(&key.sign(&claims)))), "alice", "{name}");
    }
}

#[test]
fn what_belongs_to_another_proof_is_refused_beside_a_token() {
    let key = SigningKey::p256("a");
    let edge = edge(&[&key]);
    let token = key.sign(&alice());
    for name in ["x-openwebui-user-jwt", "x-openwebui-user-email", "x-user-email", "x-api-key"] {
        assert_eq!(reason(check(&edge, with_token(&token).header(name, "root"))), "foreign", "{name}");
    }
    let twice = with_token(&token).header(AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(reason(check(&edge, twice)), "twice");
    assert_eq!(reason(check(&edge, post("/mcp"))), "missing");
    assert_eq!(reason(check(&edge, post(&format!("/mcp?access_token={token}")))), "missing");
    let long = check(&edge, with_token(&"a".repeat(16 * 1024 + 1))).unwrap_err();
    assert_eq!(long.status().as_u16(), 431);
}

#[test]
fn a_config_that_can_not_be_meant_is_refused() {
    let key = SigningKey::p256("a");
    let set = jwks(&[&key]);
    let why = |change: fn(&mut Value)| edge_with(&set, change).unwrap_err().to_string();
    assert!(why(|json| json["audience"] = json!([])).contains("identity.audience is empty"));
    assert!(why(|json| json["algorithms"] = json!([])).contains("identity.algorithms is empty"));
    assert!(why(|json| json["algorithms"] = json!(["RS256"])).contains("none of its keys"));
    assert!(why(|json| json["jwks_url"] = json!("https://login.example/keys")).contains("one of jwks_file"));
    assert!(why(|json| json["resource"] = json!("https://gateway.example/mcp")).contains("without a path"));
    assert!(why(|json| json["scopes"] = json!(["a b"])).contains("is no scope"));
    assert!(why(|json| json["claims"]["subject"] = json!("")).contains("claims.subject is empty"));
    let no_url = why(|json| {
        json["issuer"] = json!("acme");
        json["resource"] = json!("https://gateway.example");
    });
    assert!(no_url.contains("\"acme\" is no URL"), "{no_url}");
    let missing = edge_with(&set, |json| json["jwks_file"] = json!("no/such/file")).unwrap_err();
    assert!(matches!(&missing, IdentityError::KeyFile { path, .. } if path == Path::new("no/such/file")));
    for url in [
        "http://login.example/keys",
        "ftp://127.0.0.1/",
        "keys.json",
        "https://u@login.example/",
        "http://127.0.0.1.example/",
    ] {
        let changed = edge_with(&set, |json| {
            json["jwks_file"] = Value::Null;
            json["jwks_url"] = json!(url);
        });
        assert!(matches!(changed.unwrap_err(), IdentityError::BadKeysUrl), "{url}");
    }
}
