//! Leases of subscriptions: one holder at a time, and nothing that happens meanwhile is forgotten.

use reelhook_app::live::ports::{Leased, Leases, Released};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{job, key, lease, stored, subscription, table};
use crate::replay::{condition_failed, error, kind, ok};

#[tokio::test]
async fn a_lease_is_taken_if_it_is_free_or_has_expired() {
    let item = stored("me").await;
    let (connections, calls) = table(move |_, _| (200, json!({ "Attributes": item })));
    let leased = connections.lease("a", &job(), &lease("me"), NOON).await.unwrap();
    assert_eq!(leased, Leased::Yes(Box::new(subscription())));
    let update = calls.only();
    assert_eq!((update.operation.as_str(), update.at("/Key")), ("UpdateItem", &key("a", "sub#job_1")));
    assert_eq!(update.at("/UpdateExpression"), "SET holder = :me, held_until = :until REMOVE asked");
    // The second one meets an attempt that the SDK repeats.
    let condition = "attribute_exists(pk) AND (attribute_not_exists(holder) OR holder = :me OR held_until < :now)";
    assert_eq!(update.at("/ConditionExpression"), condition);
    let until = lease("me").until.millis().to_string();
    let values = json!({ ":me": { "S": "me" }, ":until": { "N": until }, ":now": { "N": NOON.millis().to_string() } });
    assert_eq!(update.at("/ExpressionAttributeValues"), &values);
}

#[tokio::test]
async fn a_subscription_is_read_while_another_has_its_lease() {
    let item = stored("other").await;
    let (connections, calls) =
        table(move |_, before| (200, if before == 0 { json!({ "Item": item }) } else { json!({}) }));
    assert_eq!(connections.subscription("a", &job()).await.unwrap(), Some(subscription()));
    assert_eq!(connections.subscription("a", &job()).await.unwrap(), None);
    let get = &calls.all()[0];
    assert_eq!((get.operation.as_str(), get.at("/Key")), ("GetItem", &key("a", "sub#job_1")));
    assert_eq!(get.at("/ConsistentRead"), &json!(true));
}

#[tokio::test]
async fn a_lease_that_is_held_is_marked() {
    let held = stored("other").await;
    let (connections, calls) = table(move |_, before| if before == 0 { condition_failed(Some(&held)) } else { ok() });
    assert_eq!(connections.lease("a", &job(), &lease("me"), NOON).await.unwrap(), Leased::Held);
    let [_, mark] = <[_; 2]>::try_from(calls.all()).unwrap();
    assert_eq!(mark.at("/UpdateExpression"), "SET asked = :yes");
    assert_eq!(mark.at("/ConditionExpression"), "holder = :holder AND held_until = :until");
    let until = lease("other").until.millis().to_string();
    let values = json!({ ":yes": { "BOOL": true }, ":holder": { "S": "other" }, ":until": { "N": until } });
    assert_eq!(mark.at("/ExpressionAttributeValues"), &values);
}

#[tokio::test]
async fn a_lease_whose_answer_was_lost_is_taken() {
    let mine = stored("me").await;
    let (connections, calls) = table(move |_, before| match before {
        0 => error("InternalServerError"),
        _ => condition_failed(Some(&mine)),
    });
    let leased = connections.lease("a", &job(), &lease("me"), NOON).await.unwrap();
    assert_eq!(
        (leased, calls.all().len()),
        (Leased::Yes(Box::new(subscription())), 2),
        "it marks nothing as asked for"
    );
}

#[tokio::test]
async fn a_lease_that_is_given_back_before_it_could_be_marked_is_taken() {
    let (held, mine) = (stored("other").await, stored("me").await);
    let (connections, calls) = table(move |_, before| match before {
        0 | 1 => condition_failed(Some(&held)),
        _ => (200, json!({ "Attributes": mine })),
    });
    let leased = connections.lease("a", &job(), &lease("me"), NOON).await.unwrap();
    assert_eq!((leased, calls.all().len()), (Leased::Yes(Box::new(subscription())), 3));
}

#[tokio::test]
async fn a_lease_that_changes_during_each_attempt_is_asked_for_later() {
    let held = stored("other").await;
    let (connections, calls) = table(move |_, _| condition_failed(Some(&held)));
    assert_eq!(kind(&connections.lease("a", &job(), &lease("me"), NOON).await.unwrap_err()), "busy");
    assert!(calls.all().len() > 2, "there is more than one attempt");
}

#[tokio::test]
async fn a_subscription_that_is_gone_has_no_lease() {
    let held = stored("other").await;
    for calls_before in [0, 1] {
        let held = held.clone();
        let (connections, calls) =
            table(move |_, before| condition_failed(Some(&held).filter(|_| before < calls_before)));
        assert_eq!(connections.lease("a", &job(), &lease("me"), NOON).await.unwrap(), Leased::Missing);
        assert_eq!(calls.all().len(), calls_before + 1);
    }
}

#[tokio::test]
async fn what_was_sent_is_saved_with_the_end_of_the_lease() {
    let (connections, calls) = table(|_, _| ok());
    assert_eq!(connections.release(&subscription(), &lease("me")).await.unwrap(), Released::Done);
    let update = calls.only();
    assert_eq!(update.at("/Key"), &key("a", "sub#job_1"));
    let expression = "SET viewed = :viewed, pushed_at = :pushed_at REMOVE holder, held_until, gap_since, hinted_until";
    assert_eq!(update.at("/UpdateExpression"), expression);
    assert_eq!(update.at("/ConditionExpression"), "holder = :me AND attribute_not_exists(asked)");
    let pushed_at = NOON.millis().to_string();
    let values = json!({ ":me": { "S": "me" }, ":viewed": { "S": "3.0" }, ":pushed_at": { "N": pushed_at } });
    assert_eq!(update.at("/ExpressionAttributeValues"), &values);
}

#[tokio::test]
async fn a_lease_that_another_asked_for_is_kept_and_its_mark_removed() {
    let mut marked = stored("me").await;
    marked["asked"] = json!({ "BOOL": true });
    let (connections, calls) = table(move |_, before| if before == 0 { condition_failed(Some(&marked)) } else { ok() });
    assert_eq!(connections.release(&subscription(), &lease("me")).await.unwrap(), Released::Again);
    let [_, keep] = <[_; 2]>::try_from(calls.all()).unwrap();
    let expression = "SET viewed = :viewed, pushed_at = :pushed_at REMOVE asked, gap_since, hinted_until";
    assert_eq!(keep.at("/UpdateExpression"), expression);
    assert_eq!(keep.at("/ConditionExpression"), "holder = :me");
}

/// Releases a lease while the row is as each of these answers says; returns the outcome and the number of calls.
async fn released(rows: Vec<Option<Value>>) -> (Released, usize) {
    let (connections, calls) = table(move |_, before| condition_failed(rows[before].as_ref()));
    let released = connections.release(&subscription(), &lease("me")).await.unwrap();
    (released, calls.all().len())
}

#[tokio::test]
async fn a_lease_that_is_another_s_by_now_saves_nothing() {
    assert_eq!(released(vec![Some(stored("other").await)]).await, (Released::Lost, 1));
    assert_eq!(released(vec![None]).await, (Released::Lost, 1));
    // It changes hands between the two attempts.
    let rows = vec![Some(stored("me").await), Some(stored("other").await)];
    assert_eq!(released(rows).await, (Released::Lost, 2));
}
