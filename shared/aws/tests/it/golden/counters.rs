//! The Counters table: admission, counters, idempotency records, parked callbacks, rate limits and speeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use reelhook_app::idempotency::IdempotencyStore;
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::renders::RenderStore;
use reelhook_app::limits::LeaseStore;
use reelhook_app::outbox::fanout::CountStep;
use reelhook_app::videos::speeds::Speeds;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_domain::{EventId, LogTally, RenderId, Service, SlotRow, Status, Timestamp};
use reelhook_testkit::{NOON, World};
use serde_json::{Value, json};

use super::{VERSIONS, assert_unchanged, holding, number, rows_of, string, written};
use crate::replay::Calls;

fn table(items: &[Value]) -> (CounterTable, Calls) {
    let (client, calls) = holding(items.to_vec());
    (CounterTable::new(client, "Counters"), calls)
}

/// A time that is stored in seconds.
fn seconds(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1000)
}

/// The key of an item with a partition and a sort key.
fn key(item: &Value) -> Value {
    json!({ "pk": item["pk"], "sk": item["sk"] })
}

#[tokio::test]
async fn the_recorded_admission_item_is_written_as_it_was_stored() {
    for version in VERSIONS {
        let stored = rows_of(version, "Counters", "admission");
        let (table, calls) = table(&stored);
        let admission = table.admission().await.unwrap();
        assert!(!admission.first().active.is_empty());
        let row = admission.first().clone();
        table.save_admission(&SlotRow { number: 0, row }).await.unwrap();
        assert_unchanged(&written(&calls), &stored);
    }
}

#[tokio::test]
async fn recorded_idempotency_records_are_written_as_they_were_stored() {
    for version in VERSIONS {
        let stored = rows_of(version, "Counters", "key");
        let (table, calls) = table(&stored);
        for row in &stored {
            let (caller, key) = string(row, "pk").strip_prefix("key#").unwrap().split_once('#').unwrap();
            let record = table.record(caller, key, NOON).await.unwrap().expect("a record");
            assert_eq!(record.answer, string(row, "answer"), "the first answer is repeated byte by byte");
            assert_eq!(table.remember(&record, NOON).await.unwrap(), None);
        }
        assert_unchanged(&written(&calls), &stored);
    }
}

#[tokio::test]
async fn recorded_parked_callbacks_are_written_as_they_were_stored() {
    for version in VERSIONS {
        let stored = rows_of(version, "Counters", "render");
        let (client, calls) = holding(stored.clone());
        let counters = CounterTable::new(client.clone(), "Counters");
        let jobs = JobTable::new(client, "Jobs", counters.clone(), Arc::new(World::default()));
        let table = RenderTable { counters, jobs };
        for row in &stored {
            let render = RenderId::parse(string(row, "pk").strip_prefix("render#").unwrap()).unwrap();
            let callback = table.parked(Service::Creatomate, &render, NOON).await.unwrap().expect("a callback");
            let parked_at = seconds(number(row, "expires_at") - 3600);
            table.park(Service::Creatomate, &render, &callback, parked_at).await.unwrap();
        }
        assert_unchanged(&written(&calls), &stored);
    }
}

#[tokio::test]
async fn recorded_counters_are_read() {
    for version in VERSIONS {
        let stored = rows_of(version, "Counters", "finals");
        let (table, _) = table(&stored);
        let (counts, log) = table.totals().await.unwrap();
        let sum = |name: &str| -> i64 {
            stored.iter().filter(|row| row.get(name).is_some()).map(|row| number(row, name)).sum()
        };
        let names = ["log_info", "log_success", "log_warning", "log_error", "log_bytes", "log_archived"];
        assert_eq!(<[i64; 6]>::from(log), names.map(sum));
        let count = |status: &str| {
            let row = stored.iter().find(|row| string(row, "sk").ends_with(&format!("#{status}")));
            u64::try_from(number(row.expect("a counter"), "count")).unwrap()
        };
        assert_eq!(
            (counts.completed, counts.failed, counts.cancelled),
            (count("completed"), count("failed"), count("cancelled"))
        );
    }
}

#[tokio::test]
async fn a_count_goes_to_the_recorded_rows_and_its_marker_is_as_it_was_stored() {
    for version in VERSIONS {
        let markers = rows_of(version, "Counters", "counted");
        let rows: BTreeMap<String, Value> = rows_of(version, "Counters", "finals")
            .into_iter()
            .map(|row| (string(&row, "sk").to_owned(), row))
            .collect();
        let day = rows.keys().next().and_then(|row| row.split_once('#')).expect("a day and a status").0;
        let (table, calls) = table(&[]);
        for marker in &markers {
            let step = CountStep {
                id: EventId::parse(string(marker, "pk").strip_prefix("counted#").unwrap()).unwrap(),
                day: day.to_owned(),
                status: Some((Status::Completed, true)),
                log: LogTally { info: 1, success: 2, bytes: 3, archived: 1, ..LogTally::default() },
            };
            let at = seconds(number(marker, "expires_at") - 3 * 86_400);
            table.count(&[step], at).await.remove(0).unwrap();
        }
        assert_unchanged(&written(&calls), &markers);
        for call in calls.all() {
            for (index, row) in [(1, "completed"), (2, "archived")] {
                let stored = &rows[&format!("{day}#{row}")];
                assert_eq!(*call.at(&format!("/TransactItems/{index}/Update/Key")), key(stored));
                let names = call.at(&format!("/TransactItems/{index}/Update/ExpressionAttributeNames"));
                for name in names.as_object().unwrap().values() {
                    assert!(stored.get(name.as_str().unwrap()).is_some(), "no attribute {name} in {stored}");
                }
            }
        }
    }
}

#[tokio::test]
async fn calls_are_counted_in_the_recorded_rows() {
    for version in VERSIONS {
        for row in rows_of(version, "Counters", "rate") {
            let (table, calls) = table(&[]);
            let caller = string(&row, "pk").strip_prefix("rate#").unwrap();
            table.lease(caller, string(&row, "sk").parse().unwrap(), 5, 100).await.unwrap();
            let call = calls.only();
            assert_eq!(*call.at("/Key"), key(&row));
            assert_eq!(*call.at("/ExpressionAttributeValues/:expires"), row["expires_at"]);
            assert_eq!(*call.at("/ExpressionAttributeNames"), json!({ "#count": "count" }));
        }
    }
}

#[tokio::test]
async fn recorded_speeds_are_read_and_averaged() {
    for version in VERSIONS {
        for row in rows_of(version, "Counters", "speed") {
            let (table, calls) = table(std::slice::from_ref(&row));
            let quality = string(&row, "sk");
            let stored: f64 = row["frames_per_second"]["N"].as_str().unwrap().parse().unwrap();
            assert_eq!(table.speed(quality).await.unwrap(), Some(stored));
            table.note(quality, 30, 1.0).await.unwrap();
            let update = calls.all().pop().unwrap();
            assert_eq!(*update.at("/Key"), key(&row));
            assert_eq!(*update.at("/UpdateExpression"), json!("SET frames_per_second = :next"));
        }
    }
}
