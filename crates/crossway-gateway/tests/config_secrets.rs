//! No value that may be a secret is shown, wherever in a config it stands.

use std::path::Path;

use crossway_gateway::config;
use serde_json::{Value, json};

/// A config with each kind of text.
fn sample() -> Value {
    json!({
        "listen": "127.0.0.1:8808",
        "allow_hosts": ["gateway.example.com"],
        "allow_origins": ["https://chat.example.com"],
        "tls": { "certificate": "a.pem", "key": "b.pem" },
        "operations": { "listen": "127.0.0.1:9808", "admin_key": "0123456789abcdef" },
        "session_keys": ["3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs="],
        "identity": {
            "proof": "open-webui-jwt",
            "secret": "0123456789abcdef0123456789abcdef",
            "connection_key": "0123456789abcdef0123456789abcdef",
            "leeway_seconds": 60,
        },
        "upstreams": {
            "github": {
                "command": "github-mcp-server", "args": ["stdio"], "env": { "GITHUB_TOKEN": "x" }, "scope": "user",
                "prefix": "gh", "limits": { "concurrent": 8, "idle": "30s" },
            },
            "wiki": { "url": "http://wiki/mcp", "transport": "streamable-http", "headers": { "Authorization": "x" } },
        },
        "mcpServers": { "time": { "command": "uvx", "args": ["mcp-server-time"], "env": { "KEY": "x" } } },
        "credentials": [
            { "upstream": "github", "for": "user", "env": "TOKEN", "value": "{secret}", "from": { "directory": "/run/x" } },
            { "upstream": "wiki", "for": "shared", "bearer": true, "from": { "env": "WIKI" } },
            {
                "upstream": "wiki", "for": "user", "header": "X-A",
                "from": { "command": { "program": "no-such-program/x", "args": ["{user.subject}"] } },
            },
            {
                "upstream": "wiki", "for": "user", "header": "X-B",
                "from": { "broker": { "url": "https://b/{user.subject}", "field": "x", "token": { "env": "NO_SUCH" } } },
            },
        ],
        "audit": { "file": "stderr", "on_overflow": "wait", "key": "0123456789abcdef" },
        "limits": { "message": "64MiB", "drain": "10s" },
        "log": { "filter": "info", "format": "json" },
    })
}

/// The same with each other proof.
fn samples() -> Vec<Value> {
    let proofs = [
        json!({
            "proof": "headers", "issuer": "chat",
            "fence": {
                "connection_key": "0123456789abcdef0123456789abcdef", "networks": ["10.0.0.0/8", "192.0.2.7"],
                "client_certificates": ["0".repeat(64)],
            },
            "names": { "id": "X-User-Id", "email": "X-User-Email", "groups": "X-User-Groups" },
        }),
        json!({
            "proof": "jwt", "issuer": "https://login.example.com", "audience": ["https://gateway.example.com"],
            "jwks_url": "https://login.example.com/keys", "algorithms": ["RS256"], "scopes": ["a", "b"],
            "resource": "https://gateway.example.com", "authorization_servers": ["https://login.example.com"],
        }),
        json!({
            "proof": "jwt", "issuer": "https://login.example.com", "audience": ["https://gateway.example.com"],
            "jwks_url": "https://login.example.com/keys", "resource": "https://gateway.example.com",
        }),
        json!({
            "proof": "api-keys",
            "keys": [{ "sha256": "0".repeat(64), "subject": "alice", "email": "a@example.com", "groups": ["a"] }],
        }),
    ];
    let of_proof = |proof| {
        let mut config = sample();
        config["identity"] = proof;
        config
    };
    [sample()].into_iter().chain(proofs.map(of_proof)).collect()
}

/// The pointers of all that is neither list nor map.
fn leaves(at: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| leaves(&format!("{at}/{key}"), value, found))
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| leaves(&format!("{at}/{index}"), value, found));
        }
        _ => found.push(at.to_owned()),
    }
}

fn told(config: &Value, secret: &str) -> String {
    let text = config.to_string();
    match config::parse(Path::new("a.json"), &text, |name| (name == "SECRET").then(|| secret.to_owned())) {
        Ok(loaded) => {
            let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
            warnings.join("\n")
        }
        Err(errors) => format!("{errors}\n{errors:?}"),
    }
}

#[test]
fn what_the_environment_gives_is_shown_in_no_message_wherever_it_stands() {
    let places = samples().into_iter().flat_map(|sample| {
        let mut pointers = Vec::new();
        leaves("", &sample, &mut pointers);
        assert!(pointers.len() > 35);
        // Paths are shown: nobody would find the file otherwise.
        let is_path = |pointer: &str| {
            pointer.starts_with("/tls/") || pointer == "/audit/file" || pointer.ends_with("/from/directory")
        };
        pointers.retain(|pointer| !is_path(pointer));
        pointers.into_iter().map(move |pointer| (sample.clone(), pointer))
    });
    for (sample, pointer) in places {
        for secret in [
            "hunter2",
            "hunter2-hunter2-hunter2-hunter2-hunter2",
            "hunter2\nhunter2",
            "hunter2[",
            "hunter2'\"[",
            "http://u:hunter2@h/",
        ] {
            for text in ["${SECRET}", "a ${SECRET}"] {
                let mut config = sample.clone();
                *config.pointer_mut(&pointer).unwrap() = json!(text);
                let told = told(&config, secret);
                assert!(!told.contains("hunter2"), "{pointer}: {told}");
            }
        }
    }
}

#[test]
fn what_the_environment_gives_twice_is_not_shown_either() {
    let mut names = samples().swap_remove(1);
    for name in ["/identity/names/id", "/identity/names/email"] {
        *names.pointer_mut(name).unwrap() = json!("${SECRET}");
    }
    let mut prefixes = sample();
    prefixes["upstreams"]["github"]["prefix"] = json!("${SECRET}");
    prefixes["upstreams"]["wiki"]["prefix"] = json!("${SECRET}");
    for (config, secret) in [(names, "X-Hunter2"), (prefixes, "hunter2")] {
        let told = told(&config, secret);
        assert!(told.contains("what the environment gives"), "{told}");
        assert!(!told.to_lowercase().contains("hunter2"), "{told}");
    }
}

#[test]
fn a_secret_that_stands_in_the_file_is_shown_in_no_message() {
    let secrets = [
        "/operations/admin_key",
        "/session_keys/0",
        "/identity/secret",
        "/identity/connection_key",
        "/upstreams/github/env/GITHUB_TOKEN",
        "/upstreams/wiki/headers/Authorization",
        "/mcpServers/time/env/KEY",
        "/audit/key",
    ];
    for pointer in secrets {
        for secret in [
            json!("hunter2"),
            json!("hunter2\nx"),
            json!("file:hunter2\0"),
            json!(["hunter2"]),
            json!(["${NO_SUCH}", "hunter2"]),
            json!({ "a": "hunter2" }),
        ] {
            let mut config = sample();
            *config.pointer_mut(pointer).unwrap() = secret.clone();
            let told = told(&config, "");
            // The path of a file is no secret.
            let is_path = secret.as_str().is_some_and(|text| text.starts_with("file:"));
            assert!(is_path || !told.contains("hunter2"), "{pointer}: {told}");
        }
    }
}
