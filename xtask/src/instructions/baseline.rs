//! The checked-in counts, and how new counts compare with them.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::count::Counted;

/// By how much a path may grow. Unrelated changes shift the inlining of other code by a percent or two.
pub(super) const TOLERANCE_PERCENT: f64 = 5.0;

/// Everything besides the code that counts depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    rustc: String,
    /// The architecture and whether it has wide vectors, which some code is specialized for.
    machine: String,
}

impl Origin {
    /// This toolchain on this machine.
    pub(super) fn here() -> Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc).arg("--version").output().context("rustc cannot be started")?;
        let rustc = String::from_utf8(output.stdout)?.trim().to_owned();
        Ok(Self { rustc, machine: machine() })
    }
}

#[cfg(target_arch = "x86_64")]
fn machine() -> String {
    let vectors = if std::arch::is_x86_feature_detected!("avx2") { "with" } else { "without" };
    format!("x86_64 {vectors} AVX2")
}

#[cfg(not(target_arch = "x86_64"))]
fn machine() -> String {
    std::env::consts::ARCH.to_owned()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.rustc, self.machine)
    }
}

/// The counts to compare with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Baseline {
    pub(super) origin: Origin,
    instructions: BTreeMap<String, f64>,
}

/// The finding about one path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    /// The path takes more than the baseline allows.
    Slower { name: String, percent: f64 },
    /// The path takes so much less that the baseline no longer guards it.
    Faster { name: String, percent: f64 },
    /// The baseline does not have the path.
    Unknown { name: String },
}

impl Finding {
    /// Whether the finding fails the run.
    pub(super) fn is_failure(&self) -> bool {
        !matches!(self, Self::Faster { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slower { name, percent } => {
                write!(f, "SLOWER: {name} takes {percent:.1} % more instructions than the baseline")
            }
            Self::Faster { name, percent } => write!(
                f,
                "faster: {name} takes {percent:.1} % fewer; `cargo xtask instructions --update` keeps it so"
            ),
            Self::Unknown { name } => write!(f, "UNKNOWN: {name} is not in the baseline; see --update"),
        }
    }
}

impl Baseline {
    pub(super) fn of(origin: Origin, counted: &[Counted]) -> Self {
        // Runs differ by more than tenths.
        let counts = counted.iter().map(|one| (one.name.clone(), (one.instructions * 10.0).round() / 10.0));
        Self { origin, instructions: counts.collect() }
    }

    pub(super) fn to_json(&self) -> Result<String> {
        let value = json!({
            "about": "instructions of each hot path, once; written by `cargo xtask instructions --update`",
            "rustc": self.origin.rustc,
            "machine": self.origin.machine,
            "instructions": self.instructions,
        });
        Ok(serde_json::to_string_pretty(&value)? + "\n")
    }

    pub(super) fn from_json(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let word = |name: &str| {
            value[name].as_str().map(str::to_owned).with_context(|| format!("{name} is not a string"))
        };
        let counts = value["instructions"].as_object().context("instructions is not an object")?;
        Ok(Self {
            origin: Origin { rustc: word("rustc")?, machine: word("machine")? },
            instructions: numbers(counts)?,
        })
    }

    /// The findings about these counts.
    pub(super) fn findings(&self, counted: &[Counted]) -> Vec<Finding> {
        counted.iter().filter_map(|one| self.finding(one)).collect()
    }

    fn finding(&self, counted: &Counted) -> Option<Finding> {
        let name = counted.name.clone();
        let Some(percent) = self.percent(counted) else { return Some(Finding::Unknown { name }) };
        if percent > TOLERANCE_PERCENT {
            Some(Finding::Slower { name, percent })
        } else if percent < -TOLERANCE_PERCENT {
            Some(Finding::Faster { name, percent: -percent })
        } else {
            None
        }
    }

    /// By how many percent a path takes more than the baseline.
    fn percent(&self, counted: &Counted) -> Option<f64> {
        self.instructions.get(&counted.name).map(|base| (counted.instructions / base - 1.0) * 100.0)
    }
}

fn numbers(counts: &Map<String, Value>) -> Result<BTreeMap<String, f64>> {
    counts
        .iter()
        .map(|(name, count)| {
            let count = count.as_f64().filter(|count| *count > 0.0);
            Ok((name.clone(), count.with_context(|| format!("the count of {name} is none"))?))
        })
        .collect()
}

/// A table for people: the counts beside those of the baseline.
pub(super) fn table(counted: &[Counted], baseline: Option<&Baseline>) -> String {
    let mut text = format!("{:<24} {:>14} {:>14} {:>9}\n", "path", "instructions", "baseline", "change");
    for one in counted {
        let base = baseline.and_then(|baseline| baseline.instructions.get(&one.name));
        let change = baseline.and_then(|baseline| baseline.percent(one));
        let base = base.map_or_else(|| "-".to_owned(), |base| format!("{base:.1}"));
        let change = change.map_or_else(|| "-".to_owned(), |percent| format!("{percent:+.1} %"));
        let _ = writeln!(text, "{:<24} {:>14.1} {base:>14} {change:>9}", one.name, one.instructions);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn counted(name: &str, instructions: f64) -> Counted {
        Counted { name: name.to_owned(), instructions }
    }

    fn baseline() -> Baseline {
        let origin = Origin { rustc: "rustc 1.0".to_owned(), machine: "abacus".to_owned() };
        Baseline::of(origin, &[counted("line", 100.0), counted("sse", 200.0)])
    }

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let text = baseline().to_json().unwrap();
        assert_eq!(Baseline::from_json(&text).unwrap(), baseline());
        assert!(Baseline::from_json("{}").is_err());
    }

    #[test]
    fn only_what_takes_over_five_percent_more_or_is_unknown_fails() {
        let finding = |name, instructions| baseline().findings(&[counted(name, instructions)]);
        assert_eq!(finding("line", 104.9), []);
        assert_eq!(finding("line", 95.1), []);
        assert!(
            matches!(&finding("line", 105.2)[..], [slower @ Finding::Slower { .. }] if slower.is_failure())
        );
        assert!(
            matches!(&finding("sse", 100.0)[..], [faster @ Finding::Faster { .. }] if !faster.is_failure())
        );
        assert!(
            matches!(&finding("new", 1.0)[..], [unknown @ Finding::Unknown { .. }] if unknown.is_failure())
        );
    }

    #[test]
    fn the_table_shows_the_change() {
        let text = table(&[counted("line", 110.0)], Some(&baseline()));
        assert!(text.contains("+10.0 %"), "{text}");
    }

    #[test]
    fn this_toolchain_has_a_name() {
        assert!(Origin::here().unwrap().rustc.starts_with("rustc "));
    }
}
