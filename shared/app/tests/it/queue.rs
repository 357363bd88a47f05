//! The queue for its operator: lists without gaps, counts, the pause switch, and clears.

use std::time::Duration;

use reelhook_app::change::ChangeError;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::{QueueStatus, RemovalPorts, clear, clear_failed, list, remove_cleared, status, toggle};
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::{Event, Job, JobId, Status, Timestamp};
use reelhook_testkit::{Fault, NOON, Stack, lived, make_job, run, started};

/// So many milliseconds after noon.
fn at(ms: i64) -> Timestamp {
    Timestamp(NOON.millis() + ms)
}

/// A run that fails for good.
fn failure() -> Event {
    Event::RunFailed { attempt: 1, error: "Payment required".to_owned() }
}

/// Job number `n`, created at `at` with this status.
fn put(stack: &Stack, n: u32, status: Status, at: Timestamp) -> Job {
    let ran = |render| [vec![Event::Claim, started(1)], run(1, render)].concat();
    let events = match status {
        Status::Pending => vec![],
        Status::Processing => vec![Event::Claim, started(1)],
        Status::Rendering => ran(Some("render_1")),
        Status::Completed => ran(None),
        Status::Failed => vec![failure()],
        Status::Cancelled => vec![Event::Cancel],
    };
    let job = lived(make_job(n, at, &stack.policy), &events, at, &stack.policy);
    assert_eq!(job.status, status);
    stack.jobs.put(&job);
    job
}

/// Two jobs of each status, created at noon.
fn two_of_each(stack: &Stack) -> Vec<Job> {
    (0..12_u32).map(|n| put(stack, n, Status::ALL[n as usize % 6], NOON)).collect()
}

/// 240 jobs of all statuses and two months, fifteen to a millisecond.
fn many(stack: &Stack) -> Vec<Job> {
    let made = |n: u32| put(stack, n, Status::ALL[n as usize % 6], at(-5_400_000 * i64::from(n / 15)));
    let jobs: Vec<Job> = (0..240).map(made).collect();
    let of = |month: &str| jobs.iter().filter(|job| job.created_at.day().starts_with(month)).count();
    assert_eq!((of("2024-01"), of("2023-12")), (135, 105));
    jobs
}

fn runs(job: &Job) -> bool {
    matches!(job.status, Status::Processing | Status::Rendering)
}

/// Their ids in order, each as often as it is there.
fn sorted<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> Vec<JobId> {
    let mut ids: Vec<JobId> = jobs.into_iter().map(|job| job.id.clone()).collect();
    ids.sort();
    ids
}

/// The whole list, page by page.
async fn walk(stack: &Stack, filter: Option<Status>, limit: usize) -> Vec<Vec<Job>> {
    let mut parts = Vec::new();
    let mut cursor = None;
    for _ in 0..1000 {
        let part = list(&*stack.jobs, stack.world.now(), None, filter, limit, cursor).await.unwrap();
        assert!(part.jobs.len() <= limit);
        parts.push(part.jobs);
        let Some(next) = part.next else { return parts };
        cursor = Some(next);
    }
    panic!("the list never ends");
}

/// Whether the list holds these jobs, each once, newest first, and whether its parts are full where nothing is hidden.
async fn check_list(stack: &Stack, filter: Option<Status>, expected: &[JobId], full: bool) {
    for limit in [1, 7, 200] {
        let parts = walk(stack, filter, limit).await;
        assert!(!full || parts.len() == expected.len().div_ceil(limit), "{filter:?} by {limit}: {}", parts.len());
        let jobs = parts.concat();
        assert!(jobs.is_sorted_by(|a, b| a.created_at >= b.created_at), "{filter:?} by {limit}");
        assert_eq!(sorted(&jobs), expected, "{filter:?} by {limit}");
    }
}

async fn counts(stack: &Stack) -> QueueCounts {
    status(&*stack.jobs, stack.world.now()).await.unwrap().counts
}

/// The part of a sweep that removes hidden jobs.
async fn remove(stack: &Stack) -> Result<usize, ChangeError> {
    let ports = RemovalPorts { queue: &*stack.jobs, jobs: &*stack.jobs, clock: &*stack.world, policy: &stack.policy };
    remove_cleared(&ports).await
}

/// Two jobs of each status, cleared a second later, and a second later still.
async fn cleared() -> (Stack, Vec<Job>) {
    let stack = Stack::default();
    let jobs = two_of_each(&stack);
    stack.world.advance_s(1);
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    stack.world.advance_s(1);
    (stack, jobs)
}

/// Checks these jobs after a removal: each changed once, running ones not at all.
fn check_removed(stack: &Stack, jobs: &[Job]) {
    let now = stack.world.now();
    for before in jobs {
        let job = stack.jobs.get(&before.id);
        let told = (job.status, job.run.times.cancelled_at, job.deleted_at, job.version - before.version);
        let expected = match before.status {
            Status::Pending => (Status::Cancelled, Some(now), None, 1),
            status if runs(before) => (status, None, None, 0),
            status => (status, before.run.times.cancelled_at, Some(now), 1),
        };
        assert_eq!(told, expected, "{:?}", before.status);
    }
}

#[tokio::test]
async fn a_list_of_all_or_of_one_status_shows_every_job_once_whatever_its_limit() {
    let stack = Stack::default();
    let jobs = many(&stack);
    check_list(&stack, None, &sorted(&jobs), true).await;
    for status in Status::ALL {
        let ids = sorted(jobs.iter().filter(|job| job.status == status));
        assert_eq!(ids.len(), 40);
        check_list(&stack, Some(status), &ids, true).await;
    }
    let calls = || ["newest", "load_all"].map(|operation| stack.jobs.faults.calls(operation));
    let before = calls();
    list(&*stack.jobs, NOON, None, None, 200, None).await.unwrap();
    assert_eq!(calls(), [before[0] + 18, before[1] + 1], "three months of six statuses, however many jobs there are");
}

#[tokio::test]
async fn jobs_of_the_same_millisecond_are_listed_once_each() {
    let stack = Stack::default();
    let mut jobs = vec![put(&stack, 90, Status::Pending, NOON), put(&stack, 91, Status::Pending, at(-2))];
    jobs.extend((0..25).map(|n| put(&stack, n, Status::Pending, at(-1))));
    let waiting = sorted(&jobs);
    jobs.extend((30..40).map(|n| put(&stack, n, Status::Failed, at(-1))));
    check_list(&stack, None, &sorted(&jobs), true).await;
    check_list(&stack, Some(Status::Pending), &waiting, true).await;
}

#[tokio::test]
async fn changes_between_two_pages_neither_repeat_nor_skip_a_job() {
    let stack = Stack::default();
    let jobs: Vec<Job> = (0..6).map(|n| put(&stack, n, Status::Pending, at(-i64::from(n)))).collect();
    let first = list(&*stack.jobs, NOON, None, None, 2, None).await.unwrap();
    assert_eq!(first.jobs, jobs[..2]);
    stack.world.advance_s(1);
    let now = stack.world.now();
    stack.submit(50);
    stack.jobs.apply(&jobs[2].id, &Event::Cancel, now, &stack.policy);
    stack.jobs.apply(&jobs[3].id, &Event::Cancel, now, &stack.policy);
    stack.jobs.apply(&jobs[3].id, &Event::Delete, now, &stack.policy);
    let rest = list(&*stack.jobs, now, None, None, 10, first.next).await.unwrap();
    let left = vec![stack.jobs.get(&jobs[2].id), jobs[4].clone(), jobs[5].clone()];
    assert_eq!((rest.jobs, rest.next), (left, None));
}

#[tokio::test]
async fn a_stale_index_entry_is_listed_with_the_current_job() {
    for (filter, expected) in [(None, vec![0, 3]), (Some(Status::Pending), vec![3])] {
        let stack = Stack::default();
        let jobs: Vec<Job> = (0..4).map(|n| put(&stack, n, Status::Pending, at(-i64::from(n)))).collect();
        let (ids, policy) = (sorted(&jobs), stack.policy.clone());
        stack.jobs.before("load_all", move |jobs| {
            jobs.apply(&ids[0], &Event::Cancel, NOON, &policy);
            jobs.apply(&ids[1], &Event::Cancel, NOON, &policy);
            jobs.apply(&ids[1], &Event::Delete, NOON, &policy);
            jobs.remove(&ids[2]);
        });
        let part = list(&*stack.jobs, NOON, None, filter, 10, None).await.unwrap();
        let now: Vec<Job> = expected.into_iter().map(|n: usize| stack.jobs.get(&jobs[n].id)).collect();
        assert_eq!((part.jobs, part.next), (now, None), "{filter:?}");
    }
}

#[tokio::test]
async fn cleared_jobs_are_hidden_at_once_and_newer_ones_are_not() {
    let (stack, jobs) = cleared().await;
    check_list(&stack, None, &sorted(jobs.iter().filter(|job| runs(job))), false).await;
    for status in [Status::Pending, Status::Completed, Status::Failed, Status::Cancelled] {
        check_list(&stack, Some(status), &[], false).await;
    }
    assert_eq!(counts(&stack).await, QueueCounts { processing: 2, rendering: 2, ..QueueCounts::default() });
    assert_eq!(stack.jobs.counts().total(), 12, "nothing was removed yet");
    // What ends or is made from now on shows.
    let now = stack.world.now();
    let running = jobs.iter().find(|job| job.status == Status::Processing).unwrap();
    for event in run(1, None) {
        assert!(stack.jobs.apply(&running.id, &event, now, &stack.policy));
    }
    let new = stack.submit(20);
    check_list(&stack, Some(Status::Completed), std::slice::from_ref(&running.id), false).await;
    check_list(&stack, Some(Status::Pending), &[new], false).await;
    let expected = QueueCounts { pending: 1, processing: 1, rendering: 2, completed: 1, ..QueueCounts::default() };
    assert_eq!(counts(&stack).await, expected);
}

#[tokio::test]
async fn a_list_skips_a_bounded_number_of_hidden_jobs() {
    let stack = Stack::default();
    for n in 0..30 {
        put(&stack, n, Status::Pending, at(-i64::from(n)));
    }
    let running = put(&stack, 30, Status::Processing, at(-1000));
    stack.world.advance_s(1);
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    let part = list(&*stack.jobs, stack.world.now(), None, None, 1, None).await.unwrap();
    assert_eq!((part.jobs, part.next.is_some()), (vec![], true));
    assert_eq!((stack.jobs.faults.calls("load_all"), stack.jobs.faults.calls("newest")), (5, 90));
    let found: Vec<usize> = walk(&stack, None, 1).await.iter().map(Vec::len).collect();
    assert_eq!(found, [0, 0, 0, 0, 0, 0, 1], "each part passes over five, and none is lost");
    assert_eq!(walk(&stack, None, 7).await, [[running]], "one part reads over all of them");
    let stack = Stack::default();
    let jobs = many(&stack);
    stack.world.advance_s(1);
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    check_list(&stack, None, &sorted(jobs.iter().filter(|job| runs(job))), false).await;
}

#[tokio::test]
async fn the_status_of_the_queue_has_its_counts() {
    let stack = Stack::with(&[], 2);
    let ids: Vec<JobId> = (1..=3).map(|n| stack.submit(n)).collect();
    stack.settle().await;
    let rendering = put(&stack, 10, Status::Rendering, NOON).id;
    let ended = [Status::Completed, Status::Completed, Status::Failed, Status::Cancelled];
    for (n, status) in (11..).zip(ended) {
        put(&stack, n, status, NOON);
    }
    let mut expected = QueueStatus {
        counts: QueueCounts { pending: 1, processing: 2, rendering: 1, completed: 2, failed: 1, cancelled: 1 },
        active: vec![ids[0].clone(), ids[1].clone(), rendering],
        running: 2,
        paused: false,
    };
    assert_eq!(status(&*stack.jobs, NOON).await.unwrap(), expected);
    toggle(&*stack.jobs, &stack.work, &*stack.world, Some(false)).await.unwrap();
    expected.paused = true;
    assert_eq!(status(&*stack.jobs, NOON).await.unwrap(), expected);
    // Leases that ran out count no more, whatever the jobs say.
    expected.running = 0;
    let lease = NOON.after(Duration::from_secs(60 + 30 * 60 + 300));
    assert_eq!(status(&*stack.jobs, lease).await.unwrap(), expected);
}

#[tokio::test]
async fn a_toggle_switches_or_sets_and_returns_both_states() {
    let check = async |paused: bool, asked: Option<bool>, (was, is): (bool, bool)| {
        let stack = Stack::default();
        stack.jobs.change_admission(|admission| admission.paused = paused);
        let answer = toggle(&*stack.jobs, &stack.work, &*stack.world, asked).await.unwrap();
        assert_eq!(answer, (was, is), "{paused} {asked:?}");
        let after = stack.jobs.admission_item();
        assert_eq!((after.paused, after.version), (!is, if was == is { 1 } else { 2 }), "{paused} {asked:?}");
        let hints = if is { vec![Delayed::now(WorkMessage::Start)] } else { vec![] };
        assert_eq!(stack.work.sent(), hints, "{paused} {asked:?}");
    };
    check(false, None, (true, false)).await;
    check(true, None, (false, true)).await;
    check(false, Some(false), (true, false)).await;
    check(true, Some(true), (false, true)).await;
    check(false, Some(true), (true, true)).await;
    check(true, Some(false), (false, false)).await;
}

#[tokio::test]
async fn a_conflicting_toggle_is_decided_again() {
    // Another writer leases slots; both changes are kept.
    let check = async |conflicts: usize, goes_through: bool| {
        let stack = Stack::default();
        for _ in 0..conflicts {
            stack.jobs.before("save_admission", |jobs| {
                jobs.change_admission(|admission| {
                    let slot = format!("job_other.{}.1", admission.version);
                    admission.active.insert(slot, NOON.after(Duration::from_secs(60)));
                });
            });
        }
        let answer = toggle(&*stack.jobs, &stack.work, &*stack.world, None).await;
        assert_eq!(answer.as_ref().ok(), goes_through.then_some(&(true, false)), "{conflicts}");
        assert!(answer.is_ok() || answer.is_err_and(|error| error.is_busy()), "{conflicts}");
        let after = stack.jobs.admission_item();
        assert_eq!((after.paused, after.active.len()), (goes_through, conflicts));
        assert_eq!(stack.jobs.faults.calls("save_admission"), 20, "{conflicts}");
    };
    check(19, true).await;
    check(20, false).await;
    // Another person pauses the queue first.
    for (asked, expected) in [(None, (false, true)), (Some(false), (false, false))] {
        let stack = Stack::default();
        stack.jobs.before("save_admission", |jobs| jobs.change_admission(|admission| admission.paused = true));
        assert_eq!(toggle(&*stack.jobs, &stack.work, &*stack.world, asked).await.unwrap(), expected, "{asked:?}");
        assert_eq!(stack.jobs.admission_item().paused, !expected.1, "{asked:?}");
    }
}

#[tokio::test]
async fn waiting_jobs_start_when_the_queue_resumes_even_if_the_hint_is_lost() {
    for lost in [false, true] {
        let stack = Stack::with(&[], 3);
        toggle(&*stack.jobs, &stack.work, &*stack.world, Some(false)).await.unwrap();
        let id = stack.submit(1);
        stack.settle().await;
        assert_eq!(stack.jobs.get(&id).status, Status::Pending);
        stack.work.faults.busy("send", usize::from(lost));
        assert_eq!(toggle(&*stack.jobs, &stack.work, &*stack.world, None).await.is_err(), lost);
        assert!(!stack.jobs.admission_item().paused, "it is resumed in any case");
        if lost {
            stack.sweep().await;
        }
        stack.settle().await;
        assert_eq!(stack.jobs.get(&id).status, Status::Processing, "{lost}");
    }
}

#[tokio::test]
async fn a_clear_cancels_waiting_jobs_removes_ended_ones_and_keeps_running_ones() {
    let (stack, jobs) = cleared().await;
    assert_eq!(remove(&stack).await.unwrap(), 8);
    check_removed(&stack, &jobs);
    let left = QueueCounts { processing: 2, rendering: 2, cancelled: 2, ..QueueCounts::default() };
    assert_eq!((counts(&stack).await, stack.jobs.counts()), (left, left));
    assert!(!stack.jobs.admission_item().cleared.is_empty(), "there may be more");
    assert_eq!(remove(&stack).await.unwrap(), 0);
    let done = stack.jobs.admission_item();
    assert!(done.cleared.is_empty(), "nothing is hidden any more");
    assert_eq!(remove(&stack).await.unwrap(), 0);
    assert_eq!(stack.jobs.admission_item(), done, "nothing is written");
    let shown = jobs.iter().filter(|job| runs(job) || job.status == Status::Pending);
    check_list(&stack, None, &sorted(shown), true).await;
}

#[tokio::test]
async fn one_sweep_removes_a_bounded_number_and_the_rest_stays_hidden() {
    for status in [Status::Pending, Status::Completed, Status::Failed, Status::Cancelled] {
        let stack = Stack::default();
        for n in 0..250 {
            put(&stack, n, status, NOON);
        }
        stack.world.advance_s(1);
        clear(&*stack.jobs, &*stack.world).await.unwrap();
        stack.world.advance_s(1);
        let mut removed = Vec::new();
        for _ in 0..3 {
            removed.push(remove(&stack).await.unwrap());
            assert_eq!(counts(&stack).await.of(status), 0, "{status:?}");
            assert!(walk(&stack, Some(status), 200).await.concat().is_empty(), "{status:?}");
        }
        assert_eq!(removed, [200, 50, 0], "{status:?}");
        assert!(stack.jobs.admission_item().cleared.is_empty(), "{status:?}");
    }
}

#[tokio::test]
async fn removals_that_overlap_change_each_job_once() {
    let (stack, jobs) = cleared().await;
    let (one, two, three) = tokio::join!(remove(&stack), remove(&stack), remove(&stack));
    assert_eq!(one.unwrap() + two.unwrap() + three.unwrap(), 8);
    remove(&stack).await.unwrap();
    check_removed(&stack, &jobs);
    assert!(stack.jobs.admission_item().cleared.is_empty());
}

#[tokio::test]
async fn a_clear_during_a_removal_is_not_forgotten() {
    let stack = Stack::default();
    put(&stack, 1, Status::Failed, NOON);
    stack.world.set(at(1000));
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    stack.world.set(at(2000));
    assert_eq!(remove(&stack).await.unwrap(), 1);
    let late = put(&stack, 2, Status::Failed, at(2000));
    stack.jobs.before("save_admission", |jobs| {
        jobs.change_admission(|admission| admission.cleared = admission.clear(at(3000), |_| 1).cleared);
    });
    stack.world.set(at(4000));
    assert_eq!(remove(&stack).await.unwrap(), 0, "the first clear's jobs are gone");
    assert_eq!(stack.jobs.admission_item().cleared.all, Some(at(3000)));
    assert_eq!(counts(&stack).await.failed, 0);
    assert_eq!(remove(&stack).await.unwrap(), 1);
    assert!(stack.jobs.get(&late.id).deleted_at.is_some());
    assert_eq!(remove(&stack).await.unwrap(), 0);
    assert!(stack.jobs.admission_item().cleared.is_empty());
}

#[tokio::test]
async fn clearing_failed_jobs_counts_them_and_changes_no_other_jobs() {
    let stack = Stack::default();
    let jobs = two_of_each(&stack);
    stack.world.advance_s(1);
    let clear_failed = async || clear_failed(&*stack.jobs, &*stack.world).await.unwrap();
    assert_eq!(clear_failed().await, 2);
    assert_eq!(clear_failed().await, 0, "they are hidden already");
    check_list(&stack, Some(Status::Failed), &[], false).await;
    let others = sorted(jobs.iter().filter(|job| job.status != Status::Failed));
    check_list(&stack, None, &others, false).await;
    assert_eq!(counts(&stack).await, QueueCounts { failed: 0, ..stack.jobs.counts() });
    // One that fails after the clear stays.
    stack.world.advance_s(1);
    let running = jobs.iter().find(|job| job.status == Status::Processing).unwrap();
    assert!(stack.jobs.apply(&running.id, &failure(), stack.world.now(), &stack.policy));
    assert_eq!(counts(&stack).await.failed, 1);
    assert_eq!(remove(&stack).await.unwrap(), 2);
    assert_eq!(remove(&stack).await.unwrap(), 0);
    assert!(stack.jobs.admission_item().cleared.is_empty());
    check_list(&stack, Some(Status::Failed), std::slice::from_ref(&running.id), true).await;
    for before in jobs.iter().filter(|job| job.id != running.id) {
        let job = stack.jobs.get(&before.id);
        let failed = before.status == Status::Failed;
        assert_eq!((job == *before, job.deleted_at.is_some()), (!failed, failed), "{:?}", before.status);
    }
    assert_eq!(clear_failed().await, 1);
}

#[tokio::test]
async fn a_store_that_is_busy_in_the_middle_leaves_a_removal_that_the_next_one_ends() {
    let check = async |operation: &'static str, passed: usize, fault: Fault| {
        let (stack, jobs) = cleared().await;
        stack.jobs.faults.inject(operation, std::iter::repeat_n(Fault::Pass, passed).chain([fault]));
        let error = remove(&stack).await.unwrap_err();
        assert!(error.to_string().contains(operation), "{error}");
        let (now, shown) = (Some(stack.world.now()), walk(&stack, None, 200).await.concat());
        assert!(shown.iter().all(|job| runs(job) || job.run.times.cancelled_at == now), "{operation}");
        for _ in 0..3 {
            remove(&stack).await.unwrap();
        }
        check_removed(&stack, &jobs);
        assert!(stack.jobs.admission_item().cleared.is_empty(), "{operation}");
        assert_eq!(counts(&stack).await, stack.jobs.counts(), "{operation}");
    };
    for (operation, passed) in [("admission", 1), ("newest", 7), ("load_all", 2), ("save", 5)] {
        check(operation, 0, Fault::Busy).await;
        check(operation, passed, Fault::Busy).await;
    }
    check("save_admission", 0, Fault::Busy).await;
    check("save_admission", 0, Fault::LostAnswer).await;
    check("save", 3, Fault::LostAnswer).await;
}

#[tokio::test]
async fn a_busy_store_switches_and_clears_nothing_and_the_next_call_does() {
    for operation in ["queue_counts", "admission", "save_admission"] {
        let stack = Stack::default();
        two_of_each(&stack);
        stack.jobs.faults.busy(operation, 2);
        assert!(clear(&*stack.jobs, &*stack.world).await.unwrap_err().is_busy(), "{operation}");
        assert!(clear_failed(&*stack.jobs, &*stack.world).await.unwrap_err().is_busy(), "{operation}");
        if operation != "queue_counts" {
            stack.jobs.faults.busy(operation, 1);
            assert!(toggle(&*stack.jobs, &stack.work, &*stack.world, None).await.unwrap_err().is_busy(), "{operation}");
        }
        assert_eq!(stack.jobs.admission_item().version, 0, "{operation}");
        assert!(stack.work.sent().is_empty(), "{operation}");
        assert_eq!(clear_failed(&*stack.jobs, &*stack.world).await.unwrap(), 2);
        clear(&*stack.jobs, &*stack.world).await.unwrap();
        assert_eq!(toggle(&*stack.jobs, &stack.work, &*stack.world, None).await.unwrap(), (true, false));
        assert_eq!(counts(&stack).await, QueueCounts { processing: 2, rendering: 2, ..QueueCounts::default() });
    }
}

#[tokio::test]
async fn a_run_that_is_retried_after_a_clear_continues() {
    let (stack, jobs) = cleared().await;
    let running = jobs.iter().find(|job| job.status == Status::Processing).unwrap();
    let crash = Event::RunFailed { attempt: 1, error: "browser crashed".to_owned() };
    assert!(stack.jobs.apply(&running.id, &crash, stack.world.now(), &stack.policy));
    check_list(&stack, Some(Status::Pending), std::slice::from_ref(&running.id), false).await;
    remove(&stack).await.unwrap();
    let job = stack.jobs.get(&running.id);
    assert_eq!((job.status, job.run.attempt), (Status::Pending, 2), "it ran when the queue was cleared");
}

#[tokio::test]
async fn hidden_jobs_behind_many_visible_ones_are_removed_too() {
    let stack = Stack::default();
    let old = put(&stack, 0, Status::Cancelled, at(-1000));
    for n in 1..=200 {
        put(&stack, n, Status::Pending, NOON);
    }
    stack.world.advance_s(1);
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    stack.world.advance_s(1);
    // The newly cancelled jobs are listed before the one that was cancelled long ago.
    for _ in 0..5 {
        remove(&stack).await.unwrap();
    }
    assert!(stack.jobs.get(&old.id).deleted_at.is_some(), "no clear forgets what it hides");
    assert_eq!(counts(&stack).await, QueueCounts { cancelled: 200, ..QueueCounts::default() });
}
