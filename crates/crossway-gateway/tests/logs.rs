//! The page about the log lists each line that the crates can write, as the code has it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generated;

use std::fs;
use std::path::Path;

use generated::assert_generated;

const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

/// A line that can be logged.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    level: usize,
    of: String,
    text: String,
    fields: Vec<String>,
}

/// The sources below a folder, without tests.
fn sources(folder: &Path, found: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// The arguments of a macro, whose text begins behind its opening parenthesis.
fn arguments(text: &str) -> Vec<String> {
    let (mut arguments, mut argument, mut depth) = (Vec::new(), String::new(), 0);
    let (mut is_text, mut is_escaped) = (false, false);
    for character in text.chars() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_text => is_escaped = true,
            '"' => is_text = !is_text,
            _ if is_text => {}
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(std::mem::take(&mut argument).trim().to_owned());
                continue;
            }
            _ => {}
        }
        argument.push(character);
    }
    arguments.push(argument.trim().to_owned());
    arguments.retain(|argument| !argument.is_empty());
    arguments
}

/// The value of a constant of the crate: in quotation marks.
fn named<'a>(path: &str, sources: &'a [String]) -> Option<&'a str> {
    let begins = format!("const {}: &str = ", path.rsplit("::").next()?);
    sources.iter().find_map(|source| source.split_once(&begins)?.1.split(';').next())
}

/// A line, from the arguments of its macro. `sources` are those of its crate.
fn line(level: usize, of: &str, arguments: &[String], sources: &[String]) -> Line {
    let text = arguments.iter().find(|argument| argument.starts_with('"'));
    let text = text.unwrap_or_else(|| panic!("{of} logs without a text: {arguments:?}"));
    let mut line =
        Line { level, of: of.to_owned(), text: text.trim_matches('"').to_owned(), fields: Vec::new() };
    for argument in arguments.iter().take_while(|argument| *argument != text) {
        if let Some(target) = argument.strip_prefix("target: ") {
            line.of = named(target, sources).unwrap_or(target).trim_matches('"').to_owned();
            continue;
        }
        let name = argument.split('=').next().unwrap().trim_start_matches(['%', '?']).trim();
        line.fields.push(name.rsplit('.').next().unwrap().to_owned());
    }
    line
}

fn lines() -> Vec<Line> {
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut lines = Vec::new();
    for folder in fs::read_dir(crates).unwrap() {
        let folder = folder.unwrap();
        let of = folder.file_name().to_str().unwrap().replace('-', "_");
        let mut texts = Vec::new();
        sources(&folder.path().join("src"), &mut texts);
        for text in &texts {
            for (level, word) in LEVELS.iter().enumerate() {
                let start = format!("{word}!(");
                for (at, _) in text.match_indices(&start) {
                    // `compile_error!(` and the like are other macros.
                    let before = text[..at].chars().next_back();
                    if !before.is_some_and(|before| before.is_alphanumeric() || before == '_') {
                        lines.push(line(level, &of, &arguments(&text[at + start.len()..]), &texts));
                    }
                }
            }
        }
    }
    lines.sort();
    lines.dedup();
    lines
}

fn page() -> String {
    let mut page = String::from(
        "# The log\n\n\
         Each line that can be written, as it stands in the code; a test makes this page. `of` is what `--log` takes to choose\n\
         levels (`warn,crossway_router=debug`). In `{..}` stands what is told of the moment: names, errors, numbers; never\n\
         arguments, results, tokens or header values of a call. Lines of a call's own, with who called what, are the audit\n\
         log's. What MCP servers write on their standard error comes in as `crossway::child`.\n",
    );
    for (level, word) in LEVELS.iter().enumerate() {
        page.push_str(&format!("\n## {word}\n\n| of | line | fields |\n|---|---|---|\n"));
        for line in lines().iter().filter(|line| line.level == level) {
            let fields: Vec<String> = line.fields.iter().map(|field| format!("`{field}`")).collect();
            page.push_str(&format!(
                "| `{}` | {} | {} |\n",
                line.of,
                line.text.replace('|', "\\|"),
                fields.join(", ")
            ));
        }
    }
    page
}

/// `CROSSWAY_BLESS=1` writes the page instead.
#[test]
fn the_page_about_the_log_is_what_the_code_says() {
    assert_generated("docs/logs.md", &page());
}

#[test]
fn what_logs_can_be_named_in_a_filter() {
    for line in lines() {
        assert!(crossway_gateway::LOG_TARGETS.contains(&line.of.as_str()), "{line:?}");
    }
}

#[test]
fn a_line_is_read_from_its_macro() {
    let text = r#"target: "a::b", %error, calls = f(1, "x, y"), self.pid, "it, {error} (\"so\")"); more("#;
    let line = line(1, "crate", &arguments(text), &[]);
    assert_eq!((line.of.as_str(), line.text.as_str()), ("a::b", r#"it, {error} (\"so\")"#));
    assert_eq!(line.fields, ["error", "calls", "pid"]);
    let text = r#"target: crate::names::AUDIT, "it");"#;
    let sources = [r#"/// One. pub const AUDIT: &str = "a::audit"; more"#.to_owned()];
    assert_eq!(crate::line(1, "crate", &arguments(text), &sources).of, "a::audit");
}
