//! `cargo xtask bench dispatcher`: measures the cost of a delivery, compared with a loop that only signs and POSTs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use super::flame::Flame;
use super::statistics::{median, ratio_of_medians};
use crate::http::Client;
use crate::process::{self, Group, ProcessId};
use crate::stack::emulator_environment;
use crate::workspace::{Profile, Workspace, on_path};
use crate::{interrupt, ui};

/// Additional help for `--help`.
pub const ABOUT: &str = "\
The dispatcher's release binary handles batches of ten from Lambda's Runtime API, stores its delivery attempts, logs,
and keeps the endpoint's rate limit. The Runtime API, DynamoDB, SQS, SSM and the receiver are stand-ins in one other
process on loopback (infra/load), which stores only counts. Only the dispatcher's own processor time and memory are
measured, after a warm-up.

The bare loop sends the same requests with the same signatures through the same guarded client, ten at once, and stores
nothing.

The benchmark fails if a webhook did not arrive, was not stored as delivered or had a wrong signature. It never fails
because of slowness.";

const FUNCTION: &str = "dispatcher";
/// The binary with the stand-ins and the bare loop: infra/load.
const LOAD: &str = "load";
/// Target: the dispatcher's deliveries per CPU-second, and as a part of the bare loop's.
const TARGET: (f64, f64) = (8500.0, 0.4);
/// Deliveries per CPU-second and bytes of memory of Svix 1.100 with messages of the same size to one loopback endpoint.
const SVIX: (f64, f64) = (980.0, 47e6);
/// Target: multiple of Svix's deliveries per CPU-second, and part of its memory.
const TARGET_BY_SVIX: (f64, f64) = (3.0, 0.5);
/// Messages per batch, as in template.yaml.
const BATCH: u64 = 10;
/// Batches before the measurement.
const WARM_UP: u64 = 50;
const BODY_BYTES: u64 = 1400;
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one batch may take.
const BATCH_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Samples per second of a flame graph.
const FREQUENCY: &str = "997";

/// Addresses of the stand-ins, as they print them.
#[derive(Debug, Deserialize)]
struct Addresses {
    runtime_api: String,
    aws_url: String,
    sink_url: String,
    sink: String,
}

/// The stand-ins' response to `GET /report`.
#[derive(Debug, Deserialize)]
struct Report {
    handled: Handled,
    received: Received,
    stored: Stored,
}

#[derive(Debug, Deserialize)]
struct Handled {
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
    first_problem: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Stored {
    connections: u64,
    operations: BTreeMap<String, Operation>,
    delivered: u64,
    attempted: u64,
}

#[derive(Debug, Deserialize)]
struct Operation {
    calls: u64,
    bytes_in: u64,
    bytes_out: u64,
}

/// The output of the bare loop.
#[derive(Debug, Deserialize)]
struct Bare {
    count: u64,
    cpu_seconds: f64,
    peak_memory: u64,
}

/// Measurements of one program, one value per round.
#[derive(Debug, Default)]
struct Measured {
    per_cpu_second: Vec<f64>,
    peak_memory: Vec<f64>,
}

impl Measured {
    fn add(&mut self, count: u64, cpu_seconds: f64, peak_memory: u64) -> anyhow::Result<()> {
        ensure!(cpu_seconds > 0.0, "the processor time is 0: measure more deliveries");
        self.per_cpu_second.push(count as f64 / cpu_seconds);
        self.peak_memory.push(peak_memory as f64);
        Ok(())
    }
}

/// The stand-ins of a round; dropping them stops their process.
struct StandIns {
    group: Group,
    addresses: Addresses,
    client: Client,
    log: PathBuf,
}

/// Measures dispatcher and bare loop in turns, so that load on the machine affects both alike.
pub fn run(workspace: &Workspace, runs: u64, deliveries: u64) -> anyhow::Result<()> {
    ui::say("Building the release binaries (thin LTO, about a minute each) ...");
    workspace.build(&[FUNCTION.to_owned(), LOAD.to_owned()], Profile::Release)?;
    fs::create_dir_all(workspace.local()).context("create .local")?;
    let batches = deliveries.div_ceil(BATCH);
    let (mut dispatcher, mut bare) = (Measured::default(), Measured::default());
    let mut last = None;
    for round in 1..=runs {
        ui::say(format!("Round {round} of {runs}"));
        let mut stand_ins = StandIns::start(workspace, Profile::Release, batches)?;
        last = Some(measure_dispatcher(workspace, &mut stand_ins, batches, &mut dispatcher)?);
        measure_bare(workspace, &stand_ins, batches, &mut bare)?;
    }
    let last = last.context("no round was run")?;
    print(&dispatcher, &bare, &last);
    Ok(())
}

/// Draws the dispatcher's processor time in one round as a flame graph.
pub fn draw(workspace: &Workspace, deliveries: u64, file: &Path) -> anyhow::Result<()> {
    let perf = on_path("perf").context("`perf` is not on the PATH: it is in Debian's package linux-perf")?;
    ui::say("Building the release binaries with symbols ...");
    workspace.build(&[FUNCTION.to_owned(), LOAD.to_owned()], Profile::Profiling)?;
    let local = workspace.local();
    fs::create_dir_all(&local).context("create .local")?;
    let batches = deliveries.div_ceil(BATCH);
    let mut stand_ins = StandIns::start(workspace, Profile::Profiling, batches)?;
    let log = local.join("bench-dispatcher.log");
    let mut group = start_dispatcher(workspace, Profile::Profiling, &stand_ins.addresses, &log)?;
    stand_ins.wait_for_batches(&mut group, WARM_UP, &log)?;
    let data = local.join("bench-dispatcher.perf");
    if data.exists() {
        fs::remove_file(&data).context("remove the last recording")?;
    }
    let mut record = workspace.command(&perf);
    record.args(["record", "--quiet", "--freq", FREQUENCY, "--call-graph", "dwarf", "--pid"]);
    record.arg(group.pid().to_string()).arg("--output").arg(&data).stdin(Stdio::null());
    let mut recording = Group::spawn(&mut record)?;
    let began = interrupt::wait_for(START_TIMEOUT, POLL_INTERVAL, || {
        ensure!(recording.ended()?.is_none(), "perf ended: may it record? (kernel.perf_event_paranoid)");
        Ok(data.metadata().is_ok_and(|data| data.len() > 0).then_some(()))
    })?;
    began.context("perf did not start to record")?;
    stand_ins.go()?;
    stand_ins.wait_for_batches(&mut group, WARM_UP + batches, &log)?;
    // The recording ends with its process.
    drop(group);
    let ended = interrupt::wait_for(BATCH_TIMEOUT, POLL_INTERVAL, || recording.ended())?;
    ended.context("perf did not end")?;
    let mut script = workspace.command(perf);
    script.args(["script", "--fields", "comm,ip,sym", "--no-inline", "--input"]).arg(&data);
    let flame = Flame::read(&process::output(&mut script, b"", "perf script")?);
    ensure!(flame.samples() > 0, "perf recorded no stack");
    let title = format!("The dispatcher sends {} webhooks: {} samples", batches * BATCH, flame.samples());
    fs::write(file, flame.svg(&title)).with_context(|| format!("write {}", file.display()))?;
    ui::say(format!("{} samples are drawn in {}", flame.samples(), file.display()));
    Ok(())
}

impl StandIns {
    fn start(workspace: &Workspace, profile: Profile, batches: u64) -> anyhow::Result<Self> {
        let log = workspace.local().join("bench-stand-ins.log");
        let file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
        let mut command = workspace.command(workspace.binaries(profile).join(LOAD));
        command
            .arg("stand-ins")
            .args(["--batches", &batches.to_string(), "--warm-up", &WARM_UP.to_string()])
            .args(["--batch", &BATCH.to_string(), "--body-bytes", &BODY_BYTES.to_string()])
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("open the log a second time")?)
            .stderr(file);
        let mut group = Group::spawn(&mut command)?;
        let ready = interrupt::wait_for(START_TIMEOUT, POLL_INTERVAL, || {
            // Checked before the log is read: a process that has ended has written all of its output.
            let ended = group.ended()?;
            let text = fs::read_to_string(&log).with_context(|| format!("read {}", log.display()))?;
            let line = text.split_inclusive('\n').find(|line| line.starts_with('{') && line.ends_with('\n'));
            ensure!(ended.is_none(), "the stand-ins ended: {}", text.trim());
            line.map(serde_json::from_str::<Addresses>).transpose().context("read the addresses of the stand-ins")
        })?;
        let addresses = ready.with_context(|| format!("the stand-ins did not start: see {}", log.display()))?;
        let client = Client::new(&format!("http://{}", addresses.runtime_api), "");
        Ok(Self { group, addresses, client, log })
    }

    fn report(&self) -> anyhow::Result<Report> {
        let response = self.client.get("/report", None)?;
        ensure!(response.status == 200, "the stand-ins answered {}: see {}", response.status, self.log.display());
        serde_json::from_value(response.body).context("read the stand-ins' report")
    }

    /// Ends the warm-up.
    fn go(&self) -> anyhow::Result<()> {
        let response = self.client.post("/go", &json!({}))?;
        ensure!(response.status == 204, "the stand-ins answered POST /go with {}", response.status);
        Ok(())
    }

    /// Waits until the dispatcher has handled this many batches.
    fn wait_for_batches(&mut self, dispatcher: &mut Group, batches: u64, log: &Path) -> anyhow::Result<Report> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let report = self.report()?;
            let Handled { batches: done, errors, ref first_error, .. } = report.handled;
            let error = first_error.as_deref().unwrap_or_default();
            ensure!(errors == 0, "the dispatcher failed: {error} (log: {})", log.display());
            if done >= batches {
                return Ok(report);
            }
            if done > last {
                (last, since) = (done, Instant::now());
            }
            if let Some(status) = dispatcher.ended()? {
                bail!("the dispatcher ended ({status}): see {}", log.display());
            }
            ensure!(self.group.ended()?.is_none(), "the stand-ins ended: see {}", self.log.display());
            ensure!(
                since.elapsed() < BATCH_TIMEOUT,
                "the dispatcher stopped at batch {done} of {batches}: see {}",
                log.display()
            );
            interrupt::pause(POLL_INTERVAL)?;
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
    let mut group = start_dispatcher(workspace, Profile::Release, &stand_ins.addresses, &log)?;
    let process = group.id().with_context(|| format!("the dispatcher ended immediately: see {}", log.display()))?;
    let cpu = |process: ProcessId| process.cpu_seconds().context("read the dispatcher's processor time");
    let warm = stand_ins.wait_for_batches(&mut group, WARM_UP, &log)?;
    let subject = || format!("the dispatcher (log: {})", log.display());
    check(&warm, WARM_UP * BATCH).with_context(subject)?;
    let before = cpu(process)?;
    stand_ins.go()?;
    let report = stand_ins.wait_for_batches(&mut group, WARM_UP + batches, &log)?;
    let used = cpu(process)? - before;
    let peak = process.peak_memory().context("read the dispatcher's peak memory")?;
    drop(group);
    check(&report, (WARM_UP + batches) * BATCH).with_context(subject)?;
    measured.add(batches * BATCH, used, peak)?;
    Ok(report)
}

fn start_dispatcher(
    workspace: &Workspace,
    profile: Profile,
    addresses: &Addresses,
    log: &Path,
) -> anyhow::Result<Group> {
    let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
    let mut command = workspace.command(workspace.binaries(profile).join(FUNCTION));
    command
        .env_clear()
        .envs(emulator_environment(&addresses.aws_url))
        .env("AWS_LAMBDA_RUNTIME_API", &addresses.runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_TIMEOUT", "60")
        .env("DELIVERIES_TABLE", "Deliveries")
        .env("ENDPOINTS_TABLE", "Endpoints")
        .env("DELIVERIES_QUEUE_URL", format!("{}/000000000000/DeliveryHints", addresses.aws_url))
        .env("SETTINGS_PATH", "/reelhook/bench")
        .env("ALLOW_HTTP_WEBHOOKS", "true")
        .env("OUTBOUND_ALLOW", &addresses.sink)
        .stdin(Stdio::null())
        .stdout(file.try_clone().context("open the log a second time")?)
        .stderr(file);
    Group::spawn(&mut command)
}

/// Checks that this many webhooks arrived, were signed, and were stored as delivered.
fn check(report: &Report, expected: u64) -> anyhow::Result<()> {
    let Report { handled, received, stored } = report;
    let (failed, requests, delivered, attempted) =
        (handled.failed_messages, received.requests, stored.delivered, stored.attempted);
    ensure!(failed == 0, "the dispatcher reported {failed} messages as failed");
    check_received(received, expected)?;
    ensure!(requests == expected, "{expected} webhooks arrived in {requests} requests");
    ensure!(delivered == expected, "{delivered} of {expected} deliveries were stored as delivered");
    ensure!(attempted == expected, "the attempts of {attempted} of {expected} deliveries were stored");
    Ok(())
}

fn check_received(received: &Received, expected: u64) -> anyhow::Result<()> {
    let first_problem = received.first_problem.as_deref().unwrap_or_default();
    ensure!(received.wrong == 0, "{} of {} webhooks are wrong: {first_problem}", received.wrong, received.checked);
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
        .args(["bare", "--url", &stand_ins.addresses.sink_url])
        .args(["--count", &(batches * BATCH).to_string(), "--warm-up", &(WARM_UP * BATCH).to_string()])
        .args(["--at-once", &BATCH.to_string(), "--body-bytes", &BODY_BYTES.to_string()]);
    let text = process::output(&mut command, b"", "the bare loop")?;
    let bare: Bare = serde_json::from_str(&text).context("read the output of the bare loop")?;
    // Its webhook ids differ from the dispatcher's.
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
        "\nMedians of {} rounds in turns, with minimum and maximum. The body of a webhook has {BODY_BYTES} bytes.",
        dispatcher.per_cpu_second.len()
    );
    let ratio = ratio_of_medians(&dispatcher.per_cpu_second, &bare.per_cpu_second);
    let (rate, part) = TARGET;
    println!("Target: {rate:.0} deliveries per CPU-second.");
    println!("The dispatcher makes {ratio} times the deliveries of the bare loop (95 %; target: {part}).");
    let sent = last.received.requests as f64;
    println!("\nPer delivery, warm-up included:");
    for (name, Operation { calls, bytes_in, bytes_out }) in &last.stored.operations {
        let per = |count: u64| count as f64 / sent;
        println!(
            "{name:<24} {:>8.3} calls {:>8.0} bytes sent {:>8.0} bytes received",
            per(*calls),
            per(*bytes_in),
            per(*bytes_out)
        );
    }
    for (name, count) in
        [("connections to AWS", last.stored.connections), ("connections to receivers", last.received.connections)]
    {
        println!("{name:<24} {:>8.3}", count as f64 / sent);
    }
    let (svix_rate, svix_memory) = SVIX;
    let (times, part) = TARGET_BY_SVIX;
    println!(
        "\nFor comparison: Svix 1.100 made {svix_rate:.0} deliveries per CPU-second of its own process with {:.0} MB. \
         The dispatcher makes {:.1} times as many with {:.2} times the memory (target: {times} times with {part}).",
        svix_memory / 1e6,
        median(&dispatcher.per_cpu_second) / svix_rate,
        median(&dispatcher.peak_memory) / svix_memory,
    );
}

/// The median with minimum and maximum.
fn spread(values: &[f64], show: impl Fn(f64) -> String) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} ({} to {})", show(median(values)), show(least), show(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(received: u64, wrong: u64, delivered: u64) -> Report {
        let first_problem = (wrong > 0).then(|| "a webhook-signature is invalid".to_owned());
        Report {
            handled: Handled { batches: 1, failed_messages: 0, errors: 0, first_error: None },
            received: Received {
                requests: received,
                connections: 4,
                distinct: received,
                checked: 1,
                wrong,
                first_problem,
            },
            stored: Stored { connections: 1, operations: BTreeMap::new(), delivered, attempted: delivered },
        }
    }

    #[test]
    fn missing_and_wrong_webhooks_are_reported() {
        let check = |report: Report, expected: Option<&str>| {
            let error = check(&report, 10).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), expected);
        };
        check(report(10, 0, 10), None);
        check(report(9, 0, 10), Some("9 of 10 webhooks arrived"));
        check(report(10, 1, 10), Some("1 of 1 webhooks are wrong: a webhook-signature is invalid"));
        check(report(10, 0, 9), Some("9 of 10 deliveries were stored as delivered"));
    }

    #[test]
    fn a_spread_shows_minimum_and_maximum() {
        assert_eq!(spread(&[3.0, 1.0, 2.0], |value| format!("{value:.0}")), "2 (1 to 3)");
    }
}
