//! Processes: run to completion, started in the background, found again later, and stopped with their children.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::interrupt;

/// The environment variable that marks every process of an instance; children inherit it, down to the bootstraps.
pub const MARKER: &str = "REELHOOK_INSTANCE";
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Unit of the times in /proc/PID/stat: USER_HZ, which is 100 on the supported processors.
const TICKS_PER_SECOND: f64 = 100.0;

/// A unique process: process ids are reused, but not together with the same start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pid: i32,
    /// Clock ticks from boot to its start.
    started: u64,
}

impl ProcessId {
    /// The running process with this process id.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, started) = state_and_start(&stat)?;
        (!matches!(state, 'Z' | 'X')).then_some(Self { pid: i32::try_from(pid).ok()?, started })
    }

    /// This program.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether the process still runs.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid.unsigned_abs()) == Some(self)
    }

    /// Sends SIGTERM.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
    }

    fn signal(self, signal: Signal) {
        if let (true, Some(pid)) = (self.is_alive(), Pid::from_raw(self.pid)) {
            // An error means that it has ended, as intended.
            let _ = kill_process(pid, signal);
        }
    }

    /// Peak resident memory in bytes.
    pub fn peak_memory(self) -> Option<u64> {
        self.memory_of("VmHWM:")
    }

    /// Resident memory in bytes.
    pub fn memory(self) -> Option<u64> {
        self.memory_of("VmRSS:")
    }

    fn memory_of(self, field: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
    }

    /// Number of open files, sockets included.
    pub fn open_files(self) -> Option<usize> {
        Some(fs::read_dir(format!("/proc/{}/fd", self.pid)).ok()?.count())
    }

    /// An environment variable that it was started with.
    pub fn variable(self, name: &str) -> Option<String> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
        let variables = environment.split(|byte| *byte == 0).filter_map(|variable| std::str::from_utf8(variable).ok());
        variables
            .filter_map(|variable| variable.split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.to_owned())
    }

    /// User and system time of all threads so far, in seconds.
    pub fn cpu_seconds(self) -> Option<f64> {
        cpu_seconds(&fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?)
    }
}

/// State and start time in /proc/PID/stat, whose second field may contain spaces and brackets.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

/// User and system time in /proc/PID/stat.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

/// Every process whose environment contains the marker of the instance in this directory.
pub fn marked(directory: &Path) -> Vec<ProcessId> {
    let mark = format!("{MARKER}={}", directory.display());
    all()
        .filter(|id| {
            let environment = fs::read(format!("/proc/{}/environ", id.pid)).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        })
        .collect()
}

/// The child processes of a process.
pub fn children_of(parent: u32) -> Vec<ProcessId> {
    let parent = parent.to_string();
    all()
        .filter(|id| {
            let stat = fs::read_to_string(format!("/proc/{}/stat", id.pid)).unwrap_or_default();
            stat.rsplit_once(')').is_some_and(|(_, rest)| rest.split_ascii_whitespace().nth(1) == Some(&parent))
        })
        .collect()
}

fn all() -> impl Iterator<Item = ProcessId> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| ProcessId::of(entry.file_name().to_str()?.parse().ok()?))
}

/// Stops these processes in turn with SIGTERM, and SIGKILL after the timeout; then kills the marked processes.
pub fn stop(leaders: &[ProcessId], directory: &Path, timeout: Duration) {
    for leader in leaders {
        leader.terminate();
        wait_while(timeout, || leader.is_alive());
        leader.signal(Signal::KILL);
    }
    let own = ProcessId::own();
    wait_while(Duration::from_secs(5), || {
        let left: Vec<_> = marked(directory).into_iter().filter(|id| Some(*id) != own).collect();
        left.iter().for_each(|id| id.signal(Signal::KILL));
        !left.is_empty()
    });
}

fn wait_while(timeout: Duration, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + timeout;
    while condition() && Instant::now() < end {
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// A child in its own process group, which Ctrl-C in the terminal does not reach. Dropping it stops the whole group.
pub struct Group {
    child: Child,
    what: String,
}

impl Group {
    /// Starts `command`.
    pub fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let what = command.get_program().to_string_lossy().into_owned();
        let child = command.process_group(0).spawn().with_context(|| format!("start {what}"))?;
        Ok(Self { child, what })
    }

    /// The leader of the group.
    pub fn id(&self) -> Option<ProcessId> {
        ProcessId::of(self.child.id())
    }

    /// Process id of the leader.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The exit status of the leader, after it has ended.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("wait for {}", self.what))
    }

    /// Keeps the group running after this program ends.
    pub fn detach(self) {
        std::mem::forget(self);
    }

    fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            interrupt::pause(POLL_INTERVAL)?;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // An error means that the group has ended, as intended.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The child is not reaped yet, so the process id still belongs to it and its group.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            wait_while(Duration::from_secs(10), || matches!(self.child.try_wait(), Ok(None)));
            if matches!(self.child.try_wait(), Ok(None)) {
                self.signal(Signal::KILL);
                let _ = self.child.wait();
            }
        }
    }
}

/// Runs a command to completion, with its output on the terminal.
pub fn status(command: &mut Command) -> anyhow::Result<ExitStatus> {
    Group::spawn(command.stdin(Stdio::null()))?.wait()
}

/// Runs a command that must succeed; `what` names it in the error.
pub fn run(command: &mut Command, what: &str) -> anyhow::Result<()> {
    let status = status(command)?;
    anyhow::ensure!(status.success(), "{what} failed ({status}): see the lines above");
    Ok(())
}

/// Runs a command that must succeed with this input, and returns its output.
pub fn output(command: &mut Command, input: &[u8], what: &str) -> anyhow::Result<String> {
    let (status, text) = captured(command, input)?;
    anyhow::ensure!(status.success(), "{what} failed: see the lines above");
    Ok(text)
}

/// Runs a command with this input, and returns its exit status and output.
pub fn captured(command: &mut Command, input: &[u8]) -> anyhow::Result<(ExitStatus, String)> {
    let mut group = Group::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let (stdin, stdout) = (group.child.stdin.take(), group.child.stdout.take());
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut text = String::new();
            if let Some(mut stdout) = stdout {
                stdout.read_to_string(&mut text)?;
            }
            std::io::Result::Ok(text)
        });
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // A command that fails before it has read all of its input reports that by its exit status.
                let _ = stdin.write_all(input);
            }
        });
        let status = group.wait();
        // On an interrupt, the group ends here and closes the pipes that the threads wait for.
        drop(group);
        let text = reader.join().expect("the reading thread does not panic");
        Ok((status?, text.context("read the output of a command")?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_brackets_does_not_shift_the_fields() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 7 7 20 0 1 0 8675309 1 1";
        assert_eq!(state_and_start(stat), Some(('S', 8_675_309)));
        assert_eq!(cpu_seconds(stat), Some(3.0));
    }

    #[test]
    fn output_and_status_are_returned() {
        let (status, text) = captured(Command::new("sh").args(["-c", "cat; exit 3"]), b"in").unwrap();
        assert_eq!((status.code(), text.as_str()), (Some(3), "in"));
    }

    #[test]
    fn dropping_a_group_stops_its_children() {
        let group = Group::spawn(Command::new("sh").args(["-c", "sleep 60 & wait"])).unwrap();
        let leader = group.id().unwrap();
        let mut children = Vec::new();
        wait_while(Duration::from_secs(5), || {
            children = children_of(group.pid());
            children.is_empty()
        });
        drop(group);
        assert!(!leader.is_alive());
        wait_while(Duration::from_secs(5), || children.iter().any(|child| child.is_alive()));
        assert!(!children.is_empty() && children.iter().all(|child| !child.is_alive()));
    }

    #[test]
    fn marked_processes_are_found_and_stopped() {
        let directory = std::env::temp_dir().join(format!("xtask-marked-{}", std::process::id()));
        let group = Group::spawn(Command::new("sleep").arg("60").env(MARKER, &directory)).unwrap();
        wait_while(Duration::from_secs(5), || marked(&directory).is_empty());
        assert_eq!(marked(&directory), [group.id().unwrap()]);
        stop(&[], &directory, Duration::ZERO);
        assert!(marked(&directory).is_empty());
    }

    #[test]
    fn memory_files_and_variables_of_a_process_are_read() {
        let group = Group::spawn(Command::new("sleep").arg("60").env("SOAK_OF", "worker")).unwrap();
        let id = group.id().unwrap();
        wait_while(Duration::from_secs(5), || id.variable("SOAK_OF").is_none());
        assert_eq!(id.variable("SOAK_OF").as_deref(), Some("worker"));
        assert_eq!(id.variable("SOAK"), None);
        assert!(id.memory().unwrap() > 0 && id.memory() <= id.peak_memory());
        assert!(id.open_files().unwrap() >= 3);
    }

    #[test]
    fn a_reused_process_id_is_another_process() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert!(!ProcessId { started: own.started + 1, ..own }.is_alive());
    }
}
