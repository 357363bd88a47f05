//! A job as an item of the Jobs table: its stored form, its outbox, and the attributes of the indexes.

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::outbox::sweep::shard;
use reelhook_app::store::StoreError;
use reelhook_domain::{Effect, Job, JobId, JobKind, Status};

use crate::aggregates::{Operations, Stored};
use crate::items::{Item, SCHEMA, json, n, read, s, ttl};
use crate::jobs::active;
use crate::jobs::stored_job::StoredJob;

/// The number of days for which ended jobs are kept.
const RETENTION_DAYS: i64 = 30;
/// The number of days for which the tombstone of a deleted job is kept: longer than records of the stream.
const TOMBSTONE_DAYS: i64 = 3;

impl Stored for Job {
    const OPERATIONS: Operations = Operations {
        load: "load job",
        load_all: "load jobs",
        save: "save job",
        insert: "insert job",
        insert_with_key: "insert job with key",
        claim: "claim job",
        due: "find due jobs",
    };

    const CHOSEN_IDS: bool = false;

    fn parse_id(text: &str) -> Option<JobId> {
        JobId::parse(text).ok()
    }

    fn to_item(&self, write_id: &str) -> Item {
        to_item(self, write_id)
    }

    fn from_item(operation: &'static str, item: &Item) -> Result<Self, StoreError> {
        from_item(operation, item)
    }
}

/// The name of a kind of jobs in the indexes.
pub(crate) fn family(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Workflow => "streamgank",
        JobKind::Video => "vidbuilder",
    }
}

/// The item of a job: the stored form and the outbox as JSON texts, and the attributes of the indexes.
pub fn to_item(job: &Job, write_id: &str) -> Item {
    let mut item: Item = [
        ("id", s(job.id.as_str())),
        ("version", n(job.version)),
        ("schema", n(SCHEMA)),
        ("write_id", s(write_id)),
        ("status", s(job.status.name())),
        ("created_at", n(job.created_at.millis())),
        ("body", json(&StoredJob::from(job))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    if !job.outbox.is_empty() {
        set("outbox", json(&job.outbox));
    }
    if job.deleted_at.is_some() {
        set("expires_at", ttl(job.updated_at, TOMBSTONE_DAYS));
        return item;
    }
    if let Some(owner) = &job.origin.owner {
        set("owner", s(owner.as_str()));
    }
    set("status_month", s(status_month(job.kind, job.status, &job.created_at.day())));
    if let Some(render) = job.render_id() {
        set("render_id", s(render.as_str()));
    }
    if let Some(due) = job.due_at {
        set("due_shard", s(format!("due#{}", shard(job.id.as_str()))));
        set("due_at", n(due.millis()));
    }
    if job.status.is_final() {
        set("expires_at", ttl(job.updated_at, RETENTION_DAYS));
    } else {
        for (name, key) in active::keys(job) {
            set(name, key);
        }
    }
    item
}

/// The partition of the index by status. It has the jobs of a month, so that a list needs few reads (docs/adr/0012), and of
/// one family, so that the list of a family reads no other jobs.
pub(crate) fn status_month(family: JobKind, status: Status, day: &str) -> String {
    let month = day.get(..7).unwrap_or(day);
    match family {
        JobKind::Workflow => format!("{}#{month}", status.name()),
        JobKind::Video => format!("{}.{}#{month}", self::family(family), status.name()),
    }
}

/// Reads a job from its item.
///
/// # Errors
/// [`StoreError::Unreadable`] names the unreadable attribute.
pub fn from_item(operation: &'static str, item: &Item) -> Result<Job, StoreError> {
    let mut job = Job::from(read::<StoredJob>(operation, item, "body")?);
    if item.contains_key("outbox") {
        job.outbox = read::<Vec<Effect>>(operation, item, "outbox")?;
    }
    Ok(job)
}
