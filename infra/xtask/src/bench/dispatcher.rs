//! `cargo xtask bench dispatcher`: what a delivery costs, against a bare loop that only signs and POSTs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::http::Client;
use crate::process::{self, Group, ProcessId};
use crate::stack::emulator_environment;
use crate::statistics::{median, ratio_of_medians};
use crate::workspace::{Profile, Workspace};
use crate::{interrupt, ui};

/// What `--help` adds.
pub const ABOUT: &str = "\
The release binary of the dispatcher works batches of ten off, through the loop with Lambda's Runtime API, with the log
of its tries, its own log and the endpoint's rate limit. The Runtime API, DynamoDB, SQS, SSM and the receiver are one
other process on loopback (infra/load), which keeps nothing but counts. Only the dispatcher's own processor time and
memory are measured, after a warm-up.

The bare loop makes the same requests with the same signatures and the same guarded client, ten at once, and writes
nothing down.

It fails when a webhook did not arrive, was not written down as delivered or had a wrong signature; never because it was
slow.";

const FUNCTION: &str = "dispatcher";
/// The stand-ins and the bare loop: infra/load.
const LOAD: &str = "load";
/// The share of the bare loop's deliveries per CPU-second that the dispatcher should reach.
const AIM: f64 = 0.4;
/// What Svix 1.100 reached on a machine like ours, with messages of the same size to one loopback endpoint.
const SVIX: (f64, f64) = (980.0, 47e6);
/// How many times Svix's deliveries per CPU-second the dispatcher should make, and at what part of its memory.
const AIM_BY_SVIX: (f64, f64) = (3.0, 0.5);
/// Messages of a batch, as in template.yaml.
const BATCH: u64 = 10;
/// Batches before what is measured.
const WARM_UP: u64 = 50;
const BODY_BYTES: u64 = 1400;
const START: Duration = Duration::from_secs(10);
/// A batch that takes longer will not end.
const STALLED: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(50);

/// Where the stand-ins answer, as they print it.
#[derive(Debug, Deserialize)]
struct Addresses {
    runtime_api: String,
    aws_url: String,
    sink_url: String,
    sink: String,
}

/// Their `GET /report`.
#[derive(Debug, Deserialize)]
struct Report {
    answered: Answered,
    received: Received,
    written: Written,
}

#[derive(Debug, Deserialize)]
struct Answered {
    batches: u64,
    failed_messages: u64,
    errors: u64,
    first_error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Received {
    requests: u64,
    connections: u64,
    distinct: u64,
    checked: u64,
    wrong: u64,
    complaint: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Written {
    connections: u64,
    operations: BTreeMap<String, Operation>,
    delivered: u64,
    logged: u64,
}

#[derive(Debug, Deserialize)]
struct Operation {
    calls: u64,
    bytes_in: u64,
    bytes_out: u64,
}

/// What the bare loop prints.
#[derive(Debug, Deserialize)]
struct Bare {
    count: u64,
    cpu_seconds: f64,
    peak_memory: u64,
}

/// What was measured of one program, a value for each round.
#[derive(Debug, Default)]
struct Measured {
    per_cpu_second: Vec<f64>,
    peak_memory: Vec<f64>,
}

impl Measured {
    fn add(&mut self, count: u64, cpu_seconds: f64, peak_memory: u64) -> anyhow::Result<()> {
        ensure!(cpu_seconds > 0.0, "no processor time was counted: measure more deliveries");
        self.per_cpu_second.push(count as f64 / cpu_seconds);
        self.peak_memory.push(peak_memory as f64);
        Ok(())
    }
}

/// The stand-ins of a round; dropping them ends them.
struct StandIns {
    group: Group,
    at: Addresses,
    client: Client,
    log: PathBuf,
}

/// Measures dispatcher and bare loop in turns, so that a busy moment hits both alike.
pub fn run(workspace: &Workspace, runs: u64, deliveries: u64) -> anyhow::Result<()> {
    ui::say("Building the release binaries; each is linked with thin LTO, which takes about a minute ...");
    workspace.build(&[FUNCTION.to_owned(), LOAD.to_owned()], Profile::Release)?;
    fs::create_dir_all(workspace.local()).context("make .local")?;
    let batches = deliveries.div_ceil(BATCH);
    let (mut dispatcher, mut bare) = (Measured::default(), Measured::default());
    let mut last = None;
    for round in 1..=runs {
        ui::say(format!("Round {round} of {runs}"));
        let mut stand_ins = StandIns::start(workspace, batches)?;
        last = Some(measure_dispatcher(workspace, &mut stand_ins, batches, &mut dispatcher)?);
        measure_bare(workspace, &stand_ins, batches, &mut bare)?;
    }
    let last = last.context("no round was made")?;
    print(&dispatcher, &bare, &last);
    Ok(())
}

impl StandIns {
    fn start(workspace: &Workspace, batches: u64) -> anyhow::Result<Self> {
        let log = workspace.local().join("bench-stand-ins.log");
        let file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
        let mut command = workspace.command(workspace.binaries(Profile::Release).join(LOAD));
        command
            .arg("stand-ins")
            .args(["--batches", &batches.to_string(), "--warm-up", &WARM_UP.to_string()])
            .args(["--batch", &BATCH.to_string(), "--body-bytes", &BODY_BYTES.to_string()])
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("share the log")?)
            .stderr(file);
        let mut group = Group::spawn(&mut command)?;
        let ready = interrupt::wait_for(START, GLANCE, || {
            // Looked at first: what ends has written everything.
            let ended = group.ended()?;
            let text = fs::read_to_string(&log).with_context(|| format!("read {}", log.display()))?;
            let line = text.split_inclusive('\n').find(|line| line.starts_with('{') && line.ends_with('\n'));
            ensure!(ended.is_none(), "the stand-ins ended: {}", text.trim());
            line.map(serde_json::from_str::<Addresses>).transpose().context("read where the stand-ins answer")
        })?;
        let at = ready.with_context(|| format!("the stand-ins do not answer: see {}", log.display()))?;
        let client = Client::new(&format!("http://{}", at.runtime_api), "");
        Ok(Self { group, at, client, log })
    }

    fn report(&self) -> anyhow::Result<Report> {
        let answer = self.client.get("/report", None)?;
        ensure!(answer.status == 200, "the stand-ins answered {}: see {}", answer.status, self.log.display());
        serde_json::from_value(answer.body).context("read the stand-ins' report")
    }

    /// Ends the warm-up.
    fn go(&self) -> anyhow::Result<()> {
        let answer = self.client.post("/go", &json!({}))?;
        ensure!(answer.status == 204, "the stand-ins answered {} to go", answer.status);
        Ok(())
    }

    /// Waits until so many batches were answered.
    fn answered(&mut self, dispatcher: &mut Group, batches: u64, log: &Path) -> anyhow::Result<Report> {
        let (mut known, mut since) = (0, Instant::now());
        loop {
            let report = self.report()?;
            let Answered { batches: done, errors, ref first_error, .. } = report.answered;
            let said = first_error.as_deref().unwrap_or_default();
            ensure!(errors == 0, "the dispatcher failed: {said} (log: {})", log.display());
            if done >= batches {
                return Ok(report);
            }
            if done > known {
                (known, since) = (done, Instant::now());
            }
            if let Some(status) = dispatcher.ended()? {
                bail!("the dispatcher ended ({status}): see {}", log.display());
            }
            ensure!(self.group.ended()?.is_none(), "the stand-ins ended: see {}", self.log.display());
            ensure!(
                since.elapsed() < STALLED,
                "the dispatcher stopped at batch {done} of {batches}: see {}",
                log.display()
            );
            interrupt::pause(GLANCE)?;
        }
    }
}

fn measure_dispatcher(
    workspace: &Workspace,
    stand_ins: &mut StandIns,
    batches: u64,
    measured: &mut Measured,
) -> anyhow::Result<Report> {
    let log = workspace.local().join("bench-dispatcher.log");
    let mut group = start_dispatcher(workspace, &stand_ins.at, &log)?;
    let process = group.id().with_context(|| format!("the dispatcher ended at once: see {}", log.display()))?;
    let cpu = |process: ProcessId| process.cpu_seconds().context("read the dispatcher's processor time");
    let warm = stand_ins.answered(&mut group, WARM_UP, &log)?;
    let whose = || format!("the dispatcher (log: {})", log.display());
    check(&warm, WARM_UP * BATCH).with_context(whose)?;
    let before = cpu(process)?;
    stand_ins.go()?;
    let report = stand_ins.answered(&mut group, WARM_UP + batches, &log)?;
    let used = cpu(process)? - before;
    let peak = process.peak_memory().context("read the dispatcher's peak memory")?;
    drop(group);
    check(&report, (WARM_UP + batches) * BATCH).with_context(whose)?;
    measured.add(batches * BATCH, used, peak)?;
    Ok(report)
}

fn start_dispatcher(workspace: &Workspace, at: &Addresses, log: &Path) -> anyhow::Result<Group> {
    let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
    let mut command = workspace.command(workspace.binaries(Profile::Release).join(FUNCTION));
    command
        .env_clear()
        .envs(emulator_environment(&at.aws_url))
        .env("AWS_LAMBDA_RUNTIME_API", &at.runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_TIMEOUT", "60")
        .env("DELIVERIES_TABLE", "Deliveries")
        .env("ENDPOINTS_TABLE", "Endpoints")
        .env("DELIVERIES_QUEUE_URL", format!("{}/000000000000/DeliveryHints", at.aws_url))
        .env("SETTINGS_PATH", "/reelhook/bench")
        .env("ALLOW_HTTP_WEBHOOKS", "true")
        .env("OUTBOUND_ALLOW", &at.sink)
        .stdin(Stdio::null())
        .stdout(file.try_clone().context("share the log")?)
        .stderr(file);
    Group::spawn(&mut command)
}

/// Whether so many webhooks arrived, were signed, and were written down.
fn check(report: &Report, expected: u64) -> anyhow::Result<()> {
    let Report { answered, received, written } = report;
    let (again, requests, delivered, logged) =
        (answered.failed_messages, received.requests, written.delivered, written.logged);
    ensure!(again == 0, "{again} messages are wanted again");
    check_received(received, expected)?;
    ensure!(requests == expected, "{expected} webhooks arrived in {requests} requests");
    ensure!(delivered == expected, "{delivered} of {expected} deliveries were written down as delivered");
    ensure!(logged == expected, "the tries of {logged} of {expected} deliveries were written down");
    Ok(())
}

fn check_received(received: &Received, expected: u64) -> anyhow::Result<()> {
    let complaint = received.complaint.as_deref().unwrap_or_default();
    ensure!(received.wrong == 0, "{} of {} webhooks are wrong: {complaint}", received.wrong, received.checked);
    ensure!(received.distinct == expected, "{} of {expected} webhooks arrived", received.distinct);
    ensure!(received.checked > 0, "no signature was checked");
    Ok(())
}

fn measure_bare(
    workspace: &Workspace,
    stand_ins: &StandIns,
    batches: u64,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let mut command = workspace.command(workspace.binaries(Profile::Release).join(LOAD));
    command
        .args(["bare", "--url", &stand_ins.at.sink_url])
        .args(["--count", &(batches * BATCH).to_string(), "--warm-up", &(WARM_UP * BATCH).to_string()])
        .args(["--at-once", &BATCH.to_string(), "--body-bytes", &BODY_BYTES.to_string()]);
    let text = process::output(&mut command, b"", "the bare loop")?;
    let bare: Bare = serde_json::from_str(&text).context("read what the bare loop printed")?;
    // Its webhooks have other ids than the dispatcher's.
    check_received(&stand_ins.report()?.received, (WARM_UP + batches) * BATCH * 2).context("the bare loop")?;
    measured.add(bare.count, bare.cpu_seconds, bare.peak_memory)
}

fn print(dispatcher: &Measured, bare: &Measured, last: &Report) {
    println!("\n{:<12} {:>40} {:>40}", "", "deliveries per CPU-second", "peak memory");
    for (name, measured) in [(FUNCTION, dispatcher), ("bare loop", bare)] {
        let rate = spread(&measured.per_cpu_second, |value| format!("{value:.0}"));
        let memory = spread(&measured.peak_memory, |value| ui::bytes(value as u64));
        println!("{name:<12} {rate:>40} {memory:>40}");
    }
    println!(
        "\n{} rounds, in turns; medians, with the least and the most. One webhook has {BODY_BYTES} bytes.",
        dispatcher.per_cpu_second.len()
    );
    let ratio = ratio_of_medians(&dispatcher.per_cpu_second, &bare.per_cpu_second);
    println!("The dispatcher makes {ratio} times the deliveries of the bare loop (95 %); the aim is {AIM}.");
    let sent = last.received.requests as f64;
    println!("\nFor one delivery, the warm-up included:");
    for (name, Operation { calls, bytes_in, bytes_out }) in &last.written.operations {
        let per = |count: u64| count as f64 / sent;
        println!(
            "{name:<24} {:>8.3} calls {:>8.0} bytes to it {:>8.0} bytes back",
            per(*calls),
            per(*bytes_in),
            per(*bytes_out)
        );
    }
    for (name, count) in [("connections to AWS", last.written.connections), ("to receivers", last.received.connections)]
    {
        println!("{name:<24} {:>8.3}", count as f64 / sent);
    }
    let (svix_rate, svix_memory) = SVIX;
    let (times, part) = AIM_BY_SVIX;
    println!(
        "\nFor scale: Svix 1.100 made {svix_rate:.0} deliveries per CPU-second of its own process at {:.0} MB. This is \
         {:.1} times as many at {:.2} times the memory; the aim is {times} times at {part}.",
        svix_memory / 1e6,
        median(&dispatcher.per_cpu_second) / svix_rate,
        median(&dispatcher.peak_memory) / svix_memory,
    );
}

/// The median, and between which values it lies.
fn spread(values: &[f64], show: impl Fn(f64) -> String) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} ({} to {})", show(median(values)), show(least), show(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(received: u64, wrong: u64, delivered: u64) -> Report {
        let complaint = (wrong > 0).then(|| "a webhook-signature is refused".to_owned());
        Report {
            answered: Answered { batches: 1, failed_messages: 0, errors: 0, first_error: None },
            received: Received { requests: received, connections: 4, distinct: received, checked: 1, wrong, complaint },
            written: Written { connections: 1, operations: BTreeMap::new(), delivered, logged: delivered },
        }
    }

    #[test]
    fn what_did_not_arrive_or_is_wrong_is_said() {
        let check = |report: Report, expected: Option<&str>| {
            let said = check(&report, 10).err().map(|error| error.to_string());
            assert_eq!(said.as_deref(), expected);
        };
        check(report(10, 0, 10), None);
        check(report(9, 0, 10), Some("9 of 10 webhooks arrived"));
        check(report(10, 1, 10), Some("1 of 1 webhooks are wrong: a webhook-signature is refused"));
        check(report(10, 0, 9), Some("9 of 10 deliveries were written down as delivered"));
    }

    #[test]
    fn a_spread_shows_the_least_and_the_most() {
        assert_eq!(spread(&[3.0, 1.0, 2.0], |value| format!("{value:.0}")), "2 (1 to 3)");
    }
}
