//! Runs the program.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The key of all tests.
pub const KEY: &str = "rk_test";

/// What a run has printed, and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A directory in which the program runs, without any configuration of this machine.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file, and returns its name.
    pub fn file(&self, name: &'static str, content: impl AsRef<[u8]>) -> &'static str {
        std::fs::write(self.path().join(name), content).unwrap();
        name
    }

    /// The program with the address of an API, and the key.
    pub fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reelhook"));
        command.args(arguments).current_dir(self.path()).env("XDG_CONFIG_HOME", self.path().join("config"));
        for name in ["REELHOOK_CONFIG", "REELHOOK_PROFILE", "REELHOOK_STREAM_URL", "REELHOOK_WEBHOOK_SECRETS"] {
            command.env_remove(name);
        }
        command.env("REELHOOK_URL", url).env("REELHOOK_KEY", KEY);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program until its end.
    pub fn run(&self, url: &str, arguments: &[&str]) -> Ended {
        ended(self.command(url, arguments))
    }
}

/// Runs a command until its end.
pub fn ended(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ended = Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
    assert!(!ended.out.contains(KEY) && !ended.err.contains(KEY), "the key is shown: {ended:?}");
    ended
}

/// A program that runs.
pub struct Running {
    process: Child,
    messages: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let messages = BufReader::new(process.stderr.take().unwrap());
        Self { process, messages, said: String::new() }
    }

    /// Reads messages until one contains this text; returns that line.
    pub fn until_said(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.messages.read_line(&mut line).unwrap() > 0, "{text} is not said: {}", self.said);
            self.said.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Presses Ctrl-C, and waits for the end.
    pub fn interrupt(mut self) -> Ended {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        self.messages.read_to_string(&mut self.said).unwrap();
        let mut out = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = self.process.wait().unwrap().code().unwrap_or(-1);
        Ended { code, out, err: self.said }
    }
}
