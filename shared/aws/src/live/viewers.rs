//! The flag in the Counters table that WebSocket connections are open. It lapses by itself when the last one is closed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::outbox::fanout::Viewers;
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;

use crate::errors::store_error;
use crate::items::{n, number, s, ttl};
use crate::jobs::counters::{ALONE, CounterTable};

/// The partition of the flag.
const LIVE: &str = "live";
/// How long a connection counts after it was last noted; each is noted every 8 minutes.
const LASTS: Duration = Duration::from_secs(20 * 60);
/// How often an instance notes at most.
const NOTED: Duration = Duration::from_secs(60);
/// How long an instance remembers what it has read. A read costs half if it may be a little behind, which is usually less than
/// a second; a viewer gets what was missed meanwhile two seconds after it began to follow.
const FRESH: Duration = Duration::from_millis(500);
/// Days for which the row is kept.
const DAYS: i64 = 1;

/// What an instance knows.
#[derive(Debug, Default)]
struct Known {
    /// When it last noted a connection.
    noted_at: Option<Timestamp>,
    /// When it last read the flag, and what it read.
    read: Option<(Timestamp, bool)>,
}

/// The flag.
#[derive(Debug, Clone)]
pub struct ViewerFlag {
    counters: CounterTable,
    known: Arc<Mutex<Known>>,
}

impl ViewerFlag {
    /// The flag in this table.
    pub fn new(counters: CounterTable) -> Self {
        Self { counters, known: Arc::default() }
    }

    fn known<T>(&self, with: impl FnOnce(&mut Known) -> T) -> T {
        with(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Viewers for ViewerFlag {
    async fn note(&self, now: Timestamp) -> Result<(), StoreError> {
        if self.known(|known| known.noted_at.is_some_and(|at| now < at.after(NOTED))) {
            return Ok(());
        }
        let put = self
            .counters
            .client()
            .put_item()
            .table_name(self.counters.name())
            .item("pk", s(LIVE))
            .item("sk", s(ALONE))
            .item("until", n(now.after(LASTS).millis()))
            .item("expires_at", ttl(now, DAYS));
        put.send().await.map_err(|error| store_error("note viewer", error))?;
        self.known(|known| known.noted_at = Some(now));
        Ok(())
    }

    async fn any(&self, now: Timestamp) -> Result<bool, StoreError> {
        let fresh = self.known(|known| known.read.filter(|(at, _)| now < at.after(FRESH)));
        if let Some((_, any)) = fresh {
            return Ok(any);
        }
        let flag = self.counters.get_eventually("find viewers", LIVE, ALONE).await?;
        let any = flag.and_then(|flag| number(&flag, "until")).is_some_and(|until| now.millis() < until);
        self.known(|known| known.read = Some((now, any)));
        Ok(any)
    }
}
