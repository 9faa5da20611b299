//! `cargo xtask fuzz`: runs each fuzz target for a while, starting from the inputs in fuzz/corpus.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

/// What to fuzz, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The targets to run; all if none is named.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,

    /// How long to run each target.
    #[arg(long, value_name = "NUMBER", default_value_t = 600)]
    seconds: u64,

    /// Afterwards replace each corpus by the fewest inputs that reach all that was reached.
    #[arg(long)]
    keep: bool,
}

/// The longest that one input may take, in seconds: 60. All take milliseconds, but a machine may be busy or asleep.
const TIMEOUT: u64 = 60;

/// The most inputs that are kept for how often code is reached: 400, which ordinary tests replay in a second.
const KEPT: usize = 400;

/// Runs the targets one after the other; returns false if one finds something.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let fuzz = Fuzz::new()?;
    let all = fuzz.targets()?;
    let is_known = |target: &String| all.contains(target);
    if let Some(unknown) = options.targets.iter().find(|target| !is_known(target)) {
        bail!("there is no target {unknown}; there are {}", all.join(", "));
    }
    let targets = if options.targets.is_empty() { &all } else { &options.targets };
    fs::create_dir_all(fuzz.grown("")).context("the folder for new inputs cannot be made")?;
    let mut is_clean = true;
    for target in targets {
        fuzz.build(target)?;
        let started = Instant::now();
        let log = fuzz.grown(&format!("{target}.log"));
        let is_ok = fuzz.run(target, options.seconds, &log)?;
        let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let seconds = started.elapsed().as_secs();
        if is_ok {
            let executions = statistic(&text, "number_of_executed_units");
            eprintln!("{target:<24} {executions:>12} executions in {seconds} s, nothing found");
        } else {
            is_clean = false;
            eprintln!("{target:<24} failed after {seconds} s; the input is in fuzz/artifacts/{target}");
            eprintln!("{}", reason(&text));
        }
        if options.keep && is_ok {
            let kept = fuzz.minimise(target)?;
            eprintln!("{target:<24} {kept:>12} inputs kept");
        }
    }
    Ok(is_clean)
}

/// A statistic from libFuzzer's last lines.
fn statistic<'a>(log: &'a str, name: &str) -> &'a str {
    let figure = |line: &'a str| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':');
    log.lines().find_map(figure).map_or("?", str::trim)
}

/// The lines that tell what went wrong, with those around them.
fn reason(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    let is_reason =
        |line: &&str| line.contains("panicked at") || line.contains("ERROR:") || line.starts_with("error");
    let start = lines.iter().position(is_reason).unwrap_or(lines.len().saturating_sub(20));
    lines[start..lines.len().min(start + 8)].join("\n")
}

/// The folder with the targets.
struct Fuzz {
    root: PathBuf,
}

impl Fuzz {
    fn new() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no folder above it")?;
        let this = Self { root: root.to_path_buf() };
        let found = this.cargo("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        ensure!(
            found.is_ok_and(|status| status.success()),
            "cargo-fuzz is not installed; run: cargo install --locked --version 0.13.2 cargo-fuzz"
        );
        Ok(this)
    }

    fn targets(&self) -> Result<Vec<String>> {
        let output = self.cargo("list").output().context("cargo fuzz cannot be started")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    /// The folder for new inputs until they are kept.
    fn grown(&self, name: &str) -> PathBuf {
        self.root.join("fuzz/target/corpora").join(name)
    }

    fn build(&self, target: &str) -> Result<()> {
        let status = self.cargo("build").arg(target).status().context("cargo fuzz cannot be started")?;
        ensure!(status.success(), "{target} does not build");
        Ok(())
    }

    fn run(&self, target: &str, seconds: u64, log: &Path) -> Result<bool> {
        let mut command = self.libfuzzer(target, &self.grown(target), &[&self.corpus(target)])?;
        command.args([&format!("-max_total_time={seconds}"), "-print_final_stats=1", "-rss_limit_mb=4096"]);
        command.arg(format!("-timeout={TIMEOUT}"));
        let words = self.root.join("fuzz/dictionaries").join(format!("{target}.dict"));
        if words.exists() {
            command.arg(format!("-dict={}", words.display()));
        }
        let log = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        let status = command.stdout(log.try_clone()?).stderr(log).status();
        Ok(status.context("cargo fuzz cannot be started")?.success())
    }

    /// Replaces the corpus by the fewest inputs; returns how many there are.
    fn minimise(&self, target: &str) -> Result<usize> {
        let corpus = self.corpus(target);
        let fewest = self.fewest(target, &corpus, true)?;
        let fewest = if fewest.len() > KEPT { self.fewest(target, &corpus, false)? } else { fewest };
        fs::remove_dir_all(&corpus)?;
        fs::create_dir(&corpus)?;
        for input in &fewest {
            fs::copy(input.path(), corpus.join(input.file_name()))?;
        }
        Ok(fewest.len())
    }

    /// The fewest inputs that reach the same code; with `counts`, code that was reached more than once is reached as often as before.
    fn fewest(&self, target: &str, corpus: &Path, counts: bool) -> Result<Vec<fs::DirEntry>> {
        let fewest = self.grown(&format!("{target}.fewest"));
        if fewest.exists() {
            fs::remove_dir_all(&fewest)?;
        }
        let mut command = self.libfuzzer(target, &fewest, &[corpus, &self.grown(target)])?;
        command.args(["-set_cover_merge=1", if counts { "-use_counters=1" } else { "-use_counters=0" }]);
        let output = command.output().context("cargo fuzz cannot be started")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(fs::read_dir(&fewest)?.collect::<Result<_, _>>()?)
    }

    fn corpus(&self, target: &str) -> PathBuf {
        self.root.join("fuzz/corpus").join(target)
    }

    /// A libFuzzer run that writes new inputs to `to`.
    fn libfuzzer(&self, target: &str, to: &Path, from: &[&Path]) -> Result<Command> {
        fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
        let mut command = self.cargo("run");
        command.arg(target).arg(to).args(from).arg("--");
        Ok(command)
    }

    fn cargo(&self, what: &str) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // cargo-fuzz passes flags that only nightly has; with this variable the stable compiler accepts them.
        command.args(["fuzz", what]).current_dir(&self.root).env("RUSTC_BOOTSTRAP", "1");
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_run_are_found_in_its_log() {
        let log = "Done 7 runs\nstat::number_of_executed_units: 1234\nstat::peak_rss_mb:   9\n";
        assert_eq!(statistic(log, "number_of_executed_units"), "1234");
        assert_eq!(statistic(log, "peak_rss_mb"), "9");
        assert_eq!(statistic("", "peak_rss_mb"), "?");
    }

    #[test]
    fn a_failure_is_told_from_where_it_starts() {
        assert_eq!(reason("a\nthread 'x' panicked at y:\nwhy\n"), "thread 'x' panicked at y:\nwhy");
        assert_eq!(reason("a\nb"), "a\nb");
    }
}
