//! The lists of projects, all or those of an owner, from indexes that hold keys only.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use reelhook_app::projects::store::{ProjectList, ProjectPage};
use reelhook_app::store::StoreError;
use reelhook_domain::projects::project::Project;
use reelhook_domain::{OwnerId, ProjectId};

use crate::aggregates::AggregateTable;
use crate::errors::store_error;
use crate::items::{Item, n, number, s, text};
use crate::projects::item::PROJECTS;
use crate::projects::table::ProjectTable;

/// Projects that are counted at most.
const COUNTED: usize = 1000;
/// Projects that are in memory as a whole at once.
const GROUP: usize = 20;
/// Projects before a page that is named by its number, at most. Cursors have no limit.
const SKIPPED: usize = 10 * COUNTED;

/// The projects that a caller may see.
pub struct ProjectsOf<'a> {
    table: &'a ProjectTable,
    /// Their owner; none for all projects.
    owner: Option<&'a OwnerId>,
}

impl ProjectTable {
    /// The projects of an owner; without one, all.
    pub fn of<'a>(&'a self, owner: Option<&'a OwnerId>) -> ProjectsOf<'a> {
        ProjectsOf { table: self, owner }
    }
}

#[async_trait]
impl ProjectList for ProjectTable {
    async fn page(&self, cursor: Option<&str>, limit: usize) -> Result<ProjectPage, StoreError> {
        self.of(None).page(cursor, limit).await
    }

    async fn page_at(&self, page: usize, limit: usize) -> Result<ProjectPage, StoreError> {
        self.of(None).page_at(page, limit).await
    }

    async fn count(&self) -> Result<(usize, bool), StoreError> {
        self.of(None).count().await
    }
}

#[async_trait]
impl ProjectList for ProjectsOf<'_> {
    async fn page(&self, cursor: Option<&str>, limit: usize) -> Result<ProjectPage, StoreError> {
        match cursor.map(|cursor| self.start(cursor)) {
            None => self.page_after(None, limit).await,
            Some(Some(start)) => self.page_after(Some(start), limit).await,
            // A cursor that is none of ours finds nothing.
            Some(None) => Ok(nothing()),
        }
    }

    async fn page_at(&self, page: usize, limit: usize) -> Result<ProjectPage, StoreError> {
        let mut left = page.saturating_sub(1).saturating_mul(limit);
        if left > SKIPPED {
            return Ok(nothing());
        }
        let mut start = None;
        while left > 0 {
            let query = self.newest(left).set_exclusive_start_key(start).send().await;
            let answer = query.map_err(|error| store_error("list projects", error))?;
            left = left.saturating_sub(answer.items().len());
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(nothing());
            }
        }
        self.page_after(start, limit).await
    }

    async fn count(&self) -> Result<(usize, bool), StoreError> {
        let query = self.newest(COUNTED + 1).select(Select::Count).send().await;
        let answer = query.map_err(|error| store_error("count projects", error))?;
        let count = usize::try_from(answer.count()).unwrap_or_default();
        Ok((count.min(COUNTED), count > COUNTED))
    }
}

impl ProjectsOf<'_> {
    /// The attribute that is the partition of their index, and its value.
    fn partition(&self) -> (&'static str, AttributeValue) {
        match self.owner {
            Some(owner) => ("owner", s(owner.as_str())),
            None => ("list", s(PROJECTS)),
        }
    }

    /// A query of at most `limit` projects, the newest first.
    fn newest(&self, limit: usize) -> QueryFluentBuilder {
        let index = if self.owner.is_some() { "by-owner" } else { "by-created" };
        let (attribute, value) = self.partition();
        let query = self.table.items.query(index, "#list = :projects", &[(":projects", value)]);
        let query = query.expression_attribute_names("#list", attribute).scan_index_forward(false);
        query.limit(i32::try_from(limit).unwrap_or(i32::MAX))
    }

    /// The key that a cursor names.
    fn start(&self, cursor: &str) -> Option<Item> {
        let (created, id) = cursor.split_once('.')?;
        let (created, id) = (created.parse::<i64>().ok()?, ProjectId::parse(id).ok()?);
        let key = [self.partition(), ("created_at", n(created)), ("id", s(id.as_str()))];
        Some(key.map(|(name, value)| (name.to_owned(), value)).into())
    }

    async fn page_after(&self, start: Option<Item>, limit: usize) -> Result<ProjectPage, StoreError> {
        // One more than the page has says whether there is another page.
        let query = self.newest(limit.saturating_add(1)).set_exclusive_start_key(start).send().await;
        let answer = query.map_err(|error| store_error("list projects", error))?;
        let found = answer.items();
        let listed = &found[..found.len().min(limit)];
        let next = listed.last().filter(|_| found.len() > limit).and_then(cursor);
        let ids = AggregateTable::<Project>::ids(listed);
        let mut projects = Vec::with_capacity(ids.len());
        for group in ids.chunks(GROUP) {
            projects.extend(self.table.items.load_all(group).await?.into_iter().map(Project::abridged));
        }
        projects.sort_by_key(|project| ids.iter().position(|id| *id == project.id));
        projects.retain(|project| project.deleted_at.is_none());
        Ok(ProjectPage { projects, next })
    }
}

fn nothing() -> ProjectPage {
    ProjectPage { projects: Vec::new(), next: None }
}

/// The cursor after an item: `<creation time in milliseconds>.<id>`.
fn cursor(item: &Item) -> Option<String> {
    Some(format!("{}.{}", number(item, "created_at")?, text(item, "id")?))
}
