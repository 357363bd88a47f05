//! Verifiers in other languages: infra/verify's scripts, kept running, one JSON line in and one out.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::config::{Language, OutsideVerifier};
use crate::verify::Check;

/// The first line also waits for the interpreter and its modules.
const LINE_TIMEOUT: Duration = Duration::from_secs(20);

/// One script; its process is started for the first delivery, and again after it ended.
pub(crate) struct OutsideProcess {
    pub language: Language,
    program: PathBuf,
    script: PathBuf,
    running: Mutex<Option<Running>>,
}

struct Running {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Killed when dropped.
    _child: Child,
}

#[derive(Deserialize)]
struct Found {
    ok: bool,
    checks: Option<Value>,
    error: Option<Value>,
}

impl OutsideProcess {
    /// # Errors
    /// The script is not there.
    pub(crate) fn new(verifier: &OutsideVerifier, scripts: &std::path::Path) -> anyhow::Result<Self> {
        let script = scripts.join(match verifier.language {
            Language::Node => "verify.mjs",
            Language::Python => "verify.py",
        });
        ensure!(
            script.is_file(),
            "no script `{}`: pass --verify-scripts, or leave --verify-with out",
            script.display()
        );
        Ok(Self { language: verifier.language, program: verifier.program.clone(), script, running: Mutex::new(None) })
    }

    /// Hands one delivery over; a process that ended since the last one is replaced first.
    pub(crate) async fn verify(&self, delivery: &Value) -> Check {
        let mut running = self.running.lock().await;
        let was_running = running.is_some();
        let check = self.ask(&mut running, delivery).await;
        let check = match check {
            Err(_) if was_running => self.ask(&mut running, delivery).await,
            check => check,
        };
        check.unwrap_or_else(|error| Check::failed(format!("{error:#}")))
    }

    /// Leaves no process behind that failed to answer.
    async fn ask(&self, running: &mut Option<Running>, delivery: &Value) -> anyhow::Result<Check> {
        let found = match timeout(LINE_TIMEOUT, self.exchange(running, delivery)).await {
            Ok(found) => found,
            Err(_) => {
                *running = None;
                return Ok(Check::failed(format!("no answer within {} s", LINE_TIMEOUT.as_secs())));
            }
        };
        let found = found.inspect_err(|_| *running = None)?;
        Ok(Check {
            ok: found.ok,
            error: found.error.map(as_text).filter(|error| !error.is_empty()),
            checks: found.checks,
        })
    }

    async fn exchange(&self, running: &mut Option<Running>, delivery: &Value) -> anyhow::Result<Found> {
        let process = match running {
            Some(process) => process,
            None => running.insert(self.spawn()?),
        };
        let line = format!("{delivery}\n");
        let sent = process.input.write_all(line.as_bytes()).await;
        sent.with_context(|| format!("write to `{}`", self.script.display()))?;
        let answer = process
            .output
            .next_line()
            .await
            .with_context(|| format!("read from `{}`", self.script.display()))?
            .with_context(|| format!("`{}` ended without an answer", self.script.display()))?;
        serde_json::from_str(&answer).with_context(|| format!("`{}` answered no JSON", self.script.display()))
    }

    fn spawn(&self) -> anyhow::Result<Running> {
        let mut child = Command::new(&self.program)
            .arg(&self.script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start `{}`", self.program.display()))?;
        let input = child.stdin.take().context("the process has no stdin")?;
        let output = child.stdout.take().context("the process has no stdout")?;
        Ok(Running { input, output: BufReader::new(output).lines(), _child: child })
    }
}

fn as_text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}
