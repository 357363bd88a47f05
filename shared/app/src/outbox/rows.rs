//! Rows of logs and live events: they hold domain values, which a dialect's view renders when they are read.

use crate::views::dialect::Dialect;
use reelhook_domain::{Job, Live, LiveSnapshot, LogLevel, Recorded, RecordedLine, RecordedLive, Subject, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a log line says.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// One of the log's event types.
    pub event_type: String,
    /// The line's importance.
    pub level: LogLevel,
    /// A sentence.
    pub message: String,
    /// Small facts.
    pub details: Value,
}

/// A log line as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// What the log belongs to.
    pub subject: Subject,
    /// The dialect whose view renders the line.
    pub dialect: Dialect,
    /// When the line was written.
    pub at: Timestamp,
    /// What the line says.
    pub entry: LogEntry,
}

impl From<&RecordedLine> for LogEntry {
    fn from(line: &RecordedLine) -> Self {
        let RecordedLine { event, level, message, details, .. } = line.clone();
        Self { event_type: event.into_owned(), level, message, details }
    }
}

/// The sort key of a line in its subject's log: lines sort by version, then by the effect that wrote them.
pub fn sort_key(version: u64, index: usize) -> String {
    format!("{version:010}.{index:02}")
}

/// The log lines of recorded versions with their sort keys, in order.
pub fn lines_of(subject: &Subject, dialect: Dialect, recorded: &[Recorded]) -> Vec<(String, LogLine)> {
    let of_version = |of: &Recorded| {
        let line = |line: &RecordedLine| {
            let read = LogLine { subject: subject.clone(), dialect, at: of.at, entry: line.into() };
            (sort_key(of.version, line.index), read)
        };
        of.lines.iter().map(line).collect::<Vec<_>>()
    };
    recorded.iter().flat_map(of_version).collect()
}

/// The log lines that a job's item keeps, with their sort keys, in order.
pub fn kept_lines(job: &Job) -> Vec<(String, LogLine)> {
    lines_of(&job.id.clone().into(), Dialect::of(job.kind), &job.kept())
}

/// A row as fanout writes it: a log line, the live events of a version, or both; and what earlier versions logged and
/// showed, if the row is packed.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    /// What the row belongs to.
    pub subject: Subject,
    /// The dialect whose view renders the row.
    pub dialect: Dialect,
    /// The version that caused the row.
    pub version: u64,
    /// The index of the effect in the version's outbox.
    pub index: usize,
    /// When the version was made.
    pub at: Timestamp,
    /// The log line.
    pub entry: Option<LogEntry>,
    /// The version's live events.
    pub live: Option<LiveRow>,
    /// The lines before this one and the live events up to this version that are packed into the row, by versions.
    pub packed: Vec<Recorded>,
}

/// The live events of one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveRow {
    /// The previous version with live events; 0 for none.
    pub after: u64,
    /// When the version was made.
    pub at: Timestamp,
    /// The events in order.
    pub events: Vec<Live>,
    /// The state that the events show.
    pub snapshot: LiveSnapshot,
}

impl LiveRow {
    /// The live events of a recorded version.
    pub fn of(at: Timestamp, live: &RecordedLive) -> Self {
        let RecordedLive { after, events, snapshot } = live.clone();
        Self { after, at, events, snapshot }
    }
}

/// The live events of recorded versions after a version, by their versions.
pub fn live_of(recorded: &[Recorded], after: u64) -> Vec<(u64, StoredLive)> {
    let newer = recorded.iter().filter(|of| of.version > after);
    newer.filter_map(|of| Some((of.version, StoredLive::Events(LiveRow::of(of.at, of.live.as_ref()?))))).collect()
}

/// The live events of one version in either of their stored forms.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredLive {
    /// Domain events.
    Events(LiveRow),
    /// Events that version 0.2 or older rendered when it stored them.
    Rendered {
        /// The previous version with live events; 0 for none.
        after: u64,
        /// The events in order.
        events: Vec<RenderedEvent>,
    },
}

impl StoredLive {
    /// When the version was made; not known of events that were rendered when they were stored.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Events(row) => Some(row.at),
            Self::Rendered { .. } => None,
        }
    }

    /// The previous version with live events; 0 for none.
    pub fn after(&self) -> u64 {
        match self {
            Self::Events(row) => row.after,
            Self::Rendered { after, .. } => *after,
        }
    }
}

/// A live event that was rendered when it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderedEvent {
    /// The event as viewers see it.
    pub data: Value,
    /// Whether the job ended with it.
    pub ends: bool,
}
