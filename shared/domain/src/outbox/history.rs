//! What versions of an aggregate logged and showed, as its item keeps it until it is packed into rows.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Effect, Live, LiveSnapshot, LogLevel, Timestamp};

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
    /// The name of its type. A newer version may have written one that this version does not know.
    #[serde(rename = "event_type")]
    pub event: Cow<'static, str>,
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
        outbox: Vec<Effect>,
        snapshot: impl FnOnce(&[Live]) -> LiveSnapshot,
    ) -> Self {
        let mut recorded = Self { version, at, lines: Vec::new(), live: None };
        let mut snapshot = Some(snapshot);
        for (index, effect) in outbox.into_iter().enumerate() {
            if let Effect::Log { event, level, message, details } = effect {
                let event = Cow::Borrowed(event.name());
                recorded.lines.push(RecordedLine { index, event, level, message, details });
            } else if let Effect::Live { events, after } = effect
                && let Some(snapshot) = snapshot.take()
            {
                let snapshot = snapshot(&events);
                recorded.live = Some(RecordedLive { after, events, snapshot });
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

/// What earlier versions of an aggregate logged and showed. What the present version logged and showed is in its outbox.
///
/// What was packed stays until the next time that something is packed, since readers may come before `fanout` has written
/// its rows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// The last version that it has left out, since it is in rows; 0 for none.
    since: u64,
    /// The last version that was packed; 0 for none since the history began.
    #[serde(default, skip_serializing_if = "is_zero")]
    packed: u64,
    /// The versions after `since`, the oldest first. They never change, so that versions of the aggregate share them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    versions: Vec<Arc<Recorded>>,
    /// The size of the stored form of the versions that were not packed.
    #[serde(default, skip_serializing_if = "is_zero")]
    bytes: usize,
}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

impl History {
    /// A history after a version whose lines and live events, and those of all before it, become rows.
    pub(crate) fn after(version: u64) -> Self {
        Self { since: version, ..Self::default() }
    }

    /// The last version that it has left out, since it is in rows; 0 for none.
    pub fn since(&self) -> u64 {
        self.since
    }

    /// The last version that was packed or left out; 0 for none.
    pub fn packed(&self) -> u64 {
        self.since.max(self.packed)
    }

    /// The versions, the oldest first.
    pub fn versions(&self) -> &[Arc<Recorded>] {
        &self.versions
    }

    /// The versions that were not packed, the oldest first.
    pub fn unpacked(&self) -> &[Arc<Recorded>] {
        let packed = self.packed();
        &self.versions[self.versions.partition_point(|recorded| recorded.version <= packed)..]
    }

    /// Whether it has as much as it may with this version.
    pub(crate) fn is_full_with(&self, recorded: &Recorded) -> bool {
        self.unpacked().len() + 1 >= VERSIONS || self.bytes + recorded.bytes() >= BYTES
    }

    /// The history with one more version.
    pub(crate) fn with(mut self, recorded: Recorded) -> Self {
        if !recorded.is_empty() {
            self.bytes += recorded.bytes();
            self.versions.push(Arc::new(recorded));
        }
        self
    }

    /// The history after a version that has packed it, together with what that version itself logged and showed. What
    /// was packed before is left out.
    pub(crate) fn packed_with(self, recorded: Recorded) -> Self {
        let (since, packed) = (self.packed(), recorded.version);
        let mut history = self.with(recorded);
        history.versions.retain(|recorded| recorded.version > since);
        Self { since, packed, bytes: 0, versions: history.versions }
    }
}
