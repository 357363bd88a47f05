//! A job as an item of the Jobs table: its stored form, its outbox, and the attributes of the indexes.

mod billing;

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::retention::Days;
use reelhook_app::store::StoreError;
use reelhook_domain::{Effect, Job, JobId, JobKind, Status, Usage};

use crate::aggregates::{Operations, Stored, due_key};
use crate::items::packed::{as_texts, item_of, read_item};
use crate::items::{Item, SCHEMA, SCHEMA_WITH_HISTORY, n, read, s, ttl};
use crate::jobs::active;
use crate::jobs::stored_job::StoredJob;

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

    fn to_item(&self, write_id: &str, kept: Days) -> Item {
        to_item(self, write_id, kept)
    }

    fn to_older_item(&self, write_id: &str, kept: Days) -> Item {
        let older = as_older(self);
        let mut item = as_texts(to_item(&older, write_id, kept));
        let schema = if older.history.is_some() { SCHEMA_WITH_HISTORY } else { SCHEMA };
        item.insert("schema".to_owned(), n(schema));
        if let (Some(rank), Some((_, older))) = (item.get_mut("active_rank"), active::older_key(self)) {
            *rank = s(older);
        }
        if self.deleted_at.is_none() {
            // Jobs under way were listed by status, and all that were due stood in `by-due`.
            let listed = [
                ("status_month", s(status_month(self.kind, self.status, &self.created_at.day()))),
                ("created_at", n(self.created_at.millis())),
            ];
            let due = self.due_at.map(|due| due_key(self.id.as_str(), due));
            item.extend(
                listed.into_iter().chain(due.into_iter().flatten()).map(|(name, value)| (name.to_owned(), value)),
            );
        }
        item
    }

    fn from_item(operation: &'static str, item: &Item) -> Result<Self, StoreError> {
        from_item(operation, item)
    }

    fn bill(&self, item: &mut Item, times: u64) {
        billing::bill(self, item, times);
    }
}

/// The job as versions before 0.3 have it: without a history, unless there is something in it that was not packed. Each of
/// its lines becomes a row, and no effect is one that they do not know.
fn as_older(job: &Job) -> Job {
    let mut job = job.clone();
    if job.history.as_ref().is_some_and(|history| history.unpacked().is_empty()) {
        job.history = None;
        job.outbox.retain(|effect| *effect != Effect::PackHistory);
    }
    job
}

/// The name of a kind of jobs in the indexes.
pub(crate) fn family(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Workflow => "streamgank",
        JobKind::Video => "vidbuilder",
    }
}

/// The item of a job: the stored form and the outbox, and the attributes of the indexes. It is kept for so long after the
/// job's end.
pub fn to_item(job: &Job, write_id: &str, kept: Days) -> Item {
    let mut item = item_of(job, &StoredJob::from(job), write_id);
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    if job.deleted_at.is_some() {
        set("expires_at", ttl(job.updated_at, TOMBSTONE_DAYS));
        return item;
    }
    if let Some((partition, rank)) = active::key(job) {
        set("active", s(partition));
        set("active_rank", s(rank));
    }
    // It stays after the render has ended: removing it costs more than keeping it, and late callbacks find their job.
    if let Some(render) = job.render_id() {
        set("render_id", s(render.as_str()));
    }
    if let Some(owner) = &job.origin.owner {
        set("owner", s(owner.as_str()));
        set("created_at", n(job.created_at.millis()));
    }
    if job.status.is_final() {
        set("status_month", s(status_month(job.kind, job.status, &job.created_at.day())));
        set("created_at", n(job.created_at.millis()));
        set("expires_at", ttl(job.updated_at, kept.count()));
    }
    item
}

/// The partition of ended jobs in the index by status. It has the jobs of a month, so that a list needs few reads
/// (docs/adr/0012), and of one family, so that the list of a family reads no other jobs.
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
    let (form, outbox) = read_item::<StoredJob<'_>>(operation, item)?;
    let mut job = Job { outbox, ..form.into() };
    if item.contains_key(billing::ATTRIBUTE) {
        let usage = read::<Usage>(operation, item, billing::ATTRIBUTE)?;
        job.ledger.usage = Some(Usage { footprint: billing::footprint(item), ..usage });
    }
    Ok(job)
}
