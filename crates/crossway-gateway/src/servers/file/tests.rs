use super::*;

fn parse(text: &str) -> Result<ServersFile, FileError> {
    ServersFile::parse(Path::new("servers.json"), text, |name| (name == "TOKEN").then(|| "s3cret".to_owned()))
}

/// An error as people see it: with its cause.
fn told(text: &str) -> String {
    let error = parse(text).unwrap_err();
    format!("{error}: {}", error.problem)
}

fn url(server: &Server) -> &UrlPlan {
    match &server.upstream {
        UpstreamPlan::Url(url) => url,
        UpstreamPlan::Command(_) | UpstreamPlan::Api(_) => panic!("no URL"),
    }
}

#[test]
fn the_files_of_desktop_clients_are_read_as_they_are() {
    let file = parse(
        r#"{
  "globalShortcut": "",
  "mcpServers": {
    "z last": { "command": "npx", "args": ["-y", "server", "${TOKEN}"], "env": { "A": "${env:TOKEN}", "B": "b" } },
    "cursor": { "url": "https://host/mcp", "headers": { "Authorization": "Bearer ${TOKEN}" } },
    "code": { "type": "sse", "url": "http://127.0.0.1:1/sse", "alwaysAllow": ["x"] },
    "mcpo": { "type": "streamable_http", "url": "http://h/mcp" },
    "gemini": { "httpUrl": "http://h/mcp" },
    "off": { "command": "x", "disabled": true },
    "also off": { "url": "http://h/", "enabled": false }
  }
}"#,
    )
    .unwrap();
    let names: Vec<_> = file.servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["z last", "cursor", "code", "mcpo", "gemini"]);
    assert_eq!(file.ignored, ["code.alwaysAllow"]);
    let UpstreamPlan::Command(command) = &file.servers[0].upstream else { panic!("no command") };
    assert_eq!((command.program.to_str(), command.args[2].to_str()), (Some("npx"), Some("s3cret")));
    assert_eq!(command.env, [("A".into(), "s3cret".into()), ("B".into(), "b".into())]);
    assert_eq!(url(&file.servers[1]).headers[0].1.to_str().unwrap(), "Bearer s3cret");
    assert_eq!(url(&file.servers[1]).transport, None);
    assert_eq!(url(&file.servers[2]).transport, Some(TransportArg::HttpSse));
    for streamable in &file.servers[3..] {
        assert_eq!(url(streamable).transport, Some(TransportArg::StreamableHttp));
    }
}

#[test]
fn a_working_directory_may_name_a_variable() {
    let text = |cwd: &str| format!(r#"{{"mcpServers": {{"a": {{"command": "x", "cwd": "{cwd}"}}}}}}"#);
    let file = parse(&text("/srv/${TOKEN}")).unwrap();
    let UpstreamPlan::Command(command) = &file.servers[0].upstream else { panic!("no command") };
    assert_eq!(command.cwd.as_deref(), Some(std::path::Path::new("/srv/s3cret")));
    assert!(told(&text("${NOPE}")).contains("in \"cwd\", the environment variable NOPE"));
}

#[test]
fn vs_code_says_servers_and_windows_begins_with_a_mark() {
    let file = parse("\u{feff}{\"servers\": {\"a\": {\"type\": \"stdio\", \"command\": \"x\"}}}").unwrap();
    assert_eq!(file.servers[0].name, "a");
}

#[test]
fn comments_and_last_commas_of_editors_are_passed_over() {
    let file =
        parse("{\n// mine\n\"mcpServers\": {\"a\": {\"url\": \"http://h/x\", /* off */ },\n},\n}").unwrap();
    assert_eq!(url(&file.servers[0]).url.as_str(), "http://h/x");
}

#[test]
fn each_mistake_is_told_with_its_place() {
    for (text, wanted) in [
        ("", "servers.json: has no \"mcpServers\"; a file looks like"),
        (" // nothing yet\n", "servers.json: has no \"mcpServers\"; a file looks like"),
        (
            "{\"mcp_servers\": {}}",
            "servers.json: has no \"mcpServers\", only \"mcp_servers\"; a file looks like",
        ),
        (
            "{\"mcpServers\": {\"a\": {\"comand\": \"x\"}}}",
            "the server \"a\" has neither \"command\" nor \"url\", only \"comand\"; is \"command\" meant?",
        ),
        (
            r#"{"mcpServers": {"a": {"command": "x", "env": {"K": "${input:key}"}}}}"#,
            "in \"env\", ${input:key} is filled in by an editor",
        ),
        (
            "{ // x\n /* y */ \"mcpServers\": {\"a\": 1,}}",
            "servers.json:2:30: the server \"a\" has to be an object, such as {",
        ),
        (
            "{\n  \"mcpServers\": {\n    \"a\": {,}\n",
            "servers.json:3:11: this is not JSON: key must be a string",
        ),
        ("[]", "servers.json:1:1: an object has to stand here; a file looks like { \"mcpServers\""),
        ("{}", "servers.json: has no \"mcpServers\""),
        (r#"{"mcpServers": []}"#, "servers.json:1:16: an object has to stand here"),
        (
            "{\"mcpServers\": {\n \"a\": {\"command\": \"x\",",
            "servers.json:2:22: the file ends here, in the middle of something",
        ),
        (
            r#"{"mcpServers": {"a": {"command": "x", "env": {"T": 5}}}}"#,
            "the server \"a\": \"env\" has to be an object of texts",
        ),
        (r#"{"mcpServers": {"a": {"command": ["x"]}}}"#, "the server \"a\": \"command\" has to be a text"),
        (
            r#"{"mcpServers": {"a": {"url": "http://h", "serverUrl": "http://h"}}}"#,
            "the server \"a\": a member is there twice, perhaps under another of its names",
        ),
        (r#"{"mcpServers": {"a": {"url": "host/mcp"}}}"#, "it has to begin with http:// or https://"),
        (
            "{\"mcpServers\": {\n \"a\": {}}}",
            "servers.json:2:7: the server \"a\" has neither \"command\" nor \"url\"",
        ),
        (
            "{\"mcpServers\": {\n \"a\": {\"command\": \"x\",\n\"args\": \"y\"}}}",
            "servers.json:3:11: the server \"a\": \"args\" has to be a list of texts",
        ),
        (
            r#"{"mcpServers": {"a": {"command": "x", "url": "http://h"}}}"#,
            "servers.json:1:22: the server \"a\" has a \"command\" and also a \"url\"",
        ),
        (
            r#"{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}"#,
            "servers.json:1:45: the server \"a\" is here for the second time",
        ),
        (r#"{"mcpServers": {"": {"command": "x"}}}"#, "servers.json:1:21: a server needs a name"),
        (
            r#"{"mcpServers": {"a": {"type": "websocket", "url": "http://h"}}}"#,
            "the server \"a\" has the unknown type \"websocket\"; the types are",
        ),
        (
            r#"{"mcpServers": {"a": {"type": "sse", "command": "x"}}}"#,
            "the server \"a\" is of type \"sse\", which needs a \"url\"",
        ),
        (
            r#"{"mcpServers": {"a": {"type": "stdio", "url": "http://h"}}}"#,
            "the server \"a\" is of type \"stdio\", which needs a \"command\"",
        ),
        (r#"{"mcpServers": {"a": {"url": "ftp://h"}}}"#, "it has to begin with http:// or https://"),
        (
            r#"{"mcpServers": {"a": {"command": "x", "env": {"K": "v ${NOPE}"}}}}"#,
            "the server \"a\": in \"env\", the environment variable NOPE is not set",
        ),
        (
            r#"{"mcpServers": {"a": {"url": "http://h", "headers": {"Host": "x"}}}}"#,
            "the server \"a\": the header host is set by the transport itself",
        ),
    ] {
        let told = told(text);
        assert!(told.contains(wanted), "{text}\n{told}");
    }
}

#[test]
fn no_value_is_shown() {
    let file = parse(
        r#"{"mcpServers": {"a": {"command": "x", "env": {"K": "hidden"}}, "b": {"url": "http://h", "headers": {"X": "hidden"}}}}"#,
    )
    .unwrap();
    assert!(!format!("{file:?}").contains("hidden"));
    let text = r#"{"mcpServers": {"a": {"url": "http://h", "headers": {"X": "hidden ${NOPE}"}}}}"#;
    assert!(!told(text).contains("hidden"));
    assert!(!told(r#"{"mcpServers": {"a": {"command": "x", "env": "hid\"den, expected"}}}"#).contains("hid"));
}
