//! Loading and replacing a job: conditions, conflicts, lost responses, and the kinds of errors.

use std::sync::Mutex;

use reelhook_app::change::AggregateStore;
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_app::store::Saved;
use reelhook_testkit::World;
use serde_json::{Value, json};

use super::{claimed, rendering, table, table_of, waiting};
use crate::opened::opened;
use crate::replay::{ATTEMPTS, LATER, NEVER, condition_failed, error, kind, ok, unresponsive_dynamodb};

/// The item that DynamoDB would store of a job.
async fn stored(job: &reelhook_domain::Job) -> Value {
    let (jobs, calls) = table(|_, _| ok());
    jobs.insert(job).await.unwrap();
    calls.only().at("/Item").clone()
}

#[tokio::test]
async fn a_new_job_is_one_put_that_overwrites_nothing() {
    let (jobs, calls) = table(|_, _| ok());
    assert_eq!(jobs.insert(&waiting()).await.unwrap(), Saved::Done);
    let call = calls.only();
    assert_eq!(call.operation, "PutItem");
    assert_eq!(call.at("/TableName"), "Jobs");
    assert_eq!(call.at("/ConditionExpression"), "attribute_not_exists(id)");
    assert_eq!(call.at("/ReturnValuesOnConditionCheckFailure"), "ALL_OLD");
}

#[tokio::test]
async fn a_change_is_one_put_on_condition_of_the_version_before() {
    let (jobs, calls) = table(|_, _| ok());
    assert_eq!(jobs.save(&claimed()).await.unwrap(), Saved::Done);
    let call = calls.only();
    assert_eq!(call.at("/ConditionExpression"), "#version = :version");
    assert_eq!(call.at("/ExpressionAttributeNames"), &json!({ "#version": "version" }));
    assert_eq!(call.at("/ExpressionAttributeValues"), &json!({ ":version": { "N": "1" } }));
    assert_eq!(call.at("/Item/version"), &json!({ "N": "2" }));
}

#[tokio::test]
async fn a_conflict_returns_the_stored_job() {
    let theirs = rendering();
    let item = stored(&theirs).await;
    let (jobs, calls) = table(move |_, _| condition_failed(Some(&item)));
    assert_eq!(jobs.save(&claimed()).await.unwrap(), Saved::Conflict(Some(Box::new(theirs))));
    assert_eq!(calls.all().len(), 1, "a conflict is not retried");
}

#[tokio::test]
async fn a_put_that_meets_a_transaction_is_a_conflict_to_decide_again() {
    let theirs = rendering();
    let item = stored(&theirs).await;
    let (jobs, calls) = table(move |call, _| match call.operation.as_str() {
        "GetItem" => (200, json!({ "Item": item })),
        _ => error("TransactionConflictException"),
    });
    assert_eq!(jobs.save(&claimed()).await.unwrap(), Saved::Conflict(Some(Box::new(theirs))));
    assert_eq!(calls.operations(), ["PutItem", "GetItem"], "the change is decided again, and not sent again");
    assert_eq!(calls.all()[1].at("/ConsistentRead"), &json!(true));
}

#[tokio::test]
async fn a_write_whose_response_was_lost_is_done_even_if_its_repeat_meets_a_transaction() {
    let written = Mutex::new(Value::Null);
    let (jobs, calls) = table(move |call, before| match (call.operation.as_str(), before) {
        ("PutItem", 0) => {
            *written.lock().unwrap() = call.at("/Item").clone();
            error("InternalServerError")
        }
        ("PutItem", _) => error("TransactionConflictException"),
        _ => (200, json!({ "Item": written.lock().unwrap().clone() })),
    });
    assert_eq!(jobs.save(&claimed()).await.unwrap(), Saved::Done, "it would be decided a second time otherwise");
    assert_eq!(calls.operations(), ["PutItem", "PutItem", "GetItem"]);
}

#[tokio::test]
async fn a_conflict_with_nothing_there_has_no_item() {
    let (jobs, _) = table(|_, _| condition_failed(None));
    assert_eq!(jobs.save(&claimed()).await.unwrap(), Saved::Conflict(None));
}

#[tokio::test]
async fn a_write_whose_response_was_lost_is_done() {
    for insert in [true, false] {
        // The first attempt is written and answers 500; the SDK's next attempt finds the item of the first.
        let (jobs, calls) = table(|call, before| match before {
            0 => error("InternalServerError"),
            _ => condition_failed(Some(call.at("/Item"))),
        });
        let saved = if insert { jobs.insert(&waiting()).await } else { jobs.save(&claimed()).await };
        assert_eq!(saved.unwrap(), Saved::Done);
        let written: Vec<Value> = calls.all().iter().map(|call| call.at("/Item/write_id/S").clone()).collect();
        assert_eq!(written.len(), 2);
        assert_eq!(written[0], written[1], "both attempts are the same write");
        assert!(written[0].as_str().is_some_and(|id| id.len() == 16), "{written:?}");
    }
}

#[tokio::test]
async fn another_write_of_the_same_version_is_a_conflict() {
    let mine = claimed();
    let item = stored(&mine).await;
    let (jobs, _) = table(move |_, _| condition_failed(Some(&item)));
    let saved = jobs.save(&mine).await.unwrap();
    assert_eq!(saved, Saved::Conflict(Some(Box::new(mine))), "only the id of the write distinguishes them");
}

#[tokio::test]
async fn each_write_has_an_id_of_its_own() {
    let (jobs, calls) = table(|_, _| ok());
    for _ in 0..2 {
        jobs.save(&claimed()).await.unwrap();
    }
    let ids: Vec<Value> = calls.all().iter().map(|call| call.at("/Item/write_id").clone()).collect();
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn throttling_and_internal_errors_of_aws_are_busy_after_four_attempts() {
    for code in LATER {
        let (jobs, calls) = table(move |_, _| error(code));
        assert_eq!(kind(&jobs.save(&claimed()).await.unwrap_err()), "busy", "{code}");
        assert_eq!(calls.all().len(), ATTEMPTS, "{code}");
        assert_eq!(kind(&jobs.load(&waiting().id).await.unwrap_err()), "busy", "{code}");
    }
}

#[tokio::test]
async fn a_permanent_error_is_refused_immediately() {
    for code in NEVER {
        let (jobs, calls) = table(move |_, _| error(code));
        let failure = jobs.save(&claimed()).await.unwrap_err();
        assert_eq!(kind(&failure), "refused", "{code}");
        assert_eq!(calls.all().len(), 1, "{code}");
        let cause = std::error::Error::source(&failure).unwrap().to_string();
        assert_eq!(cause, format!("{code}: a test says so"), "the cause is named once");
        assert_eq!(kind(&jobs.load(&waiting().id).await.unwrap_err()), "refused", "{code}");
    }
}

#[tokio::test]
async fn an_error_page_of_a_gateway_is_busy() {
    for status in [500, 502, 503, 504] {
        let (jobs, _) = table(move |_, _| (status, json!("<html>")));
        assert_eq!(kind(&jobs.save(&claimed()).await.unwrap_err()), "busy", "{status}");
    }
}

#[tokio::test]
async fn a_missing_response_is_busy() {
    let (client, http) = unresponsive_dynamodb();
    let jobs = table_of(client, World::default());
    assert_eq!(kind(&jobs.save(&claimed()).await.unwrap_err()), "busy");
    assert_eq!(http.num_calls(), ATTEMPTS);
    assert_eq!(kind(&jobs.load(&waiting().id).await.unwrap_err()), "busy");
}

#[tokio::test]
async fn a_job_is_read_consistently_and_a_missing_one_is_none() {
    let (jobs, calls) = table(|_, _| ok());
    assert_eq!(jobs.load(&waiting().id).await.unwrap(), None);
    let call = calls.only();
    assert_eq!((call.operation.as_str(), call.at("/ConsistentRead")), ("GetItem", &json!(true)));
    assert_eq!(call.at("/Key"), &json!({ "id": { "S": waiting().id.as_str() } }));
}

#[tokio::test]
async fn an_unreadable_item_s_error_names_the_attribute() {
    let good = opened(&stored(&waiting()).await);
    let breaks: [(&str, Value, &str); 6] = [
        ("body", json!({ "B": "" }), "`body`: it is empty"),
        ("body", json!({ "B": "AAAA" }), "`body`: it names the unknown dictionary 0"),
        ("body", Value::Null, "`body` is missing"),
        ("body", json!({ "S": "{" }), "`body`"),
        ("body", json!({ "S": r#"{"id": "job_1"}"# }), "`body`"),
        ("outbox", json!({ "S": r#"[{"kind": "start.v9"}]"# }), "`outbox`"),
    ];
    for (name, value, expected) in breaks {
        let mut item = good.clone();
        match value {
            Value::Null => drop(item.as_object_mut().unwrap().remove(name)),
            value => item[name] = value,
        }
        let answer = json!({ "Item": item });
        let (jobs, _) = table(move |_, _| (200, answer.clone()));
        let failure = jobs.load(&waiting().id).await.unwrap_err();
        assert_eq!(kind(&failure), "unreadable");
        assert!(failure.to_string().contains(expected), "{failure}");
    }
}
