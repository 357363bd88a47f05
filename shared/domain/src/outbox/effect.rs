//! What a change wants done outside of the item: descriptors in the outbox, never payloads.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{EventId, OutboundEvent, RenderId, Status, Timestamp};

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For the record.
    Info,
    /// Something went well.
    Success,
    /// We coped.
    Warning,
    /// It failed.
    Error,
}

/// What a job's log holds: numbers of lines, or of what came to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "[i64; 6]", from = "[i64; 6]")]
pub struct LogTally {
    /// Lines for the record.
    pub info: i64,
    /// Lines about what went well.
    pub success: i64,
    /// Lines about what we coped with.
    pub warning: i64,
    /// Lines about failures.
    pub error: i64,
    /// Bytes of the lines' sentences and facts.
    pub bytes: i64,
    /// Archived logs: 0 or 1 for one job.
    pub archived: i64,
}

impl LogTally {
    /// All lines.
    pub fn lines(&self) -> i64 {
        self.info + self.success + self.warning + self.error
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// With one more line.
    pub(crate) fn add(&mut self, level: LogLevel, bytes: usize) {
        let lines = match level {
            LogLevel::Info => &mut self.info,
            LogLevel::Success => &mut self.success,
            LogLevel::Warning => &mut self.warning,
            LogLevel::Error => &mut self.error,
        };
        *lines += 1;
        self.bytes += i64::try_from(bytes).unwrap_or(i64::MAX);
    }
}

impl std::ops::Add for LogTally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (one, other) = (<[i64; 6]>::from(self), <[i64; 6]>::from(other));
        std::array::from_fn(|index| one[index] + other[index]).into()
    }
}

impl std::ops::Sub for LogTally {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let (one, other) = (<[i64; 6]>::from(self), <[i64; 6]>::from(other));
        std::array::from_fn(|index| one[index] - other[index]).into()
    }
}

impl From<LogTally> for [i64; 6] {
    fn from(tally: LogTally) -> Self {
        [tally.info, tally.success, tally.warning, tally.error, tally.bytes, tally.archived]
    }
}

impl From<[i64; 6]> for LogTally {
    fn from([info, success, warning, error, bytes, archived]: [i64; 6]) -> Self {
        Self { info, success, warning, error, bytes, archived }
    }
}

/// One thing to do for a change; `kind` names it and its form's version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Effect {
    /// Try to start something.
    #[serde(rename = "start.v1")]
    Start {
        /// Not before so many seconds.
        delay_s: u32,
    },
    /// Give a start slot back, and try to start something.
    #[serde(rename = "free_slot.v1")]
    FreeSlot {
        /// The slot's key in the admission item.
        slot: String,
    },
    /// Tell the endpoints.
    #[serde(rename = "notify.v1")]
    Notify {
        /// Of what.
        event: OutboundEvent,
    },
    /// Write a line of the job's log.
    #[serde(rename = "log.v1")]
    Log {
        /// One of the StreamGank log's event types.
        event_type: String,
        /// How important.
        level: LogLevel,
        /// A sentence.
        message: String,
        /// Small facts.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        details: Value,
    },
    /// Count a job in or out of a final state.
    #[serde(rename = "count.v1")]
    Count {
        /// The final state that was entered or left.
        status: Status,
        /// The day that the job was made on.
        day: String,
        /// Whether it was entered.
        entered: bool,
    },
    /// Count the lines of a job's log, once it has ended.
    #[serde(rename = "count_log.v1")]
    CountLog {
        /// The day that the job was made on.
        day: String,
        /// What came to it since it was counted last.
        log: LogTally,
    },
    /// Ask the render service how a render stands.
    #[serde(rename = "check_render.v1")]
    CheckRender {
        /// Which.
        render: RenderId,
        /// Which scheduled check; 0 for one out of turn.
        check: u8,
        /// Not before so many seconds.
        delay_s: u32,
    },
    /// A render id is known now: apply a callback that came before.
    #[serde(rename = "apply_parked.v1")]
    ApplyParked {
        /// Which.
        render: RenderId,
    },
    /// Show viewers what happened.
    #[serde(rename = "live.v1")]
    Live {
        /// In order.
        events: Vec<Live>,
        /// The version before this one that they saw something of, so that they notice a gap.
        after: u64,
    },
    /// Pieces of a drawing wait for renderers.
    #[serde(rename = "draw.v1")]
    Draw {
        /// How many.
        hints: u32,
        /// Not before so many seconds.
        delay_s: u32,
    },
    /// Remove these files of the job.
    #[serde(rename = "remove_files.v1")]
    RemoveFiles {
        /// Where they are in the bucket.
        keys: Vec<String>,
    },
    /// The job was deleted: remove its log and its files.
    #[serde(rename = "purge.v1")]
    Purge,
    /// Tell the external worker that its run is not wanted any more.
    #[serde(rename = "cancel_worker.v1")]
    CancelWorker {
        /// The run.
        attempt: u32,
        /// Where.
        url: String,
    },
}

impl Effect {
    /// The kinds that this version knows: each variant's name above, for whoever has to tell a newer version's.
    pub const KINDS: [&str; 13] = [
        "start.v1",
        "free_slot.v1",
        "notify.v1",
        "log.v1",
        "count.v1",
        "count_log.v1",
        "check_render.v1",
        "apply_parked.v1",
        "live.v1",
        "draw.v1",
        "remove_files.v1",
        "purge.v1",
        "cancel_worker.v1",
    ];
}

/// What viewers of a job see; the rest follows from the job as it is in that version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Live {
    /// A worker's report.
    Step {
        /// 0 to 8.
        number: u8,
        /// The step's name.
        name: String,
        /// The worker's word.
        status: String,
        /// The worker's key for the step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The report's sequence.
        sequence: i64,
        /// The worker's word for where the workflow is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
        /// Whether the report told details.
        details: bool,
    },
    /// A render on its way: planned, waiting, transcribing, rendering.
    Render {
        /// The service's word.
        #[serde(rename = "word")]
        status: String,
    },
    /// The video is there.
    RenderCompleted,
    /// The render failed.
    RenderFailed,
    /// Anything else.
    Job,
}

/// A reminder on the item of an event that went to receivers, for repairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emitted {
    /// The event's id.
    pub id: EventId,
    /// What happened.
    pub event: OutboundEvent,
    /// In which version.
    pub version: u64,
    /// When.
    pub at: Timestamp,
}
