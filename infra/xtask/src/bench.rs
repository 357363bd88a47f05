//! `cargo xtask bench`: what a cold start costs, against a hello world that builds the same SDK clients.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::instance::Instance;
use crate::ports::Asked;
use crate::rie::{Configuration, Environment, sample_events};
use crate::statistics::{median, ratio_of_medians};
use crate::up::{self, Options};
use crate::workspace::{Profile, Workspace};
use crate::{interrupt, process, setup, ui};

pub mod dispatcher;

/// The baseline: infra/hello.
const HELLO: &str = "hello";
/// The same program, reading a secret while it starts: what no function with secrets can start faster than.
const READING: &str = "hello, one read";
/// How much longer than the baseline a function's INIT should take at most.
const AIM: f64 = 1.3;

/// One measured binary.
struct Subject {
    name: String,
    binary: PathBuf,
    configuration: Configuration,
    event: Value,
    init_ms: Vec<f64>,
    peak_memory: Vec<f64>,
}

/// Draws and encodes a film, beside ffmpeg alone: shared/render/examples/speed.rs.
pub fn render(workspace: &Workspace) -> anyhow::Result<()> {
    let tools = setup::stack(workspace)?;
    ui::say("Building the renderer ...");
    let mut build = workspace.cargo();
    process::run(build.args(["build", "--workspace", "--example", "speed"]), "building the example `speed`")?;
    let mut speed = workspace.command(workspace.binaries(Profile::Debug).join("examples/speed"));
    process::run(speed.arg(&tools.fonts).arg(&tools.ffmpeg), "measuring the renderer")
}

/// Starts every function `runs` times, one after the other and in turns, so that a busy moment hits all alike.
pub fn init(workspace: &Workspace, runs: usize, only: &[String]) -> anyhow::Result<()> {
    let tools = setup::lint(workspace)?;
    let mut functions = workspace.functions()?;
    functions.retain(|name| only.is_empty() || only.contains(name));
    anyhow::ensure!(!functions.is_empty(), "template.yaml has none of the functions {}", only.join(", "));
    ui::say("Building the release binaries; each is linked with thin LTO, which takes about a minute ...");
    workspace.build(&[HELLO.to_owned()], Profile::Release)?;
    // A running stack: functions read their secrets while they start.
    let options = Options {
        ports: Asked::any(),
        auth: true,
        keep_state: false,
        profile: Profile::Release,
        speed: 1.0,
        shared_video: true,
        parameters: Vec::new(),
        secrets: Vec::new(),
        detach: false,
    };
    let mut started = up::start(workspace, Instance::new(workspace, "bench")?, &options)?;
    let configurations = started.stack.call("reading the functions' configuration", &["env"], "")?;
    let subject = |name: &str| {
        let events = sample_events(workspace, name).unwrap_or_default();
        Subject {
            name: name.to_owned(),
            binary: workspace.binaries(Profile::Release).join(name),
            configuration: Configuration::parse(&configurations[name]),
            event: events.into_values().next().unwrap_or_else(|| json!({})),
            init_ms: Vec::new(),
            peak_memory: Vec::new(),
        }
    };
    let mut reading = Subject { name: READING.to_owned(), ..subject(HELLO) };
    reading.configuration =
        reading.configuration.with("HELLO_READS", format!("{}/API_KEYS", started.run.settings_path));
    let mut subjects = vec![subject(HELLO), reading];
    subjects.extend(functions.iter().map(|name| subject(name)));
    let log = started.instance.path("rie.log");
    // The first round fills the page cache and is not counted.
    for round in 0..=runs {
        ui::say(format!("Round {round} of {runs}"));
        for subject in &mut subjects {
            interrupt::check()?;
            started.check()?;
            let environment = Environment::start(
                workspace,
                &tools,
                &subject.binary,
                &subject.configuration,
                &started.run.emulator_url,
                &log,
            )?;
            // Whether the event is to the function's liking is not the question here.
            let _ = environment.invoke(&subject.event);
            let start = environment.measured().with_context(|| format!("measure {}", subject.name))?;
            if round > 0 {
                subject.init_ms.push(start.init_ms);
                subject.peak_memory.push(start.peak_memory as f64);
            }
        }
    }
    report(&subjects)
}

fn report(subjects: &[Subject]) -> anyhow::Result<()> {
    let (baseline, reading) = (&subjects[0], &subjects[1]);
    println!(
        "\n{:<20} {:>10} {:>20} {:>20} {:>10} {:>12}",
        "function", "INIT", "times hello (95 %)", "times one read", "size", "peak memory"
    );
    let mut over = BTreeMap::new();
    for subject in subjects {
        let ratio = ratio_of_medians(&subject.init_ms, &baseline.init_ms);
        let to_reading = ratio_of_medians(&subject.init_ms, &reading.init_ms);
        let size = fs::metadata(&subject.binary).context("measure the binary")?.len();
        println!(
            "{:<20} {:>7.1} ms {:>20} {:>20} {:>10} {:>12}",
            subject.name,
            median(&subject.init_ms),
            ratio.to_string(),
            to_reading.to_string(),
            ui::bytes(size),
            ui::bytes(median(&subject.peak_memory) as u64),
        );
        if to_reading.value > AIM {
            over.insert(&subject.name, to_reading.value);
        }
    }
    println!(
        "\n{} starts each, in turns; medians. INIT is exec to the first request for an event.",
        baseline.init_ms.len()
    );
    for (name, ratio) in over {
        println!("{name} takes {ratio:.2} times a hello world that reads one secret; the aim is {AIM}.");
    }
    Ok(())
}
