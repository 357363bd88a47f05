//! Lists of deliveries over a table with rows of this version and of older ones, page by page.

use std::collections::BTreeSet;
use std::sync::Arc;

use reelhook_app::webhooks::deliver::SaveDeliveries;
use reelhook_app::webhooks::deliveries::{DeliveryQueries, ListedDelivery, delivery_cursor};
use reelhook_app::webhooks::events::{EventRow, EventStore};
use reelhook_aws::items::packed::StoredForm;
use reelhook_aws::items::shards::EndedShards;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::{Delivery, DeliveryId, EndpointId, EventId, Subject, Timestamp};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{attempted, found, rows, stored, stored_as, table};
use crate::replay::{Answer, Call, Calls, ok};

/// The day of [`NOON`].
const DAY: &str = "2024-01-01";
/// The most rows of one page, whatever is requested: as if rows were large.
const PAGE: usize = 7;

/// A key of the table or of one of its indexes in an item.
fn text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item[name]["S"].as_str()
}

/// The answer to a query of a table with these items.
fn queried(items: &[Value], call: &Call) -> Answer {
    let value = |name: &str| call.at(&format!("/ExpressionAttributeValues/{name}/S")).as_str();
    let (partition, sort) = match call.at("/IndexName").as_str() {
        None => ("pk", "sk"),
        Some("by-job") => ("job_id", "place"),
        Some("by-day") => ("day_shard", "place"),
        Some(other) => panic!("unknown index `{other}`"),
    };
    let is_forward = call.at("/ScanIndexForward") != &json!(false);
    let condition = call.at("/KeyConditionExpression").as_str().unwrap().to_owned();
    let fits = |item: &&Value| {
        let (Some(of), Some(at)) = (text(item, partition), text(item, sort)) else { return false };
        let beyond = match value(":place") {
            Some(place) if condition.contains("place <") => at < place,
            Some(place) => at > place,
            None => true,
        };
        Some(of) == value(":of") && beyond
    };
    let mut found: Vec<&Value> = items.iter().filter(fits).collect();
    found.sort_by_key(|item| [sort, "pk", "sk"].map(|name| text(item, name).map(str::to_owned)));
    if !is_forward {
        found.reverse();
    }
    let start = call.at("/ExclusiveStartKey");
    if !start.is_null() {
        let before = found.iter().position(|item| ["pk", "sk"].iter().all(|name| item[*name] == start[*name]));
        found.drain(..=before.expect("the item that a page ended with"));
    }
    let limit = call.at("/Limit").as_u64().map_or(PAGE, |limit| PAGE.min(limit as usize));
    let mut answer = json!({});
    if found.len() > limit {
        found.truncate(limit);
        let last = found[limit - 1];
        answer["LastEvaluatedKey"] = json!({ "pk": last["pk"], "sk": last["sk"] });
    }
    answer["Items"] = json!(found);
    (200, answer)
}

/// A table with these items that answers queries.
fn holding(items: Vec<Value>) -> (DeliveryTable, Calls) {
    table(move |call, _| match call.operation.as_str() {
        "Query" => queried(&items, call),
        other => panic!("unexpected `{other}`"),
    })
}

/// An event of a job at a time, with its deliveries to some endpoints.
fn event(job: &str, version: u64, at: Timestamp, endpoints: u32) -> (EventRow, Vec<Delivery>) {
    let (delivery, event) = rows(1);
    let subject = Subject::parse(job).unwrap();
    let id = EventId::of(&subject, version, 0);
    let event = EventRow { id: id.clone(), subject: subject.clone(), at, ..event };
    let to = |n: u32| {
        let endpoint_id = EndpointId::parse(&format!("ep_{n}")).unwrap();
        let (event_id, subject) = (id.clone(), subject.clone());
        let id = DeliveryId::of(&event_id, &endpoint_id);
        Delivery { id, event_id, subject, endpoint_id, created_at: at, ..delivery.clone() }
    };
    let deliveries = (0..endpoints).map(to).collect();
    (event, deliveries)
}

/// The items that are stored of an event and its deliveries.
async fn items(form: StoredForm, event: &EventRow, deliveries: &[Delivery]) -> Vec<Value> {
    let (table, calls) = table(|_, _| ok());
    let table = table.storing(form);
    let ids: Vec<DeliveryId> = deliveries.iter().map(|delivery| delivery.id).collect();
    table.put_event(event, &ids).await.unwrap();
    for delivery in deliveries {
        table.put_delivery(delivery).await.unwrap();
    }
    calls.all().iter().map(|call| call.at("/Item").clone()).collect()
}

/// 90 events of three jobs, five at each millisecond, of which each third was stored by an older version and each ninth was
/// stored again by a repair: the items, and the deliveries.
async fn mixed() -> (Vec<Value>, Vec<Delivery>) {
    let (mut stored, mut all) = (Vec::new(), Vec::new());
    for n in 0..90_u32 {
        let at = Timestamp(NOON.millis() + i64::from(n / 5));
        let (event, deliveries) = event(&format!("job_{}", n % 3), u64::from(n), at, 1 + n % 4);
        let form = if n % 3 == 1 { StoredForm::Text } else { StoredForm::Compressed };
        stored.extend(items(form, &event, &deliveries).await);
        if n % 9 == 4 {
            // The deliveries are there, and stay.
            let repaired = items(StoredForm::Compressed, &event, &deliveries).await;
            stored.extend(repaired.into_iter().take(1));
        }
        all.extend(deliveries);
    }
    (stored, all)
}

/// Deliveries as lists have them, oldest first.
fn listed<'a>(deliveries: impl Iterator<Item = &'a Delivery>) -> Vec<ListedDelivery> {
    let mut listed: Vec<_> = deliveries.map(|delivery| (delivery_cursor(delivery), delivery.id)).collect();
    listed.sort();
    listed
}

#[tokio::test]
async fn a_job_s_deliveries_are_listed_once_in_order_for_any_page_size() {
    let (stored, all) = mixed().await;
    let (deliveries, _) = holding(stored);
    for job in ["job_0", "job_1", "job_2"].map(|id| Subject::parse(id).unwrap()) {
        let mut expected = listed(all.iter().filter(|delivery| delivery.subject == job));
        expected.reverse();
        for limit in [1, 2, 3, 10, 1000] {
            let (mut found, mut before) = (Vec::new(), format!("{:013}", NOON.millis() + 1000));
            loop {
                let page = deliveries.of_subject(&job, &before, limit).await.unwrap();
                assert!(page.len() <= limit, "{page:?}");
                let Some((last, _)) = page.last() else { break };
                before.clone_from(last);
                found.extend(page);
            }
            assert_eq!(found, expected, "{job}, {limit} at a time");
        }
    }
}

#[tokio::test]
async fn a_day_s_deliveries_are_listed_once_in_either_order_for_any_page_size() {
    let (stored, all) = mixed().await;
    let (deliveries, _) = holding(stored);
    let expected = listed(all.iter());
    for limit in [1, 2, 3, 10, 1000] {
        let (mut newest, mut oldest) = (Vec::new(), Vec::new());
        for shard in 0..4 {
            let mut before = format!("{:013}", NOON.millis() + 1000);
            loop {
                let page = deliveries.of_day(DAY, shard, &before, limit).await.unwrap();
                assert!(page.len() <= limit && page.is_sorted_by(|one, next| one > next), "{page:?}");
                let Some((last, _)) = page.last() else { break };
                before.clone_from(last);
                newest.extend(page);
            }
            let mut after = format!("{:013}", NOON.millis());
            loop {
                let page = deliveries.of_day_after(DAY, shard, &after, limit).await.unwrap();
                assert!(page.len() <= limit && page.is_sorted_by(|one, next| one < next), "{page:?}");
                let Some((last, _)) = page.last() else { break };
                after.clone_from(last);
                oldest.extend(page);
            }
        }
        // A delivery of an older version that a repair has named is in two shards.
        for found in [newest, oldest] {
            let unique: Vec<ListedDelivery> = found.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
            assert_eq!(unique, expected, "{limit} at a time");
        }
    }
}

#[tokio::test]
async fn deliveries_from_before_and_after_there_were_more_shards_are_listed() {
    let (mut stored, mut all) = (Vec::new(), Vec::new());
    for n in 0..40_u32 {
        let shards = if n < 20 { EndedShards::default() } else { EndedShards::new(4, 1) };
        let (event, deliveries) = event(&format!("job_{n}"), 1, Timestamp(NOON.millis() + i64::from(n)), 2);
        let ids: Vec<DeliveryId> = deliveries.iter().map(|delivery| delivery.id).collect();
        let (table, calls) = table(|_, _| ok());
        table.sharded(shards).put_event(&event, &ids).await.unwrap();
        stored.extend(calls.all().iter().map(|call| call.at("/Item").clone()));
        all.extend(deliveries);
    }
    let deliveries = holding(stored).0.sharded(EndedShards::new(4, 1));
    let (before, mut found, mut later) = (format!("{:013}", NOON.millis() + 1000), Vec::new(), 0);
    for shard in 0..deliveries.shards() {
        let of_shard = deliveries.of_day(DAY, shard, &before, 1000).await.unwrap();
        later += if shard < 4 { 0 } else { of_shard.len() };
        found.extend(of_shard);
    }
    found.sort();
    assert_eq!(found, listed(all.iter()));
    assert!(later > 0, "new ones are in all shards");
}

#[tokio::test]
async fn a_full_page_is_as_long_as_it_may_be() {
    let (stored, _) = mixed().await;
    let (deliveries, calls) = holding(stored);
    let before = format!("{:013}", NOON.millis() + 1000);
    // Callers take a shorter page for the last one.
    for shard in 0..4 {
        assert_eq!(deliveries.of_day(DAY, shard, &before, 12).await.unwrap().len(), 12);
    }
    assert!(calls.all().iter().all(|call| call.operation == "Query"));
}

#[tokio::test]
async fn a_page_is_full_where_several_rows_name_a_delivery() {
    let (mut stored, mut counts) = (Vec::new(), [0_usize; 4]);
    for n in 0..60_u32 {
        let (event, deliveries) = event(&format!("job_{n}"), 1, Timestamp(NOON.millis() + i64::from(n)), 1);
        let named = items(StoredForm::Compressed, &event, &deliveries).await.remove(0);
        let mut again = named.clone();
        again["sk"] = json!({ "S": format!("{}#{}", event.id, deliveries[0].id) });
        stored.extend([named, again]);
        counts[reelhook_app::outbox::sweep::hash(event.id.as_str()) as usize % 4] += 1;
    }
    let (deliveries, before) = (holding(stored).0, format!("{:013}", NOON.millis() + 1000));
    for (shard, count) in (0..).zip(counts) {
        for limit in [1, 4, 8, 100] {
            let page = deliveries.of_day(DAY, shard, &before, limit).await.unwrap();
            assert_eq!(page.len(), limit.min(count), "shard {shard}, {limit} at a time");
        }
    }
}

#[tokio::test]
async fn deliveries_are_found_by_keys_alone_and_read_as_they_stand() {
    let ((one, event), (two, older)) = (stored(1).await, stored_as(2, StoredForm::Text).await);
    let held = Arc::new(vec![one.clone(), event, two.clone(), older]);
    let (deliveries, calls) = table(move |call, _| match call.operation.as_str() {
        "Query" => queried(&held, call),
        _ => found(&[&one, &two]),
    });
    let cursor = |n: u32| (delivery_cursor(&rows(n).0), rows(n).0.id);
    for n in [1, 2] {
        let job = rows(n).0.subject;
        assert_eq!(deliveries.of_subject(&job, "1704110400001", 2).await.unwrap(), [cursor(n)]);
    }
    let all = calls.all();
    let of_index = all.iter().find(|call| call.at("/IndexName") == "by-job").unwrap();
    assert_eq!(of_index.at("/KeyConditionExpression"), "job_id = :of AND place < :place");
    let of_table = all.iter().find(|call| call.at("/IndexName").is_null()).unwrap();
    assert_eq!(of_table.at("/ProjectionExpression"), "place");
    let loaded = deliveries.load_all(&[rows(2).0.id, rows(1).0.id]).await.unwrap();
    assert_eq!(loaded, [rows(2).0, rows(1).0]);
    // DynamoDB refuses a key that comes twice.
    assert_eq!(deliveries.load_all(&[rows(2).0.id, rows(2).0.id]).await.unwrap(), [rows(2).0]);
    let keys = calls.all().last().unwrap().at("/RequestItems/Deliveries/Keys").as_array().unwrap().len();
    assert_eq!(keys, 1);
    assert_eq!(calls.all().last().unwrap().at("/RequestItems/Deliveries/ConsistentRead"), &json!(true));
}

#[tokio::test]
async fn a_delivery_is_read_with_its_event_and_every_attempt() {
    let (row, event) = stored(1).await;
    let tried = attempted(1).last.unwrap();
    let attempt = json!({
        "pk": row["pk"], "sk": { "S": "attempt#000001" },
        "body": { "S": serde_json::to_string(&tried).unwrap() },
    });
    let (deliveries, _) = table(move |call, before| match (call.operation.as_str(), before) {
        ("Query", _) => (200, json!({ "Items": [attempt] })),
        (_, 0) => found(&[&row]),
        _ => found(&[&event]),
    });
    let details = deliveries.details(rows(1).0.id).await.unwrap().unwrap();
    assert_eq!((details.delivery, details.event), (rows(1).0, Some(rows(1).1)));
    assert_eq!(details.attempts, [attempted(1).last.unwrap()]);
    let (empty, _) = table(|_, _| ok());
    assert_eq!(empty.details(rows(1).0.id).await.unwrap(), None);
}
