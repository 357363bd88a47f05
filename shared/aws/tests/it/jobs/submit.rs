//! Submissions and claims: transactions, and the meaning of each cancellation reason.

use reelhook_app::idempotency::IdempotencyRecord;
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::claims::{Claimed, StartStore};
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::{Admission, SlotRow, Slots, Timestamp};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{claimed, table, waiting};
use crate::replay::{ATTEMPTS, Answer, LATER, NEVER, cancelled, error, kind, ok};

fn row() -> IdempotencyRecord {
    IdempotencyRecord {
        caller: "caller".to_owned(),
        key: "key 1".to_owned(),
        body_hash: "abc".to_owned(),
        answer: r#"{"jobId": "Série"}"#.to_owned(),
        expires_at: Timestamp(NOON.millis() + 86_400_000),
    }
}

#[tokio::test]
async fn a_submission_with_a_key_is_one_transaction_of_key_and_job() {
    let (jobs, calls) = table(|_, _| ok());
    assert_eq!(jobs.insert_with_key(&waiting(), &row(), NOON).await.unwrap(), Saved::Done);
    let call = calls.only();
    assert_eq!(call.operation, "TransactWriteItems");
    assert_eq!(call.at("/TransactItems").as_array().unwrap().len(), 2);
    let key = call.at("/TransactItems/0/Put");
    assert_eq!(key["TableName"], "Counters");
    assert_eq!(key["ConditionExpression"], "attribute_not_exists(pk) OR expires_at <= :now");
    assert_eq!(key["ExpressionAttributeValues"], json!({ ":now": { "N": NOON.seconds().to_string() } }));
    assert_eq!(key["Item"]["pk"], json!({ "S": "key#caller#key 1" }));
    assert_eq!(key["Item"]["expires_at"], json!({ "N": (NOON.seconds() + 86_400).to_string() }));
    let job = call.at("/TransactItems/1/Put");
    assert_eq!((&job["TableName"], &job["ConditionExpression"]), (&json!("Jobs"), &json!("attribute_not_exists(id)")));
    assert_eq!(job["Item"]["id"], json!({ "S": waiting().id.as_str() }));
}

#[tokio::test]
async fn the_attempts_of_one_transaction_have_one_token() {
    let (jobs, calls) = table(|_, before| if before == 0 { error("InternalServerError") } else { ok() });
    jobs.insert_with_key(&waiting(), &row(), NOON).await.unwrap();
    let tokens: Vec<Value> = calls.all().iter().map(|call| call.at("/ClientRequestToken").clone()).collect();
    assert_eq!(tokens.len(), 2);
    assert!(tokens[0].is_string());
    assert_eq!(tokens[0], tokens[1], "DynamoDB knows the repeat of a write whose answer was lost");
}

#[tokio::test]
async fn a_known_key_returns_its_record() {
    let (jobs, calls) = table(|call, _| match call.operation.as_str() {
        "GetItem" => (
            200,
            json!({ "Item": {
            "pk": { "S": "key#caller#key 1" }, "sk": { "S": "-" },
            "body_hash": { "S": "abc" }, "answer": { "S": row().answer },
            "expires_at": { "N": row().expires_at.seconds().to_string() },
        } }),
        ),
        _ => cancelled(&["ConditionalCheckFailed", "None"]),
    });
    let saved = jobs.insert_with_key(&waiting(), &row(), NOON).await.unwrap();
    assert_eq!(saved, Saved::Conflict(Some(Box::new(row()))));
    assert_eq!(calls.operations(), ["TransactWriteItems", "GetItem"]);
    assert_eq!(calls.all()[1].at("/ConsistentRead"), &json!(true));
}

#[tokio::test]
async fn a_key_whose_record_vanished_is_a_conflict_without_one() {
    let (jobs, _) = table(|call, _| match call.operation.as_str() {
        "GetItem" => ok(),
        _ => cancelled(&["ConditionalCheckFailed", "None"]),
    });
    assert_eq!(jobs.insert_with_key(&waiting(), &row(), NOON).await.unwrap(), Saved::Conflict(None));
}

#[tokio::test]
async fn a_job_id_that_exists_is_an_error() {
    let (jobs, _) = table(|_, _| cancelled(&["None", "ConditionalCheckFailed"]));
    let failure = jobs.insert_with_key(&waiting(), &row(), NOON).await.unwrap_err();
    assert_eq!(kind(&failure), "unreadable");
    assert!(failure.to_string().contains("exists"), "{failure}");
}

#[tokio::test]
async fn a_concurrent_request_with_the_same_key_is_retried_until_the_record_exists() {
    let (jobs, calls) = table(|call, before| match (call.operation.as_str(), before) {
        ("GetItem", _) => (200, json!({ "Item": { "body_hash": { "S": "abc" }, "answer": { "S": "first" } } })),
        (_, 0 | 1) => cancelled(&["TransactionConflict", "None"]),
        _ => cancelled(&["ConditionalCheckFailed", "None"]),
    });
    let saved = jobs.insert_with_key(&waiting(), &row(), NOON).await.unwrap();
    assert!(matches!(saved, Saved::Conflict(Some(first)) if first.answer == "first"));
    let tokens: Vec<Value> = calls.all()[..3].iter().map(|call| call.at("/ClientRequestToken").clone()).collect();
    assert_ne!(tokens[0], tokens[1], "each attempt is a new transaction");
}

#[tokio::test]
async fn endless_conflicts_are_busy() {
    let (jobs, calls) = table(|_, _| cancelled(&["TransactionConflict", "None"]));
    assert_eq!(kind(&jobs.insert_with_key(&waiting(), &row(), NOON).await.unwrap_err()), "busy");
    assert_eq!(calls.all().len(), 10);
}

#[tokio::test]
async fn a_transaction_s_failures_are_distinguished() {
    let check = async |answer: fn() -> Answer, expected: &str| {
        let (jobs, _) = table(move |_, _| answer());
        let submitted = jobs.insert_with_key(&waiting(), &row(), NOON).await.map(|_| ());
        let started = jobs.claim(&[claimed()], &rows()).await.map(|_| ());
        for failure in [submitted.unwrap_err(), started.unwrap_err()] {
            assert_eq!(kind(&failure), expected, "{:?}: {failure:?}", answer());
        }
    };
    check(|| cancelled(&["None", "ThrottlingError"]), "busy").await;
    check(|| cancelled(&["ProvisionedThroughputExceeded", "None"]), "busy").await;
    check(|| cancelled(&["None", "ValidationError"]), "refused").await;
    check(|| cancelled(&["ItemCollectionSizeLimitExceeded", "None"]), "refused").await;
    check(|| error("ThrottlingException"), "busy").await;
    check(|| error("InternalServerError"), "busy").await;
    check(|| error("AccessDeniedException"), "refused").await;
    check(|| error("ResourceNotFoundException"), "refused").await;
    check(|| error("IdempotentParameterMismatchException"), "refused").await;
}

#[tokio::test]
async fn a_transaction_whose_first_attempt_is_still_under_way_is_busy() {
    // All attempts of the SDK have one token: after a timeout, the transaction may still be in progress.
    let (jobs, calls) = table(|_, _| error("TransactionInProgressException"));
    let failure = jobs.claim(&[claimed()], &rows()).await.unwrap_err();
    assert_eq!(calls.all().len(), ATTEMPTS, "the SDK itself retries it");
    assert_eq!(kind(&failure), "busy");
}

fn rows() -> Vec<SlotRow> {
    let start = Slots::from(Admission { version: 4, ..Admission::default() });
    start.take(&[waiting().next_slot()], NOON, Timestamp(NOON.millis() + 1000), 3, 0).unwrap().rows
}

#[tokio::test]
async fn a_claim_is_one_transaction_of_admission_and_job() {
    let (jobs, calls) = table(|_, _| ok());
    assert_eq!(jobs.claim(&[claimed()], &rows()).await.unwrap(), Claimed::Done);
    let call = calls.only();
    let item = call.at("/TransactItems/0/Put");
    assert_eq!(item["TableName"], "Counters");
    assert_eq!(item["ConditionExpression"], "attribute_not_exists(pk) OR #version = :version");
    assert_eq!(item["ExpressionAttributeValues"], json!({ ":version": { "N": "4" } }));
    let body: Admission = serde_json::from_str(item["Item"]["body"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(body, rows()[0].row);
    let job = call.at("/TransactItems/1/Put");
    assert_eq!(job["ConditionExpression"], "#version = :version");
    assert_eq!(job["ExpressionAttributeValues"], json!({ ":version": { "N": "1" } }));
}

#[tokio::test]
async fn a_lost_claim_is_a_conflict_at_either_item() {
    for (reasons, expected) in [
        (["ConditionalCheckFailed", "None"], Claimed::RowsChanged),
        (["None", "ConditionalCheckFailed"], Claimed::Conflict),
        (["ConditionalCheckFailed", "ConditionalCheckFailed"], Claimed::Conflict),
        (["TransactionConflict", "None"], Claimed::RowsChanged),
        (["None", "TransactionConflict"], Claimed::Conflict),
        (["TransactionConflict", "ConditionalCheckFailed"], Claimed::Conflict),
    ] {
        let (jobs, calls) = table(move |_, _| cancelled(&reasons));
        assert_eq!(jobs.claim(&[claimed()], &rows()).await.unwrap(), expected, "{reasons:?}");
        assert_eq!(calls.all().len(), 1, "{reasons:?}");
    }
}

#[tokio::test]
async fn a_queue_without_an_admission_item_has_an_empty_one() {
    let (jobs, _) = table(|_, _| ok());
    assert_eq!(jobs.admission().await.unwrap(), Admission::default().into());
}

#[tokio::test]
async fn counts_come_from_one_bounded_read_and_from_cached_counters() {
    let (jobs, calls) = table(|call, _| match call.at("/IndexName").as_str() {
        Some("by-active") => {
            let ranks = ["pending#1", "starting#1", "processing#1", "processing#2", "rendering#1"];
            let items: Vec<Value> = ranks.iter().map(|rank| json!({ "active_rank": { "S": rank } })).collect();
            (200, json!({ "Items": items, "Count": items.len() }))
        }
        _ => {
            let counter = |day: &str, status: &str, count: i64| json!({ "sk": { "S": format!("{day}#{status}") }, "count": { "N": count.to_string() } });
            (
                200,
                json!({ "Items": [
                counter("2023-12-31", "completed", 5), counter("2024-01-01", "completed", 2),
                counter("2024-01-01", "failed", 3), counter("2024-01-01", "cancelled", 4),
                counter("2024-01-01", "unheard-of", 9), counter("2024-01-02", "failed", -1),
            ] }),
            )
        }
    });
    for _ in 0..2 {
        let counts = jobs.queue_counts().await.unwrap();
        assert_eq!((counts.pending, counts.processing, counts.rendering), (2, 2, 1));
        assert_eq!((counts.completed, counts.failed, counts.cancelled), (7, 3, 4));
    }
    let active: Vec<_> = calls.all().into_iter().filter(|call| call.at("/IndexName") == "by-active").collect();
    assert_eq!(active[0].at("/Limit"), &json!(1000));
    assert_eq!((active.len(), calls.all().len()), (2, 3), "the counters are cached for some seconds");
}

#[tokio::test]
async fn counts_that_can_t_be_read_are_an_error() {
    for (codes, expected) in [(&LATER[..], "busy"), (&NEVER[..], "refused")] {
        for code in codes {
            let (jobs, _) = table(|_, _| error(code));
            let failure: StoreError = jobs.queue_counts().await.unwrap_err();
            assert_eq!(kind(&failure), expected, "{code}");
        }
    }
}
