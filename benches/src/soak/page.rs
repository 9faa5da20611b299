//! Renders the results of a soak as a page.

use super::chart::CHARTS;
use super::events::What;
use super::record::Record;

/// The page of a record.
pub(crate) fn page(record: &Record, file: &str) -> String {
    let counts = &record.counts;
    let minutes = record.seconds / 60.0;
    let mib = |bytes: f64| bytes / 1024.0 / 1024.0;
    let (before, after) = record.memory().unwrap_or_default();
    let mut page = format!(
        "# The soak\n\n\
         <!-- Made by crossway-soak from {file}; `crossway-soak --render {file}` makes it anew. -->\n\n\
         {users} users of {tenants} tenants use one `crossway serve` for {minutes:.0} minutes as Open WebUI does, in turns of a chat, while\n\
         servers are killed, secrets are replaced and the config changes. Every answer is checked: whether it is the one that was asked\n\
         for, whether the server was sent the caller's own credential, whether a list has what the caller may call and nothing else, and\n\
         whether one byte in it is of another tenant.\n\n",
        users = record.users,
        tenants = record.tenants,
    );
    page.push_str("| | |\n|---|---|\n");
    let rows: [(&str, String); 16] = [
        ("**something of another tenant**", format!("**{}**", counts.across)),
        ("**wrong answers**", format!("**{}**", counts.wrong)),
        ("**calls without an answer**", format!("**{}**", counts.lost)),
        ("errors that nothing explains", counts.failed.to_string()),
        ("secrets in logs, lines", record.leaks.to_string()),
        (
            "memory of the gateway, after a third of the time and at the end",
            format!(
                "{:.1} and {:.1} MiB: {}",
                mib(before),
                mib(after),
                if record.is_flat() { "flat" } else { "**not flat**" }
            ),
        ),
        ("turns", counts.turns.to_string()),
        ("HTTP requests", counts.requests.to_string()),
        ("calls answered rightly", counts.right.to_string()),
        ("calls of what is another tenant's or was denied, refused", counts.denied.to_string()),
        (
            "calls answered with a typed error, of a server that was killed",
            format!(
                "{} ({:.2} %)",
                counts.told,
                100.0 * counts.told as f64 / (counts.right + counts.told).max(1) as f64
            ),
        ),
        ("lists, of which without a server that was killed", format!("{}, {}", counts.lists, counts.partial)),
        (
            "streams of server messages, notifications on them",
            format!("{}, {}", counts.streams, counts.notified),
        ),
        (
            "answers of 1 MiB read at 600 KiB/s; clients gone in mid-call",
            format!("{}; {}", counts.slow, counts.vanished),
        ),
        (
            "servers killed; rounds of replaced secrets; configs changed, and broken ones before them",
            format!(
                "{}; {}; {}, {}",
                record.count(What::Kill),
                record.count(What::Secrets),
                record.count(What::Reload),
                record.count(What::BrokenReload)
            ),
        ),
        ("lines of the audit log", record.audited.to_string()),
    ];
    for (what, figure) in rows {
        page.push_str(&format!("| {what} | {figure} |\n"));
    }
    if let Some(broke) = &record.broke {
        page.push_str(&format!("\nIt ended early: {broke}\n"));
    }
    for (fault, times) in &record.faults {
        page.push_str(&format!("\n- {times} times: {fault}\n"));
    }
    page.push('\n');
    for (name, chart) in &CHARTS {
        page.push_str(&format!("![{}](img/{name})\n\n", chart.title));
    }
    page.push_str(&format!(
        "{date}, {cores} cores of {processor}, which users, gateway and servers share; load of the machine {load}. Medians over time: {cpu:.0} % of\n\
         a core for the gateway, {descriptors:.0} descriptors, {sessions:.0} sessions, p50 of a call {p50:.1} ms, p99 {p99:.1} ms.\n\n",
        date = record.system.date,
        cores = record.system.cores,
        processor = record.system.processor,
        load = record.system.load.join(" to "),
        cpu = 100.0 * record.median(|tick| tick.cpu),
        descriptors = record.median(|tick| tick.descriptors as f64),
        sessions = record.median(|tick| tick.sessions),
        p50 = record.median(|tick| tick.call_p50) / 1000.0,
        p99 = record.median(|tick| tick.call_p99) / 1000.0,
    ));
    page.push_str(ABOUT);
    page.push_str(&format!(
        "## To repeat it\n\n```text\ncargo build --release -p crossway-benches -p crossway-gateway\n{}\n```\n",
        record.command
    ));
    page
}

const ABOUT: &str = "\
## What a user does

Each turn begins on a new connection, with what Open WebUI signs about its user for it. Two thirds of the users go the long way:
`server/discover`, `initialize`, `notifications/initialized`, GET, `tools/list`, one to three `tools/call`, DELETE. The others speak
2026-07-28: `server/discover`, `tools/list`, `tools/call`. One call in twenty is of a tool that is another tenant's alone, one in a
hundred has an answer of 1 MiB that is read slowly, and one in a hundred is left before it is answered.

| server | transport | credential | who shares a session or a process |
|---|---|---|---|
| wiki | Streamable HTTP, all revisions | each user's, in a header, from a folder of files | a user |
| files | Streamable HTTP, legacy | each tenant's, in a header, from a file | a tenant |
| tickets | HTTP+SSE | each tenant's, in a header, from a file | a tenant |
| notes | stdio, legacy | each tenant's, in a variable, from a file | a tenant |

## What is right

- The tool `whoami` says the credential that its server was sent. It has to be the caller's own, in a version that was in its file
  within the last five seconds.
- A list has to be exactly what a config grants that was in force while it was asked for: the old one up to the moment when `/metrics`
  says that the new one is. Without a server's tools it may be only within 15 seconds after that server was killed, or after a list
  took 4.5 seconds: the gateway waits for five for a server of which it knows nothing, and then answers without.
- A call has to be answered with its own text. Within 15 seconds after its server was killed it may have an error instead, which says
  what became of it (`data.outcome`).
- Every text that a user sends, and every secret, begins with the mark of its tenant. No byte of an answer, a list or a stream may be part
  of another's mark, no list may have another's tool, and no other's tool may be reached.
- Neither the log nor the audit log has a secret in it.
- Memory is flat if it is at most a tenth more in the last sixth of the time than in the sixth after the first third.

## What soaks have found

All of it is mended, and has tests of its own since.

- Lists were without a server that had been back for long. Clients of sessions ask for four lists at once; after a rest the first of these tries
  whether the server is back, and the other three were refused rather than made to wait for that. 18 of 59,690 lists in half an hour, and 7 of
  13,286 where only that server was killed.
- Lists were without a server whose list had been asked for while it was away: with a server that tells of no changes nobody asked again.
- Sessions of clients ended with 404 when a server behind the gateway was started anew and did not know its own sessions any more.

";

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn the_page_says_what_went_wrong_first() {
        let mut record = record(|_| 50_000_000);
        record.faults.insert("wrong: another text".to_owned(), 3);
        record.counts.wrong = 3;
        let page = page(&record, "benches/results/soak.json");
        assert!(page.contains("| **wrong answers** | **3** |"), "{page}");
        assert!(page.contains("- 3 times: wrong: another text"));
        assert!(page.contains("MiB: flat") && page.contains("img/soak-memory.svg"));
    }
}
