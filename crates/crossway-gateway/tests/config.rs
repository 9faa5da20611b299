//! Configs as people get them wrong, and what they are told.
//!
//! `CROSSWAY_BLESS=1 cargo test -p crossway-gateway --test config` writes the golden files anew.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]

mod generated;

use std::fs;
use std::path::{Path, PathBuf};

use crossway_gateway::config::{self, ConfigErrors, Problem, Severity};
use crossway_gateway::plan::UpstreamPlan;
use generated::{assert_generated, repository};

/// What the golden files take for the environment.
fn lookup(name: &str) -> Option<String> {
    match name {
        "WORD" => Some("everybody".to_owned()),
        "TOKEN" => Some("a-token-that-nobody-is-shown".to_owned()),
        _ => None,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/config")
}

fn told(file: &Path, text: &str) -> String {
    // The folder is another on each machine.
    let name = Path::new(file.file_name().unwrap_or_default());
    match config::parse(name, text, lookup) {
        Ok(_) => panic!("{} is not broken", file.display()),
        Err(errors) => format!("{errors}\n"),
    }
}

#[test]
fn each_broken_config_is_told_what_is_wrong_where_and_what_to_do() {
    let mut looked_at = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|ending| ending == "txt") {
            continue;
        }
        let told = told(&file, &fs::read_to_string(&file).unwrap());
        let golden = PathBuf::from(format!("{}.txt", file.display()));
        if std::env::var_os("CROSSWAY_BLESS").is_some() {
            fs::write(&golden, &told).unwrap();
        }
        let wanted = fs::read_to_string(&golden)
            .unwrap_or_else(|error| panic!("{}: {error}; CROSSWAY_BLESS=1 writes it", golden.display()));
        assert_eq!(told, wanted, "{}", file.display());
        looked_at += 1;
    }
    assert!(looked_at >= 12, "{looked_at} of the golden files were found");
}

#[test]
fn the_three_formats_are_told_the_same_of_the_same_mistakes() {
    let messages = |name: &str, text: &str| -> Vec<(String, String)> {
        let ConfigErrors(findings) = config::parse(Path::new(name), text, lookup).unwrap_err();
        findings.iter().map(|finding| (finding.path.clone(), finding.message())).collect()
    };
    let yaml = messages(
        "a.yaml",
        "upstreams:\n  a: { comand: x, scope: tenants }\n  b: { url: 'http://b/', limits: { retries: many } }\n",
    );
    let toml = messages(
        "a.toml",
        "[upstreams.a]\ncomand = 'x'\nscope = 'tenants'\n[upstreams.b]\nurl = 'http://b/'\nlimits.retries = 'many'\n",
    );
    let json = messages(
        "a.json",
        r#"{"upstreams": {"a": {"comand": "x", "scope": "tenants"}, "b": {"url": "http://b/", "limits": {"retries": "many"}}}}"#,
    );
    assert_eq!((yaml.len(), &yaml), (3, &toml));
    assert_eq!(yaml, json);
}

#[test]
fn a_server_as_desktop_clients_write_it_is_checked_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("there")).unwrap();
    let parse = |text: &str| config::parse(&folder.path().join("a.yaml"), text, lookup);
    let loaded = parse(
        "mcpServers:\n  time: { command: uvx, cwd: there, env: { API_TOKEN: hunter2, SECRET: '${TOKEN}' } }\n\
         identity: { proof: none }\n",
    )
    .unwrap();
    let UpstreamPlan::Command(plan) = &loaded.upstreams[0].plan else { panic!("no command") };
    assert_eq!(plan.cwd.as_deref(), Some(folder.path().join("there").as_path()));
    let warned = |path| loaded.warnings.iter().filter(|finding| finding.path == path).count();
    assert_eq!((warned("mcpServers.time.env.API_TOKEN"), warned("mcpServers.time.env.SECRET")), (1, 0));

    let text =
        "upstreams:\n  a: { command: x, prefix: time }\nmcpServers:\n  time: { command: uvx, cwd: gone }\n";
    let ConfigErrors(findings) = parse(text).unwrap_err();
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let found: Vec<_> = errors.map(|finding| (finding.path.as_str(), finding.at)).collect();
    assert_eq!(found, [("mcpServers.time", Some((4, 3))), ("mcpServers.time.cwd", Some((4, 25)))]);
}

#[test]
fn a_proxy_is_checked_and_its_password_is_shown_nowhere() {
    let told = |upstream: &str, https_proxy: Option<&str>| -> Vec<String> {
        let text = format!("identity: {{ proof: none }}\nupstreams:\n  a: {{ {upstream} }}\n");
        let lookup = |name: &str| match name {
            "HTTPS_PROXY" => https_proxy.map(str::to_owned),
            "URL" => Some("http://user:hunter2@proxy:1".to_owned()),
            _ => None,
        };
        let findings = match config::parse(Path::new("a.yaml"), &text, lookup) {
            Ok(loaded) => {
                assert!(!format!("{loaded:?}").contains("hunter2"));
                loaded.warnings
            }
            Err(ConfigErrors(findings)) => findings,
        };
        let findings = findings.iter().filter(|finding| finding.path != "identity");
        findings.map(|finding| format!("{}: {}", finding.path, finding.message())).collect()
    };
    let url = "url: 'https://a/'";
    let fine = ["proxy: none", "proxy: 'socks5h://proxy'", "proxy: '${URL}'", "transport: streamable-http"];
    for proxy in fine {
        assert_eq!(told(&format!("{url}, {proxy}"), Some("proxy:3128")), [""; 0], "{proxy}");
    }
    for (upstream, variable, wanted) in [
        (
            format!("{url}, proxy: 'http://user:hunter2@proxy'"),
            None,
            "upstreams.a.proxy: the secret stands in this file",
        ),
        (format!("{url}, proxy: 'ftp://proxy'"), None, "upstreams.a.proxy: it is no URL of a proxy: "),
        (
            "command: x, proxy: none".to_owned(),
            None,
            "upstreams.a.proxy: is for an upstream with `url`; take it away",
        ),
        (
            url.to_owned(),
            Some("https://user:hunter2@proxy"),
            ": HTTPS_PROXY is no URL of a proxy: no TLS is spoken",
        ),
    ] {
        let told = told(&upstream, variable);
        assert!(told.len() == 1 && told[0].starts_with(wanted) && !told[0].contains("hunter2"), "{told:?}");
    }
}

/// What is wrong with the credentials of a config: where, and in which words.
fn wrong_with_credentials(upstreams: &str, rules: &str) -> Vec<String> {
    let text = format!(
        "identity: {{ proof: none }}\n{upstreams}grants: [{{ user: anonymous, upstream: '*', tools: ['*'] }}]\ncredentials:\n{rules}"
    );
    match config::parse(Path::new("a.yaml"), &text, lookup) {
        Ok(_) => Vec::new(),
        Err(ConfigErrors(findings)) => {
            let errors = findings.into_iter().filter(|finding| finding.severity == Severity::Error);
            errors.map(|finding| format!("{}: {}", finding.path, finding.message())).collect()
        }
    }
}

#[test]
fn a_credential_in_a_place_that_its_upstream_has_not_is_a_mistake() {
    let upstreams = "upstreams:\n  run: { command: x }\n  far: { url: 'http://far/' }\n  api: { openapi: { document: 'http://api/' } }\n  \
                     hook: { webhook: { tools: { a: { description: d, url: 'http://h/' } } } }\n\
                     mcpServers:\n  desk: { command: x }\n  web: { url: 'http://web/' }\n";
    let rule = |upstream: &str, place: &str| {
        format!("  - {{ upstream: {upstream}, for: shared, {place}, from: {{ env: X }} }}\n")
    };
    for (place, key, fits) in [
        ("env: X", "env", &["run", "desk"][..]),
        ("header: X-Key", "header", &["far", "api", "hook", "web"]),
        ("bearer: true", "bearer", &["far", "api", "hook", "web"]),
        ("basic: { user: a }", "basic", &["far", "api", "hook", "web"]),
        ("query: key", "query", &["api", "hook"]),
    ] {
        for upstream in ["run", "far", "api", "hook", "desk", "web"] {
            let wrong = wrong_with_credentials(upstreams, &rule(upstream, place));
            let is_told = wrong
                .iter()
                .any(|told| told.starts_with(&format!("credentials[0].{key}: is for an upstream")));
            assert_eq!(
                (wrong.len(), is_told),
                if fits.contains(&upstream) { (0, false) } else { (1, true) },
                "{upstream} {place}: {wrong:?}"
            );
        }
    }
}

#[test]
fn a_credential_in_a_place_that_the_upstream_fills_for_everybody_is_a_mistake() {
    let upstreams = "upstreams:\n  run: { command: x, env: { TOKEN: '${TOKEN}' } }\n  far: { url: 'http://far/', headers: { AUTHORIZATION: '${TOKEN}' } }\n  \
                     api: { openapi: { document: 'http://api/' }, headers: { Authorization: '${TOKEN}' } }\n  \
                     hook: { headers: { x-key: '${TOKEN}' }, webhook: { tools: { a: { description: d, url: 'http://h/?key=${TOKEN}' } } } }\n\
                     mcpServers:\n  desk: { command: x, env: { TOKEN: '${TOKEN}' } }\n  web: { url: 'http://web/', headers: { Authorization: '${TOKEN}' } }\n";
    for (upstream, place, other) in [
        ("run", "env: TOKEN", "env: OTHER"),
        ("desk", "env: TOKEN", "env: OTHER"),
        ("far", "bearer: true", "header: X-Key"),
        ("web", "header: authorization", "header: X-Key"),
        ("hook", "header: X-Key", "bearer: true"),
        ("hook", "query: key", "query: other"),
    ] {
        for required in [true, false] {
            let rule = |place| {
                format!(
                    "  - {{ upstream: {upstream}, for: user, {place}, required: {required}, from: {{ directory: keys }} }}\n"
                )
            };
            let wrong = wrong_with_credentials(upstreams, &rule(place));
            assert!(wrong.len() == 1 && wrong[0].contains("of its own"), "{upstream} {place}: {wrong:?}");
            assert_eq!(wrong_with_credentials(upstreams, &rule(other)), [""; 0], "{upstream} {other}");
        }
    }
    // A document at a URL is fetched with the header, and calls are made without.
    let rule = "  - { upstream: api, for: user, bearer: true, required: false, from: { directory: keys } }\n";
    assert_eq!(wrong_with_credentials(upstreams, rule), [""; 0]);
}

#[test]
fn a_rule_that_asks_for_what_the_proof_never_says_is_told_of() {
    const RULES: &str = r#"upstreams: { far: { url: "http://far/" } }
tenants:
  acme: { groups: [acme], claims: { org: acme } }
  globex: { email_domains: [globex.example], users: ["a@b.example", "42"] }
grants:
  - { tenant: acme, upstream: far, tools: ["*"] }
  - { tenant: globex, upstream: far, tools: ["*"], when: 'user.claims.level == 3 || "x" in user.groups' }
  - { group: contractors, upstream: far, tools: ["*"], effect: deny }
  - { role: admin, upstream: far, prompts: ["*"] }
  - { user: "a@b.example", upstream: far, resources: ["**"] }
credentials:
  - { upstream: far, for: user, header: X-Org, value: "{user.claims.org} {user.name}" }
  - { upstream: far, for: user, bearer: true, from: { directory: keys } }
"#;
    let told = |identity: &str| -> Vec<String> {
        let text = format!("identity: {{ {identity} }}\n{RULES}");
        let loaded = config::parse(Path::new("a.yaml"), &text, lookup).unwrap();
        let about = loaded.warnings.iter().filter(|finding| finding.message().starts_with("nobody "));
        about.map(|finding| finding.path.clone()).collect()
    };
    let key = "0123456789abcdef0123456789abcdef";
    let webui = told(&format!("proof: open-webui-jwt, secret: {key}, connection_key: {key}"));
    let claims = ["tenants.acme.claims.org", "grants[1].when", "credentials[0].value"];
    for path in claims.iter().chain(&["tenants.acme.groups", "grants[2].group"]) {
        assert!(webui.iter().any(|told| told == path), "{path} in {webui:?}");
    }
    // Of the condition the claim and the groups.
    assert_eq!(webui.len(), 6, "{webui:?}");
    let fence =
        format!("proof: headers, fence: {{ connection_key: {key}, client_certificates: ['{key}{key}'] }}");
    let headers = told(&fence);
    assert_eq!(headers.len(), 7, "{headers:?}");
    assert!(headers.iter().any(|path| path == "identity.fence.client_certificates"));
    let jwt = |claims: &str| {
        told(&format!(
            "proof: jwt, issuer: 'https://i', audience: [a], jwks_url: 'https://i/keys', resource: 'https://a', claims: {{ {claims} }}"
        ))
    };
    assert_eq!(jwt("keep: [org, level]"), [""; 0]);
    assert_eq!(jwt("").len(), claims.len());
    let bare = jwt("keep: [org, level], groups: null, roles: null, email: null, name: null");
    assert_eq!(bare.len(), 9, "{bare:?}");
    let of_key =
        |more: &str| told(&format!("proof: api-keys, keys: [{{ sha256: '{key}{key}', subject: s{more} }}]"));
    assert_eq!(of_key("").len(), 12);
    assert_eq!(
        of_key(", groups: [a], roles: [b], email: 'a@b.example', name: N, claims: { org: acme, level: 3 }"),
        [""; 0]
    );
}

#[test]
fn limits_that_would_let_nobody_in_are_mistakes() {
    let text = "upstreams: { a: { command: x, limits: { concurrent: 0 } } }\nlimits: { connections: 0, sessions: 0, message: 0 }\n";
    let ConfigErrors(findings) = config::parse(Path::new("a.yaml"), text, lookup).unwrap_err();
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let paths: Vec<_> = errors.map(|finding| finding.path.as_str()).collect();
    let wanted = ["upstreams.a.limits.concurrent", "limits.connections", "limits.sessions", "limits.message"];
    assert_eq!(paths, wanted);
    let text = "limits: { message: 10, threads: 100000 }\n";
    let told = config::parse(Path::new("a.yaml"), text, lookup).unwrap_err().to_string();
    assert!(told.contains("limits.message: less than 1024 bytes lets no client in"), "{told}");
    assert!(told.contains("limits.threads: at most 1024 threads can serve"), "{told}");
}

#[test]
fn what_serve_would_end_with_is_told_before() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("records")).unwrap();
    let told = |text: &str| {
        config::parse(&folder.path().join("a.yaml"), text, lookup).err().map(|errors| errors.to_string())
    };
    for (text, wanted) in [
        ("log: { filter: loud }", "has \"loud\", which is no level"),
        ("audit: { file: records }", "records can't be written to"),
        ("audit: { file: none/audit.jsonl }", "No such file or directory"),
    ] {
        let told = told(text).unwrap();
        assert!(told.contains(wanted), "{told}");
    }
    assert_eq!(told("audit: { file: records/audit.jsonl }"), None);
    assert!(!folder.path().join("records/audit.jsonl").exists(), "nothing is made by looking");
    fs::write(folder.path().join("old.jsonl"), "").unwrap();
    assert_eq!(told("audit: { file: old.jsonl }"), None);
}

#[test]
fn an_api_has_as_long_for_its_answer_as_is_said() {
    let parse = |limits: &str| {
        let hook = "tools: { a: { description: d, url: 'http://h/' } }";
        let text = format!(
            "identity: {{ proof: none }}\nupstreams:\n  a: {{ webhook: {{ timeout: 15m, {hook} }}{limits} }}\n  b: {{ webhook: {{ {hook} }} }}\n"
        );
        config::parse(Path::new("a.yaml"), &text, lookup).unwrap()
    };
    let warned = |loaded: &config::Loaded| {
        let of_time = loaded.warnings.iter().filter(|finding| finding.path == "upstreams.a.webhook.timeout");
        of_time.map(|finding| finding.message()).collect::<Vec<_>>()
    };
    let idle = |loaded: &config::Loaded, index: usize| {
        loaded.upstreams[index].guard().idle.map(|idle| idle.as_secs())
    };
    let loaded = parse("");
    assert_eq!((idle(&loaded, 0), idle(&loaded, 1)), (Some(900), Some(300)));
    assert!(warned(&loaded).is_empty());
    let loaded = parse(", limits: { idle: 30s, total: 10m }");
    assert_eq!(idle(&loaded, 0), Some(30));
    assert_eq!(
        warned(&loaded),
        ["idle", "total"]
            .map(|key| format!("is longer than `limits.{key}`, which ends a call before; make that as long"))
    );
    assert!(warned(&parse(", limits: { idle: 0s }")).is_empty());
}

#[test]
fn of_many_mistakes_the_first_are_told_whatever_kind_they_are_of() {
    for (mistake, count) in
        [("{ command: \"${NOT_SET}\" }", 60), ("{ comand: x }", 60), ("{ comand: x }", 50)]
    {
        let upstreams: Vec<String> = (0..count).map(|index| format!("  a{index}: {mistake}\n")).collect();
        let text = format!("upstreams:\n{}", upstreams.concat());
        let ConfigErrors(findings) = config::parse(Path::new("a.yaml"), &text, lookup).unwrap_err();
        let is_cut = findings.last().unwrap().message().contains("these are the first 50");
        assert_eq!((findings.len(), is_cut), if count > 50 { (51, true) } else { (50, false) }, "{mistake}");
    }
}

/// The example, with what it takes from the environment.
fn example() -> config::Loaded {
    let text = fs::read_to_string(repository().join("examples/crossway.yaml")).unwrap();
    let secrets = |name: &str| match name {
        "CROSSWAY_SESSION_KEY" => Some("3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=".to_owned()),
        name if name.starts_with("CROSSWAY_") => Some("0123456789abcdef0123456789abcdef".to_owned()),
        _ => None,
    };
    config::parse(Path::new("crossway.yaml"), &text, secrets).unwrap()
}

#[test]
fn the_example_can_be_used_and_nothing_of_it_is_doubtful() {
    let loaded = example();
    // What credentials are taken from is on the machine that the example is for.
    let warnings = loaded.warnings.iter().filter(|finding| !matches!(finding.problem, Problem::Source(_)));
    let warnings: Vec<_> = warnings.map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
    let names: Vec<_> = loaded.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    assert_eq!(names, ["github", "jira", "wiki", "time"]);
    let secret = "0123456789abcdef";
    assert!(!format!("{loaded:?}").contains(secret), "a secret is shown");
}

#[test]
fn the_example_says_all_that_a_config_can_say() {
    let text = fs::read_to_string(repository().join("examples/crossway.yaml")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&config::schema()).unwrap();
    let keys = schema["properties"].as_object().unwrap().keys();
    // TLS needs files that no example has.
    let missing: Vec<_> = keys
        .filter(|key| !["$schema", "tls"].contains(&key.as_str()))
        .filter(|key| !text.lines().any(|line| line.starts_with(&format!("{key}:"))))
        .collect();
    assert!(missing.is_empty(), "examples/crossway.yaml says nothing of {missing:?}");
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    assert_generated("docs/crossway.schema.json", &format!("{}\n", config::schema()));
}

#[test]
fn the_schema_takes_what_the_parser_takes() {
    let schema: serde_json::Value = serde_json::from_str(&config::schema()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let keys = r#"{"proof":"api-keys","keys":[{"sha256":"${KEY_SHA256}","subject":"alice"}]}"#;
    let hook = |more: &str| {
        format!(
            r#"{{"hooks":{{"webhook":{{"tools":{{"x":{{"url":"https://h/","description":"d"{more}}}}}}}}}}}"#
        )
    };
    for (config, is_taken) in [
        (format!(r#"{{"identity":{keys}}}"#), true),
        (r#"{"limits":{"connections":"${N}","drain":"${TIME}"}}"#.to_owned(), true),
        (r#"{"limits":{"connections":"many"}}"#.to_owned(), false),
        (r#"{"upstreams":{"a":{"command":"x","trusted":"${YES}","scope":"${SCOPE}"}}}"#.to_owned(), true),
        (r#"{"upstreams":{"a":{"command":"x","trusted":"yes"}}}"#.to_owned(), false),
        (r#"{"upstreams":{"a":{"command":"x","scope":"each"}}}"#.to_owned(), false),
        (r#"{"tenants":{"a":{"everyone":"${YES}"}}}"#.to_owned(), false),
        (r#"{"mcpServers":{"a":{"command":"x","disabledTools":["a","a"]}}}"#.to_owned(), true),
        (format!(r#"{{"upstreams":{}}}"#, hook("")), true),
        (format!(r#"{{"upstreams":{}}}"#, hook(r#","body":null"#)), false),
        (format!(r#"{{"upstreams":{}}}"#, hook(r#","input":null"#)), false),
    ] {
        let lookup = |name: &str| match name {
            "KEY_SHA256" => Some("0".repeat(64)),
            "N" => Some("7".to_owned()),
            "TIME" => Some("5s".to_owned()),
            "YES" => Some("true".to_owned()),
            "SCOPE" => Some("user".to_owned()),
            _ => None,
        };
        let loaded = config::parse(Path::new("a.json"), &config, lookup);
        assert_eq!(loaded.is_ok(), is_taken, "{config} {loaded:?}");
        assert_eq!(schema.is_valid(&serde_json::from_str(&config).unwrap()), is_taken, "{config}");
    }
}

#[test]
fn every_key_has_a_description_for_editors() {
    fn undescribed(at: &str, schema: &serde_json::Value, missing: &mut Vec<String>) {
        if let Some(properties) = schema["properties"].as_object() {
            for (name, property) in properties {
                let at = format!("{at}.{name}");
                if property["description"].as_str().is_none_or(str::is_empty) {
                    missing.push(at.clone());
                }
                undescribed(&at, property, missing);
            }
        }
    }
    let schema: serde_json::Value = serde_json::from_str(&config::schema()).unwrap();
    let mut missing = Vec::new();
    undescribed("", &schema, &mut missing);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        undescribed(name, definition, &mut missing);
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn keys_that_hold_from_the_next_start_on_are_told_when_they_say_something_else() {
    let fixed = |text: &str| config::parse(Path::new("a.yaml"), text, lookup).unwrap().fixed;
    let before = fixed("listen: 127.0.0.1:1\nlimits: { sessions: 5, message: 1MiB }\n");
    // Where it stands and in which order is no change, and what else is there is taken up at once.
    let same = fixed(
        "upstreams: { x: { command: y } }\n\nlimits:\n  message: 1MiB\n  sessions: 5\nlisten: 127.0.0.1:1\n",
    );
    assert!(before.changed_in(&same).is_empty());
    let other =
        fixed("listen: 127.0.0.1:2\nlimits: { sessions: 6, message: 1MiB }\nlog: { filter: debug }\n");
    assert_eq!(before.changed_in(&other), ["listen", "limits", "log"]);
}
