//! Campaigns on a hostile stack: functions are killed and calls of AWS meet faults while work of every family runs, people
//! give commands, and clients read; then everything has ended and arrived, and adds up.
//!
//! `cargo xtask prove` starts the stack and runs a campaign; `cargo xtask test --only prove` runs short ones.
//! PROVE_SEED repeats one: its faults meet the same calls.

mod calls;
mod causes;
mod commands;
mod disturbance;
mod gateway;
mod heard;
mod hostile;
mod kept;
mod once;
mod outcome;
mod routes;
mod signatures;
mod viewers;
mod work;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::calls::{Caller, now_ms};
use self::causes::{Causes, seen_by_services};
use self::disturbance::{Kill, KilledByFunction, by_function, kill_until, sweep_until};
use self::hostile::Hostile;
use self::kept::assert_kept;
use self::once::Stored;
use self::outcome::{Disturbed, Ended, assert_adds_up, until_all_ended};
use self::signatures::Verified;
use self::work::{Plan, Work};
use crate::aws::kill;
use crate::clips;
use crate::clips::tokens::Owner;
use crate::cost::log_length;
use crate::kills::{LONG_TIMEOUTS, configure, functions, number};
use crate::scenes;
use crate::scenes::listener::Listener;
use crate::scenes::project::{completed, fast, started};
use crate::stack::Stack;
use crate::videos::HOOK;

/// The names of faults (infra/faults/src/fault.rs) that any long campaign meets, and those of deliveries
/// (infra/local/mends/faults.py).
const FAULTS: [&str; 9] = [
    "conflict",
    "failed_afterwards",
    "internal",
    "lost_answer",
    "partly",
    "slow",
    "stale_index",
    "throttled",
    "unavailable",
];
const DELIVERIES: [&str; 4] = ["twice", "late", "disorder", "cut"];
/// From so many percent times seconds on, a campaign meets each of them.
const MANY_FAULTS: u64 = 5 * 600;
/// Any other fault is met, too, if so many of the calls that met one could have met it: `error_inside` at the end of an
/// upload in parts, if a campaign has files that are large enough.
const CHANCES: u64 = 100;
/// From so many seconds on, a campaign is long enough for kills to be many, and for each command to be taken.
const LONG_SECONDS: u64 = 60;
/// A long campaign kills at least so many processes a minute.
const KILLS_A_MINUTE: u64 = 60;
/// From so many seconds on, a campaign with kills has killed each function: all of them get work.
const ALL_KILLED_SECONDS: u64 = 600;
/// How long the function that waits for videos lets clients wait: they wait for half a minute here, and not for a quarter
/// of an hour.
const WAIT_SECONDS: &str = "20";

/// How long the worker of clips works on a job, in milliseconds.
const CLIP_JOB_MS: u64 = 3_000;

/// What a campaign consists of.
struct Campaign {
    seed: u64,
    length: Duration,
    percent: u64,
    kills: bool,
}

impl Campaign {
    fn read() -> Self {
        Self {
            seed: number("PROVE_SEED", u64::from(std::process::id())),
            length: Duration::from_secs(number("PROVE_SECONDS", 20)),
            percent: number("PROVE_PERCENT", 5),
            kills: number("PROVE_KILLS", 1) == 1,
        }
    }

    fn settings(&self) -> Value {
        json!({ "seed": self.seed, "percent": self.percent })
    }

    fn disturbed(&self) -> Disturbed {
        Disturbed { by_faults: self.percent > 0, by_kills: self.kills }
    }

    async fn kill(&self, stack: &Stack, end: Instant) -> Vec<Kill> {
        if self.kills { kill_until(stack, self.seed, end).await } else { Vec::new() }
    }

    /// Asserts that a campaign that is meant to disturb has done so.
    fn assert_disturbs(&self, met: &Value, killed: &KilledByFunction) {
        let seconds = self.length.as_secs();
        assert!(self.percent == 0 || sum(&met["met"]) > 0, "no call met a fault: {met}");
        if self.percent * seconds >= MANY_FAULTS {
            let (faults, deliveries) = (&met["met"], &met["deliveries"]["met"]);
            let mut missing: Vec<&str> = FAULTS.into_iter().filter(|name| faults[*name].is_null()).collect();
            missing.extend(likely(met).filter(|name| faults[*name].is_null()));
            missing.extend(DELIVERIES.into_iter().filter(|name| deliveries[*name].is_null()));
            assert!(missing.is_empty(), "nothing met {missing:?}: {met}");
        }
        if !self.kills {
            return;
        }
        let kills: usize = killed.values().map(|of| of.all).sum();
        assert!(
            seconds < LONG_SECONDS || kills as u64 * 60 >= KILLS_A_MINUTE * seconds,
            "{kills} kills in {seconds} s"
        );
        let spared: Vec<_> = functions().filter(|function| !killed.contains_key(function)).collect();
        assert!(seconds < ALL_KILLED_SECONDS || spared.is_empty(), "never killed: {spared:?}");
    }
}

#[tokio::test]
async fn everything_ends_and_adds_up() {
    let campaign = Campaign::read();
    let seed = campaign.seed;
    let stack = ready().await;
    let hostile = Hostile::of(&stack);
    let listener = listener(&stack).await;
    let owner = Owner::of(&stack, "prove").await;
    let receivers = ["main", "second", HOOK, listener.hook()];
    let (stored, verified) = (Stored::read(&stack).await, Verified::read(&stack, &receivers).await);

    hostile.set(&campaign.settings()).await;
    let (begun, log, caller) = (now_ms(), log_length(), Caller::new(&stack, seed));
    let end = Instant::now() + campaign.length;
    let plan = Plan::Until(end);
    let (mut work, given, followed, kills, ()) = tokio::join!(
        Box::pin(work::submit(&caller, &owner, &plan)),
        Box::pin(commands::give(&caller, end)),
        Box::pin(viewers::read_until(&caller, &owner, end)),
        Box::pin(campaign.kill(&stack, end)),
        Box::pin(sweep_until(&stack, end)),
    );
    let mut met = hostile.set(&json!({})).await;
    assert_eq!(met["forgotten"], 0, "the proxy's log has each fault: shorten the campaign");
    let faults = met["log"].take();
    let faults = faults.as_array().map(Vec::as_slice).unwrap_or_default();
    let killed = by_function(&kills, log);
    println!("seed {seed}: {} kills, {killed:?}, {met}", kills.len());
    println!("seed {seed}: {work}");
    campaign.assert_disturbs(&met, &killed);

    let faults_ended = Instant::now();
    if campaign.length.as_secs() >= LONG_SECONDS {
        given.assert_taken();
    }
    work.jobs.extend(followed.iter().map(|one| &one.id).chain(given.jobs()).cloned());
    work.cancelled.extend(given.cancelled().cloned());
    work.failing.extend(given.failing().cloned());
    let commands = until_all_ended(&stack, &work).await;
    let recovered = faults_ended.elapsed();
    println!("seed {seed}: everything ended {:.1} s after the last fault", recovered.as_secs_f64());

    assert_kept(&stack).await;
    work.jobs.extend(given.ordered(&stack).await);
    let jobs = work.jobs.iter().chain(&work.videos).chain(&work.cancelled).cloned().collect();
    let clips = work.clips.iter().map(|clip| format!("clip_{}", clip.id)).collect();
    Stored::read(&stack).await.assert_made(&stored, [jobs, work.projects.clone(), clips]);
    given.assert_done(&stack).await;
    for one in &followed {
        one.assert_in_order(&stack).await;
    }
    let failed = assert_adds_up(&stack, (&work, &commands), &owner, &listener, campaign.disturbed()).await;
    Verified::read(&stack, &receivers).await.assert_signed(&verified);
    let mut errors = caller.server_errors();
    errors.extend(seen_by_services(&stack, begun).await);
    Causes::of(&stack, faults, &kills).assert_explain(&errors);
    assert_calm(&stack, &owner, &listener).await;
    listener.remove(&stack).await;
    report(
        &campaign,
        &work,
        &json!({
            "killed": shown(&killed), "met": met,
            "commands": commands.values().sum::<u64>(), "failed": failed, "server_errors": errors.len(),
            "recovered_s": recovered.as_secs(),
        }),
    );
}

/// The stack without faults, with nothing under way, and with services and a worker that answer at once.
async fn ready() -> Stack {
    Hostile::from_environment().set(&json!({})).await;
    let stack = clips::job::open(clips::backends::Backends::Worker).await;
    scenes::project::choose(&stack, scenes::backends::Backends::Services).await;
    // Callbacks come twice and in disorder, so that one comes through.
    let settings = fast(json!({ "task": { "ms": 100 }, "callback": { "copies": 2, "disorder_ms": 500 } }));
    for service in ["videos", "frames", "stitches"] {
        stack.control(service, settings.clone()).await;
    }
    // Clips are reported one after the other, before the end.
    let slowly = json!({ "job": { "ms": CLIP_JOB_MS }, "report": { "clips": true } });
    stack.control("genesis", clips::job::fast(slowly)).await;
    configure(&stack, |function, variables| {
        for (name, value) in LONG_TIMEOUTS {
            if variables.get(name).is_some() {
                variables[name] = json!(value);
            }
        }
        if function == "videos-wait" {
            variables["WAIT_SECONDS"] = json!(WAIT_SECONDS);
        }
    })
    .await;
    stack
}

/// An endpoint for all events of projects and clip jobs that functions know, and whose receiver verifies signatures.
async fn listener(stack: &Stack) -> Listener {
    let listener = Listener::register(stack, &["project.*", "scene.*", "clips.*"]).await;
    listener.hold_secrets(stack).await;
    // One that runs knows the endpoints of some seconds ago.
    for pid in stack.aws.processes("fanout") {
        kill(pid);
    }
    let project = started(stack, scenes::project::scenes(1)).await;
    completed(stack, &project).await;
    for event in ["project.started", "project.completed"] {
        listener.heard(stack, &project, event).await;
    }
    stack.assert_queues_empty().await;
    listener
}

/// Without faults, work of every family is done, nobody has to give a command, and nothing is answered with 5xx.
async fn assert_calm(stack: &Stack, owner: &Owner, listener: &Listener) {
    let caller = Caller::new(stack, u64::MAX);
    let work = work::submit(&caller, owner, &Plan::Once).await;
    let commands = until_all_ended(stack, &work).await;
    assert!(commands.is_empty(), "{commands:?}");
    let calm = Disturbed::default();
    let ended = Ended::of(stack, &work, &commands, calm).await;
    ended.assert_few(&work, calm);
    ended.assert_heard(stack, &work, listener).await;
    for path in ["/api/queue/status", "/api/v1/projects?limit=10", "/ai-clipping-agent/jobs?limit=10", "/api/v1/errors"]
    {
        let (status, answer) = stack.get(path).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let errors = caller.server_errors();
    assert!(errors.is_empty(), "answers of 5xx without a cause: {errors:#?}");
}

/// The kills of each function, as a campaign reports them.
fn shown(killed: &KilledByFunction) -> Value {
    killed.iter().map(|(function, of)| (*function, json!({ "all": of.all, "interrupted": of.interrupted }))).collect()
}

/// The faults that many calls could have met.
fn likely(met: &Value) -> impl Iterator<Item = &str> {
    let chances = met["could_meet"].as_object().expect("counts of what calls could have met").iter();
    chances.filter(|(_, count)| count.as_u64() >= Some(CHANCES)).map(|(name, _)| name.as_str())
}

/// The sum of counts.
fn sum(counts: &Value) -> u64 {
    counts.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// Writes what came of a campaign into the file that PROVE_RESULT names.
fn report(campaign: &Campaign, work: &Work, found: &Value) {
    let (met, killed) = (&found["met"], found["killed"].as_object().into_iter().flatten());
    let interrupted: u64 = killed.filter_map(|(_, of)| of["interrupted"].as_u64()).sum();
    let result = json!({
        "seed": campaign.seed, "percent": campaign.percent, "kills": interrupted, "killed": found["killed"],
        "calls": met["calls"], "met": sum(&met["met"]), "by_fault": met["met"],
        "by_service": met["by_service"], "deliveries": met["deliveries"]["batches"],
        "disturbed": sum(&met["deliveries"]["met"]), "by_delivery": met["deliveries"]["met"],
        "jobs": work.jobs.len(), "videos": work.videos.len(), "projects": work.projects.len(), "clips": work.clips.len(),
        "failed": found["failed"], "commands": found["commands"], "server_errors": found["server_errors"],
        "recovered_s": found["recovered_s"],
    });
    println!("{result}");
    if let Ok(path) = std::env::var("PROVE_RESULT") {
        std::fs::write(path, result.to_string()).expect("the result is written");
    }
}
