//! The stored form of an error.

use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;
use reelhook_domain::errors::cause::Cause;
use reelhook_domain::errors::error::ErrorRow;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::items::{Item, read};

/// An error as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredError {
    id: String,
    cause: Cause,
    about: String,
    message: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    context: Map<String, Value>,
    occurrences: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolved_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dismissed_at: Option<Timestamp>,
    openings: u32,
    opened_at: Timestamp,
    version: u64,
    updated_at: Timestamp,
}

impl From<&ErrorRow> for StoredError {
    fn from(error: &ErrorRow) -> Self {
        Self {
            id: error.id.clone(),
            cause: error.cause,
            about: error.about.clone(),
            message: error.message.clone(),
            context: error.context.clone(),
            occurrences: error.occurrences,
            first_seen: error.first_seen,
            last_seen: error.last_seen,
            resolved_at: error.resolved_at,
            dismissed_at: error.dismissed_at,
            openings: error.openings,
            opened_at: error.opened_at,
            version: error.version,
            updated_at: error.updated_at,
        }
    }
}

impl From<StoredError> for ErrorRow {
    fn from(stored: StoredError) -> Self {
        Self {
            id: stored.id,
            cause: stored.cause,
            about: stored.about,
            message: stored.message,
            context: stored.context,
            occurrences: stored.occurrences,
            first_seen: stored.first_seen,
            last_seen: stored.last_seen,
            resolved_at: stored.resolved_at,
            dismissed_at: stored.dismissed_at,
            openings: stored.openings,
            opened_at: stored.opened_at,
            version: stored.version,
            updated_at: stored.updated_at,
        }
    }
}

/// Reads the error in an item.
pub(super) fn error_of(operation: &'static str, item: &Item) -> Result<ErrorRow, StoreError> {
    read::<StoredError>(operation, item, "body").map(ErrorRow::from)
}
