//! Slots of concurrent work: one item per pool, replaced on condition of its version.

use reelhook_app::jobs::waiting::Slots;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::slots::SlotTable;
use reelhook_domain::{Admission, Timestamp};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use crate::replay::{Answer, Call, Calls, condition_failed, dynamodb, error, kind, ok};

/// The end of each lease.
const UNTIL: Timestamp = Timestamp(NOON.millis() + 30_000);

fn counters(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (CounterTable, Calls) {
    let (client, calls) = dynamodb(script);
    (CounterTable::new(client, "Counters"), calls)
}

/// An item with these slots, as a read finds it.
fn item(version: u64, slots: &[(&str, Timestamp)]) -> Value {
    let active = slots.iter().map(|(slot, until)| ((*slot).to_owned(), *until)).collect();
    let slots = Admission { version, active, ..Admission::default() };
    json!({ "Item": { "body": { "S": serde_json::to_string(&slots).unwrap() } } })
}

/// The slots that a call saves.
fn saved(call: &Call) -> Vec<String> {
    let slots: Admission = serde_json::from_str(call.at("/Item/body/S").as_str().unwrap()).unwrap();
    slots.active.into_keys().collect()
}

#[tokio::test]
async fn each_pool_is_an_item_of_its_own() {
    for pool in ["viewers", "waiters"] {
        let (counters, calls) = counters(|_, _| ok());
        let slots = if pool == "viewers" { SlotTable::viewers(counters, 1) } else { SlotTable::waiters(counters, 1) };
        assert!(slots.acquire("one", NOON, UNTIL).await.unwrap());
        let [get, put] = &calls.all()[..] else { panic!("a read and a write") };
        assert_eq!((get.at("/Key/pk/S"), get.at("/ConsistentRead")), (&json!(pool), &json!(true)));
        assert_eq!(put.at("/Item/pk/S"), &json!(pool));
        assert_eq!(put.at("/ConditionExpression"), "attribute_not_exists(pk) OR #version = :version");
        assert_eq!(saved(put), ["one"]);
    }
}

/// Checks whether a pool of `max` slots, of which these are held, admits one more.
async fn check(max: usize, held: &[(&str, Timestamp)], enters: bool) {
    let found = item(3, held);
    let (counters, calls) =
        counters(move |call, _| if call.operation == "GetItem" { (200, found.clone()) } else { ok() });
    let slots = SlotTable::waiters(counters, max);
    assert_eq!(slots.acquire("new", NOON, UNTIL).await.unwrap(), enters, "{max} {held:?}");
    assert_eq!(calls.all().len(), if enters { 2 } else { 1 }, "{max} {held:?}");
}

#[tokio::test]
async fn a_full_pool_admits_no_request_until_a_lease_expires() {
    check(0, &[], false).await;
    check(1, &[], true).await;
    check(1, &[("old", UNTIL)], false).await;
    check(2, &[("old", UNTIL)], true).await;
    check(2, &[("old", UNTIL), ("older", Timestamp(NOON.millis() + 1))], false).await;
    check(2, &[("old", UNTIL), ("dead", NOON)], true).await;
}

#[tokio::test]
async fn concurrent_claims_retry_and_none_is_refused_for_a_conflict() {
    for conflicts in [1, 3, usize::MAX] {
        let (counters, calls) = counters(move |call, before| match call.operation.as_str() {
            "PutItem" if before / 2 < conflicts => condition_failed(None),
            _ => ok(),
        });
        assert!(SlotTable::waiters(counters, 5).acquire("new", NOON, UNTIL).await.unwrap(), "{conflicts}");
        assert_eq!(calls.all().len(), 2 * (conflicts.saturating_add(1)).min(10), "the item is read again each time");
    }
}

#[tokio::test]
async fn a_slot_is_released_once() {
    let found = item(7, &[("mine", UNTIL), ("other", UNTIL)]);
    let (counters, calls) =
        counters(move |call, _| if call.operation == "GetItem" { (200, found.clone()) } else { ok() });
    let slots = SlotTable::waiters(counters, 5);
    slots.release("mine").await;
    slots.release("unknown").await;
    let all = calls.all();
    assert_eq!(calls.operations(), ["GetItem", "PutItem", "GetItem"]);
    assert_eq!(saved(&all[1]), ["other"]);
}

#[tokio::test]
async fn an_unreadable_store_is_an_error_and_its_slots_expire() {
    for (code, expected) in [("ThrottlingException", "busy"), ("AccessDeniedException", "refused")] {
        let (counters, _) = counters(move |_, _| error(code));
        let slots = SlotTable::waiters(counters, 5);
        assert_eq!(kind(&slots.acquire("new", NOON, UNTIL).await.unwrap_err()), expected, "{code}");
        slots.release("new").await;
    }
}
