//! Guards something other than MCP: who may use which machine of a workshop.

#![expect(clippy::print_stdout, reason = "an example shows its work")]

use crossway_policy::{Item, Kind, Policy, PolicyConfig, Principal, Proof, UpstreamFacts};

const RULES: &str = r#"{
    "tenants": { "workshop": { "everyone": true } },
    "grants": [
        { "tenant": "workshop", "upstream": "printers", "tools": ["print_*"], "name": "anybody prints" },
        { "role": "trained", "upstream": "*", "tools": ["*"], "name": "the trained do all" },
        { "user": "bob", "upstream": "saws", "tools": ["*"], "effect": "deny", "name": "not after last time" }
    ]
}"#;

fn main() {
    let config: PolicyConfig = serde_json::from_str(RULES).expect("the rules are JSON");
    let machines = ["printers", "saws"].map(|name| UpstreamFacts { name: name.to_owned(), trusted: true });
    let policy = Policy::compile(&config, &machines).unwrap_or_else(|findings| panic!("{findings:?}"));

    let member = |name: &str| Principal::new("front desk", name, Proof::ApiKey);
    let people =
        [member("alice"), member("bob").with_roles(["trained"]), member("carol").with_roles(["trained"])];
    let mut allowed = Vec::new();
    for person in &people {
        let rights = policy.rights_at(person, None).expect("everyone is a member");
        for (machine, work) in [("printers", "print_poster"), ("saws", "cut")] {
            let answer = match rights.decide(&Item::new(machine, Kind::Tool, work), None) {
                Ok(permit) => format!("yes, {}", permit.rule()),
                Err(denied) => format!("no, {}", denied.reason()),
            };
            allowed.push(answer.starts_with("yes"));
            println!("{} may {work} with the {machine}: {answer}", person.subject());
        }
    }
    assert_eq!(allowed, [true, false, true, false, true, true]);
}
