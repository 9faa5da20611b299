//! Counts instructions with callgrind.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};

/// A hot path, as the program lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HotPath {
    pub(super) name: String,
    /// How often the path runs in the run that is subtracted.
    few: u64,
    /// How often it runs in addition in the other run.
    more: u64,
}

/// The number of instructions that a path takes each time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counted {
    pub(super) name: String,
    pub(super) instructions: f64,
}

/// The paths that the program has.
pub(super) fn paths(program: &Path) -> Result<Vec<HotPath>> {
    let output = Command::new(program).arg("--list").output().context("crossway-hot cannot be started")?;
    String::from_utf8(output.stdout)?.lines().map(parse_path).collect()
}

fn parse_path(line: &str) -> Result<HotPath> {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, few, more] = words[..] else { bail!("crossway-hot lists {line:?}, which is no path") };
    Ok(HotPath { name: name.to_owned(), few: few.parse()?, more: more.parse()? })
}

/// Counts all paths, as many in parallel as there are cores: that does not change the counts.
pub(super) fn all(program: &Path, kept: &Path, paths: &[HotPath]) -> Result<Vec<Counted>> {
    let next = AtomicUsize::new(0);
    let counted = Mutex::new(Vec::new());
    let work = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = one(program, kept, path).with_context(|| path.name.clone());
            counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(result);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let counted = counted.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut counted = counted.into_iter().collect::<Result<Vec<Counted>>>()?;
    counted.sort_by_key(|one| paths.iter().position(|path| path.name == one.name));
    Ok(counted)
}

/// Counts one path as the difference of two runs, which leaves out what happens once in each.
fn one(program: &Path, kept: &Path, path: &HotPath) -> Result<Counted> {
    let few = callgrind(program, kept, &path.name, path.few)?;
    let many = callgrind(program, kept, &path.name, path.few + path.more)?;
    let difference = many.checked_sub(few).context("more runs took fewer instructions")?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let instructions = difference as f64 / path.more as f64;
    Ok(Counted { name: path.name.clone(), instructions })
}

fn callgrind(program: &Path, kept: &Path, name: &str, count: u64) -> Result<u64> {
    // Kept, for callgrind_annotate.
    let file = kept.join(format!("{name}-{count}.callgrind"));
    let mut out = std::ffi::OsString::from("--callgrind-out-file=");
    out.push(&file);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(out)
        .arg(program)
        .args([name, &count.to_string()])
        .output()
        .context("valgrind cannot be started")?;
    if !output.status.success() {
        bail!("{} under valgrind: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = fs::read(&file).with_context(|| format!("{}", file.display()))?;
    total(&String::from_utf8_lossy(&text)).with_context(|| format!("{} has no total", file.display()))
}

/// The total that callgrind writes at the end of its file.
fn total(text: &str) -> Option<u64> {
    text.lines().rev().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_total_is_read_from_the_end_of_callgrinds_file() {
        assert_eq!(
            total("version: 1\nevents: Ir\nsummary: 7\n\nfn=(1)\n1 2\n\ntotals: 1234567\n"),
            Some(1_234_567)
        );
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn a_path_is_a_name_and_two_counts() {
        let path = HotPath { name: "line".to_owned(), few: 10, more: 200 };
        assert_eq!(parse_path("line 10 200").unwrap(), path);
        assert!(parse_path("line 10").is_err());
    }
}
