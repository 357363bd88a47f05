//! Registrations, and the states of endpoints.

use reelhook_app::webhooks::endpoints::registrations::{RegistrationStore, StateChange};
use reelhook_app::webhooks::endpoints::{EndpointStateStore, Format};
use reelhook_app::webhooks::subscriptions::Subscribers;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_domain::{EndpointId, EndpointState, Timestamp};
use serde_json::{Map, Value, json};

use super::{VERSIONS, assert_unchanged, content, holding, rows_of, string, written};
use crate::replay::dynamodb;

#[tokio::test]
async fn recorded_registrations_are_written_as_they_were_stored() {
    for version in VERSIONS {
        let stored = rows_of(version, "Endpoints", "registration");
        let (client, calls) = holding(stored.clone());
        let table = RegistrationTable::new(EndpointTable::new(client, "Endpoints"));
        for row in &stored {
            let id = EndpointId::parse(string(row, "id").strip_prefix("registration#").unwrap()).unwrap();
            let registration = table.registration(&id).await.unwrap().expect("a registration");
            table.save_registration(&registration, StateChange::Keep).await.unwrap();
        }
        assert_unchanged(&written(&calls), &stored);
    }
}

#[tokio::test]
async fn recorded_registrations_keep_the_envelope() {
    for version in VERSIONS {
        for row in rows_of(version, "Endpoints", "registration") {
            let (client, _) = holding(vec![row.clone()]);
            let table = RegistrationTable::new(EndpointTable::new(client, "Endpoints"));
            let id = EndpointId::parse(string(&row, "id").strip_prefix("registration#").unwrap()).unwrap();
            let registration = table.registration(&id).await.unwrap().expect("a registration");
            assert_eq!(registration.choices.form.format, Format::StreamGank, "version {version}");
        }
    }
}

#[tokio::test]
async fn the_list_of_recorded_registrations_is_read() {
    for version in VERSIONS {
        let stored = rows_of(version, "Endpoints", "registration");
        let items = stored.clone();
        let (client, _) = dynamodb(move |_, _| (200, json!({ "Items": items })));
        let subscribers = RegistrationTable::new(EndpointTable::new(client, "Endpoints")).subscribers().await.unwrap();
        assert_eq!(subscribers.len(), stored.len());
        for (subscriber, row) in subscribers.iter().zip(&stored) {
            let body = content(row, "body");
            assert_eq!(json!(subscriber.id), body["id"]);
            assert_eq!(json!(subscriber.since), body["created_at"]);
            assert_eq!(json!(subscriber.events), body["choices"]["events"]);
        }
    }
}

/// The attributes of a state that was read, under the names under which they are stored.
fn attributes(id: &EndpointId, state: &EndpointState) -> Value {
    let mut item = Map::new();
    item.insert("id".to_owned(), json!({ "S": id.as_str() }));
    let mut set = |name: &str, value: Option<i64>| {
        if let Some(value) = value {
            item.insert(name.to_owned(), json!({ "N": value.to_string() }));
        }
    };
    let count = |number: u64| i64::try_from(number).ok().filter(|number| *number > 0);
    let time = |at: Option<Timestamp>| at.map(Timestamp::millis);
    set("revision", count(state.revision));
    set("registration", state.registration.and_then(count));
    set("removed_at", time(state.removed_at));
    set("disabled_at", time(state.disabled_at));
    set("told", state.disable_notified.then_some(1));
    set("window_index", Some(state.window.index).filter(|index| *index > 0));
    set("window_used", count(u64::from(state.window.used)));
    set("paused_until", time(state.paused_until));
    set("failures", count(state.failures));
    set("failing_since", time(state.failing_since));
    set("told_failing", time(state.outage_notified_since));
    set("warned", state.warned.and_then(|level| count(u64::from(level.percent()))));
    set("circuit_until", time(state.circuit.until));
    set("probes", count(u64::from(state.circuit.failed_probes)));
    set("candidate", time(state.circuit.candidate));
    set("width", state.concurrency.limit.map(i64::from));
    set("line", time(state.concurrency.queue_end));
    set("latency_ms", count(state.latency_ms));
    set("success_permille", state.success_permille.map(i64::from));
    if let Some(reason) = &state.disabled_reason {
        item.insert("disabled_reason".to_owned(), json!({ "S": reason }));
    }
    for slot in &state.concurrency.slots {
        let text = format!("{} {}", slot.attempts, slot.until.millis());
        item.insert(format!("slot_{:x}", slot.holder), json!({ "S": text }));
    }
    Value::Object(item)
}

#[tokio::test]
async fn every_attribute_of_the_recorded_states_is_read() {
    for version in VERSIONS {
        for mut row in rows_of(version, "Endpoints", "endpoint") {
            let (client, _) = holding(vec![row.clone()]);
            let id = EndpointId::parse(string(&row, "id")).unwrap();
            let state = EndpointTable::new(client, "Endpoints").endpoint(&id).await.unwrap();
            // Only DynamoDB uses the expiry.
            row.as_object_mut().unwrap().shift_remove("expires_at");
            assert_eq!(attributes(&id, &state), row, "version {version}");
        }
    }
}
