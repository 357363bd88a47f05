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
use serde_json::json;

use super::{VERSIONS, assert_unchanged, holding, rows_of, string, written};
use crate::replay::dynamodb;

#[tokio::test]
async fn recorded_jobs_are_written_as_they_were_stored() {
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
        assert_eq!(statuses, BTreeSet::from(Status::ALL), "version {version}");
        assert_unchanged(&written(&calls), &stored);
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
