//! The Catalog table: a row per movie and genre, in the order in which previews show movies.

use async_trait::async_trait;
use reelhook_app::catalog::{CatalogStore, Movie};
use reelhook_app::store::StoreError;

use crate::errors::store_error;
use crate::items::{read, s};

/// Rows of a shelf that one call reads when it filters by content type.
const READ: i32 = 100;
/// Calls for one shelf, at most.
const PAGES: usize = 10;

/// The Catalog table.
#[derive(Debug, Clone)]
pub struct CatalogTable {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl CatalogTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

#[async_trait]
impl CatalogStore for CatalogTable {
    async fn best(&self, shelf: &str, content_type: Option<&str>, limit: usize) -> Result<Vec<Movie>, StoreError> {
        let operation = "read catalogue";
        let (mut movies, mut start) = (Vec::new(), None);
        for _ in 0..PAGES {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("shelf = :shelf")
                .expression_attribute_values(":shelf", s(shelf))
                .set_exclusive_start_key(start);
            let query = match content_type {
                None => query.limit(i32::try_from(limit).unwrap_or(READ)),
                Some(wanted) => query
                    .filter_expression("content_type = :wanted")
                    .expression_attribute_values(":wanted", s(wanted))
                    .limit(READ),
            };
            let answer = query.send().await.map_err(|error| store_error(operation, error))?;
            for item in answer.items().iter().take(limit - movies.len()) {
                movies.push(read(operation, item, "body")?);
            }
            start = answer.last_evaluated_key;
            if movies.len() >= limit || start.is_none() {
                break;
            }
        }
        Ok(movies)
    }
}
