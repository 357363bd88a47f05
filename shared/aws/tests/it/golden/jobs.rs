//! Jobs and movies.

use std::collections::BTreeSet;
use std::sync::Arc;

use reelhook_app::catalog::CatalogStore;
use reelhook_app::change::AggregateStore;
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_aws::catalog::CatalogTable;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_domain::{JobId, Status};
use reelhook_testkit::World;
use serde_json::{Value, json};

use super::{VERSIONS, as_now, assert_unchanged, content, holding, rows_of, string, written};
use crate::opened::opened;
use crate::replay::dynamodb;

/// An attribute of recorded jobs that this version writes in another form.
struct Exception {
    version: &'static str,
    /// The stored name of the jobs' family.
    dialect: &'static str,
    attribute: &'static str,
    reason: &'static str,
}

const EXCEPTIONS: [Exception; 1] = [Exception {
    version: "0.1.0",
    dialect: "vidbuilder",
    attribute: "status_month",
    reason: "version 0.1.0 wrote the jobs of every family where those of StreamGank are (ADR 12)",
}];

/// Removes the attributes with an exception from what was written and from what was stored.
fn remove_exceptions(version: &str, written: &mut [Value], stored: &mut [Value]) {
    for exception in EXCEPTIONS.iter().filter(|exception| exception.version == version) {
        let Exception { dialect, attribute, reason, .. } = exception;
        let mut count = 0;
        for (written, stored) in written.iter_mut().zip(&mut *stored) {
            if content(stored, "body")["dialect"] != *dialect || stored.get(*attribute).is_none() {
                continue;
            }
            count += 1;
            let removed = [written, stored].map(|item| item.as_object_mut().expect("an item").shift_remove(*attribute));
            assert_ne!(removed[0], removed[1], "the exception is not needed: {reason}");
        }
        assert!(count > 0, "the exception is not needed: {reason}");
    }
}

#[tokio::test]
async fn recorded_jobs_are_written_with_the_texts_that_they_were_stored_with() {
    for version in VERSIONS {
        let stored = rows_of(version, "Jobs", "job");
        let (client, calls) = holding(stored.clone());
        let counters = CounterTable::new(client.clone(), "Counters");
        let table = JobTable::new(client, "Jobs", counters, Arc::new(World::default()));
        let mut statuses = BTreeSet::new();
        for row in &stored {
            let id = JobId::parse(string(row, "id")).unwrap();
            let job = table.load(&id).await.unwrap().expect("a job");
            assert_eq!(job.id, id);
            statuses.insert(job.status);
            table.insert(&job).await.unwrap();
        }
        assert_eq!(statuses, Status::ALL.iter().copied().collect::<BTreeSet<_>>(), "version {version}");
        // Written in the form of this version, and compared as texts.
        let mut written: Vec<Value> = written(&calls).iter().map(opened).collect();
        let mut stored: Vec<Value> = stored.into_iter().map(as_now).collect();
        remove_exceptions(version, &mut written, &mut stored);
        assert_unchanged(&written, &stored);
    }
}

/// The bytes of an item as DynamoDB counts them, rounded up.
fn size(item: &Value) -> usize {
    let attribute = |(name, value): (&String, &Value)| {
        // Base64 has four characters for three bytes.
        let bytes = value["B"].as_str().map(|base64| base64.len() / 4 * 3);
        name.len() + bytes.or(value["S"].as_str().or(value["N"].as_str()).map(str::len)).expect("a known type")
    };
    item.as_object().expect("an item").iter().map(attribute).sum()
}

#[tokio::test]
async fn each_recorded_job_takes_one_write_unit() {
    for version in VERSIONS {
        let stored = rows_of(version, "Jobs", "job");
        let (client, calls) = holding(stored.clone());
        let counters = CounterTable::new(client.clone(), "Counters");
        let table = JobTable::new(client, "Jobs", counters, Arc::new(World::default()));
        for row in &stored {
            let job = table.load(&JobId::parse(string(row, "id")).unwrap()).await.unwrap().expect("a job");
            table.insert(&job).await.unwrap();
        }
        let sizes: Vec<(usize, usize)> = stored.iter().map(size).zip(written(&calls).iter().map(size)).collect();
        let [before, now] = [sizes.iter().map(|(before, _)| *before).max(), sizes.iter().map(|(_, now)| *now).max()];
        assert!(now <= Some(1024), "the largest item had {before:?} bytes and has {now:?}");
    }
}

#[tokio::test]
async fn recorded_movies_are_read() {
    for version in VERSIONS {
        let stored = rows_of(version, "Catalog", "movie");
        let count = stored.len();
        let (client, _) = dynamodb(move |_, _| (200, json!({ "Items": stored })));
        let movies = CatalogTable::new(client, "Catalog").best("US", None, count).await.unwrap();
        assert_eq!(movies.len(), count);
        assert!(movies.iter().all(|movie| movie.id > 0 && !movie.title.is_empty()));
    }
}
