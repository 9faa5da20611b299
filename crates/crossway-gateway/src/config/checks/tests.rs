//! Warnings about valid configs.

use std::path::Path;

use crate::config;
use crate::plan::UpstreamPlan;

/// Returns the warnings about a config, one per line, except those about the proof `none` and missing grants.
fn warned(text: &str) -> Vec<String> {
    let lookup = |name: &str| match name {
        "SET" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    let loaded = config::parse(Path::new("a.yaml"), text, lookup).unwrap();
    let lines = loaded.warnings.iter().map(ToString::to_string);
    lines
        .filter(|line| !line.contains("identity.proof is none") && !line.contains("nothing is granted"))
        .collect()
}

/// Returns the paths of the warnings that contain a text.
fn warned_of(text: &str, what: &str) -> Vec<String> {
    let lines = warned(text);
    let paths = lines
        .iter()
        .filter(|line| line.contains(what))
        .map(|line| line.split(": ").nth(2).unwrap().to_owned());
    paths.collect()
}

#[test]
fn a_secret_that_a_default_says_stands_in_the_file() {
    let text = "operations: { listen: '127.0.0.1:9808', admin_key: '${SET:-0123456789abcdef0123}' }
session_keys: ['${NONE:-${OTHER:-3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=}}']
audit: { file: stderr, key: '${NONE:-${SET}}' }
upstreams:
  a: { command: uvx, env: { A_TOKEN: '${SET:-x}', B_TOKEN: '${SET}', C_TOKEN: '${SET:-}', HOST: '${NONE:-x}' } }
  b: { url: 'http://b/mcp', headers: { Authorization: 'Bearer ${NONE:-x}' } }
mcpServers:
  c: { command: uvx, env: { A_TOKEN: '${SET:-x}', B_TOKEN: '${SET}' } }
";
    assert_eq!(
        warned_of(text, "the secret stands in this file"),
        [
            "operations.admin_key",
            "session_keys[0]",
            "upstreams.a.env.A_TOKEN",
            "upstreams.b.headers.Authorization",
            "mcpServers.c.env.A_TOKEN",
        ]
    );
}

#[test]
fn rules_about_a_server_that_is_switched_off_are_warned_of_and_refuse_nothing() {
    let text = "upstreams: { a: { command: uvx } }
mcpServers:
  time: { command: uvx, disabled: true }
  git: { command: uvx, enabled: false }
tenants: { acme: { groups: [acme] } }
endpoints: { /time: acme }
grants:
  - { tenant: acme, upstream: a, tools: [echo] }
  - { tenant: acme, upstream: time, tools: [echo] }
  - { tenant: acme, upstream: 'ti*', tools: [echo] }
credentials: [{ upstream: git, for: tenant, env: TOKEN, from: { env: SET } }]
quotas: [{ upstream: time, calls: 1/s }, { calls: 1/s }]
";
    let told = warned_of(text, "is switched off in `mcpServers`: this has no effect until it is on again");
    assert_eq!(told, ["grants[1].upstream", "credentials[0].upstream", "quotas[0].upstream"]);
}

#[test]
fn a_variable_that_keeps_telemetry_from_starting_is_an_error() {
    let told = |name: &str, value: &str| {
        let lookup = |wanted: &str| match wanted {
            _ if wanted == name => Some(value.to_owned()),
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("http://127.0.0.1:4318".to_owned()),
            _ => None,
        };
        let text = "upstreams: { a: { command: uvx } }\n";
        config::parse(Path::new("a.yaml"), text, lookup).err().map(|errors| errors.to_string())
    };
    assert_eq!(told("NONE", ""), None);
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "foo"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_RESOURCE_ATTRIBUTES", "foo"),
    ] {
        let told = told(name, value).unwrap_or_default();
        assert!(told.contains(&format!("error: {name} is n")), "{told}");
    }
    // One fault of a proxy is told once.
    let told = told("HTTP_PROXY", "http://[").unwrap();
    assert_eq!(told.matches("HTTP_PROXY").count(), 1, "{told}");
}

#[test]
fn a_secret_is_never_the_text_of_a_variable() {
    let text = "identity: { proof: open-webui-jwt, secret: '${NONE:-${OTHER}}', connection_key: '${SET}' }
upstreams: { a: { command: uvx } }
";
    let told = config::parse(Path::new("a.yaml"), text, |_| None).unwrap_err().to_string();
    assert!(told.contains("identity.secret: the environment variable OTHER is not set"), "{told}");
}

#[test]
#[cfg(unix)]
fn a_secrets_file_is_a_regular_one_and_may_begin_with_a_byte_order_mark() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let text = "upstreams: { a: { command: uvx } }\nsession_keys: ['file:key']\n";
    std::fs::write(folder.path().join("key"), "\u{feff}3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=\r\n")
        .unwrap();
    assert!(config::parse(&path, text, |_| None).unwrap().keyring.is_some());

    std::fs::remove_file(folder.path().join("key")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("key")).status().unwrap();
    assert!(made.success());
    let told = config::parse(&path, text, |_| None).unwrap_err().to_string();
    assert!(told.contains("can't be used: it is no regular file"), "{told}");
}

#[test]
fn a_number_in_a_rates_place_is_told_how_a_rate_is_written() {
    let text = "upstreams: { a: { command: uvx } }\nquotas: [{ calls: 10 }]\n";
    let told = config::parse(Path::new("a.yaml"), text, |_| None).unwrap_err().to_string();
    assert!(
        told.ends_with("a number stands here, where a rate such as 10/min or 10MiB/min is wanted"),
        "{told}"
    );
}

#[test]
fn who_shares_a_server_with_all_tenants_is_warned_whatever_kind_it_is_of() {
    let text = "upstreams:
  a: { command: uvx, scope: shared }
  b: { url: 'http://b/mcp', scope: shared }
  c: { url: 'http://c/mcp', scope: user }
";
    assert_eq!(warned_of(text, "all tenants share"), ["upstreams.a.scope", "upstreams.b.scope"]);
}

#[test]
fn a_scope_that_a_credential_narrows_is_told_of_and_not_taken_for_what_it_says() {
    let text = "upstreams:
  a: { url: 'http://a/mcp', scope: shared }
  b: { url: 'http://b/mcp', scope: shared }
  c: { url: 'http://c/mcp', scope: tenant }
  d: { url: 'http://d/mcp', scope: user }
  e: { url: 'http://e/mcp', scope: shared }
credentials:
  - { upstream: e, for: shared, header: A, from: { env: SET } }
  - { upstream: a, for: tenant, header: A, value: '{tenant}' }
  - { upstream: a, for: user, header: B, value: '{user.email}' }
  - { upstream: a, for: user, header: C, value: '{user.email}' }
  - { upstream: b, for: tenant, header: A, value: '{tenant}' }
  - { upstream: c, for: user, header: A, value: '{user.email}' }
  - { upstream: d, for: user, header: A, value: '{user.email}' }
";
    let told: Vec<_> = warned(text).into_iter().filter(|line| line.contains(".scope: ")).collect();
    let narrowed = |name: &str, to: &str, by: usize| {
        format!("upstreams.{name}.scope: the scope is narrowed to `{to}` by credentials[{by}]")
    };
    let wanted = [narrowed("a", "user", 2), narrowed("b", "tenant", 4), narrowed("c", "user", 5)];
    for wanted in &wanted {
        assert_eq!(told.iter().filter(|line| line.contains(wanted)).count(), 1, "{told:#?}");
    }
    assert_eq!(told.len(), 4, "{told:#?}");
    assert_eq!(warned_of(text, "all tenants share"), ["upstreams.e.scope"]);
}

#[test]
fn documents_for_somebody_of_no_tenant_are_told_of() {
    let told = |who: &str, tenants: &str| {
        let text = format!(
            "upstreams: {{ a: {{ command: uvx }} }}\nopenapi: {{ document_for: {{ {who} }} }}\ntenants: {{ {tenants} }}\n"
        );
        warned_of(&text, "it belongs to no tenant: nobody gets a document")
    };
    let acme = "acme: { email_domains: [acme.example] }";
    assert_eq!(told("email: a@acme.exmaple", acme), ["openapi.document_for"]);
    assert_eq!(told("groups: [acme]", acme), ["openapi.document_for"]);
    assert!(told("email: a@acme.example", acme).is_empty());
}

#[test]
fn documents_for_somebody_of_several_tenants_are_told_of() {
    let told = |endpoints: &str| {
        let text = format!(
            "upstreams: {{ a: {{ command: uvx }} }}
openapi: {{ document_for: {{ email: a@acme.example }} }}
tenants: {{ acme: {{ email_domains: [acme.example] }}, globex: {{ users: [a@acme.example] }}, other: {{ groups: [o] }} }}
endpoints: {{ {endpoints} }}
"
        );
        let told = warned(&text).into_iter().filter(|line| line.contains("openapi.document_for"));
        told.map(|line| line.split_once("it belongs to ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        told("/acme: acme, /globex: globex, /other: other"),
        ["acme and globex: a document is only at /acme, /globex"]
    );
    let nobody = "acme and globex: no endpoint selects one of them, so nobody gets a document";
    assert_eq!(told("/other: other"), [nobody]);
    assert_eq!(told(""), [nobody]);
}

#[test]
fn upstreams_that_differ_in_capital_letters_alone_are_told_of() {
    let text = "upstreams: { a: { command: uvx }, A: { command: uvx }, b: { command: uvx } }
mcpServers: { B: { command: uvx } }
";
    assert_eq!(
        warned(text),
        [
            "a.yaml:1:14: warning: upstreams.a: its name differs from \"A\" in capital letters alone",
            "a.yaml:2:15: warning: mcpServers.B: its name differs from \"b\" in capital letters alone",
        ]
    );
}

#[test]
fn a_rule_that_names_tools_as_clients_see_them_is_told_of() {
    let text = "upstreams: { open: { command: uvx }, wiki: { command: uvx, prefix: w } }
tenants: { acme: { groups: [acme] } }
grants:
  - { tenant: acme, upstream: '*', tools: ['*', w__x] }
  - { tenant: acme, upstream: open, tools: [delete_x, open__delete_*, w__x], prompts: ['open__*'], effect: deny }
  - { tenant: acme, upstream: wiki, tools: [wiki__x, w__delete], effect: deny }
quotas: [{ tool: open__slow, calls: 1/s }]
";
    assert_eq!(
        warned_of(text, "without the"),
        [
            "grants[0].tools[1]",
            "grants[1].tools[1]",
            "grants[1].prompts[0]",
            "grants[2].tools[1]",
            "quotas[0].tool",
        ]
    );
    assert!(warned(text).contains(
        &"a.yaml:5:55: warning: grants[1].tools[1]: tools and prompts are named as the upstream calls them, without the \"open__\" that clients see".to_owned()
    ));
}

#[test]
fn a_denial_that_can_match_nobody_is_told_of_where_it_stands() {
    let text = "upstreams: { open: { command: uvx } }
tenants: { acme: { email_domains: ['@acme.example'] } }
grants:
  - { everyone: true, upstream: open, tools: ['*'] }
  - { user: '*@acme.example', upstream: open, tools: ['${T}*'], effect: deny }
";
    let lines = warned(text);
    for place in [
        "2:36: warning: tenants.acme.email_domains[0]",
        "5:7: warning: grants[1].user",
        "5:55: warning: grants[1].tools[0]",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(&format!("a.yaml:{place}: no "))),
            "{place} {lines:#?}"
        );
    }
}

#[test]
#[cfg(unix)]
fn what_credentials_are_taken_from_and_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("there"), "x").unwrap();
    let text = "upstreams: { a: { url: 'http://a/mcp' } }
tenants: { acme: { groups: [acme] } }
grants: [{ tenant: acme, upstream: a, tools: ['*'] }]
credentials:
  - { upstream: a, for: shared, header: A, from: { env: SET } }
  - { upstream: a, for: shared, header: B, from: { env: UNSET } }
  - { upstream: a, for: shared, header: C, from: { file: there } }
  - { upstream: a, for: shared, header: D, from: { file: gone } }
  - { upstream: a, for: user, header: E, from: { directory: . } }
  - { upstream: a, for: user, header: F, from: { directory: there } }
  - { upstream: a, for: user, header: G, from: { directory: { path: gone, by: subject } } }
  - { upstream: a, for: tenant, header: H, from: { file: './{tenant}/x' } }
  - { upstream: a, for: tenant, header: I, from: { file: 'gone/{tenant}/x' } }
  - { upstream: a, for: user, header: J, from: { command: { program: there, args: ['{user.subject}'] } } }
  - { upstream: a, for: user, header: K, from: { command: { program: gone, args: ['{user.subject}'] } } }
  - { upstream: a, for: user, header: L, from: { broker: { url: 'https://b/{user.subject}', field: x, token: { file: gone } } } }
  - { upstream: a, for: user, header: M, from: { broker: { url: 'https://b/{user.subject}', field: x, token: { file: there } } } }
  - { upstream: a, for: user, header: N, from: { named: vault } }
";
    let path = folder.path().to_str().unwrap().to_owned();
    let lookup = |name: &str| match name {
        "SET" => Some("x".to_owned()),
        "PATH" => Some(path.clone()),
        _ => None,
    };
    let loaded = config::parse(&folder.path().join("a.yaml"), text, lookup).unwrap();
    let warnings = loaded.warnings.iter().filter(|warning| warning.path.starts_with("credentials"));
    let told: Vec<_> = warnings.map(|warning| format!("{}: {}", warning.path, warning.message())).collect();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let wanted = [
        "credentials[1].from.env: the environment variable UNSET is not set, or empty".to_owned(),
        format!("credentials[3].from.file: {} is no file", at("gone")),
        format!("credentials[5].from.directory: {} is no folder", at("there")),
        format!("credentials[6].from.directory.path: {} is no folder", at("gone")),
        format!("credentials[8].from.file: {} is no folder", at("gone")),
        "credentials[10].from.command.program: there is no program \"gone\"".to_owned(),
        format!("credentials[11].from.broker.token.file: {} is no file", at("gone")),
        "credentials[13].from.named: this program has no sources of its own, such as \"vault\"".to_owned(),
    ];
    let wanted: Vec<_> = wanted.iter().map(|line| format!("{line}: it gives nobody a credential")).collect();
    assert_eq!(told, wanted);
}

#[test]
fn a_secret_that_does_not_fit_where_it_goes_is_told_with_its_line_and_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in
        [("fine", "s3\n"), ("empty", "\n"), ("space", " hunter2 "), ("lines", "hunter2\nhunter2")]
    {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let text = "upstreams: { a: { url: 'http://a/mcp' } }
tenants: { acme: { groups: [acme] } }
grants: [{ tenant: acme, upstream: a, tools: ['*'] }]
credentials:
  - { upstream: a, for: shared, bearer: true, from: { file: fine } }
  - { upstream: a, for: shared, header: B, from: { file: empty } }
  - { upstream: a, for: tenant, tenant: acme, header: C, from: { file: space } }
  - { upstream: a, for: user, header: D, value: '{user.email} {secret}', from: { file: lines } }
  - { upstream: a, for: shared, header: E, from: { env: SET } }
  - { upstream: a, for: user, basic: { user: '{user.email}' }, tenant: acme, from: { file: lines } }
";
    let lookup = |name: &str| (name == "SET").then(|| "hunter2\r".to_owned());
    let loaded = config::parse(&folder.path().join("a.yaml"), text, lookup).unwrap();
    let warnings = loaded.warnings.iter().filter(|warning| warning.message().contains("can't be used"));
    let told: Vec<_> = warnings.map(|warning| format!("{}: {}", warning.path, warning.message())).collect();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let unfit = "what it gives does not fit where it goes: it has a line break or another control, or space around it";
    let wanted = [
        format!(
            "credentials[1].from.file: {} can't be used: it gives nothing, or what is empty",
            at("empty")
        ),
        format!("credentials[2].from.file: {} can't be used: {unfit}", at("space")),
        format!("credentials[3].from.file: {} can't be used: {unfit}", at("lines")),
        format!("credentials[4].from.env: SET can't be used: {unfit}"),
    ];
    let wanted: Vec<_> = wanted.iter().map(|line| format!("{line}; it gives nobody a credential")).collect();
    assert_eq!(told, wanted);
    let first = loaded.warnings.iter().find(|warning| warning.path == "credentials[1].from.file").unwrap();
    assert!(first.to_string().contains("a.yaml:6:"), "{first}");
}

#[test]
fn a_program_with_a_variables_value_in_it_is_not_shown() {
    let text = "
upstreams:
  a: { command: 'no-${KEY}' }
  b: { command: uvx }
mcpServers:
  c: { command: 'no-${KEY}' }
tenants: { acme: { everyone: true } }
";
    let lookup = |name: &str| (name == "KEY").then(|| "hunter2".to_owned());
    let loaded = config::parse(Path::new("a.yaml"), text, lookup).unwrap();
    let mut hidden = Vec::new();
    for spec in &loaded.upstreams {
        let UpstreamPlan::Command(command) = &spec.plan else { panic!("a command") };
        assert!(!format!("{:?}", spec.plan).contains("hunter2"), "{:?}", spec.plan);
        hidden.push((spec.name.as_str(), command.is_hidden));
    }
    assert_eq!(hidden, [("a", true), ("b", false), ("c", true)]);
}

#[test]
fn a_rule_about_a_tool_that_is_not_there_is_told_where_the_config_tells_the_tools() {
    let folder = tempfile::tempdir().unwrap();
    let document = r#"{ "openapi": "3.0.0", "info": { "title": "t", "version": "1" }, "servers": [{ "url": "http://127.0.0.1/" }],
        "paths": { "/pets": { "get": { "operationId": "list_pets", "responses": {} }, "post": { "operationId": "add_pet", "responses": {} } } } }"#;
    std::fs::write(folder.path().join("pets.json"), document).unwrap();
    let text = "upstreams:
  hook: { webhook: { url: 'http://127.0.0.1/x', tools: { ask: { description: a } } } }
  pets: { openapi: { document: pets.json } }
  far: { openapi: { document: 'http://127.0.0.1/far.json' } }
  run: { command: x }
tenants: { acme: { everyone: true } }
grants:
  - { tenant: acme, upstream: '*', tools: ['*'] }
  - { tenant: acme, upstream: hook, tools: [ask, aks], effect: deny }
  - { tenant: acme, upstream: pets, tools: ['list_*', 'delete_*', add_pets], effect: deny }
  - { tenant: acme, upstream: '{hook,pets}', tools: ['a*', zzzz], effect: deny }
  - { tenant: acme, upstream: far, tools: [aks], effect: deny }
  - { tenant: acme, upstream: '*', tools: [aks], effect: deny }
  - { tenant: acme, upstream: hook, tools: [hook__ask], effect: deny }
quotas:
  - { upstream: pets, tool: 'drop_*', calls: 1/min }
  - { tool: 'drop_*', calls: 1/min }
  - { upstream: '{pets,hook}', children: 3 }
  - { upstream: '*', per_user: { children: 3 } }
";
    let loaded = config::parse(&folder.path().join("a.yaml"), text, |_| None).unwrap();
    let told: Vec<_> = loaded
        .warnings
        .iter()
        .filter(|warning| matches!(warning.problem, crate::config::Problem::Named(_)))
        .map(|warning| format!("{}: {}", warning.path, warning.message()))
        .collect();
    let none = "it matches none of the tools that there are";
    assert_eq!(
        told,
        [
            format!("grants[1].tools[1]: {none}; is \"ask\" meant?"),
            format!("grants[2].tools[1]: {none}"),
            format!("grants[2].tools[2]: {none}; is \"add_pet\" meant?"),
            format!("grants[3].tools[1]: {none}"),
            "grants[6].tools[0]: tools and prompts are named as the upstream calls them, without the \"hook__\" that clients see".to_owned(),
            format!("quotas[0].tool: {none}"),
            "quotas[2]: it counts the processes of upstreams that are commands, and none of these is one".to_owned(),
        ]
    );
}

#[test]
#[cfg(unix)]
fn a_program_that_is_not_there_is_told_as_it_would_be_at_the_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    for (name, mode) in [("there", 0o755), ("plain", 0o644)] {
        std::fs::write(folder.path().join(name), "").unwrap();
        std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let text = "upstreams:
  a: { command: there }
  b: { command: gone }
  c: { command: ./there, cwd: . }
  d: { command: ./gone, cwd: . }
  e: { command: 'npx -y server' }
  f: { command: plain }
  g: { command: there, env: { PATH: /nonexistent } }
  h: { command: 'no-${KEY}' }
mcpServers:
  i: { command: gone }
  j: { command: there }
tenants: { acme: { everyone: true } }
";
    let path = folder.path().to_str().unwrap().to_owned();
    let lookup = |name: &str| match name {
        "KEY" => Some("hunter2".to_owned()),
        "PATH" => Some(path.clone()),
        _ => None,
    };
    let loaded = config::parse(&folder.path().join("a.yaml"), text, lookup).unwrap();
    let told: Vec<_> = loaded
        .warnings
        .iter()
        .filter(|warning| warning.path.ends_with("command"))
        .map(|warning| format!("{}: {}", warning.path, warning.message()))
        .collect();
    assert_eq!(
        told,
        [
            "upstreams.b.command: the command \"gone\" was not found".to_owned(),
            "upstreams.d.command: the command \"./gone\" was not found".to_owned(),
            "upstreams.e.command: the command \"npx -y server\" was not found; its arguments are no part of it: give them apart, as \"args\"".to_owned(),
            format!("upstreams.f.command: {path}/plain is not an executable file"),
            "upstreams.g.command: the command \"there\" was not found".to_owned(),
            "upstreams.h.command: the command \"${..}\" was not found".to_owned(),
            "mcpServers.i.command: the command \"gone\" was not found".to_owned(),
        ]
    );
}
