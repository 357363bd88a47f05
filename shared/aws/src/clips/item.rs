//! A clip job as an item of the Clips table: its stored form, its outbox, and the attributes of the indexes.

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::retention::Days;
use reelhook_app::store::StoreError;
use reelhook_domain::{ClipJob, ClipJobId};

use crate::aggregates::{Operations, Stored, due_key};
use crate::clips::stored_clip_job::StoredClipJob;
use crate::items::packed::{item_of, read_item};
use crate::items::{Item, n, s, ttl};

/// The number of days for which the tombstone of a deleted job is kept: longer than records of the stream.
const TOMBSTONE_DAYS: i64 = 3;
/// The partition of all clip jobs in the index by creation time.
pub(super) const CLIPS: &str = "clips";

impl Stored for ClipJob {
    const OPERATIONS: Operations = Operations {
        load: "load clip job",
        load_all: "load clip jobs",
        save: "save clip job",
        insert: "insert clip job",
        insert_with_key: "insert clip job with key",
        claim: "claim clip job",
        due: "find due clip jobs",
    };

    const CHOSEN_IDS: bool = false;

    fn parse_id(text: &str) -> Option<ClipJobId> {
        ClipJobId::parse(text).ok()
    }

    fn to_item(&self, write_id: &str, kept: Days) -> Item {
        to_item(self, write_id, kept)
    }

    fn from_item(operation: &'static str, item: &Item) -> Result<Self, StoreError> {
        from_item(operation, item)
    }
}

/// The item of a clip job: the stored form and the outbox, and the attributes of the indexes. It is kept for so long after its
/// end.
pub fn to_item(job: &ClipJob, write_id: &str, kept: Days) -> Item {
    let mut item = item_of(job, &StoredClipJob::from(job), write_id);
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    if job.deleted_at.is_some() {
        set("expires_at", ttl(job.updated_at, TOMBSTONE_DAYS));
        return item;
    }
    set("list", s(CLIPS));
    set("created_at", n(job.created_at.millis()));
    set("status", s(job.status.name()));
    if let Some(owner) = &job.origin.owner {
        set("owner", s(owner.as_str()));
    }
    if let Some(due) = job.due_at {
        for (name, value) in due_key(job.id.as_str(), due) {
            set(name, value);
        }
    }
    if job.status.is_final() {
        set("expires_at", ttl(job.updated_at, kept.count()));
    }
    item
}

/// Reads a clip job from its item.
///
/// # Errors
/// [`StoreError::Unreadable`] names the unreadable attribute.
pub fn from_item(operation: &'static str, item: &Item) -> Result<ClipJob, StoreError> {
    let (form, outbox) = read_item::<StoredClipJob>(operation, item)?;
    Ok(ClipJob { outbox, ..form.into() })
}
