//! The queue for its operator: lists without gaps, numbers, the switch, and clears that hide at once and remove later.

mod clears;
mod lists;
mod metadata;
mod switch;

use reelhook_app::change::ChangeError;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::{JobFilter, RemovalPorts, clear, list, remove_cleared, status};
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::{Event, Job, JobId, Status, Timestamp};
use reelhook_testkit::{NOON, Stack, lived, make_job, run, started};

/// The time `ms` milliseconds after noon.
fn at(ms: i64) -> Timestamp {
    Timestamp(NOON.millis() + ms)
}

/// A run that fails for good.
fn failure() -> Event {
    Event::RunFailed { attempt: 1, error: "Payment required".to_owned() }
}

/// Job number `n`, made at `at` and of this status ever since.
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

/// Two jobs of each status, made at noon.
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

/// Selects jobs of all families.
fn with_status(status: Option<Status>) -> JobFilter {
    JobFilter { status, ..JobFilter::default() }
}

/// The whole list of a status, part by part.
async fn walk(stack: &Stack, status: Option<Status>, limit: usize) -> Vec<Vec<Job>> {
    walk_by(stack, &with_status(status), limit).await
}

/// The whole list, part by part.
async fn walk_by(stack: &Stack, filter: &JobFilter, limit: usize) -> Vec<Vec<Job>> {
    let mut parts = Vec::new();
    let mut cursor = None;
    for _ in 0..1000 {
        let part = list(&*stack.jobs, stack.world.now(), filter, limit, cursor).await.unwrap();
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

/// The part of a sweep that removes what is hidden.
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

/// Checks the effect of a removal on these jobs: each changes once, and those that run stay as they are.
fn check_removed(stack: &Stack, jobs: &[Job]) {
    let now = stack.world.now();
    for before in jobs {
        let job = stack.jobs.get(&before.id);
        let removed = (job.status, job.run.times.cancelled_at, job.deleted_at, job.version - before.version);
        let expected = match before.status {
            Status::Pending => (Status::Cancelled, Some(now), None, 1),
            status if runs(before) => (status, None, None, 0),
            status => (status, before.run.times.cancelled_at, Some(now), 1),
        };
        assert_eq!(removed, expected, "{:?}", before.status);
    }
}
