//! `cargo xtask bench`: measures cold starts, compared with a hello world that builds the same SDK clients.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use reelhook_terminal::arguments::Pair;
use serde_json::{Value, json};

use crate::instance::Instance;
use crate::ports::RequestedPorts;
use crate::rie::{Configuration, Environment, sample_events};
use crate::up::{self, Options};
use crate::workspace::{Profile, Workspace};
use crate::{interrupt, process, setup, ui};

use statistics::{median, ratio_of_medians};

pub mod dispatcher;
pub mod document;
mod flame;
mod stand_ins;
pub mod statistics;
pub mod warm;

/// The baseline: infra/hello.
const HELLO: &str = "hello";
/// The same program, which also reads a secret during INIT: a lower bound for functions with secrets.
const HELLO_WITH_READ: &str = "hello, one read";
/// Target: a function's INIT takes at most this many times as long as the baseline's.
const TARGET_RATIO: f64 = 1.3;

/// The document of cold starts, and the name of its markers.
const DOCUMENT: (&str, &str) = ("docs/cold-starts.md", "cold");

/// One measured binary.
struct Subject {
    name: String,
    binary: PathBuf,
    configuration: Configuration,
    event: Value,
    init_ms: Vec<f64>,
    peak_memory: Vec<f64>,
}

/// Measures drawing and encoding, compared with ffmpeg alone: shared/render/examples/speed.rs.
pub fn render(workspace: &Workspace) -> anyhow::Result<()> {
    let tools = setup::stack(workspace)?;
    ui::say("Building the renderer ...");
    let mut build = workspace.cargo();
    process::run(build.args(["build", "--workspace", "--example", "speed"]), "building the example `speed`")?;
    let mut speed = workspace.command(workspace.binaries(Profile::Debug).join("examples/speed"));
    process::run(speed.arg(&tools.fonts).arg(&tools.ffmpeg), "measuring the renderer")
}

/// Measures `runs` cold starts of every function, in turns, so that load on the machine affects all functions alike.
pub fn init(workspace: &Workspace, runs: usize, only: &[String]) -> anyhow::Result<()> {
    let tools = setup::lint(workspace)?;
    let mut functions = workspace.functions()?;
    functions.retain(|name| only.is_empty() || only.contains(name));
    anyhow::ensure!(!functions.is_empty(), "template.yaml has no function named {}", only.join(" or "));
    ui::say("Building the release binaries (thin LTO, about a minute each) ...");
    workspace.build(&[HELLO.to_owned()], Profile::Release)?;
    // The functions read their secrets during INIT, so a stack must run.
    let options = Options {
        ports: RequestedPorts::any_free(),
        auth: true,
        keep_state: false,
        profile: Profile::Release,
        speed: 1.0,
        shared_video: true,
        metric_speed: 1,
        // Every function is deployed.
        parameters: [("CallbacksBy", "FunctionUrl"), ("JobInbox", "on")]
            .map(|(name, value)| Pair(name.to_owned(), value.to_owned()))
            .into(),
        secrets: Vec::new(),
        detach: false,
        hostile: false,
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
    let mut hello_with_read = Subject { name: HELLO_WITH_READ.to_owned(), ..subject(HELLO) };
    hello_with_read.configuration =
        hello_with_read.configuration.with("HELLO_READS", format!("{}/API_KEYS", started.run.settings_path));
    let mut subjects = vec![subject(HELLO), hello_with_read];
    subjects.extend(functions.iter().map(|name| subject(name)));
    let log = started.instance.path("rie.log");
    // Round 0 fills the page cache and is not counted.
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
            // Only the start is measured: the event may fail.
            let _ = environment.invoke(&subject.event);
            let start = environment.measured().with_context(|| format!("measure {}", subject.name))?;
            if round > 0 {
                subject.init_ms.push(start.init_ms);
                subject.peak_memory.push(start.peak_memory as f64);
            }
        }
    }
    report(&subjects)?;
    if only.is_empty() {
        let document = workspace.root.join(DOCUMENT.0);
        document::write(&document, DOCUMENT.1, &table(&subjects)?)?;
    }
    Ok(())
}

/// The rows of docs/cold-starts.md: the baselines first, then the functions, the fastest first.
fn table(subjects: &[Subject]) -> anyhow::Result<String> {
    let (baseline, hello_with_read) = (&subjects[0], &subjects[1]);
    let mut functions: Vec<&Subject> = subjects[2..].iter().collect();
    functions.sort_by(|one, other| median(&one.init_ms).total_cmp(&median(&other.init_ms)));
    let mut text = String::from(
        "| function | INIT | × hello | × one read | size | peak memory |\n|---|---:|---:|---:|---:|---:|\n",
    );
    for subject in [baseline, hello_with_read].into_iter().chain(functions) {
        let size = fs::metadata(&subject.binary).context("measure the binary")?.len();
        text.push_str(&format!(
            "| {} | {:.1} ms | {} | {} | {} | {} |\n",
            subject.name,
            median(&subject.init_ms),
            ratio_of_medians(&subject.init_ms, &baseline.init_ms),
            ratio_of_medians(&subject.init_ms, &hello_with_read.init_ms),
            ui::bytes(size),
            ui::bytes(median(&subject.peak_memory) as u64),
        ));
    }
    text.push_str(&format!(
        "\nMedians of {} cold starts of each function, in turns, after one round that is not counted.\n",
        baseline.init_ms.len()
    ));
    Ok(text)
}

fn report(subjects: &[Subject]) -> anyhow::Result<()> {
    let (baseline, hello_with_read) = (&subjects[0], &subjects[1]);
    println!(
        "\n{:<20} {:>10} {:>20} {:>20} {:>10} {:>12}",
        "function", "INIT", "vs. hello (95 %)", "vs. one read", "size", "peak memory"
    );
    let mut over = BTreeMap::new();
    for subject in subjects {
        let ratio = ratio_of_medians(&subject.init_ms, &baseline.init_ms);
        let to_read = ratio_of_medians(&subject.init_ms, &hello_with_read.init_ms);
        let size = fs::metadata(&subject.binary).context("measure the binary")?.len();
        println!(
            "{:<20} {:>7.1} ms {:>20} {:>20} {:>10} {:>12}",
            subject.name,
            median(&subject.init_ms),
            ratio.to_string(),
            to_read.to_string(),
            ui::bytes(size),
            ui::bytes(median(&subject.peak_memory) as u64),
        );
        if to_read.value > TARGET_RATIO {
            over.insert(&subject.name, to_read.value);
        }
    }
    println!(
        "\nMedians of {} cold starts each, in turns. INIT is the time from exec to the first request for an event.",
        baseline.init_ms.len()
    );
    for (name, ratio) in over {
        println!(
            "{name}: INIT takes {ratio:.2} times as long as that of a hello world that reads one secret \
             (target: at most {TARGET_RATIO})"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_template_has_its_cold_start_in_the_document() {
        let workspace = Workspace::find().unwrap();
        let page = fs::read_to_string(workspace.root.join(DOCUMENT.0)).unwrap();
        let rows = document::section(&page, DOCUMENT.1).unwrap();
        let mut functions = workspace.functions().unwrap();
        functions.retain(|name| !rows.contains(&format!("| {name} | ")));
        assert_eq!(functions, Vec::<String>::new(), "`cargo xtask bench` writes {}", DOCUMENT.0);
    }
}
