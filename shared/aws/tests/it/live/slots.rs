//! Slots of open connections: a pool admits so many, and slots that ended without a release make room.

use reelhook_app::live::ports::{ConnectionSlots, Pool};
use reelhook_domain::Timestamp;
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{key, table};
use crate::replay::{condition_failed, error, kind, ok};

/// The end of each slot.
const UNTIL: Timestamp = Timestamp(NOON.millis() + 7_800_000);

fn pool() -> Pool {
    Pool { name: "owner:ann".to_owned(), most: 2 }
}

/// The pool's row with these slots.
fn row(slots: [(&str, Timestamp); 2]) -> Value {
    let mut row = key("pool#owner:ann", "slots");
    row["slots"] = json!({ "M": {} });
    for (connection, until) in slots {
        row["slots"]["M"][connection] = json!({ "N": until.millis().to_string() });
    }
    row
}

#[tokio::test]
async fn a_slot_is_claimed_with_one_call() {
    let (slots, calls) = table(|_, _| ok());
    assert!(slots.acquire(&pool(), "a=", NOON, UNTIL).await.unwrap());
    let update = calls.only();
    assert_eq!((update.operation.as_str(), update.at("/Key")), ("UpdateItem", &key("pool#owner:ann", "slots")));
    assert_eq!(update.at("/UpdateExpression"), "SET slots.#id = :until, expires_at = :expires");
    let condition = "attribute_exists(pk) AND (size(slots) < :most OR attribute_exists(slots.#id))";
    assert_eq!(update.at("/ConditionExpression"), condition);
    assert_eq!(update.at("/ExpressionAttributeNames"), &json!({ "#id": "a=" }));
    let (until, expires) = (UNTIL.millis().to_string(), UNTIL.seconds().to_string());
    let values = json!({ ":until": { "N": until }, ":expires": { "N": expires }, ":most": { "N": "2" } });
    assert_eq!(update.at("/ExpressionAttributeValues"), &values);
}

#[tokio::test]
async fn the_first_connection_makes_the_row() {
    let (slots, calls) = table(|_, before| if before == 0 { condition_failed(None) } else { ok() });
    assert!(slots.acquire(&pool(), "a", NOON, UNTIL).await.unwrap());
    let [_, begin] = <[_; 2]>::try_from(calls.all()).unwrap();
    assert_eq!(begin.at("/UpdateExpression"), "SET slots = :slots, expires_at = :expires");
    assert_eq!(begin.at("/ConditionExpression"), "attribute_not_exists(pk)");
    let until = UNTIL.millis().to_string();
    assert_eq!(begin.at("/ExpressionAttributeValues/:slots"), &json!({ "M": { "a": { "N": until } } }));
}

#[tokio::test]
async fn a_full_pool_admits_no_connection() {
    let full = row([("b", UNTIL), ("c", UNTIL)]);
    let (slots, calls) = table(move |_, _| condition_failed(Some(&full)));
    assert!(!slots.acquire(&pool(), "a", NOON, UNTIL).await.unwrap());
    assert_eq!(calls.all().len(), 1);
}

#[tokio::test]
async fn slots_that_ended_make_room() {
    let full = row([("b", UNTIL), ("ended", NOON)]);
    let (slots, calls) = table(move |_, before| if before == 0 { condition_failed(Some(&full)) } else { ok() });
    assert!(slots.acquire(&pool(), "a", NOON, UNTIL).await.unwrap());
    let [take, remove, again] = <[_; 3]>::try_from(calls.all()).unwrap();
    assert_eq!(remove.at("/UpdateExpression"), "REMOVE slots.#c0");
    assert_eq!(remove.at("/ExpressionAttributeNames"), &json!({ "#c0": "ended" }));
    assert_eq!(again.body, take.body);
}

#[tokio::test]
async fn a_slot_is_released_and_a_failure_is_not_reported() {
    for answer in [ok(), condition_failed(None), error("AccessDeniedException")] {
        let (slots, calls) = table(move |_, _| answer.clone());
        slots.release(&pool(), "a").await;
        let update = calls.only();
        assert_eq!(update.at("/UpdateExpression"), "REMOVE slots.#c0");
        assert_eq!(update.at("/ConditionExpression"), "attribute_exists(pk)");
    }
    let (slots, _) = table(|_, _| error("AccessDeniedException"));
    assert_eq!(kind(&slots.acquire(&pool(), "a", NOON, UNTIL).await.unwrap_err()), "refused");
}
