//! Connections are stored, read and removed with all that they follow.

use reelhook_app::live::ports::{Connection, Connections};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{expiry, job, key, owner, table};
use crate::replay::{Call, LATER, NEVER, condition_failed, error, kind, ok};

fn connection() -> Connection {
    Connection { id: "a".to_owned(), owner: Some(owner("ann")), only: Some(job()), connected_at: NOON }
}

/// The sort keys of the rows that a batch deletes.
fn deleted(call: &Call) -> Vec<String> {
    let requests = call.at("/RequestItems/Connections").as_array().unwrap();
    let sk = |request: &Value| request.pointer("/DeleteRequest/Key/sk/S").unwrap().as_str().unwrap().to_owned();
    requests.iter().map(sk).collect()
}

#[tokio::test]
async fn a_connection_is_read_as_it_was_stored_and_expires() {
    let (connections, calls) = table(|_, _| ok());
    connections.open(&connection()).await.unwrap();
    let put = calls.only();
    assert_eq!((put.operation.as_str(), put.at("/TableName")), ("PutItem", &json!("Connections")));
    assert_eq!((put.at("/Item/pk/S"), put.at("/Item/sk/S")), (&json!("a"), &json!("-")));
    assert_eq!(put.at("/Item/expires_at"), &expiry());

    let item = put.at("/Item").clone();
    let (connections, calls) = table(move |_, _| (200, json!({ "Item": item })));
    assert_eq!(connections.find("a").await.unwrap(), Some(connection()));
    let get = calls.only();
    assert_eq!((get.at("/Key"), get.at("/ConsistentRead")), (&key("a", "-"), &json!(true)));
    let (connections, _) = table(|_, _| ok());
    assert_eq!(connections.find("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_connection_is_removed_first_and_then_all_its_rows() {
    let rows = |numbers: std::ops::Range<u32>| -> Vec<Value> {
        numbers.map(|number| key("a", &format!("sub#job_{number}"))).collect()
    };
    let (connections, calls) = table(move |call, _| match call.operation.as_str() {
        "Query" if call.at("/ExclusiveStartKey").is_null() => {
            (200, json!({ "Items": rows(0..30), "LastEvaluatedKey": key("a", "sub#job_29") }))
        }
        "Query" => (200, json!({ "Items": rows(30..31) })),
        _ => ok(),
    });
    connections.remove("a").await.unwrap();
    let operations = ["DeleteItem", "Query", "BatchWriteItem", "BatchWriteItem", "Query", "BatchWriteItem"];
    assert_eq!(calls.operations(), operations);
    let all = calls.all();
    assert_eq!(all[0].at("/Key"), &key("a", "-"));
    assert_eq!(
        (all[1].at("/KeyConditionExpression"), all[1].at("/ConsistentRead")),
        (&json!("pk = :id"), &json!(true))
    );
    assert_eq!(all[4].at("/ExclusiveStartKey"), &key("a", "sub#job_29"));
    let gone: Vec<String> = [2, 3, 5].into_iter().flat_map(|at| deleted(&all[at])).collect();
    let expected: Vec<String> = (0..31).map(|number| format!("sub#job_{number}")).collect();
    assert_eq!(gone, expected);
}

#[tokio::test]
async fn one_without_rows_is_removed_with_two_calls() {
    let (connections, calls) =
        table(|call, _| if call.operation == "Query" { (200, json!({ "Items": [] })) } else { ok() });
    connections.remove("a").await.unwrap();
    assert_eq!(calls.operations(), ["DeleteItem", "Query"]);
}

#[tokio::test]
async fn messages_are_counted_by_the_minute() {
    let mut item = key("a", "-");
    item["connected_at"] = json!({ "N": NOON.millis().to_string() });
    item["counted"] = json!({ "N": "7" });
    // In a minute that is counted already, in the next one, and in one that has just been begun.
    for unmet in 0..3 {
        let (before, after) = (key("a", "-"), json!({ "Attributes": item.clone() }));
        let (connections, calls) =
            table(move |_, calls| if calls < unmet { condition_failed(Some(&before)) } else { (200, after.clone()) });
        let counted = connections.count("a", 2, NOON).await.unwrap().unwrap();
        assert_eq!((counted.connection.id.as_str(), counted.messages), ("a", 7));
        let all = calls.all();
        let more = ("ADD counted :messages", "attribute_exists(pk) AND counted_in >= :minute");
        let expected = [
            more,
            (
                "SET counted = :messages, counted_in = :minute",
                "attribute_exists(pk) AND (attribute_not_exists(counted_in) OR counted_in < :minute)",
            ),
            more,
        ];
        assert_eq!(all.len(), unmet + 1);
        for (call, (update, condition)) in all.iter().zip(expected) {
            assert_eq!((call.at("/Key"), call.at("/UpdateExpression")), (&key("a", "-"), &json!(update)));
            assert_eq!(call.at("/ConditionExpression"), condition);
            let minute = (NOON.millis() / 60_000).to_string();
            let values = json!({ ":messages": { "N": "2" }, ":minute": { "N": minute } });
            assert_eq!(call.at("/ExpressionAttributeValues"), &values);
        }
    }
}

#[tokio::test]
async fn messages_of_a_connection_that_is_gone_are_not_counted() {
    let (connections, calls) = table(|_, _| condition_failed(None));
    assert_eq!(connections.count("a", 1, NOON).await.unwrap(), None);
    assert_eq!(calls.all().len(), 1);
    let item = key("a", "-");
    let (connections, _) = table(move |_, _| condition_failed(Some(&item)));
    assert_eq!(kind(&connections.count("a", 1, NOON).await.unwrap_err()), "busy");
}

#[tokio::test]
async fn the_time_since_which_an_owner_is_followed_is_read_consistently() {
    let item = json!({ "Item": { "since": { "N": NOON.millis().to_string() } } });
    let (connections, calls) = table(move |_, _| (200, item.clone()));
    assert_eq!(connections.follows_since("a", &owner("ann")).await.unwrap(), Some(NOON));
    let get = calls.only();
    assert_eq!((get.at("/Key"), get.at("/ConsistentRead")), (&key("a", "sub#owner:ann"), &json!(true)));
    let (connections, _) = table(|_, _| ok());
    assert_eq!(connections.follows_since("a", &owner("ann")).await.unwrap(), None);
}

#[tokio::test]
async fn errors_say_whether_a_later_call_may_succeed() {
    for (codes, expected) in [(&LATER[..], "busy"), (&NEVER[..], "refused")] {
        for &code in codes {
            let (connections, _) = table(move |_, _| error(code));
            assert_eq!(kind(&connections.open(&connection()).await.unwrap_err()), expected, "{code}");
            assert_eq!(kind(&connections.find("a").await.unwrap_err()), expected, "{code}");
            assert_eq!(kind(&connections.remove("a").await.unwrap_err()), expected, "{code}");
        }
    }
}
