//! Reads of live events that the viewers of one invocation share. A read answers those who requested it before it began, so
//! that nobody gets less than with a read of their own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::lock::Mutex as AsyncMutex;
use reelhook_domain::{Subject, Timestamp};

use crate::outbox::rows::StoredLive;
use crate::store::StoreError;
use crate::watch::LiveStore;

/// Live events by their versions.
type Rows = Vec<(u64, StoredLive)>;

/// What is read: the events of a subject after a version, and at most how many.
type Range = (Subject, u64, i32);

/// The requests for a range so far, and its last read.
#[derive(Default)]
struct Requested {
    count: u64,
    last: Arc<AsyncMutex<Read>>,
}

/// A read, and the number of requests that came before it began.
struct Read {
    answers: u64,
    found: Result<Rows, StoreError>,
}

impl Default for Read {
    fn default() -> Self {
        Self { answers: 0, found: Ok(Vec::new()) }
    }
}

/// Live events that viewers at the same position read together.
pub(super) struct SharedReads<'a> {
    live: &'a dyn LiveStore,
    requested: Mutex<BTreeMap<Range, Requested>>,
}

impl<'a> SharedReads<'a> {
    /// Reads of this store.
    pub(super) fn new(live: &'a dyn LiveStore) -> Self {
        Self { live, requested: Mutex::default() }
    }

    fn requested<T>(&self, range: &Range, with: impl FnOnce(&mut Requested) -> T) -> T {
        let mut requested = self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        with(requested.entry(range.clone()).or_default())
    }
}

#[async_trait]
impl LiveStore for SharedReads<'_> {
    async fn live_since(&self, subject: &Subject, after: u64, limit: i32) -> Result<Rows, StoreError> {
        let range = (subject.clone(), after, limit);
        let (number, last) = self.requested(&range, |of| {
            of.count += 1;
            (of.count, Arc::clone(&of.last))
        });
        let mut last = last.lock().await;
        if last.answers < number {
            let answers = self.requested(&range, |of| of.count);
            *last = Read { answers, found: self.live.live_since(subject, after, limit).await };
        }
        match &last.found {
            Ok(rows) => Ok(rows.clone()),
            Err(error) => Err(error.copy()),
        }
    }

    async fn written_at(&self, subject: &Subject, version: u64) -> Result<Option<Timestamp>, StoreError> {
        self.live.written_at(subject, version).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::future::join_all;

    use super::*;

    /// Each read finds what the reads before it have found, and one event more; the third fails.
    #[derive(Default)]
    struct Growing(AtomicU64);

    #[async_trait]
    impl LiveStore for Growing {
        async fn live_since(&self, _: &Subject, after: u64, _: i32) -> Result<Rows, StoreError> {
            let reads = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::task::yield_now().await;
            if reads == 3 {
                return Err(StoreError::Busy { operation: "read", source: "busy".into() });
            }
            let row = |version| (version, StoredLive::Rendered { after: version - 1, events: Vec::new() });
            Ok((after + 1..=after + reads).map(row).collect())
        }
    }

    #[tokio::test]
    async fn those_who_request_a_read_before_it_begins_share_it() {
        let (live, job) = (Growing::default(), Subject::parse("job_1").unwrap());
        let reads = SharedReads::new(&live);
        let found = async |after: u64| reads.live_since(&job, after, 200).await.map(|rows| rows.len());
        // The first one begins at once, and the others wait for the second read, which begins after they came.
        let all = join_all([found(7), found(7), found(7), found(7)]).await;
        assert_eq!(all.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2, 2, 2]);
        // A failure is not kept.
        let all = join_all([found(7), found(7)]).await;
        assert!(all[0].as_ref().is_err_and(StoreError::is_busy));
        assert_eq!(all[1].as_ref().ok(), Some(&4));
        // Another position is another read.
        assert_eq!(found(8).await.unwrap(), 5);
        assert_eq!(live.0.load(Ordering::Relaxed), 5);
    }
}
