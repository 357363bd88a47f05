//! The Errors table in memory: rows by group, markers by step.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use reelhook_app::errors::store::{
    Caused, ErrorCursor, ErrorFeed, ErrorInbox, ErrorPage, ErrorRange, ErrorStore, PASSING, SavedStep, changed, class,
    group, rank,
};
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::errors::cause::Severity;
use reelhook_domain::errors::error::{ErrorRow, ErrorState};
use reelhook_domain::{EventId, OutboundEvent};

/// Errors and the markers of their steps.
#[derive(Debug, Default)]
pub struct MemoryErrors {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<String, ErrorRow>,
    markers: BTreeMap<EventId, Option<Caused>>,
    reads: usize,
    lost: usize,
}

impl MemoryErrors {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The answers of so many writes of steps get lost.
    pub fn lose_answers(&self, count: usize) {
        self.state().lost = count;
    }

    /// All errors.
    pub fn all(&self) -> Vec<ErrorRow> {
        self.state().rows.values().cloned().collect()
    }

    /// The only error.
    pub fn only(&self) -> ErrorRow {
        let mut all = self.all();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// Ranges that were read so far.
    pub fn reads(&self) -> usize {
        self.state().reads
    }
}

#[async_trait]
impl ErrorStore for MemoryErrors {
    async fn error(&self, group: &str) -> Result<Option<ErrorRow>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.state().rows.get(group).cloned())
    }

    async fn save_step(
        &self,
        step: &EventId,
        was: Option<u64>,
        next: &ErrorRow,
        caused: Option<OutboundEvent>,
    ) -> Result<SavedStep, StoreError> {
        tokio::task::yield_now().await;
        let mut state = self.state();
        if let Some(before) = state.markers.get(step) {
            return Ok(SavedStep::Before(before.clone().map(Box::new)));
        }
        let group = group(next.cause, &next.about);
        if state.rows.get(&group).map(|row| row.version) != was {
            return Ok(SavedStep::Conflict);
        }
        state.rows.insert(group, next.clone());
        let caused = caused.map(|event| Caused { event, error: next.clone() });
        state.markers.insert(step.clone(), caused);
        if state.lost > 0 {
            state.lost -= 1;
            return Err(StoreError::Busy { operation: "save step", source: "the answer is lost".into() });
        }
        Ok(SavedStep::Done)
    }

    async fn caused_by(&self, step: &EventId) -> Result<Option<Caused>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.state().markers.get(step).cloned().flatten())
    }
}

#[async_trait]
impl ErrorInbox for MemoryErrors {
    async fn by_id(&self, id: &str) -> Result<Option<ErrorRow>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.state().rows.values().find(|error| error.id == id).cloned())
    }

    async fn range(&self, range: &ErrorRange) -> Result<ErrorPage, StoreError> {
        tokio::task::yield_now().await;
        let mut state = self.state();
        state.reads += 1;
        let of_severity = |error: &ErrorRow| {
            let last = |severity| if severity == Severity::Info { PASSING } else { class(severity) };
            let class_of = rank(error).chars().next().unwrap();
            range.severity.is_none_or(|one| (class(one)..=last(one)).contains(&class_of))
        };
        let stored = |error: &ErrorRow| match (error.dismissed_at, error.resolved_at) {
            (Some(_), _) => ErrorState::Dismissed,
            (None, Some(_)) => ErrorState::Resolved,
            (None, None) => ErrorState::Open,
        };
        let key = |cursor: &ErrorCursor| (cursor.rank.clone(), cursor.group.clone());
        let after = range.after.as_ref().map(key);
        let mut errors: Vec<ErrorRow> = state
            .rows
            .values()
            .filter(|error| stored(error) == range.state && of_severity(error))
            .filter(|error| after.as_ref().is_none_or(|after| key(&ErrorCursor::of(error)) > *after))
            .cloned()
            .collect();
        errors.sort_by_key(|error| key(&ErrorCursor::of(error)));
        let more = errors.len() > range.limit;
        errors.truncate(range.limit);
        let next = errors.last().filter(|_| more).map(ErrorCursor::of);
        Ok(ErrorPage { errors, next })
    }

    async fn save(&self, error: &ErrorRow) -> Result<Saved<ErrorRow>, StoreError> {
        tokio::task::yield_now().await;
        let mut state = self.state();
        let group = group(error.cause, &error.about);
        let stored = state.rows.get(&group).cloned();
        if stored.as_ref().map(|stored| stored.version) != Some(error.version - 1) {
            return Ok(Saved::Conflict(stored.map(Box::new)));
        }
        state.rows.insert(group, error.clone());
        Ok(Saved::Done)
    }
}

#[async_trait]
impl ErrorFeed for MemoryErrors {
    async fn changes(&self, after: &str, before: &str, limit: usize) -> Result<Vec<ErrorRow>, StoreError> {
        tokio::task::yield_now().await;
        let mut found: Vec<ErrorRow> = self.all();
        found.retain(|error| changed(error).as_str() > after && changed(error).as_str() < before);
        found.sort_by_key(changed);
        found.truncate(limit);
        Ok(found)
    }
}
