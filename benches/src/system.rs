//! Describes the machine and time of a measurement.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The machine and the time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct System {
    /// The date in UTC.
    pub(crate) date: String,
    /// The processor.
    pub(crate) processor: String,
    /// The number of usable threads of it.
    pub(crate) cores: usize,
    /// The kernel.
    pub(crate) kernel: String,
    /// The machine's load before and after: the average of a minute.
    pub(crate) load: [String; 2],
    /// Crossway's version.
    pub(crate) crossway: Option<String>,
}

impl System {
    /// Describes the machine now.
    pub(crate) fn look(crossway: Option<&Path>) -> Self {
        let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            date: date(SystemTime::now()),
            processor: model.map_or("unknown", |(_, name)| name).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            load: [load(), String::new()],
            crossway: crossway.and_then(version),
        }
    }

    /// Adds the load after the measurement.
    pub(crate) fn look_again(&mut self) {
        self.load[1] = load();
    }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}

fn date(now: SystemTime) -> String {
    let days = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The date this number of days after 1970-01-01. Years are counted from March, so that a leap day is the last day of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_454, (2026, 1, 1)),
            (20_780, (2026, 11, 23)),
        ] {
            assert_eq!(civil(days), expected);
        }
    }

    #[test]
    fn the_machine_has_a_name_and_a_load() {
        let system = System::look(None);
        assert!(system.cores > 0 && !system.kernel.is_empty() && system.load[0].parse::<f64>().is_ok());
    }
}
