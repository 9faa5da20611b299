//! The two smaller tables of `docs/interop.md`: clients that ask for older revisions, and several servers at one URL.

use std::fmt::{self, Write};

use super::clients::OLDER;
use super::matrix::mark;
use super::merged::{Gateway, MergedRun, PARTS, clients};
use super::pairs::{FOR_OLDER, Feature, Place, Run, Went};
use super::report::table;

/// Clients that were made to ask for a revision before their newest legacy one.
pub(super) fn write_older(text: &mut String, pairs: &[(Run, Vec<Feature>)]) -> fmt::Result {
    writeln!(
        text,
        "\n## Clients of older revisions\n\n\
         The same clients with an `initialize` that asks for an older revision, each server's transport → the client's; rmcp is\n\
         above. fastmcp asks for what the SDK below it does; mcp-remote passes on what its client asks for, and has HTTP where\n\
         others are on stdio. A cell counts the features that work, and names those that do not, with the number of the\n\
         sentence above that rules them out.\n"
    )?;
    table(
        text,
        "client",
        FOR_OLDER.iter().map(|place| {
            let (upstream, downstream) = (place.upstream.title(), place.downstream.title());
            format!("{}, {upstream} → {downstream}", place.fixture.short_title())
        }),
        OLDER.iter().map(|client| {
            let cell = |place: &Place| {
                let is_it = |run: &Run| {
                    run.client == client
                        && run.fixture == place.fixture
                        && run.upstream == place.upstream
                        && !run.direct
                };
                let features = pairs.iter().find(|(run, _)| is_it(run)).map(|(_, features)| features);
                features.map_or_else(String::new, |features| count(features))
            };
            (client.title, FOR_OLDER.iter().map(cell).collect())
        }),
    )
}

/// Several servers at one URL.
pub(super) fn write_merged(text: &mut String, merged: &[(MergedRun, Vec<Feature>)]) -> fmt::Result {
    writeln!(
        text,
        "\n## Several servers at one URL\n\n\
         `crossway bridge --config` with four servers, and clients at its `/mcp` on Streamable HTTP: names are\n\
         `everything__echo`, and URIs that two servers have are wrapped. Lists are those of all four. Cells are as above.\n\
         That a list has changed is told if it comes back as another. What server-everything and the demo on stdio change is in\n\
         the session of the call alone, each a process, which is not the one that lists are from.\n"
    )?;
    write_gateway(text, merged, Gateway::Bridge)?;
    writeln!(
        text,
        "\nThe same servers behind `crossway serve`, whose tenant's user is granted all of them; clients reach it by\n\
         `crossway stdio URL --header`.\n"
    )?;
    write_gateway(text, merged, Gateway::Serve)
}

fn write_gateway(text: &mut String, merged: &[(MergedRun, Vec<Feature>)], gateway: Gateway) -> fmt::Result {
    table(
        text,
        "client",
        PARTS.iter().map(|part| part.title),
        clients().map(|client| {
            let cell = |part| {
                let is_it =
                    |run: &MergedRun| run.gateway == gateway && run.client == client && run.part == part;
                let features = merged.iter().find(|(run, _)| is_it(run)).map(|(_, features)| features);
                features.map_or_else(String::new, |features| count(features))
            };
            (client.title, PARTS.iter().map(cell).collect())
        }),
    )
}

/// `20 ✓`, with what is ruled out, or has failed.
fn count(features: &[Feature]) -> String {
    let worked = features.iter().filter(|feature| feature.worked()).count();
    let others = features.iter().filter(|feature| matches!(feature.went, Went::Failed | Went::Impossible(_)));
    let others: Vec<String> = others
        .map(|feature| format!(", {} {}", feature.name.replace('_', " "), mark(feature.went)))
        .collect();
    let cell = format!("{worked} ✓{}", others.concat());
    if features.iter().any(Feature::failed) { format!("**{cell}**") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::rules::RULES;

    #[test]
    fn a_cell_names_what_does_not_work() {
        let feature = |went| Feature { name: "call_unknown".to_owned(), went, detail: String::new() };
        assert_eq!(count(&[feature(Went::Worked), feature(Went::Unused)]), "1 ✓");
        assert_eq!(count(&[feature(Went::Impossible(&RULES[2]))]), "0 ✓, call unknown (3)");
        assert_eq!(count(&[feature(Went::Failed)]), "**0 ✓, call unknown ✗**");
    }
}
