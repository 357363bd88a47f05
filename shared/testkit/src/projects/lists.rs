//! The lists of projects and their creation, with the conditions that DynamoDB would check.

use std::cmp::Reverse;

use async_trait::async_trait;
use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_app::outbox::sweep::{DueIndex, PER_SHARD, shard};
use reelhook_app::projects::store::{NewProjects, ProjectList, ProjectPage};
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::projects::project::Project;
use reelhook_domain::{ProjectId, Timestamp};

use super::table::MemoryProjects;

#[async_trait]
impl IdempotencyStore for MemoryProjects {
    async fn record(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.enter("record").await;
        let done = self.faults.check("record")?;
        let known = self.state().records.get(&(caller.to_owned(), key.to_owned())).cloned();
        done.answer(known.filter(|known| known.expires_at > now))
    }

    async fn remember(
        &self,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.enter("remember_key").await;
        let done = self.faults.check("remember_key")?;
        let mut state = self.state();
        let known = state.known_record(record, now);
        if known.is_none() {
            state.keep_record(record);
        }
        done.answer(known)
    }
}

#[async_trait]
impl NewProjects for MemoryProjects {
    async fn insert(&self, project: &Project) -> Result<Saved<Project>, StoreError> {
        self.enter("insert").await;
        let done = self.faults.check_about("insert", &project.id)?;
        let mut state = self.state();
        if let Some(known) = state.projects.get(&project.id).cloned() {
            return done.answer(Saved::Conflict(Some(Box::new(known))));
        }
        state.write(project);
        done.answer(Saved::Done)
    }

    async fn insert_with_key(
        &self,
        project: &Project,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Saved<IdempotencyRecord>, StoreError> {
        self.enter("insert_with_key").await;
        let done = self.faults.check_about("insert_with_key", &project.id)?;
        let mut state = self.state();
        let known = state.known_record(record, now);
        if known.is_some() || state.projects.contains_key(&project.id) {
            return done.answer(Saved::Conflict(known.map(Box::new)));
        }
        state.write(project);
        state.keep_record(record);
        done.answer(Saved::Done)
    }
}

#[async_trait]
impl ProjectList for MemoryProjects {
    async fn page(&self, cursor: Option<&str>, limit: usize) -> Result<ProjectPage, StoreError> {
        self.enter("page").await;
        let done = self.faults.check("page")?;
        let all = self.newest();
        let from = match cursor {
            None => 0,
            Some(cursor) => all.iter().position(|project| project.id.as_str() == cursor).map_or(all.len(), |at| at + 1),
        };
        done.answer(page(&all, from, limit))
    }

    async fn page_at(&self, number: usize, limit: usize) -> Result<ProjectPage, StoreError> {
        self.enter("page_at").await;
        let done = self.faults.check("page_at")?;
        done.answer(page(&self.newest(), number.saturating_sub(1).saturating_mul(limit), limit))
    }

    async fn count(&self) -> Result<(usize, bool), StoreError> {
        self.enter("count").await;
        self.faults.check("count")?.answer((self.newest().len(), false))
    }
}

#[async_trait]
impl DueIndex<Project> for MemoryProjects {
    async fn due(&self, of: u32, now: Timestamp) -> Result<Vec<ProjectId>, StoreError> {
        self.enter("due").await;
        let done = self.faults.check("due")?;
        let due = |project: Project| Some((project.due_at.filter(|due| *due <= now)?, project.id));
        let mut found: Vec<(Timestamp, ProjectId)> = self.all().into_iter().filter_map(due).collect();
        found.retain(|(_, id)| shard(id.as_str()) == of);
        found.sort();
        found.truncate(PER_SHARD as usize);
        done.answer(found.into_iter().map(|(_, id)| id).collect())
    }
}

impl MemoryProjects {
    /// The projects that readers see, the newest first.
    fn newest(&self) -> Vec<Project> {
        let mut shown = self.all();
        shown.retain(|project| project.deleted_at.is_none());
        shown.sort_by_key(|project| Reverse((project.created_at, project.id.clone())));
        shown
    }
}

/// A page whose cursor is the id of its last project.
fn page(all: &[Project], from: usize, limit: usize) -> ProjectPage {
    let projects: Vec<Project> = all.iter().skip(from).take(limit).cloned().collect();
    let is_last = from.saturating_add(projects.len()) >= all.len();
    let next = projects.last().filter(|_| !is_last).map(|project| project.id.to_string());
    ProjectPage { projects, next }
}
