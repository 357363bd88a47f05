//! Lists that are filtered by metadata: it is in no index, so a list examines a bounded number of jobs.

use std::collections::BTreeSet;

use reelhook_app::jobs::queue::{JobFilter, list};
use reelhook_domain::{Event, Job, JobId, JobKind, Metadata, Status};
use reelhook_testkit::{NOON, Stack, lived, make_job};
use serde_json::{Value, json};

use super::{at, walk_by};

/// Job number `n`, made `n` milliseconds before noon, with this metadata.
fn put(stack: &Stack, n: u32, metadata: &Value) -> Job {
    let mut job = make_job(n, at(-i64::from(n)), &stack.policy);
    job.request.metadata = Metadata::parse(metadata).unwrap();
    stack.jobs.put(&job);
    job
}

fn by(members: &[(&str, &str)]) -> JobFilter {
    let metadata = members.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    JobFilter { metadata, ..JobFilter::default() }
}

#[tokio::test]
async fn each_matching_job_is_listed_once_whatever_the_limit() {
    let stack = Stack::default();
    let metadata = |n: u32| match n % 4 {
        0 => json!({}),
        rest => json!({ "shop": if n < 150 { "north" } else { "south" }, "rest": rest.to_string() }),
    };
    let jobs: Vec<Job> = (0..250).map(|n| put(&stack, n, &metadata(n))).collect();
    for members in [
        &[("shop", "north")][..],
        &[("rest", "2")],
        &[("shop", "south"), ("rest", "1")],
        &[("shop", "South")],
        &[("shop", "")],
        &[("shop", "north"), ("shop", "south")],
        &[("order", "42")],
    ] {
        let has = |job: &&Job| members.iter().all(|(name, value)| job.request.metadata.get(name) == Some(*value));
        let expected: Vec<Job> = jobs.iter().filter(has).cloned().collect();
        for limit in [1, 7, 200] {
            let parts = walk_by(&stack, &by(members), limit).await;
            assert_eq!(parts.concat(), expected, "{members:?} by {limit}");
        }
    }
}

#[tokio::test]
async fn jobs_of_one_millisecond_are_divided_between_parts() {
    let stack = Stack::default();
    let order = json!({ "order": "42" });
    for n in 0..30 {
        let mut job = make_job(n, NOON, &stack.policy);
        job.request.metadata = Metadata::parse(if n % 3 == 0 { &order } else { &Value::Null }).unwrap();
        stack.jobs.put(&job);
    }
    let parts = walk_by(&stack, &by(&[("order", "42")]), 3).await;
    assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 10);
    let ids: BTreeSet<JobId> = parts.concat().into_iter().map(|job| job.id).collect();
    assert_eq!(ids.len(), 10, "{ids:?}");
}

#[tokio::test]
async fn family_and_status_restrict_the_list_too() {
    let stack = Stack::default();
    let order = json!({ "order": "42" });
    let waiting = put(&stack, 0, &order);
    let cancelled = lived(put(&stack, 1, &order), &[Event::Cancel], NOON, &stack.policy);
    let video = Job { kind: JobKind::Video, ..put(&stack, 2, &order) };
    stack.jobs.put(&cancelled);
    stack.jobs.put(&video);
    let check = async |filter: JobFilter, expected: Vec<Job>| {
        let part = list(&*stack.jobs, NOON, &filter, 200, None).await.unwrap();
        assert_eq!((part.jobs, part.next), (expected, None), "{filter:?}");
    };
    check(by(&[("order", "42")]), vec![waiting.clone(), cancelled.clone(), video.clone()]).await;
    check(JobFilter { status: Some(Status::Cancelled), ..by(&[("order", "42")]) }, vec![cancelled]).await;
    check(JobFilter { family: Some(JobKind::Video), ..by(&[("order", "42")]) }, vec![video]).await;
}

#[tokio::test]
async fn a_list_examines_a_thousand_jobs_and_goes_on_at_its_cursor() {
    let stack = Stack::default();
    for n in 0..1100 {
        put(&stack, n, &Value::Null);
    }
    let oldest = put(&stack, 1100, &json!({ "order": "42" }));
    let filter = by(&[("order", "42")]);
    let first = list(&*stack.jobs, NOON, &filter, 1, None).await.unwrap();
    assert!(first.jobs.is_empty());
    assert_eq!((stack.jobs.faults.calls("load_all"), stack.jobs.faults.calls("newest")), (5, 90));
    let rest = list(&*stack.jobs, NOON, &filter, 1, first.next).await.unwrap();
    assert_eq!((rest.jobs, rest.next), (vec![oldest], None));
}
