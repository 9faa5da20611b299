//! The binary behind an outgoing proxy, as its environment says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crossway_testkit::proxy::{Manner, Proxy};
use support::{CROSSWAY, INITIALIZE, Serving};
use tokio::runtime::Runtime;

/// `user:s3cr3t`
const BASIC: &str = "Basic dXNlcjpzM2NyM3Q=";

/// A server that is called by this name, and a proxy that leads there.
fn behind(runtime: &Runtime) -> (Serving, Proxy) {
    let server = Serving::start(&["demo", "--allow-host", "upstream.test"]);
    let manner = Manner::LeadsWith(server.address.parse().unwrap(), BASIC);
    (server, runtime.block_on(Proxy::start(manner)).unwrap())
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn crossway(args: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(CROSSWAY);
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let log = fs::File::create(folder.join("log")).unwrap();
    command.args(args).env_remove("RUST_LOG").env_remove("REQUEST_METHOD").stderr(log);
    command
}

/// What was logged, in which no password may be.
fn logged(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join("log")).unwrap();
    assert!(!log.contains("s3cr3t") && !log.contains("dXNlcjp"), "{log}");
    log
}

#[test]
fn a_bridge_asks_through_the_proxy_that_the_environment_names() {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let (_server, proxy) = behind(&runtime);
    let args =
        ["bridge", "--listen", "127.0.0.1:0", "--log", "trace", "--upstream", "http://upstream.test/mcp"];
    let mut bridge = crossway(&args, folder.path());
    let bridge = Serving::spawn(bridge.env("http_proxy", proxy.url_of("user", "s3cr3t")));
    let answer = bridge.post(INITIALIZE, None);
    assert!(answer.contains("crossway-demo"), "{answer}");
    let lines = proxy.lines();
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line.contains(" http://upstream.test/mcp")),
        "{lines:?}"
    );
    drop(bridge);
    assert!(!logged(folder.path()).is_empty());
}

#[test]
fn the_servers_of_a_config_have_the_environments_proxy_their_own_or_none() {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let (server, proxy) = behind(&runtime);
    let own = runtime.block_on(Proxy::start(Manner::Leads(server.address.parse().unwrap()))).unwrap();
    let config = folder.path().join("crossway.yaml");
    let text = format!(
        "identity: {{ proof: none }}\nupstreams:\n  all: {{ url: \"http://upstream.test/mcp\" }}\n  \
         own: {{ url: \"{}\", proxy: \"{}\" }}\n  none: {{ url: \"{}\", proxy: none }}\n\
         tenants: {{ acme: {{ groups: [acme] }} }}\n\
         grants:\n  - {{ tenant: acme, upstream: \"*\", tools: [echo] }}\n",
        server.url("/mcp"),
        own.url(),
        server.url("/mcp"),
    );
    fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let args =
        ["tools", "--config", config, "--user", "alice@acme.example", "--group", "acme", "--log", "trace"];
    let listed = crossway(&args, folder.path())
        .env("HTTP_PROXY", proxy.url_of("user", "s3cr3t"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let log = logged(folder.path());
    for name in ["all__echo", "own__echo", "none__echo"] {
        assert!(listed.contains(name), "{listed}\n{log}");
    }
    let all_are_of = |proxy: &Proxy, host: &str| {
        let (lines, of_host) = (proxy.lines(), format!(" http://{host}/mcp"));
        assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(&of_host)), "{lines:?}");
    };
    all_are_of(&proxy, "upstream.test");
    // One's own is for all, this machine too.
    all_are_of(&own, &server.address);
}

#[test]
fn what_is_wrong_with_the_proxy_is_told_with_what_to_do_and_without_its_password() {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let proxy = runtime.block_on(Proxy::start(Manner::Answers(407))).unwrap();
    for (url, variable, code, wanted) in [
        (
            "https://upstream.test/mcp",
            proxy.url_of("user", "s3cr3t"),
            1,
            "does not take the user and the password that HTTPS_PROXY has",
        ),
        (
            "https://upstream.test/mcp",
            proxy.url(),
            1,
            "answered 407: give it a user and a password in HTTPS_PROXY",
        ),
        (
            "https://upstream.test/mcp",
            "https://user:s3cr3t@proxy".to_owned(),
            2,
            "HTTPS_PROXY is no URL of a proxy",
        ),
    ] {
        let mut command = crossway(&["stdio", url], folder.path());
        let ended = command.env("HTTPS_PROXY", variable).stdin(Stdio::null()).status().unwrap();
        let log = logged(folder.path());
        assert!(log.contains(wanted) && ended.code() == Some(code), "{ended}: {log}");
    }
}

/// What the command of an upstream finds in its environment.
fn environment(folder: &Path) -> String {
    fs::read_to_string(folder.join("environment")).unwrap()
}

#[cfg(unix)]
#[test]
fn a_bridges_command_learns_how_the_network_is_reached_and_a_configs_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("environment");
    let script = format!("env > {}; exec {CROSSWAY} demo --stdio", file.display());
    let with_network = |command: &mut Command| {
        command.env("HTTPS_PROXY", "http://proxy.test:1").env("no_proxy", "corp.test");
        command
            .env("SSL_CERT_FILE", "/certificates")
            .env("NODE_EXTRA_CA_CERTS", "/more")
            .env("A_SECRET", "s3cr3t");
    };
    let network = [
        "HTTPS_PROXY=http://proxy.test:1",
        "no_proxy=corp.test",
        "SSL_CERT_FILE=/certificates",
        "NODE_EXTRA_CA_CERTS=/more",
    ];

    let args =
        ["bridge", "--listen", "127.0.0.1:0", "--env", "no_proxy=other.test", "--", "sh", "-c", &script];
    let mut bridge = crossway(&args, folder.path());
    with_network(&mut bridge);
    let bridge = Serving::spawn(&mut bridge);
    assert!(bridge.post(INITIALIZE, None).contains("crossway-demo"));
    let found = environment(folder.path());
    for variable in network {
        let is_said_otherwise = variable.starts_with("no_proxy");
        assert_eq!(found.contains(variable), !is_said_otherwise, "{found}");
    }
    assert!(found.contains("no_proxy=other.test") && !found.contains("A_SECRET"), "{found}");
    drop(bridge);

    fs::remove_file(file).unwrap();
    let config = folder.path().join("crossway.json");
    let text = serde_json::json!({
        "identity": { "proof": "none" },
        "upstreams": { "demo": { "command": "sh", "args": ["-c", script], "env": { "ALL_PROXY": "http://said.test:1" } } },
        "tenants": { "acme": { "groups": ["acme"] } },
        "grants": [{ "tenant": "acme", "upstream": "demo", "tools": ["echo"] }],
    });
    fs::write(&config, text.to_string()).unwrap();
    let args =
        ["tools", "--config", config.to_str().unwrap(), "--user", "alice@acme.example", "--group", "acme"];
    let mut tools = crossway(&args, folder.path());
    with_network(&mut tools);
    let listed = tools.stdin(Stdio::null()).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("demo__echo"), "{}", logged(folder.path()));
    let found = environment(folder.path());
    assert!(found.contains("ALL_PROXY=http://said.test:1"), "{found}");
    assert!(network.iter().all(|variable| !found.contains(variable)), "{found}");
}
