//! What a search of logs needs: where lines are, what is wanted of them, and the bounds.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{Job, JobId, LogLevel, Subject, Timestamp};

use crate::jobs::store::JobStore;
use crate::outbox::rows::LogLine;
use crate::outbox::sweep::hash;
use crate::retention::Days;
use crate::store::StoreError;

/// The number of partitions of a day's lines, unless a store has more.
pub const LOG_SHARDS: u32 = 4;
/// The minimum and the maximum number of rows of a page.
pub(super) const ROWS: (usize, usize) = (50, 250);
/// The maximum number of bytes of lines in one answer: Lambda allows 6 MB.
pub(super) const ANSWER_LIMIT: usize = 4_000_000;
/// The time between the first and the last line of a packed row, at most.
pub(crate) const PACKED_SPAN: Duration = Duration::from_secs(5 * 60);
/// A day.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// The partition of a day's lines, of so many, that holds those of `subject`.
pub fn log_shard(subject: &Subject, shards: u32) -> u32 {
    hash(subject.as_str()) % shards
}

/// The sort key of a line among a day's lines: they sort by time, then by subject and its log's sort key `seq`.
pub fn day_place(at: Timestamp, subject: &Subject, seq: &str) -> String {
    format!("{:013}.{subject}.{seq}", at.millis())
}

/// A line with its sort key.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The sort key in the table or the index that the line was read from.
    pub place: String,
    /// The line.
    pub line: LogLine,
}

/// The lines of a page of rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The lines of each row, the rows in the requested order. None is newer than the row that it is in, and some may be
    /// older than the rows after it.
    pub lines: Vec<Line>,
    /// The sort key of the last row that was read, if more may follow.
    pub last: Option<String>,
}

/// Reads log lines.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// The number of partitions of a day's lines that may have some.
    fn shards(&self) -> u32 {
        LOG_SHARDS
    }

    /// How long lines are kept. DynamoDB removes them late, and no search finds them then.
    fn kept(&self) -> Days {
        Days::default()
    }

    /// The rows of a job's log before a sort key, newest first; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_subject(&self, subject: &Subject, before: Option<&str>, rows: usize) -> Result<Page, StoreError>;

    /// The rows of a job's log after a sort key, oldest first; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_subject_since(&self, subject: &Subject, after: Option<&str>, rows: usize) -> Result<Page, StoreError>;

    /// The rows of a shard of a day from one sort key to before another, newest first; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_day(&self, day: &str, shard: u32, from: &str, before: &str, rows: usize) -> Result<Page, StoreError>;
}

/// Jobs that have not ended: their lines are on their items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Active {
    /// The jobs.
    pub ids: Vec<JobId>,
    /// Whether these are all.
    pub all: bool,
}

/// Finds and reads jobs that have not ended.
#[async_trait]
pub trait ActiveJobs: Send + Sync {
    /// At most `most` jobs that have not ended: those that run before those that wait, the last queued of these first;
    /// eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn active(&self, most: usize) -> Result<Active, StoreError>;

    /// These jobs, without those that do not exist.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError>;
}

/// Where lines are: on the items of jobs, until they are packed into rows.
#[derive(Clone, Copy)]
pub struct LogSources<'a> {
    /// Rows.
    pub lines: &'a dyn LogStore,
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Jobs that have not ended.
    pub active: &'a dyn ActiveJobs,
}

/// The criteria of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The job whose log is searched; none for all jobs.
    pub job: Option<JobId>,
    /// The event type of the lines.
    pub event_type: Option<String>,
    /// The level of the lines.
    pub level: Option<LogLevel>,
    /// Text that the lines' messages contain, in upper or lower case.
    pub contains: Option<String>,
    /// Lines from this time on.
    pub from: Option<Timestamp>,
    /// Lines up to this time.
    pub to: Option<Timestamp>,
    /// The cursor of an earlier search: only lines before it are found.
    pub before: Option<String>,
    /// The maximum number of lines.
    pub limit: usize,
}

impl Search {
    /// A search for the newest `limit` lines of a job.
    pub fn newest(job: &JobId, limit: usize) -> Self {
        Self {
            job: Some(job.clone()),
            event_type: None,
            level: None,
            contains: None,
            from: None,
            to: None,
            before: None,
            limit,
        }
    }

    /// Whether it finds a line.
    pub(super) fn fits(&self, line: &LogLine) -> bool {
        let entry = &line.entry;
        let contains = |part: &String| entry.message.to_lowercase().contains(&part.to_lowercase());
        // Only the lines of one job can be from outside the times.
        self.from.is_none_or(|from| line.at >= from)
            && self.to.is_none_or(|to| line.at <= to)
            && self.event_type.as_ref().is_none_or(|wanted| entry.event_type == *wanted)
            && self.level.is_none_or(|wanted| entry.level == wanted)
            && self.contains.as_ref().is_none_or(contains)
    }
}
