//! The plan of each effect.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::outbox::fanout::{self, CountStep, Plan, Purge, notifies};
use reelhook_app::outbox::messages::{Delayed, PieceMessage, WorkMessage};
use reelhook_app::outbox::rows::{LogEntry, LogLine, LogRow, StoredLive, kept_lines, lines_of, live_of, sort_key};
use reelhook_app::views::Dialect;
use reelhook_app::views::{self, streamgank};
use reelhook_app::webhooks::events::EventRow;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_app::webhooks::subscriptions::Subscriptions;
use reelhook_domain::{
    Delivery, DeliveryId, DeliveryStatus, Effect, Engine, Event, EventGroup, EventId, ExternalRun, ExternalTask, Job,
    Live, LiveSnapshot, LogLevel, LogTally, NoRetry, OutboundEvent, Recipients, RenderState, RenderStatus, Service,
    Status, StepRecord, Steps, Timestamp, WebUrl,
};
use reelhook_testkit::{NOON, SceneStack, lived, make_job, policy, run, started, webhook_settings};
use serde_json::{Value, json};

use super::{TWO, every_effect, record, render, slot};

const GRACE: Duration = Duration::from_secs(60);
const AT: Timestamp = Timestamp(NOON.millis() + 155_000);

fn plan(job: &Job, subscriptions: &Subscriptions, grace: Duration) -> Plan {
    fanout::plan(job, subscriptions, SceneStack::default().links(), grace)
}

/// The rendered log lines of a plan.
fn lines(plan: &Plan) -> Vec<Value> {
    let line = |row: &LogRow| {
        let entry = row.entry.clone()?;
        let line = LogLine { subject: row.subject.clone(), dialect: row.dialect, at: row.at, entry };
        Some(views::of(line.dialect).log_line(&line))
    };
    plan.logs.iter().filter_map(line).collect()
}

fn settings() -> WebhookSettings {
    webhook_settings(&[TWO])
}

fn subscriptions(settings: &WebhookSettings) -> Subscriptions {
    Subscriptions::new(settings, Arc::default())
}

#[test]
fn each_kind_of_effect_is_planned() {
    let job = record(1, every_effect(1));
    let plan = plan(&job, &subscriptions(&settings()), GRACE);
    let id = job.id.clone();

    let line = json!({
        "timestamp": "2024-01-01T12:02:35.000Z", "job_id": id.as_str(), "event_type": "job_completed",
        "level": "success", "type": "success", "message": "Done", "details": { "step_number": 8 },
        "source": "reelhook",
    });
    assert_eq!(lines(&plan), [line]);
    let entry = LogEntry {
        event_type: "job_completed".to_owned(),
        level: LogLevel::Success,
        message: "Done".to_owned(),
        details: json!({ "step_number": 8 }),
    };
    let row = LogRow {
        subject: id.clone().into(),
        dialect: Dialect::StreamGank,
        version: 7,
        index: 0,
        at: AT,
        entry: Some(entry),
        live: None,
        packed: Vec::new(),
    };
    assert_eq!(plan.logs, [row]);
    let counted = EventId::parse(&format!("{id}.7.2")).unwrap();
    let count = CountStep {
        id: counted,
        day: "2024-01-01".to_owned(),
        status: Some((Status::Completed, true)),
        log: LogTally { success: 1, bytes: 21, ..LogTally::default() },
    };
    assert_eq!(plan.counts, [count]);
    assert_eq!(plan.slots, [slot(1)]);
    assert_eq!(
        plan.work,
        [
            Delayed { message: WorkMessage::Start { jobs: vec![id.clone()] }, delay_s: 30 },
            Delayed {
                message: WorkMessage::CheckRender { job_id: id.clone(), render: render(), check: 2 },
                delay_s: 4,
            },
            Delayed::now(WorkMessage::ApplyParked { job_id: id.clone(), render: render() }),
            Delayed::now(WorkMessage::CancelWorker {
                job_id: id.clone(),
                attempt: 1,
                url: WebUrl::parse("https://worker.example/cancel").unwrap(),
            }),
        ]
    );
}

#[test]
fn an_event_is_one_row_and_a_delivery_for_each_endpoint() {
    let job = record(1, every_effect(1));
    let settings = settings();
    let plan = plan(&job, &subscriptions(&settings), GRACE);
    let event_id = EventId::parse(&format!("{}.7.1", job.id)).unwrap();
    let data = json!({
        "job_id": job.id.as_str(),
        "status": "completed",
        "created_at": "2024-01-01T12:00:00.000Z",
        "started_at": "2024-01-01T12:00:01.000Z",
        "completed_at": "2024-01-01T12:02:35.000Z",
        "failed_at": null,
        "parameters": job.request.input,
        "progress": 0,
        "current_step": "Waiting in queue",
        "video_url": null,
        "creatomate_id": null,
        "error": null,
        "retry_count": 0,
        "processing_duration_ms": 154_000,
        "duration": "2m 34s",
        "metadata": { "country": "FR", "platform": "Netflix" },
    });
    let event = OutboundEvent::Completed;
    assert_eq!(
        plan.events,
        [EventRow {
            id: event_id.clone(),
            event,
            subject: job.id.clone().into(),
            at: AT,
            data: data.into(),
            callback: None,
            submitted_at: Some(job.created_at),
        }]
    );

    let expected: Vec<Delivery> = settings
        .endpoints
        .iter()
        .map(|endpoint| Delivery {
            id: DeliveryId::of(&event_id, &endpoint.id),
            event_id: event_id.clone(),
            event,
            subject: job.id.clone().into(),
            endpoint_id: endpoint.id.clone(),
            endpoint_name: endpoint.name.clone(),
            status: DeliveryStatus::Pending,
            version: 1,
            created_at: AT,
            attempts: 0,
            uncounted: 0,
            replayed_at: None,
            replay: false,
            recovery: None,
            next_attempt_at: AT,
            wait_reason: None,
            lease_until: None,
            due_at: Some(AT.after(GRACE)),
            finished_at: None,
            last_result: None,
            last: None,
            traceparent: job.origin.traceparent.clone(),
        })
        .collect();
    assert_eq!(plan.deliveries, expected);
    assert_eq!(expected.len(), 2);
    assert_ne!(expected[0].id, expected[1].id);
}

#[test]
fn events_have_their_own_facts() {
    let mut job = record(1, Vec::new());
    job.run.no_retry = Some(NoRetry { reason: "no credits".to_owned(), solution: "top up".to_owned() });
    job.run.times.cancelled_at = Some(AT);
    job.deleted_at = Some(AT);
    let steps = Steps { extracted: Some("three movies".to_owned()), ..Steps::default() };
    job.run.engine = Engine::External(ExternalRun { steps, ..ExternalRun::default() });
    let at = json!("2024-01-01T12:02:35.000Z");
    let extras = [
        (OutboundEvent::FailedNoRetry, "no_retry_reason", json!("no credits")),
        (OutboundEvent::FailedNoRetry, "suggested_solution", json!("top up")),
        (OutboundEvent::Deleted, "deleted_at", at.clone()),
        (OutboundEvent::Cancelled, "cancelled_at", at),
        (OutboundEvent::ExtractionCompleted, "extracted_movies", json!("three movies")),
    ];
    for event in OutboundEvent::ALL.iter().copied().filter(|event| event.group() == EventGroup::Job) {
        job.outbox = vec![Effect::Notify { event, to: Some(Recipients::Subscribers), about: None }];
        let data = plan(&job, &subscriptions(&settings()), GRACE).events.remove(0).data;
        for (of, name, value) in &extras {
            assert_eq!(data.get(*name), (*of == event).then_some(value), "{event:?} {name}");
        }
    }
}

#[test]
fn planning_again_gives_the_same_plan() {
    let job = record(1, every_effect(1));
    assert_eq!(plan(&job, &subscriptions(&settings()), GRACE), plan(&job, &subscriptions(&settings()), GRACE));
}

#[test]
fn without_endpoints_an_event_has_no_rows() {
    let planned = plan(&record(1, every_effect(1)), &subscriptions(&webhook_settings(&[])), GRACE);
    assert!(planned.events.is_empty() && planned.deliveries.is_empty());
    assert_eq!(planned.logs.len(), 1, "the other effects are planned");
}

#[test]
fn an_event_without_subscribers_has_no_rows() {
    let failed_only = webhook_settings(&[TWO, ("WEBHOOK_EVENTS", "job.failed")]);
    let planned = plan(&record(1, every_effect(1)), &subscriptions(&failed_only), GRACE);
    assert!(planned.events.is_empty() && planned.deliveries.is_empty());
}

#[test]
fn a_version_without_effects_plans_nothing() {
    assert_eq!(plan(&record(1, Vec::new()), &subscriptions(&settings()), GRACE), Plan::default());
}

#[test]
fn a_new_job_is_a_start_and_a_line_of_its_log() {
    let job = make_job(1, NOON, &policy());
    let planned = plan(&job, &subscriptions(&settings()), GRACE);
    assert_eq!(planned.work, [Delayed::now(WorkMessage::Start { jobs: vec![job.id] })]);
    assert_eq!((planned.logs.len(), planned.deliveries.len(), planned.counts.len()), (0, 0, 0));
    let (_, line) = kept_lines(&make_job(1, NOON, &policy())).remove(0);
    assert_eq!(line.entry.event_type, "job_queued", "the item keeps it");
}

#[test]
fn the_end_of_a_job_is_one_row_with_all_of_its_lines_and_live_events() {
    let policy = policy();
    let events = [vec![Event::Claim, started(1)], run(1, Some("render_1"))].concat();
    let mut versions = vec![make_job(1, AT, &policy)];
    for event in &events {
        versions.push(lived(versions[versions.len() - 1].clone(), std::slice::from_ref(event), AT, &policy));
    }
    versions.push(lived(versions[versions.len() - 1].clone(), &[Event::Cancel], AT, &policy));
    let mut planned: Vec<Plan> = versions.iter().map(|job| plan(job, &Subscriptions::default(), GRACE)).collect();
    let end = planned.pop().unwrap();
    assert!(planned.iter().all(|plan| plan.logs.is_empty()), "a running job writes no row");
    let [row] = &end.logs[..] else { panic!("one row: {:?}", end.logs) };
    // What each version would have written as rows of its own is what the row holds.
    let single = |job: &Job| plan(&Job { history: None, ..job.clone() }, &Subscriptions::default(), GRACE).logs;
    let single: Vec<LogRow> = versions.iter().flat_map(single).collect();
    let mut lines: Vec<(String, LogEntry)> = Vec::new();
    for (seq, line) in lines_of(&row.subject, row.dialect, &row.packed) {
        lines.push((seq, line.entry));
    }
    lines.push((sort_key(row.version, row.index), row.entry.clone().unwrap()));
    let of_row = |row: &LogRow| Some((sort_key(row.version, row.index), row.entry.clone()?));
    assert_eq!(lines, single.iter().filter_map(of_row).collect::<Vec<_>>());
    let live: Vec<_> = live_of(&row.packed, 0);
    let of_row = |row: &LogRow| Some((row.version, StoredLive::Events(row.live.clone()?)));
    assert_eq!(live, single.iter().filter_map(of_row).collect::<Vec<_>>());
    assert!(lines.len() > 10 && live.len() > 8, "{} lines, {} live events", lines.len(), live.len());
}

#[test]
fn a_version_that_an_older_function_wrote_has_rows_of_its_own() {
    let planned = plan(&Job { history: None, ..make_job(1, NOON, &policy()) }, &Subscriptions::default(), GRACE);
    assert_eq!(lines(&planned)[0]["event_type"], "job_queued");
}

#[test]
fn only_versions_that_notify_depend_on_subscriptions() {
    assert!(notifies(&record(1, every_effect(1))));
    let without_events =
        every_effect(1).into_iter().filter(|effect| !matches!(effect, Effect::Notify { .. })).collect();
    let job = record(1, without_events);
    assert!(!notifies(&job));
    assert_eq!(plan(&job, &subscriptions(&settings()), GRACE), plan(&job, &Subscriptions::default(), GRACE));
}

#[test]
fn a_failed_job_names_no_render_and_its_log_does() {
    let policy = policy();
    let ran = [vec![Event::Claim, started(1)], run(1, Some("render_1"))].concat();
    let rendering = lived(make_job(1, AT, &policy), &ran, AT, &policy);
    let says = |status: RenderStatus| Event::RenderReported {
        render: render(),
        state: RenderState { status, url: None, error: Some("source image is gone".to_owned()) },
        confirmable: false,
    };
    assert_eq!(json!(streamgank::job(&rendering))["creatomateId"], "render_1");
    let failed = lived(rendering, &[says(RenderStatus::Failed)], AT, &policy);
    assert_eq!(failed.status, Status::Failed);
    let view = json!(streamgank::job(&failed));
    assert_eq!((&view["creatomateId"], &view["error"]), (&Value::Null, &json!("source image is gone")));
    let planned = plan(&failed, &subscriptions(&settings()), GRACE);
    assert_eq!(planned.events[0].data["creatomate_id"], Value::Null);
    let mut lines = lines(&planned).into_iter();
    assert!(lines.any(|line| line["details"]["creatomate_id"] == "render_1"), "{:?}", planned.logs);
    // A retry starts without a render.
    let again = lived(failed, &[Event::Retry], AT, &policy);
    assert_eq!((&json!(streamgank::job(&again))["creatomateId"], again.render_id()), (&Value::Null, None));
}

#[test]
fn pieces_and_files_are_those_of_the_job() {
    let mut job = record(1, vec![Effect::Draw { hints: 2, delay_s: 3 }, Effect::Purge]);
    job.run.attempt = 4;
    let planned = plan(&job, &Subscriptions::default(), GRACE);
    let hint = Delayed { message: PieceMessage::Draw { job_id: job.id.clone(), attempt: 4 }, delay_s: 3 };
    assert_eq!(planned.pieces, [hint.clone(), hint]);
    let id = &job.id;
    let prefixes = vec![format!("details/{id}/"), format!("logs/{id}/"), format!("films/{id}/")];
    assert_eq!(planned.purge, Some(Purge { subject: id.clone().into(), prefixes }));
}

#[test]
fn a_callback_url_gets_the_events_of_its_recipients_or_else_those_of_videos() {
    let check = |event: OutboundEvent, to: Option<Recipients>, notified: bool| {
        let mut job = record(1, vec![Effect::Notify { event, to, about: None }]);
        job.kind = reelhook_domain::JobKind::Video;
        job.request.callback = WebUrl::parse("https://client.example/hook");
        let planned = plan(&job, &Subscriptions::default(), GRACE);
        assert_eq!(planned.deliveries.len(), usize::from(notified), "{event:?} {to:?}");
        let callback = planned.events.first().and_then(|row| row.callback.as_ref());
        let url = callback.map(|callback| callback.url.as_written());
        assert_eq!(url, notified.then_some("https://client.example/hook"), "{event:?} {to:?}");
    };
    check(OutboundEvent::VideoCompleted, Some(Recipients::SubscribersAndCallback), true);
    check(OutboundEvent::VideoCompleted, Some(Recipients::Subscribers), false);
    check(OutboundEvent::VideoCompleted, None, true);
    check(OutboundEvent::Completed, Some(Recipients::SubscribersAndCallback), true);
    check(OutboundEvent::Completed, None, false);
}

#[test]
fn live_events_are_stored_with_the_state_that_they_show() {
    let mut job = record(1, Vec::new());
    job.run.video_url = Some("https://cdn.example/v.mp4".to_owned());
    job.run.error = Some("no".to_owned());
    let record = |number| (number, StepRecord { details: Some(json!({ "step": number })), duration: None });
    job.run.engine = Engine::External(ExternalRun {
        steps: Steps { records: [record(1), record(2)].into(), ..Steps::default() },
        render: Some(ExternalTask::new(Service::Creatomate, render())),
        ..ExternalRun::default()
    });
    let step = |number, details| Live::Step {
        number,
        name: "A step".to_owned(),
        status: "completed".to_owned(),
        key: None,
        sequence: 1,
        stage: None,
        details,
    };
    let check = |events: Vec<Live>, video: bool, error: bool, render: bool, details: &[u8]| {
        let outbox = vec![Effect::Live { events: events.clone(), after: 3 }];
        let job = Job { outbox, history: None, ..job.clone() };
        let live = plan(&job, &Subscriptions::default(), GRACE).logs.remove(0).live.unwrap();
        assert_eq!((live.after, live.at, &live.events), (3, AT, &events));
        let LiveSnapshot::Job(shown) = live.snapshot else { panic!("no state of a job") };
        assert_eq!(
            (shown.status, shown.progress, &shown.current_step),
            (job.status, job.run.progress, &job.run.caption)
        );
        assert_eq!((shown.video_url.is_some(), shown.error.is_some()), (video, error), "{events:?}");
        assert_eq!(shown.render_id.is_some(), render, "{events:?}");
        assert_eq!(shown.step_details.into_keys().collect::<Vec<_>>(), details, "{events:?}");
    };
    check(vec![Live::Job], false, true, false, &[]);
    check(vec![Live::RenderFailed], false, true, false, &[]);
    check(vec![Live::RenderCompleted], true, false, false, &[]);
    check(vec![Live::Render { status: "planned".to_owned() }], false, false, false, &[]);
    check(vec![step(1, true), step(2, false), step(3, true), Live::Job], false, true, true, &[1]);
}

#[test]
fn live_events_share_the_row_of_the_first_log_line() {
    let effects = [every_effect(1), vec![Effect::Live { events: vec![Live::Job], after: 6 }]].concat();
    let effects = effects.into_iter().filter(|effect| *effect != Effect::PackHistory).collect();
    let job = Job { history: None, ..record(1, effects) };
    let planned = plan(&job, &Subscriptions::default(), GRACE);
    assert_eq!(planned.logs.len(), 1);
    assert!(planned.logs[0].entry.is_some() && planned.logs[0].live.is_some(), "{:?}", planned.logs);
}
