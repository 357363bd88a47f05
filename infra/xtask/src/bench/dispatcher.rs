//! `cargo xtask bench dispatcher`: measures the cost of a delivery, compared with a loop that only signs and POSTs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::flame::Flame;
use super::stand_ins::{self, Addresses, Handled, LOAD, StandIns};
use super::statistics::{median, ratio_of_medians, spread};
use crate::process::{self, Group, ProcessId};
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
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long perf may take to write what it recorded.
const RECORD_TIMEOUT: Duration = Duration::from_secs(30);
/// Samples per second of a flame graph.
const FREQUENCY: &str = "997";

/// The stand-ins' response to `GET /report`.
#[derive(Debug, Deserialize)]
struct Report {
    handled: Handled,
    received: Received,
    stored: Stored,
}

impl stand_ins::Report for Report {
    fn handled(&self) -> &Handled {
        &self.handled
    }
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
        let mut stand_ins = start(workspace, Profile::Release, batches)?;
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
    let mut stand_ins = start(workspace, Profile::Profiling, batches)?;
    let log = local.join("bench-dispatcher.log");
    let variables = environment(&stand_ins.addresses);
    let mut group = stand_ins.start_function(workspace, FUNCTION, &variables, &log)?;
    let _: Report = stand_ins.wait_for(&mut group, WARM_UP, &log)?;
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
    let _: Report = stand_ins.wait_for(&mut group, WARM_UP + batches, &log)?;
    // The recording ends with its process.
    drop(group);
    let ended = interrupt::wait_for(RECORD_TIMEOUT, POLL_INTERVAL, || recording.ended())?;
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

fn start(workspace: &Workspace, profile: Profile, batches: u64) -> anyhow::Result<StandIns> {
    let (batches, warm_up) = (batches.to_string(), WARM_UP.to_string());
    let (batch, bytes) = (BATCH.to_string(), BODY_BYTES.to_string());
    let numbers = ["--batches", &batches, "--warm-up", &warm_up, "--batch", &batch, "--body-bytes", &bytes];
    StandIns::start(workspace, profile, &[&["stand-ins"], &numbers[..]].concat())
}

fn measure_dispatcher(
    workspace: &Workspace,
    stand_ins: &mut StandIns,
    batches: u64,
    measured: &mut Measured,
) -> anyhow::Result<Report> {
    let log = workspace.local().join("bench-dispatcher.log");
    let variables = environment(&stand_ins.addresses);
    let mut group = stand_ins.start_function(workspace, FUNCTION, &variables, &log)?;
    let process = group.id().with_context(|| format!("the dispatcher ended immediately: see {}", log.display()))?;
    let cpu = |process: ProcessId| process.cpu_seconds().context("read the dispatcher's processor time");
    let warm: Report = stand_ins.wait_for(&mut group, WARM_UP, &log)?;
    let subject = || format!("the dispatcher (log: {})", log.display());
    check(&warm, WARM_UP * BATCH).with_context(subject)?;
    let before = cpu(process)?;
    stand_ins.go()?;
    let report: Report = stand_ins.wait_for(&mut group, WARM_UP + batches, &log)?;
    let used = cpu(process)? - before;
    let peak = process.peak_memory().context("read the dispatcher's peak memory")?;
    drop(group);
    check(&report, (WARM_UP + batches) * BATCH).with_context(subject)?;
    measured.add(batches * BATCH, used, peak)?;
    Ok(report)
}

/// The variables of the dispatcher.
fn environment(addresses: &Addresses) -> Vec<(&'static str, String)> {
    vec![
        ("DELIVERIES_TABLE", "Deliveries".to_owned()),
        ("ERRORS_TABLE", "Errors".to_owned()),
        ("ENDPOINTS_TABLE", "Endpoints".to_owned()),
        ("DELIVERIES_QUEUE_URL", format!("{}/000000000000/DeliveryHints", addresses.aws_url)),
        ("SETTINGS_PATH", "/reelhook/bench".to_owned()),
        ("ALLOW_HTTP_WEBHOOKS", "true".to_owned()),
        ("OUTBOUND_ALLOW", addresses.sink.clone()),
    ]
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
    check_received(&stand_ins.report::<Report>()?.received, (WARM_UP + batches) * BATCH * 2)
        .context("the bare loop")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(received: u64, wrong: u64, delivered: u64) -> Report {
        let first_problem = (wrong > 0).then(|| "a webhook-signature is invalid".to_owned());
        Report {
            handled: Handled { events: 1, failed_messages: 0, errors: 0, first_error: None },
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
}
