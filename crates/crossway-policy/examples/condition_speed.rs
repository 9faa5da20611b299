//! Measures the worst-case time of conditions. For each of some slow ones, the arguments grow until the condition is refused as too much
//! work, and the largest accepted decision is timed. Then some ordinary conditions are timed.
//! `cargo run --release -p crossway-policy --features cel --example condition_speed`.

#![expect(clippy::print_stdout, reason = "what an example measures is its output")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use crossway_policy::config::{Grant, TenantRule};
use crossway_policy::{
    ConditionError, DenyReason, Hints, Item, Kind, Policy, PolicyConfig, Principal, Proof, Rights,
    TenantName, UpstreamFacts, limits,
};
use serde_json::{Value, json};

const TOOL: Item<'_> = Item { upstream: "u", kind: Kind::Tool, name: "t", hints: Hints { read_only: None } };

fn rights(when: &str) -> Rights {
    let name = TenantName::new("t").expect("a name");
    let mut config = PolicyConfig::default();
    config.tenants.insert(name.clone(), TenantRule { everyone: true, ..TenantRule::default() });
    config.grants.push(Grant {
        tenant: Some(name.clone()),
        upstream: "u".to_owned(),
        tools: vec!["*".to_owned()],
        when: Some(when.to_owned()),
        ..Grant::default()
    });
    let upstream = UpstreamFacts { name: "u".to_owned(), trusted: false };
    let policy =
        Policy::compile(&config, &[upstream]).unwrap_or_else(|findings| panic!("{when}: {findings:?}"));
    // 200 groups, with ids as a directory gives them.
    let groups: Vec<String> =
        (0..200).map(|number| format!("{number:08x}-0000-4000-8000-000000000000")).collect();
    let caller = Principal::new("i", "s", Proof::Jwt).with_groups(groups);
    policy.rights_unchecked(&caller, &name)
}

/// The fastest of several decisions; `None` if the condition is too much work.
fn time(rights: &Rights, arguments: &str) -> Option<Duration> {
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        let decided = rights.decide(black_box(&TOOL), Some(black_box(arguments)));
        fastest = fastest.min(begin.elapsed());
        match decided.as_ref().map_err(|denied| denied.reason()) {
            Ok(_) => {}
            Err(DenyReason::ConditionFailed(_, ConditionError::TooMuchWork)) => return None,
            Err(reason) => panic!("{reason}"),
        }
    }
    Some(fastest)
}

fn times(part: &str, count: usize) -> String {
    vec![part; count].join(" && ")
}

fn main() {
    let numbers = |count: usize| json!({ "l": (0..count).map(|_| 1).collect::<Vec<_>>(), "t": "t" });
    let lists = |count: usize| json!({ "l": vec![Value::Array(Vec::new()); count] });
    let objects = |count: usize| json!({ "l": vec![json!({ "a": 1 }); count] });
    let different = |count: usize| json!({ "l": (0..count).collect::<Vec<_>>() });
    let texts = |count: usize| {
        let (long, part) = ("a".repeat(count * 4), format!("{}b", "a".repeat(count * 2)));
        json!({ "l": vec!["ab"; count], "t": long, "u": part })
    };
    type Make<'a> = &'a dyn Fn(usize) -> Value;
    let bombs: [(String, Make<'_>); 19] = [
        (format!("args.l.all(x, x != args && {})", times("args == args", 18)), &numbers),
        (format!("args.l.all(x, x != args && {})", times("args == args", 18)), &objects),
        (times("args == args", 49), &numbers),
        (times("args == args", 49), &lists),
        (times("args == args", 49), &objects),
        ("args.l.all(x, x in args.l)".to_owned(), &different),
        ("args.l.all(x, !(x in user.groups))".to_owned(), &texts),
        ("user.groups.all(x, !(x in args.l))".to_owned(), &texts),
        (format!("args.l.all(x, {})", times("x == x", 40)), &objects),
        (format!("args.l.all(x, {})", times("x >= 1", 30)), &numbers),
        (format!("args.l.all(x, {})", times("x.a == 1", 30)), &objects),
        (format!("args.l.all(x, {})", times("args.t != x", 30)), &numbers),
        ("args.l.all(x, !args.t.contains(args.u) && !args.t.contains(x))".to_owned(), &texts),
        ("args.l.all(x, string(args.t) != x && size(args.t) > 0)".to_owned(), &texts),
        ("args.l.all(x, [x, x, x, x] == [x, x, x, x] && {'a': x}.a == x)".to_owned(), &objects),
        (format!("[{}].all(x, args == args)", vec!["1"; 80].join(", ")), &objects),
        (format!("size({}) > 0", vec!["args.l"; 17].join(" + ")), &numbers),
        (format!("size({}) > 0", vec!["args.l"; 17].join(" + ")), &objects),
        (times("[args, args, args] == [args, args, args]", 8), &objects),
    ];
    println!("{:<60} {:>9} {:>9} {:>10}", "made to take long", "bytes", "elements", "ms");
    let parsing = rights("has(args.l)");
    for (when, make) in bombs {
        let rights = rights(&when);
        let fits = |count: usize| {
            let text = make(count).to_string();
            (text.len() <= limits::ARGUMENT_BYTES).then(|| time(&rights, &text)).flatten().is_some()
        };
        // Finds the most elements that are accepted: by doubling, then by halving the step.
        let (mut most, mut step) = (1, 1);
        while fits(most * 2) {
            (most, step) = (most * 2, most);
        }
        while step > 0 {
            most += if fits(most + step) { step } else { 0 };
            step /= 2;
        }
        let text = make(most).to_string();
        let took = time(&rights, &text).unwrap_or_default();
        let took = took.saturating_sub(time(&parsing, &text).unwrap_or_default());
        let shown = if when.len() > 58 { format!("{}..", when.get(..56).unwrap_or_default()) } else { when };
        println!("{shown:<60} {:>9} {most:>9} {:>10.3}", text.len(), took.as_secs_f64() * 1e3);
    }

    let body = "x".repeat(20_000);
    let issue = json!({ "owner": "acme", "repo": "acme/site", "labels": ["bug", "docs"], "body": body });
    let many =
        json!({ "paths": (0..1000).map(|n| format!("/acme/docs/{n}")).collect::<Vec<_>>(), "owner": "acme" });
    let ordinary = [
        (r#"args.owner == "acme""#, &issue),
        (r#"args.repo.startsWith("acme/") && size(args.repo) < 20"#, &issue),
        (r#"args.labels.all(l, l in ["bug", "docs"])"#, &issue),
        (r#"!has(args.force) || !args.force"#, &issue),
        ("!user.groups.exists(g, g == args.owner)", &issue),
        ("!args.labels.exists(l, l in user.groups)", &issue),
        (r#"args.paths.all(p, p.startsWith("/acme/"))"#, &many),
        ("!args.paths.exists(p, p in user.groups)", &many),
    ];
    println!("\n{:<60} {:>9} {:>9} {:>10}", "ordinary", "bytes", "", "ms");
    for (when, arguments) in ordinary {
        let text = arguments.to_string();
        match time(&rights(when), &text) {
            Some(took) => {
                println!("{when:<60} {:>9} {:>9} {:>10.3}", text.len(), "", took.as_secs_f64() * 1e3)
            }
            None => println!("{when:<60} {:>9} {:>9} {:>10}", text.len(), "", "refused"),
        }
    }
}
