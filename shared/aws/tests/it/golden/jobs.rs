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

use super::{VERSIONS, assert_unchanged, content, holding, rows_of, string, written};
use crate::replay::dynamodb;

/// An attribute of recorded jobs that this version writes in another form.
struct Exception {
    version: &'static str,
    /// The stored name of the jobs' family.
    dialect: &'static str,
    attribute: &'static str,
    /// What its stored values begin with.
    begins: &'static str,
    reason: &'static str,
}

const EXCEPTIONS: [Exception; 5] = [
    Exception {
        version: "0.1.0",
        dialect: "vidbuilder",
        attribute: "status_month",
        begins: "",
        reason: "version 0.1.0 wrote the jobs of every family where those of StreamGank are (ADR 12)",
    },
    rank_without_lane("0.1.0", "streamgank"),
    rank_without_lane("0.1.0", "vidbuilder"),
    rank_without_lane("0.2.0", "streamgank"),
    rank_without_lane("0.2.0", "vidbuilder"),
];

const fn rank_without_lane(version: &'static str, dialect: &'static str) -> Exception {
    let reason = "waiting jobs of a caller had no lane, and get it with their next version (ADR 54)";
    Exception { version, dialect, attribute: "active_rank", begins: "pending#", reason }
}

/// Removes the attributes with an exception from what was written and from what was stored.
pub(super) fn remove_exceptions(version: &str, written: &mut [Value], stored: &mut [Value]) {
    for exception in EXCEPTIONS.iter().filter(|exception| exception.version == version) {
        let Exception { dialect, attribute, begins, reason, .. } = exception;
        let mut count = 0;
        for (written, stored) in written.iter_mut().zip(&mut *stored) {
            let value = stored[*attribute]["S"].as_str();
            if content(stored, "body")["dialect"] != *dialect || !value.is_some_and(|value| value.starts_with(begins)) {
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
async fn recorded_jobs_are_written_as_they_were_stored() {
    for version in VERSIONS {
        let mut stored = rows_of(version, "Jobs", "job");
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
        let mut written = written(&calls);
        remove_exceptions(version, &mut written, &mut stored);
        assert_unchanged(&written, &stored);
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
