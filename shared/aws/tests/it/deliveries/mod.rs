//! The Deliveries table: rows that are put once, and batches of loads, changes and attempts.

mod due;
mod forms;
mod lists;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use reelhook_app::outbox::sweep::{DueDeliveries, hash};
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::webhooks::deliver::{AttemptRecorder, DeliveryRows, SaveDeliveries};
use reelhook_app::webhooks::deliveries::DeliveryQueries;
use reelhook_app::webhooks::events::{DueBy, EventRow, EventStore};
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_aws::items::packed::StoredForm;
use reelhook_aws::items::shards::EndedShards;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_aws::webhooks::rows::read_delivery;
use reelhook_domain::{
    Attempt, AttemptResult, Delivery, DeliveryId, DeliveryStatus, EndpointId, EventId, Outcome, Policy, ResponseClass,
    Subject,
};
use reelhook_testkit::{NOON, a_delivery, webhook_settings};
use serde_json::{Value, json};

use crate::replay::{Answer, Call, Calls, LATER, NEVER, condition_failed, dynamodb, error, kind, ok};

pub fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (DeliveryTable, Calls) {
    let (client, calls) = dynamodb(script);
    (DeliveryTable::new(client, "Deliveries"), calls)
}

pub fn settings() -> WebhookSettings {
    webhook_settings(&[("WEBHOOK_URLS", "https://a.example/")])
}

pub fn rows(n: u32) -> (Delivery, EventRow) {
    a_delivery(n, &settings().endpoints[0], NOON)
}

/// A delivery after its first attempt.
pub fn attempted(n: u32) -> Delivery {
    let answered = Outcome::Answered { status: 500, class: ResponseClass::Retryable, retry_after: None };
    let schedule = settings().policy.schedule;
    rows(n).0.begin(NOON).finish(&answered, NOON, &schedule, 0.0, Policy::default().hint_grace).0
}

/// The response to a batch of statements, by error code; no code for a statement that succeeded.
fn statements(errors: &[Option<(&str, Option<&Value>)>]) -> Answer {
    let one = |error: &Option<(&str, Option<&Value>)>| match error {
        None => json!({ "TableName": "Deliveries" }),
        Some((code, item)) => json!({ "Error": { "Code": code, "Message": "why", "Item": item } }),
    };
    (200, json!({ "Responses": errors.iter().map(one).collect::<Vec<_>>() }))
}

/// Saves one delivery.
async fn save(deliveries: &DeliveryTable, delivery: &Delivery) -> Result<Saved<Delivery>, StoreError> {
    deliveries.save_all(&[delivery]).await.remove(0)
}

/// The items that DynamoDB would store of a delivery and its event.
pub async fn stored(n: u32) -> (Value, Value) {
    stored_as(n, StoredForm::Compressed).await
}

/// The same in a stored form.
pub async fn stored_as(n: u32, form: StoredForm) -> (Value, Value) {
    let (deliveries, calls) = table(|_, _| ok());
    let deliveries = deliveries.storing(form);
    let (delivery, event) = rows(n);
    deliveries.put_delivery(&delivery, DueBy::Itself).await.unwrap();
    deliveries.put_event(&event, &[delivery.id]).await.unwrap();
    let all = calls.all();
    (all[0].at("/Item").clone(), all[1].at("/Item").clone())
}

pub fn found(items: &[&Value]) -> Answer {
    (200, json!({ "Responses": { "Deliveries": items } }))
}

/// A delivery in an item or in a parameter of a statement.
fn delivery_in(body: &Value) -> Delivery {
    let body = base64::engine::general_purpose::STANDARD.decode(body["B"].as_str().unwrap()).unwrap();
    let body = AttributeValue::B(Blob::new(body));
    read_delivery("test", &[("body".to_owned(), body)].into()).unwrap()
}

#[tokio::test]
async fn rows_are_put_unless_they_exist() {
    let (delivery, event) = rows(1);
    let (deliveries, calls) = table(|_, _| ok());
    deliveries.put_event(&event, &[delivery.id]).await.unwrap();
    deliveries.put_delivery(&delivery, DueBy::Itself).await.unwrap();
    let partitions = [format!("events#{}", event.subject), format!("delivery#{}", delivery.id)];
    assert_eq!(calls.all().len(), partitions.len());
    for (call, pk) in calls.all().iter().zip(partitions) {
        assert_eq!(call.at("/ConditionExpression"), "attribute_not_exists(pk)");
        assert_eq!(call.at("/Item/pk"), &json!({ "S": pk }));
    }
    // Existing rows stay as they are, and that is a success.
    let (_, known) = stored(1).await;
    let (deliveries, calls) = table(move |_, _| condition_failed(Some(&known)));
    deliveries.put_event(&event, &[delivery.id]).await.unwrap();
    deliveries.put_delivery(&delivery, DueBy::Itself).await.unwrap();
    assert_eq!(calls.all().len(), 2);
}

#[tokio::test]
async fn rows_that_can_t_be_put_are_an_error() {
    let (delivery, event) = rows(1);
    for (codes, expected) in [(&LATER[..], "busy"), (&NEVER[..], "refused")] {
        for code in codes {
            let (deliveries, _) = table(|_, _| error(code));
            assert_eq!(kind(&deliveries.put_event(&event, &[delivery.id]).await.unwrap_err()), expected, "{code}");
            assert_eq!(kind(&deliveries.put_delivery(&delivery, DueBy::Itself).await.unwrap_err()), expected, "{code}");
        }
    }
}

#[tokio::test]
async fn a_delivery_is_due_while_it_waits_and_not_when_it_has_ended() {
    let (item, _) = stored(1).await;
    let delivery = rows(1).0;
    let shard = reelhook_app::outbox::sweep::shard(&delivery.id.to_string());
    assert_eq!(item["due_shard"], json!({ "S": format!("due#{shard}") }));
    assert_eq!(item["due_at"], json!({ "N": (NOON.millis() + 60_000).to_string() }));
    assert_eq!(item["expires_at"], json!({ "N": (NOON.seconds() + 30 * 86_400).to_string() }));
    let answered = Outcome::Answered { status: 200, class: ResponseClass::Success, retry_after: None };
    let (ended, _) = delivery.finish(&answered, NOON, &settings().policy.schedule, 0.0, Policy::default().hint_grace);
    assert_eq!(ended.status, DeliveryStatus::Delivered);
    let (deliveries, calls) = table(|_, _| statements(&[None]));
    save(&deliveries, &ended).await.unwrap();
    let statement = calls.only().at("/Statements/0/Statement").as_str().unwrap().to_owned();
    assert!(statement.contains(" REMOVE \"due_shard\" REMOVE \"due_at\" REMOVE \"event_id\" WHERE "), "{statement}");
}

#[tokio::test]
async fn deliveries_are_in_their_shards_and_all_that_may_have_some_are_read() {
    let (delivery, event) = rows(1);
    let (hash, hash_of_event) = (hash(&delivery.id.to_string()), hash(event.id.as_str()));
    let day = |prefix: &str, shard: u32| json!({ "S": format!("{prefix}2024-01-01#{shard}") });
    for (shards, of_day, of_due) in [(EndedShards::default(), 4, 16), (EndedShards::new(4, 1), 16, 64)] {
        for form in [StoredForm::Compressed, StoredForm::Text] {
            let (deliveries, calls) = table(|_, _| ok());
            let deliveries = deliveries.storing(form).sharded(shards);
            deliveries.put_delivery(&delivery, DueBy::Itself).await.unwrap();
            deliveries.put_event(&event, &[delivery.id]).await.unwrap();
            let [row, of_event] = [0, 1].map(|call| calls.all()[call].at("/Item").clone());
            assert_eq!(row["due_shard"], json!({ "S": format!("due#{}", hash % of_due) }));
            let expected = match form {
                StoredForm::Compressed => [Value::Null, day("events#", hash_of_event % of_day)],
                StoredForm::Text => [day("", hash % of_day), Value::Null],
            };
            assert_eq!([&row["day_shard"], &of_event["day_shard"]], [&expected[0], &expected[1]], "{form:?}");
            assert_eq!((deliveries.index().shards, deliveries.parts()), (of_day, of_due + 1));
        }
    }
    let lowered = table(|_, _| ok()).0.sharded(EndedShards::new(1, 4));
    assert_eq!((lowered.index().shards, lowered.parts()), (16, 65));
}

#[tokio::test]
async fn a_delivery_that_is_due_again_is_in_its_shard() {
    let delivery = attempted(1);
    let (deliveries, calls) = table(|_, _| statements(&[None]));
    save(&deliveries.sharded(EndedShards::new(4, 1)), &delivery).await.unwrap();
    let shard = json!({ "S": format!("due#{}", hash(&delivery.id.to_string()) % 64) });
    let parameters = calls.only().at("/Statements/0/Parameters").as_array().unwrap().clone();
    assert!(parameters.contains(&shard), "{parameters:?}");
}

#[tokio::test]
async fn due_deliveries_of_a_shard_that_is_no_longer_read_are_found_within_64_minutes() {
    let read = async |shards: EndedShards| {
        let (deliveries, calls) = table(|_, _| ok());
        let deliveries = deliveries.sharded(shards);
        for minute in 0..64 {
            let now = NOON.after(Duration::from_secs(60 * minute));
            assert!(deliveries.due_deliveries(deliveries.parts() - 1, now).await.unwrap().is_empty());
        }
        // Rows by which deliveries are due together are in other partitions.
        let shard = |call: &Call| Some(call.at("/ExpressionAttributeValues/:shard/S").as_str()?.to_owned());
        calls.all().iter().filter_map(shard).collect::<BTreeSet<String>>()
    };
    let all: BTreeSet<String> = (16..64).map(|shard| format!("due#{shard}")).collect();
    assert_eq!(read(EndedShards::default()).await, all);
    assert!(read(EndedShards::new(4, 1)).await.is_empty(), "the sweep reads them anyway");
}

#[tokio::test]
async fn a_due_delivery_that_version_0_2_has_sent_again_is_found_by_its_row() {
    let (item, _) = stored(1).await;
    let (delivery, event) = rows(1);
    let entry = json!({ "pk": { "S": format!("delivery#{}", delivery.id) } });
    let (deliveries, calls) = table(move |call, _| match call.at("/IndexName").as_str() {
        Some(_) => (200, json!({ "Items": [entry] })),
        None => found(&[&item]),
    });
    assert_eq!(deliveries.due_deliveries(3, NOON).await.unwrap(), [(delivery.id, event.id)]);
    assert_eq!(calls.all().len(), 2);
}

/// Loads these deliveries, each of which is readable and has its event.
async fn load(deliveries: &DeliveryTable, hints: &[(DeliveryId, EventId)]) -> Vec<Option<(Delivery, EventRow)>> {
    let loaded = deliveries.load(hints, &[]).await.unwrap().deliveries.into_iter().map(Result::unwrap);
    loaded.map(|row| row.map(|(delivery, event)| (delivery, (*event.expect("its event")).clone()))).collect()
}

#[tokio::test]
async fn a_row_that_can_t_be_read_fails_alone() {
    let ((one, event_one), (mut two, event_two)) = (stored(1).await, stored(2).await);
    two["body"] = json!({ "S": "{" });
    let (deliveries, _) = table(move |_, _| found(&[&one, &event_one, &two, &event_two]));
    let [first, second] = [rows(1), rows(2)];
    let hints = [(first.0.id, first.1.id.clone()), (second.0.id, second.1.id.clone())];
    let loaded = deliveries.load(&hints, &[]).await.unwrap().deliveries;
    let (delivery, event) = first;
    assert_eq!(loaded[0].as_ref().unwrap(), &Some((delivery, Some(Arc::new(event)))));
    assert!(matches!(loaded[1], Err(StoreError::Unreadable { .. })), "{loaded:?}");
}

#[tokio::test]
async fn deliveries_are_loaded_with_their_events_in_one_consistent_call_and_in_order() {
    let ((one, event_one), (two, event_two)) = (stored(1).await, stored(2).await);
    // DynamoDB returns items in any order.
    let (deliveries, calls) = table(move |_, _| found(&[&event_two, &two, &one, &event_one]));
    let [first, second] = [rows(1), rows(2)];
    let hints = [(second.0.id, second.1.id.clone()), (first.0.id, first.1.id.clone())];
    assert_eq!(load(&deliveries, &hints).await, [Some(second), Some(first)]);
    let call = calls.only();
    assert_eq!(call.operation, "BatchGetItem");
    assert_eq!(call.at("/RequestItems/Deliveries/ConsistentRead"), &json!(true));
    assert_eq!(call.at("/RequestItems/Deliveries/Keys").as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn only_what_is_used_is_read_and_states_of_endpoints_come_in_the_same_call() {
    let (item, event) = stored(1).await;
    let (client, calls) = dynamodb(move |_, _| {
        let state = json!({ "id": { "S": "ep_1" }, "revision": { "N": "7" } });
        (200, json!({ "Responses": { "Deliveries": [item, event], "Endpoints": [state] } }))
    });
    let endpoints = EndpointTable::new(client.clone(), "Endpoints");
    let deliveries = DeliveryTable::new(client, "Deliveries").beside(&endpoints);
    let (delivery, row) = rows(1);
    let ids = ["ep_1", "ep_2"].map(|id| EndpointId::parse(id).unwrap());
    let loaded = deliveries.load(&[(delivery.id, row.id.clone())], &ids).await.unwrap();
    assert_eq!(loaded.deliveries[0].as_ref().unwrap(), &Some((delivery, Some(Arc::new(row)))));
    assert_eq!((loaded.states[&ids[0]].revision, loaded.states[&ids[1]].revision), (7, 0), "one has no row");
    let call = calls.only();
    assert_eq!(call.at("/RequestItems/Deliveries/ProjectionExpression"), "#a0, #a1, #a2, #a3");
    let names = json!({ "#a0": "pk", "#a1": "sk", "#a2": "body", "#a3": "place" });
    assert_eq!(call.at("/RequestItems/Deliveries/ExpressionAttributeNames"), &names);
    assert_eq!(call.at("/RequestItems/Endpoints/Keys"), &json!([{ "id": { "S": "ep_1" } }, { "id": { "S": "ep_2" } }]));
    assert_eq!(call.at("/RequestItems/Endpoints/ConsistentRead"), &json!(true));
}

#[tokio::test]
async fn a_duplicate_hint_reads_its_rows_once() {
    let (item, event) = stored(1).await;
    let (deliveries, calls) = table(move |_, _| found(&[&item, &event]));
    let (delivery, row) = rows(1);
    let hints = [(delivery.id, row.id.clone()), (delivery.id, row.id.clone())];
    assert_eq!(deliveries.load(&hints, &[]).await.unwrap().deliveries.len(), 2);
    let keys = calls.only().at("/RequestItems/Deliveries/Keys").as_array().unwrap().len();
    assert_eq!(keys, 2, "DynamoDB refuses a key that comes twice");
}

#[tokio::test]
async fn missing_rows_are_none() {
    let (item, event) = stored(1).await;
    let (delivery, row) = rows(1);
    let hint = [(delivery.id, row.id.clone())];
    for answer in [found(&[]), found(&[&event])] {
        let (deliveries, _) = table(move |_, _| answer.clone());
        assert_eq!(load(&deliveries, &hint).await, [None]);
    }
    // A delivery without its event has to end, so it is returned.
    let (deliveries, _) = table(move |_, _| found(&[&item]));
    assert_eq!(deliveries.load(&hint, &[]).await.unwrap().deliveries.remove(0).unwrap(), Some((delivery, None)));
}

#[tokio::test]
async fn unprocessed_keys_inside_a_200_are_requested_again() {
    let (item, event) = stored(1).await;
    let (deliveries, calls) = table(move |call, before| match before {
        0 => {
            let event_key = call.at("/RequestItems/Deliveries/Keys/1").clone();
            let left = json!({ "Deliveries": { "Keys": [event_key], "ConsistentRead": true } });
            (200, json!({ "Responses": { "Deliveries": [item] }, "UnprocessedKeys": left }))
        }
        _ => found(&[&event]),
    });
    let (delivery, row) = rows(1);
    assert_eq!(load(&deliveries, &[(delivery.id, row.id.clone())]).await, [Some((delivery, row))]);
    let again = &calls.all()[1];
    assert_eq!(again.at("/RequestItems/Deliveries/Keys").as_array().unwrap().len(), 1, "only the unprocessed rest");
    assert_eq!(again.at("/RequestItems/Deliveries/ConsistentRead"), &json!(true));
}

#[tokio::test]
async fn keys_that_stay_unprocessed_are_busy() {
    let (deliveries, calls) = table(|call, _| {
        let left = call.at("/RequestItems").clone();
        (200, json!({ "Responses": {}, "UnprocessedKeys": left }))
    });
    let (delivery, row) = rows(1);
    assert_eq!(kind(&deliveries.load(&[(delivery.id, row.id)], &[]).await.unwrap_err()), "busy");
    assert_eq!(calls.all().len(), 10);
}

#[tokio::test]
async fn more_than_a_hundred_keys_take_several_calls() {
    let (deliveries, calls) = table(|_, _| found(&[]));
    let hints: Vec<(DeliveryId, _)> = (0..60).map(rows).map(|(delivery, row)| (delivery.id, row.id)).collect();
    assert_eq!(deliveries.load(&hints, &[]).await.unwrap().deliveries.len(), 60);
    let keys: Vec<usize> =
        calls.all().iter().map(|call| call.at("/RequestItems/Deliveries/Keys").as_array().unwrap().len()).collect();
    assert_eq!(keys, [100, 20]);
}

#[tokio::test]
async fn deliveries_change_in_one_call_each_on_condition_of_its_version() {
    let (deliveries, calls) = table(|_, _| statements(&[None, Some(("ConditionalCheckFailed", None))]));
    let saved = deliveries.save_all(&[&attempted(1), &attempted(2)]).await;
    assert_eq!(saved.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [Saved::Done, Saved::Conflict(None)]);
    let call = calls.only();
    assert_eq!(call.operation, "BatchExecuteStatement");
    let first = call.at("/Statements/0");
    assert_eq!(
        first["Statement"],
        "UPDATE \"Deliveries\" SET \"version\"=? SET \"write_id\"=? SET \"body\"=? SET \"expires_at\"=? SET \
         \"due_shard\"=? SET \"due_at\"=? SET \"event_id\"=? WHERE \"pk\"=? AND \"sk\"=? AND \"version\"=?"
    );
    let parameters = first["Parameters"].as_array().unwrap();
    let pk = format!("delivery#{}", attempted(1).id);
    assert_eq!(parameters[7..], [json!({ "S": pk }), json!({ "S": "delivery" }), json!({ "N": "1" })]);
    assert_eq!(delivery_in(&parameters[2]), attempted(1));
    assert_eq!(first["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
}

#[tokio::test]
async fn more_than_25_changes_take_several_calls_and_keep_their_order() {
    let (deliveries, calls) = table(|call, _| {
        let count = call.at("/Statements").as_array().unwrap().len();
        statements(&vec![if count == 25 { None } else { Some(("ThrottlingError", None)) }; count])
    });
    let all: Vec<Delivery> = (0..30).map(attempted).collect();
    let saved: Vec<bool> =
        deliveries.save_all(&all.iter().collect::<Vec<_>>()).await.iter().map(Result::is_ok).collect();
    assert_eq!(saved, [vec![true; 25], vec![false; 5]].concat());
    assert_eq!(calls.all().len(), 1 + 10, "throttled statements are sent ten times");
}

#[tokio::test]
async fn a_changed_delivery_is_a_conflict_with_the_stored_one() {
    let (item, _) = stored(1).await;
    let (deliveries, _) = table(move |_, _| statements(&[Some(("ConditionalCheckFailed", Some(&item)))]));
    let saved = save(&deliveries, &attempted(1)).await.unwrap();
    assert_eq!(saved, Saved::Conflict(Some(Box::new(rows(1).0))));
    for code in ["ConditionalCheckFailed", "TransactionConflict"] {
        let (deliveries, _) = table(move |_, _| statements(&[Some((code, None))]));
        assert_eq!(save(&deliveries, &attempted(1)).await.unwrap(), Saved::Conflict(None), "{code}");
    }
}

#[tokio::test]
async fn a_save_whose_response_was_lost_is_done() {
    let (deliveries, calls) = table(|call, before| match before {
        0 => error("InternalServerError"),
        _ => {
            let item = json!({ "write_id": call.at("/Statements/0/Parameters/1") });
            statements(&[Some(("ConditionalCheckFailed", Some(&item)))])
        }
    });
    assert_eq!(save(&deliveries, &attempted(1)).await.unwrap(), Saved::Done);
    assert_eq!(calls.all().len(), 2);
}

#[tokio::test]
async fn a_failed_save_is_an_error() {
    for (answer, expected) in [
        (statements(&[Some(("ThrottlingError", None))]), "busy"),
        (statements(&[Some(("ProvisionedThroughputExceeded", None))]), "busy"),
        (statements(&[Some(("AccessDenied", None))]), "refused"),
        (statements(&[]), "busy"),
        (error("ProvisionedThroughputExceededException"), "busy"),
        (error("AccessDeniedException"), "refused"),
    ] {
        let shown = format!("{answer:?}");
        let (deliveries, _) = table(move |_, _| answer.clone());
        assert_eq!(kind(&save(&deliveries, &attempted(1)).await.unwrap_err()), expected, "{shown}");
    }
}

#[tokio::test]
async fn a_throttled_save_is_repeated_under_its_id() {
    let (deliveries, calls) = table(|_, before| match before {
        0 => statements(&[None, Some(("ThrottlingError", None))]),
        _ => statements(&[None]),
    });
    let saved = deliveries.save_all(&[&attempted(1), &attempted(2)]).await;
    assert_eq!(saved.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [Saved::Done, Saved::Done]);
    let calls = calls.all();
    assert_eq!(calls[1].at("/Statements").as_array().unwrap().len(), 1);
    assert_eq!(calls[1].at("/Statements/0"), calls[0].at("/Statements/1"));
}

#[tokio::test]
async fn earlier_attempts_get_rows_in_one_call() {
    let (deliveries, calls) = table(|_, before| match before {
        0 => (200, json!({ "UnprocessedItems": { "Deliveries": [{ "PutRequest": { "Item": {} } }] } })),
        _ => ok(),
    });
    let kept: Vec<(DeliveryId, Attempt)> = (1..3).map(|n| (attempted(n).id, attempted(n).last.unwrap())).collect();
    deliveries.keep(&kept).await.unwrap();
    let calls = calls.all();
    let rows = calls[0].at("/RequestItems/Deliveries");
    assert_eq!((calls.len(), rows.as_array().unwrap().len()), (2, 2), "unprocessed keys are requested again");
    let item = &rows[0]["PutRequest"]["Item"];
    assert_eq!(
        (&item["sk"], &item["pk"]["S"]),
        (&json!({ "S": "attempt#000001" }), &json!(format!("delivery#{}", kept[0].0)))
    );
    let (deliveries, _) = table(|_, _| error("ThrottlingException"));
    assert_eq!(kind(&deliveries.keep(&kept).await.unwrap_err()), "busy");
}

/// The size of an item, as DynamoDB bills it.
fn size(item: &Value) -> usize {
    let value = |value: &Value| match (value["S"].as_str(), value["B"].as_str(), value["N"].as_str()) {
        (Some(text), ..) => text.len(),
        (None, Some(base64), _) => base64.len() / 4 * 3,
        (None, None, number) => number.map_or(0, str::len) / 2 + 2,
    };
    item.as_object().unwrap().iter().map(|(name, of)| name.len() + value(of)).sum()
}

#[tokio::test]
async fn the_end_of_a_usual_delivery_takes_one_write_unit() {
    let id = "1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31";
    let (delivery, _) = rows(1);
    let delivery = Delivery {
        event_id: EventId::parse(&format!("job_{id}.21.1")).unwrap(),
        subject: Subject::parse(&format!("job_{id}")).unwrap(),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        ..delivery
    };
    let (deliveries, calls) = table(|_, _| ok());
    deliveries.put_delivery(&delivery, DueBy::Itself).await.unwrap();
    let mut item = calls.only().at("/Item").clone();
    assert!(size(&item) < 1024, "{} bytes before the attempt", size(&item));
    let answered = Outcome::Answered { status: 200, class: ResponseClass::Success, retry_after: None };
    let schedule = settings().policy.schedule;
    let (mut ended, reason) =
        delivery.begin(NOON).finish(&answered, NOON, &schedule, 0.0, Policy::default().hint_grace);
    ended.last.as_mut().unwrap().result = Some(AttemptResult {
        status: 200,
        error: None,
        first_byte_ms: Some(120),
        duration_ms: 130,
        peer: Some("203.0.113.10:443".to_owned()),
        response_hash: None,
        response: r#"{"received":true,"id":"5f0c2b7e-9d13-5a66-88e1-c07ab2d94f31"}"#.to_owned(),
        next_attempt_at: None,
        reason,
    });
    let (deliveries, calls) = table(|_, _| statements(&[None]));
    save(&deliveries, &ended).await.unwrap();
    let call = calls.only();
    let statement = call.at("/Statements/0/Statement").as_str().unwrap().to_owned();
    let parameters = call.at("/Statements/0/Parameters").as_array().unwrap().clone();
    let item = item.as_object_mut().unwrap();
    // Each word SET has the next parameter as its value.
    let names = |word: &str| -> Vec<String> {
        let word = format!(" {word} \"");
        statement.split(&word).skip(1).map(|part| part.split('"').next().unwrap().to_owned()).collect()
    };
    for (name, value) in names("SET").into_iter().zip(parameters) {
        item.insert(name, value);
    }
    for name in names("REMOVE") {
        item.shift_remove(&name);
    }
    let size = size(&Value::Object(item.clone()));
    assert!(size < 1024, "{size} bytes after the attempt");
}
