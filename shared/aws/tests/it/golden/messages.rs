//! Queue messages, and film specifications in the bucket.

use reelhook_app::outbox::messages::{DeliveryMessage, LiveMessage, PieceMessage, WorkMessage};
use reelhook_app::videos::films::FilmStore;
use reelhook_aws::videos::films::FilmBucket;
use reelhook_domain::JobId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{VERSIONS, file};
use crate::replay::s3;

/// Checks that a message is read and written again without a change.
fn assert_unchanged<M: Serialize + DeserializeOwned>(text: &str) {
    let message: M = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(serde_json::to_string(&message).unwrap(), text);
}

#[test]
fn recorded_messages_are_written_as_they_were_sent() {
    for version in VERSIONS {
        let queues: Value = serde_json::from_str(&file(version, "queues.json")).unwrap();
        let messages = |queue: &str| -> Vec<String> { serde_json::from_value(queues[queue].clone()).unwrap() };
        let (deliveries, pieces) = (messages("DeliveriesQueueUrl"), messages("RenderQueueUrl"));
        assert!(!deliveries.is_empty() && !pieces.is_empty(), "version {version}");
        deliveries.iter().for_each(|text| assert_unchanged::<DeliveryMessage>(text));
        pieces.iter().for_each(|text| assert_unchanged::<PieceMessage>(text));
        messages("WorkQueueUrl").iter().for_each(|text| assert_unchanged::<WorkMessage>(text));
    }
}

/// The recordings hold no message of the Work queue.
#[test]
fn messages_of_the_work_queue_stay_as_they_are() {
    for text in [
        r#"{"kind":"start.v1"}"#,
        r#"{"kind":"start.v1","jobs":["job_1_a"]}"#,
        r#"{"kind":"start_scenes.v1"}"#,
        r#"{"kind":"start_scenes.v1","projects":["proj_1"]}"#,
        r#"{"kind":"check_render.v1","job_id":"job_1_a","render":"render_1","check":2}"#,
        r#"{"kind":"apply_parked.v1","job_id":"job_1_a","render":"render_1"}"#,
        r#"{"kind":"cancel_worker.v1","job_id":"job_1_a","attempt":3,"url":"https://worker.example/cancel"}"#,
    ] {
        assert_unchanged::<WorkMessage>(text);
    }
}

#[test]
fn messages_of_the_live_queue_stay_as_they_are() {
    for text in [
        r#"{"kind":"push.v1","subject":"job_1_a","terminal":false}"#,
        r#"{"kind":"push.v1","subject":"proj_1","owner":"ann","terminal":true}"#,
        r#"{"kind":"catch_up.v1","connection":"abc=","subject":"job_1_a","owner":"ann"}"#,
        r#"{"kind":"subscribed.v1","connection":"abc=","owner":"ann","since":1704110400000}"#,
        r#"{"kind":"beat.v1","connection":"abc="}"#,
    ] {
        assert_unchanged::<LiveMessage>(text);
    }
}

#[tokio::test]
async fn recorded_films_are_written_as_they_were_stored() {
    for version in VERSIONS {
        let objects: Value = serde_json::from_str(&file(version, "objects.json")).unwrap();
        let keys: Vec<&String> =
            objects.as_object().unwrap().keys().filter(|key| key.ends_with("/film.json")).collect();
        assert!(!keys.is_empty(), "version {version}");
        for key in keys {
            let stored: Value = serde_json::from_str(&file(version, &format!("objects/{key}"))).unwrap();
            let answer = stored.clone();
            let (client, calls) = s3(move |_, _| (200, answer.clone()));
            let bucket = FilmBucket::new(client, "bucket");
            let job = JobId::parse(key.split('/').nth(1).unwrap()).unwrap();
            let film = bucket.film(&job).await.unwrap();
            bucket.put_film(&job, &film).await.unwrap();
            let put = calls.all().pop().unwrap();
            assert_eq!(put.operation, format!("PUT /bucket/{key}"));
            assert_eq!(put.headers.get("content-type").map(String::as_str), objects[key]["ContentType"].as_str());
            assert_eq!(serde_json::from_slice::<Value>(&put.raw).unwrap(), stored, "{key}");
        }
    }
}
