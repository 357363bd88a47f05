//! The lists of clip jobs, of all and of each owner, from indexes that hold keys and the status.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use reelhook_app::clips::store::{ClipJobPage, ClipList};
use reelhook_app::store::StoreError;
use reelhook_domain::{ClipJob, ClipJobId, ClipStatus, OwnerId};

use crate::aggregates::AggregateTable;
use crate::clips::item::CLIPS;
use crate::clips::table::ClipTable;
use crate::errors::store_error;
use crate::items::{Item, n, number, s, text};

/// Jobs that are in memory as a whole at once.
const GROUP: usize = 20;
/// Entries of an index that one query for a status looks at.
const LOOKED_AT: usize = 1000;
/// Reads for one page at most: a page with a rare status may be short, and has the cursor of the next one.
const READS: usize = 5;

/// A partition of an index: all jobs, or those of an owner.
struct Partition<'a> {
    index: &'static str,
    attribute: &'static str,
    value: &'a str,
}

#[async_trait]
impl ClipList for ClipTable {
    async fn page(
        &self,
        owner: Option<&OwnerId>,
        status: Option<ClipStatus>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ClipJobPage, StoreError> {
        let partition = Partition::of(owner);
        let mut start = match cursor.map(|cursor| partition.start(cursor)) {
            None => None,
            Some(Some(start)) => Some(start),
            // A cursor that is none of ours finds nothing.
            Some(None) => return Ok(ClipJobPage { jobs: Vec::new(), next: None }),
        };
        // One more than the page has says whether there is another page.
        let wanted = limit.saturating_add(1);
        let mut found: Vec<Item> = Vec::new();
        for _ in 0..READS {
            let query = self.newest(&partition, status, wanted - found.len()).set_exclusive_start_key(start).send();
            let answer = query.await.map_err(|error| store_error("list clip jobs", error))?;
            found.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if found.len() >= wanted || start.is_none() {
                break;
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let last = if more { found.last() } else { start.as_ref() };
        let next = last.and_then(cursor_after);
        Ok(ClipJobPage { jobs: self.listed(&found, status).await?, next })
    }

    fn cursor_after(&self, job: &ClipJob) -> String {
        cursor(job.created_at.millis(), &job.id)
    }

    async fn with_request(&self, owner: Option<&OwnerId>, digest: &str) -> Result<Option<ClipJob>, StoreError> {
        let now = self.items.clock.now();
        let Some(id) = self.items.counters.job_of_request(owner, digest, now).await? else { return Ok(None) };
        let job = self.items.load(&id).await?;
        Ok(job.filter(|job| {
            let is_unsuccessful = matches!(job.status, ClipStatus::Failed | ClipStatus::Canceled);
            !is_unsuccessful && job.deleted_at.is_none() && job.origin.owner.as_ref() == owner
        }))
    }
}

impl ClipTable {
    /// A query of at most `limit` jobs of a partition, the newest first; a status makes it look at more.
    fn newest(&self, partition: &Partition<'_>, status: Option<ClipStatus>, limit: usize) -> QueryFluentBuilder {
        let looked_at = if status.is_some() { LOOKED_AT.max(limit) } else { limit };
        let query = self
            .items
            .query(partition.index, "#partition = :partition", &[(":partition", s(partition.value))])
            .expression_attribute_names("#partition", partition.attribute)
            .scan_index_forward(false)
            .limit(i32::try_from(looked_at).unwrap_or(i32::MAX));
        let Some(status) = status else { return query };
        query
            .filter_expression("#status = :status")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", s(status.name()))
    }

    /// The jobs that entries of an index name, in their order. An index lags behind: a job with another status is left out.
    async fn listed(&self, entries: &[Item], status: Option<ClipStatus>) -> Result<Vec<ClipJob>, StoreError> {
        let ids = AggregateTable::<ClipJob>::ids(entries);
        let mut jobs = Vec::with_capacity(ids.len());
        for group in ids.chunks(GROUP) {
            jobs.extend(self.items.load_all(group).await?);
        }
        jobs.sort_by_key(|job| ids.iter().position(|id| *id == job.id));
        jobs.retain(|job| job.deleted_at.is_none() && status.is_none_or(|status| job.status == status));
        Ok(jobs)
    }
}

impl<'a> Partition<'a> {
    fn of(owner: Option<&'a OwnerId>) -> Self {
        match owner {
            Some(owner) => Self { index: "by-owner", attribute: "owner", value: owner.as_str() },
            None => Self { index: "by-created", attribute: "list", value: CLIPS },
        }
    }

    /// The key in this partition that a cursor names.
    fn start(&self, cursor: &str) -> Option<Item> {
        let (created, id) = cursor.split_once('.')?;
        let (created, id) = (created.parse::<i64>().ok()?, ClipJobId::parse(id).ok()?);
        let key = [(self.attribute, s(self.value)), ("created_at", n(created)), ("id", s(id.as_str()))];
        Some(key.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

/// The cursor after an entry.
fn cursor_after(entry: &Item) -> Option<String> {
    let id = ClipJobId::parse(text(entry, "id")?).ok()?;
    Some(cursor(number(entry, "created_at")?, &id))
}

/// The cursor after a job: `<creation time in milliseconds>.<id as clients know it>`.
fn cursor(created_at: i64, id: &ClipJobId) -> String {
    format!("{created_at}.{}", id.uuid())
}
