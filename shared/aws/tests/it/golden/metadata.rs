//! Metadata, which the recordings do not have: recorded jobs, registrations and recoveries with it are read, and written
//! again as they are stored.

use std::sync::Arc;

use reelhook_app::change::AggregateStore;
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_app::webhooks::endpoints::registrations::{RegistrationStore, StateChange};
use reelhook_app::webhooks::recover::RecoveryStore;
use reelhook_app::webhooks::recovery::RecoveryId;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_domain::{EndpointId, JobId, Metadata};
use reelhook_testkit::World;
use serde_json::{Value, json};

use super::{as_now, assert_unchanged, content, holding, rows_of, string, written};
use crate::opened::opened;

/// The newest recorded version.
const VERSION: &str = "0.2.0";

fn order() -> Value {
    json!({ "order": "42", "shop": "Café 🎬" })
}

fn expected() -> Metadata {
    Metadata::parse(&order()).unwrap()
}

/// Recorded rows of a kind, with metadata at this place in their bodies.
fn with_metadata(table: &str, kind: &str, place: &str) -> Vec<Value> {
    let mut rows = rows_of(VERSION, table, kind);
    for row in &mut rows {
        let mut body = content(row, "body");
        body.pointer_mut(place).expect("a place")["metadata"] = order();
        row["body"] = json!({ "S": body.to_string() });
    }
    rows
}

#[tokio::test]
async fn jobs_keep_their_metadata() {
    let stored = with_metadata("Jobs", "job", "");
    let (client, calls) = holding(stored.clone());
    let counters = CounterTable::new(client.clone(), "Counters");
    let table = JobTable::new(client, "Jobs", counters, Arc::new(World::default()));
    for row in &stored {
        let job = table.load(&JobId::parse(string(row, "id")).unwrap()).await.unwrap().expect("a job");
        assert_eq!(job.request.metadata, expected());
        table.insert(&job).await.unwrap();
    }
    let written: Vec<Value> = written(&calls).iter().map(opened).collect();
    assert_unchanged(&written, &stored.into_iter().map(as_now).collect::<Vec<_>>());
}

#[tokio::test]
async fn registrations_keep_their_metadata() {
    let stored = with_metadata("Endpoints", "registration", "/choices");
    let (client, calls) = holding(stored.clone());
    let table = RegistrationTable::new(EndpointTable::new(client, "Endpoints"));
    for row in &stored {
        let id = EndpointId::parse(string(row, "id").strip_prefix("registration#").unwrap()).unwrap();
        let registration = table.registration(&id).await.unwrap().expect("a registration");
        assert_eq!(registration.choices.metadata, expected());
        table.save_registration(&registration, StateChange::Keep).await.unwrap();
    }
    assert_unchanged(&written(&calls), &stored);
}

#[tokio::test]
async fn recoveries_keep_their_metadata() {
    let stored = with_metadata("Deliveries", "recovery", "");
    let (client, calls) = holding(stored.clone());
    let table = DeliveryTable::new(client, "Deliveries");
    for row in &stored {
        let id = RecoveryId::parse(string(row, "pk").strip_prefix("recovery#").unwrap()).expect("an id");
        let recovery = table.recovery(&id).await.unwrap().expect("a recovery");
        assert_eq!(recovery.origin.metadata, expected());
        assert!(table.insert(&recovery).await.unwrap());
    }
    assert_unchanged(&written(&calls), &stored);
}
