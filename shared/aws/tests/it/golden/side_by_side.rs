//! Two versions of a function side by side, as during a deployment: what one of them writes, the other one reads as it is
//! meant, or not at all and later. With StoredForm=text functions of version 0.2.0 read everything that they know; without
//! it they read nothing that is newer, and misread nothing.

use std::sync::Arc;

use reelhook_app::change::AggregateStore;
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_app::outbox::messages::{DeliveryMessage, PieceMessage, WorkMessage};
use reelhook_app::webhooks::events::{DueBy, EventStore};
use reelhook_aws::items::packed::StoredForm;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::projects::task::Stage;
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{
    ClipJobId, Decision, DeliveryId, Event, EventId, Job, JobId, ProjectId, RenderId, Status, WebUrl, decide,
};
use reelhook_testkit::{NOON, World, a_delivery, make_job, policy, run, started, webhook_settings};
use serde::Serialize;
use serde_json::{Value, json};

use super::release_0_2::{self as older, Record};
use super::{content, rows_of, string};
use crate::replay::{Answer, Call, Calls, dynamodb, ok};

fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (JobTable, Calls) {
    let (client, calls) = dynamodb(script);
    let counters = CounterTable::new(client.clone(), "Counters");
    (JobTable::new(client, "Jobs", counters, Arc::new(World::default())), calls)
}

/// The item of a job as this version writes it.
async fn written(job: &Job, form: StoredForm) -> Value {
    let (jobs, calls) = table(|_, _| ok());
    jobs.storing(form).insert(job).await.unwrap();
    calls.all().pop().unwrap().at("/Item").clone()
}

/// The job of an item as this version reads it.
async fn read(item: &Value) -> Job {
    let answer = json!({ "Item": item });
    let (jobs, _) = table(move |_, _| (200, answer.clone()));
    let id = JobId::parse(string(item, "id")).unwrap();
    jobs.load(&id).await.unwrap().expect("a job")
}

/// A job after an event.
fn after(job: &Job, event: &Event) -> Job {
    match decide(job, event, NOON, &policy()) {
        Decision::Apply(next) => *next,
        other => panic!("{event:?} gave {other:?}"),
    }
}

/// The versions of a job, the first one and one for each of these events.
fn versions(events: &[Event]) -> Vec<Job> {
    let mut all = vec![make_job(1, NOON, &policy())];
    for event in events {
        all.push(after(&all[all.len() - 1], event));
    }
    all
}

/// The same during an upgrade: each version follows from the item of the one before. With their items.
async fn versions_in_texts(events: &[Event]) -> Vec<(Job, Value)> {
    let mut job = make_job(1, NOON, &policy());
    let mut all = Vec::new();
    for event in events.iter().map(Some).chain([None]) {
        let item = written(&job, StoredForm::Text).await;
        let stored = read(&item).await;
        all.push((job, item));
        job = match event {
            Some(event) => after(&stored, event),
            None => stored,
        };
    }
    all
}

/// The lives of jobs: each status, a retry, a deletion, and a run of our own.
fn lives() -> Vec<Vec<Event>> {
    let at_worker = || [vec![Event::Claim, started(1)], run(1, Some("render_1"))].concat();
    let video_url = WebUrl::parse("https://cdn.example/v.mp4").unwrap();
    vec![
        [at_worker(), vec![Event::Complete { video_url }, Event::Delete]].concat(),
        vec![Event::Claim, started(1), Event::RunFailed { attempt: 1, error: "out of memory".to_owned() }],
        vec![Event::Claim, started(1), Event::RunFailed { attempt: 1, error: "payment required".to_owned() }],
        vec![Event::Claim, Event::StartDeferred { attempt: 1, wait: None, reason: "503".to_owned() }],
        vec![Event::Claim, started(1), Event::Cancel, Event::Delete],
        vec![
            Event::Claim,
            Event::RunHere { attempt: 1, renderer: Renderer::Own },
            Event::ClaimPiece { attempt: 1 },
            Event::Cancel,
        ],
    ]
}

#[tokio::test]
async fn an_older_function_reads_each_version_of_a_job_that_is_written_during_an_upgrade() {
    let (mut statuses, mut all) = (Vec::new(), Vec::new());
    for events in lives() {
        all.extend(versions_in_texts(&events).await);
    }
    for (job, item) in all {
        let known = older::job(&item).unwrap_or_else(|error| panic!("{error}: {item}"));
        assert_eq!((known.version, known.attempt), (job.version, job.run.attempt));
        assert_eq!(format!("{:?}", known.status), format!("{:?}", job.status));
        assert_eq!(known.start.claim.is_some(), job.run.start.claim.is_some());
        assert_eq!(known.input, job.request.input);
        // Every effect is one that it knows, so that none waits or is lost.
        match older::record(&item) {
            Ok(Record::Version(record)) => assert!(!record.1.is_empty()),
            Ok(Record::Nothing) => assert!(item.get("outbox").is_none(), "{:?}", job.outbox),
            other => panic!("version {} of a job: {other:?}", job.version),
        }
        statuses.push(job.status);
    }
    assert!(Status::ALL.iter().all(|status| statuses.contains(status)), "each status was written");
}

#[tokio::test]
async fn a_job_goes_back_and_forth_between_versions_and_stays_the_same() {
    for events in lives() {
        for (_, item) in versions_in_texts(&events).await {
            let (ours, back) = (read(&item).await, read(&older::written(&older::job(&item).unwrap())).await);
            assert_eq!(back, Job { version: ours.version + 1, outbox: Vec::new(), ..ours });
        }
    }
}

#[tokio::test]
async fn what_an_older_version_stored_is_changed_here_and_read_there() {
    let mut changed = 0;
    for row in rows_of("0.2.0", "Jobs", "job") {
        let before = older::job(&row).expect("its own item");
        let job = read(&row).await;
        assert_eq!((before.version, before.id.as_str()), (job.version, job.id.as_str()));
        let now = job.updated_at;
        let event = if job.status.is_final() { Event::Delete } else { Event::Cancel };
        let Decision::Apply(next) = decide(&job, &event, now, &policy()) else { continue };
        let item = written(&next, StoredForm::Text).await;
        let after = older::job(&item).unwrap_or_else(|error| panic!("{error}: {item}"));
        assert_eq!(after.version, before.version + 1);
        if next.deleted_at.is_none() {
            assert_eq!(after.input, content(&row, "body")["input"]);
        }
        assert!(matches!(older::record(&item), Ok(Record::Version(_))), "its fanout acts on the outbox: {item}");
        changed += 1;
    }
    assert!(changed > 5, "{changed} recorded jobs were changed");
}

#[tokio::test]
async fn without_the_text_form_an_older_function_reads_nothing_and_misreads_nothing() {
    for job in lives().iter().flat_map(|events| versions(events)) {
        let item = written(&job, StoredForm::Compressed).await;
        assert!(older::job(&item).is_err(), "it answers 500, or gets the message again");
        match older::record(&item) {
            // It waits for a newer `fanout`.
            Ok(Record::TooNew(kind)) => assert_eq!(kind, "body"),
            Ok(Record::Nothing) => assert!(job.outbox.is_empty()),
            other => panic!("version {} of a job: {other:?}", job.version),
        }
        let text = written(&job, StoredForm::Text).await;
        // A job in either form begins its history by itself.
        let [compressed, plain] =
            [Job { history: None, ..read(&item).await }, Job { history: None, ..read(&text).await }];
        assert_eq!(compressed, plain, "and this version reads it as it reads a text");
    }
}

#[tokio::test]
async fn an_older_dispatcher_reads_the_rows_of_webhooks_that_are_written_during_an_upgrade() {
    let settings = webhook_settings(&[("WEBHOOK_URLS", "https://a.example/")]);
    let (delivery, event) = a_delivery(1, &settings.endpoints[0], NOON);
    for form in [StoredForm::Text, StoredForm::Compressed] {
        let (client, calls) = dynamodb(|_, _| ok());
        let deliveries = DeliveryTable::new(client, "Deliveries").storing(form);
        deliveries.put_delivery(&delivery, DueBy::Itself).await.unwrap();
        deliveries.put_event(&event, &[delivery.id]).await.unwrap();
        let items: Vec<Value> = calls.all().iter().map(|call| call.at("/Item").clone()).collect();
        let bodies: Vec<&str> = items.iter().filter_map(|item| item["body"]["S"].as_str()).collect();
        if form == StoredForm::Compressed {
            assert!(bodies.is_empty(), "it finds no text, and leaves the delivery to a newer dispatcher");
            continue;
        }
        let known: older::Delivery = serde_json::from_str(bodies[0]).unwrap();
        assert_eq!((known.id, known.event_id.as_str()), (delivery.id.to_string(), event.id.as_str()));
        assert_eq!((known.version, known.attempts, known.held), (delivery.version, delivery.attempts, None));
        let known: older::EventRow = serde_json::from_str(bodies[1]).unwrap();
        assert_eq!((known.id.as_str(), known.event), (event.id.as_str(), older::OutboundEvent::Completed));
        // It looks for the event there.
        assert_eq!(items[1]["pk"], json!({ "S": format!("event#{}", event.id) }));
    }
}

fn text(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap()
}

#[test]
fn an_older_function_reads_messages_of_kinds_that_it_knows_and_gets_the_others_again() {
    let (job_id, render) = (JobId::parse("job_1_a").unwrap(), RenderId::parse("render_1").unwrap());
    let project_id = ProjectId::parse("proj_1").unwrap();
    let clip = ClipJobId::parse("0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11").unwrap();
    let url = WebUrl::parse("https://worker.example/cancel").unwrap();
    let work = |message: &WorkMessage| serde_json::from_str::<older::WorkMessage>(&text(message));
    for known in [
        WorkMessage::start(),
        WorkMessage::CheckRender { job_id: job_id.clone(), render: render.clone(), check: 2 },
        WorkMessage::ApplyParked { job_id: job_id.clone(), render: render.clone() },
        WorkMessage::CancelWorker { job_id: job_id.clone(), attempt: 3, url },
    ] {
        assert!(work(&known).is_ok(), "{known:?}");
    }
    let named = WorkMessage::Start { jobs: vec![job_id.clone()] };
    assert_eq!(work(&named).unwrap(), older::WorkMessage::Start, "it looks for waiting jobs as without the name");
    // Messages of what it does not have: it fails, and the queue gives them to a newer function.
    for newer in [
        WorkMessage::start_scenes(),
        WorkMessage::Tasks { project_id: project_id.clone() },
        WorkMessage::ApplyEarly { project_id: project_id.clone() },
        WorkMessage::CancelTask { project_id: project_id.clone(), stage: Stage::Video, id: render },
        WorkMessage::Clip { job_id: clip.clone() },
        WorkMessage::CancelClip { job_id: clip.clone(), number: 1 },
    ] {
        assert!(work(&newer).is_err(), "{newer:?}");
    }
    let draw = |message: &PieceMessage| serde_json::from_str::<older::DrawMessage>(&text(message));
    let known = older::DrawMessage::Draw { job_id: job_id.to_string(), attempt: 2 };
    assert_eq!(draw(&PieceMessage::Draw { job_id, attempt: 2 }).unwrap(), known);
    assert!(draw(&PieceMessage::Project { project_id }).is_err());
    assert!(draw(&PieceMessage::Clip { job_id: clip }).is_err());
}

#[test]
fn an_older_dispatcher_sends_the_first_of_several_deliveries_and_the_sweep_finds_the_others() {
    let ids: Vec<DeliveryId> = ["01e4d6f0-12ab-5324-a3e0-90ddfb80c3e0", "01e4d6f0-12ab-5324-a3e0-90ddfb80c3e1"]
        .iter()
        .map(|id| DeliveryId::parse(id).unwrap())
        .collect();
    let event_id = EventId::parse("job_1_a.7.1").unwrap();
    let message = DeliveryMessage::Deliver { delivery_id: ids[0], event_id: event_id.clone(), others: vec![ids[1]] };
    let known: older::DeliveryMessage = serde_json::from_str(&text(&message)).unwrap();
    let expected = older::DeliveryMessage::Deliver { delivery_id: ids[0].to_string(), event_id: event_id.to_string() };
    assert_eq!(known, expected);
}
