//! The shards of the index by status: what is written and read with one and with several (ADR 62).

use std::collections::BTreeSet;

use reelhook_app::jobs::queue::QueueStore;
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_app::outbox::repair::{JobLister, Page};
use reelhook_aws::items::shards::EndedShards;
use reelhook_domain::{Event, Job, JobId, JobKind, Status, Timestamp};
use reelhook_testkit::{NOON, lived, policy};
use serde_json::{Value, json};

use super::{table, waiting};
use crate::replay::{Answer, Call, ok};

#[tokio::test]
async fn ended_jobs_are_written_to_their_shard() {
    let months = async |shards: EndedShards| {
        let ended = lived(waiting(), &[Event::Cancel], NOON, &policy());
        let (jobs, calls) = table(|_, _| ok());
        let jobs = jobs.ended_in_shards(shards);
        for n in 0..40 {
            let id = JobId::parse(&format!("job_{n}")).unwrap();
            jobs.insert(&Job { id, ..ended.clone() }).await.unwrap();
        }
        let month = |call: &Call| call.at("/Item/status_month/S").as_str().unwrap().to_owned();
        calls.all().iter().map(month).collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>()
    };
    let first = "cancelled#2024-01";
    assert_eq!(months(EndedShards::default()).await, [first]);
    assert_eq!(months(EndedShards::new(1, 4)).await, [first]);
    assert_eq!(months(EndedShards::new(2, 1)).await, [first.to_owned(), format!("{first}#1")]);
}

/// Answers queries of ended workflows in two shards; jobs are named by when they were created, in milliseconds.
fn two_shards(call: &Call, _: usize) -> Answer {
    let values = call.at("/ExpressionAttributeValues");
    let found: &[i64] = match values[":month"]["S"].as_str().unwrap_or_default() {
        "completed#2024-01" => &[1_704_110_400_001, 1_704_110_400_004],
        "completed#2024-01#1" => &[1_704_110_400_002, 1_704_110_400_003],
        _ => &[],
    };
    let mut items: Vec<Value> = found
        .iter()
        .map(|at| json!({ "id": { "S": format!("job_{at}") }, "created_at": { "N": at.to_string() } }))
        .collect();
    if call.at("/ScanIndexForward") == false {
        items.reverse();
    }
    if let Some(limit) = call.at("/Limit").as_u64() {
        items.truncate(usize::try_from(limit).unwrap());
    }
    (200, json!({ "Items": items, "Count": items.len() }))
}

#[tokio::test]
async fn lists_and_counts_go_over_all_shards_that_may_have_jobs() {
    for shards in [EndedShards::new(2, 1), EndedShards::new(1, 2)] {
        let (jobs, calls) = table(two_shards);
        let jobs = jobs.ended_in_shards(shards);
        let ids = |found: Vec<(Timestamp, JobId)>| {
            found.into_iter().map(|(at, id)| (at.millis_since(NOON), id.to_string())).collect::<Vec<_>>()
        };
        let named = |ms: i64| (ms, format!("job_{}", NOON.millis() + ms));
        let until = Timestamp(NOON.millis() + 9);
        let newest = jobs.newest(Some(JobKind::Workflow), Status::Completed, "2024-01", until, 3).await.unwrap();
        assert_eq!(ids(newest), [named(4), named(3), named(2)]);
        let oldest = jobs.oldest(Status::Completed, "2024-01", NOON, until, 3).await.unwrap();
        assert_eq!(ids(oldest), [named(1), named(2), named(3)]);
        assert_eq!(jobs.count(Status::Completed, "2024-01-01").await.unwrap(), 4);
        let page = jobs.page(Status::Completed, "2024-01-01", None).await.unwrap();
        assert_eq!((page.ids.len(), page.next), (4, None));
        assert_eq!(calls.all().len(), 2 + 4 + 4 + 4, "shards of one family, and of both");
    }
}

#[tokio::test]
async fn a_page_continues_in_the_shard_in_which_the_one_before_ended() {
    let key = |month: &str, id: &str| json!({ "status_month": { "S": month }, "created_at": { "N": "5" }, "id": { "S": id } });
    let (jobs, calls) = table(move |call, before| {
        let month = call.at("/ExpressionAttributeValues/:month/S").as_str().unwrap().to_owned();
        let mut answer = json!({ "Items": [{ "id": { "S": format!("job_{before}") } }] });
        if [1, 3].contains(&before) {
            answer["LastEvaluatedKey"] = key(&month, &format!("job_{before}"));
        }
        (200, answer)
    });
    let jobs = jobs.ended_in_shards(EndedShards::new(2, 1));
    let page = async |after: Option<&str>| jobs.page(Status::Failed, "2024-01-01", after).await.unwrap();
    let ids = |numbers: [u32; 2]| numbers.map(|n| JobId::parse(&format!("job_{n}")).unwrap()).to_vec();
    let next = |cursor: &str| Some(cursor.to_owned());
    assert_eq!(page(None).await, Page { ids: ids([0, 1]), next: next("#1/5/job_1") });
    assert_eq!(page(Some("#1/5/job_1")).await, Page { ids: ids([2, 3]), next: next("vidbuilder/5/job_3") });
    assert_eq!(page(Some("vidbuilder/5/job_3")).await, Page { ids: ids([4, 5]), next: None });
    let all = calls.all();
    let begun: Vec<&Value> = all.iter().map(|call| call.at("/ExclusiveStartKey")).collect();
    let (second, third) = (key("failed#2024-01#1", "job_1"), key("vidbuilder.failed#2024-01", "job_3"));
    assert_eq!(begun, [&Value::Null, &Value::Null, &second, &Value::Null, &third, &Value::Null]);
    // The shard of a cursor may no longer be read.
    let (jobs, calls) = table(|_, _| ok());
    jobs.page(Status::Failed, "2024-01-01", Some("#3/5/job_1")).await.unwrap();
    assert!(calls.all().iter().all(|call| call.at("/ExclusiveStartKey").is_null()));
    assert_eq!(calls.all().len(), 2);
}
