//! Watching a job or the queue: what happened since a cursor, each event once, in order and without gaps
//! (contract.md, Live updates).

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{Job, JobId, JobKind, Live, Status, Timestamp};
use serde_json::{Value, json};

use crate::jobs::change::JobStore;
use crate::outbox::fanout::LiveRow;
use crate::store::StoreError;
use crate::views::streamgank::live_event;

/// Rows of one read.
const ROWS: i32 = 200;
/// How long a missing row is waited for, before the rest is shown without it.
const GAP: Duration = Duration::from_secs(5);

/// The history that viewers see.
#[async_trait]
pub trait LiveStore: Send + Sync {
    /// Rows after a version, oldest first, at most `limit`; consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn live_since(&self, job: &JobId, after: u64, limit: i32) -> Result<Vec<(u64, LiveRow)>, StoreError>;
}

/// How far a viewer has seen: whole versions, and events of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The version that was seen last.
    pub version: u64,
    /// Events of it that were seen; none means all.
    pub events: Option<usize>,
}

impl Cursor {
    /// Reads a Last-Event-ID: `<version>` or `<version>.<event>`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('.') {
            None => Some(Self { version: text.parse().ok()?, events: None }),
            Some((version, event)) => {
                let seen = event.parse::<usize>().ok()?.checked_add(1)?;
                Some(Self { version: version.parse().ok()?, events: Some(seen) })
            }
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.events {
            None => write!(f, "{}", self.version),
            Some(events) => write!(f, "{}.{}", self.version, events.saturating_sub(1)),
        }
    }
}

/// One event as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveEvent {
    /// Its id.
    pub id: String,
    /// Its data.
    pub data: Value,
    /// Whether the job has ended with it.
    pub ends: bool,
}

/// A viewer of one job.
#[derive(Debug)]
pub struct Watch {
    job_id: JobId,
    cursor: Cursor,
    gap_since: Option<Timestamp>,
}

/// How a viewer is received.
#[derive(Debug)]
pub enum WatchStart {
    /// There is no such job.
    NotFound,
    /// It has ended, and the viewer has seen that: the last event was this.
    AlreadyFinished(LiveEvent),
    /// It goes on from here.
    Watch(Watch),
    /// It has ended: this is all that there is to see.
    Ended {
        /// The last event.
        last: LiveEvent,
        /// Whether no command can take the job further.
        settled: bool,
    },
    /// It has ended, and the viewer, which knows it, comes back: the request may be held until the job continues.
    AwaitRetry {
        /// What comes behind the end.
        watch: Watch,
        /// The last event.
        last: LiveEvent,
        /// Whether no command can take the job further.
        settled: bool,
    },
}

/// What a viewer gets that has seen the events up to `last` (`Last-Event-ID`), or up to `noted` (its cookie). `last`
/// takes precedence.
///
/// A viewer that sends the id of the end is stopped. A page that opens a new stream each time sends no id, and would
/// poll for ever; so does one that waits for a retry of the job.
///
/// # Errors
/// [`StoreError`].
pub async fn begin(
    jobs: &dyn JobStore,
    live: &dyn LiveStore,
    job_id: &JobId,
    last: Option<Cursor>,
    noted: Option<Cursor>,
) -> Result<WatchStart, StoreError> {
    let Some(job) = jobs.load(job_id).await?.filter(|job| job.deleted_at.is_none()) else {
        return Ok(WatchStart::NotFound);
    };
    let watch = |cursor: Cursor| Watch { job_id: job.id.clone(), cursor, gap_since: None };
    let newest = Cursor { version: job.ledger.live_version, events: None };
    if !job.status.is_final() {
        return Ok(WatchStart::Watch(watch(last.or(noted).unwrap_or(newest))));
    }
    let rows = live.live_since(job_id, job.ledger.live_version.saturating_sub(1), 1).await?;
    let (ending, settled) = (ending(&job, rows.first()), is_settled(&job));
    let has_seen_it = |cursor: Cursor| {
        cursor.version > job.ledger.live_version || cursor == newest || cursor.to_string() == ending.id
    };
    let came_back = noted.is_some_and(has_seen_it);
    Ok(match last.or(noted) {
        None => WatchStart::Ended { last: ending, settled },
        Some(cursor) if !has_seen_it(cursor) => WatchStart::Watch(watch(cursor)),
        Some(_) if came_back && (last.is_none() || !settled) => {
            WatchStart::AwaitRetry { watch: watch(newest), last: ending, settled }
        }
        Some(_) => WatchStart::AlreadyFinished(ending),
    })
}

/// Whether no command can continue a job that has ended.
fn is_settled(job: &Job) -> bool {
    match job.status {
        Status::Completed => job.kind == JobKind::Video || job.run.video_url.is_some(),
        Status::Cancelled => true,
        Status::Failed | Status::Pending | Status::Processing | Status::Rendering => false,
    }
}

/// The last event of a job that has ended; made from the job where its row is not there yet, or not any more.
fn ending(job: &Job, row: Option<&(u64, LiveRow)>) -> LiveEvent {
    let row = row.filter(|(version, _)| *version == job.ledger.live_version);
    match row.and_then(|(version, row)| Some((version, row.events.len(), row.events.last()?))) {
        Some((version, count, data)) => {
            LiveEvent { id: format!("{version}.{}", count - 1), data: data.clone(), ends: true }
        }
        None => LiveEvent {
            id: job.ledger.live_version.to_string(),
            data: live_event(job, &Live::Job, job.updated_at),
            ends: true,
        },
    }
}

impl Watch {
    /// Where the viewer is.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// What happened since; each event once. A row that is missing holds back what comes after it, for a while.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next(&mut self, live: &dyn LiveStore, now: Timestamp) -> Result<Vec<LiveEvent>, StoreError> {
        // A version of which something was seen is read again for its rest.
        let after = match self.cursor.events {
            None => self.cursor.version,
            Some(_) => self.cursor.version.saturating_sub(1),
        };
        let rows = live.live_since(&self.job_id, after, ROWS).await?;
        let mut seen = Vec::new();
        for (version, row) in rows {
            let known = if version == self.cursor.version { self.cursor.events.unwrap_or(usize::MAX) } else { 0 };
            if version > self.cursor.version && row.after > self.cursor.version && self.waits_for_gap(now) {
                break;
            }
            self.gap_since = None;
            for (index, data) in row.events.into_iter().enumerate().skip(known) {
                let ends = ends(&data);
                seen.push(LiveEvent { id: format!("{version}.{index}"), data, ends });
            }
            self.cursor = Cursor { version, events: None };
        }
        Ok(seen)
    }

    fn waits_for_gap(&mut self, now: Timestamp) -> bool {
        let since = *self.gap_since.get_or_insert(now);
        let waits = now < since.after(GAP);
        if !waits {
            tracing::warn!(job_id = %self.job_id, "a version that viewers should have seen is missing");
        }
        waits
    }
}

/// Whether an event tells that the job has ended.
fn ends(data: &Value) -> bool {
    match data["type"].as_str() {
        Some("render_completed" | "render_failed") => true,
        Some("job_update") => matches!(data["status"].as_str(), Some("completed" | "failed" | "cancelled")),
        _ => false,
    }
}

/// The first event of a stream.
pub fn connected(job_id: &JobId, now: Timestamp) -> Value {
    json!({
        "type": "connected",
        "job_id": job_id.as_str(),
        "timestamp": now.to_string(),
        "message": "Connected to job updates",
    })
}

/// What tells that the stream is alive.
pub fn heartbeat(job_id: &JobId, now: Timestamp) -> Value {
    json!({ "type": "heartbeat", "job_id": job_id.as_str(), "timestamp": now.to_string() })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Rows(Mutex<Vec<(u64, LiveRow)>>);

    impl Rows {
        fn put(&self, version: u64, after: u64, events: &[&str]) {
            let events = events.iter().map(|name| json!({ "type": name })).collect();
            self.0.lock().unwrap().push((version, LiveRow { after, events }));
            self.0.lock().unwrap().sort_by_key(|(version, _)| *version);
        }
    }

    #[async_trait]
    impl LiveStore for Rows {
        async fn live_since(&self, _: &JobId, after: u64, limit: i32) -> Result<Vec<(u64, LiveRow)>, StoreError> {
            let rows = self.0.lock().unwrap();
            Ok(rows.iter().filter(|(version, _)| *version > after).take(limit as usize).cloned().collect())
        }
    }

    fn watch(cursor: &str) -> Watch {
        let cursor = Cursor::parse(cursor).unwrap();
        Watch { job_id: JobId::parse("job_1").unwrap(), cursor, gap_since: None }
    }

    async fn ids(watch: &mut Watch, rows: &Rows, ms: i64) -> Vec<String> {
        watch.next(rows, Timestamp(ms)).await.unwrap().into_iter().map(|seen| seen.id).collect()
    }

    #[test]
    fn a_place_that_no_number_holds_is_none() {
        for good in ["0", "12", "12.0", "18446744073709551615.3"] {
            assert_eq!(Cursor::parse(good).map(|place| place.to_string()).as_deref(), Some(good));
        }
        let most = format!("1.{}", usize::MAX);
        for bad in ["", ".", "1.", ".1", "-1", "1.-1", "1.0.0", "x", "18446744073709551616", &most] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn each_event_is_seen_once_from_wherever_a_viewer_was() {
        let rows = Rows::default();
        rows.put(3, 0, &["a", "b"]);
        rows.put(4, 3, &["c"]);
        let mut one = watch("0");
        assert_eq!(ids(&mut one, &rows, 0).await, ["3.0", "3.1", "4.0"]);
        assert!(ids(&mut one, &rows, 0).await.is_empty());
        assert_eq!(ids(&mut watch("3.0"), &rows, 0).await, ["3.1", "4.0"]);
        assert_eq!(ids(&mut watch("3.1"), &rows, 0).await, ["4.0"]);
        assert_eq!(ids(&mut watch("3"), &rows, 0).await, ["4.0"]);
        assert!(ids(&mut watch("4.0"), &rows, 0).await.is_empty());
    }

    #[tokio::test]
    async fn a_missing_version_is_waited_for_but_not_for_ever() {
        let rows = Rows::default();
        rows.put(3, 0, &["a"]);
        rows.put(9, 6, &["c"]);
        let mut one = watch("0");
        assert_eq!(ids(&mut one, &rows, 0).await, ["3.0"]);
        rows.put(6, 3, &["b"]);
        assert_eq!(ids(&mut one, &rows, 1).await, ["6.0", "9.0"]);
        rows.put(20, 15, &["e"]);
        assert!(ids(&mut one, &rows, 10).await.is_empty());
        assert!(ids(&mut one, &rows, 5009).await.is_empty());
        assert_eq!(ids(&mut one, &rows, 5010).await, ["20.0"]);
    }
}
