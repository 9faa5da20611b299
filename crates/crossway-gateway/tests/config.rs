//! Configs as people get them wrong, and what they are told.
//!
//! `CROSSWAY_BLESS=1 cargo test -p crossway-gateway --test config` writes the golden files anew.

use std::fs;
use std::path::{Path, PathBuf};

use crossway_gateway::config::{self, ConfigErrors};

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
