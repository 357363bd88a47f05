//! Lists projects by page number, as the original's pages do, or by cursor.

use futures_util::future::try_join;

use crate::projects::store::{ProjectList, ProjectPage};
use crate::store::StoreError;

/// Where a page of the list begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageAt {
    /// The page with this number, from 1.
    Number(usize),
    /// The page with this number, after a cursor.
    Cursor(usize, String),
}

impl PageAt {
    /// The number of the page.
    pub fn number(&self) -> usize {
        match self {
            Self::Number(number) | Self::Cursor(number, _) => *number,
        }
    }
}

/// A page of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The projects.
    pub page: ProjectPage,
    /// The number of the page.
    pub number: usize,
    /// The number of all projects.
    pub total: usize,
    /// Whether there are more than `total`, since counting ended at a limit.
    pub is_more: bool,
}

/// A page of at most `limit` projects, the newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn list(projects: &dyn ProjectList, at: &PageAt, limit: usize) -> Result<Listed, StoreError> {
    let page = match at {
        PageAt::Number(1) => projects.page(None, limit),
        PageAt::Number(number) => projects.page_at(*number, limit),
        PageAt::Cursor(_, cursor) => projects.page(Some(cursor.as_str()), limit),
    };
    let (page, (total, is_more)) = try_join(page, projects.count()).await?;
    Ok(Listed { page, number: at.number(), total, is_more })
}
