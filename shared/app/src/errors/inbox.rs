//! What people do with errors: list, read, dismiss and count them, with bounded reads.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use reelhook_domain::errors::cause::{ErrorType, Severity};
use reelhook_domain::errors::error::{ErrorRow, ErrorState};
use reelhook_domain::{ProjectId, Timestamp};

use crate::clock::ClockAndRandom;
use crate::errors::store::{ErrorCursor, ErrorInbox, ErrorPage, ErrorRange};
use crate::retry::Retry;
use crate::store::{Saved, StoreError};

/// Rows of one read.
const ROWS: usize = 100;
/// Rows that one list examines at most; after these it ends with a cursor.
const EXAMINED: usize = 1000;
/// Rows of a state that are counted at most.
const COUNTED: usize = 2000;
/// Errors that one call dismisses at most.
const DISMISSED: usize = 2000;
/// Errors that are dismissed concurrently.
const AT_ONCE: usize = 16;
/// Attempts to dismiss an error that other writers change.
const ATTEMPTS: u32 = 10;

/// Which errors a list has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Only those of this severity.
    pub severity: Option<Severity>,
    /// Only those of this type.
    pub kind: Option<ErrorType>,
    /// Only those about this project and its scenes.
    pub project: Option<ProjectId>,
    /// Those that are resolved instead of those that are active.
    pub resolved: bool,
    /// Only those after this cursor.
    pub after: Option<ErrorCursor>,
    /// The most errors in the answer.
    pub limit: usize,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The errors, the most severe first, then the newest first.
    pub errors: Vec<ErrorRow>,
    /// The cursor after which the list goes on; none at its end.
    pub next: Option<ErrorCursor>,
}

/// A page of active or resolved errors.
///
/// # Errors
/// [`StoreError`].
pub async fn list(inbox: &dyn ErrorInbox, search: &Search, now: Timestamp) -> Result<Found, StoreError> {
    let state = if search.resolved { ErrorState::Resolved } else { ErrorState::Open };
    let mut after = search.after.clone();
    let mut found = Found::default();
    let mut examined = 0;
    loop {
        let range = ErrorRange { state, severity: search.severity, after, limit: ROWS };
        let ErrorPage { errors, next } = inbox.range(&range).await?;
        examined += errors.len();
        for error in errors {
            if ends_open(&error, state, now) {
                return Ok(found);
            }
            let cursor = ErrorCursor::of(&error);
            let is_wanted = search.kind.is_none_or(|kind| error.cause.error_type() == kind)
                && search.project.as_ref().is_none_or(|project| error.is_about(project));
            if is_wanted && error.state(now) == state && !error.is_gone(now) {
                found.errors.push(error);
            }
            if found.errors.len() == search.limit {
                found.next = Some(cursor);
                return Ok(found);
            }
        }
        if next.is_none() || examined >= EXAMINED {
            found.next = next;
            return Ok(found);
        }
        after = next;
    }
}

/// Whether all errors from this one on have dismissed themselves: they are the last, and the newest comes first.
fn ends_open(error: &ErrorRow, state: ErrorState, now: Timestamp) -> bool {
    state == ErrorState::Open && error.dismisses_itself_at().is_some_and(|at| at <= now)
}

/// The error with this id, as long as readers see it.
///
/// # Errors
/// [`StoreError`].
pub async fn find(inbox: &dyn ErrorInbox, id: &str, now: Timestamp) -> Result<Option<ErrorRow>, StoreError> {
    Ok(inbox.by_id(id).await?.filter(|error| !error.is_gone(now)))
}

/// Dismisses an error. The answer is the dismissed error, with the time of its first dismissal; none if it does not exist
/// or cannot be dismissed.
///
/// # Errors
/// [`StoreError`].
pub async fn dismiss(
    inbox: &dyn ErrorInbox,
    id: &str,
    clock: &dyn ClockAndRandom,
) -> Result<Option<ErrorRow>, StoreError> {
    Ok(match dismiss_once(inbox, id, clock).await? {
        Dismissal::Now(error) | Dismissal::Before(error) => Some(*error),
        Dismissal::Impossible => None,
    })
}

/// What a dismissal did.
enum Dismissal {
    /// It dismissed the error.
    Now(Box<ErrorRow>),
    /// The error was dismissed before.
    Before(Box<ErrorRow>),
    /// The error does not exist or cannot be dismissed.
    Impossible,
}

async fn dismiss_once(inbox: &dyn ErrorInbox, id: &str, clock: &dyn ClockAndRandom) -> Result<Dismissal, StoreError> {
    let mut retry = Retry::new(clock, ATTEMPTS);
    while retry.attempt().await {
        let now = clock.now();
        let Some(error) = find(inbox, id, now).await?.filter(|error| error.cause.is_dismissible()) else {
            return Ok(Dismissal::Impossible);
        };
        let Some(next) = error.dismissed(now) else { return Ok(Dismissal::Before(Box::new(error))) };
        if inbox.save(&next).await? == Saved::Done {
            tracing::info!(error_id = next.id, "error dismissed");
            return Ok(Dismissal::Now(Box::new(next)));
        }
    }
    Err(StoreError::Busy { operation: "dismiss error", source: "the error changed on each attempt".into() })
}

/// Dismisses all active errors that can be dismissed; the answer is their number.
///
/// # Errors
/// [`StoreError`]; those that are dismissed by then stay so, and a repeat dismisses the others.
pub async fn dismiss_all(inbox: &dyn ErrorInbox, clock: &dyn ClockAndRandom) -> Result<usize, StoreError> {
    let (mut after, mut dismissed, mut examined) = (None, 0, 0);
    loop {
        let range = ErrorRange { state: ErrorState::Open, severity: None, after, limit: ROWS };
        let ErrorPage { errors, next } = inbox.range(&range).await?;
        let now = clock.now();
        examined += errors.len();
        let ended = errors.iter().any(|error| ends_open(error, ErrorState::Open, now));
        let active = errors.iter().filter(|error| error.is_active(now) && error.cause.is_dismissible());
        let dismissals: Vec<_> = active.map(|error| dismiss_once(inbox, &error.id, clock)).collect();
        let results: Vec<_> = futures_util::stream::iter(dismissals).buffered(AT_ONCE).collect().await;
        for result in results {
            dismissed += usize::from(matches!(result?, Dismissal::Now(_)));
        }
        if ended || next.is_none() || examined >= DISMISSED {
            return Ok(dismissed);
        }
        after = next;
    }
}

/// The numbers of errors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Active errors.
    pub active: u64,
    /// Dismissed errors.
    pub dismissed: u64,
    /// Active errors by severity.
    pub by_severity: BTreeMap<Severity, u64>,
    /// Active errors by type.
    pub by_type: BTreeMap<ErrorType, u64>,
    /// Whether counting stopped at its bound, so that there are more.
    pub partial: bool,
}

/// Counts active and dismissed errors, at most some thousands. It reads whole rows: their cause and times decide, and
/// DynamoDB would count rows of the index at the same price.
///
/// # Errors
/// [`StoreError`].
pub async fn stats(inbox: &dyn ErrorInbox, now: Timestamp) -> Result<Stats, StoreError> {
    let mut stats = Stats::default();
    for state in [ErrorState::Open, ErrorState::Dismissed] {
        let (mut after, mut examined) = (None, 0);
        loop {
            // As much as one answer has: the number of reads does not grow with the first errors.
            let range = ErrorRange { state, severity: None, after, limit: COUNTED - examined };
            let ErrorPage { errors, next } = inbox.range(&range).await?;
            examined += errors.len();
            for error in errors.iter().filter(|error| !error.is_gone(now)) {
                stats.count(error, now);
            }
            if next.is_none() {
                break;
            }
            if examined >= COUNTED {
                stats.partial = true;
                break;
            }
            after = next;
        }
    }
    Ok(stats)
}

impl Stats {
    fn count(&mut self, error: &ErrorRow, now: Timestamp) {
        match error.state(now) {
            ErrorState::Open => {
                self.active += 1;
                *self.by_severity.entry(error.cause.severity()).or_default() += 1;
                *self.by_type.entry(error.cause.error_type()).or_default() += 1;
            }
            ErrorState::Dismissed => self.dismissed += 1,
            ErrorState::Resolved => {}
        }
    }
}
