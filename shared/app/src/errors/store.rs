//! The ports of errors: a row for each cause and subject, lists by state, and a feed of changes.

use async_trait::async_trait;
use reelhook_domain::errors::cause::{Cause, Severity};
use reelhook_domain::errors::error::{ErrorRow, ErrorState};
use reelhook_domain::{EventId, OutboundEvent, Timestamp};

use crate::digest::sha256_hex;
use crate::store::{Saved, StoreError};

/// The largest time in milliseconds that a cursor has room for.
const LAST_MS: i64 = 9_999_999_999_999;

/// The key of the one error that a cause has about a subject.
pub fn group(cause: Cause, about: &str) -> String {
    sha256_hex(format!("{}\n{about}", cause.name()))
}

/// The cursor of an error among those of its state: by severity, then the newest first. Errors that dismiss themselves
/// come last, so that a list ends at the first that has done so.
pub fn rank(error: &ErrorRow) -> String {
    let class = match error.cause.auto_dismiss() {
        None => class(error.cause.severity()),
        Some(_) => PASSING,
    };
    let inverted = LAST_MS.saturating_sub(error.last_seen.millis()).clamp(0, LAST_MS);
    format!("{class}{inverted:013}")
}

/// The class of errors that dismiss themselves.
pub const PASSING: char = '4';

/// The first character of the rank of errors that stay until a person or the end of their cause removes them.
pub fn class(severity: Severity) -> char {
    match severity {
        Severity::Critical => '0',
        Severity::Error => '1',
        Severity::Warning => '2',
        Severity::Info => '3',
    }
}

/// The cursor of an error in the feed of changes: the time of its newest change, and its id.
pub fn changed(error: &ErrorRow) -> String {
    feed_cursor(error.updated_at, &error.id)
}

/// The cursor in the feed of a change of this time; without an id, the cursor before all of them.
pub fn feed_cursor(at: Timestamp, id: &str) -> String {
    format!("{:013}.{id}", at.millis())
}

/// What a step caused: a webhook event, about the error as the step left it.
#[derive(Debug, Clone, PartialEq)]
pub struct Caused {
    /// The event.
    pub event: OutboundEvent,
    /// The error.
    pub error: ErrorRow,
}

/// The result of saving a step.
#[derive(Debug, Clone, PartialEq)]
pub enum SavedStep {
    /// It was saved.
    Done,
    /// It was saved before, and this is what it caused.
    Before(Option<Box<Caused>>),
    /// Another writer changed the error.
    Conflict,
}

/// Stores errors and the markers of their steps.
#[async_trait]
pub trait ErrorStore: Send + Sync {
    /// The error of this group, strongly consistent; also one that readers no longer see.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn error(&self, group: &str) -> Result<Option<ErrorRow>, StoreError>;

    /// Saves an error after a step, with the step's marker, in one transaction: only if no step of this id was saved
    /// before, and the stored version is `was` (none if there is no error). The marker keeps what the step `caused`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save_step(
        &self,
        step: &EventId,
        was: Option<u64>,
        next: &ErrorRow,
        caused: Option<OutboundEvent>,
    ) -> Result<SavedStep, StoreError>;

    /// What a step caused; none if it caused nothing or was not saved.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn caused_by(&self, step: &EventId) -> Result<Option<Caused>, StoreError>;
}

/// A part of the errors of one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRange {
    /// The state as it was stored: an error that dismissed itself is stored as open.
    pub state: ErrorState,
    /// Only errors of this severity.
    pub severity: Option<Severity>,
    /// Only errors after this cursor.
    pub after: Option<ErrorCursor>,
    /// The most rows to read.
    pub limit: usize,
}

/// The cursor of an error in a list: its rank and its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCursor {
    /// [`rank`].
    pub rank: String,
    /// [`group`].
    pub group: String,
}

impl ErrorCursor {
    /// The cursor of an error.
    pub fn of(error: &ErrorRow) -> Self {
        Self { rank: rank(error), group: group(error.cause, &error.about) }
    }

    /// Whether it is a cursor among the errors of this severity.
    pub fn is_of(&self, severity: Severity) -> bool {
        let passing = severity == Severity::Info && self.rank.starts_with(PASSING);
        passing || self.rank.starts_with(class(severity))
    }

    /// Reads the text of a cursor.
    pub fn parse(text: &str) -> Option<Self> {
        let (rank, group) = text.split_once('.')?;
        let is_rank = rank.len() == 14 && rank.bytes().all(|byte| byte.is_ascii_digit());
        let is_group = group.len() == 64 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_rank && is_group).then(|| Self { rank: rank.to_owned(), group: group.to_owned() })
    }
}

impl std::fmt::Display for ErrorCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.rank, self.group)
    }
}

/// Rows of a range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ErrorPage {
    /// The errors, in the order of their ranks.
    pub errors: Vec<ErrorRow>,
    /// The cursor after which the range goes on; none at its end.
    pub next: Option<ErrorCursor>,
}

/// Lists errors, and saves what people change.
#[async_trait]
pub trait ErrorInbox: Send + Sync {
    /// The error with this id, strongly consistent; also one that readers no longer see.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn by_id(&self, id: &str) -> Result<Option<ErrorRow>, StoreError>;

    /// A part of the errors of a state; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn range(&self, range: &ErrorRange) -> Result<ErrorPage, StoreError>;

    /// Replaces an error on condition that its stored version is one lower.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save(&self, error: &ErrorRow) -> Result<Saved<ErrorRow>, StoreError>;
}

/// The feed of changes.
#[async_trait]
pub trait ErrorFeed: Send + Sync {
    /// Errors whose newest change is after one cursor of the feed and before another, the oldest change first, at most
    /// `limit`; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn changes(&self, after: &str, before: &str, limit: usize) -> Result<Vec<ErrorRow>, StoreError>;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reelhook_domain::errors::cause::Raise;

    use super::*;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn error(cause: Cause, seconds: u64) -> ErrorRow {
        let at = NOON.after(Duration::from_secs(seconds));
        let raise = Raise { cause, about: "a".to_owned(), message: String::new(), context: Default::default() };
        ErrorRow::raised(&raise, at, at)
    }

    #[test]
    fn errors_rank_by_severity_and_then_the_newest_first() {
        let expected = [
            error(Cause::StitchFailed, 0),
            error(Cause::VideoFailed, 9),
            error(Cause::VideoFailed, 3),
            error(Cause::NextSceneBlocked, 5),
            error(Cause::ProjectCompleted, 20),
            error(Cause::ProjectCompleted, 10),
        ];
        let mut ranks: Vec<String> = expected.iter().map(rank).collect();
        let in_order = ranks.clone();
        ranks.sort();
        assert_eq!(ranks, in_order);
    }

    #[test]
    fn a_group_follows_from_cause_and_subject_only() {
        assert_eq!(group(Cause::Poison, "Jobs"), group(Cause::Poison, "Jobs"));
        assert_ne!(group(Cause::Poison, "Jobs"), group(Cause::Poison, "Projects"));
        assert_ne!(group(Cause::Poison, "Jobs"), group(Cause::DeadLetters, "Jobs"));
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = ErrorCursor::of(&error(Cause::VideoFailed, 0));
        assert_eq!(ErrorCursor::parse(&cursor.to_string()), Some(cursor.clone()));
        for bad in ["", "1", ".", "a.b", &format!("{}.short", cursor.rank), &format!("9{cursor}")] {
            assert_eq!(ErrorCursor::parse(bad), None, "{bad}");
        }
    }
}
