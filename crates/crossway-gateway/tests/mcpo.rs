//! What `docs/moving/mcpo-line-by-line.md` says of mcpo's README and flags is so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use crossway_gateway::args::{Cli, Command};

/// All flags that `mcpo --help` of 0.0.20 names.
const FLAGS: [&str; 19] = [
    "--host",
    "--port",
    "--cors-allow-origins",
    "--api-key",
    "--strict-auth",
    "--env",
    "--env-path",
    "--type",
    "--server-type",
    "--config",
    "--name",
    "--description",
    "--version",
    "--ssl-certfile",
    "--ssl-keyfile",
    "--root-path",
    "--path-prefix",
    "--header",
    "--hot-reload",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page() -> String {
    fs::read_to_string(repository().join("docs/moving/mcpo-line-by-line.md")).unwrap()
}

/// The texts between backticks.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The cells of the page's rows.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("|---"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// A command line's words, as a shell makes them of quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words
}

#[test]
fn each_command_line_of_mcpos_is_understood() {
    let page = page();
    let mut tried = 0;
    for line in rows(&page).iter().flat_map(|row| codes(row[0])).filter(|code| code.starts_with("mcpo ")) {
        let line: Vec<String> = words(line).into_iter().skip(1).collect();
        let line = ["crossway", "openapi"].into_iter().map(str::to_owned).chain(line);
        let cli = Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{error}"));
        let Command::OpenApi(args) = cli.command else { panic!("another command") };
        assert!(args.config.is_some() || !args.command.is_empty());
        tried += 1;
    }
    assert!(tried > 15, "{tried} lines");
}

#[test]
fn each_flag_of_mcpos_is_told() {
    let page = page();
    for flag in FLAGS.into_iter().chain(["--log-level"]) {
        assert!(page.contains(&format!("{flag} ")) || page.contains(&format!("{flag}`")), "{flag}");
    }
}

#[test]
fn each_test_that_the_page_names_is_there() {
    let mut sources = String::new();
    let folders =
        ["crates/crossway-gateway/src", "crates/crossway-gateway/tests", "crates/crossway-openapi/src"];
    let mut left: Vec<PathBuf> = folders.iter().map(|folder| repository().join(folder)).collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            sources.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    let page = page();
    let named: Vec<&str> = rows(&page)
        .iter()
        .filter(|row| row.len() == 3)
        .flat_map(|row| codes(row[2]).collect::<Vec<_>>())
        .collect();
    let tests: Vec<&str> = named.into_iter().filter(|name| name.contains('_')).collect();
    assert!(tests.len() > 20, "{tests:?}");
    for test in tests {
        assert!(sources.contains(&format!("fn {test}()")), "there is no test {test}");
    }
}
