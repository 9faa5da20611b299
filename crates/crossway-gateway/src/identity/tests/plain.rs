use std::net::SocketAddr;

use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::tokens::KEY;
use super::*;
use crate::identity::{IdentityError, IdentityWarning};
use crate::tls::ClientCertificate;

const CERTIFICATE: &[u8] = b"the DER of a certificate";

fn file() -> Value {
    let sum = ClientCertificate::from_verified_der(CERTIFICATE).fingerprint.map(|byte| format!("{byte:02x}"));
    json!({
        "proof": "headers",
        "fence": {
            "connection_key": KEY,
            "networks": ["10.0.0.0/8", "fd00::/8", "192.0.2.7"],
            "client_certificates": [sum.concat()],
        },
    })
}

fn from(address: &str) -> Connection {
    let address: std::net::IpAddr = address.parse().unwrap();
    Connection::from_address(SocketAddr::new(address, 50_000))
}

fn asking() -> Builder {
    post("/mcp").header(AUTHORIZATION, format!("Bearer {KEY}"))
}

fn alice() -> Builder {
    asking()
        .header("X-OpenWebUI-User-Id", "alice")
        .header("X-OpenWebUI-User-Email", "alice@Acme.Example")
        .header("X-OpenWebUI-User-Name", "Admin %C3%9Cn%C3%AF")
        .header("X-OpenWebUI-User-Role", "admin")
}

fn at(file: &Value, builder: Builder, connection: &Connection) -> Result<Caller, Refusal> {
    identity(file).check(&parts(builder), connection, now())
}

fn inside(builder: Builder) -> Result<Caller, Refusal> {
    at(&file(), builder, &from("10.1.2.3"))
}

#[test]
fn headers_from_behind_the_fence_say_who_calls() {
    let caller = inside(alice()).unwrap();
    let principal = caller.principal();
    assert_eq!((principal.issuer(), principal.subject()), ("open-webui", "alice"));
    assert_eq!((principal.email(), principal.name()), (Some("alice@acme.example"), Some("Admin Ünï")));
    assert_eq!(principal.roles(), ["admin"]);
    assert_eq!(principal.proof(), crossway_policy::Proof::PlainHeader);
}

#[test]
fn the_fence_is_the_key_and_one_of_network_and_certificate() {
    let cert = |der: &[u8]| from("203.0.113.9").with_certificate(ClientCertificate::from_verified_der(der));
    let cases = [
        (from("10.255.0.1"), "in"),
        (from("::ffff:10.0.0.1"), "in"),
        (from("fd12::1"), "in"),
        (from("192.0.2.7"), "in"),
        (cert(CERTIFICATE), "in"),
        (cert(b"another"), "outside_the_fence"),
        (from("11.0.0.1"), "outside_the_fence"),
        (from("192.0.2.8"), "outside_the_fence"),
        (from("::ffff:11.0.0.1"), "outside_the_fence"),
        (Connection::default(), "outside_the_fence"),
    ];
    for (connection, want) in cases {
        let got = at(&file(), alice(), &connection).map(|_| "in").unwrap_or_else(|refusal| refusal.reason());
        assert_eq!(got, want, "{connection:?}");
    }
    let mut without_key = parts(alice());
    without_key.headers.remove(AUTHORIZATION);
    let refused = identity(&file()).check(&without_key, &from("10.1.2.3"), now());
    assert_eq!(reason(refused), "missing");
    let forwarded = alice().header("x-forwarded-for", "10.1.2.3").header("forwarded", "for=10.1.2.3");
    assert_eq!(reason(at(&file(), forwarded, &from("203.0.113.9"))), "outside_the_fence");
}

#[test]
fn without_a_user_it_is_anonymous_and_with_half_of_one_it_is_refused() {
    assert_eq!(subject(inside(asking())), "anonymous");
    let half = asking().header("X-OpenWebUI-User-Email", "alice@acme.example");
    let refusal = inside(half).unwrap_err();
    assert_eq!((refusal.reason(), refusal.status().as_u16()), ("incomplete", 400));
    let told = refusal.message();
    assert!(told.contains("x-openwebui-user-id is missing") && told.contains("id: null"), "{told}");
    let mut strict = file();
    strict["anonymous"] = json!(false);
    assert_eq!(reason(at(&strict, asking(), &from("10.1.2.3"))), "missing");
}

#[test]
fn names_can_be_configured_and_the_address_can_be_who_it_is() {
    let mut file = file();
    file["names"] = json!({
        "id": null, "email": "X-User-Email", "name": null, "role": null, "groups": "X-User-Groups"
    });
    let asking = || asking().header("x-user-email", "alice@acme.example");
    let caller = at(&file, asking().header("x-user-groups", "acme, ops ,"), &from("10.1.2.3")).unwrap();
    assert_eq!(caller.principal().subject(), "alice@acme.example");
    assert_eq!(caller.principal().groups(), ["acme", "ops"]);
    // Open WebUI's own names have no meaning then.
    let other = asking().header("x-openwebui-user-id", "bob");
    assert_eq!(reason(at(&file, other, &from("10.1.2.3"))), "foreign");
}

#[test]
fn values_are_exact_or_refused() {
    let id = |value: &[u8]| {
        let value = http::HeaderValue::from_bytes(value).unwrap();
        inside(asking().header("x-openwebui-user-id", value))
    };
    assert_eq!(subject(id(b"Alice")), "Alice");
    assert_eq!(subject(id(b"al%69ce")), "al%69ce");
    for value in [&b""[..], b" ", b"al ice", "\u{430}lice".as_bytes(), b"alice\xff", b"alice\t"] {
        assert_eq!(reason(id(value)), "malformed", "{value:?}");
    }
    assert_eq!(reason(id(&[b'a'; 1025])), "too_long");
    assert_eq!(reason(id(&[b'a'; 513])), "too_long");
    let with =
        |name: &str, value: &str| inside(asking().header("x-openwebui-user-id", "alice").header(name, value));
    for email in ["alice", "a@b@", "a@b, c@d", "\u{430}@acme.example"] {
        assert_eq!(reason(with("x-openwebui-user-email", email)), "malformed", "{email}");
    }
    for name in ["a%00b", "%ff", "%E2%80%AEecila", "Ünï", ""] {
        assert_eq!(reason(with("x-openwebui-user-name", name)), "malformed", "{name}");
    }
    assert!(
        http::HeaderValue::from_bytes(b"alice\0").is_err(),
        "NUL is no part of a header (RFC 9110, section 5.5)"
    );
}

#[test]
fn a_header_that_is_there_twice_is_refused_in_whatever_case() {
    for name in ["X-OPENWEBUI-USER-ID", "x-openwebui-user-role", "X-OpenWebUI-User-Email"] {
        assert_eq!(reason(inside(alice().header(name, "bob"))), "twice", "{name}");
    }
}

#[test]
fn a_signed_user_beside_plain_headers_is_refused() {
    assert_eq!(reason(inside(alice().header("x-openwebui-user-jwt", "a.b.c"))), "foreign");
    assert_eq!(reason(inside(alice().header("x-user-email", "a@b"))), "foreign");
    assert_eq!(reason(inside(alice().header("x_openwebui_user_id", "bob"))), "look_alike");
}

#[test]
fn what_the_file_says_is_checked() {
    let build = |change: fn(&mut Value)| {
        let mut file = file();
        change(&mut file);
        Identity::new(&config(&file))
    };
    let open = build(|file| file["fence"] = json!({ "connection_key": KEY }));
    assert!(matches!(open, Err(IdentityError::OpenFence)));
    let none = build(|file| file["names"] = json!({ "id": null, "email": null }));
    assert!(matches!(none, Err(IdentityError::NoSubject)));
    for name in ["a b", "", "x_user", "ä"] {
        let mut file = file();
        file["names"] = json!({ "id": name });
        assert!(matches!(Identity::new(&config(&file)), Err(IdentityError::NotAHeader(_))), "{name}");
    }
    let twice = build(|file| file["names"] = json!({ "id": "x-a", "email": "X-A" }));
    assert!(matches!(twice, Err(IdentityError::HeaderTwice(_))));
    let taken = build(|file| file["names"] = json!({ "id": "Authorization" }));
    assert!(matches!(taken, Err(IdentityError::HeaderTwice(_))));
    let mut bad = file();
    bad["fence"]["networks"] = json!(["10.0.0.0/33"]);
    let error = serde_json::from_value::<IdentityConfig>(bad).unwrap_err().to_string();
    assert!(error.contains("10.0.0.0/33"), "{error}");
    let mut wide = file();
    wide["fence"]["networks"] = json!(["0.0.0.0/0"]);
    assert_eq!(config(&wide).warnings(), [IdentityWarning::WideNetwork("0.0.0.0/0".to_owned())]);
}
