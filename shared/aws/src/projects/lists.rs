//! The list of projects, from an index that holds keys only.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::Select;
use reelhook_app::projects::store::{ProjectList, ProjectPage};
use reelhook_app::store::StoreError;
use reelhook_domain::ProjectId;
use reelhook_domain::projects::project::Project;

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

#[async_trait]
impl ProjectList for ProjectTable {
    async fn page(&self, cursor: Option<&str>, limit: usize) -> Result<ProjectPage, StoreError> {
        match cursor.map(start) {
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

impl ProjectTable {
    /// A query of at most `limit` projects, the newest first.
    fn newest(&self, limit: usize) -> QueryFluentBuilder {
        let query = self.items.query("by-created", "#list = :projects", &[(":projects", s(PROJECTS))]);
        let query = query.expression_attribute_names("#list", "list").scan_index_forward(false);
        query.limit(i32::try_from(limit).unwrap_or(i32::MAX))
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
            projects.extend(self.items.load_all(group).await?.into_iter().map(Project::abridged));
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

/// The key that a cursor names.
fn start(cursor: &str) -> Option<Item> {
    let (created, id) = cursor.split_once('.')?;
    let (created, id) = (created.parse::<i64>().ok()?, ProjectId::parse(id).ok()?);
    let key = [("list", s(PROJECTS)), ("created_at", n(created)), ("id", s(id.as_str()))];
    Some(key.map(|(name, value)| (name.to_owned(), value)).into())
}
