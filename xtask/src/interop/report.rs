//! What came out: on the terminal, and as `docs/interop.md`.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::pairs::{CLIENTS, Feature, Run, describe};
use super::servers::{Fixture, Transport};
use super::suite::{ARRANGEMENTS, CLIENT_REVISIONS, REVISIONS, SuiteRun, WAYS};

/// Everything that was run.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) version: String,
    pub(super) pairs: Vec<(Run, Vec<Feature>)>,
    pub(super) servers: Vec<SuiteRun>,
    pub(super) clients: Vec<SuiteRun>,
    /// By revision, the client scenarios that were left out.
    pub(super) excluded: BTreeMap<&'static str, Vec<String>>,
}

impl Outcome {
    pub(super) fn failures(&self) -> usize {
        let pairs =
            self.pairs.iter().flat_map(|(_, features)| features).filter(|f| f.ok == Some(false)).count();
        pairs + self.suites().map(|run| run.failures.len()).sum::<usize>()
    }

    fn suites(&self) -> impl Iterator<Item = &SuiteRun> {
        self.servers.iter().chain(&self.clients)
    }

    pub(super) fn summary(&self) -> String {
        let features = self.pairs.iter().flat_map(|(_, f)| f).filter(|f| f.ok == Some(true)).count();
        let checks: usize = self.suites().map(|run| run.checks).sum();
        format!(
            "{} client runs with {features} features, {checks} checks of the suite, {} failures",
            self.pairs.len(),
            self.failures()
        )
    }

    /// Says each failure with its reason.
    pub(super) fn print_failures(&self) {
        for (run, features) in &self.pairs {
            for feature in features.iter().filter(|feature| feature.ok == Some(false)) {
                eprintln!("failed: {} {}: {}", run.name(), feature.name, feature.detail);
            }
        }
        for run in self.suites() {
            for (scenario, reason) in &run.failures {
                eprintln!("failed: suite {} {} {scenario}: {reason}", run.revision, run.place);
            }
        }
    }

    pub(super) fn to_markdown(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        writeln!(
            text,
            "# What works with what\n\n\
             Written by `cargo xtask interop`, which exits with 1 if any cell here fails. Binary: `{}`.\n\
             The scripts and the pinned versions of everything are in `interop/`.\n",
            self.version
        )?;
        self.write_suite(&mut text)?;
        for fixture in Fixture::ALL {
            self.write_pairs(&mut text, fixture)?;
        }
        Ok(text)
    }

    fn write_suite(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "## The official conformance suite\n\n\
             `@modelcontextprotocol/conformance` 0.2.0-alpha.12. A scenario passes if at least one of its checks succeeded,\n\
             and none failed or warned.\n\n### Server scenarios\n"
        )?;
        table(
            text,
            "against",
            REVISIONS.iter().map(|(revision, _)| *revision),
            ARRANGEMENTS.iter().map(|(place, title)| {
                (
                    *title,
                    REVISIONS
                        .iter()
                        .map(|(revision, _)| suite_cell(&self.servers, place, revision))
                        .collect(),
                )
            }),
        )?;
        writeln!(
            text,
            "\n– : revision 2026-07-28 has no HTTP+SSE to be tried. Its transports are stdio and Streamable HTTP, \"introduced in\n\
             protocol version 2025-03-26 as a replacement for the HTTP+SSE transport from protocol version 2024-11-05\"\n\
             (2026-07-28, basic/transports/streamable-http). A client and a server that both speak it need no translation."
        )?;
        writeln!(
            text,
            "\n### Client scenarios\n\nThe suite's server, Crossway, the TypeScript client 2.4.0.\n"
        )?;
        table(
            text,
            "through",
            CLIENT_REVISIONS,
            WAYS.iter().map(|(way, title)| {
                (
                    *title,
                    CLIENT_REVISIONS
                        .iter()
                        .map(|revision| suite_cell(&self.clients, way, revision))
                        .collect(),
                )
            }),
        )?;
        for (revision, names) in &self.excluded {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            writeln!(
                text,
                "\nNot among them for {revision}, since OAuth is between the client and the server: {}.",
                names.join(", ")
            )?;
        }
        Ok(())
    }

    fn write_pairs(&self, text: &mut String, fixture: Fixture) -> fmt::Result {
        let runs: Vec<&(Run, Vec<Feature>)> =
            self.pairs.iter().filter(|(run, _)| run.fixture == fixture && !run.direct).collect();
        let clients: Vec<_> =
            CLIENTS.iter().filter(|client| runs.iter().any(|(run, _)| run.client == *client)).collect();
        let pairs: Vec<(Transport, Transport)> =
            Transport::ALL.into_iter().flat_map(|up| Transport::ALL.map(|down| (up, down))).collect();
        let of_pair = |pair: (Transport, Transport)| {
            runs.iter().filter(move |(run, _)| (run.upstream, run.downstream) == pair)
        };

        writeln!(text, "\n## {}\n\nBy client: how many features work.\n", fixture.title())?;
        table(
            text,
            "server on → client on",
            clients.iter().map(|client| client.title),
            pairs.iter().map(|&pair| {
                let cell = |client| {
                    let found = of_pair(pair).find(|(run, _)| run.client == client);
                    found.map_or_else(|| "–".to_owned(), |(_, features)| describe(features))
                };
                (pair_title(pair), clients.iter().copied().map(cell).collect())
            }),
        )?;

        let mut names: Vec<&str> = Vec::new();
        for feature in runs.iter().flat_map(|(_, features)| features) {
            if !names.contains(&feature.name.as_str()) {
                names.push(&feature.name);
            }
        }
        writeln!(
            text,
            "\nBy feature: with every client, unless a cell says otherwise; – where the server has none of it in the era\n\
             that it speaks on that transport.\n"
        )?;
        table(
            text,
            "feature",
            pairs.iter().map(|&pair| pair_title(pair)),
            names.iter().map(|&name| {
                (
                    name.replace('_', " "),
                    pairs.iter().map(|&pair| feature_cell(name, of_pair(pair))).collect(),
                )
            }),
        )
    }
}

fn pair_title((upstream, downstream): (Transport, Transport)) -> String {
    format!("{} → {}", upstream.title(), downstream.title())
}

fn feature_cell<'a>(name: &str, runs: impl Iterator<Item = &'a &'a (Run, Vec<Feature>)>) -> String {
    let found: Vec<(&str, Option<bool>)> = runs
        .filter_map(|(run, features)| {
            features.iter().find(|feature| feature.name == name).map(|feature| (run.client.name, feature.ok))
        })
        .collect();
    let failed: Vec<&str> =
        found.iter().filter(|(_, ok)| *ok == Some(false)).map(|(client, _)| *client).collect();
    if !failed.is_empty() {
        format!("**not with {}**", failed.join(", "))
    } else if found.iter().any(|(_, ok)| *ok == Some(true)) {
        "yes".to_owned()
    } else {
        "–".to_owned()
    }
}

fn suite_cell(runs: &[SuiteRun], place: &str, revision: &str) -> String {
    match runs.iter().find(|run| run.place == place && run.revision == revision) {
        Some(run) if run.failures.is_empty() => run.score(),
        Some(run) => format!("**{}**", run.score()),
        None => "–".to_owned(),
    }
}

fn table<H: fmt::Display, T: fmt::Display>(
    text: &mut String,
    corner: &str,
    heads: impl IntoIterator<Item = H>,
    rows: impl Iterator<Item = (T, Vec<String>)>,
) -> fmt::Result {
    let heads: Vec<String> = heads.into_iter().map(|head| head.to_string()).collect();
    writeln!(text, "| {corner} | {} |", heads.join(" | "))?;
    writeln!(text, "|{}", "---|".repeat(heads.len() + 1))?;
    rows.into_iter().try_for_each(|(title, cells)| writeln!(text, "| {title} | {} |", cells.join(" | ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(ok: Option<bool>) -> Outcome {
        let client = &CLIENTS[0];
        let (upstream, downstream) = (Transport::Stdio, Transport::HttpSse);
        let run = Run { fixture: Fixture::Everything, upstream, downstream, client, direct: false };
        let feature = Feature { name: "call_unknown".to_owned(), ok, detail: String::new() };
        Outcome { pairs: vec![(run, vec![feature])], ..Default::default() }
    }

    #[test]
    fn a_failed_feature_is_in_both_tables_and_counts() {
        let outcome = outcome(Some(false));
        let text = outcome.to_markdown().unwrap();
        assert_eq!(outcome.failures(), 1);
        assert!(text.contains("| stdio → HTTP+SSE | 0 ok, **failed: call_unknown** |"), "{text}");
        assert!(text.contains("| call unknown | – | **not with py1** | – |"), "{text}");
    }

    #[test]
    fn a_feature_that_the_fixture_has_nothing_for_is_no_failure() {
        let outcome = outcome(None);
        assert_eq!(outcome.failures(), 0);
        assert!(outcome.to_markdown().unwrap().contains("| stdio → HTTP+SSE | 0 ok |"));
    }
}
