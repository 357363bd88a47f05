//! The lists of clip jobs: of all, of an owner, with a status; and the job with a request.

use reelhook_app::clips::digest::of_request;
use reelhook_app::clips::store::{ClipJobPage, ClipList};
use reelhook_domain::{ClipJob, ClipStatus, Origin};
use serde_json::{Value, json};

use super::items::item_of;
use super::{at, id, job, owner, table};
use crate::replay::{Answer, Call, ok};

/// Job number `n`, created `n` milliseconds after noon.
fn numbered(n: u32) -> ClipJob {
    ClipJob { id: id(n), created_at: at(i64::from(n)), ..job(n) }
}

/// The entry of job number `n` in the index.
fn key(n: u32) -> Value {
    json!({
        "id": { "S": id(n).as_str() }, "list": { "S": "clips" },
        "created_at": { "N": at(i64::from(n)).millis().to_string() },
    })
}

/// DynamoDB with the jobs 9 to 1, the newest first.
async fn nine() -> impl Fn(&Call, usize) -> Answer + Send + Sync + 'static {
    let mut items = Vec::new();
    for n in 1..=9 {
        items.push(item_of(&numbered(n)).await);
    }
    move |call, _| {
        if call.operation == "BatchGetItem" {
            let keys = call.at("/RequestItems/Clips/Keys").as_array().unwrap();
            let found: Vec<&Value> =
                items.iter().filter(|item| keys.iter().any(|key| key["id"] == item["id"])).collect();
            return (200, json!({ "Responses": { "Clips": found } }));
        }
        let before = call
            .at("/ExclusiveStartKey/created_at/N")
            .as_str()
            .map_or(10, |text| u32::try_from(text.parse::<i64>().unwrap() - at(0).millis()).unwrap());
        let limit = usize::try_from(call.at("/Limit").as_u64().unwrap()).unwrap();
        let found: Vec<u32> = (1..before).rev().take(limit).collect();
        let last = found.last().filter(|last| **last > 1).map(|last| key(*last));
        let keys: Vec<Value> = found.iter().map(|n| key(*n)).collect();
        (200, json!({ "Items": keys, "Count": found.len(), "LastEvaluatedKey": last }))
    }
}

fn numbers(page: &ClipJobPage) -> Vec<u32> {
    page.jobs.iter().map(|job| (1..=9).find(|n| id(*n) == job.id).unwrap()).collect()
}

#[tokio::test]
async fn cursors_lead_through_the_list() {
    let (clips, calls) = table(nine().await);
    let first = clips.page(None, None, None, 4).await.unwrap();
    assert_eq!(numbers(&first), [9, 8, 7, 6]);
    assert_eq!(first.next, Some(format!("{}.{}", at(6).millis(), id(6).uuid())));
    assert_eq!(first.next, Some(clips.cursor_after(&first.jobs[3])), "a shorter page goes on in the same way");
    let second = clips.page(None, None, first.next.as_deref(), 4).await.unwrap();
    assert_eq!(numbers(&second), [5, 4, 3, 2]);
    let last = clips.page(None, None, second.next.as_deref(), 4).await.unwrap();
    assert_eq!((numbers(&last), &last.next), (vec![1], &None));
    let query = &calls.all()[0];
    assert_eq!((query.at("/IndexName"), query.at("/ScanIndexForward")), (&json!("by-created"), &json!(false)));
    assert_eq!(query.at("/ExpressionAttributeNames"), &json!({ "#partition": "list" }));
}

#[tokio::test]
async fn a_page_that_ends_with_the_list_is_the_last() {
    let (clips, _) = table(nine().await);
    assert_eq!(clips.page(None, None, None, 9).await.unwrap().next, None);
    assert!(clips.page(None, None, None, 8).await.unwrap().next.is_some());
}

#[tokio::test]
async fn an_owner_s_list_is_a_partition_of_its_own() {
    let (clips, calls) = table(|_, _| ok());
    let cursor = format!("5.{}", id(5).uuid());
    clips.page(Some(&owner("u-1")), None, Some(&cursor), 4).await.unwrap();
    let query = calls.only();
    assert_eq!(query.at("/IndexName"), "by-owner");
    assert_eq!(query.at("/KeyConditionExpression"), "#partition = :partition");
    assert_eq!(query.at("/ExpressionAttributeNames"), &json!({ "#partition": "owner" }));
    assert_eq!(query.at("/ExpressionAttributeValues"), &json!({ ":partition": { "S": "u-1" } }));
    let start = json!({ "owner": { "S": "u-1" }, "created_at": { "N": "5" }, "id": { "S": id(5).as_str() } });
    assert_eq!(query.at("/ExclusiveStartKey"), &start, "a cursor of somebody else leads to one's own jobs");
}

#[tokio::test]
async fn a_rare_status_makes_a_short_page_with_a_cursor() {
    let (clips, calls) = table(|call, before| match call.operation.as_str() {
        "Query" => {
            (200, json!({ "Items": [], "Count": 0, "LastEvaluatedKey": key(9 - u32::try_from(before).unwrap()) }))
        }
        _ => ok(),
    });
    let page = clips.page(None, Some(ClipStatus::Failed), None, 4).await.unwrap();
    assert_eq!((numbers(&page), page.next), (vec![], Some(format!("{}.{}", at(5).millis(), id(5).uuid()))));
    let queries = calls.all();
    assert_eq!(queries.len(), 5);
    assert_eq!(
        (queries[0].at("/FilterExpression"), queries[0].at("/Limit")),
        (&json!("#status = :status"), &json!(1000))
    );
    assert_eq!(queries[0].at("/ExpressionAttributeValues/:status"), &json!({ "S": "failed" }));
    assert_eq!(queries[1].at("/ExclusiveStartKey"), &key(9));
}

#[tokio::test]
async fn a_job_that_has_another_status_by_now_is_left_out() {
    let (clips, _) = table(nine().await);
    let page = clips.page(None, Some(ClipStatus::Failed), None, 9).await.unwrap();
    assert!(page.jobs.is_empty(), "the index lags behind");
}

#[tokio::test]
async fn a_cursor_that_is_none_finds_nothing() {
    for cursor in ["", "x", "1", "1.", "1.x", "a.0b0e7a3c-5f0e-4f43-9a53-000000000001", "1.."] {
        let (clips, calls) = table(nine().await);
        let page = clips.page(None, None, Some(cursor), 4).await.unwrap();
        assert_eq!(page, ClipJobPage { jobs: Vec::new(), next: None }, "{cursor}");
        assert!(calls.all().is_empty(), "{cursor}");
    }
}

#[tokio::test]
async fn the_job_with_a_request_is_found_unless_it_failed_or_is_gone() {
    let find = async |found: ClipJob, by: Option<&str>| {
        let item = item_of(&found).await;
        let (clips, calls) = table(move |call, _| match call.at("/TableName").as_str() {
            Some("Counters") => (
                200,
                json!({ "Item": {
                "pk": call.at("/Key/pk"), "sk": { "S": "-" }, "job": { "S": id(1).as_str() },
            } }),
            ),
            _ => (200, json!({ "Item": item })),
        });
        let by = by.map(owner);
        let job = clips.with_request(by.as_ref(), &of_request(&found.request)).await.unwrap();
        (job.is_some(), calls.all()[0].at("/Key/pk/S").as_str().unwrap().to_owned())
    };
    let digest = of_request(&job(1).request);
    assert_eq!(find(job(1), None).await, (true, format!("clip-request#operator#{digest}")));
    let owned = ClipJob { origin: Origin { owner: Some(owner("u-1")), ..Origin::default() }, ..job(1) };
    assert_eq!(find(owned.clone(), Some("u-1")).await, (true, format!("clip-request#owner:u-1#{digest}")));
    assert!(!find(owned.clone(), Some("u-2")).await.0);
    assert!(!find(owned, None).await.0);
    for status in ClipStatus::ALL.iter().copied() {
        let given_up = matches!(status, ClipStatus::Failed | ClipStatus::Canceled);
        let job = ClipJob { status, ended_at: Some(at(1)), ..job(1) };
        assert_eq!(find(job, None).await.0, !given_up, "{status:?}");
    }
    assert!(!find(ClipJob { deleted_at: Some(at(1)), ..job(1) }, None).await.0);
}

#[test]
fn a_request_is_the_same_with_another_callback_and_other_metadata() {
    let request = job(1).request;
    let mut other = request.clone();
    other.callback = Some(super::url("https://client.example/hook"));
    assert_eq!(of_request(&other), of_request(&request));
    other.count = Some(3);
    assert_ne!(of_request(&other), of_request(&request));
}
