//! `cargo xtask bench warm`: what a request costs in an instance that has started, compared with a bare handler that makes
//! the same calls of DynamoDB.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::document;
use super::stand_ins::{self, Handled, LOAD, StandIns};
use super::statistics::{Ratio, median, ratio_of_medians, spread};
use crate::process::{self, Group};
use crate::ui;
use crate::workspace::{Profile, Workspace};

/// Additional help for `--help`.
pub const ABOUT: &str = "\
The release binaries answer sample events of Lambda's Runtime API. The Runtime API, DynamoDB and SSM are stand-ins in one
other process on loopback (infra/load). The bare handler (infra/hello) makes the calls of DynamoDB that the function made
for its last event, one after the other, and answers with the same body. Only the processor time of the function's own
process is measured, after a warm-up; allocations are counted in runs of their own, by infra/load/allocations.c, which
needs a C compiler.

The benchmark fails if an answer is not 200. It never fails because of slowness.";

/// The bare handler: infra/hello.
const BARE: &str = "bare";
/// Target: the processor time and allocations of a request, as a multiple of the bare handler's.
const TARGET_RATIO: f64 = 1.5;
/// Requests before the measurement.
const WARM_UP: u64 = 500;
/// Requests whose allocations are counted: their number differs little between requests.
const COUNTED: u64 = 500;
/// The source of the library that counts allocations.
const ALLOCATIONS: &str = "infra/load/allocations.c";
/// The document, and the name of its markers.
const DOCUMENT: (&str, &str) = ("docs/warm-requests.md", "warm");

/// The measured functions, each with its sample event.
const SUBJECTS: [(&str, &str); 3] = [
    ("generate", "events/generate/ok.json"),
    ("job-status", "events/job-status/job.json"),
    ("step-webhook", "events/step-webhook/completed.json"),
];

/// The stand-ins' response to `GET /report`.
#[derive(Debug, Deserialize)]
struct Report {
    handled: Handled,
    answer: Value,
    calls: Vec<Value>,
}

impl stand_ins::Report for Report {
    fn handled(&self) -> &Handled {
        &self.handled
    }
}

/// A program under measurement.
struct Program<'a> {
    binary: &'a str,
    event: &'a str,
    environment: Vec<(&'static str, String)>,
    log: PathBuf,
}

/// Measurements of one program for one sample event, one value per round.
#[derive(Debug, Default)]
struct Measured {
    cpu_us: Vec<f64>,
    allocations: Vec<f64>,
    allocated: Vec<f64>,
}

/// A function and its baseline.
struct Subject {
    name: &'static str,
    calls: Vec<String>,
    own: Measured,
    bare: Measured,
}

/// Measures each function and its baseline in turns, so that load on the machine affects both alike.
pub fn run(workspace: &Workspace, runs: u64, requests: u64) -> anyhow::Result<()> {
    ui::say("Building the release binaries (thin LTO, about a minute each) ...");
    let functions = SUBJECTS.iter().map(|(name, _)| (*name).to_owned());
    let binaries: Vec<String> = functions.chain([BARE.to_owned(), LOAD.to_owned()]).collect();
    workspace.build(&binaries, Profile::Release)?;
    let library = build_counter(workspace)?;
    let mut subjects: Vec<Subject> = SUBJECTS
        .iter()
        .map(|(name, _)| Subject { name, calls: Vec::new(), own: Measured::default(), bare: Measured::default() })
        .collect();
    for round in 1..=runs {
        ui::say(format!("Round {round} of {runs}"));
        for (subject, (name, event)) in subjects.iter_mut().zip(SUBJECTS) {
            let log = |binary: &str| workspace.local().join(format!("bench-{binary}.log"));
            let own = Program { binary: name, event, environment: environment(), log: log(name) };
            let last =
                measure(workspace, &own, requests, &library, &mut subject.own).with_context(|| name.to_owned())?;
            subject.calls =
                last.calls.iter().filter_map(|call| call["operation"].as_str().map(str::to_owned)).collect();
            let body = last.answer["body"].as_str().context("the answer has no body")?.to_owned();
            let given = [("BARE_CALLS", Value::from(last.calls).to_string()), ("BARE_ANSWER", body)];
            let bare = Program { binary: BARE, event, environment: given.into(), log: log(BARE) };
            measure(workspace, &bare, requests, &library, &mut subject.bare).context("the bare handler")?;
        }
    }
    let text = table(&subjects, runs, requests);
    println!("\n{text}");
    document::write(&workspace.root.join(DOCUMENT.0), DOCUMENT.1, &text)
}

/// Compiles the library that counts allocations, in `.local`.
pub fn build_counter(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(workspace.local()).context("create .local")?;
    let library = workspace.local().join("allocations.so");
    let mut command = workspace.command("cc");
    command.args(["-O2", "-Wall", "-shared", "-fPIC", "-o"]).arg(&library).arg(ALLOCATIONS);
    process::run(&mut command, "compiling infra/load/allocations.c")?;
    Ok(library)
}

/// The variables of the functions, with limits that no benchmark reaches.
fn environment() -> Vec<(&'static str, String)> {
    [
        ("JOBS_TABLE", "Jobs"),
        ("COUNTERS_TABLE", "Counters"),
        ("DELIVERIES_TABLE", "Deliveries"),
        ("BUCKET", "bench"),
        ("SETTINGS_PATH", "/reelhook/bench"),
        ("PUBLIC_BASE_URL", "https://sample0000.execute-api.us-east-1.amazonaws.com"),
        ("API_CALLS_PER_MINUTE", "100000000"),
        ("JOB_REPORTS_PER_MINUTE", "100000000"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// Measures processor time, and in a run of its own allocations; returns what the function did for the last event.
fn measure(
    workspace: &Workspace,
    program: &Program<'_>,
    requests: u64,
    library: &Path,
    measured: &mut Measured,
) -> anyhow::Result<Report> {
    let (last, [used, _]) = answered(workspace, program, requests, &[], |group| {
        let process = group.id().context("the function ended")?;
        Ok([process.cpu_seconds().context("read the function's processor time")?, 0.0])
    })?;
    ensure!(used > 0.0, "the processor time is 0: measure more requests");
    measured.cpu_us.push(used * 1e6 / requests as f64);
    let file = workspace.local().join("allocations");
    let preload = [("LD_PRELOAD", library.display().to_string()), ("ALLOCATIONS_FILE", file.display().to_string())];
    let counters = |_: &Group| Ok([counter(&file, 0)?, counter(&file, 1)?]);
    let (_, counted) = answered(workspace, program, COUNTED, &preload, counters)?;
    let [allocations, allocated] = counted.map(|counted| counted / COUNTED as f64);
    measured.allocations.push(allocations);
    measured.allocated.push(allocated);
    Ok(last)
}

/// Lets a program answer requests; returns the last report, and by how much `read` grew after the warm-up.
fn answered(
    workspace: &Workspace,
    program: &Program<'_>,
    requests: u64,
    preload: &[(&'static str, String)],
    read: impl Fn(&Group) -> anyhow::Result<[f64; 2]>,
) -> anyhow::Result<(Report, [f64; 2])> {
    let (count, warm_up) = (requests.to_string(), WARM_UP.to_string());
    let arguments = ["requests", "--event", program.event, "--requests", &count, "--warm-up", &warm_up];
    let mut stand_ins = StandIns::start(workspace, Profile::Release, &arguments)?;
    let environment = [&program.environment[..], preload].concat();
    let mut group = stand_ins.start_function(workspace, program.binary, &environment, &program.log)?;
    let _: Report = stand_ins.wait_for(&mut group, WARM_UP, &program.log)?;
    let before = read(&group)?;
    stand_ins.go()?;
    let last = stand_ins.wait_for(&mut group, WARM_UP + requests, &program.log)?;
    let after = read(&group)?;
    Ok((last, [after[0] - before[0], after[1] - before[1]]))
}

/// A counter of the library: the number of allocations, or their bytes.
fn counter(file: &Path, number: usize) -> anyhow::Result<f64> {
    let bytes = fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let counter = bytes.chunks_exact(8).nth(number).and_then(|bytes| bytes.try_into().ok());
    Ok(u64::from_ne_bytes(counter.context("the file of allocations is too short")?) as f64)
}

fn table(subjects: &[Subject], runs: u64, requests: u64) -> String {
    let mut text = String::from(
        "| function | calls | CPU | bare handler | ratio (95 %) | allocations | bare handler | ratio |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for Subject { name, calls, own, bare } in subjects {
        let us = |measured: &Measured| spread(&measured.cpu_us, |value| format!("{value:.0} µs"));
        let count = |measured: &Measured| {
            let bytes = ui::bytes(median(&measured.allocated) as u64);
            format!("{:.0}, {bytes}", median(&measured.allocations))
        };
        let cpu = ratio_of_medians(&own.cpu_us, &bare.cpu_us);
        let allocations = median(&own.allocations) / median(&bare.allocations);
        text.push_str(&format!(
            "| `{name}` | {} | {} | {} | {cpu}{} | {} | {} | {allocations:.2}{} |\n",
            calls.join(", "),
            us(own),
            us(bare),
            above(cpu),
            count(own),
            count(bare),
            if allocations > TARGET_RATIO { " (above the target)" } else { "" },
        ));
    }
    text.push_str(&format!(
        "\nMedians of {runs} rounds in turns, with minimum and maximum, {requests} requests each after {WARM_UP} that are \
         not\ncounted; allocations of {COUNTED} requests. Target: at most {TARGET_RATIO} times the bare handler's.\n"
    ));
    text
}

fn above(ratio: Ratio) -> &'static str {
    if ratio.value > TARGET_RATIO { " (above the target)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_the_target_is_marked() {
        let measured = |cpu: f64, allocations: f64| Measured {
            cpu_us: vec![cpu; 3],
            allocations: vec![allocations; 3],
            allocated: vec![2048.0; 3],
        };
        let subject =
            |own| Subject { name: "generate", calls: vec!["PutItem".to_owned()], own, bare: measured(100.0, 400.0) };
        let met = table(&[subject(measured(140.0, 500.0))], 3, 1000);
        assert!(met.contains("| `generate` | PutItem | 140 µs (140 µs to 140 µs) |"), "{met}");
        assert!(met.contains("| 1.40 (1.40-1.40) |") && !met.contains("(above"), "{met}");
        let missed = table(&[subject(measured(160.0, 800.0))], 3, 1000);
        assert_eq!(missed.matches("(above the target)").count(), 2, "{missed}");
    }

    #[test]
    fn counters_are_read_by_number() {
        let file = std::env::temp_dir().join(format!("allocations-{}", std::process::id()));
        fs::write(&file, [7_u64.to_ne_bytes(), 9_u64.to_ne_bytes()].concat()).unwrap();
        assert_eq!((counter(&file, 0).unwrap(), counter(&file, 1).unwrap()), (7.0, 9.0));
        assert!(counter(&file, 2).is_err());
        fs::remove_file(&file).unwrap();
    }
}
