//! Events, deliveries, attempts and recoveries.

use reelhook_app::webhooks::deliver::{AttemptRecorder, DeliveryRows};
use reelhook_app::webhooks::deliveries::DeliveryQueries;
use reelhook_app::webhooks::events::{DueBy, EventStore};
use reelhook_app::webhooks::recover::RecoveryStore;
use reelhook_app::webhooks::recovery::RecoveryId;
use reelhook_aws::items::packed::StoredForm;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::{DeliveryId, EventId};
use serde_json::Value;

use super::{VERSIONS, assert_unchanged, holding, rows, rows_of, string, written};
use crate::replay::Calls;

fn table(version: &str) -> (DeliveryTable, Calls) {
    let (client, calls) = holding(rows(version, "Deliveries"));
    (DeliveryTable::new(client, "Deliveries"), calls)
}

/// The id in the partition key of a delivery or of one of its attempts.
fn delivery_id(row: &Value) -> DeliveryId {
    let id = string(row, "pk").strip_prefix("delivery#").expect("a delivery's partition");
    DeliveryId::parse(id).expect("a delivery's id")
}

#[tokio::test]
async fn recorded_events_and_deliveries_are_written_as_they_were_stored() {
    for version in VERSIONS {
        let (table, calls) = table(version);
        let table = table.storing(StoredForm::Text);
        let deliveries = rows_of(version, "Deliveries", "delivery");
        let id = |row: &Value| (delivery_id(row), EventId::parse(string(row, "event_id")).expect("an event's id"));
        let ids: Vec<(DeliveryId, EventId)> = deliveries.iter().map(id).collect();
        for loaded in table.load(&ids, &[]).await.unwrap().deliveries {
            let (delivery, event) = loaded.unwrap().expect("a delivery");
            table.put_delivery(&delivery, DueBy::Itself).await.unwrap();
            table.put_event(&event.expect("its event"), &[delivery.id]).await.unwrap();
        }
        let deliveries: Vec<Value> = deliveries.into_iter().map(named_while_due).collect();
        assert_unchanged(&written(&calls), &[deliveries, rows_of(version, "Deliveries", "event")].concat());
    }
}

/// A recorded delivery as it is written now: only one that is due has the id of its event, for the index.
fn named_while_due(mut delivery: Value) -> Value {
    if delivery.get("due_at").is_none() {
        delivery.as_object_mut().expect("an item").remove("event_id");
    }
    delivery
}

#[tokio::test]
async fn recorded_attempts_are_written_as_they_were_stored() {
    for version in VERSIONS {
        let (table, calls) = table(version);
        let stored = rows_of(version, "Deliveries", "attempt");
        for row in &stored {
            let number: u32 = string(row, "sk").strip_prefix("attempt#").unwrap().parse().unwrap();
            let details = table.details(delivery_id(row)).await.unwrap().expect("a delivery");
            let attempt = details.attempts.into_iter().find(|attempt| attempt.number == number);
            table.keep(&[(delivery_id(row), attempt.expect("an attempt"))]).await.unwrap();
        }
        assert_unchanged(&written(&calls), &stored);
    }
}

#[tokio::test]
async fn recorded_recoveries_are_written_as_they_were_stored() {
    for version in VERSIONS {
        let (table, calls) = table(version);
        let stored = rows_of(version, "Deliveries", "recovery");
        for row in &stored {
            let id = RecoveryId::parse(string(row, "pk").strip_prefix("recovery#").unwrap()).expect("an id");
            let recovery = table.recovery(&id).await.unwrap().expect("a recovery");
            assert!(table.insert(&recovery).await.unwrap());
        }
        assert_unchanged(&written(&calls), &stored);
    }
}
