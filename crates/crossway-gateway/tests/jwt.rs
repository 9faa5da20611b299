//! `crossway serve` for callers with access tokens of an authorization server, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;
#[expect(unreachable_pub, reason = "the tests of the edge share it")]
#[path = "identity_tokens/mod.rs"]
mod tokens;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde_json::{Value, json};
use support::tenants::{body, by, eventually};
use support::{CROSSWAY, INITIALIZE, Serving};
use tokens::issuer::{AUDIENCE, ISSUER, SigningKey, access, jwks};
use tokens::server::Server;
use tokens::with;

/// The origin of a page that may call.
const PAGE: &str = "https://app.example";

/// A gateway whose keys are where `keys` says. Alice is of acme, Bob of globex.
fn started(dir: &tempfile::TempDir, keys: &str, more: &str) -> Serving {
    let text = format!(
        "allow_origins: ['{PAGE}']\nidentity:\n  proof: jwt\n  issuer: {ISSUER}\n  audience: [{AUDIENCE}]\n  {keys}\n  \
         resource: https://gateway.example\n  scopes: [mcp]\n  claims: {{ roles: /realm_access/roles, keep: [org] }}\n\
         upstreams:\n  demo: {{ command: \"{CROSSWAY}\", args: [demo, --stdio], scope: tenant }}\n{more}\
         tenants:\n  acme: {{ groups: [acme] }}\n  globex: {{ claims: {{ org: o2 }} }}\n\
         grants:\n  - {{ tenant: acme, upstream: demo, tools: [echo] }}\n  - {{ tenant: acme, upstream: web, tools: ['*'] }}\n  \
         - {{ tenant: globex, role: user, upstream: demo, tools: [slow] }}\n"
    );
    let path = dir.path().join("crossway.yaml");
    let text = if more.is_empty() {
        text.replace("  - { tenant: acme, upstream: web, tools: ['*'] }\n", "")
    } else {
        text
    };
    fs::write(&path, text).unwrap();
    Serving::start(&["serve", "--config", path.to_str().unwrap()])
}

fn alice(key: &SigningKey) -> String {
    key.sign(&access("alice", SystemTime::now()))
}

fn bob(key: &SigningKey) -> String {
    key.sign(&with(with(access("bob", SystemTime::now()), "groups", json!([])), "org", "o2"))
}

fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    response
        .lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn a_token_decides_who_sees_and_calls_what() {
    let key = SigningKey::p256("a");
    let server = Server::saying(&jwks(&[&key]).to_string());
    let dir = tempfile::tempdir().unwrap();
    let serving = started(&dir, &format!("jwks_url: {}", server.url("/keys")), "");
    let (alice, bob) = (alice(&key), bob(&key));
    eventually("Alice sees hers", || by(&alice).names(&serving, "/mcp", "tools/list") == ["demo__echo"]);
    eventually("Bob sees his", || by(&bob).names(&serving, "/mcp", "tools/list") == ["demo__slow"]);
    assert!(by(&alice).call(&serving, "/mcp", "demo__echo").contains("hi"));
    assert!(by(&bob).call(&serving, "/mcp", "demo__echo").contains("Unknown tool"));
    assert_eq!(server.paths(), ["/keys"]);
    let nobody = with(access("carol", SystemTime::now()), "groups", json!(["x"]));
    let carol = by(&key.sign(&nobody)).post(&serving, "/mcp", INITIALIZE);
    assert!(carol.starts_with("HTTP/1.1 403") && carol.contains("ask your administrator"), "{carol}");
}

#[test]
fn a_session_goes_on_with_a_fresh_token_of_its_user_and_is_unknown_to_others() {
    let key = SigningKey::rsa("a");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("jwks.json"), jwks(&[&key]).to_string()).unwrap();
    let serving = started(&dir, "jwks_file: jwks.json", "");
    let session = by(&alice(&key)).open(&serving, "/mcp");
    const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let fresh = key.sign(&with(access("alice", SystemTime::now()), "jti", "another"));
    assert!(by(&fresh).within(&session).post(&serving, "/mcp", LIST).starts_with("HTTP/1.1 200"));
    let stolen = by(&bob(&key)).within(&session).post(&serving, "/mcp", LIST);
    let made_up = by(&bob(&key)).within("0123456789abcdef0123456789abcdef").post(&serving, "/mcp", LIST);
    assert!(stolen.starts_with("HTTP/1.1 404"), "{stolen}");
    assert_eq!(body(&stolen), body(&made_up));
}

#[test]
fn a_client_without_a_token_finds_out_where_to_get_one() {
    let key = SigningKey::ed25519("a");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("jwks.json"), jwks(&[&key]).to_string()).unwrap();
    let serving = started(&dir, "jwks_file: jwks.json", "");
    let refused = support::tenants::As::default().post(&serving, "/demo/mcp", INITIALIZE);
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    let challenge = header(&refused, "www-authenticate").unwrap();
    let url = challenge.split("resource_metadata=\"").nth(1).unwrap().trim_end_matches('"');
    let path = url.strip_prefix("https://gateway.example").unwrap();
    let told = support::tenants::As::default().send(&serving, "GET", path, "");
    let document: Value = serde_json::from_str(body(&told)).unwrap();
    assert_eq!(document["resource"], "https://gateway.example/demo/mcp");
    assert_eq!(document["authorization_servers"], json!([ISSUER]));
    // What is not there for anybody looks the same to who is not known.
    let nowhere = support::tenants::As::default().post(&serving, "/no-such/mcp", INITIALIZE);
    assert_eq!(body(&refused), body(&nowhere));
    let narrow = with(access("alice", SystemTime::now()), "scope", "openid");
    let refused = by(&key.sign(&narrow)).post(&serving, "/mcp", INITIALIZE);
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert!(
        header(&refused, "www-authenticate").unwrap().contains("error=\"insufficient_scope\", scope=\"mcp\"")
    );
}

/// What a page's browser sends, and what it gets: without a body.
fn asked(serving: &Serving, start: &str, origin: &str, more: &str) -> String {
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    let host = &serving.address;
    write!(stream, "{start} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nOrigin: {origin}\r\n{more}\r\n")
        .unwrap();
    support::read(stream)
}

#[test]
fn a_page_may_ask_without_a_token_and_read_where_to_get_one() {
    let key = SigningKey::p256("a");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("jwks.json"), jwks(&[&key]).to_string()).unwrap();
    let serving = started(&dir, "jwks_file: jwks.json", "");
    const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";
    const PREFLIGHT: &str = "Access-Control-Request-Method: POST\r\n\
                             Access-Control-Request-Headers: authorization,mcp-param-region\r\n";
    let allowed = |answer: &str| header(answer, "access-control-allow-origin") == Some(PAGE);
    for path in ["/mcp", "/sse", "/message", "/demo/mcp", METADATA] {
        let start = format!("OPTIONS {path}");
        let told = asked(&serving, &start, PAGE, PREFLIGHT);
        assert!(told.starts_with("HTTP/1.1 204") && allowed(&told), "{told}");
        assert_eq!(header(&told, "access-control-allow-headers"), Some("authorization,mcp-param-region"));
        let foreign = asked(&serving, &start, "https://evil.example", PREFLIGHT);
        assert!(foreign.starts_with("HTTP/1.1 403") && !foreign.contains("access-control"), "{foreign}");
    }
    let refused = asked(&serving, "GET /mcp", PAGE, "");
    assert!(refused.starts_with("HTTP/1.1 401") && allowed(&refused), "{refused}");
    assert!(header(&refused, "www-authenticate").unwrap().contains(METADATA), "{refused}");
    let exposed = header(&refused, "access-control-expose-headers").unwrap();
    assert!(exposed.contains("WWW-Authenticate") && exposed.contains("Mcp-Session-Id"), "{exposed}");
    let document = asked(&serving, &format!("GET {METADATA}"), PAGE, "");
    assert!(document.starts_with("HTTP/1.1 200") && allowed(&document), "{document}");
    let token = format!("Authorization: Bearer {}\r\n", alice(&key));
    let nowhere = asked(&serving, "GET /no-such/mcp", PAGE, &token);
    assert!(nowhere.starts_with("HTTP/1.1 404") && allowed(&nowhere), "{nowhere}");
    let foreign = asked(&serving, "GET /mcp", "https://evil.example", &token);
    assert!(foreign.starts_with("HTTP/1.1 403") && !foreign.contains("access-control"), "{foreign}");
    // Where it is addressed to comes first.
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    write!(stream, "OPTIONS /mcp HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n").unwrap();
    write!(stream, "Origin: {PAGE}\r\n{PREFLIGHT}\r\n").unwrap();
    let misdirected = support::read(stream);
    assert!(misdirected.starts_with("HTTP/1.1 403") && !allowed(&misdirected), "{misdirected}");
    // Who is no page is asked for a token first, and told nothing of pages.
    let plain = support::tenants::As::default().send(&serving, "OPTIONS", "/mcp", "");
    assert!(plain.starts_with("HTTP/1.1 401") && !plain.contains("access-control"), "{plain}");
}

#[test]
fn keys_in_a_file_are_taken_up_when_they_change_and_what_is_no_key_changes_nothing() {
    let (old, new) = (SigningKey::p256("old"), SigningKey::p384("new"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jwks.json");
    fs::write(&file, jwks(&[&old]).to_string()).unwrap();
    let serving = started(&dir, "jwks_file: jwks.json\n  algorithms: [ES256, ES384]", "");
    let is_in = |token: &str| by(token).post(&serving, "/mcp", INITIALIZE).starts_with("HTTP/1.1 200");
    let (by_old, by_new) = (alice(&old), alice(&new));
    assert!(is_in(&by_old) && !is_in(&by_new));
    fs::write(&file, "{}").unwrap();
    serving.signal("HUP");
    assert!(is_in(&by_old));
    fs::write(&file, jwks(&[&new]).to_string()).unwrap();
    eventually("the new key is known", || is_in(&by_new));
    assert!(!is_in(&by_old));
}

/// A server that keeps what it was sent.
fn recorder() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(String::new()));
    let keeping = Arc::clone(&kept);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {
                let line = head.lines().last().unwrap().to_ascii_lowercase();
                if let Some(bytes) = line.strip_prefix("content-length: ") {
                    length = bytes.trim().parse().unwrap();
                }
            }
            let mut message = vec![0; length];
            let _ = reader.read_exact(&mut message);
            keeping.lock().unwrap().push_str(&format!("{head}{}\n", String::from_utf8_lossy(&message)));
            let _ = write!(stream, "HTTP/1.1 500 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (url, kept)
}

#[test]
fn a_callers_token_never_reaches_a_server() {
    let key = SigningKey::p256("a");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("jwks.json"), jwks(&[&key]).to_string()).unwrap();
    let (url, kept) = recorder();
    let serving = started(&dir, "jwks_file: jwks.json", &format!("  web: {{ url: \"{url}\" }}\n"));
    let token = alice(&key);
    by(&token).call(&serving, "/web/mcp", "any");
    eventually("the server was asked", || !kept.lock().unwrap().is_empty());
    let kept = kept.lock().unwrap().to_ascii_lowercase();
    let parts: Vec<&str> = token.split('.').collect();
    assert!(!kept.contains("authorization") && !kept.contains(&parts[2].to_ascii_lowercase()), "{kept}");
}
