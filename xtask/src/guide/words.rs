//! The text behind a fence's three backticks: its language, and what to do with it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// The default time limit of a block.
const LIMIT: Duration = Duration::from_secs(60);

/// What to do with a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// `sh`: the block is one script.
    Script(Run),
    /// `console`: each line after `$ ` is a command, the lines below it are its output.
    Session(Run),
    /// `file=NAME`: the block becomes a file.
    Write(String),
    /// `append=NAME`: the block is appended to the file.
    Append(String),
    /// `answer`: the command before the block printed this JSON.
    Answer,
    /// `norun="REASON"`: the block is for readers alone.
    Not(String),
    /// `text` and `rust`: a picture, or another text that nobody types.
    Nothing,
}

/// How to run commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// `exit=CODE`: the exit code of the last command.
    pub(super) exit: i32,
    /// `limit=SECONDS`
    pub(super) limit: Duration,
    /// `background`: the block starts a server, which runs until the page ends, or until a block that says `alone`.
    pub(super) background: bool,
    /// `alone`: earlier servers are ended first.
    pub(super) alone: bool,
    /// `again`: what is not yet as expected is retried, until the time is up.
    pub(super) again: bool,
    /// `ready="TEXT"`: a server is ready once it has printed this.
    pub(super) ready: Option<String>,
}

/// Parses the words of a fence.
pub(super) fn action(info: &str) -> Result<Action> {
    let mut words = split(info)?.into_iter();
    let language = words.next().map(|(name, _)| name).unwrap_or_default();
    let runs = matches!(language.as_str(), "sh" | "console");
    let mut run = Run { exit: 0, limit: LIMIT, background: false, alone: false, again: false, ready: None };
    let mut other = None;
    let mut run_words = 0;
    for (name, value) in words {
        match (name.as_str(), value) {
            ("exit", Some(code)) => run.exit = code.parse().context("exit= takes a number")?,
            ("limit", Some(time)) => {
                run.limit = Duration::from_secs(time.parse().context("limit= takes seconds")?);
            }
            ("background", None) => run.background = true,
            ("alone", None) => run.alone = true,
            ("again", None) => run.again = true,
            ("ready", Some(text)) => run.ready = Some(text),
            (_, value) => {
                let action = match (name.as_str(), value) {
                    ("file", Some(name)) => Action::Write(file_name(name)?),
                    ("append", Some(name)) => Action::Append(file_name(name)?),
                    ("answer", None) => Action::Answer,
                    ("norun", Some(reason)) => {
                        ensure!(!reason.trim().is_empty(), "norun= has to say why");
                        Action::Not(reason)
                    }
                    _ => bail!("a fence has no word {name:?} like this: see CONTRIBUTING.md"),
                };
                ensure!(other.replace(action).is_none(), "a block is one thing: see CONTRIBUTING.md");
                continue;
            }
        }
        run_words += 1;
    }
    ensure!(runs || run_words == 0, "only sh and console blocks are run");
    if let Some(action) = other {
        ensure!(run_words == 0, "a block is one thing: see CONTRIBUTING.md");
        ensure!(action != Action::Answer || language == "json", "an answer is json");
        return Ok(action);
    }
    ensure!(!run.again || language == "console" && !run.background, "again is for console");
    ensure!(run.background || run.ready.is_none(), "ready= is for background commands");
    match language.as_str() {
        "sh" => {
            ensure!(run.background == run.ready.is_some(), "sh background needs ready=\"TEXT\"");
            Ok(Action::Script(run))
        }
        "console" => Ok(Action::Session(run)),
        "text" | "rust" => Ok(Action::Nothing),
        "" => bail!("a fence needs a language; text if it is none"),
        other => {
            bail!("this {other} block says neither file=, append=, answer nor norun=: see CONTRIBUTING.md")
        }
    }
}

/// Checks that a file is in the page's own folder.
fn file_name(name: String) -> Result<String> {
    let stays = !name.is_empty() && !name.starts_with('/') && name.split('/').all(|part| part != "..");
    ensure!(stays, "{name:?} is not a path below the page's folder");
    Ok(name)
}

/// Splits `sh a=1 b="two words"` into names and values.
fn split(info: &str) -> Result<Vec<(String, Option<String>)>> {
    let mut words = Vec::new();
    let mut rest = info.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix("=\"") {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').context("a quote is not closed")?;
                (Some(value.to_owned()), after)
            }
            None => match after.strip_prefix('=') {
                Some(bare) => {
                    let end = bare.find(char::is_whitespace).unwrap_or(bare.len());
                    (Some(bare[..end].to_owned()), &bare[end..])
                }
                None => (None, after),
            },
        };
        words.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_run_unless_a_reason_is_given() {
        assert!(matches!(action("sh"), Ok(Action::Script(run)) if run.exit == 0 && !run.background));
        assert!(matches!(action("console exit=1"), Ok(Action::Session(run)) if run.exit == 1));
        assert_eq!(
            action("sh norun=\"takes a \u{fc}ser\"").ok(),
            Some(Action::Not("takes a \u{fc}ser".to_owned()))
        );
        assert!(action("sh norun").is_err());
        assert!(action("sh norun=\" \"").is_err());
        assert!(action("sh norun=\"why").is_err());
    }

    #[test]
    fn a_config_has_to_say_what_becomes_of_it() {
        for info in ["yaml", "json", "toml", "bash", "", "dockerfile"] {
            assert!(action(info).is_err(), "{info}");
        }
        assert_eq!(action("yaml file=a/b.yaml").ok(), Some(Action::Write("a/b.yaml".to_owned())));
        assert_eq!(action("json answer").ok(), Some(Action::Answer));
        assert_eq!(action("text").ok(), Some(Action::Nothing));
    }

    #[test]
    fn files_stay_in_the_pages_folder() {
        for name in ["/etc/passwd", "../x", "a/../../x", "\"\""] {
            assert!(action(&format!("yaml file={name}")).is_err(), "{name}");
        }
    }

    #[test]
    fn a_server_says_how_it_is_seen_that_it_is_there() {
        assert!(action("sh background").is_err());
        assert!(action("sh ready=\"x\"").is_err());
        assert!(action("yaml file=x background").is_err());
        assert!(matches!(
            action("sh background ready=\"it listens\" alone"),
            Ok(Action::Script(run)) if run.background && run.alone && run.ready.as_deref() == Some("it listens")
        ));
    }
}
