//! Functions that are killed, and sweeps, while work runs; and how many of the kills ended an invocation.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

use reelhook_domain::Timestamp;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, interval_at};

use super::calls::now_ms;
use crate::cost::{crate_name, log_path};
use crate::kills::{Random, kill_one, sweep};
use crate::stack::Stack;

/// The interval of the sweeps.
const SWEEP: Duration = Duration::from_secs(2);
/// The shortest pause between two kills, and what is added to it at most, in milliseconds: some 180 kills a minute.
const PAUSE_MS: (u64, u64) = (150, 350);
/// Lambda's report about a run in the functions' log.
const REPORT: &str = "platform.report";
/// The error of a run whose process ended before it answered.
const LOST: &str = "Runtime.ExitError";
/// How long before a run or after it a kill is noted that ended it, in milliseconds: clocks are read at other moments.
const SLACK_MS: u64 = 500;

/// A process that was killed.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    /// When, in Unix milliseconds.
    pub at: u64,
    /// The function.
    pub function: &'static str,
}

/// Sweeps until a time. A sweep may take long, since it may be killed as well.
pub async fn sweep_until(stack: &Stack, end: Instant) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < end {
        ticks.tick().await;
        sweep(stack).await;
    }
}

/// Kills processes of random functions until a time.
pub async fn kill_until(stack: &Stack, seed: u64, end: Instant) -> Vec<Kill> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut kills = Vec::new();
    while Instant::now() < end {
        let pause = Duration::from_millis(PAUSE_MS.0 + random.below(PAUSE_MS.1));
        interval_at(tokio::time::Instant::now() + pause, pause).tick().await;
        let at = now_ms();
        kills.extend(kill_one(stack, &mut random).map(|function| Kill { at, function }));
    }
    kills
}

/// The kills of one function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Killed {
    /// All of them.
    pub all: usize,
    /// Those that ended an invocation. A process that waited for its next event is killed without one.
    pub interrupted: usize,
}

/// The kills of each function, by its name.
pub type KilledByFunction = BTreeMap<&'static str, Killed>;

/// Counts kills by function. One has ended an invocation if a run of the function was under way then whose process has
/// ended before it answered, by the log from this offset on.
pub fn by_function(kills: &[Kill], from: u64) -> KilledByFunction {
    count(kills, lost_runs(from))
}

fn count(kills: &[Kill], mut runs: BTreeMap<String, Vec<(u64, u64)>>) -> KilledByFunction {
    let mut killed = KilledByFunction::new();
    for kill in kills {
        let of_function = killed.entry(kill.function).or_default();
        of_function.all += 1;
        let Some(runs) = runs.get_mut(kill.function) else { continue };
        if let Some(place) = runs.iter().position(|(begun, ended)| (*begun..=*ended).contains(&kill.at)) {
            runs.swap_remove(place);
            of_function.interrupted += 1;
        }
    }
    killed
}

/// When runs of each function were under way that lost their process.
fn lost_runs(from: u64) -> BTreeMap<String, Vec<(u64, u64)>> {
    let mut log = File::open(log_path()).expect("the log");
    log.seek(SeekFrom::Start(from)).expect("an offset in it");
    let mut runs: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    for line in BufReader::new(log).lines().map_while(Result::ok).filter(|line| line.contains(REPORT)) {
        if let Some((function, begun, ended)) = lost_run(&line) {
            runs.entry(function).or_default().push((begun, ended));
        }
    }
    runs
}

/// The function of a run that lost its process, and the times between which it was under way. A run that failed by itself
/// is none.
fn lost_run(line: &str) -> Option<(String, u64, u64)> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let report: Value = serde_json::from_str(entry["line"].as_str()?).ok()?;
    let record = &report["record"];
    if report["type"] != REPORT || record["status"] != "error" || record["errorType"] != LOST {
        return None;
    }
    let ended = u64::try_from(Timestamp::parse(report["time"].as_str()?)?.millis()).ok()?;
    let lasted = record["metrics"]["durationMs"].as_f64()? as u64;
    let begun = ended.saturating_sub(lasted + SLACK_MS);
    Some((crate_name(entry["function"].as_str()?), begun, ended + SLACK_MS))
}

#[test]
fn the_report_of_a_run_that_lost_its_process_is_read() {
    let report = r#"{"time": "2024-01-01T12:00:03.000Z", "type": "platform.report", "record": {"requestId": "1", "metrics": {"durationMs": 2000}, "status": "error", "errorType": "Runtime.ExitError"}}"#;
    let line = |function: &str, line: &str| serde_json::json!({ "function": function, "line": line }).to_string();
    let ended = 1_704_110_403_000;
    assert_eq!(lost_run(&line("InboxReader", report)), Some(("inbox".to_owned(), ended - 2500, ended + 500)));
    for other in [report.replace("error\"", "success\""), report.replace("Runtime.ExitError", "Sandbox.Timedout")] {
        assert_eq!(lost_run(&line("Worker", &other)), None, "{other}");
    }
    assert_eq!(lost_run(&line("Worker", "platform.report")), None);
}

#[test]
fn a_run_that_was_under_way_counts_one_kill() {
    let kill = |function: &'static str, at: u64| Kill { at, function };
    let kills = [kill("fanout", 5), kill("fanout", 6), kill("fanout", 20), kill("live", 5)];
    let killed =
        count(&kills, BTreeMap::from([("fanout".to_owned(), vec![(4, 7)]), ("worker".to_owned(), vec![(4, 7)])]));
    let expected = [("fanout", Killed { all: 3, interrupted: 1 }), ("live", Killed { all: 1, interrupted: 0 })];
    assert_eq!(killed, KilledByFunction::from(expected));
}
