//! The rows of events and deliveries: their stored forms, what they name, and those of older versions.

use std::collections::BTreeSet;

use reelhook_app::webhooks::events::{DueBy, EventRow, EventStore};
use reelhook_aws::items::packed::StoredForm;
use reelhook_domain::{Delivery, DeliveryId, EndpointId, EventId, Subject};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{attempted, delivery_in, found, load, rows, save, settings, size, statements, stored, stored_as, table};
use crate::replay::{Call, Calls, condition_failed, ok};

/// The deliveries that the rows name which these calls have put, without dashes, and the keys of these rows.
fn named_by(calls: &Calls) -> Vec<(String, Vec<String>)> {
    let named = |call: Call| {
        let at = |name: &str| call.at(&format!("/Item/{name}/S")).as_str().unwrap_or_default().to_owned();
        let (place, key) = (at("place"), format!("{} {}", at("pk"), at("sk")));
        let ids = place.split_once('.').map_or("", |(_, ids)| ids);
        (key, ids.as_bytes().chunks(32).map(|id| String::from_utf8(id.to_vec()).unwrap()).collect())
    };
    calls.all().into_iter().map(named).collect()
}

/// Ids of an event's deliveries to many endpoints.
fn many(count: u32) -> Vec<DeliveryId> {
    let event = rows(1).1.id;
    (0..count).map(|n| DeliveryId::of(&event, &EndpointId::parse(&format!("ep_{n}")).unwrap())).collect()
}

#[tokio::test]
async fn an_event_of_many_deliveries_names_them_in_several_rows() {
    let (event, ids) = (rows(1).1, many(70));
    let (deliveries, calls) = table(|_, _| ok());
    deliveries.put_event(&event, &ids).await.unwrap();
    let named = named_by(&calls);
    assert_eq!(named.iter().map(|(_, ids)| ids.len()).collect::<Vec<_>>(), [30, 30, 10]);
    let all: Vec<String> = named.into_iter().flat_map(|(_, ids)| ids).collect();
    assert_eq!(all, ids.iter().map(|id| id.0.simple().to_string()).collect::<Vec<_>>());
    let entries: Vec<_> = calls.all().iter().map(|call| call.at("/Item/day_shard").clone()).collect();
    assert!(entries.iter().all(|entry| *entry == entries[0] && !entry.is_null()), "{entries:?}");
}

#[tokio::test]
async fn deliveries_that_a_repair_adds_are_named_beside_those_before() {
    let (event, ids) = (rows(1).1, many(3));
    let first = DeliveryId::of(&event.id, &settings().endpoints[0].id);
    let (_, known) = stored(1).await;
    let (deliveries, calls) = table(move |_, before| match before {
        0 => condition_failed(Some(&known)),
        _ => ok(),
    });
    deliveries.put_event(&event, &[vec![first], ids.clone()].concat()).await.unwrap();
    let (key, named) = named_by(&calls).remove(1);
    assert_eq!(key, format!("events#{} {}#{}", event.subject, event.id, ids[0]));
    assert_eq!(named, ids.iter().map(|id| id.0.simple().to_string()).collect::<Vec<_>>());
    assert_eq!(calls.all().len(), 2);
}

#[tokio::test]
async fn an_event_whose_id_begins_with_something_else_is_listed_under_its_subject() {
    let (delivery, event) = rows(1);
    let id = EventId::parse(&format!("{}.1704110400000.0", delivery.id)).unwrap();
    let about = EventRow { id: id.clone(), ..event };
    let (deliveries, calls) = table(|_, _| ok());
    deliveries.put_event(&about, &[delivery.id]).await.unwrap();
    let keys: Vec<String> = named_by(&calls).into_iter().map(|(key, _)| key).collect();
    let own = format!("events#{} 1704110400000.0", delivery.id);
    assert_eq!(keys, [own, format!("events#{} {id}", about.subject)]);
    let all = calls.all();
    assert!(all[0].at("/Item/place").is_null() && all[1].at("/Item/body").is_null());
}

#[tokio::test]
async fn rows_have_their_stored_form() {
    let (delivery, event) = rows(1);
    let (row, of_event) = stored(1).await;
    let names = |item: &Value| item.as_object().unwrap().keys().map(String::clone).collect::<BTreeSet<_>>();
    let expected = ["body", "due_at", "due_shard", "event_id", "expires_at", "pk", "sk", "version", "write_id"];
    assert_eq!(names(&row), BTreeSet::from(expected.map(str::to_owned)));
    assert_eq!(delivery_in(&row["body"]), delivery);
    let expected = ["body", "day_shard", "expires_at", "pk", "place", "sk"];
    assert_eq!(names(&of_event), BTreeSet::from(expected.map(str::to_owned)));
    assert_eq!(of_event["pk"], json!({ "S": format!("events#{}", event.subject) }));
    assert_eq!(of_event["place"], json!({ "S": format!("1704110400000.{}", delivery.id.0.simple()) }));
    let shard = reelhook_app::outbox::sweep::shard(event.id.as_str()) % 4;
    assert_eq!(of_event["day_shard"], json!({ "S": format!("events#2024-01-01#{shard}") }));
    assert_eq!(of_event["expires_at"], json!({ "N": (NOON.seconds() + 35 * 86_400).to_string() }));
}

#[tokio::test]
async fn a_usual_event_takes_one_write_unit() {
    let job = "job_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31";
    let (delivery, event) = rows(1);
    let data = json!({
        "job_id": job, "status": "completed", "created_at": "2024-01-01T12:00:00.000Z",
        "started_at": "2024-01-01T12:00:01.250Z", "completed_at": "2024-01-01T12:02:35.750Z", "failed_at": null,
        "parameters": {
            "country": "US", "platform": "Netflix", "genre": "Horror", "contentType": "Film", "template": "auto",
            "pauseAfterExtraction": false,
        },
        "progress": 100, "current_step": "Video generation completed!",
        "video_url": "https://cdn.example.com/renders/4f1c9a52-7d3e-4b8a-9c61-2e5f0a7b3d18.mp4",
        "creatomate_id": "4f1c9a52-7d3e-4b8a-9c61-2e5f0a7b3d18", "error": null, "retry_count": 0,
        "processing_duration_ms": 154_500, "duration": "2m 34s",
        "metadata": { "country": "US", "platform": "Netflix", "order": "7c1d" },
    });
    let id = EventId::parse(&format!("{job}.21.1")).unwrap();
    let event = EventRow { id, subject: Subject::parse(job).unwrap(), data: data.into(), ..event };
    let (deliveries, calls) = table(|_, _| ok());
    // Five endpoints, and the entry in the index is in the row.
    deliveries.put_event(&event, &many(5)).await.unwrap();
    deliveries.put_delivery(&delivery, DueBy::Itself).await.unwrap();
    let sizes: Vec<usize> = calls.all().iter().map(|call| size(call.at("/Item"))).collect();
    assert!(sizes.len() == 2 && sizes.iter().all(|size| *size < 1024), "{sizes:?}");
}

#[tokio::test]
async fn during_an_upgrade_rows_are_written_as_older_versions_read_them() {
    let (delivery, event) = rows(1);
    let (row, of_event) = stored_as(1, StoredForm::Text).await;
    assert_eq!(serde_json::from_str::<Delivery>(row["body"]["S"].as_str().unwrap()).unwrap(), delivery);
    assert_eq!(row["job_id"], json!({ "S": delivery.subject.as_str() }));
    assert_eq!(row["place"], json!({ "S": format!("1704110400000.{}", delivery.id) }));
    assert_eq!(of_event["pk"], json!({ "S": format!("event#{}", event.id) }));
    assert!(of_event["body"]["S"].is_string() && of_event["place"].is_null());
}

#[tokio::test]
async fn a_delivery_of_an_older_version_is_sent_with_the_event_of_that_version() {
    let (row, of_event) = stored_as(1, StoredForm::Text).await;
    let (_, mut repaired) = stored(1).await;
    // A repair has written the event again, from the job as it is now.
    repaired["body"] = json!({ "S": of_event["body"]["S"].as_str().unwrap().replace("Série", "Film") });
    let (deliveries, calls) = table(move |_, before| match before {
        0 => found(&[&row, &repaired]),
        _ => found(&[&of_event]),
    });
    let (delivery, event) = rows(1);
    assert_eq!(load(&deliveries, &[(delivery.id, event.id.clone())]).await, [Some((delivery, event.clone()))]);
    let keys = calls.all()[1].at("/RequestItems/Deliveries/Keys").clone();
    assert_eq!(keys, json!([{ "pk": { "S": format!("event#{}", event.id) }, "sk": { "S": "event" } }]));
}

#[tokio::test]
async fn a_delivery_whose_event_is_only_in_the_place_of_older_versions_is_loaded() {
    let ((row, _), (_, of_event)) = (stored(1).await, stored_as(1, StoredForm::Text).await);
    let (deliveries, calls) = table(move |_, before| if before == 0 { found(&[&row]) } else { found(&[&of_event]) });
    let (delivery, event) = rows(1);
    assert_eq!(load(&deliveries, &[(delivery.id, event.id.clone())]).await, [Some((delivery, event))]);
    assert_eq!(calls.all().len(), 2);
}

#[tokio::test]
async fn a_change_during_an_upgrade_stays_readable_by_older_versions() {
    let (deliveries, calls) = table(|_, _| statements(&[None]));
    save(&deliveries.storing(StoredForm::Text), &attempted(1)).await.unwrap();
    let body = calls.only().at("/Statements/0/Parameters/2/S").as_str().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Delivery>(&body).unwrap(), attempted(1));
}

/// A delivered webhook and its event, as the first version with this form stored them.
const DELIVERY: &str = "AqXVWwoCMQwF0BW15Nk2bkbS1/6XIH7VmVFUmt+EELgH8pqZFBRIjoF0etDeKJgqhGED2KyV3PM1V8wgiCDwrLtOaFTzsI4snlIp\
     Axtkr9RNJmMkvCD4mP5/q99REeU6AYzdaid1b6MUz2rDZWqSLUqnv3G49hur0/CB2OqR7nBbe5B+p0cXe7zwEXCEiMgR4SbCG/Ie";
const EVENT: &str = "AkOOM1CAG5obmBgaGpgYgEC8aZpBslGSeapliqGxSaKZmYVFqmGygXliklGKpUmasaGekSFGlOKMS9KMhpZ4KJpwlH4kG4y1vQgr\
     uoIPryzKTFX4ML9vDSjYQHEAdAZ6WgcA";

#[tokio::test]
async fn what_was_stored_in_this_form_is_read() {
    let job = "job_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31";
    let (event_id, id) = (format!("{job}.21.1"), "481406a1-25fa-5dc2-9550-e9e0399c87d7");
    let row = json!({ "pk": { "S": format!("delivery#{id}") }, "sk": { "S": "delivery" }, "body": { "B": DELIVERY } });
    let of_event = json!({ "pk": { "S": format!("events#{job}") }, "sk": { "S": "21.1" }, "body": { "B": EVENT } });
    let (deliveries, _) = table(move |_, _| found(&[&row, &of_event]));
    let ids = (DeliveryId::parse(id).unwrap(), EventId::parse(&event_id).unwrap());
    let (delivery, event) = load(&deliveries, &[ids]).await.remove(0).expect("the delivery");
    assert_eq!((delivery.endpoint_name.as_str(), delivery.version), ("webhook_1", 2));
    let result = delivery.last.and_then(|last| last.result).expect("a result");
    assert_eq!((result.status, result.response.as_str()), (200, r#"{"received":true}"#));
    let data = format!(r#"{{"job_id":"{job}","status":"completed","genre":"Série 🎬","ratio":1}}"#);
    assert_eq!((event.at, &*event.data.text()), (NOON, data.as_str()));
}
