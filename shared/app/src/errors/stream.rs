//! Live updates of errors: each change since a viewer's cursor, in the order of the feed.

use std::time::Duration;

use reelhook_domain::Timestamp;
use reelhook_domain::errors::error::ErrorRow;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::errors::store::{ErrorFeed, changed, feed_cursor};
use crate::errors::view::ErrorView;
use crate::store::StoreError;
use crate::views::wire::Time;
use crate::watch::LiveEvent;

/// Changes of one read.
const CHANGES: usize = 100;
/// How old a change is before it is shown: the feed is eventually consistent, and an older change that appears later would
/// be lost.
const SETTLED: Duration = Duration::from_secs(1);
/// How far back a viewer's cursor may be; from an older one the viewer would load the list again.
const FURTHEST: Duration = Duration::from_secs(24 * 3600);

/// A live event about errors.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorStreamEvent<'a> {
    /// What happened.
    r#type: ErrorStreamEventType,
    /// The error, as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ErrorView<'static>")]
    error: Option<ErrorView<'a>>,
    /// When it happened.
    timestamp: Time,
}

/// What a live event about errors says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorStreamEventType {
    /// The viewer is connected: changes from now on follow.
    Connected,
    /// Nothing happened, and the connection is alive.
    Heartbeat,
    /// An error was raised, or raised again after it was resolved or dismissed.
    ErrorRaised,
    /// An error was raised again while it was active.
    ErrorUpdated,
    /// The cause of an error has ended.
    ErrorResolved,
    /// A person dismissed an error.
    ErrorDismissed,
}

/// A viewer of errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorWatch {
    cursor: String,
}

impl ErrorWatch {
    /// A viewer that has seen all changes up to this cursor, the id of an event; without one, all changes until now.
    pub fn begin(last: Option<&str>, now: Timestamp) -> Self {
        let furthest = cursor_before(now.before(FURTHEST));
        let cursor = last.filter(|text| is_cursor(text)).map(str::to_owned);
        let cursor = cursor.map_or_else(|| cursor_before(now.before(SETTLED)), |cursor| cursor.max(furthest));
        Self { cursor }
    }

    /// The viewer's cursor, with which it goes on after a reconnection.
    pub fn cursor(&self) -> &str {
        &self.cursor
    }

    /// Changes that the viewer has not seen.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next(&mut self, feed: &dyn ErrorFeed, now: Timestamp) -> Result<Vec<LiveEvent>, StoreError> {
        let before = cursor_before(now.before(SETTLED));
        if before <= self.cursor {
            return Ok(Vec::new());
        }
        let changes = feed.changes(&self.cursor, &before, CHANGES).await?;
        let seen = changes.iter().filter(|error| !error.is_gone(now));
        let events = seen.map(|error| event(error, &self.cursor, now)).collect();
        if let Some(last) = changes.last() {
            self.cursor = changed(last);
        }
        Ok(events)
    }
}

/// A change as a viewer sees it that has seen all changes up to `cursor`.
fn event(error: &ErrorRow, cursor: &str, now: Timestamp) -> LiveEvent {
    // What dismisses itself is dismissed by the viewer, at the time that it names.
    let kind = if error.dismissed_at.is_some() {
        ErrorStreamEventType::ErrorDismissed
    } else if error.resolved_at.is_some() {
        ErrorStreamEventType::ErrorResolved
    } else if feed_cursor(error.opened_at, &error.id).as_str() > cursor {
        ErrorStreamEventType::ErrorRaised
    } else {
        ErrorStreamEventType::ErrorUpdated
    };
    let event =
        ErrorStreamEvent { r#type: kind, error: Some(ErrorView::new(error, now)), timestamp: error.updated_at.into() };
    LiveEvent { id: changed(error), data: json!(event), ends: false }
}

/// An event that is not about one error: `connected` or `heartbeat`.
pub fn sign(kind: ErrorStreamEventType, now: Timestamp) -> serde_json::Value {
    json!(ErrorStreamEvent { r#type: kind, error: None, timestamp: now.into() })
}

/// The cursor in the feed before all changes of this time.
fn cursor_before(at: Timestamp) -> String {
    feed_cursor(at, "")
}

/// Whether a text is a cursor in the feed.
fn is_cursor(text: &str) -> bool {
    let id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.split_once('.').is_some_and(|(time, error)| {
        time.len() == 13 && time.bytes().all(|byte| byte.is_ascii_digit()) && error.len() <= 80 && error.bytes().all(id)
    })
}
