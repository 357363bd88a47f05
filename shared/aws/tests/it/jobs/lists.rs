//! Lists of jobs: waiting jobs, due jobs, the job of a render, and pages of a day.

use reelhook_app::jobs::claims::oldest_ready;
use reelhook_app::jobs::queue::QueueStore;
use reelhook_app::outbox::repair::{JobLister, Page};
use reelhook_app::outbox::sweep::{DueDeliveries, DueIndex, SHARDS};
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::{Event, Job, JobId, JobKind, OwnerId, RenderId, Status, Timestamp};
use reelhook_testkit::{NOON, lived, policy, started};
use serde_json::{Value, json};

use super::items::item_of;
use super::{rendering, table, table_of, waiting};
use crate::opened::opened;
use crate::replay::{Answer, dynamodb, error, kind, ok};

fn items(ids: &[&str]) -> Answer {
    let items: Vec<Value> = ids.iter().map(|id| json!({ "id": { "S": id } })).collect();
    (200, json!({ "Items": items, "Count": items.len() }))
}

fn job_ids(ids: &[&str]) -> Vec<JobId> {
    ids.iter().map(|id| JobId::parse(id).unwrap()).collect()
}

#[tokio::test]
async fn jobs_of_a_render_come_from_its_index() {
    let (jobs, calls) = table(|_, _| items(&["job_1", "job_2"]));
    let render = RenderId::parse("render_1").unwrap();
    assert_eq!(jobs.of_render(&render).await.unwrap(), job_ids(&["job_1", "job_2"]));
    let call = calls.only();
    assert_eq!(call.at("/IndexName"), "by-render");
    assert_eq!(call.at("/ExpressionAttributeValues"), &json!({ ":render": { "S": "render_1" } }));
}

#[tokio::test]
async fn jobs_of_an_owner_come_from_their_index() {
    let entry = |id: &str, at: &str| json!({ "id": { "S": id }, "created_at": { "N": at }, "owner": { "S": "ann" } });
    let found = json!({ "Items": [entry("job_2", "7"), entry("job_1", "5")], "Count": 2 });
    let (jobs, calls) = table(move |_, _| (200, found.clone()));
    let newest = jobs.newest_of(&OwnerId::parse("ann").unwrap(), Timestamp(7), 3).await.unwrap();
    let times = [Timestamp(7), Timestamp(5)];
    assert_eq!(newest, times.into_iter().zip(job_ids(&["job_2", "job_1"])).collect::<Vec<_>>());
    let call = calls.only();
    assert_eq!((call.at("/IndexName"), call.at("/ScanIndexForward")), (&json!("by-owner"), &json!(false)));
    assert_eq!(call.at("/KeyConditionExpression"), "#owner = :owner AND created_at <= :until");
    assert_eq!(call.at("/ExpressionAttributeNames"), &json!({ "#owner": "owner" }));
    let values = json!({ ":owner": { "S": "ann" }, ":until": { "N": "7" } });
    assert_eq!((call.at("/ExpressionAttributeValues"), call.at("/Limit")), (&values, &json!(3)));
}

#[tokio::test]
async fn due_jobs_are_queried_by_shard_up_to_200() {
    let (client, calls) = dynamodb(|call, _| match call.at("/TableName").as_str() {
        Some("Jobs") => items(&["job_1"]),
        _ => (
            200,
            json!({ "Items": [
            { "pk": { "S": "delivery#6f1d3d0a-6c1e-5b0e-9a53-0f7a6c2b4d11" }, "event_id": { "S": "job_1.4.1" } },
            { "pk": { "S": "delivery#no-uuid" }, "event_id": { "S": "job_1.4.1" } },
            { "pk": { "S": "delivery#6f1d3d0a-6c1e-5b0e-9a53-0f7a6c2b4d11" } },
        ] }),
        ),
    });
    let jobs = table_of(client.clone(), Default::default());
    assert_eq!(jobs.due(7, NOON).await.unwrap(), job_ids(&["job_1"]), "as versions before 0.3 wrote them");
    let deliveries = DeliveryTable::new(client, "Deliveries").due_deliveries(15, NOON).await.unwrap();
    let [(id, event)] = &deliveries[..] else { panic!("{deliveries:?}") };
    assert_eq!((id.to_string().as_str(), event.as_str()), ("6f1d3d0a-6c1e-5b0e-9a53-0f7a6c2b4d11", "job_1.4.1"));
    for (call, shard) in calls.all().iter().zip(["due#7", "due#15"]) {
        assert_eq!(call.at("/IndexName"), "by-due");
        assert_eq!(call.at("/KeyConditionExpression"), "due_shard = :shard AND due_at <= :now");
        let values = json!({ ":shard": { "S": shard }, ":now": { "N": NOON.millis().to_string() } });
        assert_eq!((call.at("/ExpressionAttributeValues"), call.at("/Limit")), (&values, &json!(200)));
    }
}

#[tokio::test]
async fn due_jobs_are_ranges_of_the_active_index() {
    let ranges = [
        ("active", "processing#", "processing#01704110400000~"),
        ("active", "rendering#", "rendering#01704110400000~"),
        ("active", "starting#", "starting#01704110400000~"),
        ("confirming", "0", "01704110400000~"),
    ];
    let (jobs, calls) = table(|_, _| items(&["job_1"]));
    // The others are those of a shard that is no longer read, and of claimed jobs.
    assert_eq!(jobs.parts(), SHARDS + ranges.len() as u32 + 4 + 1);
    for (part, (active, first, last)) in (SHARDS..).zip(ranges) {
        assert_eq!(jobs.due(part, NOON).await.unwrap(), job_ids(&["job_1"]));
        let call = calls.all().pop().unwrap();
        assert_eq!((call.at("/IndexName"), call.at("/Limit")), (&json!("by-active"), &json!(3200)));
        let values = json!({ ":active": { "S": active }, ":first": { "S": first }, ":last": { "S": last } });
        assert_eq!(call.at("/ExpressionAttributeValues"), &values);
    }
}

/// Every job that has a timer and has begun is in the range in which the sweep looks, never later than it is due.
#[tokio::test]
async fn a_job_is_found_in_the_minute_in_which_it_is_due() {
    let later = |job: Job, ms: i64| Job { due_at: Some(Timestamp(NOON.millis() + ms)), ..job };
    for (job, stage) in
        [(lived(waiting(), &[Event::Claim, started(1)], NOON, &policy()), "processing"), (rendering(), "rendering")]
    {
        for (ms, expected) in [(0, 0), (59_999, 0), (60_000, 60_000), (61_000, 60_000)] {
            let item = item_of(&later(job.clone(), ms)).await;
            let rank = format!("{stage}#{:014}#{}", NOON.millis() + expected, NOON.millis());
            assert_eq!(item["active_rank"], json!({ "S": rank }), "{ms}");
        }
    }
}

/// A page of the index of jobs under way.
fn ranks(entries: &[(&str, &str)], more: bool) -> Answer {
    let entry = |(id, rank): &(&str, &str)| json!({ "id": { "S": id }, "active_rank": { "S": rank } });
    let mut answer = json!({ "Items": entries.iter().map(entry).collect::<Vec<_>>() });
    if more {
        answer["LastEvaluatedKey"] = json!({ "id": { "S": entries.last().unwrap().0 } });
    }
    (200, answer)
}

#[tokio::test]
async fn jobs_under_way_are_listed_by_creation_and_kind_from_the_active_index() {
    // Newest first: one that was retried waits for longer than it exists, and one was written by a version before 0.3.
    let waiting = [
        ("job_4", "pending#01704110500000#1704110400004"),
        ("job_3", "pending#01704110400003#1704110400003"),
        ("video_2", "pending#01704110400002#1704110400002#video"),
        ("job_1704110400000_0001", "pending#01704110400000"),
    ];
    let old = opened(&item_of(&super::waiting()).await);
    let (jobs, calls) = table(move |call, _| match call.operation.as_str() {
        "GetItem" => (200, json!({ "Item": old })),
        _ if call.at("/ExpressionAttributeValues/:first/S") == "pending#" => ranks(&waiting, false),
        _ => ranks(&[("job_5", "starting#01704110400000#1704110400005")], false),
    });
    let newest = async |family, until: i64, limit| {
        let until = Timestamp(NOON.millis() + until);
        let found = jobs.newest(family, Status::Pending, "2024-01", until, limit).await.unwrap();
        found.into_iter().map(|(at, id)| (at.millis_since(NOON), id.to_string())).collect::<Vec<_>>()
    };
    let first = (0, "job_1704110400000_0001".to_owned());
    let named = |n: i64, name: &str| (n, format!("{name}_{n}"));
    let all = [named(5, "job"), named(4, "job"), named(3, "job"), named(2, "video"), first.clone()];
    assert_eq!(newest(None, 9, 9).await, all);
    assert_eq!(newest(Some(JobKind::Video), 9, 9).await, [named(2, "video")]);
    assert_eq!(newest(Some(JobKind::Workflow), 3, 9).await, [named(3, "job"), first.clone()]);
    assert_eq!(newest(None, 4, 2).await, [named(4, "job"), named(3, "job")]);
    let oldest = jobs.oldest(Status::Pending, "2024-01", NOON, Timestamp(NOON.millis() + 3), 2).await.unwrap();
    assert_eq!(oldest.into_iter().map(|(_, id)| id.to_string()).collect::<Vec<_>>(), [first.1.as_str(), "video_2"]);
    assert!(jobs.newest(None, Status::Pending, "2023-12", NOON, 9).await.unwrap().is_empty());
    let page = jobs.page(Status::Pending, "2024-01-01", Some("1704110400003/job_3")).await.unwrap();
    assert_eq!(page, Page { ids: job_ids(&["job_4", "job_5"]), next: None });
    let indexes: Vec<Value> = calls.all().iter().map(|call| call.at("/IndexName").clone()).collect();
    assert!(indexes.iter().all(|index| index.is_null() || index == "by-active"), "{indexes:?}");
}

#[tokio::test]
async fn a_list_of_waiting_jobs_reads_no_further_than_it_needs() {
    let (jobs, calls) = table(|call, before| match (call.at("/ExpressionAttributeValues/:first/S").as_str(), before) {
        (Some("pending#"), 0) => ranks(
            &[
                ("job_9", "pending#01704110400009#1704110400009"),
                ("job_8", "pending#01704110400008#1704110400001"),
                ("job_7", "pending#01704110400007#1704110400007"),
            ],
            true,
        ),
        (Some("pending#"), _) => ranks(&[("job_6", "pending#01704110400006#1704110400006")], true),
        _ => ranks(&[], false),
    });
    let until = Timestamp(NOON.millis() + 9);
    let found = jobs.newest(None, Status::Pending, "2024-01", until, 2).await.unwrap();
    assert_eq!(found.into_iter().map(|(_, id)| id).collect::<Vec<_>>(), job_ids(&["job_9", "job_7"]));
    // What comes later was not created after job_7; the other read is that of jobs that start.
    assert_eq!(calls.all().len(), 2);
    let first = calls.all().swap_remove(0);
    assert_eq!((first.at("/ScanIndexForward"), first.at("/Limit")), (&json!(false), &json!(100)));
}

#[tokio::test]
async fn counting_goes_over_all_pages() {
    let (jobs, calls) = table(|_, before| match before {
        0 => (200, json!({ "Count": 700, "LastEvaluatedKey": { "id": { "S": "job_9" } } })),
        1 => (200, json!({ "Count": 42 })),
        _ => (200, json!({ "Count": 3 })),
    });
    assert_eq!(jobs.count(Status::Failed, "2024-01-01").await.unwrap(), 745);
    let all = calls.all();
    assert_eq!(all[0].at("/Select"), "COUNT");
    let values = |month: &str| json!({ ":month": { "S": month }, ":first": { "N": "1704067200000" }, ":last": { "N": "1704153599999" } });
    assert_eq!(all[0].at("/ExpressionAttributeValues"), &values("failed#2024-01"));
    assert_eq!(all[1].at("/ExclusiveStartKey"), &json!({ "id": { "S": "job_9" } }));
    assert_eq!(all[2].at("/ExpressionAttributeValues"), &values("vidbuilder.failed#2024-01"));
    assert_eq!((all[2].at("/ExclusiveStartKey"), all.len()), (&Value::Null, 3));
}

#[tokio::test]
async fn a_page_begins_where_the_one_before_ended() {
    // Two pages: the first has StreamGank's jobs, and the second continues with VidBuilder's.
    let key = |month: &str, id: &str| json!({ "status_month": { "S": month }, "created_at": { "N": "1704110400000" }, "id": { "S": id } });
    let (jobs, calls) = table(move |_, before| {
        let more = |ids: &[&str], last: Value| {
            let (status, mut body) = items(ids);
            body["LastEvaluatedKey"] = last;
            (status, body)
        };
        match before {
            0 => more(&["job_1", "job_2"], key("failed#2024-01", "job_2")),
            1 => items(&["job_3"]),
            2 => more(&["job_4"], key("vidbuilder.failed#2024-01", "job_4")),
            _ => items(&["job_5"]),
        }
    });
    let page = async |after: Option<&str>| jobs.page(Status::Failed, "2024-01-01", after).await.unwrap();
    let mut next = Some("1704110400000/job_2".to_owned());
    assert_eq!(page(None).await, Page { ids: job_ids(&["job_1", "job_2"]), next: next.clone() });
    let after = next.replace("vidbuilder/1704110400000/job_4".to_owned());
    assert_eq!(page(after.as_deref()).await, Page { ids: job_ids(&["job_3", "job_4"]), next: next.clone() });
    assert_eq!(page(next.as_deref()).await, Page { ids: job_ids(&["job_5"]), next: None });
    let all = calls.all();
    let begun: Vec<&Value> = all.iter().map(|call| call.at("/ExclusiveStartKey")).collect();
    let (first, last) = (key("failed#2024-01", "job_2"), key("vidbuilder.failed#2024-01", "job_4"));
    assert_eq!(begun, [&Value::Null, &first, &Value::Null, &last]);
}

#[tokio::test]
async fn a_family_s_list_reads_its_own_partition() {
    let listed = |id: &str, at: i64| json!({ "id": { "S": id }, "created_at": { "N": at.to_string() } });
    let (gank, video) = ([listed("job_3", 3), listed("job_1", 1)], [listed("job_4", 4), listed("job_2", 2)]);
    let check = async |family: Option<JobKind>, expected: &[&str], months: &[&str]| {
        let (gank, video) = (gank.clone(), video.clone());
        let (jobs, calls) = table(move |call, _| {
            let month = call.at("/ExpressionAttributeValues/:month/S").as_str().unwrap_or_default();
            let items = if month.starts_with("vidbuilder.") { &video } else { &gank };
            (200, json!({ "Items": items, "Count": items.len() }))
        });
        let found = jobs.newest(family, Status::Completed, "2024-01", NOON, 3).await.unwrap();
        let found: Vec<JobId> = found.into_iter().map(|(_, id)| id).collect();
        assert_eq!(found, job_ids(expected), "{family:?}");
        let all = calls.all();
        let mut read: Vec<&Value> = all.iter().map(|call| call.at("/ExpressionAttributeValues/:month/S")).collect();
        read.sort_by_key(|month| month.to_string());
        assert_eq!(read, months, "{family:?}");
    };
    let (streamgank, vidbuilder) = ("completed#2024-01", "vidbuilder.completed#2024-01");
    check(Some(JobKind::Workflow), &["job_3", "job_1"], &[streamgank]).await;
    // Videos from before version 0.2 are in StreamGank's list, so the list checks each job.
    check(Some(JobKind::Video), &["job_4", "job_3", "job_2"], &[streamgank, vidbuilder]).await;
    check(None, &["job_4", "job_3", "job_2"], &[streamgank, vidbuilder]).await;
}

#[tokio::test]
async fn the_oldest_are_those_of_all_families() {
    let (jobs, calls) = table(|_, before| {
        let (id, at) = [("job_2", "1704110399999"), ("job_1", "1704110399998")][before.min(1)];
        (200, json!({ "Items": [{ "id": { "S": id }, "created_at": { "N": at } }], "Count": 1 }))
    });
    let from = Timestamp(NOON.millis() - 1000);
    let found = jobs.oldest(Status::Completed, "2024-01", from, NOON, 10).await.unwrap();
    let found: Vec<JobId> = found.into_iter().map(|(_, id)| id).collect();
    assert_eq!((found, calls.all().len()), (job_ids(&["job_1", "job_2"]), 2));
}

#[tokio::test]
async fn lists_that_can_t_be_read_are_an_error() {
    for (code, expected) in [("ThrottlingException", "busy"), ("AccessDeniedException", "refused")] {
        let (jobs, _) = table(move |_, _| error(code));
        let render = RenderId::parse("render_1").unwrap();
        assert_eq!(kind(&oldest_ready(&jobs, NOON, 1).await.unwrap_err()), expected);
        assert_eq!(kind(&jobs.of_render(&render).await.unwrap_err()), expected);
        assert_eq!(kind(&jobs.due(0, NOON).await.unwrap_err()), expected);
        assert_eq!(kind(&jobs.count(Status::Failed, "2024-01-01").await.unwrap_err()), expected);
        assert_eq!(kind(&jobs.page(Status::Failed, "2024-01-01", None).await.unwrap_err()), expected);
    }
}

#[tokio::test]
async fn an_empty_list_is_empty() {
    let (jobs, _) = table(|_, _| ok());
    assert!(oldest_ready(&jobs, NOON, 1).await.unwrap().is_empty());
    assert_eq!(jobs.count(Status::Failed, "2024-01-01").await.unwrap(), 0);
}
