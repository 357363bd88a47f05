//! Reports of the clipping worker: which submission of which job each means, and what it changes.

use futures_util::future::join_all;
use reelhook_app::change::ChangeError;
use reelhook_app::clips::reports::files::WorkerFiles;
use reelhook_app::clips::reports::{Inbound, Received, ReportPorts, Submission, receive};
use reelhook_app::clips::store::ClipLookups;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::errors::steps::ErrorChange;
use reelhook_domain::clips::event::Event;
use reelhook_domain::errors::cause::{Cause, Raise};
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJob, ClipJobId, ClipPolicy, ClipStatus, CreditEffect, Effect, RenderId, WebUrl};
use reelhook_testkit::{Fault, MemoryClips, MemorySteps, NOON, World, a_clip_job, clipping_worker};
use serde_json::{Value, json};

/// The worker has job 1 as `abc-123`, and forgot job 2 once: its second submission is `abc-456`.
struct Fixture {
    world: World,
    jobs: MemoryClips,
    errors: MemorySteps,
    policy: ClipPolicy,
    files: WorkerFiles,
}

impl Fixture {
    async fn new() -> Self {
        let policy = ClipPolicy { has_worker: true, ..ClipPolicy::default() };
        let (world, jobs, errors) = (World::default(), MemoryClips::default(), MemorySteps::default());
        let fixture = Self { world, jobs, errors, policy, files: clipping_worker().files };
        for n in [1, 2] {
            fixture.jobs.put(&a_clip_job(n, NOON, &fixture.policy));
        }
        let submitted = |number: u32, id: &str| Event::Submitted { number, id: RenderId::parse(id).unwrap() };
        fixture.apply(1, &[Event::ClaimSubmission, submitted(1, "abc-123")]);
        let forgotten = Event::PollFailed { number: 1, missing: true };
        fixture.apply(2, &[Event::ClaimSubmission, submitted(1, "abc-234"), forgotten.clone(), forgotten]);
        fixture.apply(2, &[Event::ClaimSubmission, submitted(2, "abc-456")]);
        let second = id(2);
        for (named, job, number) in [
            ("abc-123", id(1), 1),
            ("abc-234", second.clone(), 1),
            ("abc-456", second.clone(), 2),
            (second.external_id(2).as_str(), second.clone(), 2),
        ] {
            fixture.jobs.remember(named, &job, number).await.unwrap();
        }
        fixture
    }

    /// Applies events, ten minutes apart.
    fn apply(&self, n: u32, events: &[Event]) {
        for event in events {
            self.world.advance_s(600);
            assert!(self.jobs.apply(&id(n), event, self.world.now(), &self.policy), "{event:?}");
        }
    }

    async fn send(&self, token: Option<(u32, u32)>, body: Value) -> Received {
        self.call("call-1", token, body).await.unwrap()
    }

    /// Processes the call with this id.
    async fn call(&self, request_id: &str, token: Option<(u32, u32)>, body: Value) -> Result<Received, ChangeError> {
        let ports = ReportPorts {
            jobs: &self.jobs,
            lookups: &self.jobs,
            errors: &self.errors,
            clock: &self.world,
            policy: &self.policy,
            files: &self.files,
        };
        let token = token.map(|(n, number)| Submission { job: id(n), number });
        receive(&ports, &Inbound { token, body, request_id: request_id.to_owned() }).await
    }

    fn job(&self, n: u32) -> ClipJob {
        self.jobs.get(&id(n))
    }

    fn progress(&self) -> [u8; 2] {
        [1, 2].map(|n| self.job(n).run.progress)
    }

    /// What was raised so far.
    fn raised(&self) -> Vec<Raise> {
        let raise = |change: ErrorChange| match change {
            ErrorChange::Raise(raise) => raise,
            ErrorChange::Resolve(resolve) => panic!("resolved: {resolve:?}"),
        };
        self.errors.all().into_iter().map(|step| raise(step.change)).collect()
    }
}

/// The id of job number `n`.
fn id(n: u32) -> ClipJobId {
    ClipJobId::random(n.into())
}

fn progress(more: Value) -> Value {
    with(json!({ "event": "job.progress", "progress_percent": 50 }), more)
}

fn completed(more: Value) -> Value {
    let clips = json!([{ "clip_index": 0, "s3_url": "/app/output/j/clip_00.mp4", "duration_ms": 45000 }]);
    let output = json!({ "clips": clips, "source_video_duration_seconds": 600 });
    with(json!({ "event": "job.completed", "output": output }), more)
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn the_first_of_the_ids_that_is_known_names_the_submission() {
    let (first, second) = (id(1), id(2));
    let later = second.external_id(2);
    for (ids, expected) in [
        (json!({ "external_job_id": first.uuid() }), [50, 0]),
        (json!({ "external_job_id": first.uuid().to_uppercase() }), [50, 0]),
        (json!({ "external_job_id": first.as_str() }), [50, 0]),
        (json!({ "external_job_id": later }), [0, 50]),
        (json!({ "external_job_id": null, "job_id": "abc-123" }), [50, 0]),
        (json!({ "external_job_id": "", "job_id": "abc-456" }), [0, 50]),
        (json!({ "external_job_id": "unheard-of", "job_id": "abc-456" }), [0, 50]),
        // A worker with an id of its own does not take ours, so such a report is about another submission.
        (json!({ "job_id": later }), [0, 0]),
        // The owner in a report decides nothing.
        (json!({ "job_id": "abc-123", "owner_user_id": "somebody else" }), [50, 0]),
    ] {
        let fixture = Fixture::new().await;
        let received = fixture.send(None, progress(ids.clone())).await;
        let outcome = if expected == [0, 0] { Received::Ignored } else { Received::Applied };
        assert_eq!((received, fixture.progress()), (outcome, expected), "{ids}");
        assert!(fixture.raised().is_empty(), "{ids}");
    }
}

#[tokio::test]
async fn a_report_on_an_earlier_submission_changes_nothing() {
    let fixture = Fixture::new().await;
    for (token, ids) in [
        (None, json!({ "external_job_id": id(2).uuid() })),
        (None, json!({ "job_id": "abc-234" })),
        (Some((2, 1)), json!({ "job_id": "abc-234" })),
        (Some((2, 3)), json!({ "job_id": "abc-456" })),
    ] {
        assert_eq!(fixture.send(token, completed(ids.clone())).await, Received::Ignored, "{ids}");
        assert_eq!((fixture.job(2).status, fixture.raised().len()), (ClipStatus::Queued, 0), "{ids}");
    }
    assert_eq!(fixture.send(Some((2, 2)), completed(json!({}))).await, Received::Applied);
    assert_eq!(fixture.job(2).status, ClipStatus::Succeeded);
}

#[tokio::test]
async fn a_token_decides_whatever_the_body_names() {
    let fixture = Fixture::new().await;
    let other = json!({ "external_job_id": id(2).external_id(2), "owner_user_id": "somebody else" });
    assert_eq!(fixture.send(Some((1, 1)), progress(other)).await, Received::Applied);
    assert_eq!(fixture.progress(), [50, 0]);
}

#[tokio::test]
async fn a_completion_twice_at_once_is_charged_once() {
    let fixture = Fixture::new().await;
    let body = completed(json!({ "external_job_id": id(1).uuid(), "job_id": "abc-123" }));
    let received = join_all((0..10).map(|_| fixture.send(None, body.clone()))).await;
    assert_eq!(received.iter().filter(|received| **received == Received::Applied).count(), 1, "{received:?}");
    let versions = fixture.jobs.stream();
    let effects = versions.iter().filter(|job| job.id == id(1)).flat_map(|job| &job.outbox);
    let settled = effects.filter(|effect| matches!(effect, Effect::Credits(CreditEffect::Settle { .. }))).count();
    assert_eq!((settled, fixture.job(1).status), (1, ClipStatus::Succeeded));
    let expected = WebUrl::parse("https://genesis.example/outputs/j/clip_00.mp4").map(File::outside);
    assert_eq!(fixture.job(1).clips[0].file, expected);
}

#[tokio::test]
async fn a_report_that_says_nothing_changes_nothing() {
    let fixture = Fixture::new().await;
    let before = fixture.job(1);
    for body in [json!({ "event": "job.heartbeat" }), json!({ "status": "sleeping", "job_id": "abc-123" })] {
        assert_eq!(fixture.send(Some((1, 1)), body.clone()).await, Received::UnknownEvent, "{body}");
    }
    assert_eq!(fixture.job(1), before);
}

#[tokio::test]
async fn an_unknown_job_raises_a_warning_for_each_call() {
    let check = async |token: Option<(u32, u32)>, ids: Value, about: &str| {
        let fixture = Fixture::new().await;
        for (call, raised) in [("call-1", 1), ("call-1", 1), ("call-2", 2)] {
            assert_eq!(fixture.call(call, token, progress(ids.clone())).await.unwrap(), Received::UnknownJob, "{ids}");
            assert_eq!(fixture.raised().len(), raised, "{ids} {call}");
        }
        let raise = fixture.raised().remove(0);
        assert_eq!((raise.cause, raise.about.as_str()), (Cause::UnknownClipJob, about), "{ids}");
        assert!(about == "report" || raise.message.contains(about), "{}", raise.message);
        raise
    };
    let raise = check(None, json!({ "external_job_id": "x", "job_id": "y" }), "x").await;
    assert_eq!(Value::Object(raise.context), json!({ "external_job_id": "x", "job_id": "y" }));
    check(None, json!({ "job_id": 17 }), "17").await;
    check(None, json!({ "job_id": "a b/c" }), "a b/c").await;
    check(None, json!({}), "report").await;
    check(None, json!({ "external_job_id": id(3).uuid() }), id(3).uuid()).await;
    check(Some((3, 1)), json!({ "external_job_id": id(1).uuid() }), id(3).uuid()).await;
    let long = check(None, json!({ "job_id": "x".repeat(5000) }), &format!("{}…", "x".repeat(200))).await;
    assert!(serde_json::to_string(&long).unwrap().len() < 1000);
}

#[tokio::test]
async fn a_report_is_refused_until_its_warning_is_raised() {
    for fault in [Fault::Busy, Fault::LostAnswer] {
        let fixture = Fixture::new().await;
        fixture.errors.faults.inject("apply", [fault]);
        let body = progress(json!({ "job_id": "unknown" }));
        let refused = fixture.call("call-1", None, body.clone()).await.unwrap_err();
        assert!(matches!(&refused, ChangeError::Store(error) if error.is_busy()), "{fault:?}: {refused}");
        assert_eq!(fixture.call("call-1", None, body).await.unwrap(), Received::UnknownJob);
        assert_eq!(fixture.raised().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_busy_is_an_error_and_a_repetition_succeeds() {
    for operation in ["load", "save", "submission"] {
        let fixture = Fixture::new().await;
        fixture.jobs.faults.busy(operation, 1);
        let body = progress(json!({ "job_id": "abc-123" }));
        assert!(fixture.call("call-1", None, body.clone()).await.is_err(), "{operation}");
        assert_eq!(fixture.call("call-1", None, body).await.unwrap(), Received::Applied, "{operation}");
        assert_eq!(fixture.progress(), [50, 0]);
    }
}
