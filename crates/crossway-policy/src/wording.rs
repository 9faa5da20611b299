//! Warnings about texts of a policy that can't match anything as they are written. A denial with such a text would fail unnoticed.

use crate::config::PolicyConfig;
use crate::finding::{Findings, Problem};

/// Checks everything that a policy says about tenants, callers and names.
pub(crate) fn check(config: &PolicyConfig, findings: &mut Findings) {
    for (name, rule) in &config.tenants {
        let lists = [("groups", &rule.groups), ("users", &rule.users), ("issuers", &rule.issuers)];
        for (key, texts) in lists {
            for (index, text) in texts.iter().enumerate() {
                name_of_one(text, format_args!("tenants.{name}.{key}[{index}]"), findings);
            }
        }
        for (claim, text) in &rule.claims {
            name_of_one(text, format_args!("tenants.{name}.claims.{claim}"), findings);
        }
        for (index, text) in rule.email_domains.iter().enumerate() {
            let path = format_args!("tenants.{name}.email_domains[{index}]");
            if !variable(text, path, findings) && !is_domain(text) {
                findings.warning(path, Problem::NoDomain);
            }
        }
    }
    for (index, grant) in config.grants.iter().enumerate() {
        let of_callers = [
            ("group", &grant.group),
            ("role", &grant.role),
            ("user", &grant.user),
            ("issuer", &grant.issuer),
        ];
        for (key, text) in of_callers {
            if let Some(text) = text {
                name_of_one(text, format_args!("grants[{index}].{key}"), findings);
            }
        }
        variable(&grant.upstream, format_args!("grants[{index}].upstream"), findings);
        let lists = [("tools", &grant.tools), ("prompts", &grant.prompts), ("resources", &grant.resources)];
        for (key, patterns) in lists {
            for (at, pattern) in patterns.iter().enumerate() {
                variable(pattern, format_args!("grants[{index}].{key}[{at}]"), findings);
            }
        }
    }
}

/// Warns about a variable or a pattern where a name is compared as a whole.
fn name_of_one(text: &str, path: std::fmt::Arguments<'_>, findings: &mut Findings) {
    if !variable(text, path, findings)
        && let Some(wildcard) = text.chars().find(|letter| "*?[{".contains(*letter))
    {
        findings.warning(path, Problem::NoPattern(wildcard));
    }
}

/// Warns about a text that looks like a variable. Returns whether it does.
fn variable(text: &str, path: std::fmt::Arguments<'_>, findings: &mut Findings) -> bool {
    let is_there = text.contains("${");
    if is_there {
        findings.warning(path, Problem::NoVariable);
    }
    is_there
}

/// Whether the text may be the domain of an e-mail address.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && !label.contains(|letter: char| letter.is_whitespace());
    text.split('.').all(is_label) && !text.contains(['@', '*', '?', ',', ';', '/'])
}
