//! Deliveries of an event that are due together: their row, what the due sweep finds by it, and when it goes.

use std::time::Duration;

use reelhook_app::outbox::sweep::DueDeliveries;
use reelhook_app::webhooks::deliver::DeliveryRows;
use reelhook_app::webhooks::events::{ABANDONED, DueBy, DueTogether, EventStore};
use reelhook_aws::items::packed::StoredForm;
use reelhook_domain::{Delivery, DeliveryId, EventId};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{attempted, found, rows, stored, table};
use crate::replay::{Calls, condition_failed, ok};

/// After so long a delivery is due for the sweep.
const MINUTE: Duration = Duration::from_secs(60);

/// Two deliveries that are due together.
fn ids() -> [DeliveryId; 2] {
    [rows(1).0.id, rows(2).0.id]
}

/// The row by which they are.
async fn row() -> Value {
    let (deliveries, calls) = table(|_, _| ok());
    assert_eq!(deliveries.put_due(&rows(1).1, &ids()).await.unwrap(), DueBy::Event);
    calls.only().at("/Item").clone()
}

/// The item of a delivery, put as it is.
async fn item(delivery: &Delivery, due_by: DueBy) -> Value {
    let (deliveries, calls) = table(|_, _| ok());
    deliveries.put_delivery(delivery, due_by).await.unwrap();
    calls.only().at("/Item").clone()
}

/// What a sweep finds where these deliveries are stored, so long after their event; and the sweep's calls.
async fn swept(after: Duration, items: Vec<Value>) -> (Vec<(DeliveryId, EventId)>, Calls) {
    let row = row().await;
    let partition: u32 = row["pk"]["S"].as_str().unwrap().strip_prefix("due#").unwrap().parse().unwrap();
    let (deliveries, calls) = table(move |call, _| match call.operation.as_str() {
        "Query" if call.at("/IndexName").is_null() => (200, json!({ "Items": [row] })),
        "BatchGetItem" => found(&items.iter().collect::<Vec<_>>()),
        _ => ok(),
    });
    (deliveries.due_deliveries(4 * partition, NOON.after(after)).await.unwrap(), calls)
}

#[tokio::test]
async fn deliveries_that_are_due_together_have_a_row_and_no_entries() {
    let (delivery, event) = rows(1);
    let row = row().await;
    let names = ids().map(|id| id.0.simple().to_string()).concat();
    assert_eq!(row["named"], json!({ "S": names }));
    assert!(row["sk"]["S"].as_str().unwrap().starts_with(&format!("1704110400000.{}#", event.id)), "{row}");
    assert_eq!(row["expires_at"], json!({ "N": (NOON.seconds() + 35 * 86_400).to_string() }));
    assert!(row["due_shard"].is_null() && row["place"].is_null(), "it is in no index");
    let (alone, together) = (item(&delivery, DueBy::Itself).await, item(&delivery, DueBy::Event).await);
    for name in ["due_shard", "due_at", "event_id"] {
        assert!(!alone[name].is_null() && together[name].is_null(), "{name}");
    }
}

#[tokio::test]
async fn one_delivery_or_very_many_have_their_own_entries() {
    let (delivery, event) = rows(1);
    for count in [0, 1, 31] {
        let (deliveries, calls) = table(|_, _| ok());
        assert_eq!(deliveries.put_due(&event, &vec![delivery.id; count]).await.unwrap(), DueBy::Itself, "{count}");
        assert!(calls.all().is_empty());
    }
    // Functions of older versions know nothing else.
    let (deliveries, calls) = table(|_, _| ok());
    assert_eq!(deliveries.storing(StoredForm::Text).put_due(&event, &ids()).await.unwrap(), DueBy::Itself);
    assert!(calls.all().is_empty());
}

#[tokio::test]
async fn a_row_that_is_there_holds_for_the_deliveries_that_it_names() {
    let (row, event) = (row().await, rows(1).1);
    let mut others = row.clone();
    others["named"] = json!({ "S": rows(3).0.id.0.simple().to_string() });
    for (stored, expected) in [(row, DueBy::Event), (others, DueBy::Itself)] {
        let (deliveries, calls) = table(move |_, _| condition_failed(Some(&stored)));
        assert_eq!(deliveries.put_due(&event, &ids()).await.unwrap(), expected);
        assert_eq!(calls.only().at("/ConditionExpression"), "attribute_not_exists(pk)");
    }
}

#[tokio::test]
async fn a_delivery_that_was_not_saved_is_due_by_its_row() {
    let written = item(&rows(1).0, DueBy::Event).await;
    let (due, calls) = swept(MINUTE, vec![written, item(&attempted(2), DueBy::Itself).await]).await;
    assert_eq!(due, [(rows(1).0.id, rows(1).1.id)]);
    assert_eq!(calls.operations(), ["Query", "Query", "BatchGetItem"], "the row stays");
    let query = &calls.all()[1];
    assert_eq!(query.at("/KeyConditionExpression"), "pk = :row AND sk < :until");
    assert_eq!(query.at("/ExpressionAttributeValues/:until"), &json!({ "S": "1704110400001" }));
}

#[tokio::test]
async fn a_row_with_a_delivery_that_is_still_to_be_written_stays() {
    let saved = item(&attempted(2), DueBy::Itself).await;
    let expected = ["Query", "Query", "BatchGetItem", "BatchWriteItem"];
    for (after, count) in [(MINUTE, 3), (ABANDONED, 3), (ABANDONED + MINUTE, 4)] {
        let (due, calls) = swept(after, vec![saved.clone()]).await;
        assert!(due.is_empty());
        assert_eq!(calls.operations(), expected[..count], "{after:?}");
    }
}

#[tokio::test]
async fn the_sweep_removes_a_row_whose_deliveries_were_all_saved() {
    let saved = [item(&attempted(1), DueBy::Itself).await, item(&attempted(2), DueBy::Itself).await];
    let (due, calls) = swept(MINUTE, saved.to_vec()).await;
    assert!(due.is_empty());
    let (removal, row) = (calls.all().remove(3), row().await);
    assert_eq!(removal.operation, "BatchWriteItem");
    let key = json!({ "pk": row["pk"], "sk": row["sk"] });
    assert_eq!(removal.at("/RequestItems/Deliveries"), &json!([{ "DeleteRequest": { "Key": key } }]));
}

#[tokio::test]
async fn the_dispatcher_removes_the_row_that_was_written() {
    let event = rows(1).1;
    let (deliveries, calls) = table(|_, _| ok());
    deliveries.put_event(&event, &ids()).await.unwrap();
    let (one, named) = (stored(1).await.0, calls.only().at("/Item").clone());
    let (deliveries, calls) = table(move |call, _| match call.operation.as_str() {
        "BatchGetItem" => found(&[&one, &named]),
        _ => ok(),
    });
    let loaded = deliveries.load(&[(rows(1).0.id, event.id.clone())], &[]).await.unwrap();
    let expected = DueTogether { event_id: event.id, at: event.at, deliveries: ids().to_vec() };
    assert_eq!(loaded.due_together, [expected]);
    deliveries.remove_due(&loaded.due_together).await.unwrap();
    let row = row().await;
    let removed = calls.all().remove(1).at("/RequestItems/Deliveries/0/DeleteRequest/Key").clone();
    assert_eq!(removed, json!({ "pk": row["pk"], "sk": row["sk"] }));
}
