use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::*;
use crate::identity::{IdentityError, UnfitKey, hash_api_key};

const ONE: &str = "cw_1234567890123456789012345678";
const TWO: &str = "cw_abcdefghijklmnopqrstuvwxyz==";

fn file(anonymous: bool) -> Value {
    json!({
        "proof": "api-keys",
        "anonymous": anonymous,
        "keys": [
            { "sha256": hash_api_key(ONE).unwrap().to_string(), "subject": "ci", "groups": ["acme"] },
            {
                "sha256": hash_api_key(TWO).unwrap().to_string().to_uppercase(),
                "subject": "bob",
                "email": "bob@Acme.Example",
                "claims": { "org": "acme" }
            },
        ],
    })
}

#[test]
fn a_key_is_who_it_stands_for() {
    let edge = identity(&file(false));
    let caller = check(&edge, post("/mcp").header(AUTHORIZATION, format!("Bearer {ONE}"))).unwrap();
    let principal = caller.principal();
    assert_eq!((principal.issuer(), principal.subject()), ("api-keys", "ci"));
    assert_eq!(principal.groups(), ["acme"]);
    let caller = check(&edge, post("/mcp").header("x-api-key", TWO)).unwrap();
    let principal = caller.principal();
    assert_eq!((principal.subject(), principal.email()), ("bob", Some("bob@acme.example")));
    assert_eq!(principal.claim("org"), Some(&json!("acme")));
}

#[test]
fn any_other_key_is_nobody() {
    let edge = identity(&file(true));
    let one_off = format!("{}9", &ONE[..ONE.len() - 1]);
    let hash = hash_api_key(ONE).unwrap().to_string();
    for key in [one_off.as_str(), &ONE[1..], "x", &hash, &format!("{ONE}="), &ONE.to_uppercase()] {
        let refusal = check(&edge, post("/mcp").header(AUTHORIZATION, format!("Bearer {key}"))).unwrap_err();
        assert_eq!((refusal.reason(), refusal.status().as_u16()), ("unknown", 401), "{key}");
        assert!(!refusal.message().contains(key));
    }
}

#[test]
fn no_key_is_anonymous_only_where_that_is_wanted() {
    assert_eq!(subject(check(&identity(&file(true)), post("/mcp"))), "anonymous");
    let refusal = check(&identity(&file(false)), post("/mcp")).unwrap_err();
    assert_eq!(refusal.reason(), "missing");
    assert!(refusal.message().contains("API key"));
}

#[test]
fn two_keys_and_headers_of_other_proofs_are_refused() {
    let edge = identity(&file(true));
    let bearer = || post("/mcp").header(AUTHORIZATION, format!("Bearer {ONE}"));
    let both = check(&edge, bearer().header("x-api-key", ONE)).unwrap_err();
    assert_eq!((both.reason(), both.status().as_u16()), ("both", 400));
    assert_eq!(
        both.message(),
        "the headers authorization and x-api-key both say who calls; send one of them"
    );
    assert_eq!(reason(check(&edge, bearer().header(AUTHORIZATION, format!("Bearer {ONE}")))), "twice");
    assert_eq!(reason(check(&edge, bearer().header("x-openwebui-user-jwt", "a.b.c"))), "foreign");
    assert_eq!(reason(check(&edge, post("/mcp").header("x-openwebui-user-email", "a@b"))), "foreign");
    assert_eq!(reason(check(&edge, post("/mcp").header("x-api-key", ""))), "malformed");
    assert_eq!(reason(check(&edge, post("/mcp").header("x-api-key", "a".repeat(1025)))), "too_long");
}

#[test]
fn keys_that_can_be_guessed_are_not_hashed() {
    assert_eq!(hash_api_key("hunter2"), Err(UnfitKey::Short));
    assert_eq!(hash_api_key(&"a".repeat(1025)), Err(UnfitKey::Long));
    assert_eq!(hash_api_key("a key with spaces in between"), Err(UnfitKey::Characters));
    assert_eq!(
        hash_api_key("aaaaaaaaaaaaaaaaaaaaaaaa").unwrap().to_string(),
        // printf %s aaaaaaaaaaaaaaaaaaaaaaaa | sha256sum
        "09f61f8d9cd65e6a0c258087c485b6293541364e42bd97b2d7936580c8aa3c54"
    );
}

#[test]
fn what_the_file_says_is_checked() {
    let build = |change: fn(&mut Value)| {
        let mut file = file(false);
        change(&mut file);
        Identity::new(&config(&file))
    };
    let twice = build(|file| file["keys"][1]["sha256"] = file["keys"][0]["sha256"].clone());
    assert!(matches!(twice, Err(IdentityError::KeyTwice(1))));
    let nobody = build(|file| file["keys"][1]["subject"] = json!(""));
    assert!(matches!(nobody, Err(IdentityError::KeyOfNobody { index: 1, field: "subject" })));
    let bad = build(|file| file["keys"][0]["groups"] = json!(["a\u{0}"]));
    assert!(matches!(bad, Err(IdentityError::KeyOfNobody { index: 0, field: "groups" })));
    assert!(matches!(build(|file| file["issuer"] = json!("")), Err(IdentityError::Empty("issuer"))));
    for hash in ["", "12", &"g".repeat(64), &"ä".repeat(32)] {
        let mut file = file(false);
        file["keys"][0]["sha256"] = json!(hash);
        let error = serde_json::from_value::<IdentityConfig>(file).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
    }
}
