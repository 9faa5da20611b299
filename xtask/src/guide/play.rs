//! Follows a page, block by block.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::expect::{difference, indent, json_difference};
use super::page::{Block, Page};
use super::shell::{Finished, Shell};
use super::words::{self, Action, Run};

/// The outcome of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The number of blocks that were run or written.
    pub(super) done: usize,
    /// The failures, with the line of the block or command.
    pub(super) failures: Vec<(usize, String)>,
    /// The blocks that were not run, and why.
    pub(super) not_run: Vec<(usize, String)>,
}

impl Outcome {
    fn fail(&mut self, line: usize, what: impl Into<String>) {
        self.failures.push((line, what.into()));
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "done": self.done, "failures": self.failures, "not_run": self.not_run })
    }

    pub(super) fn from_json(value: &Value) -> Result<Self> {
        let findings = |name: &str| -> Result<Vec<(usize, String)>> {
            serde_json::from_value(value[name].clone()).with_context(|| format!("{name} of a page"))
        };
        Ok(Self {
            done: serde_json::from_value(value["done"].clone())?,
            failures: findings("failures")?,
            not_run: findings("not_run")?,
        })
    }
}

/// Reads the actions of a page's fences, and reports mistakes in the fences themselves.
pub(super) fn read_actions(page: &Page, outcome: &mut Outcome) -> Vec<Action> {
    let mut actions = Vec::new();
    for block in &page.blocks {
        let action = words::action(&block.info).unwrap_or_else(|error| {
            outcome.fail(block.line, format!("{error:#}"));
            Action::Nothing
        });
        if action == Action::Nothing && block.text.lines().any(is_typed) {
            outcome.fail(block.line, "a command stands in a block that is not run: sh, console, or norun=");
        }
        if matches!(action, Action::Session(_)) && commands(block).is_empty() {
            outcome.fail(block.line, "no line of this console block begins with \"$ \"");
        }
        if let Action::Not(reason) = &action {
            outcome.not_run.push((block.line, reason.clone()));
        }
        actions.push(action);
    }
    for (at, action) in actions.iter().enumerate() {
        if let Action::Write(name) = action
            && !is_used(name, &page.blocks[at + 1..], &actions[at + 1..])
        {
            outcome.fail(page.blocks[at].line, format!("no command of this page takes {name}"));
        }
    }
    actions
}

fn is_typed(line: &str) -> bool {
    line.starts_with("$ ") || line.starts_with("crossway ")
}

/// Whether a command names the file, or is a `crossway` that reads `crossway.yaml` by itself.
fn is_used(file: &str, blocks: &[Block], actions: &[Action]) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    blocks.iter().zip(actions).any(|(block, action)| {
        matches!(action, Action::Script(_) | Action::Session(_))
            && (block.text.contains(name) || name == "crossway.yaml" && block.text.contains("crossway "))
            || matches!(action, Action::Write(_)) && block.text.contains(name)
    })
}

/// Does what the page in `file` says. `examples` is copied beside the page's files, as it is in the repository.
pub(super) fn play(page: &Page, file: &Path, dir: &Path, bin: &Path, examples: &Path) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let actions = read_actions(page, &mut outcome);
    let mut shell = Shell::new(dir, bin, file)?;
    copy(examples, &shell.work().join("examples"))?;
    let mut last = String::new();
    for (block, action) in page.blocks.iter().zip(actions) {
        let line = block.line;
        match action {
            Action::Nothing | Action::Not(_) => continue,
            Action::Write(name) => write(&shell.work().join(name), &block.text, false)?,
            Action::Append(name) => write(&shell.work().join(name), &block.text, true)?,
            Action::Answer => {
                if let Some(what) = json_difference(&block.text, &last) {
                    outcome.fail(line, what);
                }
            }
            Action::Script(run) => {
                if run.alone {
                    outcome.failures.extend(shell.end_servers());
                }
                match (&run.ready, run.background) {
                    (Some(ready), true) => {
                        let ready = |printed: &str| printed.contains(ready);
                        if let Err(what) = shell.start_server(line, &block.text, run.limit, ready)? {
                            outcome.fail(line, what);
                        }
                    }
                    _ => {
                        let finished = shell.run(&block.text, run.limit)?;
                        if let Some(what) = wrong_end(&finished, run.exit, run.limit) {
                            outcome.fail(line, what);
                        }
                        last = finished.output;
                    }
                }
            }
            Action::Session(run) => {
                if run.alone {
                    outcome.failures.extend(shell.end_servers());
                }
                last = session(block, &run, &mut shell, &mut outcome)?;
            }
        }
        outcome.done += 1;
    }
    outcome.failures.extend(shell.end_servers());
    Ok(outcome)
}

/// Runs the commands of a session; returns the output of the last one.
fn session(block: &Block, run: &Run, shell: &mut Shell, outcome: &mut Outcome) -> Result<String> {
    let commands = commands(block);
    let count = commands.len();
    let mut last = String::new();
    for (at, Typed { line, command, prints }) in commands.into_iter().enumerate() {
        if run.background && at + 1 == count {
            let ready = |printed: &str| difference(&prints, printed).is_none();
            if let Err(what) = shell.start_server(line, &command, run.limit, ready)? {
                outcome.fail(line, what);
            }
            continue;
        }
        let exit = if at + 1 == count { run.exit } else { 0 };
        let until = Instant::now() + run.limit;
        loop {
            let finished = shell.run(&command, run.limit)?;
            let wrong =
                wrong_end(&finished, exit, run.limit).or_else(|| difference(&prints, &finished.output));
            last = finished.output;
            match wrong {
                Some(_) if run.again && Instant::now() < until => continue,
                Some(what) => outcome.fail(line, what),
                None => {}
            }
            break;
        }
    }
    Ok(last)
}

/// A command of a session.
struct Typed<'a> {
    line: usize,
    command: String,
    prints: Vec<&'a str>,
}

fn commands(block: &Block) -> Vec<Typed<'_>> {
    let mut commands: Vec<Typed<'_>> = Vec::new();
    let mut goes_on = false;
    for (at, text) in block.text.lines().enumerate() {
        let line = block.line + 1 + at;
        if let Some(command) = text.strip_prefix("$ ") {
            commands.push(Typed { line, command: command.to_owned(), prints: Vec::new() });
        } else if let Some(typed) = commands.last_mut() {
            if goes_on {
                typed.command.push('\n');
                typed.command.push_str(text);
            } else {
                typed.prints.push(text);
                continue;
            }
        }
        goes_on = text.ends_with('\\');
    }
    commands
}

fn wrong_end(finished: &Finished, exit: i32, limit: Duration) -> Option<String> {
    let what = match finished.status {
        None => format!("not done after {limit:?}"),
        Some(status) if status.code() == Some(exit) => return None,
        Some(status) => format!("it ended with {status}, and {exit} is wanted"),
    };
    Some(format!("{what}:\n{}", indent(&finished.output)))
}

fn write(path: &Path, text: &str, append: bool) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let before = if append { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
    fs::write(path, before + text).with_context(|| format!("{} cannot be written", path.display()))
}

/// Copies the files that readers have of the repository, without its programs.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::page;
    use super::*;

    fn play_text(name: &str, text: &str) -> Outcome {
        let dir = std::env::temp_dir().join(format!("crossway-guide-play-{name}-{}", std::process::id()));
        let examples = dir.join("none");
        fs::create_dir_all(&examples).unwrap();
        let outcome = play(
            &page::read(text),
            Path::new("page.md"),
            &dir.join("page"),
            Path::new("/usr/bin"),
            &examples,
        )
        .unwrap();
        fs::remove_dir_all(&dir).unwrap();
        outcome
    }

    #[test]
    fn a_page_is_done_from_top_to_bottom() {
        let outcome = play_text(
            "whole",
            "```console again\n$ echo x >>n; wc -l <n\n3\n```\n\n```yaml file=a.yaml\none: 1\n```\n\n```yaml append=a.yaml\ntwo: 2\n```\n\n\
             ```console\n$ cat a.yaml\none: 1\ntwo: ...\n$ echo \\\n  x\nx\n```\n\n\
             ```console background\n$ echo it runs; sleep 1000\nit runs\n```\n\n\
             ```sh\necho '{\"a\":1}'\n```\n\n```json answer\n{ \"a\": 1 }\n```\n\n```sh norun=\"takes a day\"\nfalse\n```\n",
        );
        assert_eq!(outcome.failures, []);
        assert_eq!(outcome.done, 7);
        assert_eq!(outcome.not_run, [(36, "takes a day".to_owned())]);
        assert_eq!(Outcome::from_json(&outcome.to_json()).unwrap(), outcome);
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_line() {
        let outcome = play_text(
            "wrong",
            "```sh\nfalse\n```\n\n```console\n$ true\n$ echo a\nb\n```\n\n```yaml\na: 1\n```\n\n```yaml file=never.yaml\na: 1\n```\n\n\
             ```console background\n$ echo ready; echo $$ >pid\nready\n```\n\n\
             ```sh\nuntil grep -q '^State:.Z' /proc/$(cat pid)/status; do :; done\n```\n\n```text\n$ true\n```\n\n```json answer\n{}\n```\n\n```console\ntrue\n```\n",
        );
        let mut lines: Vec<usize> = outcome.failures.iter().map(|(line, _)| *line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [1, 7, 11, 15, 20, 28, 32, 36], "{:?}", outcome.failures);
    }
}
