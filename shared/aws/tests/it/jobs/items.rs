//! A job as an item and back: nothing is lost, and each index contains the right jobs.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::change::AggregateStore;
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_app::outbox::fanout::Viewers;
use reelhook_app::store::StoreError;
use reelhook_aws::items::packed::StoredForm;
use reelhook_domain::{
    Claim, Effect, Emitted, Engine, Event, EventId, ExternalRun, ExternalTask, HistorySource, Incomplete, Job,
    JobEffect, JobKind, Lane, LogEvent, LogLevel, Metadata, NoRetry, Origin, OutboundEvent, OwnerId, Polls, Priority,
    Recipients, RenderId, RenderState, RenderStatus, Request, Retries, Run, RunTimes, Service, Status, StepRecord,
    Steps, Timestamp, WebUrl, Worker,
};
use reelhook_testkit::{NOON, World, lived, policy, run, started};
use serde_json::{Value, json};

use super::{claimed, rendering, table, table_of, waiting};
use crate::opened::opened;
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
        history: rendering().history,
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
    const OWN: [&str; 5] = ["id", "version", "write_id", "body", "outbox"];
    item.as_object().unwrap().keys().filter(|name| !OWN.contains(&name.as_str())).cloned().collect()
}

#[tokio::test]
async fn each_status_has_the_index_attributes_that_it_needs() {
    let check = async |job: Job, expected: &[&str]| {
        let item = item_of(&job).await;
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(index_attributes(&item), expected, "{:?}", job.status);
        item
    };
    let active = ["active", "active_rank"];
    let item = check(waiting(), &active).await;
    let lane = Lane::of_key("caller");
    let video = check(Job { kind: JobKind::Video, ..waiting() }, &active).await;
    assert_eq!(video["active_rank"], json!({ "S": format!("pending#o{lane}4#01704110400000#1704110400000#video") }));
    let owned = Origin { owner: OwnerId::parse("ann"), ..Origin::default() };
    let of_ann =
        check(Job { origin: owned.clone(), ..waiting() }, &[&active[..], &["owner", "created_at"]].concat()).await;
    assert_eq!(of_ann["owner"], json!({ "S": "ann" }));
    assert_eq!(read_at(&of_ann, NOON).await.map(|job| job.origin), Some(owned));
    assert_eq!(item["active"], json!({ "S": "active" }));
    assert_eq!(item["active_rank"], json!({ "S": format!("pending#o{lane}4#01704110400000#1704110400000") }));
    let of_none = check(Job { origin: Origin::default(), ..waiting() }, &active).await;
    assert_eq!(of_none["active_rank"], json!({ "S": "pending#01704110400000#1704110400000" }), "it has no lane");
    let mut urgent = waiting();
    urgent.request.priority = Priority::new(9).unwrap();
    let urgent = check(urgent, &active).await;
    assert_eq!(urgent["active_rank"], json!({ "S": format!("pending#o{lane}0#01704110400000#1704110400000") }));

    let item = check(claimed(), &active).await;
    let keys = ["active", "active_rank", "due_shard", "due_at", "status_month"];
    let before = check(waiting(), &active).await;
    assert_eq!(keys.map(|key| &item[key]), keys.map(|key| &before[key]), "a claim moves no entry of an index");

    let item = check(rendering(), &[&active[..], &["render_id"]].concat()).await;
    assert_eq!(item["render_id"], json!({ "S": "render_1" }));
    assert_eq!(item["active_rank"], json!({ "S": "rendering#01704110520000#1704110400000" }));

    for job in [completed(), failed(), cancelled()] {
        let render = job.render_id().is_some();
        let ended = ["status_month", "created_at", "expires_at"];
        let expected = if render { [&ended[..], &["render_id"]].concat() } else { ended.to_vec() };
        let status = job.status.name();
        let item = check(job, &expected).await;
        assert_eq!(item["status_month"], json!({ "S": format!("{status}#2024-01") }));
        assert_eq!(item["expires_at"], json!({ "N": (NOON.seconds() + 30 * 24 * 3600).to_string() }));
    }
    // The only final state with a pending result.
    let confirming = ["status_month", "created_at", "expires_at", "render_id", "active", "active_rank"];
    let item = check(awaiting_video(), &confirming).await;
    assert_eq!(item["active"], json!({ "S": "confirming" }), "it is not counted as under way");
    let video = check(Job { kind: JobKind::Video, ..cancelled() }, &["status_month", "created_at", "expires_at"]).await;
    assert_eq!(
        video["status_month"],
        json!({ "S": "vidbuilder.cancelled#2024-01" }),
        "StreamGank's lists do not contain it"
    );

    let item = check(deleted(), &["expires_at"]).await;
    assert_eq!(
        item["expires_at"],
        json!({ "N": (NOON.seconds() + 3 * 24 * 3600).to_string() }),
        "kept for longer than the stream"
    );
}

/// The keys of a job in each index; none where it is not.
fn keys(item: &Value) -> [Option<String>; 5] {
    let key = |names: [&str; 2]| {
        item.get(names[0])?;
        Some(names.iter().map(|name| item[*name].to_string()).collect())
    };
    [
        key(["active", "active_rank"]),
        key(["status_month", "created_at"]),
        key(["due_shard", "due_at"]),
        key(["owner", "created_at"]),
        key(["render_id", "id"]),
    ]
}

#[tokio::test]
async fn a_step_moves_no_index_entry() {
    let events = [vec![Event::Claim, started(1)], run(1, Some("render_1"))].concat();
    let end = Event::Complete { video_url: WebUrl::parse("https://x.example/v.mp4").unwrap() };
    let (mut job, mut before, mut writes) = (waiting(), [const { None }; 5], Vec::new());
    for event in [None].into_iter().chain(events.into_iter().chain([end]).map(Some)) {
        if let Some(event) = event {
            job = happen(job, event);
        }
        let now = keys(&item_of(&job).await);
        // An entry that is added or removed is one write, one that moves is two.
        let of_index = |(old, new): (&Option<String>, &Option<String>)| match (old, new) {
            (Some(old), Some(new)) => {
                if old == new {
                    0
                } else {
                    2
                }
            }
            (Some(_), None) | (None, Some(_)) => 1,
            (None, None) => 0,
        };
        writes.push(before.iter().zip(&now).map(of_index).sum::<u32>());
        before = now;
    }
    let (made, claimed_and_started, steps) = (writes[0], &writes[1..3], &writes[3..writes.len() - 2]);
    assert_eq!((made, claimed_and_started), (1, &[0, 2][..]), "{writes:?}");
    assert!(steps.iter().sum::<u32>() <= 1 && steps.len() >= 14, "only the render's id is indexed: {writes:?}");
    // It waits for its render, and has ended.
    assert_eq!(writes[writes.len() - 2..].iter().sum::<u32>() + steps.iter().sum::<u32>(), 5, "{writes:?}");
}

#[tokio::test]
async fn the_outbox_is_in_the_body_and_marked_unless_it_is_empty() {
    let item = item_of(&waiting()).await;
    assert_eq!(item["outbox"], json!({ "S": r#"[{"kind":"body"}]"# }), "the filter of every version lets it through");
    let outbox: Value = serde_json::from_str(opened(&item)["outbox"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(outbox[0], json!({ "kind": "start.v1", "delay_s": 0 }));
    let mut quiet = waiting();
    quiet.outbox.clear();
    assert!(item_of(&quiet).await.get("outbox").is_none());
}

#[tokio::test]
async fn the_history_is_in_the_body_and_an_item_without_one_has_the_former_schema() {
    let item = opened(&item_of(&claimed()).await);
    let body: Value = serde_json::from_str(item["body"]["S"].as_str().unwrap()).unwrap();
    let line = json!({ "n": 1, "event_type": "job_queued", "level": "info", "message": "Job added to the queue" });
    let versions = json!([{ "v": 1, "at": NOON.millis(), "lines": [line] }]);
    assert_eq!((&body["history"]["since"], &body["history"]["versions"]), (&json!(0), &versions));
    let older = Job { history: None, ..claimed() };
    // Functions of versions before 0.3 drop histories, which the schema tells; they read texts only.
    for (job, schema) in [(claimed(), "2"), (older, "1")] {
        let (jobs, calls) = table(|_, _| ok());
        jobs.storing(StoredForm::Text).save(&job).await.unwrap();
        let item = calls.only().at("/Item").clone();
        assert_eq!(item["schema"], json!({ "N": schema }));
        assert_eq!(read_at(&item, NOON).await, Some(job));
    }
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

#[tokio::test]
async fn an_outbox_that_needs_no_fanout_is_kept_from_the_stream_s_filter_and_read_all_the_same() {
    let mut item = item_of(&waiting()).await;
    item.as_object_mut().unwrap().remove("outbox").unwrap();
    assert_eq!(read_at(&item, NOON).await, Some(waiting()));
}

/// Whether there are viewers.
struct Watched(bool);

#[async_trait]
impl Viewers for Watched {
    async fn note(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn any(&self, _: Timestamp) -> Result<bool, StoreError> {
        Ok(self.0)
    }
}

#[tokio::test]
async fn progress_that_the_item_keeps_passes_the_stream_s_filter_only_for_viewers() {
    let progressed = lived(waiting(), &[Event::Claim, started(1)], NOON, &policy());
    for watched in [false, true] {
        let (jobs, calls) = table(|_, _| ok());
        jobs.with_viewers(Watched(watched)).save(&progressed).await.unwrap();
        let item = calls.only().at("/Item").clone();
        let is_quiet = progressed.keeps_history() && !watched;
        assert_eq!(item["outbox"].is_null(), is_quiet, "viewers: {watched}");
        assert_eq!(read_at(&item, NOON).await, Some(progressed.clone()));
    }
}
