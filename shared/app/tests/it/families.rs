//! Lists of jobs of one family or of all: jobs of other families neither appear nor use up the page size.

use reelhook_app::jobs::queue::{JobFilter, list};
use reelhook_domain::{Event, Job, JobId, JobKind, Status, Timestamp};
use reelhook_testkit::{NOON, Stack, lived, make_job};

/// One job of StreamGank to seven videos, each a second older than the one before, every second one cancelled.
fn among_videos(stack: &Stack) -> Vec<Job> {
    let made = |n: u32| {
        let at = Timestamp(NOON.millis() - 1000 * i64::from(n));
        let kind = if n % 8 == 3 { JobKind::Workflow } else { JobKind::Video };
        let job = Job { kind, ..make_job(n, at, &stack.policy) };
        let events: &[Event] = if n % 16 < 8 { &[] } else { &[Event::Cancel] };
        let job = lived(job, events, at, &stack.policy);
        stack.jobs.put(&job);
        job
    };
    (0..160).map(made).collect()
}

/// Reads the list page by page: the length of each page, and all ids.
async fn walk(
    stack: &Stack,
    family: Option<JobKind>,
    status: Option<Status>,
    limit: usize,
) -> (Vec<usize>, Vec<JobId>) {
    let (mut lengths, mut ids, mut cursor) = (Vec::new(), Vec::new(), None);
    for _ in 0..200 {
        let filter = JobFilter { family, status, ..JobFilter::default() };
        let part = list(&*stack.jobs, NOON, &filter, limit, cursor).await.unwrap();
        lengths.push(part.jobs.len());
        ids.extend(part.jobs.into_iter().map(|job| job.id));
        let Some(next) = part.next else { return (lengths, ids) };
        cursor = Some(next);
    }
    panic!("the list never ends");
}

#[tokio::test]
async fn each_page_of_a_family_s_list_is_full_whatever_the_other_families_have() {
    let stack = Stack::default();
    let jobs = among_videos(&stack);
    for family in [Some(JobKind::Workflow), Some(JobKind::Video), None] {
        for status in [None, Some(Status::Pending), Some(Status::Cancelled), Some(Status::Failed)] {
            let wanted = |job: &&Job| {
                family.is_none_or(|family| job.kind == family) && status.is_none_or(|status| job.status == status)
            };
            let expected: Vec<JobId> = jobs.iter().filter(wanted).map(|job| job.id.clone()).collect();
            for limit in [3, 20, 200] {
                let (lengths, ids) = walk(&stack, family, status, limit).await;
                assert_eq!(ids, expected, "{family:?} {status:?} by {limit}");
                let (_, full) = lengths.split_last().unwrap();
                assert!(full.iter().all(|length| *length == limit), "{family:?} {status:?} by {limit}: {lengths:?}");
            }
        }
    }
    let own = jobs.iter().filter(|job| job.kind == JobKind::Workflow).count();
    assert_eq!(own, 20);
}

#[tokio::test]
async fn a_family_s_list_costs_as_many_reads_as_one_of_all() {
    let stack = Stack::default();
    among_videos(&stack);
    let reads = async |family: Option<JobKind>, status: Option<Status>| {
        let calls = || ["newest", "load_all"].map(|operation| stack.jobs.faults.calls(operation));
        let before = calls();
        let filter = JobFilter { family, status, ..JobFilter::default() };
        list(&*stack.jobs, NOON, &filter, 10, None).await.unwrap();
        let after = calls();
        [after[0] - before[0], after[1] - before[1]]
    };
    for family in [None, Some(JobKind::Workflow), Some(JobKind::Video)] {
        assert_eq!(reads(family, None).await, [18, 1], "{family:?}: three months of six statuses");
        assert_eq!(reads(family, Some(Status::Pending)).await, [3, 1], "{family:?}: three months");
    }
}
