//! What `/proc` says about processes: their processor time, children, memory.

use std::fs;
use std::process;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use crate::failure::Failure;

/// The line `/proc/PID/stat`, as far as it matters here (proc(5)).
struct Stat {
    parent: u32,
    /// User and system time of the process and of its children that are gone.
    ticks: u64,
}

/// Processor time of processes and of their children that are gone, in steps
/// of a clock tick (10 ms).
pub(crate) fn cpu_time(pids: &[u32]) -> Duration {
    let ticks: u64 = pids.iter().filter_map(|pid| stat(*pid)).map(|stat| stat.ticks).sum();
    from_ticks(ticks)
}

/// Time that all processors together were busy since the machine started,
/// time that a hypervisor took included.
pub(crate) fn machine_busy() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> =
        line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    from_ticks([0, 1, 2, 5, 6, 7].iter().filter_map(|index| fields.get(*index)).sum())
}

/// The children of this process.
pub(crate) fn children() -> Vec<u32> {
    children_of(process::id())
}

/// The children of a process.
pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == parent)).collect()
}

/// Memory of one process, in KB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Resident pages.
    pub(crate) rss_kb: f64,
    /// Resident pages, each divided by the number of processes that share it.
    pub(crate) pss_kb: f64,
}

impl Memory {
    /// Reads `/proc/PID/smaps_rollup`.
    pub(crate) fn of(pid: u32) -> Result<Self, Failure> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).map_err(Failure::system(format!("read {path}")))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.ok_or_else(|| Failure::Program(format!("{path} has no {name}")))
        };
        Ok(Self { rss_kb: field("Rss:")?, pss_kb: field("Pss:")? })
    }
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name may hold blanks and brackets; the fields count from its end.
    let (_, fields) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse().unwrap_or(0));
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks: ticks.sum() })
}

fn from_ticks(ticks: u64) -> Duration {
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    Duration::from_secs_f64(ticks as f64 / per_second as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_does_not_shift_the_fields() {
        let text = "7 (a ) b) S 3 7 7 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 5 6 7\n";
        let stat = parse_stat(text).expect("a line");
        assert_eq!((stat.parent, stat.ticks), (3, 100));
    }

    #[test]
    fn this_process_has_memory_and_a_parent() {
        let memory = Memory::of(process::id()).expect("Linux");
        assert!(memory.pss_kb > 0.0 && memory.pss_kb <= memory.rss_kb);
        assert!(stat(process::id()).is_some_and(|stat| stat.parent > 0));
    }
}
