//! Processes of one user, and what they have of others.

use std::fs;
use std::io::{BufRead, Write};

use crossway_policy::config::FileBy;
use crossway_policy::{Principal, Proof, file_name};
use serde_json::{Value, json};

use super::ask::call;
use super::serving;
use super::support::Serving;
use super::support::tenants::{by, eventually, sha256};

/// Says that this program is the process of a server: `cargo test -- --ignored` sets nothing, and the program ends at once.
const CHILD: &str = "CROSSWAY_TEST_CHILD";

/// The process of a server, which tells its environment. It ignores what is no JSON, and so does Crossway with the lines that the test
/// harness prints before.
#[test]
#[ignore = "a program that the tests start"]
fn a_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let say = |message: Value| drop(writeln!(std::io::stdout(), "{message}"));
    for line in std::io::stdin().lock().lines() {
        let Ok(request) = serde_json::from_str::<Value>(&line.unwrap()) else { continue };
        let Some(id) = request.get("id") else { continue };
        let text = match request["method"].as_str().unwrap_or_default() {
            "initialize" => {
                let result = json!({
                    "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": { "name": "c", "version": "1" }
                });
                say(json!({ "jsonrpc": "2.0", "id": id, "result": result }));
                continue;
            }
            "tools/list" => {
                let tool = json!({ "name": "environment", "inputSchema": { "type": "object" } });
                say(json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": [tool] } }));
                continue;
            }
            "tools/call" if request["params"]["arguments"]["die"] == true => {
                eprintln!("last words of {}", std::env::var("TOKEN").unwrap());
                std::process::exit(7);
            }
            "tools/call" => {
                let variables: Vec<_> = std::env::vars().collect();
                json!({ "pid": std::process::id(), "variables": variables }).to_string()
            }
            _ => String::new(),
        };
        let result = json!({ "content": [{ "type": "text", "text": text }] });
        say(json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }
    std::process::exit(0);
}

/// A user: key, subject, tenant, and token.
struct User<'a> {
    subject: &'a str,
    tenant: &'a str,
    token: &'a str,
}

impl User<'_> {
    fn key(&self) -> String {
        sha256(&format!("{}/{}", self.tenant, self.subject))
    }
}

/// A gateway with a process for each user, which has the user's token. Subjects have files of their own.
fn gateway(dir: &tempfile::TempDir, users: &[User<'_>], credential: &str) -> Serving {
    let keys: String = users
        .iter()
        .map(|user| {
            format!(
                "    - {{ sha256: \"{}\", subject: {}, groups: [\"{}\"] }}\n",
                sha256(&user.key()),
                json!(user.subject),
                user.tenant
            )
        })
        .collect();
    let mut tenants: Vec<&str> = users.iter().map(|user| user.tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let (rules, grants): (Vec<_>, Vec<_>) = tenants
        .iter()
        .map(|tenant| {
            (
                format!("  \"{tenant}\": {{ groups: [\"{tenant}\"] }}\n"),
                format!("  - {{ tenant: \"{tenant}\", upstream: own, tools: [\"*\"] }}\n"),
            )
        })
        .unzip();
    fs::create_dir_all(dir.path().join("tokens")).unwrap();
    for user in users {
        let principal = Principal::new("api-keys", user.subject, Proof::ApiKey);
        let file = file_name(&principal, FileBy::Subject).unwrap();
        fs::write(dir.path().join("tokens").join(file), user.token).unwrap();
    }
    let program = std::env::current_exe().unwrap();
    serving(
        dir,
        &format!(
            "identity:\n  proof: api-keys\n  keys:\n{keys}upstreams:\n  own: {{ command: {}, \
             args: [\"children::a_child\", --exact, --ignored, --nocapture, -q], env: {{ {CHILD}: \"1\" }}, scope: user }}\n\
             credentials:\n{credential}tenants:\n{}grants:\n{}",
            json!(program),
            rules.concat(),
            grants.concat()
        ),
    )
}

const TOKEN: &str =
    "  - { upstream: own, for: user, env: TOKEN, from: { directory: { path: tokens, by: subject } } }\n";

/// What a user's process tells of itself.
fn environment(serving: &Serving, user: &User<'_>) -> Value {
    let key = user.key();
    eventually("the process is there", || {
        by(&key).names(serving, "/mcp", "tools/list") == ["own__environment"]
    });
    let answer = call("/mcp", "own__environment", json!({})).bearer(&key).send(serving).json();
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    serde_json::from_str(text).unwrap()
}

fn variable<'a>(environment: &'a Value, name: &str) -> Option<&'a str> {
    let variables = environment["variables"].as_array().unwrap();
    variables.iter().find(|variable| variable[0] == name).and_then(|variable| variable[1].as_str())
}

#[test]
fn a_process_of_one_user_is_given_nothing_of_anothers_nor_of_the_gateways() {
    let dir = tempfile::tempdir().unwrap();
    let users = [
        User { subject: "alice", tenant: "acme", token: "token-of-alice" },
        User { subject: "ann", tenant: "acme", token: "token-of-ann" },
        User { subject: "bob", tenant: "globex", token: "token-of-bob" },
    ];
    let serving = gateway(&dir, &users, TOKEN);
    let told: Vec<Value> = users.iter().map(|user| environment(&serving, user)).collect();
    for (user, environment) in users.iter().zip(&told) {
        assert_eq!(variable(environment, "TOKEN"), Some(user.token));
        let text = environment.to_string();
        for other in users.iter().filter(|other| other.token != user.token) {
            assert!(!text.contains(other.token), "{text}");
        }
        // The gateway has variables of cargo's here, as it has secrets elsewhere.
        assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")));
        assert!(!text.contains("CARGO"), "{text}");
    }
    let mut processes: Vec<u64> =
        told.iter().map(|environment| environment["pid"].as_u64().unwrap()).collect();
    processes.dedup();
    assert_eq!(processes.len(), 3, "no two share a process");
}

#[test]
fn what_a_process_says_as_it_dies_is_told_to_no_caller() {
    let dir = tempfile::tempdir().unwrap();
    let users = [User { subject: "alice", tenant: "acme", token: "token-of-alice" }];
    let serving = gateway(&dir, &users, TOKEN);
    environment(&serving, &users[0]);
    let answer =
        call("/mcp", "own__environment", json!({ "die": true })).bearer(&users[0].key()).send(&serving).body;
    assert!(answer.contains("exit status: 7"), "{answer}");
    assert!(!answer.contains("last words") && !answer.contains(users[0].token), "{answer}");
}

#[test]
fn names_that_are_one_when_they_are_joined_are_two() {
    let dir = tempfile::tempdir().unwrap();
    // What stands between a tenant's name and a subject, were there no lengths before them.
    let pairs = [
        ("a", "b_c"),
        ("a_b", "c"),
        ("a", "b-c"),
        ("a-b", "c"),
        ("a", "b.c"),
        ("a.b", "c"),
        ("a", "1:b"),
        ("a", "b c"),
        ("a", "b"),
        ("a", "B"),
        ("a", "b/c"),
        ("a", "b\\c"),
        ("a", "../a/b"),
    ];
    let tokens: Vec<String> = (0..pairs.len()).map(|number| format!("token-number-{number}-")).collect();
    let users: Vec<User<'_>> = pairs
        .iter()
        .zip(&tokens)
        .map(|((tenant, subject), token)| User { subject, tenant, token })
        // A subject is one user's, whatever the tenant: its file is one.
        .filter(|user| !(user.subject == "c" && user.tenant != "a_b"))
        .collect();
    let serving = gateway(&dir, &users, TOKEN);
    let mut processes = std::collections::BTreeSet::new();
    for user in &users {
        let environment = environment(&serving, user);
        assert_eq!(variable(&environment, "TOKEN"), Some(user.token), "{} {}", user.tenant, user.subject);
        processes.insert(environment["pid"].as_u64().unwrap());
    }
    assert_eq!(processes.len(), users.len(), "no two share a process");
}

#[test]
fn what_is_put_into_a_processs_environment_is_a_value_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let odd = "$(id) `id` ; & | > x \" ' % {secret}";
    let users = [
        User { subject: "alice", tenant: "acme", token: odd },
        User { subject: "ann", tenant: "acme", token: "x\nLD_PRELOAD=/no/where/evil.so" },
        User { subject: "bob", tenant: "acme", token: "x\0LD_PRELOAD=/no/where/evil.so" },
    ];
    let serving = gateway(&dir, &users, TOKEN);
    let alice = environment(&serving, &users[0]);
    assert_eq!(variable(&alice, "TOKEN"), Some(odd), "it is no shell's, and no template's");
    // A line break is a part of the value, as in keys, and ends nothing.
    let ann = environment(&serving, &users[1]);
    assert_eq!((variable(&ann, "TOKEN"), variable(&ann, "LD_PRELOAD")), (Some(users[1].token), None));
    for user in &users[2..] {
        let answer = call("/mcp", "own__environment", json!({})).bearer(&user.key()).send(&serving).json();
        assert!(answer["error"].is_object() && !answer.to_string().contains("evil"), "{answer}");
    }
    // Variables that say what is run are no place for a credential.
    for name in [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "PATH",
        "NODE_OPTIONS",
        "PYTHONPATH",
        "BASH_ENV",
        "ld_preload",
        "A=B",
        "A B",
        "",
    ] {
        let told = super::refused(&format!(
            "upstreams:\n  own: {{ command: uvx }}\ntenants:\n  acme: {{ groups: [acme] }}\n\
             credentials:\n  - {{ upstream: own, for: user, env: \"{name}\", from: {{ directory: tokens }} }}\n\
             grants:\n  - {{ tenant: acme, upstream: own, tools: [\"*\"] }}\n"
        ));
        assert!(told.contains("error: credentials[0]"), "{name:?}: {told}");
    }
    for name in ["A=B", "", "A\\0B"] {
        let told =
            super::refused(&format!("upstreams:\n  own: {{ command: uvx, env: {{ \"{name}\": x }} }}\n"));
        assert!(told.contains("error: upstreams.own.env"), "{name:?}: {told}");
    }
}
