//! Lists of jobs: what waits, what is due, what belongs to a render, and pages of a day.

use reelhook_app::repair::{JobLister, Page};
use reelhook_app::starts::StartStore;
use reelhook_app::sweep::DueStore;
use reelhook_aws::deliveries::DeliveryTable;
use reelhook_aws::due::DueTables;
use reelhook_domain::{JobId, RenderId, Status};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{table, table_of};
use crate::replay::{Answer, dynamodb, error, kind, ok};

fn items(ids: &[&str]) -> Answer {
    let items: Vec<Value> = ids.iter().map(|id| json!({ "id": { "S": id } })).collect();
    (200, json!({ "Items": items, "Count": items.len() }))
}

fn job_ids(ids: &[&str]) -> Vec<JobId> {
    ids.iter().map(|id| JobId::parse(id).unwrap()).collect()
}

#[tokio::test]
async fn who_waits_is_a_range_of_the_active_index_in_the_order_of_readiness() {
    let (jobs, calls) = table(|_, _| items(&["job_2", "no id", "job_1"]));
    assert_eq!(jobs.oldest_ready(NOON, 10).await.unwrap(), job_ids(&["job_2", "job_1"]));
    let call = calls.only();
    assert_eq!((call.operation.as_str(), call.at("/IndexName")), ("Query", &json!("by-active")));
    assert_eq!(call.at("/KeyConditionExpression"), "active = :active AND active_rank BETWEEN :first AND :last");
    let values = json!({
        ":active": { "S": "active" }, ":first": { "S": "pending#" }, ":last": { "S": "pending#01704110400000~" },
    });
    assert_eq!((call.at("/ExpressionAttributeValues"), call.at("/Limit")), (&values, &json!(10)));
    // A rank of this very moment lies inside, one of the next millisecond does not.
    let rank = |ms: i64| format!("pending#{ms:014}");
    assert!(rank(NOON.0).as_str() < "pending#01704110400000~" && rank(NOON.0 + 1).as_str() > "pending#01704110400000~");
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
async fn what_is_due_is_asked_of_each_shard_up_to_200() {
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
    let due = DueTables {
        jobs: table_of(client.clone(), Default::default()),
        deliveries: DeliveryTable::new(client, "Deliveries", None),
    };
    assert_eq!(due.due_jobs(7, NOON).await.unwrap(), job_ids(&["job_1"]));
    let deliveries = due.due_deliveries(15, NOON).await.unwrap();
    let [(id, event)] = &deliveries[..] else { panic!("{deliveries:?}") };
    assert_eq!((id.to_string().as_str(), event.as_str()), ("6f1d3d0a-6c1e-5b0e-9a53-0f7a6c2b4d11", "job_1.4.1"));
    for (call, shard) in calls.all().iter().zip(["due#7", "due#15"]) {
        assert_eq!(call.at("/IndexName"), "by-due");
        assert_eq!(call.at("/KeyConditionExpression"), "due_shard = :shard AND due_at <= :now");
        let values = json!({ ":shard": { "S": shard }, ":now": { "N": NOON.0.to_string() } });
        assert_eq!((call.at("/ExpressionAttributeValues"), call.at("/Limit")), (&values, &json!(200)));
    }
}

#[tokio::test]
async fn counting_goes_over_all_pages() {
    let (jobs, calls) = table(|_, before| match before {
        0 => (200, json!({ "Count": 700, "LastEvaluatedKey": { "id": { "S": "job_9" } } })),
        _ => (200, json!({ "Count": 42 })),
    });
    assert_eq!(jobs.count(Status::Failed, "2024-01-01").await.unwrap(), 742);
    let all = calls.all();
    assert_eq!(all[0].at("/Select"), "COUNT");
    let values = json!({
        ":month": { "S": "failed#2024-01" }, ":first": { "N": "1704067200000" }, ":last": { "N": "1704153599999" },
    });
    assert_eq!(all[0].at("/ExpressionAttributeValues"), &values);
    assert_eq!(all[1].at("/ExclusiveStartKey"), &json!({ "id": { "S": "job_9" } }));
}

#[tokio::test]
async fn a_page_begins_where_the_one_before_ended() {
    let (jobs, calls) = table(|_, before| match before {
        0 => {
            let (status, mut body) = items(&["job_1", "job_2"]);
            body["LastEvaluatedKey"] = json!({
                "status_month": { "S": "failed#2024-01" }, "created_at": { "N": "1704110400000" }, "id": { "S": "job_2" },
            });
            (status, body)
        }
        _ => items(&["job_3"]),
    });
    let first = jobs.page(Status::Failed, "2024-01-01", None).await.unwrap();
    let next = Some("1704110400000/job_2".to_owned());
    assert_eq!(first, Page { ids: job_ids(&["job_1", "job_2"]), next: next.clone() });
    let second = jobs.page(Status::Failed, "2024-01-01", next.as_deref()).await.unwrap();
    assert_eq!(second, Page { ids: job_ids(&["job_3"]), next: None });
    let all = calls.all();
    assert_eq!(all[0].at("/ExclusiveStartKey"), &Value::Null);
    let key = json!({
        "status_month": { "S": "failed#2024-01" }, "created_at": { "N": "1704110400000" }, "id": { "S": "job_2" },
    });
    assert_eq!(all[1].at("/ExclusiveStartKey"), &key);
}

#[tokio::test]
async fn lists_that_can_t_be_read_are_told() {
    for (code, expected) in [("ThrottlingException", "busy"), ("AccessDeniedException", "refused")] {
        let (jobs, _) = table(move |_, _| error(code));
        let render = RenderId::parse("render_1").unwrap();
        assert_eq!(kind(&jobs.oldest_ready(NOON, 1).await.unwrap_err()), expected);
        assert_eq!(kind(&jobs.of_render(&render).await.unwrap_err()), expected);
        assert_eq!(kind(&jobs.due(0, NOON).await.unwrap_err()), expected);
        assert_eq!(kind(&jobs.count(Status::Failed, "2024-01-01").await.unwrap_err()), expected);
        assert_eq!(kind(&jobs.page(Status::Failed, "2024-01-01", None).await.unwrap_err()), expected);
    }
}

#[tokio::test]
async fn an_empty_list_is_empty() {
    let (jobs, _) = table(|_, _| ok());
    assert!(jobs.oldest_ready(NOON, 1).await.unwrap().is_empty());
    assert_eq!(jobs.count(Status::Failed, "2024-01-01").await.unwrap(), 0);
}
