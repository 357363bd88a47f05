//! Verifiers in other languages: long-running scripts of infra/verify, which read and write one line of JSON each.

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

use crate::config::{ExternalVerifier, Language};
use crate::verify::Check;

/// How long a script may take for one line; the first line includes the start of the interpreter.
const LINE_TIMEOUT: Duration = Duration::from_secs(20);

/// A script whose process starts with the first delivery, and again after it has ended.
pub(crate) struct VerifierProcess {
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
struct Verdict {
    ok: bool,
    checks: Option<Value>,
    error: Option<Value>,
}

impl VerifierProcess {
    /// # Errors
    /// When the script does not exist.
    pub(crate) fn new(verifier: &ExternalVerifier, scripts: &std::path::Path) -> anyhow::Result<Self> {
        let script = scripts.join(match verifier.language {
            Language::Node => "verify.mjs",
            Language::Python => "verify.py",
        });
        ensure!(script.is_file(), "no script `{}`: pass --verify-scripts, or omit --verify-with", script.display());
        Ok(Self { language: verifier.language, program: verifier.program.clone(), script, running: Mutex::new(None) })
    }

    /// Verifies one delivery; if the process has ended since the last one, it is restarted first.
    pub(crate) async fn verify(&self, delivery: &Value) -> Check {
        let mut running = self.running.lock().await;
        let was_running = running.is_some();
        let check = self.request(&mut running, delivery).await;
        let check = match check {
            Err(_) if was_running => self.request(&mut running, delivery).await,
            check => check,
        };
        check.unwrap_or_else(|error| Check::failed(format!("{error:#}")))
    }

    /// Sends a delivery to the process, and kills a process that fails to answer.
    async fn request(&self, running: &mut Option<Running>, delivery: &Value) -> anyhow::Result<Check> {
        let verdict = match timeout(LINE_TIMEOUT, self.exchange(running, delivery)).await {
            Ok(verdict) => verdict,
            Err(_) => {
                *running = None;
                return Ok(Check::failed(format!("the verifier did not answer within {} s", LINE_TIMEOUT.as_secs())));
            }
        };
        let verdict = verdict.inspect_err(|_| *running = None)?;
        Ok(Check {
            ok: verdict.ok,
            error: verdict.error.map(as_text).filter(|error| !error.is_empty()),
            checks: verdict.checks,
        })
    }

    async fn exchange(&self, running: &mut Option<Running>, delivery: &Value) -> anyhow::Result<Verdict> {
        let process = match running {
            Some(process) => process,
            None => running.insert(self.spawn()?),
        };
        let line = format!("{delivery}\n");
        let sent = process.input.write_all(line.as_bytes()).await;
        sent.with_context(|| format!("write to `{}`", self.script.display()))?;
        let line = process
            .output
            .next_line()
            .await
            .with_context(|| format!("read from `{}`", self.script.display()))?
            .with_context(|| format!("`{}` ended without output", self.script.display()))?;
        serde_json::from_str(&line).with_context(|| format!("the output of `{}` is not JSON", self.script.display()))
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
