//! The official conformance suite: its server scenarios against Crossway's faces, its client scenarios through Crossway's client side.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Lab;
use super::crossway::Serving;
use super::merged::{KEY, gateway};
use super::process::run_to_end;
use super::servers::empty_dir;

/// The revisions that the suite knows, with the number of server scenarios of each. Fewer is a failure.
pub(super) const REVISIONS: [(&str, usize); 3] = [("2025-06-18", 27), ("2025-11-25", 33), ("2026-07-28", 40)];
/// The revisions with client scenarios that other revisions do not have.
pub(super) const CLIENT_REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];
/// The revision without HTTP+SSE.
const MODERN: &str = "2026-07-28";

/// The limit for a hanging suite: a whole suite takes some 10 s, a scenario 1 to 2 s.
const SUITE_LIMIT: Duration = Duration::from_secs(300);
const SCENARIO_LIMIT: Duration = Duration::from_secs(60);

/// A schema violation quotes the whole message: this much is enough to identify it.
const LONGEST_REASON: usize = 400;

/// The arrangements that the server scenarios run against.
pub(super) const ARRANGEMENTS: [(&str, &str); 11] = [
    ("demo", "the demo server itself"),
    ("stdio", "a bridge with the demo behind stdio"),
    ("streamable-http", "a bridge with the demo behind Streamable HTTP"),
    ("http-sse", "a bridge with the demo behind HTTP+SSE"),
    ("translated-stdio", "a bridge with a demo behind stdio that speaks 2026-07-28 alone"),
    (
        "translated-streamable-http",
        "a bridge with a demo behind Streamable HTTP that speaks 2026-07-28 alone",
    ),
    ("legacy-stdio", "a bridge with a demo behind stdio that speaks 2025-11-25 and older alone"),
    ("legacy-streamable-http", "a bridge with a demo behind Streamable HTTP that speaks those alone"),
    ("serve", "`crossway serve` with the demo behind stdio, its key added by a bridge in front"),
    ("serve-translated", "the same with a demo that speaks 2026-07-28 alone"),
    ("serve-legacy", "the same with a demo that speaks 2025-11-25 and older alone"),
];
/// Arrangements that translate sessions: modern clients need no translation.
const TRANSLATED: [&str; 3] = ["translated-stdio", "translated-streamable-http", "serve-translated"];
/// Arrangements that translate stateless requests: legacy clients need no translation.
const LEGACY: [&str; 3] = ["legacy-stdio", "legacy-streamable-http", "serve-legacy"];
/// The scenarios of [`MODERN`] that no legacy server can pass, even when translated: scenario, and why.
const BEYOND_LEGACY: [(&str, &str); 3] = [
    (
        "input-required-result-basic-elicitation",
        "it wants the key `user_name`; a question of 2025-11-25 is a request, which has an id and no key (basic/index, Requests)",
    ),
    (
        "input-required-result-ignore-extra-params",
        "it answers before it is asked; a server of 2025-11-25 is sent responses to its own requests alone (basic/index, Responses)",
    ),
    (
        "server-stateless",
        "of its checks those of -32021, which 2025-11-25 has not: such a server is told what its client can do, and does what it can without",
    ),
];
/// The checks of `server-stateless` that this is about.
const OF_CAPABILITIES: [&str; 2] = ["ServerRejectsUndeclaredCapability", "MissingCapabilityHttp400"];
/// How the client scenarios go through Crossway.
pub(super) const WAYS: [(&str, &str); 2] = [("bridge", "crossway bridge"), ("stdio", "crossway stdio")];

/// The results of the suite.
#[derive(Debug, Default)]
pub(super) struct Suites {
    pub(super) servers: Vec<SuiteRun>,
    pub(super) clients: Vec<SuiteRun>,
    /// The client scenarios that were left out, by revision.
    pub(super) excluded: BTreeMap<&'static str, Vec<String>>,
}

/// The results of the scenarios of one revision in one place.
#[derive(Debug)]
pub(super) struct SuiteRun {
    pub(super) place: &'static str,
    pub(super) revision: &'static str,
    pub(super) passed: usize,
    pub(super) expected: usize,
    /// The number of checks that succeeded in all.
    pub(super) checks: usize,
    /// The failed scenarios, each with the reason.
    pub(super) failures: Vec<(String, String)>,
    /// The scenarios that can't pass here.
    pub(super) impossible: Vec<&'static str>,
}

impl SuiteRun {
    /// `33 of 33`.
    pub(super) fn score(&self) -> String {
        match self.impossible.len() {
            0 => format!("{} of {}", self.passed, self.expected),
            beyond => format!("{} of {}, {beyond} impossible", self.passed, self.expected),
        }
    }
}

/// The names of all runs.
pub(super) fn names() -> Vec<String> {
    let servers = server_runs().map(|(place, (revision, _))| server_name(place, revision));
    let clients =
        CLIENT_REVISIONS.iter().flat_map(|revision| WAYS.map(|(way, _)| client_name(way, revision)));
    servers.chain(clients).collect()
}

fn server_runs() -> impl Iterator<Item = (&'static str, (&'static str, usize))> {
    let all = ARRANGEMENTS.into_iter().flat_map(|(place, _)| REVISIONS.map(|revision| (place, revision)));
    all.filter(|(place, (revision, _))| {
        if *revision == MODERN {
            *place != "http-sse" && !TRANSLATED.contains(place)
        } else {
            !LEGACY.contains(place)
        }
    })
}

fn server_name(place: &str, revision: &str) -> String {
    format!("suite/server/{revision}/{place}")
}

fn client_name(way: &str, revision: &str) -> String {
    format!("suite/client/{revision}/{way}")
}

/// Runs the parts of the suite that are asked for.
pub(super) fn run(lab: &Lab) -> Result<Suites> {
    let mut suites = Suites::default();
    run_servers(lab, &mut suites)?;
    run_clients(lab, &mut suites)?;
    Ok(suites)
}

/// Runs the server scenarios.
fn run_servers(lab: &Lab, suites: &mut Suites) -> Result<()> {
    let wanted: Vec<_> =
        server_runs().filter(|(place, (revision, _))| lab.wanted(&server_name(place, revision))).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let demo = lab.crossway.demo("both")?;
    let modern = lab.crossway.demo("modern")?;
    let legacy = lab.crossway.demo("legacy")?;
    for (place, (revision, expected)) in wanted {
        let name = server_name(place, revision);
        let mut run = SuiteRun {
            place,
            revision,
            passed: 0,
            expected,
            checks: 0,
            failures: Vec::new(),
            impossible: Vec::new(),
        };
        let demo = match place {
            _ if TRANSLATED.contains(&place) => &modern,
            _ if LEGACY.contains(&place) => &legacy,
            _ => &demo,
        };
        if let Err(error) = run_server(lab, demo, &name, &mut run) {
            run.failures.push(("the suite".to_owned(), format!("{error:#}")));
        }
        eprintln!("{name:<60} {}, {} checks", run.score(), run.checks);
        suites.servers.push(run);
    }
    Ok(())
}

fn run_server(lab: &Lab, demo: &Serving, name: &str, run: &mut SuiteRun) -> Result<()> {
    // A fresh bridge each time: no run depends on the state that another left.
    let bridge = match run.place {
        "stdio" => Some(lab.crossway.bridge_command(&lab.crossway.demo_command("both"))?),
        "translated-stdio" => Some(lab.crossway.bridge_command(&lab.crossway.demo_command("modern"))?),
        "legacy-stdio" => Some(lab.crossway.bridge_command(&lab.crossway.demo_command("legacy"))?),
        "streamable-http" | "translated-streamable-http" | "legacy-streamable-http" => {
            Some(lab.crossway.bridge_url(&demo.mcp, Some("streamable-http"))?)
        }
        "http-sse" => {
            let sse = demo.sse.as_deref().context("the demo server has no HTTP+SSE")?;
            Some(lab.crossway.bridge_url(sse, Some(run.place))?)
        }
        _ => None,
    };
    let served = match run.place {
        "serve" => Some(serve(lab, "both")?),
        "serve-translated" => Some(serve(lab, "modern")?),
        "serve-legacy" => Some(serve(lab, "legacy")?),
        _ => None,
    };
    let bridge = served.as_ref().map(|(_, bridge)| bridge).or(bridge.as_ref());
    let url = bridge.map_or(&demo.mcp, |bridge| &bridge.mcp);
    let results = lab.dir.join("results").join(name);
    let mut command = suite(lab, "server", run.revision, &results)?;
    let finished = run_to_end(command.args(["--url", url, "--suite", "all"]), SUITE_LIMIT)?;
    let log = lab.dir.join("logs").join(format!("{}.log", name.replace('/', "-")));
    fs::write(log, finished.stdout + &finished.stderr)?;
    let results = read_results(&results, "server-")?;
    let ran = results.len();
    for (scenario, checks) in results {
        run.count(scenario, &checks, true);
    }
    if LEGACY.contains(&run.place) {
        run.leave_out_impossible();
    }
    ensure!(ran == run.expected, "{ran} of {} scenarios ran", run.expected);
    Ok(())
}

/// Starts `crossway serve` with a demo server on stdio, and a bridge that adds the key of its user, as the suite has none.
fn serve(lab: &Lab, era: &str) -> Result<(Serving, Serving)> {
    let command = lab.crossway.demo_command(era);
    let (program, arguments) = command.split_first().context("no command")?;
    let dir = empty_dir(lab, "suite")?;
    let serving = gateway(lab, &dir, json!({ "demo": { "command": program, "args": arguments } }))?;
    let bridge = lab.crossway.bridge_url_as(&serving.mcp.replace("/mcp", "/demo/mcp"), KEY)?;
    Ok((serving, bridge))
}

/// Runs the client scenarios except those about OAuth, in which Crossway's client side has no part.
fn run_clients(lab: &Lab, suites: &mut Suites) -> Result<()> {
    for revision in CLIENT_REVISIONS {
        let wanted: Vec<_> = WAYS
            .into_iter()
            .map(|(way, _)| way)
            .filter(|way| lab.wanted(&client_name(way, revision)))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let (excluded, scenarios): (Vec<_>, Vec<_>) =
            client_scenarios(lab, revision)?.into_iter().partition(|scenario| scenario.starts_with("auth/"));
        suites.excluded.insert(revision, excluded);
        for way in wanted {
            let mut run = SuiteRun {
                place: way,
                revision,
                passed: 0,
                expected: scenarios.len(),
                checks: 0,
                failures: Vec::new(),
                impossible: Vec::new(),
            };
            for scenario in &scenarios {
                run_client(lab, scenario, &mut run)?;
            }
            eprintln!("{:<60} {}, {} checks", client_name(way, revision), run.score(), run.checks);
            suites.clients.push(run);
        }
    }
    Ok(())
}

fn run_client(lab: &Lab, scenario: &str, run: &mut SuiteRun) -> Result<()> {
    let results = lab.dir.join("results").join(client_name(run.place, run.revision)).join(scenario);
    let script = lab.npm().join("conformance_client.mjs");
    let client = format!(
        "{} {} --via {} --crossway {}",
        lab.node().display(),
        script.display(),
        run.place,
        lab.crossway.path().display()
    );
    let mut command = suite(lab, "client", run.revision, &results)?;
    let finished = run_to_end(command.args(["--command", &client, "--scenario", scenario]), SCENARIO_LIMIT)?;
    let log = format!("{}-{scenario}.log", client_name(run.place, run.revision).replace('/', "-"));
    fs::write(lab.dir.join("logs").join(log), finished.stdout + &finished.stderr)?;
    match read_results(&results, "")?.pop_first() {
        Some((_, checks)) => run.count(scenario.to_owned(), &checks, finished.code == Some(0)),
        None => run.failures.push((scenario.to_owned(), "it left no result".to_owned())),
    }
    Ok(())
}

fn suite(lab: &Lab, part: &str, revision: &str, results: &Path) -> Result<Command> {
    if results.exists() {
        fs::remove_dir_all(results).with_context(|| format!("{} cannot be removed", results.display()))?;
    }
    let mut command = Command::new(lab.node());
    command.arg(lab.npm_package("conformance/dist/index.js")).arg(part);
    command.args(["--spec-version", revision, "-o"]).arg(results);
    Ok(command)
}

fn client_scenarios(lab: &Lab, revision: &str) -> Result<Vec<String>> {
    let mut command = Command::new(lab.node());
    command.arg(lab.npm_package("conformance/dist/index.js")).args([
        "list",
        "--client",
        "--spec-version",
        revision,
    ]);
    let finished = run_to_end(&mut command, SCENARIO_LIMIT)?;
    let names: Vec<String> = finished
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("  - ")?.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    ensure!(!names.is_empty(), "the suite lists no client scenario for {revision}: {}", finished.stderr);
    Ok(names)
}

/// Reads each scenario's checks, which the suite leaves in a folder `[server-]SCENARIO-TIME/checks.json`.
fn read_results(dir: &Path, prefix: &str) -> Result<BTreeMap<String, Vec<Value>>> {
    const TIME: usize = "-2026-01-01T00-00-00-000Z".len();
    let mut results = BTreeMap::new();
    let Ok(entries) = fs::read_dir(dir) else { return Ok(results) };
    for entry in entries {
        let entry = entry?;
        let folder = entry.file_name().to_string_lossy().into_owned();
        let Some(scenario) = folder.len().checked_sub(TIME).and_then(|end| folder.get(..end)) else {
            continue;
        };
        // A scenario that never ended leaves an empty folder.
        let checks = fs::read(entry.path().join("checks.json")).unwrap_or_else(|_| b"[]".to_vec());
        let checks = serde_json::from_slice(&checks).with_context(|| format!("{folder}/checks.json"))?;
        results.insert(scenario.strip_prefix(prefix).unwrap_or(scenario).to_owned(), checks);
    }
    Ok(results)
}

impl SuiteRun {
    /// Counts a scenario as passed if something was checked, all checks succeeded, and there was no warning.
    fn count(&mut self, scenario: String, checks: &[Value], ended_well: bool) {
        let text =
            |check: &Value, key: &str| check.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        // The schema check comes with every scenario, even if nothing else could be checked.
        let succeeded = checks
            .iter()
            .filter(|check| text(check, "status") == "SUCCESS" && text(check, "id") != "wire-schema-valid")
            .count();
        let mut failures: Vec<String> = checks
            .iter()
            .filter(|check| matches!(text(check, "status").as_str(), "FAILURE" | "WARNING"))
            .map(|check| {
                let reason = Some(text(check, "errorMessage")).filter(|reason| !reason.is_empty());
                let reason = reason.unwrap_or_else(|| text(check, "description"));
                let reason: String = reason.replace('\n', " ").chars().take(LONGEST_REASON).collect();
                format!("{}: {reason}", text(check, "name"))
            })
            .collect();
        if failures.is_empty() && succeeded == 0 {
            failures.push("nothing was checked".to_owned());
        }
        if failures.is_empty() && !ended_well {
            failures.push("the client failed".to_owned());
        }
        self.checks += succeeded;
        if failures.is_empty() {
            self.passed += 1;
        }
        self.failures.extend(failures.into_iter().map(|failure| (scenario.clone(), failure)));
    }

    /// Removes the failures that are [beyond a legacy server](BEYOND_LEGACY). Such a scenario that passes is a failure of that list.
    fn leave_out_impossible(&mut self) {
        for (scenario, _) in BEYOND_LEGACY {
            let is_of_it = |(failed, reason): &(String, String)| {
                let is_meant = scenario != "server-stateless"
                    || OF_CAPABILITIES.iter().any(|check| reason.starts_with(check));
                failed == scenario && is_meant
            };
            let before = self.failures.len();
            self.failures.retain(|failure| !is_of_it(failure));
            if self.failures.len() == before {
                let why = "it passes, and is said to be impossible";
                self.failures.push((scenario.to_owned(), why.to_owned()));
            }
            self.impossible.push(scenario);
        }
    }
}

/// The scenarios that can't pass somewhere, with the reason, as lines of a list.
pub(super) fn beyond_legacy() -> impl Iterator<Item = String> {
    BEYOND_LEGACY.into_iter().map(|(scenario, why)| format!("- `{scenario}`: {why}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn counted(checks: &[Value], ended_well: bool) -> SuiteRun {
        let mut run = SuiteRun {
            place: "demo",
            revision: MODERN,
            passed: 0,
            expected: 1,
            checks: 0,
            failures: Vec::new(),
            impossible: Vec::new(),
        };
        run.count("caching".to_owned(), checks, ended_well);
        run
    }

    #[test]
    fn a_scenario_with_a_warning_does_not_pass() {
        let checks = [
            json!({"id": "a", "status": "SUCCESS"}),
            json!({"id": "b", "name": "B", "status": "WARNING", "description": "said"}),
        ];
        let run = counted(&checks, true);
        assert_eq!((run.passed, run.checks), (0, 1));
        assert_eq!(run.failures, [("caching".to_owned(), "B: said".to_owned())]);
    }

    #[test]
    fn a_scenario_in_which_nothing_but_the_schema_was_checked_does_not_pass() {
        let checks = [
            json!({"id": "wire-schema-valid", "status": "SUCCESS"}),
            json!({"id": "a", "status": "INFO"}),
            json!({"id": "b", "status": "SKIPPED"}),
        ];
        assert_eq!(counted(&checks, true).passed, 0);
    }

    #[test]
    fn what_is_impossible_is_left_out_by_name_and_what_passes_is_not_impossible() {
        let mut run = counted(&[json!({"id": "a", "status": "SUCCESS"})], true);
        let fail = |scenario: &str, reason: &str| (scenario.to_owned(), reason.to_owned());
        run.failures = vec![
            fail("input-required-result-basic-elicitation", "A: no key"),
            fail("server-stateless", "MissingCapabilityHttp400: not testable"),
            fail("server-stateless", "Other: broken"),
        ];
        run.leave_out_impossible();
        let passes = "it passes, and is said to be impossible";
        assert_eq!(
            run.failures,
            [
                fail("server-stateless", "Other: broken"),
                fail("input-required-result-ignore-extra-params", passes)
            ]
        );
        assert_eq!(run.score(), "1 of 1, 3 impossible");
    }

    #[test]
    fn a_scenario_whose_client_failed_does_not_pass() {
        let checks = [json!({"id": "a", "status": "SUCCESS"})];
        assert_eq!(counted(&checks, true).passed, 1);
        assert_eq!(counted(&checks, false).passed, 0);
    }
}
