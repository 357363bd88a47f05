//! A job as an item and back: nothing is lost, and each index contains the right jobs.

use std::collections::BTreeSet;
use std::time::Duration;

use reelhook_app::change::AggregateStore;
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_domain::{
    Claim, Effect, Emitted, Engine, Event, EventId, ExternalRun, ExternalTask, Incomplete, Job, JobEffect, JobKind,
    Lane, LogEvent, LogLevel, Metadata, NoRetry, Origin, OutboundEvent, OwnerId, Polls, Priority, Recipients, RenderId,
    RenderState, RenderStatus, Request, Retries, Run, RunTimes, Service, Status, StepRecord, Steps, Timestamp, WebUrl,
    Worker,
};
use reelhook_testkit::{NOON, World, lived, policy};
use serde_json::{Value, json};

use super::{claimed, rendering, table, table_of, waiting};
use crate::replay::{dynamodb, ok};

pub(super) async fn item_of(job: &Job) -> Value {
    let (jobs, calls) = table(|_, _| ok());
    jobs.insert(job).await.unwrap();
    calls.only().at("/Item").clone()
}

/// The job that is read from an item at a time.
pub(super) async fn read_at(item: &Value, now: Timestamp) -> Option<Job> {
    let answer = json!({ "Item": item });
    let (client, _) = dynamodb(move |_, _| (200, answer.clone()));
    let world = World::default();
    world.set(now);
    table_of(client, world).load(&waiting().id).await.unwrap()
}

/// A job in which every member has a distinct value.
pub(super) fn full() -> Job {
    let at = |n: i64| Timestamp(NOON.millis() + n);
    let job = waiting();
    let steps = Steps {
        current: 8,
        last_sequence: Some(1_704_110_400_123),
        records: [
            (1, StepRecord { details: Some(json!({ "b": 1, "a": 0.1 })), duration: Some(12.345_678_901_234_567) }),
            (7, StepRecord { details: None, duration: None }),
        ]
        .into(),
        seen: vec!["1c100:key".to_owned(), "2s200:".to_owned()],
        extracted: Some("three movies".to_owned()),
    };
    let worker =
        Worker { id: Some("gpu-7".to_owned()), cancel_url: WebUrl::parse("https://worker.example/cancel"), done: true };
    let render = ExternalTask {
        service: Service::Creatomate,
        id: RenderId::parse("render_1").unwrap(),
        status: Some(RenderStatus::Rendering),
        polls: Some(Polls { since: Some(at(10)), made: 2, confirming: 3, next_at: at(11) }),
    };
    let run = Run {
        attempt: 2,
        start: reelhook_domain::Start {
            since: None,
            ready_at: at(7),
            hint_at: at(8),
            failures: 4,
            claims: 5,
            claim: Some(Claim { slot: "slot".to_owned(), lease_until: at(9) }),
        },
        times: RunTimes {
            started_at: Some(at(1)),
            completed_at: Some(at(2)),
            failed_at: Some(at(3)),
            cancelled_at: Some(at(4)),
            timed_out_at: Some(at(12)),
        },
        retry_after: Some(at(13)),
        progress: 95,
        caption: "Rendering".to_owned(),
        video_url: Some("https://x.example/v.mp4".to_owned()),
        error: Some("no \"quotes\"\n".to_owned()),
        no_retry: Some(NoRetry { reason: "reason".to_owned(), solution: "solution".to_owned() }),
        incomplete: Some(Incomplete::RenderTimeout),
        engine: Engine::External(ExternalRun { steps, worker, render: Some(render) }),
    };
    Job {
        version: 41,
        status: Status::Rendering,
        request: Request {
            input: json!({ "z": 1, "a": [0.1, 1e21, -0.0, 9_007_199_254_740_993_u64, null, true], "Série 🎬": { "1": "x", "0": "" } }),
            pause_after_extraction: true,
            callback: WebUrl::parse("https://client.example/hook"),
            metadata: Metadata::default(),
            priority: Priority::new(7).unwrap(),
        },
        deleted_at: None,
        updated_at: at(6),
        retries: Retries { used: 1, max: 3, by_hand_at: Some(at(14)) },
        run,
        due_at: Some(at(15)),
        emitted: vec![Emitted {
            about: None,
            id: EventId::of(&job.id, 40, 1),
            event: OutboundEvent::ScriptCompleted,
            version: 40,
            at: at(16),
        }],
        outbox: vec![
            Effect::Start { delay_s: 3 },
            Effect::FreeSlot { slot: "slot".to_owned() },
            Effect::Notify { event: OutboundEvent::Completed, to: Some(Recipients::Subscribers), about: None },
            Effect::Log {
                event: LogEvent::Note,
                level: LogLevel::Warning,
                message: "Série".to_owned(),
                details: json!({ "b": 1, "a": 2 }),
            },
            Effect::Count { status: Status::Failed, day: NOON.day(), entered: false },
            JobEffect::CheckRender { render: RenderId::parse("render_1").unwrap(), check: 1, delay_s: 2 }.into(),
            JobEffect::ApplyParked { render: RenderId::parse("render_1").unwrap() }.into(),
            JobEffect::CancelWorker { attempt: 1, url: WebUrl::parse("https://worker.example/cancel").unwrap() }.into(),
        ],
        ..job
    }
}

#[tokio::test]
async fn a_job_with_every_member_set_is_read_as_it_was_written() {
    let job = full();
    let read = read_at(&item_of(&job).await, NOON).await.unwrap();
    assert_eq!(read, job);
    // Equal maps may differ in order, and equal numbers in sign, but the signed bytes must be the same.
    assert_eq!(item_of(&read).await["body"], item_of(&job).await["body"]);
}

#[tokio::test]
async fn jobs_of_every_status_are_read_as_they_were_written() {
    for job in [waiting(), claimed(), rendering(), completed(), failed(), cancelled(), awaiting_video()] {
        let read = read_at(&item_of(&job).await, NOON).await.unwrap();
        assert_eq!(read, job);
    }
}

fn happen(job: Job, event: Event) -> Job {
    lived(job, &[event], NOON, &policy())
}

fn completed() -> Job {
    happen(rendering(), Event::Complete { video_url: WebUrl::parse("https://x.example/v.mp4").unwrap() })
}

fn failed() -> Job {
    happen(waiting(), Event::RunFailed { attempt: 1, error: "Insufficient credits".to_owned() })
}

fn cancelled() -> Job {
    happen(waiting(), Event::Cancel)
}

fn deleted() -> Job {
    happen(cancelled(), Event::Delete)
}

/// A job that was completed by a render timeout, with a late success that is being confirmed.
fn awaiting_video() -> Job {
    let render = RenderId::parse("render_1").unwrap();
    let timed_out = happen(rendering(), Event::RenderChecked { render: render.clone(), state: None, check: 4 });
    let state = RenderState { status: RenderStatus::Succeeded, url: None, error: None };
    happen(timed_out, Event::RenderReported { render, state, confirmable: true })
}

/// The attributes of the indexes.
fn index_attributes(item: &Value) -> BTreeSet<String> {
    const OWN: [&str; 8] = ["id", "version", "schema", "write_id", "status", "created_at", "body", "outbox"];
    item.as_object().unwrap().keys().filter(|name| !OWN.contains(&name.as_str())).cloned().collect()
}

#[tokio::test]
async fn each_status_has_the_index_attributes_that_it_needs() {
    let check = async |job: Job, expected: &[&str]| {
        let item = item_of(&job).await;
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(index_attributes(&item), expected, "{:?}", job.status);
        assert_eq!(item["status"], json!({ "S": job.status.name() }));
        assert_eq!(item["schema"], json!({ "N": "1" }));
        item
    };
    let active = ["status_month", "due_shard", "due_at", "active", "active_rank"];
    let item = check(waiting(), &active).await;
    assert_eq!(item["status_month"], json!({ "S": "pending#2024-01" }));
    let video = check(Job { kind: JobKind::Video, ..waiting() }, &active).await;
    assert_eq!(
        video["status_month"],
        json!({ "S": "vidbuilder.pending#2024-01" }),
        "StreamGank's lists do not contain it"
    );
    let owned = Origin { owner: OwnerId::parse("ann"), ..Origin::default() };
    let of_ann = check(Job { origin: owned.clone(), ..waiting() }, &[&active[..], &["owner"]].concat()).await;
    assert_eq!(of_ann["owner"], json!({ "S": "ann" }));
    assert_eq!(read_at(&of_ann, NOON).await.map(|job| job.origin), Some(owned));
    assert_eq!(item["active"], json!({ "S": "active" }));
    let lane = Lane::of_key("caller");
    assert_eq!(item["active_rank"], json!({ "S": format!("pending#o{lane}4#01704110400000") }));
    let of_none = check(Job { origin: Origin::default(), ..waiting() }, &active).await;
    assert_eq!(of_none["active_rank"], json!({ "S": "pending#01704110400000" }), "as before there were lanes");
    assert_eq!(item["due_at"], json!({ "N": NOON.after(Duration::from_secs(60)).0.to_string() }));
    let shard = reelhook_app::outbox::sweep::shard(waiting().id.as_str());
    assert_eq!(item["due_shard"], json!({ "S": format!("due#{shard}") }));

    let item = check(claimed(), &active).await;
    assert_eq!(item["active_rank"], json!({ "S": "starting#01704110400000" }), "it is not among the waiting jobs");

    let item = check(rendering(), &[&active[..], &["render_id"]].concat()).await;
    assert_eq!(item["render_id"], json!({ "S": "render_1" }));
    assert_eq!(item["active_rank"], json!({ "S": "rendering#01704110400000" }));

    for job in [completed(), failed(), cancelled()] {
        let render = job.render_id().is_some();
        let expected: &[&str] =
            if render { &["status_month", "expires_at", "render_id"] } else { &["status_month", "expires_at"] };
        let item = check(job, expected).await;
        assert_eq!(item["expires_at"], json!({ "N": (NOON.seconds() + 30 * 24 * 3600).to_string() }));
    }
    // The only final state with a pending result.
    check(awaiting_video(), &["status_month", "expires_at", "render_id", "due_shard", "due_at"]).await;

    let item = check(deleted(), &["expires_at"]).await;
    assert_eq!(
        item["expires_at"],
        json!({ "N": (NOON.seconds() + 3 * 24 * 3600).to_string() }),
        "kept for longer than the stream"
    );
}

#[tokio::test]
async fn the_outbox_is_an_attribute_of_its_own_and_absent_if_empty() {
    let item = item_of(&waiting()).await;
    let body: Value = serde_json::from_str(item["body"]["S"].as_str().unwrap()).unwrap();
    assert!(body.get("outbox").is_none(), "indexes and readers of the body do not pay for it");
    let outbox: Value = serde_json::from_str(item["outbox"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(outbox[0], json!({ "kind": "start.v1", "delay_s": 0 }));
    let mut quiet = waiting();
    quiet.outbox.clear();
    assert!(item_of(&quiet).await.get("outbox").is_none());
}

#[tokio::test]
async fn an_expired_item_is_not_read() {
    let item = item_of(&cancelled()).await;
    let end = NOON.after(Duration::from_secs(30 * 24 * 3600));
    assert!(read_at(&item, Timestamp(end.0 - 1)).await.is_some());
    assert_eq!(read_at(&item, end).await, None, "TTL removes late");
}

#[tokio::test]
async fn a_deleted_job_is_read_so_that_late_callbacks_find_it() {
    let read = read_at(&item_of(&deleted()).await, NOON).await.unwrap();
    assert_eq!(read.deleted_at, Some(NOON));
}
