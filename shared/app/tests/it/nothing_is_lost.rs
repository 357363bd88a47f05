//! Nothing is lost: messages are lost, stores are busy, the stream is replayed, and the due sweep repairs everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use reelhook_app::Url;
use reelhook_app::change::change;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::reconcile::reconcile;
use reelhook_app::outbound::OutboundError;
use reelhook_app::outbox::messages::DeliveryMessage;
use reelhook_app::outbox::repair::{Cursor, repair};
use reelhook_domain::{DeliveryStatus, Event, Job, JobId, Status, StepStatus, Timestamp};
use reelhook_testkit::{Answer, Fault, Faults, Stack, body_of, header, response, run, step};
use serde_json::json;

const JOBS: u32 = 50;
const VIDEO: &str = "https://cdn.creatomate.example/video.mp4";

/// A deterministic random source (xorshift).
struct Dice(Mutex<u64>);

impl Dice {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(seed)))
    }

    /// True with a probability of `percent`.
    fn hits(&self, percent: u64) -> bool {
        let mut state = self.0.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % 100 < percent
    }
}

/// An unreliable worker, an unreliable Creatomate and two unreliable receivers.
struct Outside {
    /// Reports that workers are about to send.
    reports: Mutex<Vec<(Timestamp, JobId, Event)>>,
    /// Whether Creatomate still knows the renders.
    renders_known: AtomicBool,
    /// The number of requests for each receiver and `webhook-id`.
    received: Mutex<BTreeMap<(String, String), u32>>,
}

impl Outside {
    fn of(stack: &Stack, dice: &Arc<Dice>) -> Arc<Self> {
        let outside = Arc::new(Self {
            reports: Mutex::default(),
            renders_known: AtomicBool::new(true),
            received: Mutex::default(),
        });
        let (this, dice, world) = (Arc::clone(&outside), Arc::clone(dice), Arc::clone(&stack.world));
        stack.http.script(move |request| match request.url.host_str() {
            Some("worker.example") => this.work(&body_of(request), world.now(), &dice),
            Some("api.creatomate.example") if !this.renders_known.load(Ordering::Relaxed) => Ok(response(404, "")),
            Some("api.creatomate.example") if dice.hits(40) => Err(OutboundError::TimedOut(10_000)),
            Some("api.creatomate.example") if dice.hits(50) => Ok(response(200, r#"{"status": "rendering"}"#)),
            Some("api.creatomate.example") => {
                Ok(response(200, json!({ "status": "succeeded", "url": VIDEO }).to_string()))
            }
            Some(receiver) => {
                let id = header(request, "webhook-id");
                *this.received.lock().unwrap().entry((receiver.to_owned(), id)).or_default() += 1;
                // The receiver has the webhook, but does not always respond with success.
                match (dice.hits(10), dice.hits(10)) {
                    (true, _) => Ok(response(500, "")),
                    (_, true) => Err(OutboundError::TimedOut(10_000)),
                    _ => Ok(response(200, "")),
                }
            }
            None => Err(OutboundError::Refused),
        });
        outside
    }

    /// Accepts most runs and plans their reports; a run that is requested twice is reported twice.
    fn work(&self, body: &serde_json::Value, now: Timestamp, dice: &Dice) -> Answer {
        if body.get("parameters").is_none() {
            return Ok(response(200, ""));
        }
        if dice.hits(20) {
            return Ok(response(503, ""));
        }
        let id = JobId::parse(body["job_id"].as_str().unwrap()).unwrap();
        let attempt = u32::try_from(body["attempt"].as_u64().unwrap()).unwrap();
        let n: u32 = id.as_str()[id.as_str().len() - 4..].parse().unwrap();
        let mut at = now;
        for event in reports(n, attempt) {
            at = Timestamp(at.0 + 11_000);
            self.reports.lock().unwrap().push((at, id.clone(), event));
        }
        // The run starts; the response is sometimes lost.
        if dice.hits(10) { Err(OutboundError::Reset) } else { Ok(response(200, r#"{"accepted": true}"#)) }
    }

    /// The number of requests to receivers.
    fn received(&self) -> u32 {
        self.received.lock().unwrap().values().sum()
    }

    /// Sends the reports that are due; workers try once, and conflicts are retried inside.
    async fn report(&self, stack: &Stack) {
        let now = stack.world.now();
        let mut due: Vec<_> = self.reports.lock().unwrap().extract_if(.., |(at, _, _)| *at <= now).collect();
        due.sort_by_key(|(at, _, _)| *at);
        for (_, id, event) in due {
            change(&*stack.jobs, &*stack.world, &stack.policy, &id, &event).await.unwrap();
        }
    }
}

/// The worker's reports of job `n`: by its number a run succeeds, ends with a render, fails once, fails for good, or
/// is never reported again.
fn reports(n: u32, attempt: u32) -> Vec<Event> {
    let failed = |error: &str| {
        let Event::Step { attempt, mut update } = step(attempt, 3, StepStatus::Failed, None) else { unreachable!() };
        update.error = Some(error.to_owned());
        vec![step(1, 0, StepStatus::Started, None), Event::Step { attempt, update }]
    };
    match (n % 5, attempt) {
        (0, _) => run(attempt, None),
        (1, _) => run(attempt, Some(&format!("render_{n}"))),
        (2, 1) => failed("browser crashed"),
        (2, _) => run(attempt, None),
        (3, _) => failed("Insufficient credits"),
        _ => Vec::new(),
    }
}

fn expected_end(n: u32) -> Status {
    if n % 5 < 3 { Status::Completed } else { Status::Failed }
}

fn all_done(stack: &Stack) -> bool {
    stack.jobs.all().iter().all(|job| job.status.is_final()) && stack.deliveries.unfinished() == 0
}

/// The faults of each fake, with the operations that have them.
fn unreliable(stack: &Stack) -> [(&Faults, &'static [&'static str]); 6] {
    [
        (&stack.fanout.faults, &["put_logs", "put_event", "put_due", "put_delivery", "count"]),
        (&stack.deliveries.faults, &["load", "keep", "save", "admit", "report", "endpoint", "remove_due"]),
        (&stack.jobs.faults, &["claim", "save_admission", "ready", "admission"]),
        (&stack.work.faults, &["send"]),
        (&stack.hints.faults, &["send"]),
        (&stack.due.faults, &["due_jobs", "due_deliveries"]),
    ]
}

/// Faults of the next calls, in a tenth of all cases.
fn trouble(stack: &Stack, dice: &Dice) {
    for (faults, operations) in unreliable(stack) {
        faults.clear();
        for operation in operations.iter().filter(|_| dice.hits(10)) {
            faults.inject(operation, [if dice.hits(50) { Fault::Busy } else { Fault::LostAnswer }]);
        }
    }
}

/// Removes all faults.
fn calm(stack: &Stack) {
    for (faults, _) in unreliable(stack) {
        faults.clear();
    }
}

/// The launcher and the dispatcher process the visible messages; a message whose processing fails is lost.
async fn work_through(stack: &Stack) {
    for message in stack.work.receive() {
        let _lost = stack.work_on(&message).await;
    }
    for batch in stack.hints.receive().chunks(10) {
        let named: Vec<_> = batch.iter().flat_map(DeliveryMessage::deliveries).collect();
        let _lost = reelhook_app::webhooks::deliver::deliver(&stack.deliver_ports(), &named).await;
    }
}

/// Checks that every job has the expected end, every delivery arrived under one id, and the counters are correct.
fn check_end(stack: &Stack, outside: &Outside) {
    let jobs = stack.jobs.all();
    assert_eq!(jobs.len(), JOBS as usize);
    for (n, job) in (0..).zip(&jobs) {
        assert_eq!(job.status, expected_end(n), "{n}: {job:?}");
        assert_eq!(job.due_at, None);
        let notified: BTreeSet<_> =
            stack.deliveries.of_job(&job.id).iter().map(|delivery| delivery.event_id.clone()).collect();
        let emitted: BTreeSet<_> = job.emitted.iter().map(|emitted| emitted.id.clone()).collect();
        assert_eq!(notified, emitted, "{n}");
        assert_eq!(stack.deliveries.of_job(&job.id).len(), emitted.len() * 2, "{n}");
    }
    let received = outside.received.lock().unwrap();
    for delivery in stack.deliveries.all() {
        assert_eq!(delivery.status, DeliveryStatus::Delivered, "{delivery:?}");
        let receiver = Url::parse(&stack.settings.endpoint(&delivery.endpoint_id).unwrap().shown()).unwrap();
        let receiver = receiver.host_str().unwrap().to_owned();
        assert!(received.contains_key(&(receiver, delivery.id.webhook_id())), "{delivery:?} never arrived");
    }
    assert_eq!(received.len(), stack.deliveries.all().len(), "no other id arrived");
    let counts = stack.jobs.counts();
    let counted = |status: Status| u64::try_from(stack.fanout.counted(status, "2024-01-01")).unwrap();
    assert_eq!((counted(Status::Completed), counted(Status::Failed)), (counts.completed, counts.failed));
    assert_eq!((counts.completed, counts.failed, counts.total()), (30, 20, 50));
}

fn burst() -> Stack {
    let urls = ("WEBHOOK_URLS", "https://one.example/,https://two.example/");
    let stack = Stack::with(&[urls, ("WEBHOOK_MAX_RETRIES", "20")], 5);
    for n in 0..JOBS {
        stack.submit(n);
    }
    stack
}

#[tokio::test]
async fn fifty_jobs_end_and_notify_although_any_message_may_be_lost() {
    for seed in [0x9e37_79b9_7f4a_7c15, 42, 7_000_003] {
        let (stack, dice) = (burst(), Dice::new(seed));
        let outside = Outside::of(&stack, &dice);
        for round in 0.. {
            assert!(round < 24 * 60, "not done after a day: {:?}", stack.jobs.counts());
            stack.world.advance_s(60);
            outside.report(&stack).await;
            trouble(&stack, &dice);
            let _checkpoint = stack.follow_stream().await;
            // All messages of the queues are lost.
            stack.work.purge();
            stack.hints.purge();
            stack.sweep().await;
            let _checkpoint = stack.follow_stream().await;
            // Half of the sweep's own hints are lost as well.
            stack.work.retain(|_| dice.hits(50));
            stack.hints.retain(|_| dice.hits(50));
            work_through(&stack).await;
            calm(&stack);
            if round % 30 == 29 {
                stack.replay_stream().await;
            }
            if all_done(&stack) && stack.follow_stream().await.is_ok() && all_done(&stack) {
                break;
            }
        }
        check_end(&stack, &outside);
        assert!(stack.jobs.admission_item().active.is_empty(), "no slot is held");
        for (faults, operations) in unreliable(&stack) {
            // A fault of an operation that no port has would never happen.
            assert!(operations.iter().all(|operation| faults.calls(operation) > 0), "{operations:?}");
        }

        // A replay of the whole stream sends receivers nothing new, changes no count and leaves no message.
        // It repeats checks of renders too; a success that is found only now would be notified.
        outside.renders_known.store(false, Ordering::Relaxed);
        let (received, deliveries) = (outside.received(), stack.deliveries.all());
        stack.replay_stream().await;
        stack.settle().await;
        stack.world.advance_s(3600);
        stack.settle().await;
        assert_eq!(outside.received(), received);
        assert!(stack.deliveries.all() == deliveries, "a delivery changed");
        check_end(&stack, &outside);
        assert!(stack.work.waiting().is_empty() && stack.hints.waiting().is_empty());
    }
}

#[tokio::test]
async fn fifty_jobs_end_although_the_stream_is_lost_and_then_repaired() {
    let (stack, dice) = (burst(), Dice::new(3));
    let outside = Outside::of(&stack, &dice);
    for round in 0.. {
        assert!(round < 3 * 24 * 60, "not done after three days: {:?}", stack.jobs.counts());
        stack.world.advance_s(60);
        outside.report(&stack).await;
        // The records of the stream are lost. The only hints are sent by hand.
        stack.drop_stream();
        stack.sweep().await;
        stack.drop_stream();
        let _lost = stack.work_on(&reelhook_app::outbox::messages::WorkMessage::start()).await;
        for job in stack.jobs.all() {
            check_renders(&stack, &job).await;
        }
        if stack.jobs.all().iter().all(|job| job.status.is_final()) {
            break;
        }
    }
    assert!(stack.deliveries.all().is_empty());
    stack.drop_stream();
    let mut cursor = Some(Cursor::default());
    while let Some(at) = cursor {
        let subscriptions = stack.subscriptions().await;
        cursor =
            repair(&stack.repair_ports(&subscriptions), Timestamp::EPOCH, at, stack.world.now()).await.unwrap().cursor;
    }
    for _ in 0..600 {
        stack.dispatch().await;
        stack.world.advance_s(5);
        if all_done(&stack) {
            break;
        }
    }
    for _ in 0..2 {
        reconcile(&stack.fanout, Timestamp(reelhook_testkit::NOON.millis() + 1)).await.unwrap();
    }
    check_end(&stack, &outside);
}

/// Repeats the check of a lost `CheckRender`.
async fn check_renders(stack: &Stack, job: &Job) {
    let Some(render) = job.render_id().filter(|_| job.status == Status::Rendering) else { return };
    let message = reelhook_app::outbox::messages::WorkMessage::CheckRender {
        job_id: job.id.clone(),
        render: render.clone(),
        check: 0,
    };
    stack.work_on(&message).await.unwrap();
}
