//! Repairs: missing rows of a lost stream are created under the same ids, and existing rows stay as they are.

use std::collections::BTreeSet;
use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbox::repair::{Cursor, Repaired, repair, repair_projects};
use reelhook_domain::projects::event::Event as ProjectEvent;
use reelhook_domain::{DeliveryId, DeliveryStatus, Event, JobId, Status, Subject, Timestamp};
use reelhook_testkit::{NOON, Stack, a_project, run, started};

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
