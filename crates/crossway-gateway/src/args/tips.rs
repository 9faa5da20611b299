//! Suggestions for mistyped command lines, such as flags of other programs.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use super::Cli;

/// Reads a command line.
///
/// # Errors
///
/// When it can't be read: with what may be meant, where that is known.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let words: Vec<OsString> = words.into_iter().collect();
    Cli::try_parse_from(&words).map_err(|error| with_tip(error, &words))
}

fn with_tip(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return error };
    let table = Cli::command();
    let command =
        words.iter().skip(1).filter_map(|word| word.to_str()).find_map(|word| table.find_subcommand(word));
    if let Some(tip) = command.and_then(|command| tip(command.get_name(), word)) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// What may be meant by a word that a command does not take.
fn tip(command: &str, word: &str) -> Option<String> {
    let is_url = word.starts_with("http://") || word.starts_with("https://");
    match (command, word) {
        ("bridge" | "demo" | "serve", "--port" | "-p") => {
            Some("the port is a part of the address: --listen 127.0.0.1:PORT".to_owned())
        }
        (_, flag) if flag.starts_with('-') => None,
        ("bridge", _) if is_url => Some(format!("a URL is given with --upstream {word}")),
        ("openapi", _) if is_url => {
            Some(format!("a URL stands behind `--`: --server-type streamable-http -- {word}"))
        }
        ("bridge" | "openapi", _) => {
            Some(format!("the command of a server stands behind `--`: crossway {command} -- {word} .."))
        }
        ("serve" | "check" | "explain" | "tools", _) => {
            Some(format!("the config is given with --config {word}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_often_typed_is_told_how_it_is_typed_here() {
        for (line, wanted) in [
            (
                "bridge npx -y foo",
                "tip: the command of a server stands behind `--`: crossway bridge -- npx ..",
            ),
            ("--log warn openapi uvx foo", "crossway openapi -- uvx .."),
            ("bridge http://h/mcp", "tip: a URL is given with --upstream http://h/mcp"),
            ("openapi http://h/mcp", "--server-type streamable-http -- http://h/mcp"),
            ("bridge --port 9000", "tip: the port is a part of the address: --listen 127.0.0.1:PORT"),
            ("check good.yaml", "tip: the config is given with --config good.yaml"),
            ("serve good.yaml", "tip: the config is given with --config good.yaml"),
            // What clap finds by itself stays.
            ("bridge --lisen x", "--listen"),
        ] {
            let words = format!("crossway {line}");
            let told = parse(words.split(' ').map(OsString::from)).unwrap_err().to_string();
            assert!(told.contains(wanted), "{line}: {told}");
        }
    }
}
