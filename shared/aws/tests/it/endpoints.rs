//! The Endpoints table: places in the rate limit on condition, and endpoints that a 410 disabled.

use reelhook_app::deliver::{DeliveryStore, EndpointState, Learned};
use reelhook_aws::deliveries::DeliveryTable;
use reelhook_aws::endpoints::EndpointTable;
use reelhook_domain::{EndpointId, RateWindow, Timestamp};
use reelhook_testkit::NOON;
use serde_json::json;

use crate::replay::{Answer, Call, Calls, condition_failed, dynamodb, error, kind, ok};

fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (DeliveryTable, Calls) {
    let (client, calls) = dynamodb(script);
    let endpoints = EndpointTable::new(client.clone(), "Endpoints");
    (DeliveryTable::new(client, "Deliveries", Some(endpoints)), calls)
}

fn id() -> EndpointId {
    EndpointId::parse("ep_1").unwrap()
}

const OLD: RateWindow = RateWindow { index: 28_401_840, used: 99 };
const NEW: RateWindow = RateWindow { index: 28_401_841, used: 3 };

#[tokio::test]
async fn an_endpoint_that_nothing_is_kept_of_is_open() {
    let (store, calls) = table(|_, _| ok());
    assert_eq!(store.endpoint(&id()).await.unwrap(), EndpointState::default());
    assert_eq!(calls.only().at("/ConsistentRead"), &json!(true));
}

#[tokio::test]
async fn an_endpoint_s_window_and_state_are_read() {
    let item = json!({
        "id": { "S": "ep_1" }, "window_index": { "N": "28401840" }, "window_used": { "N": "99" },
        "disabled_at": { "N": "1704110400000" }, "disabled_reason": { "S": "gone" },
        "failures": { "N": "7" }, "paused_until": { "N": "1704110460000" },
    });
    let (store, _) = table(move |_, _| (200, json!({ "Item": item })));
    let expected = EndpointState {
        disabled_at: Some(Timestamp(1_704_110_400_000)),
        window: OLD,
        failures: 7,
        paused_until: Some(Timestamp(1_704_110_460_000)),
    };
    assert_eq!(store.endpoint(&id()).await.unwrap(), expected);
}

#[tokio::test]
async fn places_are_taken_on_condition_of_the_window_that_was_read() {
    let (store, calls) = table(|_, _| ok());
    assert!(store.reserve(&id(), OLD, NEW).await.unwrap());
    let call = calls.only();
    assert_eq!(call.at("/UpdateExpression"), "SET window_index = :index, window_used = :used");
    assert_eq!(
        call.at("/ConditionExpression"),
        "attribute_not_exists(window_index) OR (window_index = :old_index AND window_used = :old_used)"
    );
    let values = json!({
        ":index": { "N": "28401841" }, ":used": { "N": "3" },
        ":old_index": { "N": "28401840" }, ":old_used": { "N": "99" },
    });
    assert_eq!(call.at("/ExpressionAttributeValues"), &values);
    let (store, _) = table(|_, _| condition_failed(None));
    assert!(!store.reserve(&id(), OLD, NEW).await.unwrap(), "another one took places first");
}

#[tokio::test]
async fn what_an_endpoint_answered_is_added_up_until_it_takes_something() {
    let check = async |learned: Learned, expression: &str, values: serde_json::Value| {
        let (store, calls) = table(|_, before| if before == 0 { ok() } else { condition_failed(None) });
        store.learn(&id(), learned).await.unwrap();
        assert_eq!(calls.all()[0].at("/UpdateExpression"), expression);
        assert_eq!(calls.all()[0].at("/ExpressionAttributeValues"), &values);
        calls.all()
    };
    let failed = Learned { failed: 2, ..Learned::default() };
    let values = json!({ ":failures": { "N": "2" }, ":none": { "N": "0" } });
    let calls = check(failed, "SET failures = if_not_exists(failures, :none) + :failures", values).await;
    assert_eq!(calls.len(), 1);
    let took = Learned { failed: 1, took: true, pause_until: Some(NOON) };
    let calls = check(took, "SET failures = :failures", json!({ ":failures": { "N": "0" } })).await;
    // A longer pause stays: that the condition fails is no fault.
    assert_eq!(calls[1].at("/ConditionExpression"), "attribute_not_exists(paused_until) OR paused_until < :until");
    assert_eq!(calls[1].at("/ExpressionAttributeValues"), &json!({ ":until": { "N": "1704110400000" } }));
}

#[tokio::test]
async fn disabling_keeps_since_when_and_tells_why() {
    let (store, calls) = table(|_, _| ok());
    store.disable(&id(), "the receiver answered 410 Gone", NOON).await.unwrap();
    let call = calls.only();
    let expression = "SET disabled_at = if_not_exists(disabled_at, :now), disabled_reason = :reason";
    assert_eq!(call.at("/UpdateExpression"), expression);
    let values = json!({ ":now": { "N": "1704110400000" }, ":reason": { "S": "the receiver answered 410 Gone" } });
    assert_eq!(call.at("/ExpressionAttributeValues"), &values);
}

#[tokio::test]
async fn failures_are_told_apart() {
    for (code, expected) in [("ThrottlingException", "busy"), ("AccessDeniedException", "refused")] {
        let (store, _) = table(move |_, _| error(code));
        assert_eq!(kind(&store.endpoint(&id()).await.unwrap_err()), expected);
        assert_eq!(kind(&store.reserve(&id(), OLD, NEW).await.unwrap_err()), expected);
        assert_eq!(kind(&store.disable(&id(), "why", NOON).await.unwrap_err()), expected);
    }
}
