//! Processor time and memory of this process.

use std::fs;

use anyhow::Context as _;

/// Unit of the times in /proc/PID/stat: USER_HZ, which is 100 on the supported processors.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of all threads so far, in seconds.
///
/// # Errors
/// When /proc can't be read.
pub fn cpu_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("read /proc/self/stat")?;
    cpu_of(&stat).context("find the processor time in /proc/self/stat")
}

/// Peak resident memory in bytes.
///
/// # Errors
/// When /proc can't be read.
pub fn peak_memory() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kibibytes.context("find VmHWM in /proc/self/status")? * 1024)
}

/// Processor time in /proc/PID/stat, whose second field may contain spaces and brackets.
fn cpu_of(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 7 7 20 0 1 0 8675309 1 1";
        assert_eq!(cpu_of(stat), Some(3.0));
        assert!(cpu_seconds().is_ok() && peak_memory().unwrap() > 0);
    }
}
