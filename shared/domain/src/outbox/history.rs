//! What versions of an aggregate logged and showed, as its item keeps it until it is packed into rows.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Effect, Live, LiveSnapshot, LogEvent, LogLevel, Timestamp};

/// The versions that a history has before it is packed.
const VERSIONS: usize = 64;
/// Bytes of a history that is packed: each KB of an item costs in every write.
const BYTES: usize = 32 * 1024;

/// What one version logged and showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The version.
    #[serde(rename = "v")]
    pub version: u64,
    /// When it was made.
    pub at: Timestamp,
    /// The lines of the log, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<RecordedLine>,
    /// The live events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<RecordedLive>,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedLine {
    /// The index of its effect in the version's outbox.
    #[serde(rename = "n")]
    pub index: usize,
    /// Its type.
    #[serde(rename = "event_type")]
    pub event: LogEvent,
    /// Its importance.
    pub level: LogLevel,
    /// A sentence.
    pub message: String,
    /// Small facts.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

/// The live events of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedLive {
    /// The previous version with live events; 0 for none.
    pub after: u64,
    /// The events in order.
    pub events: Vec<Live>,
    /// The state that they show.
    pub snapshot: LiveSnapshot,
}

impl Recorded {
    /// What a version with this outbox logged and showed; `snapshot` is its state as far as live events show it.
    pub(crate) fn of(
        version: u64,
        at: Timestamp,
        outbox: &[Effect],
        snapshot: impl FnOnce(&[Live]) -> LiveSnapshot,
    ) -> Self {
        let mut recorded = Self { version, at, lines: Vec::new(), live: None };
        let mut snapshot = Some(snapshot);
        for (index, effect) in outbox.iter().enumerate() {
            if let Effect::Log { event, level, message, details } = effect {
                let (message, details) = (message.clone(), details.clone());
                recorded.lines.push(RecordedLine { index, event: *event, level: *level, message, details });
            }
            if let Effect::Live { events, after } = effect
                && let Some(snapshot) = snapshot.take()
            {
                recorded.live =
                    Some(RecordedLive { after: *after, events: events.clone(), snapshot: snapshot(events) });
            }
        }
        recorded
    }

    /// Whether the version logged and showed nothing.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.live.is_none()
    }

    /// The size of its stored form in bytes.
    fn bytes(&self) -> usize {
        serde_json::to_string(self).map_or(0, |text| text.len())
    }
}

/// What earlier versions of an aggregate logged and showed, as far as it is not in rows. What the present version logged
/// and showed is in its outbox.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// The last version whose lines and live events are in rows; 0 for none.
    since: u64,
    /// The versions after that one, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    versions: Vec<Recorded>,
    /// The size of the versions' stored form.
    #[serde(default, skip_serializing_if = "is_zero")]
    bytes: usize,
}

fn is_zero(bytes: &usize) -> bool {
    *bytes == 0
}

impl History {
    /// A history after a version whose lines and live events, and those of all before it, are in rows.
    pub(crate) fn after(version: u64) -> Self {
        Self { since: version, ..Self::default() }
    }

    /// The last version whose lines and live events are in rows; 0 for none.
    pub fn since(&self) -> u64 {
        self.since
    }

    /// The versions, the oldest first.
    pub fn versions(&self) -> &[Recorded] {
        &self.versions
    }

    /// Whether it has as much as it may with this version.
    pub(crate) fn is_full_with(&self, recorded: &Recorded) -> bool {
        self.versions.len() + 1 >= VERSIONS || self.bytes + recorded.bytes() >= BYTES
    }

    /// The history with one more version.
    pub(crate) fn with(mut self, recorded: Recorded) -> Self {
        if !recorded.is_empty() {
            self.bytes += recorded.bytes();
            self.versions.push(recorded);
        }
        self
    }
}
