//! The matrix of `docs/interop.md`: clients by servers, and for each server clients by features.

use std::fmt::{self, Write};

use super::clients::{CLIENTS, Client};
use super::pairs::{Feature, Run, Went};
use super::report::table;
use super::rules::RULES;
use super::servers::{Fixture, Transport};

type Runs<'a> = Vec<&'a (Run, Vec<Feature>)>;

/// Writes the overview and a table for each server.
pub(super) fn write(text: &mut String, pairs: &[(Run, Vec<Feature>)]) -> fmt::Result {
    let runs: Runs<'_> = pairs.iter().filter(|(run, _)| !run.direct).collect();
    writeln!(
        text,
        "## Clients and servers\n\n\
         Each client with each server, Crossway in between. A cell counts the features that work, on all pairs of transports\n\
         that were tried: the tables below have them one by one.\n"
    )?;
    table(
        text,
        "client",
        Fixture::ALL.iter().map(|fixture| fixture.short_title()),
        CLIENTS.iter().map(|client| {
            let cell = |fixture: &Fixture| overview(&of(&runs, *fixture, client));
            (client.title, Fixture::ALL.iter().map(cell).collect())
        }),
    )?;
    writeln!(
        text,
        "\nIn the tables that follow:\n\n\
         - ✓ : it works.\n\
         - – : the server does not declare the capability; the client has looked.\n\
         - · : the server has nothing that would show it (no tool that samples, no second page); the client has seen\n  \
           nothing of it.\n\
         - ✗ : it fails, on the pair of transports that is named.\n\
         - A number: the specification rules it out, as below. An empty cell was not tried.\n\
         - A mark that holds on one of the server's transports alone has that transport beside it.\n\n\
         The last row counts the pairs of transports: each is the server's and the client's. rmcp has no HTTP+SSE. mcp-remote\n\
         is a stdio server for its own client (TypeScript sdk 1.32.2), and on HTTP towards Crossway; with `--protocol auto` it\n\
         answers its client's `ping` itself. fastmcp and mcp-remote try each transport of the server once, not with each of their\n\
         own.\n"
    )?;
    for (number, rule) in RULES.iter().enumerate() {
        writeln!(text, "{}. {}", number + 1, rule.says)?;
    }
    Fixture::ALL.into_iter().try_for_each(|fixture| write_fixture(text, fixture, &runs))
}

fn of<'a>(runs: &Runs<'a>, fixture: Fixture, client: &Client) -> Runs<'a> {
    runs.iter().copied().filter(|(run, _)| run.fixture == fixture && run.client == client).collect()
}

/// The number of features that work on every pair on which they were tried.
fn overview(runs: &Runs<'_>) -> String {
    let names = feature_names(runs);
    let all = |name: &&&str| went(runs, name).all(|(_, went)| went == Went::Worked);
    let failed = runs.iter().flat_map(|(_, features)| features).filter(|feature| feature.failed()).count();
    match (runs.is_empty(), failed) {
        (true, _) => String::new(),
        (_, 0) => format!("{} ✓", names.iter().filter(all).count()),
        _ => format!("**{} ✓, {failed} ✗**", names.iter().filter(all).count()),
    }
}

fn feature_names<'a>(runs: &Runs<'a>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for feature in runs.iter().flat_map(|(_, features)| features) {
        if !names.contains(&feature.name.as_str()) {
            names.push(feature.name.as_str());
        }
    }
    names
}

/// The results of a feature on each pair.
fn went<'a>(runs: &'a Runs<'_>, name: &'a str) -> impl Iterator<Item = (Run, Went)> + 'a {
    runs.iter().filter_map(move |(run, features)| {
        let feature = features.iter().find(|feature| feature.name == name)?;
        Some((*run, feature.went))
    })
}

fn write_fixture(text: &mut String, fixture: Fixture, runs: &Runs<'_>) -> fmt::Result {
    let of_fixture: Runs<'_> = runs.iter().copied().filter(|(run, _)| run.fixture == fixture).collect();
    let clients: Vec<&Client> =
        CLIENTS.iter().filter(|client| of_fixture.iter().any(|(run, _)| run.client == *client)).collect();
    writeln!(text, "\n### {}\n", fixture.title())?;
    let pairs = |client: &&Client| {
        let ways: Vec<String> = of(runs, fixture, client).iter().map(|(run, _)| pair_title(run)).collect();
        ways.len().to_string()
    };
    let names = feature_names(&of_fixture);
    let rows = names.into_iter().map(|name| {
        let cells = clients.iter().map(|client| cell(&of(runs, fixture, client), name)).collect();
        (name.replace('_', " "), cells)
    });
    let tried = ("*pairs of transports*".to_owned(), clients.iter().map(pairs).collect());
    table(text, "feature", clients.iter().map(|client| client.title), rows.chain(std::iter::once(tried)))
}

fn pair_title(run: &Run) -> String {
    format!("{} → {}", run.upstream.title(), run.downstream.title())
}

/// The mark that all pairs share, or each mark with the server's transports that have it.
fn cell(runs: &Runs<'_>, name: &str) -> String {
    let failed: Vec<String> =
        went(runs, name).filter(|(_, went)| *went == Went::Failed).map(|(run, _)| pair_title(&run)).collect();
    if !failed.is_empty() {
        return format!("**✗ {}**", failed.join(", "));
    }
    let mut marks: Vec<(String, Vec<Transport>)> = Vec::new();
    for (run, went) in went(runs, name) {
        let mark = mark(went);
        let position = marks.iter().position(|(known, _)| *known == mark).unwrap_or(marks.len());
        if position == marks.len() {
            marks.push((mark, Vec::new()));
        }
        let transports = &mut marks[position].1;
        if !transports.contains(&run.upstream) {
            transports.push(run.upstream);
        }
    }
    if let [(mark, _)] = marks.as_slice() {
        return mark.clone();
    }
    let with_transports = marks.iter().map(|(mark, transports)| {
        let transports: Vec<&str> = transports.iter().map(|transport| transport.title()).collect();
        format!("{mark} {}", transports.join(", "))
    });
    with_transports.collect::<Vec<_>>().join("; ")
}

pub(super) fn mark(went: Went) -> String {
    match went {
        Went::Worked => "✓".to_owned(),
        Went::Failed => "✗".to_owned(),
        Went::Undeclared => "–".to_owned(),
        Went::Unused => "·".to_owned(),
        Went::Impossible(rule) => {
            let number = RULES.iter().position(|known| known == rule).map_or(0, |position| position + 1);
            format!("({number})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(upstream: Transport, went: Went) -> (Run, Vec<Feature>) {
        let (client, downstream) = (&CLIENTS[0], Transport::HttpSse);
        let run = Run { fixture: Fixture::Everything, upstream, downstream, client, direct: false };
        (run, vec![Feature { name: "call_unknown".to_owned(), went, detail: String::new() }])
    }

    fn written(pairs: &[(Run, Vec<Feature>)]) -> String {
        let mut text = String::new();
        write(&mut text, pairs).unwrap();
        text
    }

    #[test]
    fn a_failed_feature_is_in_both_tables_with_its_transports() {
        let text = written(&[run(Transport::Stdio, Went::Failed), run(Transport::HttpSse, Went::Worked)]);
        assert!(text.contains("| **0 ✓, 1 ✗** |"), "{text}");
        assert!(text.contains("| call unknown | **✗ stdio → HTTP+SSE** |"), "{text}");
    }

    #[test]
    fn a_feature_that_a_server_does_not_declare_counts_neither_way() {
        let text = written(&[run(Transport::Stdio, Went::Undeclared)]);
        assert!(text.contains("| call unknown | – |"), "{text}");
        assert!(text.contains("| 0 ✓ |"), "{text}");
    }

    #[test]
    fn marks_that_differ_have_their_transports_beside_them() {
        let text = written(&[run(Transport::Stdio, Went::Worked), run(Transport::HttpSse, Went::Unused)]);
        assert!(text.contains("| call unknown | ✓ stdio; · HTTP+SSE |"), "{text}");
    }

    #[test]
    fn what_the_specification_rules_out_has_the_number_of_its_sentence() {
        let text = written(&[run(Transport::Stdio, Went::Impossible(&RULES[1]))]);
        assert!(text.contains("| call unknown | (2) |"), "{text}");
        assert!(text.contains("2. This server asks for roots"), "{text}");
    }
}
