//! Process metrics from `/proc`; none on systems without it.

/// The current state of this process.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: u64,
    pub(super) virtual_bytes: u64,
    pub(super) threads: u64,
    pub(super) open_fds: u64,
    pub(super) max_fds: Option<u64>,
    pub(super) started: f64,
}

#[cfg(target_os = "linux")]
pub(super) fn look() -> Option<Process> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    // One of them is the descriptor of the folder being read.
    let open_fds = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    let ticks = rustix::param::clock_ticks_per_second();
    let page = rustix::param::page_size();
    // Computed from the uptime, because `/proc/stat`, which has the boot time, may be hidden (ProcSubset=pid).
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    let booted = now.as_secs_f64() - (up.tv_sec as f64 + up.tv_nsec as f64 / 1e9);
    let process = read(&stat, booted, &limits, ticks, page)?;
    Some(Process { open_fds: open_fds as u64, ..process })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn look() -> Option<Process> {
    None
}

/// Parses the files of proc(5).
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is no /proc"))]
fn read(stat: &str, booted: f64, limits: &str, ticks: u64, page: usize) -> Option<Process> {
    // The name is in parentheses, and may contain parentheses.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    // proc(5) counts from 1, and two fields come before the closing parenthesis.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let max_fds = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let max_fds = max_fds.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok());
    let seconds = |number: u64| number as f64 / ticks as f64;
    Some(Process {
        cpu_seconds: seconds(field(14)? + field(15)?),
        threads: field(20)?,
        started: booted + seconds(field(22)?),
        virtual_bytes: field(23)?,
        resident_bytes: field(24)? * page as u64,
        open_fds: 0,
        max_fds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_from_proc_whatever_its_name() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 1000 2097152 512 1 1";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        let process = read(stat, 1_700_000_000.0, limits, 100, 4096).unwrap();
        let expected = Process {
            cpu_seconds: 2.0,
            resident_bytes: 512 * 4096,
            virtual_bytes: 2_097_152,
            threads: 9,
            open_fds: 0,
            max_fds: Some(1024),
            started: 1_700_000_010.0,
        };
        assert_eq!(process, expected);
        assert_eq!(read("7 (a", 1.0, limits, 100, 4096), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_and_files() {
        let process = look().unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!((0.0..3600.0).contains(&(now.as_secs_f64() - process.started)), "{process:?}");
        assert!(process.resident_bytes > 1 << 20 && process.open_fds >= 3 && process.threads >= 1);
    }
}
