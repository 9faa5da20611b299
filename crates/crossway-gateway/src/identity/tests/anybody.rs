use http::header::AUTHORIZATION;
use serde_json::json;

use super::*;
use crate::identity::IdentityWarning;

#[test]
fn without_a_proof_everybody_is_anonymous() {
    let file = json!({ "proof": "none" });
    assert_eq!(subject(check(&identity(&file), post("/mcp"))), "anonymous");
    assert_eq!(config(&file).warnings(), [IdentityWarning::NoProof]);
}

#[test]
fn without_a_proof_nothing_is_taken_for_one() {
    let edge = identity(&json!({ "proof": "none" }));
    for name in
        ["authorization", "x-openwebui-user-jwt", "x-openwebui-user-email", "x-user-email", "x-api-key"]
    {
        assert_eq!(reason(check(&edge, post("/mcp").header(name, "Bearer x"))), "foreign", "{name}");
    }
    assert_eq!(reason(check(&edge, post("/mcp").header("x_user_email", "a@b"))), "look_alike");
}

#[test]
fn a_proof_that_there_is_not_and_fields_that_there_are_not_are_refused() {
    for file in [json!({ "proof": "jwt2" }), json!({}), json!({ "proof": "none", "secret": "x" })] {
        assert!(serde_json::from_value::<IdentityConfig>(file.clone()).is_err(), "{file}");
    }
}

#[test]
fn every_header_that_says_who_calls_is_taken_away() {
    let edge = identity(&json!({ "proof": "none" }));
    let mut request = parts(
        post("/mcp")
            .header(AUTHORIZATION, "Bearer x")
            .header("cookie", "token=x")
            .header("x-openwebui-user-jwt", "x")
            .header("x-openwebui-user-email", "x")
            .header("x-forwarded-user", "x")
            .header("x-openwebui-chat-id", "kept")
            .header("accept", "kept"),
    );
    edge.strip(&mut request.headers);
    let mut left: Vec<_> = request.headers.keys().map(http::HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["accept", "x-openwebui-chat-id"]);
}
