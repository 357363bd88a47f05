//! Watching an aggregate of any kind: its live events since a cursor, each once, in order and without gaps
//! (docs/contract/live.md, Positions).

use crate::views::dialect::Dialect;
use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{Live, Subject, Timestamp};
use serde_json::Value;

use crate::change::AggregateStore;
use crate::outbox::rows::{LiveRow, StoredLive};
use crate::outbox::source::FanoutSource;
use crate::store::StoreError;
use crate::views;

/// Rows of one read.
pub(crate) const ROWS: i32 = 200;
/// How long a missing row holds back the rows after it, from the time at which the first of these was written.
pub(crate) const GAP: Duration = Duration::from_secs(5);
/// How long the stream keeps a record (DynamoDB Streams, "Change data capture for DynamoDB Streams"): rows that fanout has
/// not written by then never come.
pub(crate) const STREAM_KEEPS: Duration = Duration::from_secs(24 * 3600);

/// Reads live events.
#[async_trait]
pub trait LiveStore: Send + Sync {
    /// Rows after a version, oldest first, at most `limit`; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn live_since(&self, subject: &Subject, after: u64, limit: i32)
    -> Result<Vec<(u64, StoredLive)>, StoreError>;

    /// When the row with the live events of a version was written, strongly consistent; none if that is not stored. It is
    /// asked about a version behind missing ones only.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn written_at(&self, _subject: &Subject, _version: u64) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}

/// A viewer's position: the last version of which it has seen events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The version.
    pub version: u64,
    /// The number of its events that the viewer has seen; none for all.
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

/// A live event as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveEvent {
    /// Its id.
    pub id: String,
    /// Its data.
    pub data: Value,
    /// Whether the job ends with it.
    pub ends: bool,
}

/// An aggregate that viewers watch.
pub trait Watched: FanoutSource {
    /// The newest version with live events; 0 for none.
    fn live_version(&self) -> u64;

    /// Whether it has ended.
    fn has_ended(&self) -> bool;

    /// Whether it has ended and no command can continue it.
    fn is_settled(&self) -> bool;

    /// The live event that shows its end.
    fn ending(&self) -> Live;
}

/// A viewer of one aggregate.
#[derive(Debug)]
pub struct Watch {
    subject: Subject,
    dialect: Dialect,
    cursor: Cursor,
    gap_since: Option<Timestamp>,
}

/// A version of which a viewer has not seen every event.
#[derive(Debug, Clone, PartialEq)]
pub struct Unseen {
    /// The version.
    pub version: u64,
    /// Its events.
    pub row: StoredLive,
    /// The number of its events that the viewer has seen.
    known: usize,
}

impl Unseen {
    /// The events that the viewer has not seen, in order.
    pub fn events(&self, subject: &Subject, dialect: Dialect) -> Vec<LiveEvent> {
        render(subject, dialect, self.version, &self.row).into_iter().skip(self.known).collect()
    }
}

/// What a viewer gets first.
#[derive(Debug)]
pub enum WatchStart {
    /// What it wants to watch does not exist.
    NotFound,
    /// The job or the project has ended, and the viewer has seen the last event, which is this.
    AlreadyFinished(LiveEvent),
    /// The viewer watches from its position on.
    Watch(Watch),
    /// The job has ended, and the viewer has not seen that.
    Ended {
        /// The last event.
        last: LiveEvent,
        /// Whether no command can continue the job.
        settled: bool,
    },
    /// The job has ended, and a viewer that has seen that comes back: the request may be held until the job continues.
    AwaitRetry {
        /// The events after the end.
        watch: Watch,
        /// The last event.
        last: LiveEvent,
        /// Whether no command can continue the job.
        settled: bool,
    },
}

/// Begins to watch for a viewer that has seen the events up to `last` (`Last-Event-ID`), or up to `noted` (its
/// cookie). `last` takes precedence.
///
/// A viewer that sends the id of the end is stopped. A page that opens a new stream each time sends no id, and would
/// poll for ever; so does one that waits for a retry of the job.
///
/// # Errors
/// [`StoreError`].
pub async fn begin<A: Watched, S: AggregateStore<A> + ?Sized>(
    store: &S,
    live: &dyn LiveStore,
    id: &A::Id,
    last: Option<Cursor>,
    noted: Option<Cursor>,
) -> Result<WatchStart, StoreError> {
    let Some(watched) = store.load(id).await?.filter(|watched| !watched.is_deleted()) else {
        return Ok(WatchStart::NotFound);
    };
    let (subject, dialect, live_version) = (watched.subject(), watched.view().dialect(), watched.live_version());
    let watch = |cursor: Cursor| Watch { subject: subject.clone(), dialect, cursor, gap_since: None };
    let newest = Cursor { version: live_version, events: None };
    if !watched.has_ended() {
        return Ok(WatchStart::Watch(watch(last.or(noted).unwrap_or(newest))));
    }
    let rows = live.live_since(&subject, live_version.saturating_sub(1), 1).await?;
    let (ending, settled) = (ending(&watched, rows.first()), watched.is_settled());
    let has_seen_it =
        |cursor: Cursor| cursor.version > live_version || cursor == newest || cursor.to_string() == ending.id;
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

/// The event that shows the end; made from the aggregate if its row does not exist yet or no longer, or if something else
/// was shown after it, such as a copied file.
fn ending<A: Watched>(watched: &A, row: Option<&(u64, StoredLive)>) -> LiveEvent {
    let (subject, dialect, live_version) = (watched.subject(), watched.view().dialect(), watched.live_version());
    let row = row.filter(|(version, _)| *version == live_version);
    let last = row.and_then(|(version, row)| render(&subject, dialect, *version, row).pop());
    let id = match last {
        Some(last) if last.ends => return last,
        Some(last) => last.id,
        None => live_version.to_string(),
    };
    let events = vec![watched.ending()];
    let row = LiveRow { after: 0, at: watched.updated_at(), snapshot: watched.live_snapshot(&events), events };
    let data = views::of(dialect).live_event(&subject, &row, &watched.ending());
    LiveEvent { id, data, ends: true }
}

/// All events of a version as they are sent.
fn render(subject: &Subject, dialect: Dialect, version: u64, row: &StoredLive) -> Vec<LiveEvent> {
    let view = views::of(dialect);
    let rendered: Vec<(Value, bool)> = match row {
        StoredLive::Events(row) => {
            let events = row.events.iter();
            events.map(|event| (view.live_event(subject, row, event), event.ends(&row.snapshot))).collect()
        }
        StoredLive::Rendered { events, .. } => events.iter().map(|event| (event.data.clone(), event.ends)).collect(),
    };
    let numbered = rendered.into_iter().enumerate();
    numbered.map(|(index, (data, ends))| LiveEvent { id: format!("{version}.{index}"), data, ends }).collect()
}

impl Watch {
    /// A viewer at a position; a row that is missing holds back others from `gap_since` on.
    pub fn at(subject: Subject, dialect: Dialect, cursor: Cursor, gap_since: Option<Timestamp>) -> Self {
        Self { subject, dialect, cursor, gap_since }
    }

    /// Since when a missing row has held back the rows after it: the time at which they were written, whichever connection
    /// finds that. Where it is not stored, the time at which this one found it.
    pub fn gap_since(&self) -> Option<Timestamp> {
        self.gap_since
    }

    /// The first event of the stream.
    pub fn connected(&self, now: Timestamp) -> Value {
        views::of(self.dialect).connected(&self.subject, now)
    }

    /// The event that shows that the stream is alive.
    pub fn heartbeat(&self, now: Timestamp) -> Value {
        views::of(self.dialect).heartbeat(&self.subject, now)
    }

    /// The viewer's position.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The events since the viewer's position, each once. A missing row holds back the rows after it for a while.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next(&mut self, live: &dyn LiveStore, now: Timestamp) -> Result<Vec<LiveEvent>, StoreError> {
        let unseen = self.unseen(live, now).await?;
        Ok(unseen.iter().flat_map(|unseen| unseen.events(&self.subject, self.dialect)).collect())
    }

    /// Like [`Self::next`], by versions.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unseen(&mut self, live: &dyn LiveStore, now: Timestamp) -> Result<Vec<Unseen>, StoreError> {
        // A version that the viewer has seen in part is read again for the rest.
        let after = match self.cursor.events {
            None => self.cursor.version,
            Some(_) => self.cursor.version.saturating_sub(1),
        };
        let rows = live.live_since(&self.subject, after, ROWS).await?;
        let mut unseen = Vec::with_capacity(rows.len());
        for (version, row) in rows {
            let known = if version == self.cursor.version { self.cursor.events.unwrap_or(usize::MAX) } else { 0 };
            let is_behind_gap = version > self.cursor.version && row.after() > self.cursor.version;
            if is_behind_gap && self.waits_for_gap(live, version, now).await? {
                break;
            }
            self.gap_since = None;
            unseen.push(Unseen { version, row, known });
            self.cursor = Cursor { version, events: None };
        }
        Ok(unseen)
    }

    /// Whether the versions before this one may still come.
    async fn waits_for_gap(&mut self, live: &dyn LiveStore, version: u64, now: Timestamp) -> Result<bool, StoreError> {
        let since = match self.gap_since {
            Some(since) => since,
            None => live.written_at(&self.subject, version).await?.unwrap_or(now),
        };
        self.gap_since = Some(since);
        let waits = now < since.after(GAP);
        if !waits {
            tracing::warn!(subject = %self.subject, "the live events of a version are missing");
        }
        Ok(waits)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use reelhook_domain::{JobSnapshot, LiveSnapshot, Status};
    use serde_json::json;

    use super::*;
    use crate::outbox::rows::RenderedEvent;

    /// Rows, and when they were written.
    #[derive(Default)]
    struct Rows(Mutex<Vec<(u64, StoredLive)>>, Option<Timestamp>);

    impl Rows {
        fn put(&self, version: u64, after: u64, events: &[&str]) {
            let events = events.iter().map(|name| Live::Render { status: (*name).to_owned() }).collect();
            let row = LiveRow { after, at: Timestamp(0), events, snapshot: snapshot(Status::Rendering) };
            self.0.lock().unwrap().push((version, StoredLive::Events(row)));
            self.0.lock().unwrap().sort_by_key(|(version, _)| *version);
        }
    }

    #[async_trait]
    impl LiveStore for Rows {
        async fn live_since(&self, _: &Subject, after: u64, limit: i32) -> Result<Vec<(u64, StoredLive)>, StoreError> {
            let rows = self.0.lock().unwrap();
            Ok(rows.iter().filter(|(version, _)| *version > after).take(limit as usize).cloned().collect())
        }

        async fn written_at(&self, _: &Subject, _: u64) -> Result<Option<Timestamp>, StoreError> {
            Ok(self.1)
        }
    }

    fn watch(cursor: &str) -> Watch {
        let cursor = Cursor::parse(cursor).unwrap();
        Watch { subject: Subject::parse("job_1").unwrap(), dialect: Dialect::StreamGank, cursor, gap_since: None }
    }

    fn snapshot(status: Status) -> LiveSnapshot {
        let current_step = "Rendering".to_owned();
        LiveSnapshot::Job(JobSnapshot {
            status,
            progress: 90,
            current_step,
            video_url: None,
            error: None,
            render_id: None,
            step_details: BTreeMap::new(),
        })
    }

    async fn ids(watch: &mut Watch, rows: &Rows, ms: i64) -> Vec<String> {
        watch.next(rows, Timestamp(ms)).await.unwrap().into_iter().map(|seen| seen.id).collect()
    }

    #[test]
    fn a_cursor_with_a_number_that_does_not_fit_is_none() {
        for good in ["0", "12", "12.0", "18446744073709551615.3"] {
            assert_eq!(Cursor::parse(good).map(|cursor| cursor.to_string()).as_deref(), Some(good));
        }
        let most = format!("1.{}", usize::MAX);
        for bad in ["", ".", "1.", ".1", "-1", "1.-1", "1.0.0", "x", "18446744073709551616", &most] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn each_event_is_seen_once_from_any_position() {
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
    async fn a_missing_version_holds_back_the_next_ones_for_a_while() {
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

    #[tokio::test]
    async fn a_viewer_who_is_cut_off_again_and_again_gets_past_a_missing_version() {
        let rows = Rows(Mutex::default(), Some(Timestamp(60_000)));
        // The versions are older than their rows: fanout was late.
        rows.put(3, 0, &["a"]);
        rows.put(9, 6, &["c"]);
        for ms in [60_001, 62_000, 64_999] {
            assert!(ids(&mut watch("3.0"), &rows, ms).await.is_empty(), "{ms}");
        }
        assert_eq!(ids(&mut watch("3.0"), &rows, 65_000).await, ["9.0"]);
        // One that was there before sees the same.
        let mut other = watch("3.0");
        assert!(ids(&mut other, &rows, 60_001).await.is_empty());
        assert_eq!(ids(&mut other, &rows, 65_000).await, ["9.0"]);
    }

    #[tokio::test]
    async fn rows_of_older_versions_are_sent_as_they_were_rendered() {
        let rows = Rows::default();
        let rendered = json!({ "type": "job_update", "status": "failed", "extra": [1] });
        let events = vec![RenderedEvent { data: rendered.clone(), ends: true }];
        rows.0.lock().unwrap().push((3, StoredLive::Rendered { after: 0, events }));
        let row = |status| {
            let row = LiveRow { after: 3, at: Timestamp(0), events: vec![Live::Job], snapshot: snapshot(status) };
            StoredLive::Events(row)
        };
        rows.0.lock().unwrap().extend([(4, row(Status::Pending)), (5, row(Status::Cancelled))]);
        let seen = watch("0").next(&rows, Timestamp(0)).await.unwrap();
        assert_eq!(seen[0], LiveEvent { id: "3.0".to_owned(), data: rendered, ends: true });
        let update = |id: &str, status: &str, ends| {
            let data = json!({
                "job_id": "job_1", "timestamp": "1970-01-01T00:00:00.000Z", "status": status, "progress": 90,
                "currentStep": "Rendering", "error": null, "type": "job_update",
            });
            LiveEvent { id: id.to_owned(), data, ends }
        };
        assert_eq!(seen[1..], [update("4.0", "pending", false), update("5.0", "cancelled", true)]);
    }
}
