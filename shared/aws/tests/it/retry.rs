//! Unprocessed keys and transaction conflicts are retried after a wait, a limited number of times.

use std::sync::Arc;

use reelhook_app::jobs::queue::QueueStore;
use reelhook_app::outbox::fanout::FanoutStore;
use reelhook_app::webhooks::deliver::DeliveryRows;
use reelhook_app::webhooks::endpoints::EndpointStateStore;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::events::{FanoutTables, JobEventTable};
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_domain::{DeliveryId, EndpointId, EventId, JobId, Subject};
use reelhook_testkit::{NOON, World};
use serde_json::json;

use crate::replay::{Answer, Call, Calls, Waits, error, kind, ok, waiting_dynamodb};

/// Attempts at a retried call.
const ATTEMPTS: usize = 10;

/// The tables with their calls and waits.
struct Tables {
    fanout: FanoutTables,
    deliveries: DeliveryTable,
    endpoints: EndpointTable,
    jobs: JobTable,
    calls: Calls,
    waits: Waits,
}

fn tables(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> Tables {
    let (client, calls, waits) = waiting_dynamodb(script);
    let counters = CounterTable::new(client.clone(), "Counters");
    Tables {
        fanout: FanoutTables {
            log: JobEventTable::new(client.clone(), "JobEvents"),
            deliveries: DeliveryTable::new(client.clone(), "Deliveries"),
            counters: counters.clone(),
            now: || NOON,
        },
        deliveries: DeliveryTable::new(client.clone(), "Deliveries"),
        endpoints: EndpointTable::new(client.clone(), "Endpoints"),
        jobs: JobTable::new(client, "Jobs", counters, Arc::new(World::default())),
        calls,
        waits,
    }
}

fn hint() -> (DeliveryId, EventId) {
    let event = EventId::parse("job_1.7.2").unwrap();
    (DeliveryId::of(&event, &EndpointId::parse("ep_1").unwrap()), event)
}

/// All requested keys, unprocessed.
fn nothing_processed(call: &Call) -> Answer {
    let left = call.at("/RequestItems").clone();
    let name = if call.operation == "BatchGetItem" { "UnprocessedKeys" } else { "UnprocessedItems" };
    (200, json!({ "Responses": {}, name: left }))
}

#[tokio::test]
async fn unprocessed_keys_and_rows_are_retried() {
    for left in [0, 1, 3] {
        let script = move |call: &Call, before: usize| if before < left { nothing_processed(call) } else { ok() };
        let of = tables(script);
        of.deliveries.load(&[hint()], &[]).await.unwrap();
        assert_eq!((of.calls.all().len(), of.waits.count()), (left + 1, left), "deliveries");
        let of = tables(script);
        of.jobs.load_all(&[JobId::parse("job_1").unwrap()]).await.unwrap();
        assert_eq!((of.calls.all().len(), of.waits.count()), (left + 1, left), "jobs");
    }
}

#[tokio::test]
async fn a_log_whose_rows_stay_is_removed_after_a_wait_or_later() {
    let row = || json!({ "job_id": { "S": "job_1" }, "seq": { "S": "0000000001.00" } });
    let script = move |stuck: usize| {
        move |call: &Call, before: usize| match call.operation.as_str() {
            "Query" if before == 0 => (200, json!({ "Items": [row()] })),
            "BatchWriteItem" if before <= stuck => nothing_processed(call),
            _ => ok(),
        }
    };
    let of = tables(script(2));
    of.fanout.remove_logs(&Subject::parse("job_1").unwrap()).await.unwrap();
    let expected = ["Query", "BatchWriteItem", "BatchWriteItem", "BatchWriteItem", "Query"];
    assert_eq!((of.calls.operations(), of.waits.count()), (expected.map(str::to_owned).to_vec(), 2));
    let of = tables(script(usize::MAX));
    assert_eq!(kind(&of.fanout.remove_logs(&Subject::parse("job_1").unwrap()).await.unwrap_err()), "busy");
    assert_eq!((of.calls.all().len(), of.waits.count()), (1 + ATTEMPTS, ATTEMPTS - 1));
}

#[tokio::test]
async fn what_is_noted_of_an_endpoint_waits_for_a_transaction_at_its_row() {
    for conflicts in [0, 1, 4] {
        let of = tables(move |_, before| if before < conflicts { error("TransactionConflictException") } else { ok() });
        of.endpoints.enable(&EndpointId::parse("ep_1").unwrap()).await.unwrap();
        assert_eq!((of.calls.all().len(), of.waits.count()), (conflicts + 1, conflicts));
    }
    let of = tables(|_, _| error("TransactionConflictException"));
    let failure = of.endpoints.enable(&EndpointId::parse("ep_1").unwrap()).await.unwrap_err();
    assert_eq!((kind(&failure), of.calls.all().len()), ("busy", ATTEMPTS));
}
