//! What DynamoDB leaves of a batch counts as throttled, though the call is a success.

use std::sync::Arc;

use reelhook_app::jobs::queue::QueueStore;
use reelhook_app::metrics::MetricName;
use reelhook_app::outbox::fanout::FanoutStore;
use reelhook_app::webhooks::deliver::{DeliveryRows, SaveDeliveries};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::events::{FanoutTables, JobEventTable};
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::{JobId, Subject};
use reelhook_testkit::{NOON, World, recorded_by};
use serde_json::json;

use crate::deliveries::{attempted, rows, table};
use crate::replay::{Answer, Call, dynamodb, ok};

/// How often DynamoDB throttles what `work` calls.
async fn throttles(work: impl Future<Output = ()>) -> usize {
    let all = recorded_by(work).await;
    all.iter().filter(|metric| metric.name == MetricName::SdkThrottles && metric.by[0] == "dynamodb").count()
}

/// Leaves all keys or rows of the first call with this name.
fn leaves_all(operation: &'static str, part: &'static str) -> impl Fn(&Call, usize) -> Answer + Send + Sync + 'static {
    move |call, before| {
        if before > 0 || call.operation != operation {
            return ok();
        }
        (200, json!({ "Responses": {}, part: call.at("/RequestItems") }))
    }
}

#[tokio::test]
async fn keys_that_are_left_count() {
    let (deliveries, _) = table(leaves_all("BatchGetItem", "UnprocessedKeys"));
    let (delivery, row) = rows(1);
    let hints = [(delivery.id, row.id)];
    let load = async {
        deliveries.load(&hints, &[]).await.unwrap();
    };
    assert_eq!(throttles(load).await, 1);

    let (client, _) = dynamodb(leaves_all("BatchGetItem", "UnprocessedKeys"));
    let counters = CounterTable::new(client.clone(), "Counters");
    let jobs = JobTable::new(client, "Jobs", counters, Arc::new(World::default()));
    let load = async {
        jobs.load_all(&[JobId::parse("job_1").unwrap()]).await.unwrap();
    };
    assert_eq!(throttles(load).await, 1);
}

#[tokio::test]
async fn rows_that_are_left_count() {
    let row = || json!({ "job_id": { "S": "job_1" }, "seq": { "S": "0000000001.00" } });
    let (client, _) = dynamodb(move |call, before| match (call.operation.as_str(), before) {
        ("Query", 0) => (200, json!({ "Items": [row()] })),
        ("BatchWriteItem", 1) => (200, json!({ "UnprocessedItems": call.at("/RequestItems") })),
        _ => ok(),
    });
    let tables = FanoutTables {
        log: JobEventTable::new(client.clone(), "JobEvents"),
        deliveries: DeliveryTable::new(client.clone(), "Deliveries"),
        counters: CounterTable::new(client, "Counters"),
        now: || NOON,
    };
    let remove = async {
        tables.remove_logs(&Subject::parse("job_1").unwrap()).await.unwrap();
    };
    assert_eq!(throttles(remove).await, 1);
}

#[tokio::test]
async fn statements_that_are_throttled_count_and_others_that_fail_do_not() {
    for (code, expected) in [
        ("ThrottlingError", 1),
        ("ProvisionedThroughputExceeded", 1),
        ("RequestLimitExceeded", 1),
        ("InternalServerError", 0),
        ("ConditionalCheckFailed", 0),
    ] {
        let (deliveries, _) = table(move |_, before| match before {
            0 => (200, json!({ "Responses": [{ "Error": { "Code": code, "Message": "why" } }] })),
            _ => (200, json!({ "Responses": [{ "TableName": "Deliveries" }] })),
        });
        let delivery = attempted(1);
        let save = async {
            deliveries.save_all(&[&delivery]).await.remove(0).unwrap();
        };
        assert_eq!(throttles(save).await, expected, "{code}");
    }
}
