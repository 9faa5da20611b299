use http::header::AUTHORIZATION;
use serde_json::json;

use super::tokens::{KEY, SECRET, after, encode, hs256, statement, token, unix, with, without};
use super::*;
use crate::identity::{IdentityError, IdentityWarning};

const JWT: &str = "x-openwebui-user-jwt";

fn edge() -> Identity {
    identity(&json!({ "proof": "open-webui-jwt", "secret": SECRET, "connection_key": KEY }))
}

fn asking(path: &str) -> Builder {
    post(path).header(AUTHORIZATION, format!("Bearer {KEY}"))
}

fn alice() -> String {
    hs256(&statement("alice", now()), SECRET.as_bytes())
}

#[test]
fn a_signed_user_with_the_connection_key_is_who_open_webui_says() {
    let caller = check(&edge(), asking("/mcp").header(JWT, alice())).unwrap();
    let principal = caller.principal();
    assert_eq!((principal.issuer(), principal.subject()), ("open-webui", "alice"));
    assert_eq!(principal.email(), Some("alice@acme.example"));
    assert_eq!((principal.name(), principal.roles()), (Some("Ünï Test"), &["user".to_owned()][..]));
    assert_eq!(principal.proof(), crossway_policy::Proof::SignedHeader);
}

#[test]
fn the_key_alone_is_anonymous_where_that_is_wanted() {
    assert_eq!(subject(check(&edge(), asking("/mcp"))), "anonymous");
    let strict = json!({
        "proof": "open-webui-jwt", "secret": SECRET, "connection_key": KEY, "anonymous": false
    });
    let refusal = check(&identity(&strict), asking("/mcp")).unwrap_err();
    assert_eq!((refusal.reason(), refusal.status().as_u16()), ("missing", 401));
    assert!(refusal.message().contains("FORWARD_USER_INFO_HEADER_JWT_SECRET"));
}

#[test]
fn a_signed_user_without_the_key_is_nobody() {
    let edge = edge();
    assert_eq!(reason(check(&edge, post("/mcp").header(JWT, alice()))), "missing");
    let wrong = post("/mcp").header(JWT, alice()).header(AUTHORIZATION, format!("Bearer {KEY}x"));
    assert_eq!(reason(check(&edge, wrong)), "unknown");
    let basic = post("/mcp").header(JWT, alice()).header(AUTHORIZATION, format!("Basic {KEY}"));
    assert_eq!(reason(check(&edge, basic)), "not_bearer");
    let lower = post("/mcp").header(JWT, alice()).header(AUTHORIZATION, format!("bearer {KEY}"));
    assert_eq!(subject(check(&edge, lower)), "alice");
}

#[test]
fn a_user_whom_another_secret_has_signed_is_nobody() {
    let edge = edge();
    let forged = hs256(&statement("alice", now()), b"another-secret-with-32-bytes-or-more");
    assert_eq!(reason(check(&edge, asking("/mcp").header(JWT, forged))), "signature");
    let (message, signature) = alice().rsplit_once('.').map(|(m, s)| (m.to_owned(), s.to_owned())).unwrap();
    let changed = format!("{}.{signature}", message.replacen("ey", "ez", 1));
    assert_eq!(reason(check(&edge, asking("/mcp").header(JWT, changed))), "not_a_token");
    let unsigned = format!("{message}.");
    assert_eq!(reason(check(&edge, asking("/mcp").header(JWT, unsigned))), "signature");
}

#[test]
fn another_algorithm_than_hs256_is_refused() {
    for (algorithm, sign) in [("none", false), ("None", false), ("HS512", true), ("RS256", true), ("", false)]
    {
        let token = token(&json!({ "alg": algorithm }), &statement("alice", now()), |message| {
            if sign { super::tokens::hmac_sha256(message, SECRET.as_bytes()) } else { Vec::new() }
        });
        let got = reason(check(&edge(), asking("/mcp").header(JWT, token)));
        assert_eq!(got, "algorithm", "{algorithm:?}");
    }
}

#[test]
fn a_critical_extension_that_is_not_understood_makes_a_token_invalid() {
    let header = json!({ "alg": "HS256", "crit": ["b64"], "b64": false });
    let token = token(&header, &statement("alice", now()), |message| {
        super::tokens::hmac_sha256(message, SECRET.as_bytes())
    });
    assert_eq!(reason(check(&edge(), asking("/mcp").header(JWT, token))), "not_a_token");
}

#[test]
fn claims_have_to_be_there_and_of_their_form() {
    let claims = || statement("alice", now());
    let cases = [
        (with(claims(), "iss", "open-webui2"), "issuer"),
        (without(claims(), "iss"), "issuer"),
        (with(claims(), "iss", json!(["open-webui"])), "issuer"),
        (without(claims(), "exp"), "claim"),
        (with(claims(), "exp", "2099-01-01"), "claim"),
        (with(claims(), "exp", -1), "claim"),
        (with(claims(), "exp", 1e300), "claim"),
        (without(claims(), "sub"), "claim"),
        (with(claims(), "sub", ""), "claim"),
        (with(claims(), "sub", 7), "claim"),
        (with(claims(), "sub", "alice\0"), "claim"),
        (with(claims(), "sub", "\u{202e}ecila"), "claim"),
        (with(claims(), "sub", "a".repeat(513)), "claim"),
        (with(claims(), "email", "alice"), "claim"),
        (with(claims(), "email", "a@acme.example,b@globex.example"), "claim"),
        (with(claims(), "role", json!({})), "claim"),
        (with(claims(), "nbf", unix(now()) + 61), "not_yet_valid"),
        (with(claims(), "exp", unix(now()) - 60), "expired"),
    ];
    for (claims, want) in cases {
        let token = hs256(&claims, SECRET.as_bytes());
        assert_eq!(reason(check(&edge(), asking("/mcp").header(JWT, token))), want, "{claims}");
    }
}

#[test]
fn clocks_may_differ_and_names_may_be_odd() {
    let claims = || statement("alice", now());
    let cases = [
        with(claims(), "exp", unix(now()) - 59),
        with(claims(), "nbf", unix(now()) + 60),
        with(claims(), "exp", 1_800_000_300.5),
        with(claims(), "name", "a\u{0}b"),
        without(without(claims(), "name"), "email"),
        with(claims(), "email", ""),
    ];
    for claims in cases {
        let token = hs256(&claims, SECRET.as_bytes());
        assert_eq!(subject(check(&edge(), asking("/mcp").header(JWT, token))), "alice", "{claims}");
    }
}

#[test]
fn a_look_alike_is_somebody_else() {
    let token =
        hs256(&with(statement("alice", now()), "email", "\u{430}lice@\u{430}cme.example"), SECRET.as_bytes());
    let caller = check(&edge(), asking("/mcp").header(JWT, token)).unwrap();
    assert_eq!(caller.principal().email_domain(), Some("\u{430}cme.example"));
    assert_ne!(caller.principal().email_domain(), Some("acme.example"));
}

#[test]
fn an_expired_user_goes_on_within_a_session_alone() {
    let edge = edge();
    let token = alice();
    let at = |builder: Builder, seconds| {
        let request = parts(builder.header(JWT, &token));
        let checked = edge.check(&request, &Connection::default(), after(now(), seconds));
        checked.map(|_| "in").unwrap_or_else(|refusal| refusal.reason())
    };
    let session = |path| asking(path).header("mcp-session-id", "1234");
    assert_eq!(at(asking("/mcp"), 359), "in");
    assert_eq!(at(asking("/mcp"), 360), "expired");
    assert_eq!(at(session("/mcp"), 360), "in");
    assert_eq!(at(session("/github/mcp/"), 3959), "in");
    assert_eq!(at(session("/mcp"), 3960), "expired");
    assert_eq!(at(session("/mcp").header("mcp-protocol-version", "2025-11-25"), 360), "in");
    assert_eq!(at(asking("/github/message?sessionId=1234"), 360), "in");
    // What opens something, or is in no session whatever it says.
    assert_eq!(at(session("/mcp").header("mcp-protocol-version", "2026-07-28"), 360), "expired");
    assert_eq!(at(session("/mcp").header("mcp-protocol-version", "2099-01-01"), 360), "expired");
    let two = session("/mcp").header("mcp-protocol-version", "2025-11-25");
    assert_eq!(at(two.header("mcp-protocol-version", "2026-07-28"), 360), "expired");
    assert_eq!(at(session("/sse"), 360), "expired");
    assert_eq!(at(asking("/sse?sessionId=1234"), 360), "expired");
    assert_eq!(at(session("/github/create_issue"), 360), "expired");
    assert_eq!(at(asking("/message?session=1"), 360), "expired");
    // Tools of the OpenAPI face, whatever they are called.
    assert_eq!(at(asking("/acme/wiki/message?sessionId=1"), 360), "expired");
    assert_eq!(at(session("/acme/wiki/mcp"), 360), "expired");
    assert_eq!(at(asking("/openapi/wiki/message?sessionId=1"), 360), "expired");
}

#[test]
fn a_remembered_user_expires_like_a_new_one() {
    let edge = edge();
    let request = parts(asking("/mcp").header(JWT, alice()));
    let at = |seconds| edge.check(&request, &Connection::default(), after(now(), seconds));
    assert_eq!(subject(at(0)), "alice");
    assert_eq!(subject(at(359)), "alice");
    assert_eq!(reason(at(360)), "expired");
    assert_eq!(subject(at(0)), "alice");
}

#[test]
fn a_token_that_is_malformed_too_long_or_there_twice_is_refused() {
    let edge = edge();
    for bad in ["", " ", "a b", "é", "a,b", "=", "\u{9}"] {
        let request = asking("/mcp").header(JWT, http::HeaderValue::from_bytes(bad.as_bytes()).unwrap());
        assert_eq!(reason(check(&edge, request)), "malformed", "{bad:?}");
    }
    for bad in ["x", "a.b", "a.b.c", "a.b.c.d", "....", &encode("{}")] {
        assert_eq!(reason(check(&edge, asking("/mcp").header(JWT, bad))), "not_a_token", "{bad:?}");
    }
    let long = asking("/mcp").header(JWT, "a".repeat(16 * 1024 + 1));
    assert_eq!(reason(check(&edge, long)), "too_long");
    let twice = asking("/mcp").header(JWT, alice()).header("X-OpenWebUI-User-JWT", alice());
    assert_eq!(reason(check(&edge, twice)), "twice");
    let two_keys = asking("/mcp").header(AUTHORIZATION, format!("Bearer {KEY}")).header(JWT, alice());
    assert_eq!(reason(check(&edge, two_keys)), "twice");
}

#[test]
fn plain_headers_beside_a_signed_user_or_in_its_place_are_refused() {
    let edge = edge();
    for name in ["X-OpenWebUI-User-Email", "x-openwebui-user-id", "X-User-Email", "X-API-Key"] {
        let beside = asking("/mcp").header(JWT, alice()).header(name, "alice");
        assert_eq!(reason(check(&edge, beside)), "foreign", "{name}");
        let refusal = check(&edge, asking("/mcp").header(name, "alice")).unwrap_err();
        assert_eq!((refusal.reason(), refusal.status().as_u16()), ("foreign", 403), "{name}");
    }
    for name in ["x_openwebui_user_jwt", "X-OpenWebUI_User-Email", "x_api_key"] {
        assert_eq!(reason(check(&edge, asking("/mcp").header(name, "alice"))), "look_alike", "{name}");
    }
}

#[test]
fn while_a_secret_is_changed_the_old_one_and_the_new_one_count() {
    let (new_secret, new_key) =
        ("another-secret-with-32-bytes-or-more", "another-key-of-the-connection-0123456789");
    let edge = identity(&json!({
        "proof": "open-webui-jwt", "secret": [new_secret, SECRET], "connection_key": [KEY, new_key]
    }));
    for secret in [SECRET, new_secret] {
        for key in [KEY, new_key] {
            let signed = hs256(&statement("alice", now()), secret.as_bytes());
            let request = post("/mcp").header(AUTHORIZATION, format!("Bearer {key}")).header(JWT, signed);
            assert_eq!(subject(check(&edge, request)), "alice", "{secret} {key}");
        }
    }
    let forged = hs256(&statement("alice", now()), b"a-third-secret-with-32-bytes-or-more");
    assert_eq!(reason(check(&edge, asking("/mcp").header(JWT, forged))), "signature");
    let wrong =
        post("/mcp").header(AUTHORIZATION, "Bearer a-third-key-of-the-connection").header(JWT, alice());
    assert_eq!(reason(check(&edge, wrong)), "unknown");
}

#[test]
fn what_the_file_says_is_checked() {
    let build = |json: serde_json::Value| Identity::new(&config(&json));
    let of = |secret: &str, key: &str| json!({ "proof": "open-webui-jwt", "secret": secret, "connection_key": key });
    assert!(matches!(build(of("", KEY)), Err(IdentityError::Empty("secret"))));
    assert!(matches!(build(of(SECRET, "")), Err(IdentityError::Empty("connection_key"))));
    assert!(matches!(build(of(SECRET, "a b")), Err(IdentityError::NotBearer("connection_key"))));
    for field in ["secret", "connection_key"] {
        let with = |secrets: serde_json::Value| {
            let mut file = of(SECRET, KEY);
            file[field] = secrets;
            build(file)
        };
        assert!(matches!(with(json!([])), Err(IdentityError::Empty(of)) if of == field));
        assert!(matches!(with(json!([SECRET, ""])), Err(IdentityError::Empty(of)) if of == field));
        assert!(matches!(with(json!(vec![SECRET; 9])), Err(IdentityError::TooMuch { at_most: 8, .. })));
    }
    let mut long = of(SECRET, KEY);
    long["session_leeway_seconds"] = json!(86_401);
    assert!(matches!(build(long), Err(IdentityError::TooMuch { at_most: 86_400, .. })));
    let short = IdentityWarning::ShortSecret { field: "secret", bytes: 31 };
    assert_eq!(config(&of(&SECRET[..31], KEY)).warnings(), [short]);
    assert_eq!(config(&of(SECRET, KEY)).warnings(), []);
    let unknown = json!({ "proof": "open-webui-jwt", "secret": SECRET, "connection_key": KEY, "x": 1 });
    assert!(serde_json::from_value::<IdentityConfig>(unknown).is_err());
    let shown = format!("{:?} {:?}", config(&of(SECRET, KEY)), edge());
    assert!(!shown.contains(SECRET) && !shown.contains(KEY), "{shown}");
}
