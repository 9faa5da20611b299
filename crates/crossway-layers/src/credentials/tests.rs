use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crossway_policy::{Policy, PolicyConfig, Principal, Proof, TenantName, UpstreamFacts};
use crossway_service::{Call, Outcome};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::limits::FILE_LOOK;
use crate::script::{around, call_of, response};

#[cfg(unix)]
mod command;
#[cfg(unix)]
mod why;

/// What credentials may be in tests of what nobody is shown.
const PLANTED: &str = "planted-s3cret";

fn policy(credentials: Value) -> Policy {
    let config =
        json!({ "tenants": { "acme": { "email_domains": ["acme.example"] } }, "credentials": credentials });
    let config: PolicyConfig = serde_json::from_value(config).unwrap();
    let upstreams = [UpstreamFacts { name: "jira".into(), trusted: false }];
    Policy::compile(&config, &upstreams).unwrap()
}

fn user(name: &str) -> Principal {
    Principal::new("https://issuer.example", name, Proof::Jwt).with_email(format!("{name}@acme.example"))
}

fn store() -> SecretStore {
    SecretStore::new::<String>([]).unwrap()
}

async fn supplied(policy: &Policy, store: &SecretStore, name: &str) -> Result<Supplied, NotSupplied> {
    let credentials = policy.credentials(&user(name), &TenantName::new("acme").unwrap(), "jira")?;
    store.supply(&credentials).await
}

fn header(supplied: &Supplied) -> String {
    let mut headers = supplied.headers();
    let (name, value) = headers.next().unwrap();
    assert!(value.is_sensitive() && headers.next().is_none());
    format!("{name}: {}", value.to_str().unwrap())
}

fn of_files(directory: &Path) -> Policy {
    policy(json!([{ "upstream": "jira", "for": "user", "bearer": true, "from": { "directory": directory },
        "ask": "put your token at https://tokens.example" }]))
}

#[tokio::test(start_paused = true)]
async fn each_user_is_supplied_with_what_is_in_a_file_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (policy, store) = (of_files(directory.path()), store());
    std::fs::write(directory.path().join("alice_40acme.example"), format!("{PLANTED}\n")).unwrap();
    let alice = supplied(&policy, &store, "alice").await.unwrap();
    assert_eq!(header(&alice), format!("authorization: Bearer {PLANTED}"));
    assert!(!alice.version().is_empty());
    let error = supplied(&policy, &store, "bob").await.unwrap_err();
    assert!(
        matches!(&error, NotSupplied::Missing(missing) if missing.ask() == Some("put your token at https://tokens.example"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_is_no_part_of_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let (policy, store) = (of_files(directory.path()), store());
    std::fs::write(directory.path().join("alice_40acme.example"), format!("\u{feff}{PLANTED}\r\n")).unwrap();
    let alice = supplied(&policy, &store, "alice").await.unwrap();
    assert_eq!(header(&alice), format!("authorization: Bearer {PLANTED}"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_has_changed_is_read_again_and_what_it_supplies_is_another_version() {
    let directory = tempfile::tempdir().unwrap();
    let (policy, store) = (of_files(directory.path()), store());
    let file = directory.path().join("alice_40acme.example");
    std::fs::write(&file, "one").unwrap();
    let before = supplied(&policy, &store, "alice").await.unwrap();
    // As Kubernetes does it: another file in its place.
    std::fs::write(directory.path().join("new"), "two").unwrap();
    std::fs::rename(directory.path().join("new"), &file).unwrap();
    let soon = supplied(&policy, &store, "alice").await.unwrap();
    assert_eq!(soon.version(), before.version(), "it is looked at once a second");
    tokio::time::advance(FILE_LOOK).await;
    let after = supplied(&policy, &store, "alice").await.unwrap();
    assert_eq!(header(&after), "authorization: Bearer two");
    assert_ne!(after.version(), before.version());
    // What is taken away is gone.
    std::fs::remove_file(&file).unwrap();
    tokio::time::advance(FILE_LOOK).await;
    assert!(matches!(supplied(&policy, &store, "alice").await, Err(NotSupplied::Missing(_))));
    std::fs::write(&file, "one").unwrap();
    tokio::time::advance(FILE_LOOK).await;
    assert_eq!(supplied(&policy, &store, "alice").await.unwrap().version(), before.version());
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_file_that_is_changed_twice_in_one_moment_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let (policy, store) = (of_files(directory.path()), store());
    let file = std::fs::File::create(directory.path().join("alice_40acme.example")).unwrap();
    let moment = std::time::SystemTime::now();
    let mut of = Vec::new();
    for secret in ["one", "two"] {
        // Neither its length nor its number is another, nor is its time where that is coarse.
        std::os::unix::fs::FileExt::write_all_at(&file, secret.as_bytes(), 0).unwrap();
        file.set_modified(moment).unwrap();
        of.push(header(&supplied(&policy, &store, "alice").await.unwrap()));
        tokio::time::advance(FILE_LOOK).await;
    }
    assert_eq!(of, ["authorization: Bearer one", "authorization: Bearer two"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_can_not_be_a_secret_is_a_failure_and_not_a_missing_one() {
    let directory = tempfile::tempdir().unwrap();
    let (policy, store) = (of_files(directory.path()), store());
    let file = |name: &str| directory.path().join(format!("{name}_40acme.example"));
    std::fs::write(file("long"), "x".repeat(crate::limits::SECRET_BYTES + 1)).unwrap();
    std::fs::write(file("bytes"), b"\xff\xfe").unwrap();
    std::fs::create_dir(file("folder")).unwrap();
    std::fs::write(file("empty"), "\n").unwrap();
    std::fs::write(file("lines"), "a\r\nX-Evil: 1").unwrap();
    let failed = async |name: &str| supplied(&policy, &store, name).await.unwrap_err();
    assert_eq!(failed("long").await, NotSupplied::Failed(SourceFailed::TooLong));
    assert_eq!(failed("bytes").await, NotSupplied::Failed(SourceFailed::NotText));
    assert_eq!(failed("folder").await, NotSupplied::Failed(SourceFailed::NotAFile));
    assert!(matches!(failed("empty").await, NotSupplied::Missing(_)));
    assert!(matches!(failed("lines").await, NotSupplied::Missing(_)));
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_prints_a_secret_once_for_as_long_as_it_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let runs = directory.path().join("runs");
    let script = format!("echo run >> {}; printf '%s for %s\\n' {PLANTED} \"$1\"", runs.display());
    let rule = json!([{ "upstream": "jira", "for": "user", "env": "TOKEN",
        "from": { "command": { "program": "/bin/sh", "args": ["-c", script, "sh", "{user.subject}"] } } }]);
    let (policy, store) = (policy(rule), store());
    let (one, other) = tokio::join!(supplied(&policy, &store, "alice"), supplied(&policy, &store, "alice"));
    let (name, value) =
        (one.as_ref().unwrap().variables().next().map(|(name, value)| (name.to_owned(), value.clone())))
            .unwrap();
    assert_eq!((name.as_str(), value.expose()), ("TOKEN", "planted-s3cret for alice"));
    assert_eq!(one.unwrap().version(), other.unwrap().version());
    assert_eq!(std::fs::read_to_string(runs).unwrap(), "run\n");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_command_that_takes_too_long_is_ended_and_one_that_fails_supplies_nothing() {
    let command = |args: Value| {
        policy(json!([{ "upstream": "jira", "for": "shared", "env": "T",
            "from": { "command": { "program": "/bin/sh", "args": args, "timeout_seconds": 3 } } }]))
    };
    let slow = supplied(&command(json!(["-c", "exec sleep 1000"])), &store(), "alice").await;
    assert_eq!(slow.unwrap_err(), NotSupplied::Failed(SourceFailed::TimedOut));
    tokio::time::resume();
    let failed = supplied(&command(json!(["-c", "echo planted; exit 1"])), &store(), "alice").await;
    assert_eq!(failed.unwrap_err(), NotSupplied::Failed(SourceFailed::Exit(1)));
}

/// Gives each user its name and how often it was asked.
#[derive(Default)]
struct Counting(AtomicU32);

impl NamedSource for Counting {
    fn secret<'a>(
        &'a self,
        user: Option<&'a Principal>,
        _: Option<&'a TenantName>,
    ) -> BoxFuture<'a, Result<Found, SourceFailed>> {
        Box::pin(async move {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            let secret = user.map(|user| SecretValue::new(format!("{} {count}", user.subject())));
            Ok(Found { secret, keep: Duration::from_secs(60) })
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_of_this_program_is_asked_by_name_and_holds_as_long_as_it_says() {
    let policy = policy(
        json!([{ "upstream": "jira", "for": "user", "header": "X-Token", "from": { "named": "counting" } }]),
    );
    let source: Arc<dyn NamedSource> = Arc::new(Counting::default());
    let store = SecretStore::new([("counting", source)]).unwrap();
    assert_eq!(header(&supplied(&policy, &store, "alice").await.unwrap()), "x-token: alice 0");
    assert_eq!(header(&supplied(&policy, &store, "alice").await.unwrap()), "x-token: alice 0");
    assert_eq!(header(&supplied(&policy, &store, "bob").await.unwrap()), "x-token: bob 1");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(header(&supplied(&policy, &store, "alice").await.unwrap()), "x-token: alice 2");
    let unknown = supplied(&policy, &self::store(), "alice").await.unwrap_err();
    assert_eq!(unknown, NotSupplied::Failed(SourceFailed::Unknown));
}

#[tokio::test]
async fn an_environment_variable_and_a_plan_without_a_secret_need_no_source() {
    let policy = policy(json!([
        { "upstream": "jira", "for": "shared", "env": "A", "value": "in {secret}", "from": { "env": "CARGO_PKG_NAME" } },
        { "upstream": "jira", "for": "user", "header": "X-User", "value": "{user.email}" },
        { "upstream": "jira", "for": "shared", "env": "B", "from": { "env": "CROSSWAY_TEST_NOT_SET" }, "required": false },
    ]));
    let supplied = supplied(&policy, &store(), "alice").await.unwrap();
    assert_eq!(header(&supplied), "x-user: alice@acme.example");
    let variables: Vec<_> = supplied.variables().map(|(name, value)| (name, value.expose())).collect();
    assert_eq!(variables, [("A", "in crossway-layers")]);
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_without_what_is_not_required_and_does_not_fit_or_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(json!([
        { "upstream": "jira", "for": "user", "bearer": true, "required": false, "from": { "directory": directory.path() } },
        { "upstream": "jira", "for": "shared", "bearer": true, "from": { "env": "CARGO_PKG_NAME" } },
    ]));
    for (name, secret) in [("alice", Some("a\r\nX-Evil: 1")), ("bob", Some("")), ("carol", None)] {
        if let Some(secret) = secret {
            std::fs::write(directory.path().join(format!("{name}_40acme.example")), secret).unwrap();
        }
        let supplied = supplied(&policy, &store(), name).await.unwrap();
        assert!(supplied.is_empty(), "not with what is shared instead");
        assert_eq!(supplied.version(), "");
    }
    // A source that does not work is another thing.
    std::fs::create_dir(directory.path().join("dave_40acme.example")).unwrap();
    let failed = supplied(&policy, &store(), "dave").await.unwrap_err();
    assert_eq!(failed, NotSupplied::Failed(SourceFailed::NotAFile));
}

#[cfg(feature = "broker")]
mod broker {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A broker that answers each request with the next of these, and gives the requests.
    async fn answering(answers: Vec<(u16, &'static str)>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let mut requests = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                requests.push(String::from_utf8(head).unwrap());
                let location = format!("location: /elsewhere\r\ncontent-length: {}", body.len());
                let answer = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n{location}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            requests
        });
        (url, served)
    }

    fn of_broker(url: &str, token: &Path) -> Policy {
        policy(json!([{ "upstream": "jira", "for": "user", "bearer": true, "from": { "broker": {
            "url": format!("{url}/v1/secret/data/mcp/{{user.subject}}"), "field": "token", "token": { "file": token } } } }]))
    }

    #[tokio::test]
    async fn a_broker_is_asked_for_the_users_secret_with_the_gateways_token() {
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), "vault-token\n").unwrap();
        let body = r#"{"request_id":"r","data":{"data":{"other":7,"token":"planted-s3cret"},"metadata":{"version":3}}}"#;
        let (url, served) = answering(vec![(200, body)]).await;
        let (policy, store) = (of_broker(&url, token.path()), store());
        for _ in 0..2 {
            let supplied = supplied(&policy, &store, "a/b").await.unwrap();
            assert_eq!(header(&supplied), format!("authorization: Bearer {PLANTED}"));
        }
        let requests = served.await.unwrap();
        assert!(requests[0].starts_with("GET /v1/secret/data/mcp/a%2Fb HTTP/1.1\r\n"), "{requests:?}");
        assert!(requests[0].contains("x-vault-token: vault-token\r\n"));
    }

    #[tokio::test]
    async fn a_broker_is_asked_through_the_proxy() {
        use crossway_testkit::proxy::{Manner, Proxy};

        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), "vault-token").unwrap();
        let (url, served) = answering(vec![(200, r#"{"data":{"data":{"token":"planted-s3cret"}}}"#)]).await;
        let address = url.trim_start_matches("http://").parse().unwrap();
        let proxy = Proxy::start(Manner::LeadsWith(address, "Basic dTpw")).await.unwrap();
        let proxies = crossway_dial::Proxies::all(&proxy.url_of("u", "p")).unwrap();
        let store = SecretStore::through::<String>(proxies, []).unwrap();
        let policy = of_broker("http://vault.test:8200", token.path());
        let supplied = supplied(&policy, &store, "alice").await.unwrap();
        assert_eq!(header(&supplied), format!("authorization: Bearer {PLANTED}"));
        assert_eq!(proxy.lines(), ["GET http://vault.test:8200/v1/secret/data/mcp/alice"]);
        assert!(served.await.unwrap()[0].contains("host: vault.test:8200\r\n"));
    }

    #[tokio::test]
    async fn what_a_broker_does_not_have_is_missing_and_what_it_answers_otherwise_is_a_failure() {
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), "t").unwrap();
        for (status, body, failure) in [
            (404, r#"{"errors":[]}"#, None),
            (200, r#"{"data":{"data":{"other":"x"}}}"#, None),
            (200, r#"{"data":{"data":null,"metadata":{"destroyed":true}}}"#, None),
            (200, r#"{"data":{"data":{"token":7}}}"#, Some(SourceFailed::Shape)),
            (200, "planted-s3cret", Some(SourceFailed::Shape)),
            (403, "", Some(SourceFailed::Status(403))),
            (307, "", Some(SourceFailed::Status(307))),
        ] {
            let (url, served) = answering(vec![(status, body)]).await;
            let error = supplied(&of_broker(&url, token.path()), &store(), "alice").await.unwrap_err();
            match failure {
                None => assert!(matches!(error, NotSupplied::Missing(_)), "{status} {body}"),
                Some(failure) => assert_eq!(error, NotSupplied::Failed(failure), "{status} {body}"),
            }
            assert!(!format!("{error} {error:?}").contains(PLANTED));
            served.await.unwrap();
        }
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let url = format!("http://{nobody}/v1/secret/data/{{user.email}}");
        let error = supplied(&of_broker(&url, token.path()), &store(), "alice").await.unwrap_err();
        assert_eq!(error, NotSupplied::Failed(SourceFailed::Io(std::io::ErrorKind::ConnectionRefused)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_kept_gives_what_its_store_has_now_and_nothing_of_another_store() {
    let directory = tempfile::tempdir().unwrap();
    let put = |secret| std::fs::write(directory.path().join("alice_40acme.example"), secret).unwrap();
    let acme = TenantName::new("acme").unwrap();
    let credentials = of_files(directory.path()).credentials(&user("alice"), &acme, "jira").unwrap();
    let (plan, store) = (Plan::from(credentials), store());
    for secret in ["one", "another"] {
        put(secret);
        assert!(plan.supplied_now(&store).is_none());
        let supplied = store.supply(plan.credentials()).await.unwrap();
        for _ in 0..2 {
            let kept = plan.supplied_now(&store).unwrap();
            assert_eq!(header(&kept), format!("authorization: Bearer {secret}"));
            assert_eq!(kept.version(), supplied.version());
            assert!(plan.clone().supplied_now(&self::store()).is_none());
        }
        tokio::time::advance(FILE_LOOK).await;
    }
}

fn layer(policy: Policy, store: SecretStore) -> CredentialsLayer {
    let plans = move |call: &Call| {
        let who = call.context.extensions.get::<Principal>().cloned().unwrap_or_else(Principal::anonymous);
        policy.credentials(&who, &TenantName::new("acme").unwrap(), "jira").map(Plan::from)
    };
    CredentialsLayer::new(plans, store)
}

fn as_user(name: &str) -> Call {
    let mut call = call_of(name, 7, "tools/call", r#"{"name":"n"}"#);
    call.context.extensions.insert(user(name));
    call
}

#[tokio::test(start_paused = true)]
async fn a_call_is_supplied_and_one_without_is_told_what_to_ask_for() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("alice_40acme.example"), PLANTED).unwrap();
    let (upstream, mut seen) = (crossway_service::Link::new(Witness), Vec::new());
    let layer = layer(of_files(directory.path()), store());
    let link = crossway_service::Link::new(tower_layer::Layer::layer(&layer, upstream));
    for _ in 0..2 {
        let answer = response(link.call(as_user("alice"))).await.unwrap();
        seen.push(String::from_utf8(answer.to_bytes().to_vec()).unwrap());
    }
    assert!(seen[0].contains("authorization: Bearer planted-s3cret") && seen[0] == seen[1], "{seen:?}");
    let answer = response(link.call(as_user("bob"))).await.unwrap();
    assert_eq!(
        answer.to_bytes(),
        concat!(
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-31001,"message":"jira needs a credential of yours: put your token at https://tokens.example","#,
            r#""data":{"credential":"missing","outcome":"not sent"}}}"#
        )
    );
    for holder in ["tenant", "shared"] {
        let rule = json!([{ "upstream": "jira", "for": holder, "bearer": true, "from": { "file": directory.path().join("none") } }]);
        let layer = self::layer(policy(rule), self::store());
        let link = crossway_service::Link::new(tower_layer::Layer::layer(
            &layer,
            crossway_service::Link::new(Witness),
        ));
        let answer = response(link.call(as_user("bob"))).await.unwrap().to_bytes();
        let wanted = "jira needs a credential that the gateway lacks: ask your administrator for it";
        assert!(String::from_utf8_lossy(&answer).contains(wanted), "{answer:?}");
    }
    std::fs::create_dir(directory.path().join("carol_40acme.example")).unwrap();
    let error = response(link.call(as_user("carol"))).await.unwrap_err();
    assert_eq!((error.outcome(), error.retry_after_seconds()), (Outcome::NotSent, Some(2)));
}

/// Answers with what it was supplied with.
#[derive(Clone, Default)]
struct Witness;

impl crossway_service::Connection for Witness {
    fn call(&self, call: Call) -> crossway_service::Reply {
        let supplied = call.context.extensions.get::<Supplied>().unwrap();
        let text = Value::from(header(supplied)).to_string();
        let crossway_service::Ask::Message(request) = call.ask else { panic!("no message") };
        let id = request.id().unwrap();
        crossway_service::Reply::once(crossway_proto::Message::result_of(&id, text.as_bytes()).unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_supplied_does_not_reach_the_upstream() {
    let directory = tempfile::tempdir().unwrap();
    let layer = layer(of_files(directory.path()), store());
    let (link, server) = around(&layer).await;
    response(link.call(as_user("bob"))).await.unwrap();
    let mut listen = as_user("bob");
    listen.ask = crossway_service::Ask::Message(crate::script::message(r#"{"jsonrpc":"2.0","method":"n"}"#));
    assert!(link.call(listen).next().await.is_none());
    drop(link);
    assert!(server.receive().await.is_none());
}

#[tokio::test]
async fn nothing_shows_a_secret() {
    let (text, subscriber) = crate::script::recorded(tracing::Level::TRACE);
    let _guard = tracing::subscriber::set_default(subscriber);
    let directory = tempfile::tempdir().unwrap();
    let (policy, store) = (of_files(directory.path()), store());
    let file = |name: &str| directory.path().join(format!("{name}_40acme.example"));
    std::fs::write(file("alice"), PLANTED).unwrap();
    std::fs::write(file("lines"), format!("{PLANTED}\nx")).unwrap();
    std::fs::write(file("bytes"), [PLANTED.as_bytes(), b"\xff"].concat()).unwrap();
    let alice = supplied(&policy, &store, "alice").await.unwrap();
    let credentials = policy.credentials(&user("alice"), &TenantName::new("acme").unwrap(), "jira").unwrap();
    let layer = layer(policy.clone(), store.clone());
    let mut shown = format!(
        "{alice:?} {alice:#?} {store:?} {layer:?} {credentials:?} {:?}",
        SecretValue::new(PLANTED.into())
    );
    shown += &format!("{:?}", alice.headers().collect::<Vec<_>>());
    shown += &format!("{:?}", alice.variables().collect::<Vec<_>>());
    let (link, _server) = around(&layer).await;
    for name in ["lines", "bytes", "bob"] {
        let error = supplied(&policy, &store, name).await.unwrap_err();
        shown += &format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        match response(link.call(as_user(name))).await {
            Ok(answer) => shown += std::str::from_utf8(&answer.to_bytes()).unwrap(),
            Err(error) => shown += &format!("{error} {error:?} {:?}", error.to_error_object()),
        }
    }
    let mut call = as_user("alice");
    call.context.extensions.insert(alice);
    shown += &format!("{call:?}");
    drop(link.call(call));
    let logged = String::from_utf8(text.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("does not work") && logged.contains("not supplied"), "{logged}");
    for text in [&shown, &logged] {
        assert!(!text.contains(PLANTED) && !text.contains("_40acme"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_into_a_query_is_supplied_as_it_is_and_is_part_of_the_version() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let store = store();
    let rule = |name: &str| {
        policy(json!([{ "upstream": "jira", "for": "shared", "query": name, "from": { "file": path } }]))
    };
    std::fs::write(&path, "a&b=c").unwrap();
    let key = supplied(&rule("key"), &store, "alice").await.unwrap();
    let query: Vec<_> =
        key.query().map(|(name, value)| (name.to_owned(), value.expose().to_owned())).collect();
    assert_eq!(query, [("key".to_owned(), "a&b=c".to_owned())]);
    assert!(!key.is_empty() && !format!("{key:?}").contains("a&b"));
    let token = supplied(&rule("token"), &store, "alice").await.unwrap();
    assert_ne!(key.version(), token.version());
}
