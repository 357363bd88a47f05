//! Campaigns on a hostile stack: functions are killed and calls of AWS meet faults while work of every family runs;
//! then everything has ended and arrived, and adds up.
//!
//! `cargo xtask prove` starts the stack and runs a campaign; `cargo xtask test --only prove` runs short ones.
//! PROVE_SEED repeats one: its faults meet the same calls.

mod calls;
mod gateway;
mod hostile;
mod outcome;
mod work;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::interval_at;

use self::calls::Caller;
use self::hostile::Hostile;
use self::outcome::{assert_adds_up, until_all_ended};
use self::work::{Plan, Work};
use crate::clips;
use crate::clips::tokens::Owner;
use crate::kills::{LONG_TIMEOUTS, Random, configure, kill_one, number, sweep};
use crate::scenes;
use crate::scenes::listener::Listener;
use crate::scenes::project::fast;
use crate::stack::Stack;

/// The interval of the sweeps.
const SWEEP: Duration = Duration::from_secs(2);
/// The shortest pause between two kills, and what is added to it at most, in milliseconds.
const PAUSE_MS: (u64, u64) = (100, 400);

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
}

#[tokio::test]
async fn everything_ends_and_adds_up() {
    let campaign = Campaign::read();
    let stack = ready().await;
    let hostile = Hostile::of(&stack);
    let listener = Listener::register(&stack, &["project.*", "scene.*", "clips.*"]).await;
    let owner = Owner::of(&stack, "prove").await;

    hostile.set(&campaign.settings()).await;
    let (begun, caller) = (Instant::now(), Caller::new(&stack, campaign.seed));
    let end = begun + campaign.length;
    let plan = Plan::Until(end);
    let (work, kills) = tokio::join!(work::submit(&caller, &owner, &plan), disturb(&stack, &campaign, end));
    let met = hostile.counts().await;
    hostile.set(&json!({})).await;
    println!("seed {}: {kills} kills, {met}", campaign.seed);
    println!("seed {}: {work}", campaign.seed);

    let faults_ended = Instant::now();
    let commands = until_all_ended(&stack, &work).await;
    let recovered = faults_ended.elapsed();
    println!("seed {}: everything ended {:.1} s after the last fault", campaign.seed, recovered.as_secs_f64());
    let failed = assert_adds_up(&stack, &work, &owner, &listener).await;
    assert_calm(&stack, &owner).await;
    listener.remove(&stack).await;
    report(
        &campaign,
        &work,
        &json!({
            "kills": kills, "met": met, "commands": commands, "failed": failed,
            "server_errors": caller.server_errors(), "recovered_s": recovered.as_secs(),
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
    configure(&stack, |_, variables| {
        for (name, value) in LONG_TIMEOUTS {
            if variables.get(name).is_some() {
                variables[name] = json!(value);
            }
        }
    })
    .await;
    stack
}

/// Sweeps, and kills random functions if the campaign wants that, until a time; returns the number of kills.
async fn disturb(stack: &Stack, campaign: &Campaign, end: Instant) -> u64 {
    let mut random = Random(campaign.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut kills, mut swept) = (0, Instant::now());
    while Instant::now() < end {
        let pause = Duration::from_millis(PAUSE_MS.0 + random.below(PAUSE_MS.1));
        interval_at(tokio::time::Instant::now() + pause, pause).tick().await;
        if campaign.kills && kill_one(stack, &mut random).is_some() {
            kills += 1;
        }
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            sweep(stack).await;
        }
    }
    kills
}

/// Without faults, work of every family is done and nothing is answered with 5xx.
async fn assert_calm(stack: &Stack, owner: &Owner) {
    let caller = Caller::new(stack, u64::MAX);
    let work = work::submit(&caller, owner, &Plan::Once).await;
    until_all_ended(stack, &work).await;
    for path in ["/api/queue/status", "/api/v1/projects?limit=10", "/ai-clipping-agent/jobs?limit=10", "/api/v1/errors"]
    {
        let (status, answer) = stack.get(path).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    assert_eq!(caller.server_errors(), 0, "no answer is 5xx without a cause");
}

/// Writes what came of a campaign into the file that PROVE_RESULT names.
fn report(campaign: &Campaign, work: &Work, found: &Value) {
    let sum = |counts: &Value| -> u64 {
        counts.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
    };
    let met = &found["met"];
    let result = json!({
        "seed": campaign.seed, "percent": campaign.percent, "kills": found["kills"],
        "calls": met["calls"], "met": sum(&met["met"]), "by_fault": met["met"],
        "deliveries": met["deliveries"]["batches"], "disturbed": sum(&met["deliveries"]["met"]),
        "jobs": work.jobs.len(), "videos": work.videos.len(), "projects": work.projects.len(), "clips": work.clips.len(),
        "failed": found["failed"], "commands": found["commands"], "server_errors": found["server_errors"],
        "recovered_s": found["recovered_s"],
    });
    println!("{result}");
    if let Ok(path) = std::env::var("PROVE_RESULT") {
        std::fs::write(path, result.to_string()).expect("the result is written");
    }
    // A campaign of faults that met none has proved nothing.
    assert!(campaign.percent == 0 || result["met"].as_u64() > Some(0), "{result}");
}
