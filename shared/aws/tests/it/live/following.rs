//! What connections follow: at most so many topics, found by an index, and removed with what came of them.

use reelhook_app::live::ports::{Followed, Follower, Following, Leases, OwnerSubscription};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{expiry, key, lease, owner, subscription, table, topic};
use crate::replay::{Answer, condition_failed, error, kind, ok};

/// The connection's item after it follows these.
fn following(topics: &[&str]) -> Answer {
    (200, json!({ "Attributes": { "pk": { "S": "a" }, "sk": { "S": "-" }, "subjects": { "SS": topics } } }))
}

#[tokio::test]
async fn a_connection_follows_at_most_so_many_topics() {
    let full = key("a", "-");
    for (answer, expected) in [
        (following(&["job_1"]), Followed::Done),
        (condition_failed(Some(&full)), Followed::Full),
        (condition_failed(None), Followed::Missing),
    ] {
        let (connections, calls) = table(move |_, _| answer.clone());
        assert_eq!(connections.follow("a", &topic("job_1"), 50).await.unwrap(), expected);
        let update = calls.only();
        assert_eq!((update.operation.as_str(), update.at("/Key")), ("UpdateItem", &key("a", "-")));
        assert_eq!(update.at("/UpdateExpression"), "ADD subjects :subjects");
        let condition = "attribute_exists(pk) AND \
                         (attribute_not_exists(subjects) OR size(subjects) < :most OR contains(subjects, :subject))";
        assert_eq!(update.at("/ConditionExpression"), condition);
        let values = json!({ ":subjects": { "SS": ["job_1"] }, ":subject": { "S": "job_1" }, ":most": { "N": "50" } });
        assert_eq!(update.at("/ExpressionAttributeValues"), &values);
    }
}

#[tokio::test]
async fn every_row_expires_with_its_connection() {
    let (connections, calls) = table(|_, _| ok());
    connections.put(&subscription(), &lease("me")).await.unwrap();
    connections.put_new(&subscription(), &owner("ann")).await.unwrap();
    let of = OwnerSubscription { connection: "a".to_owned(), of: owner("ann"), owner: None, since: NOON };
    connections.put_owner(&of).await.unwrap();
    let all = calls.all();
    assert_eq!(all.len(), 3);
    for (put, sk) in all.iter().zip(["sub#job_1", "sub#job_1", "sub#owner:ann"]) {
        assert_eq!((put.at("/Item/pk/S"), put.at("/Item/sk/S")), (&json!("a"), &json!(sk)));
        assert_eq!(put.at("/Item/expires_at"), &expiry(), "{sk}");
    }
}

#[tokio::test]
async fn a_new_subscription_of_an_owner_s_follower_keeps_the_row_that_exists() {
    for answer in [ok(), condition_failed(None)] {
        let (connections, calls) = table(move |_, _| answer.clone());
        connections.put_new(&subscription(), &owner("ann")).await.unwrap();
        let put = calls.only();
        assert_eq!(put.at("/ConditionExpression"), "attribute_not_exists(pk)");
        assert_eq!((put.at("/Item/via/S"), put.at("/Item/holder")), (&json!("ann"), &Value::Null));
    }
    let (connections, _) = table(|_, _| error("ThrottlingException"));
    assert_eq!(kind(&connections.put_new(&subscription(), &owner("ann")).await.unwrap_err()), "busy");
}

#[tokio::test]
async fn followers_are_found_by_the_index_page_by_page() {
    let entry = |connection: &str| {
        json!({
            "pk": { "S": connection }, "sk": { "S": "sub#owner:ann" }, "subject": { "S": "owner:ann" },
            "since": { "N": NOON.millis().to_string() },
        })
    };
    let answer = json!({ "Items": [entry("b"), entry("c")], "LastEvaluatedKey": entry("c") });
    let (connections, calls) = table(move |_, _| (200, answer.clone()));
    let page = connections.followers(&topic("owner:ann"), Some("a")).await.unwrap();
    let follower = |connection: &str| Follower { connection: connection.to_owned(), owner: None, since: Some(NOON) };
    assert_eq!(page.followers, [follower("b"), follower("c")]);
    assert_eq!(page.next.as_deref(), Some("c"));
    let query = calls.only();
    assert_eq!((query.operation.as_str(), query.at("/IndexName")), ("Query", &json!("by-subject")));
    assert_eq!(query.at("/KeyConditionExpression"), "subject = :subject");
    assert_eq!(query.at("/ExpressionAttributeValues"), &json!({ ":subject": { "S": "owner:ann" } }));
    let start = json!({ "pk": { "S": "a" }, "sk": { "S": "sub#owner:ann" }, "subject": { "S": "owner:ann" } });
    assert_eq!(query.at("/ExclusiveStartKey"), &start);
    let (connections, calls) = table(|_, _| (200, json!({ "Items": [] })));
    let page = connections.followers(&topic("job_1"), None).await.unwrap();
    assert_eq!((page.followers.len(), page.next), (0, None));
    assert!(calls.only().at("/ExclusiveStartKey").is_null());
}

#[tokio::test]
async fn a_follower_whose_owner_cannot_be_read_is_an_error() {
    let entry = json!({ "pk": { "S": "a" }, "sk": { "S": "sub#job_1" }, "owner": { "N": "7" } });
    let (connections, _) = table(move |_, _| (200, json!({ "Items": [entry] })));
    let failed = connections.followers(&topic("job_1"), None).await.unwrap_err();
    assert_eq!(kind(&failed), "unreadable", "it must not become an operator's");
}

#[tokio::test]
async fn a_topic_goes_with_its_row_unless_its_owner_is_followed() {
    for (left, operations) in
        [(vec!["job_2"], vec!["UpdateItem", "DeleteItem"]), (vec!["owner:ann"], vec!["UpdateItem"])]
    {
        let after = following(&left);
        let (connections, calls) =
            table(move |call, _| if call.operation == "UpdateItem" { after.clone() } else { ok() });
        connections.unfollow("a", &topic("job_1")).await.unwrap();
        assert_eq!(calls.operations(), operations);
        let all = calls.all();
        assert_eq!(all[0].at("/UpdateExpression"), "DELETE subjects :subjects");
        assert!(all.get(1).is_none_or(|delete| *delete.at("/Key") == key("a", "sub#job_1")));
    }
    // A connection that is gone has no rows.
    let (connections, calls) = table(|_, _| condition_failed(None));
    connections.unfollow("a", &topic("job_1")).await.unwrap();
    assert_eq!(calls.operations(), ["UpdateItem"]);
}

#[tokio::test]
async fn with_an_owner_go_the_rows_that_came_of_following_them() {
    let row = |sk: &str, via: Option<&str>| {
        let mut row = key("a", sk);
        if let Some(via) = via {
            row["via"] = json!({ "S": via });
        }
        row
    };
    let rows = [
        row("-", None),
        row("sub#job_1", Some("ann")),
        row("sub#job_2", Some("ann")),
        row("sub#job_3", Some("bob")),
        row("sub#owner:ann", None),
        row("sub#owner:bob", None),
    ];
    let (connections, calls) = table(move |call, _| match call.operation.as_str() {
        "UpdateItem" => following(&["job_2", "owner:bob"]),
        "Query" => (200, json!({ "Items": rows })),
        _ => ok(),
    });
    connections.unfollow("a", &topic("owner:ann")).await.unwrap();
    assert_eq!(calls.operations(), ["UpdateItem", "Query", "BatchWriteItem"]);
    let delete = |sk: &str| json!({ "DeleteRequest": { "Key": key("a", sk) } });
    let expected = json!([delete("sub#job_1"), delete("sub#owner:ann")]);
    assert_eq!(calls.all()[2].at("/RequestItems/Connections"), &expected);
}
