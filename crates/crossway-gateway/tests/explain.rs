//! What `explain` says of a call is what comes of it over sockets, for configs, callers and things at random.
//!
//! 300 cases; `CROSSWAY_EXPLAIN_CASES` says how many else. A case is one caller and one thing, listed or not, called or not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use support::tenants::{body, by, eventually, sha256};
use support::{CROSSWAY, INITIALIZE, Serving};

const ADMIN: &str = "an-admin-key-0123456789abcdef0123456789";

/// The upstreams: what the demo server has, under two names.
const UPSTREAMS: [&str; 2] = ["one", "two"];
/// Those of its tools that need nothing of their client, and names that it has not.
const TOOLS: [&str; 8] = [
    "echo",
    "slow",
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_error_handling",
    "no_such",
    "ECHO",
];
const PROMPTS: [&str; 3] = ["test_simple_prompt", "test_prompt_with_image", "no_such"];
const RESOURCES: [&str; 3] = ["test://static-text", "test://static-binary", "test://no-such"];

/// A caller: what an API key stands for.
#[derive(Debug, Clone)]
struct Caller {
    key: String,
    user: Value,
}

fn callers() -> impl Strategy<Value = Vec<Caller>> {
    let groups = subsequence(vec!["acme", "globex", "ops", "dev"], 0..3);
    let roles = subsequence(vec!["reader", "admin"], 0..2);
    vec((groups, roles, select(vec!["acme.example", "globex.example", "x.example"])), 6).prop_map(|all| {
        let callers = all.into_iter().enumerate();
        callers
            .map(|(number, (groups, roles, domain))| Caller {
                key: format!("key-of-{number}-0123456789abcdef0123456789abcdef"),
                user: json!({
                    "issuer": "api-keys", "subject": format!("user{number}"), "email": format!("user{number}@{domain}"),
                    "groups": groups, "roles": roles,
                }),
            })
            .collect()
    })
}

fn grants() -> impl Strategy<Value = Vec<Value>> {
    let who = select(vec![
        json!({ "tenant": "acme" }),
        json!({ "tenant": "globex" }),
        json!({ "group": "ops" }),
        json!({ "role": "reader" }),
        json!({ "everyone": true }),
        json!({ "user": "user1" }),
        json!({ "user": "user2@acme.example" }),
        json!({ "tenant": "acme", "group": "dev", "role": "admin" }),
    ]);
    let upstream = select(vec!["one", "two", "*", "t*"]);
    let tools = select(vec![
        json!(["*"]),
        json!(["echo"]),
        json!(["test_*"]),
        json!(["s*", "no_such"]),
        json!(["*_content"]),
        json!(["ECHO"]),
        json!([]),
    ]);
    let prompts = select(vec![json!([]), json!(["*"]), json!(["test_simple_*"])]);
    let resources =
        select(vec![json!([]), json!(["**"]), json!(["test://static-*"]), json!(["test://static-text"])]);
    let manner = select(vec![
        json!({}),
        json!({}),
        json!({}),
        json!({ "effect": "deny" }),
        json!({ "when": "user.email.endsWith('@acme.example')" }),
        json!({ "when": "args.message == \"hi\"" }),
        json!({ "when": "args.message == \"no\"" }),
        json!({ "effect": "deny", "when": "args.message == \"hi\"" }),
        json!({ "effect": "deny", "when": "args.nothing == 1" }),
    ]);
    let grant = (who, upstream, tools, prompts, resources, manner).prop_map(
        |(who, upstream, tools, prompts, resources, manner)| {
            let is_of_tools = manner["when"].as_str().is_some_and(|when| when.starts_with("args"));
            let nothing = json!([]);
            let mut grant = json!({
                "upstream": upstream, "tools": if tools == nothing { json!(["test_*"]) } else { tools },
                "prompts": if is_of_tools { &nothing } else { &prompts },
                "resources": if is_of_tools { &nothing } else { &resources },
            });
            for part in [who, manner] {
                grant.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            }
            grant
        },
    );
    vec(grant, 1..9)
}

fn config(callers: &[Caller], grants: &[Value], scope: &str, operations: &str) -> Value {
    let keys: Vec<Value> = callers
        .iter()
        .map(|Caller { key, user }| {
            let mut entry = user.clone();
            entry.as_object_mut().unwrap().remove("issuer");
            entry["sha256"] = sha256(key).into();
            entry
        })
        .collect();
    let server =
        |era: &str| json!({ "command": CROSSWAY, "args": ["demo", "--stdio", "--era", era], "scope": scope });
    json!({
        "identity": { "proof": "api-keys", "issuer": "api-keys", "keys": keys },
        "operations": { "listen": operations, "admin_key": ADMIN },
        "upstreams": { "one": server("modern"), "two": server("legacy") },
        "tenants": { "acme": { "groups": ["acme"] }, "globex": { "groups": ["globex"], "email_domains": ["globex.example"] } },
        "grants": grants,
    })
}

fn explained(operations: &str, question: &Value) -> Value {
    let mut stream = TcpStream::connect(operations).unwrap();
    let question = question.to_string();
    write!(
        stream,
        "POST /admin/explain HTTP/1.1\r\nHost: {operations}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {ADMIN}\r\nContent-Length: {}\r\n\r\n{question}",
        question.len()
    )
    .unwrap();
    let response = support::read(stream);
    serde_json::from_str(body(&response)).unwrap_or_else(|error| panic!("{error}: {response}"))
}

/// One caller's session at a path.
struct Session<'a> {
    serving: &'a Serving,
    key: &'a str,
    path: String,
    id: String,
}

impl<'a> Session<'a> {
    /// None where nothing is for the caller.
    fn open(serving: &'a Serving, key: &'a str, path: String) -> Option<Self> {
        let opened = by(key).post(serving, &path, INITIALIZE);
        if opened.starts_with("HTTP/1.1 404") || opened.starts_with("HTTP/1.1 403") {
            return None;
        }
        let id = by(key).open(serving, &path);
        Some(Self { serving, key, path, id })
    }

    /// The answer to a request. Servers start when they are first asked for: until then it is asked again.
    fn ask(&self, method: &str, params: &Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string();
        let mut answer = Value::Null;
        eventually("the server is there", || {
            let response = by(self.key).within(&self.id).post(self.serving, &self.path, &request);
            let events = body(&response).lines().filter_map(|line| line.strip_prefix("data: "));
            let mut texts = events.chain(std::iter::once(body(&response)));
            let found =
                texts.find_map(|text| serde_json::from_str::<Value>(text).ok().filter(|it| it["id"] == 7));
            answer = found.unwrap_or_else(|| panic!("{request}: {response}"));
            answer["error"]["data"]["outcome"] != "not_sent"
        });
        answer
    }

    fn lists(&self, method: &str, member: &str, key: &str, name: &str) -> bool {
        let answer = self.ask(method, &json!({}));
        let items = answer["result"][member].as_array().unwrap_or_else(|| panic!("{answer}"));
        items.iter().any(|item| item[key] == name)
    }
}

/// One kind of thing, and how it is asked for.
struct Kind {
    word: &'static str,
    names: &'static [&'static str],
    list: (&'static str, &'static str, &'static str),
    call: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind { word: "tool", names: &TOOLS, list: ("tools/list", "tools", "name"), call: "tools/call" },
    Kind { word: "prompt", names: &PROMPTS, list: ("prompts/list", "prompts", "name"), call: "prompts/get" },
    Kind {
        word: "resource",
        names: &RESOURCES,
        list: ("resources/list", "resources", "uri"),
        call: "resources/read",
    },
];

/// Whether the demo server has it.
fn exists(name: &str) -> bool {
    !matches!(name, "no_such" | "ECHO" | "test://no-such")
}

/// Holds that what `explain` says of one thing is what comes of it. Gives whether it was permitted, and listed.
fn check(
    session: Option<&Session<'_>>,
    exposed: &str,
    kind: &Kind,
    name: &str,
    said: &Value,
    told: &dyn Fn() -> String,
) -> [bool; 2] {
    let is = |what: &str| said[what].as_bool().unwrap_or_else(|| panic!("{said}"));
    // Where names are denied, one that its server does not list is refused.
    let is_in_doubt = said["only_if_listed"] == true && !exists(name);
    let (permitted, listed) = (is("permitted") && !is_in_doubt, is("listed"));
    let Some(session) = session else {
        assert!(!permitted && !listed, "nothing is there, and explain says {said}: {}", told());
        return [permitted, listed];
    };
    let (method, member, key) = kind.list;
    let is_in_list = || session.lists(method, member, key, exposed);
    if listed && exists(name) {
        // A server that has only just started may be missing from lists.
        eventually(&format!("{exposed} is listed as explain says {said}: {}", told()), is_in_list);
    } else {
        assert!(!is_in_list(), "{exposed} is listed, and explain says {said}: {}", told());
    }
    let key = if kind.word == "resource" { "uri" } else { "name" };
    let mut params = json!({ key: exposed });
    if kind.word == "tool" {
        params["arguments"] = arguments();
    }
    let answer = session.ask(kind.call, &params);
    let unknown = format!("Unknown {}: {exposed}", kind.word);
    let is_refused = answer["error"]["message"] == unknown.as_str();
    assert_eq!(
        !is_refused,
        permitted,
        "{exposed} is answered by {answer}, and explain says {said}: {}",
        told()
    );
    [permitted, listed]
}

fn arguments() -> Value {
    json!({ "message": "hi", "steps": 0 })
}

fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn explain_says_what_comes_of_a_call_over_sockets() {
    let wanted =
        std::env::var("CROSSWAY_EXPLAIN_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    let begun = std::time::Instant::now();
    let mut runner = TestRunner::new(ProptestConfig::default());
    let (mut cases, mut configs, mut permitted, mut listed) = (0_usize, 0_usize, 0_usize, 0_usize);
    // Few configs may grant nothing to anybody.
    while cases < wanted || (permitted == 0 || listed == 0) && cases < 20 * wanted {
        let mut random = |strategy: BoxedStrategy<Value>| strategy.new_tree(&mut runner).unwrap().current();
        let scope = random(select(vec![json!("shared"), json!("tenant")]).boxed());
        let grants = random(grants().prop_map(Value::Array).boxed());
        let callers = callers().new_tree(&mut runner).unwrap().current();
        let (dir, operations) = (tempfile::tempdir().unwrap(), free_address());
        let path = dir.path().join("crossway.json");
        let config = config(&callers, grants.as_array().unwrap(), scope.as_str().unwrap(), &operations);
        fs::write(&path, config.to_string()).unwrap();
        let serving = Serving::start(&["serve", "--config", path.to_str().unwrap()]);
        configs += 1;
        for caller in &callers {
            let merged = Session::open(&serving, &caller.key, "/mcp".to_owned());
            for upstream in UPSTREAMS {
                let alone = Session::open(&serving, &caller.key, format!("/{upstream}/mcp"));
                for kind in &KINDS {
                    for name in kind.names {
                        let mut question = json!({ "user": caller.user, "upstream": upstream });
                        question[kind.word] = (*name).into();
                        if kind.word == "tool" {
                            question["arguments"] = arguments();
                        }
                        let said = explained(&operations, &question);
                        let told = || format!("{caller:?} {config}");
                        // Both servers have the same URIs, which are told apart at each alone.
                        let (session, exposed) = match kind.word {
                            "resource" => (alone.as_ref(), (*name).to_owned()),
                            _ => (merged.as_ref(), format!("{upstream}__{name}")),
                        };
                        let [is_permitted, is_listed] = check(session, &exposed, kind, name, &said, &told);
                        cases += 1;
                        permitted += usize::from(is_permitted);
                        listed += usize::from(is_listed);
                    }
                }
            }
        }
    }
    println!(
        "{cases} cases of {configs} configs in {:.0} s: {permitted} permitted, {listed} listed",
        begun.elapsed().as_secs_f64()
    );
    assert!(permitted > 0 && permitted < cases && listed > 0 && listed < cases);
}
