//! What each effect is planned as.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::outbox::fanout::{CountStep, LogRow, Plan, notifies, plan};
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_app::views::streamgank;
use reelhook_app::webhooks::events::EventRow;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_app::webhooks::subscriptions::Subscriptions;
use reelhook_domain::{
    Delivery, DeliveryId, DeliveryStatus, Effect, Event, EventGroup, EventId, LogTally, OutboundEvent, Policy,
    RenderState, RenderStatus, Status, Timestamp,
};
use reelhook_testkit::{NOON, lived, make_job, run, started, webhook_settings};
use serde_json::{Value, json};

use super::{TWO, every_effect, record, render, slot};

const GRACE: Duration = Duration::from_secs(60);
const AT: Timestamp = Timestamp(NOON.0 + 155_000);

fn settings() -> WebhookSettings {
    webhook_settings(&[TWO])
}

fn subscriptions(settings: &WebhookSettings) -> Subscriptions {
    Subscriptions::new(settings, Arc::default())
}

#[test]
fn each_kind_of_effect_has_its_place_in_the_plan() {
    let job = record(1, every_effect(1));
    let plan = plan(&job, &subscriptions(&settings()), GRACE);
    let id = job.id.clone();

    let line = json!({
        "timestamp": "2024-01-01T12:02:35.000Z", "job_id": id.as_str(), "event_type": "job_completed",
        "level": "success", "type": "success", "message": "Done", "details": { "step_number": 8 },
        "source": "reelhook",
    });
    assert_eq!(plan.logs, [LogRow { job_id: id.clone(), version: 7, index: 0, at: AT, line: Some(line), live: None }]);
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
            Delayed::now(WorkMessage::Start),
            Delayed { message: WorkMessage::Start, delay_s: 30 },
            Delayed {
                message: WorkMessage::CheckRender { job_id: id.clone(), render: render(), check: 2 },
                delay_s: 4,
            },
            Delayed::now(WorkMessage::ApplyParked { job_id: id.clone(), render: render() }),
            Delayed::now(WorkMessage::CancelWorker {
                job_id: id.clone(),
                attempt: 1,
                url: "https://worker.example/cancel".to_owned(),
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
        "parameters": job.input,
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
        [EventRow { id: event_id.clone(), event, subject: job.id.clone().into(), at: AT, data, callback: None }]
    );

    let expected: Vec<Delivery> = settings
        .endpoints
        .iter()
        .map(|endpoint| Delivery {
            id: DeliveryId::of(&event_id, &endpoint.id),
            event_id: event_id.clone(),
            event,
            job_id: job.id.clone(),
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
            traceparent: job.traceparent.clone(),
        })
        .collect();
    assert_eq!(plan.deliveries, expected);
    assert_eq!(expected.len(), 2);
    assert_ne!(expected[0].id, expected[1].id);
}

#[test]
fn events_name_what_is_special_about_them() {
    let mut job = record(1, Vec::new());
    job.no_retry_reason = Some("no credits".to_owned());
    job.suggested_solution = Some("top up".to_owned());
    job.cancelled_at = Some(AT);
    job.deleted_at = Some(AT);
    job.extracted = Some("three movies".to_owned());
    let at = json!("2024-01-01T12:02:35.000Z");
    let extras = [
        (OutboundEvent::FailedNoRetry, "no_retry_reason", json!("no credits")),
        (OutboundEvent::FailedNoRetry, "suggested_solution", json!("top up")),
        (OutboundEvent::Deleted, "deleted_at", at.clone()),
        (OutboundEvent::Cancelled, "cancelled_at", at),
        (OutboundEvent::ExtractionCompleted, "extracted_movies", json!("three movies")),
    ];
    for event in OutboundEvent::ALL.into_iter().filter(|event| event.group() == EventGroup::Job) {
        job.outbox = vec![Effect::Notify { event, to: Some(Recipients::Subscribers) }];
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
    assert_eq!(planned.logs.len(), 1, "the rest goes on");
}

#[test]
fn an_event_that_nobody_wants_has_no_rows() {
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
    let planned = plan(&make_job(1, NOON, &Policy::default()), &subscriptions(&settings()), GRACE);
    assert_eq!(planned.work, [Delayed::now(WorkMessage::Start)]);
    assert_eq!(planned.logs[0].line.as_ref().unwrap()["event_type"], "job_queued");
    assert_eq!((planned.logs.len(), planned.deliveries.len(), planned.counts.len()), (1, 0, 0));
}

#[test]
fn only_versions_that_notify_need_to_know_whom() {
    assert!(notifies(&record(1, every_effect(1))));
    let silent = every_effect(1).into_iter().filter(|effect| !matches!(effect, Effect::Notify { .. })).collect();
    let job = record(1, silent);
    assert!(!notifies(&job));
    assert_eq!(plan(&job, &subscriptions(&settings()), GRACE), plan(&job, &Subscriptions::default(), GRACE));
}

#[test]
fn a_failed_job_names_no_render_and_its_log_does() {
    let policy = Policy::default();
    let ran = [vec![Event::Claim, started(1)], run(1, Some("render_1"))].concat();
    let rendering = lived(make_job(1, AT, &policy), &ran, AT, &policy);
    let says = |status: RenderStatus| Event::RenderReported {
        render: render(),
        state: RenderState { status, url: None, error: Some("source image is gone".to_owned()) },
        confirmable: false,
    };
    assert_eq!(streamgank::job(&rendering)["creatomateId"], "render_1");
    let failed = lived(rendering, &[says(RenderStatus::Failed)], AT, &policy);
    assert_eq!(failed.status, Status::Failed);
    let view = streamgank::job(&failed);
    assert_eq!((&view["creatomateId"], &view["error"]), (&Value::Null, &json!("source image is gone")));
    let planned = plan(&failed, &subscriptions(&settings()), GRACE);
    assert_eq!(planned.events[0].data["creatomate_id"], Value::Null);
    let mut lines = planned.logs.iter().filter_map(|row| row.line.as_ref());
    assert!(lines.any(|line| line["details"]["creatomate_id"] == "render_1"), "{:?}", planned.logs);
    // A retry begins without it, too.
    let again = lived(failed, &[Event::Retry], AT, &policy);
    assert_eq!((&streamgank::job(&again)["creatomateId"], again.render_id), (&Value::Null, None));
}
