//! Replays: repeated records change nothing, as a whole or in part, at once or after later changes.

use reelhook_app::clock::ClockAndRandom;
use reelhook_domain::{DeliveryStatus, Event, Status};
use reelhook_testkit::{NOON, Stack, header, lived, run, started};

use super::{every_effect, hold_slots, record, stack};

/// Rows and counters as text to compare; messages are only hints and may be repeated.
fn rows(stack: &Stack) -> String {
    format!(
        "{:#?}\n{:#?}\n{:#?}\n{:?}\n{:?}",
        stack.fanout.logs(),
        stack.deliveries.events(),
        stack.deliveries.all(),
        stack.fanout.totals(),
        stack.jobs.admission_item(),
    )
}

#[tokio::test]
async fn processing_a_batch_twice_changes_nothing_and_gives_the_same_ids() {
    let stack = stack();
    hold_slots(&stack, [1, 2, 9]);
    let batch = [record(1, every_effect(1)), record(2, every_effect(2))];
    stack.fan_out(&batch).await.unwrap();
    let (once, hints) = (rows(&stack), stack.hints.sent());
    assert_eq!(stack.fanout.totals()[&Status::Completed], 2);
    stack.fan_out(&batch).await.unwrap();
    assert_eq!(rows(&stack), once);
    assert_eq!(stack.hints.sent()[hints.len()..], hints, "the hints of the replay name the same deliveries");
}

#[tokio::test]
async fn two_fanouts_at_once_do_what_one_does() {
    let (twice, once) = (stack(), stack());
    let batch = [record(1, every_effect(1)), record(2, every_effect(2))];
    for stack in [&twice, &once] {
        hold_slots(stack, [1, 2, 9]);
    }
    let (one, other) = tokio::join!(twice.fan_out(&batch), twice.fan_out(&batch));
    assert!(one.is_ok() && other.is_ok());
    once.fan_out(&batch).await.unwrap();
    let active = |stack: &Stack| stack.jobs.admission_item().active;
    assert_eq!(active(&twice), active(&once));
    assert_eq!(twice.fanout.logs(), once.fanout.logs());
    assert_eq!(twice.deliveries.all(), once.deliveries.all());
    assert_eq!(twice.fanout.totals(), once.fanout.totals());
}

#[tokio::test]
async fn a_replay_after_everything_was_delivered_sends_nothing_again() {
    let stack = stack();
    let id = stack.submit(1);
    let mut events = vec![Event::Claim, started(1)];
    events.extend(run(1, None));
    for event in &events {
        stack.jobs.apply(&id, event, NOON, &stack.policy);
    }
    // Messages for the launcher have no effect, because the job has ended.
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
    assert!(stack.deliveries.all().iter().all(|delivery| delivery.status == DeliveryStatus::Delivered));
    let (sent, before) = (stack.http.requests().len(), rows(&stack));
    assert_eq!(sent, 2, "one delivery per receiver");

    stack.replay_stream().await;
    stack.settle().await;
    assert_eq!(stack.http.requests().len(), sent);
    assert_eq!(rows(&stack), before);
}

#[tokio::test]
async fn a_replay_takes_no_slot_from_a_job_that_was_claimed_again() {
    for rows in [1, 4] {
        let stack = Stack::with(&[], 9);
        stack.jobs.arrange_with(rows, true);
        let id = stack.submit(1);
        stack.settle().await;
        let failed = Event::RunFailed { attempt: 1, error: "browser crashed".to_owned() };
        assert!(stack.jobs.apply(&id, &failed, NOON, &stack.policy));
        stack.settle().await;
        assert_eq!(stack.jobs.slots().running(stack.world.now()), 0, "the first slot is free");
        stack.world.advance_s(60);
        stack.sweep().await;
        stack.settle().await;
        assert_eq!(stack.jobs.get(&id).status, Status::Processing);
        stack.replay_stream().await;
        stack.replay_stream().await;
        let running = stack.jobs.slots().running(stack.world.now());
        assert_eq!(running, 1, "it holds the slot of its second run");
    }
}

#[tokio::test]
async fn a_replay_that_overtakes_the_dispatcher_changes_no_webhook_id() {
    let stack = stack();
    let batch = [record(1, every_effect(1))];
    stack.fan_out(&batch).await.unwrap();
    stack.hints.purge();
    stack.fan_out(&batch).await.unwrap();
    stack.dispatch().await;
    let mut ids: Vec<String> = stack.http.requests().iter().map(|request| header(request, "webhook-id")).collect();
    ids.sort();
    let mut expected: Vec<String> = stack.deliveries.all().iter().map(|delivery| delivery.id.webhook_id()).collect();
    expected.sort();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_job_that_leaves_and_enters_final_states_is_counted_where_it_is() {
    let stack = stack();
    let events = [Event::Cancel];
    let cancelled = lived(reelhook_testkit::make_job(1, NOON, &stack.policy), &events, NOON, &stack.policy);
    let deleted = lived(cancelled.clone(), &[Event::Delete], NOON, &stack.policy);
    stack.fan_out(std::slice::from_ref(&cancelled)).await.unwrap();
    assert_eq!(stack.fanout.counted(Status::Cancelled, "2024-01-01"), 1);
    stack.fan_out(&[cancelled, deleted]).await.unwrap();
    assert_eq!(stack.fanout.counted(Status::Cancelled, "2024-01-01"), 0);
}

#[tokio::test]
async fn a_later_endpoint_gets_replayed_events_and_the_others_nothing_new() {
    let mut stack = Stack::with(&[("WEBHOOK_URLS", "https://a.example/")], 3);
    let batch = [record(1, every_effect(1))];
    stack.fan_out(&batch).await.unwrap();
    let first = stack.deliveries.only();
    stack.settings = reelhook_testkit::webhook_settings(&[super::TWO]);
    stack.fan_out(&batch).await.unwrap();
    assert_eq!(stack.deliveries.all().len(), 2);
    assert_eq!(stack.deliveries.get(first.id), first);
    assert_eq!(stack.deliveries.events().len(), 1, "the event is written once");
}
