//! The sweep: everything that is due, shard by shard, whatever fails and however often it runs at once.

use std::collections::BTreeSet;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_app::outbox::sweep::{Due, SHARDS, Swept, WaitingScenes, shard};
use reelhook_domain::projects::event::Event as ProjectEvent;
use reelhook_domain::{Event, JobId, Project, Status};
use reelhook_testkit::{NOON, Stack, a_delivery, a_project};

/// Enough jobs that each shard has some, all of them claimed and due after a minute.
fn jobs_in_every_shard(stack: &Stack) -> Vec<JobId> {
    let ids: Vec<JobId> = (0..80).map(|n| stack.submit(n)).collect();
    let shards: BTreeSet<u32> = ids.iter().map(|id| shard(id.as_str())).collect();
    assert_eq!(shards.len(), SHARDS as usize);
    ids.iter().for_each(|id| stack.jobs.leave_claimed(id, stack.world.now(), &stack.policy));
    stack.drop_stream();
    ids
}

/// Enough deliveries that each shard has some.
fn deliveries_in_every_shard(stack: &Stack) -> usize {
    let endpoint = &stack.settings.endpoints[0];
    for n in 0..120 {
        let (delivery, event) = a_delivery(n, endpoint, stack.world.now());
        stack.deliveries.put_event(&event);
        stack.deliveries.put_delivery(&delivery);
    }
    let all = stack.deliveries.all();
    let shards: BTreeSet<u32> = all.iter().map(|delivery| shard(&delivery.id.to_string())).collect();
    assert_eq!(shards.len(), SHARDS as usize);
    all.len()
}

#[tokio::test]
async fn jobs_and_deliveries_that_are_not_due_stay_unchanged() {
    let stack = Stack::default();
    jobs_in_every_shard(&stack);
    deliveries_in_every_shard(&stack);
    stack.world.advance_s(59);
    assert_eq!(stack.sweep().await, Swept::default());
    assert_eq!(stack.jobs.stream().len(), 160, "each was created and claimed");
    assert!(stack.hints.sent().is_empty());
}

#[tokio::test]
async fn due_jobs_of_every_shard_are_changed_and_due_deliveries_get_a_hint() {
    let stack = Stack::default();
    let ids = jobs_in_every_shard(&stack);
    let deliveries = deliveries_in_every_shard(&stack);
    stack.world.advance_s(60);
    let swept = stack.sweep().await;
    let expected = Swept { jobs_due: 80, jobs_changed: 80, deliveries_hinted: deliveries, failed: 0 };
    assert_eq!(swept, expected);
    for id in &ids {
        let job = stack.jobs.get(id);
        assert_eq!((job.version, &job.run.start.claim), (3, &None));
        assert!(job.due_at > Some(stack.world.now()), "and is due again later");
    }
    assert_eq!(stack.hints.waiting().len(), deliveries);
}

#[tokio::test]
async fn one_failing_shard_does_not_block_the_others() {
    let stack = Stack::default();
    jobs_in_every_shard(&stack);
    let deliveries = deliveries_in_every_shard(&stack);
    stack.world.advance_s(60);
    stack.due.faults.busy("due_jobs", 1);
    stack.due.faults.busy("due_deliveries", 1);
    let swept = stack.sweep().await;
    assert_eq!(swept.failed, 2);
    assert!(swept.jobs_changed < 80 && swept.jobs_changed > 60, "{swept:?}");
    assert!(swept.deliveries_hinted < deliveries && swept.deliveries_hinted > 80, "{swept:?}");
    let next = stack.sweep().await;
    assert_eq!((next.jobs_changed, next.failed), (80 - swept.jobs_changed, 0), "the rest is done by the next one");
}

#[tokio::test]
async fn one_failing_job_does_not_block_the_others() {
    let stack = Stack::default();
    let ids = jobs_in_every_shard(&stack);
    stack.world.advance_s(60);
    stack.jobs.faults.inject_for("save", &ids[7], reelhook_testkit::Fault::Busy);
    stack.jobs.faults.inject_for("load", &ids[9], reelhook_testkit::Fault::Refuse);
    let swept = stack.sweep().await;
    assert_eq!((swept.jobs_due, swept.jobs_changed, swept.failed), (80, 78, 2));
    assert_eq!(stack.sweep().await.jobs_changed, 2);
}

#[tokio::test]
async fn hints_that_can_t_be_sent_are_counted_as_failed_and_sent_by_the_next_sweep() {
    let stack = Stack::default();
    let deliveries = deliveries_in_every_shard(&stack);
    stack.world.advance_s(60);
    stack.hints.faults.busy("send", 1);
    let swept = stack.sweep().await;
    assert_eq!((swept.deliveries_hinted, swept.failed), (0, 1));
    assert_eq!(stack.sweep().await.deliveries_hinted, deliveries);
}

#[tokio::test]
async fn sweeps_that_overlap_change_each_job_once() {
    let stack = Stack::default();
    jobs_in_every_shard(&stack);
    stack.world.advance_s(60);
    let (one, two, three) = tokio::join!(stack.sweep(), stack.sweep(), stack.sweep());
    assert_eq!(one.jobs_changed + two.jobs_changed + three.jobs_changed, 80);
    assert_eq!(one.failed + two.failed + three.failed, 0);
    assert!(stack.jobs.all().iter().all(|job| job.version == 3));
}

#[tokio::test]
async fn a_delivery_that_is_hinted_by_several_sweeps_is_sent_once() {
    let stack = Stack::default();
    let deliveries = deliveries_in_every_shard(&stack);
    stack.world.advance_s(60);
    tokio::join!(stack.sweep(), stack.sweep());
    stack.sweep().await;
    for _ in 0..120 {
        stack.dispatch().await;
        stack.world.advance_s(1);
    }
    assert_eq!((stack.http.requests().len(), stack.deliveries.unfinished()), (deliveries, 0));
}

#[tokio::test]
async fn final_jobs_and_ended_deliveries_are_never_due() {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy);
    stack.settle().await;
    stack.world.advance_s(40 * 24 * 3600);
    assert_eq!(stack.sweep().await, Swept::default());
}

#[tokio::test]
async fn a_run_that_exceeds_its_time_limit_is_timed_out_and_cancelled_at_its_worker() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let accepted = r#"{"cancel_url": "https://worker.example/cancel"}"#;
    stack.http.script(move |_| Ok(reelhook_testkit::response(200, accepted)));
    stack.settle().await;
    stack.world.advance_s(30 * 60 - 1);
    assert_eq!(stack.sweep().await.jobs_due, 0);
    stack.world.advance_s(1);
    assert_eq!(stack.sweep().await.jobs_changed, 1);
    stack.settle().await;
    let job = stack.jobs.get(&id);
    assert_eq!((job.status, job.run.error.as_deref()), (Status::Failed, Some("Job timed out after 30 minutes")));
    assert!(stack.jobs.admission_item().active.is_empty());
    let urls: Vec<String> = stack.http.requests().iter().map(|request| request.url.path().to_owned()).collect();
    assert!(urls.contains(&"/cancel".to_owned()), "{urls:?}");
}

#[tokio::test]
async fn a_lost_start_hint_is_sent_again_by_each_sweep_which_writes_nothing() {
    let stack = Stack::with(&[], 0);
    let id = stack.submit(1);
    stack.drop_stream();
    for minute in 1..=90 {
        stack.world.advance_s(60);
        assert_eq!(stack.sweep().await, Swept::default(), "it is in no due index");
        assert_eq!(stack.work.sent(), vec![Delayed::now(WorkMessage::start()); minute]);
    }
    let job = stack.jobs.get(&id);
    assert_eq!((job.status, job.version), (Status::Pending, 1));
}

#[tokio::test]
async fn of_waiting_jobs_those_that_hold_a_slot_are_changed_and_the_others_get_a_hint() {
    let stack = Stack::default();
    let (waiting, claimed) = (stack.submit(1), stack.submit(2));
    stack.jobs.leave_claimed(&claimed, stack.world.now(), &stack.policy);
    stack.drop_stream();
    stack.world.advance_s(60);
    let swept = stack.sweep().await;
    assert_eq!(swept, Swept { jobs_due: 1, jobs_changed: 1, ..Swept::default() });
    assert_eq!((stack.jobs.get(&waiting).version, stack.jobs.get(&claimed).version), (1, 3));
    assert_eq!(stack.work.sent(), [Delayed::now(WorkMessage::start())]);
    stack.settle().await;
    for id in [&waiting, &claimed] {
        assert_eq!(stack.jobs.get(id).status, Status::Processing, "{id}");
    }
    assert_eq!(stack.jobs.admission_item().active.len(), 2, "the slot of the crashed launcher is free");
}

#[tokio::test]
async fn a_backlog_is_processed_by_the_next_sweeps() {
    let stack = Stack::default();
    // All in the same shard, more than one sweep takes from it.
    let mut ids = Vec::new();
    for n in 0.. {
        let new = reelhook_testkit::a_new_job(n);
        if shard(new.id.as_str()) == 3 {
            stack.jobs.put(&reelhook_domain::create(new.clone(), stack.world.now(), &stack.policy));
            stack.jobs.leave_claimed(&new.id, stack.world.now(), &stack.policy);
            ids.push(new.id);
        }
        if ids.len() == 450 {
            break;
        }
    }
    stack.world.advance_s(60);
    let mut changed = Vec::new();
    for _ in 0..4 {
        changed.push(stack.sweep().await.jobs_changed);
    }
    assert_eq!(changed, [200, 200, 50, 0]);
}

#[tokio::test]
async fn due_projects_are_changed_and_scenes_that_wait_get_a_hint() {
    let stack = Stack::default();
    let (projects, policy) = (&*stack.scenes.projects, &stack.scenes.policy);
    let due: Due<'_, Project> = Due { index: projects, store: projects, policy };
    let waiting = WaitingScenes { slots: projects, work: &stack.work };
    assert_eq!(stack.sweep_of(&[&due, &waiting]).await, Swept::default());
    assert!(stack.work.sent().is_empty(), "nothing waits");

    let draft = a_project(1, 1, false, NOON, policy);
    projects.put(&draft);
    assert!(projects.apply(&draft.id, &ProjectEvent::Start, NOON, policy));
    assert_eq!(stack.sweep_of(&[&due, &waiting]).await, Swept::default());
    assert_eq!(stack.work.sent(), [Delayed::now(WorkMessage::start_scenes())], "the hint of its start may be lost");

    stack.world.set(projects.get(&draft.id).due_at.expect("a time"));
    let swept = stack.sweep_of(&[&due, &waiting]).await;
    assert_eq!((swept.jobs_due, swept.jobs_changed, swept.failed), (1, 1, 0));
    assert_eq!(projects.get(&draft.id).version, 3);

    projects.faults.busy("waiting", 1);
    projects.faults.busy("due", 1);
    assert_eq!(stack.sweep_of(&[&due, &waiting]).await.failed, 2);
}

#[tokio::test]
async fn jobs_that_wait_get_as_many_hints_as_they_take() {
    for (jobs, hints) in [(0, 0), (1, 1), (64, 1), (65, 2), (700, 10)] {
        let stack = Stack::default();
        for n in 0..jobs {
            stack.submit(n);
        }
        stack.drop_stream();
        stack.sweep().await;
        assert_eq!(stack.work.sent(), vec![Delayed::now(WorkMessage::start()); hints], "{jobs} jobs");
    }
}
