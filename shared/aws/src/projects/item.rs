//! A project as an item of the Projects table: its stored form, its outbox, and the attributes of the indexes.

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::retention::Days;
use reelhook_app::store::StoreError;
use reelhook_domain::projects::project::Project;
use reelhook_domain::{ProjectId, Timestamp};

use crate::aggregates::{Operations, Stored, due_key};
use crate::items::packed::{item_of, read_item};
use crate::items::{Item, n, s, ttl};
use crate::projects::stored_project::StoredProject;

/// The number of days for which the tombstone of a deleted project is kept: as long as its look-ups, and longer than links
/// to its files. Until then its id, which a client may have chosen, makes no other project: old links, tokens and names at
/// services would mean that one.
const TOMBSTONE_DAYS: i64 = 60;
/// The partition of all projects in the index by creation time.
pub(super) const PROJECTS: &str = "projects";
/// The partition of the projects with a scene that waits for a slot.
pub(super) const WAITING: &str = "waiting";

impl Stored for Project {
    const OPERATIONS: Operations = Operations {
        load: "load project",
        load_all: "load projects",
        save: "save project",
        insert: "insert project",
        insert_with_key: "insert project with key",
        claim: "claim scene",
        due: "find due projects",
    };

    const CHOSEN_IDS: bool = true;

    fn parse_id(text: &str) -> Option<ProjectId> {
        ProjectId::parse(text).ok()
    }

    fn to_item(&self, write_id: &str, kept: Days) -> Item {
        to_item(self, write_id, kept)
    }

    fn from_item(operation: &'static str, item: &Item) -> Result<Self, StoreError> {
        from_item(operation, item)
    }
}

/// The item of a project: the stored form and the outbox, and the attributes of the indexes. It is kept for so long after its
/// end.
pub fn to_item(project: &Project, write_id: &str, kept: Days) -> Item {
    let mut item = item_of(project, &StoredProject::from(project), write_id);
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    // The due sweep also cancels what a deletion had no room for.
    if let Some(due) = project.due_at {
        for (name, value) in due_key(project.id.as_str(), due) {
            set(name, value);
        }
    }
    if project.deleted_at.is_some() {
        set("expires_at", ttl(project.updated_at, TOMBSTONE_DAYS));
        return item;
    }
    set("list", s(PROJECTS));
    set("created_at", n(project.created_at.millis()));
    if let Some(owner) = &project.origin.owner {
        set("owner", s(owner.as_str()));
    }
    if let Some(since) = project.waits_for_slot_since() {
        set("waiting", s(WAITING));
        set("served_at", s(waiting_rank(since)));
    }
    if project.status().is_final() {
        set("expires_at", ttl(project.updated_at, kept.count()));
    }
    item
}

/// The sort key of projects that wait for slots.
pub(super) fn waiting_rank(since: Timestamp) -> String {
    format!("{:014}", since.millis().max(0))
}

/// Reads a project from its item.
///
/// # Errors
/// [`StoreError::Unreadable`] names the unreadable attribute.
pub fn from_item(operation: &'static str, item: &Item) -> Result<Project, StoreError> {
    let (form, outbox) = read_item::<StoredProject>(operation, item)?;
    Ok(Project { outbox, ..form.into() })
}
