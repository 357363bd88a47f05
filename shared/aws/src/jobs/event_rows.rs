//! The stored forms of log lines and live events: this version's, and those of version 0.2 and older.
//!
//! Older versions stored both as StreamGank's view rendered them. While a deployment replaces functions of such a
//! version, they may read rows of this one. They show log lines without `job_id`, `type` and `source`, which this
//! version does not store. They do not see its live events, which are in another attribute: viewers get these from the
//! first function of this version that they reconnect to.

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::outbox::rows::{LiveRow, LogEntry, LogLine, RenderedEvent, StoredLive};
use reelhook_app::store::StoreError;
use reelhook_app::views::Dialect;
use reelhook_domain::{LogLevel, Subject, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::items::{Item, json, read, text};

/// The attribute of a log line in either form: the index `by-day` carries no other.
pub(crate) const LINE: &str = "line";
/// The attribute of live events.
pub(crate) const LIVE: &str = "live_events";
/// The attribute of live events that version 0.2 or older rendered.
const RENDERED: &str = "live";
/// The attributes of live events.
pub(crate) const LIVE_ATTRIBUTES: [&str; 2] = [LIVE, RENDERED];

/// The stored form of a log line. A rendered line has all of these members and others, so that this reads both forms.
#[derive(Debug, Serialize, Deserialize)]
struct StoredLine {
    /// RFC 3339.
    timestamp: String,
    event_type: String,
    level: LogLevel,
    message: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    details: Value,
    /// Rendered lines name none: those of all dialects were in StreamGank's form.
    #[serde(default, skip_serializing_if = "is_default")]
    dialect: Dialect,
}

fn is_default(dialect: &Dialect) -> bool {
    *dialect == Dialect::default()
}

/// The live events of a version as version 0.2 and older rendered them.
#[derive(Debug, Deserialize)]
struct RenderedRow {
    after: u64,
    events: Vec<Value>,
}

/// The stored form of a log line.
pub(crate) fn stored_line(at: Timestamp, dialect: Dialect, entry: &LogEntry) -> AttributeValue {
    let LogEntry { event_type, level, message, details } = entry.clone();
    json(&StoredLine { timestamp: at.to_string(), event_type, level, message, details, dialect })
}

/// Reads a log line.
pub(crate) fn line(operation: &'static str, item: &Item) -> Result<LogLine, StoreError> {
    let unreadable =
        |name: &str| StoreError::Unreadable { operation, reason: format!("attribute `{name}` is invalid") };
    let subject = text(item, "job_id").and_then(|id| Subject::parse(id).ok()).ok_or_else(|| unreadable("job_id"))?;
    let StoredLine { timestamp, event_type, level, message, details, dialect } = read(operation, item, LINE)?;
    let at = Timestamp::parse(&timestamp).ok_or_else(|| unreadable("line.timestamp"))?;
    Ok(LogLine { subject, dialect, at, entry: LogEntry { event_type, level, message, details } })
}

/// The stored form of live events.
pub(crate) fn stored_live(row: &LiveRow) -> AttributeValue {
    json(row)
}

/// Reads live events.
pub(crate) fn live(operation: &'static str, item: &Item) -> Result<StoredLive, StoreError> {
    if item.contains_key(LIVE) {
        return read(operation, item, LIVE).map(StoredLive::Events);
    }
    let RenderedRow { after, events } = read(operation, item, RENDERED)?;
    let event = |data: Value| RenderedEvent { ends: ends(&data), data };
    Ok(StoredLive::Rendered { after, events: events.into_iter().map(event).collect() })
}

/// Whether a job ended with a rendered event.
fn ends(data: &Value) -> bool {
    match data["type"].as_str() {
        Some("render_completed" | "render_failed") => true,
        Some("job_update") => matches!(data["status"].as_str(), Some("completed" | "failed" | "cancelled")),
        _ => false,
    }
}
