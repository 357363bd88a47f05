//! `cargo xtask soak`: makes very many small jobs on a local stack, and watches whether anything grows.

mod draw;
mod judge;
mod load;
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reelhook_terminal::arguments::Pair;
use serde_json::Value;

use judge::{Kind, Series, Verdict};
use load::{Load, Times};
use watch::{EMULATOR, MOCK_SERVICES, Watch};

use crate::bench::document;
use crate::instance::Instance;
use crate::ports::RequestedPorts;
use crate::up::{self, Started};
use crate::workspace::{Profile, Workspace};
use crate::{interrupt, ui};

/// One of the figures of a look.
type Figure = fn(&Times) -> f64;

/// Additional help for `--help`.
pub const ABOUT: &str = "\
A job that is lost, a request that is refused and anything that is not flat fail the command. Flat means: the line
through the values after the first fifth rises by no more than three of its standard errors, or by less than 5 % of the
median. Memory and files of the emulator and of the mock services are shown only: they keep what they have done. Rows
with a time to live are deleted once two looks have found them unchanged, as DynamoDB does after days.
A run of 100,000 jobs or more is written to docs/proof.md and docs/soak.svg.";

/// The least number of jobs of a run that documents show.
const DOCUMENTED: u64 = 100_000;
/// The document with the section `soak`, and its picture.
const DOCUMENT: &str = "docs/proof.md";
const PICTURE: &str = "docs/soak.svg";
/// Looks at the stack in a run; fewer in a small one, so that each has some jobs.
const LOOKS: u64 = 40;
const JOBS_PER_LOOK: u64 = 15;
/// How long the jobs between two looks may take, for each of them.
const TIME_PER_JOB: Duration = Duration::from_secs(10);
/// How long queues may take to be empty after the last job.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The options of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Soak {
    /// Number of jobs
    #[arg(long, default_value_t = DOCUMENTED, value_parser = clap::value_parser!(u64).range(60..))]
    jobs: u64,
    /// Jobs at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100))]
    at_once: u32,
    /// Build the functions optimised, as for AWS
    #[arg(long)]
    release: bool,
}

/// Starts a stack, makes the jobs, and says whether everything stayed flat.
pub fn run(workspace: &Workspace, options: &Soak) -> anyhow::Result<()> {
    let stack = up::Options {
        ports: RequestedPorts::any_free(),
        auth: false,
        keep_state: false,
        profile: if options.release { Profile::Release } else { Profile::Debug },
        speed: 20.0,
        shared_video: true,
        metric_speed: 1,
        hostile: false,
        parameters: vec![
            Pair("MaxWorkers".to_owned(), (2 * options.at_once).to_string()),
            Pair("ApiCallsPerMinute".to_owned(), "10000000".to_owned()),
            // The emulator keeps each line in memory.
            Pair("LogLevel".to_owned(), "warn".to_owned()),
        ],
        secrets: Vec::new(),
        detach: false,
    };
    let mut started = up::start(workspace, Instance::new(workspace, "soak")?, &stack)?;
    let began = Instant::now();
    let series = measure(&mut started, options.jobs, options.at_once)?;
    let took = began.elapsed();
    let verdicts = series.verdicts(|_, of| is_ours(of));
    let table = table(options.jobs, took, &verdicts);
    print!("{table}");
    if options.jobs >= DOCUMENTED {
        let text = format!("{table}\n![What the soak test watched](soak.svg)\n");
        document::write(&workspace.root.join(DOCUMENT), "soak", &text)?;
        fs::write(workspace.root.join(PICTURE), draw::svg(&series)).with_context(|| format!("write {PICTURE}"))?;
        ui::say(format!("Wrote {DOCUMENT} and {PICTURE}."));
    }
    must_be_flat(&verdicts)
}

/// Makes a few jobs on a running stack. So few show whether each job leaves rows or files behind, and nothing of memory.
pub fn check(started: &mut Started) -> anyhow::Result<()> {
    let series = measure(started, 120, 6)?;
    let verdicts = series.verdicts(|kind, of| matches!(kind, Kind::Lasting | Kind::Files) && is_ours(of));
    verdicts.iter().filter(|verdict| verdict.flat.is_some()).for_each(|verdict| println!("{verdict}"));
    must_be_flat(&verdicts)
}

/// Whether growth would be ours: the emulator and the mock services keep what they have done, and so grow with each job.
fn is_ours(of: &str) -> bool {
    ![EMULATOR, MOCK_SERVICES].contains(&of)
}

fn must_be_flat(verdicts: &[Verdict]) -> anyhow::Result<()> {
    let growing: Vec<String> = verdicts
        .iter()
        .filter(|verdict| verdict.flat == Some(false))
        .map(|verdict| format!("{} of {}", verdict.kind.title(), verdict.of))
        .collect();
    anyhow::ensure!(growing.is_empty(), "not flat: {}", growing.join(", "));
    ui::say("Everything that is judged stayed flat.");
    Ok(())
}

/// Makes jobs, looks at the stack while they are made, and waits until its queues are empty.
fn measure(started: &mut Started, jobs: u64, at_once: u32) -> anyhow::Result<Series> {
    let load = Load::new(&started.run, jobs);
    let before = depths(started)?;
    let mut series = Series::default();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| load.work());
        }
        let outcome = observe(started, &load, jobs, &mut series);
        // Also after an error, so that the threads end.
        load.stop();
        outcome
    })?;
    drain(started, &before)?;
    Ok(series)
}

/// Adds a look at the stack each time that a part of the jobs has ended.
fn observe(started: &mut Started, load: &Load, jobs: u64, series: &mut Series) -> anyhow::Result<()> {
    let mut watch = Watch::default();
    let looks = LOOKS.min(jobs / JOBS_PER_LOOK).max(3);
    let bar = ui::percent_bar();
    let (mut before, mut began) = (0, Instant::now());
    for look in 1..=looks {
        let goal = jobs * look / looks;
        let most = TIME_PER_JOB * u32::try_from(goal.saturating_sub(before)).unwrap_or(u32::MAX);
        let reached = interrupt::wait_for(most, POLL_INTERVAL, || {
            interrupt::check()?;
            started.check()?;
            let ended = load.ended()?;
            Ok((ended >= goal).then_some(ended))
        })?;
        let ended = reached.with_context(|| format!("fewer than {goal} jobs have ended after {most:?} more"))?;
        if ended == before {
            continue;
        }
        series.add(Kind::Rate, "all jobs", ended, (ended - before) as f64 / began.elapsed().as_secs_f64());
        add_times(series, ended, &load.take_times());
        watch.look(started, ended, series)?;
        bar.set_position(100 * look / looks);
        (before, began) = (ended, Instant::now());
    }
    bar.finish();
    Ok(())
}

/// Adds the median and the 95th percentile of each time.
fn add_times(series: &mut Series, ended: u64, times: &[Times]) {
    let kinds: [(&str, Figure); 3] = [
        ("POST /api/generate", |times| times.submit),
        ("GET /api/job/{id}", |times| times.read),
        ("a job, from creation to end", |times| times.job),
    ];
    for (of, time) in kinds {
        let mut sorted: Vec<f64> = times.iter().map(time).collect();
        sorted.sort_by(f64::total_cmp);
        for (name, part) in [("median", 50), ("95th percentile", 95)] {
            // Below the length, since the part is below 100.
            if let Some(value) = sorted.get(sorted.len() * part / 100) {
                series.add(Kind::Time, format!("{of}, {name}"), ended, *value);
            }
        }
    }
}

/// Waits until no queue has more than it had: no webhook, no hint, no dead letter.
fn drain(started: &mut Started, before: &BTreeMap<String, u64>) -> anyhow::Result<()> {
    let mut left = Vec::new();
    let empty = interrupt::wait_for(DRAIN_TIMEOUT, Duration::from_secs(1), || {
        started.check()?;
        let more =
            depths(started)?.into_iter().filter(|(queue, depth)| before.get(queue).is_none_or(|had| depth > had));
        left = more.map(|(queue, _)| queue).collect();
        Ok(left.is_empty().then_some(()))
    })?;
    empty.with_context(|| format!("messages are left in {} after {DRAIN_TIMEOUT:?}", left.join(", ")))
}

/// The messages in each queue.
fn depths(started: &Started) -> anyhow::Result<BTreeMap<String, u64>> {
    let depths = started.stack.call("reading the depths of queues", &["queues"], "")?;
    let queues = depths.as_object().context("the depths are by queue")?.iter();
    Ok(queues.map(|(queue, counts)| (queue.clone(), messages(counts))).collect())
}

/// The messages of a queue: waiting, delayed and in flight.
fn messages(counts: &Value) -> u64 {
    counts.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// The table of a run.
fn table(jobs: u64, took: Duration, verdicts: &[Verdict]) -> String {
    let rows: String = verdicts.iter().map(|verdict| format!("{verdict}\n")).collect();
    let (minutes, rate) = (took.as_secs() / 60, jobs as f64 / took.as_secs_f64());
    format!(
        "{jobs} jobs in {minutes} minutes ({rate:.1} jobs a second); each of them completed, and no message was left.\n\n\
         | what | of | median | growth | noise | verdict |\n|---|---|---|---|---|---|\n{rows}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_named() {
        let mut series = Series::default();
        for jobs in 1..=20_u32 {
            series.add(Kind::Lasting, "Jobs", jobs.into(), f64::from(jobs * 10));
            series.add(Kind::Memory, EMULATOR, jobs.into(), f64::from(jobs * 100));
        }
        let verdicts = series.verdicts(|_, of| is_ours(of));
        let error = must_be_flat(&verdicts).unwrap_err().to_string();
        assert_eq!(error, "not flat: rows without a time to live of Jobs");
        let shown = table(20, Duration::from_secs(600), &verdicts);
        assert!(shown.contains("| memory (MiB) | the emulator |") && shown.contains("| NOT FLAT |"), "{shown}");
    }
}
