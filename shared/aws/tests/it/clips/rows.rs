//! Look-ups of clip jobs by the worker's ids: rows of the Counters table.

use reelhook_app::clips::store::ClipLookups;
use reelhook_aws::jobs::counters::CounterTable;
use serde_json::{Value, json};

use super::id;
use crate::replay::{Answer, Call, Calls, condition_failed, dynamodb, error, kind, ok};

fn counters(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (CounterTable, Calls) {
    let (client, calls) = dynamodb(script);
    (CounterTable::new(client, "Counters"), calls)
}

#[tokio::test]
async fn jobs_are_found_by_the_ids_of_their_submissions() {
    let (table, calls) = counters(|_, _| ok());
    table.remember("worker-9", &id(1), 2).await.unwrap();
    let put = calls.only();
    let row = put.at("/Item").clone();
    assert_eq!((&row["pk"]["S"], &row["job"]["S"]), (&json!("clip-submission#worker-9"), &json!(id(1).as_str())));
    assert_eq!(put.at("/ConditionExpression"), "attribute_not_exists(pk) OR expires_at <= :now");

    let read = move |call: &Call, _: usize| {
        if row["pk"] == *call.at("/Key/pk") { (200, json!({ "Item": row })) } else { ok() }
    };
    let (table, _) = counters(read);
    assert_eq!(table.submission("worker-9").await.unwrap(), Some((id(1), 2)));
    assert_eq!(table.submission("worker-8").await.unwrap(), None);
}

#[tokio::test]
async fn the_first_job_with_an_id_keeps_it() {
    let (table, calls) = counters(|_, _| condition_failed(None));
    table.remember("worker-9", &id(1), 1).await.unwrap();
    assert_eq!(calls.operations(), ["PutItem"]);
    let (table, _) = counters(|_, _| error("AccessDeniedException"));
    assert_eq!(kind(&table.remember("worker-9", &id(1), 1).await.unwrap_err()), "refused");
}

#[tokio::test]
async fn an_expired_row_and_a_text_that_is_no_id_find_nothing() {
    let expired: Value = json!({
        "pk": { "S": "clip-submission#worker-9" }, "sk": { "S": "-" }, "job": { "S": id(1).as_str() },
        "submission": { "N": "1" }, "expires_at": { "N": "1" },
    });
    let (table, _) = counters(move |_, _| (200, json!({ "Item": expired })));
    assert_eq!(table.submission("worker-9").await.unwrap(), None, "TTL removes late");
    let (table, calls) = counters(|_, _| ok());
    for text in ["", "a b", "..", &"x".repeat(3000)] {
        assert_eq!(table.submission(text).await.unwrap(), None, "{text}");
    }
    assert!(calls.all().is_empty());
}
