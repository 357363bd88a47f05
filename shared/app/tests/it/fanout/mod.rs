//! From outboxes to rows and messages: the plan of each effect, replays without effect, and checkpoints of batches.

mod checkpoint;
mod clips;
mod plan;
mod projects;
mod replay;
mod rows;

use std::time::Duration;

use reelhook_domain::{
    Effect, Job, JobEffect, LogEvent, LogLevel, LogTally, OutboundEvent, Recipients, RenderId, Status, WebUrl,
};
use reelhook_testkit::{NOON, Stack, make_job, policy};
use serde_json::json;

/// Two receivers, so that one event has two deliveries.
const TWO: (&str, &str) = ("WEBHOOK_URLS", "https://a.example/,https://b.example/");

fn stack() -> Stack {
    let stack = Stack::with(&[TWO], 3);
    stack.world.advance_s(155);
    stack
}

/// Job number `n`, completed in version 7, with these effects in its outbox.
fn record(n: u32, outbox: Vec<Effect>) -> Job {
    let mut job = make_job(n, NOON, &policy());
    job.version = 7;
    job.status = Status::Completed;
    job.run.times.started_at = Some(NOON.after(Duration::from_secs(1)));
    job.run.times.completed_at = Some(NOON.after(Duration::from_secs(155)));
    job.updated_at = NOON.after(Duration::from_secs(155));
    job.due_at = None;
    job.outbox = outbox;
    job
}

fn slot(n: u32) -> String {
    format!("job_{}_{n:04}.1.1", NOON.millis())
}

fn render() -> RenderId {
    RenderId::parse("render_1").unwrap()
}

/// One effect of each kind.
fn every_effect(n: u32) -> Vec<Effect> {
    vec![
        Effect::Log {
            event: LogEvent::Completed,
            level: LogLevel::Success,
            message: "Done".to_owned(),
            details: json!({ "step_number": 8 }),
        },
        Effect::Notify { event: OutboundEvent::Completed, to: Some(Recipients::Subscribers), about: None },
        Effect::Count { status: Status::Completed, day: NOON.day(), entered: true },
        Effect::FreeSlot { slot: slot(n) },
        Effect::Start { delay_s: 30 },
        JobEffect::CheckRender { render: render(), check: 2, delay_s: 4 }.into(),
        JobEffect::ApplyParked { render: render() }.into(),
        JobEffect::CancelWorker { attempt: 1, url: WebUrl::parse("https://worker.example/cancel").unwrap() }.into(),
        Effect::CountLog { day: NOON.day(), log: LogTally { success: 1, bytes: 21, ..LogTally::default() } },
        Effect::PackHistory,
    ]
}

/// Leases the slots that these jobs are about to free; other jobs wait for them.
fn hold_slots(stack: &Stack, jobs: impl IntoIterator<Item = u32>) {
    stack.jobs.change_admission(|admission| {
        admission.left_at = Some(NOON.after(Duration::from_secs(155)));
        for n in jobs {
            admission.active.insert(slot(n), NOON.after(Duration::from_secs(3600)));
        }
    });
}
