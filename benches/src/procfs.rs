//! Reads processor time and memory of process trees from `/proc`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;

use serde::Serialize;

/// The processes to measure.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// The roots: each is measured with all of its descendants.
    pub pids: Vec<u32>,
    /// Processes with these names, and their descendants, are left out. A name is the kernel's `comm`: at most 15 bytes.
    pub exclude_names: Vec<String>,
    /// Processes with these ids, and their descendants, are left out.
    pub exclude_pids: Vec<u32>,
}

/// The processor time that the watched processes have used so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// User and system time by process, in seconds.
    cpu: HashMap<u32, f64>,
}

/// The memory of the watched processes at a moment.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Memory {
    /// The number of processes counted.
    pub processes: usize,
    /// Their resident memory, in bytes.
    pub resident_bytes: u64,
}

/// The fields of a line of `/proc/PID/stat` that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stat {
    pid: u32,
    name: String,
    parent: u32,
    ticks: u64,
}

impl Watch {
    /// Whether there is nothing to measure.
    pub(crate) fn is_empty(&self) -> bool {
        self.pids.is_empty()
    }

    /// Reads the time that the watched processes have used.
    ///
    /// # Errors
    ///
    /// When `/proc` can't be read, or a root isn't running.
    pub(crate) fn sample(&self) -> io::Result<Sample> {
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        let cpu =
            self.members()?.into_iter().map(|stat| (stat.pid, stat.ticks as f64 / per_second)).collect();
        Ok(Sample { cpu })
    }

    /// Reads the memory that the watched processes hold.
    ///
    /// # Errors
    ///
    /// As [`Watch::sample`].
    pub(crate) fn memory(&self) -> io::Result<Memory> {
        let mut memory = Memory::default();
        for stat in self.members()? {
            // A process that has ended since has no memory.
            let Some(resident) = resident_bytes(stat.pid) else { continue };
            memory.processes += 1;
            memory.resident_bytes += resident;
        }
        Ok(memory)
    }

    fn members(&self) -> io::Result<Vec<Stat>> {
        let all = all_processes()?;
        for pid in &self.pids {
            if !all.iter().any(|stat| stat.pid == *pid) {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("no process has the id {pid}")));
            }
        }
        Ok(self.select(all))
    }

    /// The roots and their descendants, without excluded processes and their descendants.
    fn select(&self, all: Vec<Stat>) -> Vec<Stat> {
        let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
        let mut open = Vec::new();
        for stat in all {
            if self.pids.contains(&stat.pid) {
                open.push(stat.clone());
            }
            children.entry(stat.parent).or_default().push(stat);
        }
        let mut seen = HashSet::new();
        let mut selected = Vec::new();
        while let Some(stat) = open.pop() {
            if self.excludes(&stat) || !seen.insert(stat.pid) {
                continue;
            }
            open.extend(children.remove(&stat.pid).unwrap_or_default());
            selected.push(stat);
        }
        selected
    }

    fn excludes(&self, stat: &Stat) -> bool {
        self.exclude_pids.contains(&stat.pid) || self.exclude_names.contains(&stat.name)
    }
}

impl Sample {
    /// Seconds of processor time used since `earlier`. A process that is new since then counts from its start.
    pub(crate) fn seconds_since(&self, earlier: &Self) -> f64 {
        self.cpu.iter().map(|(pid, now)| now - earlier.cpu.get(pid).copied().unwrap_or(0.0)).sum()
    }
}

fn all_processes() -> io::Result<Vec<Stat>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let is_process =
            entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        if !is_process {
            continue;
        }
        // A process may end between the listing and the reading.
        if let Ok(text) = fs::read(entry.path().join("stat")) {
            all.extend(parse_stat(&String::from_utf8_lossy(&text)));
        }
    }
    Ok(all)
}

/// Parses `PID (NAME) STATE PPID ... UTIME STIME ...`; the name may hold blanks and parentheses.
fn parse_stat(text: &str) -> Option<Stat> {
    let (pid, rest) = text.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    // Behind the parent: group, session, tty, its group, flags and four counts of faults.
    let user: u64 = fields.nth(9)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Stat { pid: pid.parse().ok()?, name: name.to_owned(), parent, ticks: user + system })
}

/// Reads `smaps_rollup`, which is exact; the counters in `status` lag by some pages per thread.
fn resident_bytes(pid: u32) -> Option<u64> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    read("smaps_rollup")
        .and_then(|text| parse_kib(&text, "Rss:"))
        .or_else(|| read("status").and_then(|text| parse_kib(&text, "VmRSS:")))
}

/// The number of a line `LABEL   123 kB`, in bytes.
fn parse_kib(text: &str, label: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(label))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: u32, parent: u32, name: &str) -> Stat {
        Stat { pid, name: name.to_owned(), parent, ticks: 0 }
    }

    #[test]
    fn a_stat_line_with_a_hostile_name_is_parsed() {
        let line = "4321 (a) R 1 (b) S 77 4321 4321 0 -1 4194304 900 5 6 7 1234 567 8 9 20 0 3 0 99 1 2\n";
        let expected = Stat { pid: 4321, name: "a) R 1 (b".to_owned(), parent: 77, ticks: 1801 };
        assert_eq!(parse_stat(line), Some(expected));
        assert_eq!(parse_stat("12 (short) S 1 2"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn memory_lines_are_read_in_bytes() {
        let text = "Name:\tx\nVmHWM:\t     900 kB\nVmRSS:\t     812 kB\nThreads:\t1\n";
        assert_eq!(parse_kib(text, "VmRSS:"), Some(812 * 1024));
        assert_eq!(parse_kib(text, "Rss:"), None);
    }

    #[test]
    fn an_excluded_process_takes_its_descendants_with_it() {
        let all = vec![
            stat(10, 1, "gateway"),
            stat(11, 10, "server"),
            stat(12, 11, "helper"),
            stat(13, 10, "worker"),
            stat(14, 13, "leaf"),
            stat(15, 13, "other"),
            stat(20, 1, "stranger"),
        ];
        let watch =
            Watch { pids: vec![10], exclude_names: vec!["server".to_owned()], exclude_pids: vec![15] };
        let mut pids: Vec<_> = watch.select(all).into_iter().map(|stat| stat.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [10, 13, 14]);
    }

    #[test]
    fn a_root_below_another_root_is_counted_once() {
        let watch = Watch { pids: vec![10, 11], ..Watch::default() };
        assert_eq!(watch.select(vec![stat(10, 1, "a"), stat(11, 10, "b")]).len(), 2);
    }

    #[test]
    fn this_process_is_found_and_uses_memory() {
        let watch = Watch { pids: vec![std::process::id()], ..Watch::default() };
        let before = watch.sample().unwrap();
        assert!(watch.sample().unwrap().seconds_since(&before) >= 0.0);
        let memory = watch.memory().unwrap();
        assert!(memory.processes >= 1 && memory.resident_bytes > 100_000);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        let watch = Watch { pids: vec![u32::MAX], ..Watch::default() };
        assert!(watch.sample().unwrap_err().to_string().contains("no process has the id"));
    }
}
