//! The stored forms of log lines and live events: this version's, and those of version 0.2 and older.
//!
//! A packed row is the row of its last line. It has the lines before that one, compressed, inside of that line, since the
//! index `by-day` carries no other attribute; an older function shows the last line alone. Its live events are in an
//! attribute of their own.
//!
//! Older versions stored both as StreamGank's view rendered them. While a deployment replaces functions of such a
//! version, they may read rows of this one. They show log lines without `job_id`, `type` and `source`, which this
//! version does not store. They do not see its live events, which are in another attribute: viewers get these from the
//! first function of this version that they reconnect to.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use reelhook_app::outbox::rows::{LiveRow, LogEntry, LogLine, LogRow, RenderedEvent, StoredLive, lines_of, live_of};
use reelhook_app::store::StoreError;
use reelhook_app::views::Dialect;
use reelhook_domain::{LogLevel, Recorded, Subject, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::items::packed::{OF_AGGREGATES, deflate, parsed};
use crate::items::{Item, b, json, read, text};

/// The attribute of a log line in either form: the index `by-day` carries no other.
pub(crate) const LINE: &str = "line";
/// The attribute of live events.
pub(crate) const LIVE: &str = "live_events";
/// The attribute of live events that version 0.2 or older rendered.
const RENDERED: &str = "live";
/// The attribute of the live events of several versions, compressed.
pub(crate) const PACKED_LIVE: &str = "packed_live";
/// The attributes of live events.
pub(crate) const LIVE_ATTRIBUTES: [&str; 3] = [LIVE, RENDERED, PACKED_LIVE];

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
    /// The lines before this one that are packed into its row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier: Option<String>,
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

/// The attributes of a row's line and its live events.
pub(crate) fn attributes(row: &LogRow) -> Vec<(&'static str, AttributeValue)> {
    let part = |part: fn(&Recorded) -> Recorded| {
        let parts = row.packed.iter().map(part).filter(|recorded| !recorded.is_empty());
        Some(parts.collect::<Vec<_>>()).filter(|parts| !parts.is_empty()).map(|parts| packed(&parts))
    };
    let earlier = part(|of| Recorded { live: None, ..of.clone() }).map(|packed| STANDARD_NO_PAD.encode(packed));
    let line = row.entry.clone().map(|LogEntry { event_type, level, message, details }| {
        let (timestamp, dialect) = (row.at.to_string(), row.dialect);
        (LINE, json(&StoredLine { timestamp, event_type, level, message, details, dialect, earlier }))
    });
    let live = row.live.as_ref().map(|live| (LIVE, json(live)));
    let packed_live = part(|of| Recorded { lines: Vec::new(), ..of.clone() }).map(|packed| (PACKED_LIVE, b(packed)));
    line.into_iter().chain(live).chain(packed_live).collect()
}

/// Reads the line of a row, and those before it that are packed into the row with their sort keys.
pub(crate) fn lines(operation: &'static str, item: &Item) -> Result<(LogLine, Vec<(String, LogLine)>), StoreError> {
    let unreadable =
        |name: &str| StoreError::Unreadable { operation, reason: format!("attribute `{name}` is invalid") };
    let subject = text(item, "job_id").and_then(|id| Subject::parse(id).ok()).ok_or_else(|| unreadable("job_id"))?;
    let StoredLine { timestamp, event_type, level, message, details, dialect, earlier } = read(operation, item, LINE)?;
    let at = Timestamp::parse(&timestamp).ok_or_else(|| unreadable("line.timestamp"))?;
    let earlier: Vec<Recorded> = match earlier {
        Some(text) => {
            let packed = STANDARD_NO_PAD.decode(text).map_err(|_| unreadable("line.earlier"))?;
            unpacked(&packed).ok_or_else(|| unreadable("line.earlier"))?
        }
        None => Vec::new(),
    };
    let earlier = lines_of(&subject, dialect, &earlier);
    Ok((LogLine { subject, dialect, at, entry: LogEntry { event_type, level, message, details } }, earlier))
}

/// Reads the live events of a row after a version, by versions.
pub(crate) fn live(operation: &'static str, item: &Item, after: u64) -> Result<Vec<(u64, StoredLive)>, StoreError> {
    if let Some(packed) = item.get(PACKED_LIVE) {
        let recorded: Option<Vec<Recorded>> = packed.as_b().ok().and_then(|packed| unpacked(packed.as_ref()));
        let reason = || format!("attribute `{PACKED_LIVE}` is invalid");
        let recorded = recorded.ok_or_else(|| StoreError::Unreadable { operation, reason: reason() })?;
        return Ok(live_of(&recorded, after));
    }
    let version = text(item, "seq").and_then(|seq| seq.split('.').next()?.parse().ok()).unwrap_or_default();
    if item.contains_key(LIVE) {
        return Ok(vec![(version, StoredLive::Events(read::<LiveRow>(operation, item, LIVE)?))]);
    }
    let RenderedRow { after, events } = read(operation, item, RENDERED)?;
    let event = |data: Value| RenderedEvent { ends: ends(&data), data };
    Ok(vec![(version, StoredLive::Rendered { after, events: events.into_iter().map(event).collect() })])
}

/// Versions as compressed JSON, as in the bodies of items.
fn packed(versions: &[Recorded]) -> Vec<u8> {
    deflate(OF_AGGREGATES, &serde_json::to_vec(versions).expect("our own types are JSON"))
}

/// Reads compressed versions; none if they are invalid.
fn unpacked(packed: &[u8]) -> Option<Vec<Recorded>> {
    parsed(packed).ok()
}

/// Whether a job ended with a rendered event.
fn ends(data: &Value) -> bool {
    match data["type"].as_str() {
        Some("render_completed" | "render_failed") => true,
        Some("job_update") => matches!(data["status"].as_str(), Some("completed" | "failed" | "cancelled")),
        _ => false,
    }
}
