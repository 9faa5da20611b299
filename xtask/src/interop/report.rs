//! The report: on the terminal, and as `docs/interop.md`.

use std::fmt::{self, Write};

use super::matrix;
use super::merged::MergedRun;
use super::pairs::{Feature, Run};
use super::small;
use super::suite::{ARRANGEMENTS, CLIENT_REVISIONS, REVISIONS, SuiteRun, Suites, WAYS, beyond_legacy};

/// The results of all runs.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) version: String,
    pub(super) pairs: Vec<(Run, Vec<Feature>)>,
    /// The runs at one URL of several servers.
    pub(super) merged: Vec<(MergedRun, Vec<Feature>)>,
    pub(super) suites: Suites,
}

impl Outcome {
    pub(super) fn failures(&self) -> usize {
        self.features().filter(|feature| feature.failed()).count()
            + self.suites().map(|run| run.failures.len()).sum::<usize>()
    }

    fn features(&self) -> impl Iterator<Item = &Feature> {
        let merged = self.merged.iter().flat_map(|(_, features)| features);
        self.pairs.iter().flat_map(|(_, features)| features).chain(merged)
    }

    fn suites(&self) -> impl Iterator<Item = &SuiteRun> {
        self.suites.servers.iter().chain(&self.suites.clients)
    }

    pub(super) fn summary(&self) -> String {
        let features = self.features().filter(|feature| feature.worked()).count();
        let checks: usize = self.suites().map(|run| run.checks).sum();
        format!(
            "{} client runs with {features} features, {checks} checks of the suite, {} failures",
            self.pairs.len() + self.merged.len(),
            self.failures()
        )
    }

    /// Prints each failure with its reason.
    pub(super) fn print_failures(&self) {
        let pairs = self.pairs.iter().map(|(run, features)| (run.name(), features));
        let merged = self.merged.iter().map(|(run, features)| (run.name(), features));
        for (name, features) in pairs.chain(merged) {
            for feature in features.iter().filter(|feature| feature.failed()) {
                eprintln!("failed: {name} {}: {}", feature.name, feature.detail);
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
        matrix::write(&mut text, &self.pairs)?;
        small::write_older(&mut text, &self.pairs)?;
        small::write_merged(&mut text, &self.merged)?;
        self.write_suite(&mut text)?;
        Ok(text)
    }

    fn write_suite(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "\n## The official conformance suite\n\n\
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
                        .map(|(revision, _)| suite_cell(&self.suites.servers, place, revision))
                        .collect(),
                )
            }),
        )?;
        writeln!(
            text,
            "\n– : revision 2026-07-28 has no HTTP+SSE to be tried. Its transports are stdio and Streamable HTTP, \"introduced in\n\
             protocol version 2025-03-26 as a replacement for the HTTP+SSE transport from protocol version 2024-11-05\"\n\
             (2026-07-28, basic/transports/streamable-http). A client and a server that both speak it need no translation.\n\n\
             Impossible with a server that speaks 2025-11-25 and older alone:\n"
        )?;
        beyond_legacy().try_for_each(|line| writeln!(text, "{line}"))?;
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
                        .map(|revision| suite_cell(&self.suites.clients, way, revision))
                        .collect(),
                )
            }),
        )?;
        for (revision, names) in &self.suites.excluded {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            writeln!(
                text,
                "\nNot among them for {revision}, since OAuth is between the client and the server: {}.",
                names.join(", ")
            )?;
        }
        Ok(())
    }
}

fn suite_cell(runs: &[SuiteRun], place: &str, revision: &str) -> String {
    match runs.iter().find(|run| run.place == place && run.revision == revision) {
        Some(run) if run.failures.is_empty() => run.score(),
        Some(run) => format!("**{}**", run.score()),
        None => "–".to_owned(),
    }
}

/// A table of Markdown.
pub(super) fn table<H: fmt::Display, T: fmt::Display>(
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
