//! Measures decisions among 10,000 grants and 1,000 tenants, the size of rights, and the time to read a policy.
//! `cargo run --release -p crossway-policy --example policy_speed`.

#![expect(clippy::print_stdout, reason = "what an example measures is its output")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::hint::black_box;
use std::time::Instant;

use crossway_policy::config::{Effect, Grant, TenantRule};
use crossway_policy::{Item, Kind, Policy, PolicyConfig, Principal, Proof, TenantName, UpstreamFacts};

const TENANTS: usize = 1000;
const GRANTS: usize = 10_000;
const ROUNDS: u32 = 200_000;

fn main() {
    let name = |number: usize| TenantName::new(format!("tenant-{number}")).expect("a name");
    let mut config = PolicyConfig::default();
    for number in 0..TENANTS {
        let rule = TenantRule { email_domains: vec![format!("t{number}.example")], ..TenantRule::default() };
        config.tenants.insert(name(number), rule);
    }
    for number in 0..GRANTS {
        let (tenant, nth) = (number % TENANTS, number / TENANTS);
        config.grants.push(Grant {
            tenant: Some(name(tenant)),
            group: (nth % 3 == 2).then(|| format!("group-{nth}")),
            upstream: format!("upstream-{}", nth * 7 % 100),
            tools: vec![format!("get_{nth}_*"), format!("list_{nth}"), format!("*_{nth}_[a-f]x")],
            effect: if nth == 9 { Effect::Deny } else { Effect::Allow },
            ..Grant::default()
        });
    }
    let upstream = |number| UpstreamFacts { name: format!("upstream-{number}"), trusted: false };
    let upstreams: Vec<UpstreamFacts> = (0..100).map(upstream).collect();
    let begin = Instant::now();
    let policy = Policy::compile(&config, &upstreams).unwrap_or_else(|findings| panic!("{findings:?}"));
    println!("read {GRANTS} grants of {TENANTS} tenants  {:>8.1} ms", begin.elapsed().as_secs_f64() * 1e3);

    let user = Principal::new("login", "u", Proof::Jwt)
        .with_email("u@t500.example")
        .with_groups(["group-2", "group-5"]);
    each("tenant of a caller", || _ = black_box(policy.tenant_of(black_box(&user), None)));
    let tenant = policy.tenant_of(&user, None).expect("a tenant");
    each("rights of a caller", || _ = black_box(policy.rights_unchecked(black_box(&user), &tenant)));
    let rights = policy.rights_unchecked(&user, &tenant);
    for (what, upstream, tool) in [
        ("decision: by a name", "upstream-14", "list_2"),
        ("decision: by a prefix", "upstream-7", "get_1_x"),
        ("decision: by an automaton", "upstream-7", "a_1_cx"),
        ("decision: none grants it", "upstream-7", "delete_repository"),
        ("decision: another's upstream", "upstream-99", "get_1_x"),
    ] {
        let item = Item::new(upstream, Kind::Tool, tool);
        each(what, || _ = black_box(rights.decide(black_box(&item), None)));
    }
    let names: Vec<String> = (0..10_000).map(|number| format!("get_1_{number}")).collect();
    let begin = Instant::now();
    let listed = names.iter().filter(|name| rights.lists(&Item::new("upstream-7", Kind::Tool, name))).count();
    println!(
        "a list of 10,000 tools, {listed} of them granted  {:>8.3} ms",
        begin.elapsed().as_secs_f64() * 1e3
    );
}

fn each(what: &str, mut work: impl FnMut()) {
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    println!("{what:<32} {:>8.0} ns", begin.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS));
}
