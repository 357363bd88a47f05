//! Repairs: missing rows of a lost stream are created under the same ids, and existing rows stay as they are.

use std::collections::BTreeSet;
use std::time::Duration;

use reelhook_app::clips::requests::create::{CreatePorts, Created, NewClips, create_job};
use reelhook_app::clips::requests::retry::{Retried, retry_job};
use reelhook_app::clips::store::AttemptPorts;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbox::repair::{Cursor, Repaired, repair, repair_clips, repair_projects};
use reelhook_domain::clips::event::{Event as ClipEvent, ReportKind, ReportedClip, WorkerOutput, WorkerReport};
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::price::Basis;
use reelhook_domain::projects::event::Event as ProjectEvent;
use reelhook_domain::projects::media::File;
use reelhook_domain::{
    ClipJob, ClipJobId, DeliveryId, DeliveryStatus, Event, JobId, Origin, RenderId, Status, Subject, Timestamp,
};
use reelhook_testkit::{NOON, Stack, a_clip_job, a_project, run, started};

const DAY_S: u64 = 24 * 3600;

/// Repairs from the first page to the last, and returns the result of each.
async fn repair_all(stack: &Stack, since: Timestamp) -> Vec<Repaired> {
    let mut parts = Vec::new();
    let mut cursor = Cursor::default();
    loop {
        let part =
            repair(&stack.repair_ports(&stack.subscriptions().await), since, cursor, stack.world.now()).await.unwrap();
        parts.push(part.clone());
        match part.cursor {
            Some(next) => cursor = next,
            None => return parts,
        }
        assert!(parts.len() < 10_000, "the cursor never reaches the end");
    }
}

fn finish(stack: &Stack, n: u32) -> JobId {
    let id = stack.submit(n);
    for event in [vec![Event::Claim, started(1)], run(1, None)].concat() {
        assert!(stack.jobs.apply(&id, &event, stack.world.now(), &stack.policy));
    }
    id
}

fn cancel(stack: &Stack, n: u32) -> JobId {
    let id = stack.submit(n);
    stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy);
    id
}

fn ids(stack: &Stack) -> BTreeSet<DeliveryId> {
    stack.deliveries.all().iter().map(|delivery| delivery.id).collect()
}

#[tokio::test]
async fn a_repair_creates_the_rows_of_a_lost_stream_under_the_same_ids() {
    let (lost, healthy) = (Stack::default(), Stack::default());
    for stack in [&lost, &healthy] {
        for n in 0..5 {
            finish(stack, n);
        }
        for n in 5..9 {
            cancel(stack, n);
        }
    }
    healthy.follow_stream().await.unwrap();
    lost.drop_stream();
    let parts = repair_all(&lost, Timestamp::EPOCH).await;
    assert_eq!(parts.iter().map(|part| part.scanned).sum::<usize>(), 9);
    assert_eq!(parts.iter().map(|part| part.ensured).sum::<usize>(), 9);
    assert_eq!(ids(&lost), ids(&healthy));
    assert_eq!(lost.deliveries.all(), healthy.deliveries.all());
    assert_eq!(lost.deliveries.events(), healthy.deliveries.events());
    lost.dispatch().await;
    assert_eq!(lost.deliveries.unfinished(), 0);
}

#[tokio::test]
async fn a_repair_writes_the_log_of_a_job_that_has_changed_since_its_end() {
    let (lost, healthy) = (Stack::default(), Stack::default());
    for stack in [&lost, &healthy] {
        let id = finish(stack, 1);
        assert!(stack.jobs.apply(&id, &Event::LogArchived, stack.world.now(), &stack.policy));
    }
    healthy.follow_stream().await.unwrap();
    lost.drop_stream();
    repair_all(&lost, Timestamp::EPOCH).await;
    assert!(!healthy.fanout.logs().is_empty());
    assert_eq!(lost.fanout.logs(), healthy.fanout.logs());
}

#[tokio::test]
async fn a_repair_is_idempotent_and_changes_no_existing_row() {
    let stack = Stack::default();
    for n in 0..5 {
        finish(&stack, n);
    }
    stack.settle().await;
    let before =
        (stack.deliveries.all(), stack.deliveries.events(), stack.fanout.totals(), stack.http.requests().len());
    for _ in 0..2 {
        repair_all(&stack, Timestamp::EPOCH).await;
        stack.settle().await;
        let after =
            (stack.deliveries.all(), stack.deliveries.events(), stack.fanout.totals(), stack.http.requests().len());
        assert_eq!(after.0, before.0);
        assert_eq!(after.1, before.1);
        assert_eq!((after.2, after.3), (before.2.clone(), before.3), "receivers see nothing new");
    }
}

#[tokio::test]
async fn a_repair_creates_only_missing_rows() {
    let stack = Stack::default();
    let known = finish(&stack, 1);
    stack.settle().await;
    let delivered = stack.deliveries.only();
    let lost = finish(&stack, 2);
    stack.drop_stream();
    repair_all(&stack, Timestamp::EPOCH).await;
    assert_eq!(stack.deliveries.of_job(&known), [delivered]);
    assert_eq!(stack.deliveries.of_job(&lost).len(), 1);
}

#[tokio::test]
async fn events_before_since_are_not_repaired() {
    let stack = Stack::default();
    finish(&stack, 1);
    stack.world.advance_s(60);
    let late = finish(&stack, 2);
    stack.drop_stream();
    repair_all(&stack, stack.world.now()).await;
    assert_eq!(stack.deliveries.only().subject, Subject::Job(late));
}

#[tokio::test]
async fn every_event_in_the_item_is_repaired() {
    let stack = Stack::default();
    let id = stack.submit(1);
    for event in [vec![Event::Claim, started(1)], run(1, Some("render_1")), vec![Event::Cancel]].concat() {
        assert!(stack.jobs.apply(&id, &event, NOON, &stack.policy));
    }
    stack.drop_stream();
    repair_all(&stack, Timestamp::EPOCH).await;
    let mut events: Vec<&str> = stack.deliveries.all().iter().map(|delivery| delivery.event.name()).collect();
    events.sort_unstable();
    assert_eq!(events, ["job.cancelled", "job.script_completed"]);
}

#[tokio::test]
async fn the_cursor_walks_every_page_of_every_status_and_day() {
    let stack = Stack::default();
    let mut expected = BTreeSet::new();
    // Jobs of the last 32 days; those of the oldest day are expired.
    for day in 0..32 {
        for n in 0..5 {
            let id = cancel(&stack, day * 100 + n);
            if day > 0 {
                expected.insert(id);
            }
        }
        stack.world.advance_s(DAY_S);
    }
    stack.world.set(stack.world.now().before(Duration::from_secs(DAY_S)));
    stack.drop_stream();
    let parts = repair_all(&stack, Timestamp::EPOCH).await;
    let made: BTreeSet<JobId> =
        stack.deliveries.all().iter().filter_map(|delivery| delivery.subject.job().cloned()).collect();
    assert_eq!(made, expected);
    // 31 days with six statuses each; one status has two pages.
    assert_eq!(parts.len(), 31 * (6 + 1));
    assert!(parts.iter().all(|part| part.scanned <= 3));
}

#[tokio::test]
async fn a_cursor_beyond_the_last_status_has_nothing_to_do() {
    let stack = Stack::default();
    let cursor = Cursor { day: 0, status: 6, after: None };
    let part = repair(&stack.repair_ports(&stack.subscriptions().await), Timestamp::EPOCH, cursor, NOON).await.unwrap();
    assert_eq!(part, Repaired::default());
}

#[tokio::test]
async fn a_failed_page_can_be_repeated_with_the_same_cursor() {
    let stack = Stack::default();
    for n in 0..3 {
        finish(&stack, n);
    }
    stack.drop_stream();
    let cursor = Cursor { day: 0, status: 3, after: None };
    let subscriptions = stack.subscriptions().await;
    let part = async || repair(&stack.repair_ports(&subscriptions), Timestamp::EPOCH, cursor.clone(), NOON).await;
    stack.jobs.faults.busy("page", 1);
    assert!(part().await.is_err());
    stack.jobs.faults.busy("load", 1);
    assert!(part().await.is_err());
    for operation in ["put_event", "put_delivery"] {
        stack.fanout.faults.busy(operation, 1);
        assert!(part().await.is_err(), "{operation}");
    }
    stack.hints.faults.busy("send", 1);
    assert!(part().await.is_err());
    assert_eq!(part().await.unwrap().ensured, 3);
    stack.dispatch().await;
    assert_eq!((stack.deliveries.all().len(), stack.deliveries.unfinished()), (3, 0));
    assert_eq!(stack.http.requests().len(), 3, "each webhook is sent once");
}

#[tokio::test]
async fn without_endpoints_a_repair_creates_nothing() {
    let stack = Stack::with(&[], 3);
    finish(&stack, 1);
    stack.drop_stream();
    assert!(repair_all(&stack, Timestamp::EPOCH).await.iter().all(|part| part.ensured == 0));
    assert!(stack.deliveries.events().is_empty());
}

#[tokio::test]
async fn a_job_that_vanishes_during_a_repair_is_skipped() {
    let stack = Stack::default();
    let id = finish(&stack, 1);
    stack.jobs.before("load", move |jobs| jobs.remove(&id));
    stack.drop_stream();
    assert!(repair_all(&stack, Timestamp::EPOCH).await.iter().all(|part| part.scanned == 0));
}

#[tokio::test]
async fn deliveries_of_a_repair_are_sent_like_any_others() {
    let stack = Stack::default();
    let id = finish(&stack, 1);
    stack.drop_stream();
    stack.world.advance_s(7200);
    repair_all(&stack, NOON).await;
    assert_eq!(stack.deliveries.only().created_at, NOON, "the time of the event, not of the repair");
    stack.settle().await;
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Delivered);
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
}

/// Repairs all pages of projects; how many projects each page has, and how many deliveries.
async fn repair_all_projects(stack: &Stack, since: Timestamp) -> Vec<(usize, usize)> {
    let subscriptions = stack.subscriptions().await;
    let (mut parts, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let (ports, projects) = (stack.repair_ports(&subscriptions), &*stack.scenes.projects);
        let (part, next) = repair_projects(&ports, projects, since, cursor.as_deref()).await.unwrap();
        parts.push((part.scanned, part.ensured));
        match next {
            Some(next) => cursor = Some(next),
            None => return parts,
        }
        assert!(parts.len() < 100, "the cursor never reaches the end");
    }
}

#[tokio::test]
async fn every_page_of_projects_is_repaired_under_the_same_ids() {
    let settings = [("WEBHOOK_URLS", "https://receiver.example/hook"), ("WEBHOOK_EVENTS", "project.*")];
    let (lost, healthy) = (Stack::with(&settings, 3), Stack::with(&settings, 3));
    for stack in [&lost, &healthy] {
        let (projects, policy) = (&stack.scenes.projects, &stack.scenes.policy);
        for n in 0..25 {
            let draft = a_project(n, 1, false, NOON, policy);
            projects.put(&draft);
            assert!(projects.apply(&draft.id, &ProjectEvent::Start, NOON, policy));
        }
    }
    healthy.fan_out(&healthy.scenes.projects.stream()).await.unwrap();
    assert_eq!(healthy.deliveries.all().len(), 25);
    assert_eq!(repair_all_projects(&lost, Timestamp::EPOCH).await, [(20, 20), (5, 5)]);
    assert_eq!(lost.deliveries.all(), healthy.deliveries.all());
    assert_eq!(lost.deliveries.events(), healthy.deliveries.events());
    repair_all_projects(&healthy, Timestamp::EPOCH).await;
    assert_eq!(lost.deliveries.events(), healthy.deliveries.events(), "what is there stays as it is");
    let later = NOON.after(Duration::from_secs(1));
    assert_eq!(repair_all_projects(&lost, later).await, [(20, 0), (5, 0)], "nothing happened since");
}

/// A clip job that reserves 10 credits.
async fn create_clips(stack: &Stack, n: u32) -> ClipJob {
    let (jobs, policy) = (&*stack.clips.jobs, &stack.clips.policy);
    let ports = CreatePorts { attempts: jobs, jobs, list: jobs, clock: &*stack.world, policy, limited: false };
    let request = a_clip_job(n, NOON, policy).request;
    match create_job(&ports, NewClips { request, reuse: false, origin: Origin::default(), key: None }).await.unwrap() {
        Created::Job(job) => *job,
        other => panic!("{other:?}"),
    }
}

/// A new attempt of a clip job, which reserves 10 credits.
async fn retry_clips(stack: &Stack, id: &ClipJobId) {
    let (jobs, policy) = (&*stack.clips.jobs, &stack.clips.policy);
    let ports = AttemptPorts { attempts: jobs, jobs, clock: &*stack.world, policy, limited: false };
    assert!(matches!(retry_job(&ports, jobs.get(id)).await.unwrap(), Retried::Done(_)));
}

/// The worker cuts a clip out of a source of ten minutes, which costs 100 credits.
fn finish_clips(stack: &Stack, id: &ClipJobId, number: u32) {
    let worker_id = RenderId::parse("g-1").unwrap();
    let clip = ReportedClip { file: Some(File::stored("clips/a.mp4")), ..ReportedClip::default() };
    let output = WorkerOutput { clips: vec![clip], source_ms: Some(600_000), ..WorkerOutput::default() };
    let report = WorkerReport { output: Some(Box::new(output)), ..WorkerReport::of(ReportKind::Completed) };
    for event in [
        ClipEvent::ClaimSubmission,
        ClipEvent::Submitted { number, id: worker_id },
        ClipEvent::Reported { number, id: None, report: Box::new(report), polled: false },
    ] {
        assert!(stack.clips.jobs.apply(id, &event, stack.world.now(), &stack.clips.policy), "{event:?}");
    }
}

#[tokio::test]
async fn a_repair_ends_the_reservations_of_a_lost_stream_once() {
    let (stack, account) = (Stack::default(), Account::Operator);
    let (jobs, policy) = (&stack.clips.jobs, &stack.clips.policy);
    // One job is canceled, retried and charged; one is canceled; and one is under way.
    let charged = create_clips(&stack, 1).await.id;
    assert!(jobs.apply(&charged, &ClipEvent::Cancel, NOON, policy));
    retry_clips(&stack, &charged).await;
    finish_clips(&stack, &charged, 2);
    let canceled = create_clips(&stack, 2).await.id;
    assert!(jobs.apply(&canceled, &ClipEvent::Cancel, NOON, policy));
    create_clips(&stack, 3).await;
    assert_eq!((jobs.balance_of(&account).reserved, jobs.balance_of(&account).balance), (40, 0));

    let subscriptions = stack.subscriptions().await;
    let repaired = async |since: Timestamp| {
        repair_clips(&stack.repair_ports(&subscriptions), &**jobs, since, None).await.unwrap().0.scanned
    };
    let later = NOON.after(Duration::from_secs(1));
    assert_eq!(repaired(later).await, 3);
    assert_eq!(jobs.balance_of(&account).reserved, 40, "nothing has changed since then");
    assert_eq!(repaired(NOON).await, 3);
    let settled = jobs.balance_of(&account);
    assert_eq!((settled.reserved, settled.balance, settled.spent), (10, -100, 100));
    let entries = jobs.entries_of(&account);
    assert_eq!((entries.len(), entries[0].amount, entries[0].basis), (1, -100, Some(Basis::Reported)));
    assert_eq!(entries[0].id, format!("{charged}.2"));

    for _ in 0..2 {
        repaired(NOON).await;
        stack.fan_out(&jobs.stream()).await.unwrap();
        assert_eq!((jobs.balance_of(&account), jobs.entries_of(&account)), (settled, entries.clone()));
    }
}
