//! Kills random functions while jobs and videos run: nothing is lost, and everything ends soon after the last kill.
//!
//! The test is short by default; KILL_ROUNDS, KILL_SECONDS, KILL_JOBS and KILL_VIDEOS extend it (CONTRIBUTING.md);
//! KILL_SEED repeats a round.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use reelhook_domain::{DeliveryStatus, OutboundEvent, Status};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, interval_at};

use crate::aws::kill;
use crate::lost::{assert_counts_are_right, assert_delivered};
use crate::stack::{API_FUNCTIONS, JsonText, Stack, read};
use crate::videos::{HOOK, film};

/// The other functions of the stack.
const OTHER_FUNCTIONS: [&str; 9] =
    ["job-stream", "live", "callbacks", "fanout", "worker", "render", "dispatcher", "cleanup", "inbox"];
/// Timers that must be longer on a busy machine, where videos and heartbeats take longer.
pub(crate) const LONG_TIMEOUTS: [(&str, &str); 2] =
    [("PROCESSING_TIMEOUT_SECONDS", "150"), ("PIECE_LEASE_SECONDS", "6")];
/// The mock worker sends each report three times, so that one arrives.
const SCENARIO: &str = "step_ms=10&render_ms=50&repeat=3";
/// The time after the last kill within which everything must end.
const RECOVERY: Duration = Duration::from_secs(180);
/// The time for which a caller retries a request.
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(60);
/// The interval of the sweeps.
const SWEEP: Duration = Duration::from_secs(2);

/// Every function of the stack.
pub(crate) fn functions() -> impl Iterator<Item = &'static str> {
    API_FUNCTIONS.into_iter().chain(OTHER_FUNCTIONS)
}

/// A number from the environment.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The length and the content of a round.
struct Round {
    seed: u64,
    length: Duration,
    jobs: u64,
    videos: u64,
}

#[tokio::test]
async fn killing_random_functions_loses_nothing() {
    let stack = Stack::open().await;
    let first = number("KILL_SEED", u64::from(std::process::id()));
    let rounds = (0..number("KILL_ROUNDS", 1)).map(|round| Round {
        seed: first + round,
        length: Duration::from_secs(number("KILL_SECONDS", 15)),
        jobs: number("KILL_JOBS", 20),
        videos: number("KILL_VIDEOS", 4),
    });
    let before = configure(&stack, |_, variables| {
        for (name, value) in LONG_TIMEOUTS {
            if variables.get(name).is_some() {
                variables[name] = json!(value);
            }
        }
    })
    .await;
    let all = async {
        for round in rounds {
            play(&stack, &round).await;
        }
    };
    let outcome = AssertUnwindSafe(all).catch_unwind().await;
    configure(&stack, |function, variables| *variables = before[function].clone()).await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// Changes the environments of all functions, ends their processes so that the next ones read them, and returns the
/// earlier environments.
pub(crate) async fn configure(stack: &Stack, edit: impl Fn(&'static str, &mut Value)) -> BTreeMap<&'static str, Value> {
    let mut before = BTreeMap::new();
    for function in functions() {
        let mut variables = stack.aws.variables(function).await;
        before.insert(function, variables.clone());
        edit(function, &mut variables);
        stack.aws.set_variables(function, &variables).await;
    }
    before
}

/// Submits jobs and videos while functions are killed, then checks that nothing is missing.
async fn play(stack: &Stack, round: &Round) {
    let (seed, seconds) = (round.seed, round.length.as_secs());
    println!("seed {seed}: {seconds} s, {} jobs, {} videos", round.jobs, round.videos);
    let end = Instant::now() + round.length;
    let (jobs, videos, killed) =
        tokio::join!(submit_jobs(stack, round), submit_videos(stack, round), kill_until(stack, seed, end));
    let last_kill = Instant::now();
    println!("seed {seed}: killed {} processes: {killed:?}", killed.values().sum::<usize>());
    assert_eq!(
        jobs.iter().chain(&videos).collect::<BTreeSet<_>>().len(),
        jobs.len() + videos.len(),
        "one job for each key"
    );

    until_all_ended(stack, &jobs, &videos, last_kill).await;
    println!("seed {seed}: everything ended {:.1} s after the last kill", last_kill.elapsed().as_secs_f64());

    for job in &jobs {
        assert_job_is_right(stack, job).await;
    }
    for video in &videos {
        assert_video_is_right(stack, video).await;
    }
    assert_delivered(stack, &jobs).await;
    assert_counts_are_right(stack).await;
    assert_eq!(stack.aws.admission().await.used(), 0, "every slot is free");
    stack.assert_queues_empty().await;
}

async fn submit_jobs(stack: &Stack, round: &Round) -> Vec<String> {
    let body = json!({
        "country": "US", "platform": "netflix", "genre": "Horror", "template": format!("studio:{SCENARIO}"),
    });
    let mut submitted = Vec::new();
    let mut ticks = paced(round.length, round.jobs);
    for n in 0..round.jobs {
        ticks.tick().await;
        let id = submit_with_retries(stack, "/api/generate", &key(round, "job", n), &body).await;
        // A viewer reads it; the answer does not matter here.
        let _ = stack.request(Method::GET, &format!("/api/job/{id}")).send().await;
        submitted.push(id);
    }
    submitted
}

async fn submit_videos(stack: &Stack, round: &Round) -> Vec<String> {
    let mut submitted = Vec::new();
    let mut ticks = paced(round.length, round.videos);
    for n in 0..round.videos {
        ticks.tick().await;
        let mut film = film(3, 1.0);
        film["webhookUrl"] = json!(format!("{}/hooks/{HOOK}", stack.studio));
        submitted.push(submit_with_retries(stack, "/api/generate-video-async", &key(round, "video", n), &film).await);
    }
    submitted
}

/// Spreads submissions evenly over a time.
fn paced(length: Duration, count: u64) -> tokio::time::Interval {
    let mut ticks = interval((length / u32::try_from(count.max(1)).expect("a few")).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn key(round: &Round, what: &str, n: u64) -> String {
    format!("{what}-{}-{}-{n}", std::process::id(), round.seed)
}

/// Retries until a function lives long enough to answer; the idempotency key makes one job of all attempts.
async fn submit_with_retries(stack: &Stack, path: &str, key: &str, body: &Value) -> String {
    let (deadline, mut ticks) = (Instant::now() + SUBMIT_TIMEOUT, interval(Duration::from_millis(200)));
    let mut last = String::new();
    while Instant::now() < deadline {
        ticks.tick().await;
        let sent = stack.request(Method::POST, path).header("idempotency-key", key).json_text(body).send().await;
        match sent {
            Ok(response) => {
                let (status, answer) = read(response).await;
                if matches!(status, 200 | 202) {
                    return answer["jobId"].as_str().expect("an id").to_owned();
                }
                assert!(status >= 500, "{path} was refused with {status}: {answer}");
                last = answer.to_string();
            }
            Err(error) => last = error.to_string(),
        }
    }
    panic!("{path} had no answer for {SUBMIT_TIMEOUT:?}: {last}");
}

/// Kills random processes and sweeps until a time, and returns the number of kills by function.
async fn kill_until(stack: &Stack, seed: u64, end: Instant) -> BTreeMap<&'static str, usize> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut killed, mut swept) = (BTreeMap::new(), Instant::now());
    while Instant::now() < end {
        let pause = Duration::from_millis(200 + random.below(800));
        interval_at(tokio::time::Instant::now() + pause, pause).tick().await;
        if let Some(function) = kill_one(stack, &mut random) {
            *killed.entry(function).or_default() += 1;
        }
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            sweep(stack).await;
        }
    }
    killed
}

/// Kills a process of a random function that is running.
pub(crate) fn kill_one(stack: &Stack, random: &mut Random) -> Option<&'static str> {
    // Most functions have no process at any given time.
    let mut running: BTreeMap<&'static str, Vec<u32>> = BTreeMap::new();
    for (name, pid) in stack.aws.all_processes() {
        if let Some(function) = functions().find(|known| *known == name) {
            running.entry(function).or_default().push(pid);
        }
    }
    let place = random.below(running.len() as u64) as usize;
    let (function, processes) = running.into_iter().nth(place)?;
    let pid = processes[random.below(processes.len() as u64) as usize];
    kill(pid).then_some(function)
}

/// The schedule's sweep, which may be killed as well.
pub(crate) async fn sweep(stack: &Stack) {
    let (_, error) = stack.aws.invoke("cleanup", &json!({})).await;
    if let Some(error) = error {
        println!("a sweep was killed, or failed: {error}");
    }
}

/// Waits until every job has ended, every delivery is made and every queue is empty, with a sweep now and then.
async fn until_all_ended(stack: &Stack, jobs: &[String], videos: &[String], since: Instant) {
    let (mut ticks, mut swept) = (interval(Duration::from_millis(500)), Instant::now());
    loop {
        ticks.tick().await;
        let mut left = Vec::new();
        for id in jobs.iter().chain(videos) {
            let job = stack.stored(id).await;
            if !job.status.is_final() {
                left.push((id, job.status));
            }
        }
        let waiting: Vec<_> = stack.aws.depths().await.into_iter().filter(|(_, depth)| *depth > 0).collect();
        if left.is_empty() && waiting.is_empty() && !stack.aws.is_busy().await {
            return;
        }
        assert!(since.elapsed() < RECOVERY, "after {RECOVERY:?} there is still {left:?} {waiting:?}");
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            sweep(stack).await;
        }
    }
}

/// A job has its video; or it has timed out, where none of its worker's last reports got through.
pub(crate) async fn assert_job_is_right(stack: &Stack, id: &str) {
    let job = stack.stored(id).await;
    if job.status == Status::Completed && job.run.video_url.is_some() {
        return;
    }
    let seen = stack.studio(&format!("/worker/jobs?job_id={id}")).await;
    let runs = seen["runs"].as_array().expect("runs").iter();
    let mut reports = runs.filter_map(|run| run["callbacks"].as_array()).flatten();
    let reported = reports.any(|report| report["step_number"] == 8 && report["http_status"] == 200);
    println!("{id} is {:?}: {:?}", job.status, job.run.error);
    assert!(!reported, "the worker has reported {id}'s end: {job:#?}");
}

/// A video is stored, its client was notified of it under one id, and every delivery about it has ended well.
pub(crate) async fn assert_video_is_right(stack: &Stack, id: &str) {
    let job = stack.stored(id).await;
    assert_eq!((job.status, job.videos().len()), (Status::Completed, 1), "{id}: {:?}", job.run.error);
    assert!(stack.aws.has_object(&job.videos()[0].key).await, "{id}: {}", job.videos()[0].key);
    for delivery in stack.aws.deliveries_of(&[id.to_owned()]).await {
        // `started` need not arrive once the video has ended.
        let superseded = delivery.event == OutboundEvent::VideoStarted && delivery.status == DeliveryStatus::Stopped;
        assert!(delivery.status == DeliveryStatus::Delivered || superseded, "{delivery:#?}");
    }
    let webhooks = stack
        .eventually(&format!("the client is notified of {id}"), || async {
            let webhooks = stack.webhooks(HOOK, id).await;
            webhooks.iter().any(|webhook| webhook["body"]["status"] == "completed").then_some(webhooks)
        })
        .await;
    for word in ["started", "completed"] {
        let of_word = webhooks.iter().filter(|webhook| webhook["body"]["status"] == word);
        let ids: BTreeSet<&str> = of_word.filter_map(|webhook| webhook["webhook_id"].as_str()).collect();
        assert!(ids.len() <= 1, "{id}: {word} was sent under {ids:?}");
    }
}

/// A xorshift generator: the same kills for the same seed, as far as the machine's own timing lets them be.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below this one.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound.max(1)
    }
}
