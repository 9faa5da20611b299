//! `crossway check`, as it is called before a rollout.

use std::fs;
use std::process::{Command, Output};

fn crossway(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossway"));
    command.args(arguments).env_remove("CROSSWAY_CONFIG").env("CROSSWAY_TEST_KEY", "0123456789abcdef");
    command.output().expect("the binary can be run")
}

fn check(name: &str, text: &str, more: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("there is a place for files");
    let file = folder.path().join(name);
    fs::write(&file, text).expect("a file can be written");
    let file = file.to_str().expect("its name is text");
    let output = crossway(&[&["check", "--config", file], more].concat());
    let text = String::from_utf8(output.stdout).expect("it is text");
    (output.status.code(), text.replace(file, name))
}

#[test]
fn a_config_that_can_be_used_ends_with_0_and_shows_its_warnings() {
    let text = "identity: { proof: none }\nupstreams: { time: { command: sh } }\noperations: { listen: '127.0.0.1:9808', admin_key: '${CROSSWAY_TEST_KEY}' }\n";
    let (code, told) = check("crossway.yaml", text, &[]);
    assert_eq!(
        (code, told.as_str()),
        (
            Some(0),
            "crossway.yaml:1:1: warning: identity: identity.proof is none: everybody is anonymous, sees what is granted to anonymous, and can call nothing\n\
             crossway.yaml can be used: 1 upstream, 1 warning\n"
        )
    );
}

#[test]
fn a_config_that_can_not_be_used_ends_with_1() {
    let (code, told) = check("crossway.toml", "listne = '127.0.0.1:1'\n", &[]);
    assert_eq!(
        (code, told.as_str()),
        (
            Some(1),
            "crossway.toml:1:1: error: listne: there is no key \"listne\" here; is \"listen\" meant?\n\
             crossway.toml can't be used: 1 error, 0 warnings\n"
        )
    );
}

#[test]
fn programs_get_findings_as_json() {
    let (code, told) = check("crossway.json", "{ \"listen\": 8808 }", &["--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("it is JSON");
    let wanted = serde_json::json!({
        "usable": false,
        "findings": [{
            "severity": "error", "file": "crossway.json", "line": 1, "column": 13, "path": "listen",
            "message": "a number stands here, where a text is wanted; put it in quotes",
        }],
    });
    assert_eq!((code, told), (Some(1), wanted));
}

#[test]
fn what_is_not_there_and_what_has_no_format_is_told() {
    let missing = crossway(&["check", "--config", "/nonexistent/crossway.yaml"]);
    let told = String::from_utf8_lossy(&missing.stdout).into_owned();
    assert_eq!(missing.status.code(), Some(1));
    assert!(told.starts_with("/nonexistent/crossway.yaml: error: can't be read: No such file"), "{told}");
    assert!(told.contains("; --config FILE names another, and docs/config.md has the least"), "{told}");

    let texts = [
        ("crossway.conf", "listen: 127.0.0.1:0\n", ".yaml, .yml, .toml or .json"),
        ("crossway.yaml", "\n", "there is nothing in it"),
        ("crossway.yaml", "# all of it is commented out\n#listen: 127.0.0.1:1\n", "there is nothing in it"),
        ("crossway.yaml", "null\n", "there is nothing in it"),
        ("crossway.toml", "# nothing\n", "there is nothing in it"),
        ("crossway.json", "{}\n", "there is nothing in it"),
        ("crossway.json", "null\n", "there is nothing in it"),
    ];
    for (file, text, wanted) in texts {
        let (code, told) = check(file, text, &[]);
        assert_eq!(code, Some(1));
        assert!(told.contains(wanted), "{told}");
    }
}

#[test]
fn schema_and_limits_are_printed() {
    let schema = crossway(&["schema"]).stdout;
    let schema: serde_json::Value = serde_json::from_slice(&schema).expect("it is JSON");
    assert_eq!(schema["title"], "Crossway");
    let limits = String::from_utf8(crossway(&["limits"]).stdout).expect("it is text");
    assert!(limits.contains("GUARD_CONCURRENT") && limits.contains("set by upstreams.*.limits.concurrent"));
}
