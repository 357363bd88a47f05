//! Where a search finds lines: partitions of the table and of its index by day, and the items of jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use reelhook_domain::{Job, Subject, Timestamp};

use super::ports::{DAY, KEPT, LogStore, PACKED_SPAN, ROWS, Search, day_place};
use crate::outbox::rows::{LogLine, kept_lines};
use crate::store::StoreError;
use crate::webhooks::deliveries::time_of;

/// Rows of a page that is read again after a cursor.
const ROWS_AGAIN: usize = 1_000;

/// The partition that lines are read from.
enum Of {
    Subject(Subject),
    Day { day: String, shard: u32, from: String },
    Items,
}

/// Lines that were read of a partition but not examined yet, by their sort keys.
///
/// A row may hold lines from before those of the rows after it. So a line's turn comes when no row that was not read can hold
/// a newer one.
pub(super) struct Source {
    of: Of,
    /// Only lines before this sort key are found.
    before: Option<String>,
    /// The sort key of the last row that was read; those that are not read are before it.
    read: Option<String>,
    lines: BTreeMap<String, LogLine>,
    pages: usize,
    ended: bool,
}

/// The sources of a search, day by day, the newest first. A day has so many shards.
pub(super) fn sources(search: &Search, items: &[Job], shards: u32, now: Timestamp) -> Vec<Vec<Source>> {
    if let Some(job) = &search.job {
        let kept = Source::of_items(items.iter().flat_map(kept_lines).collect(), search.before.clone());
        if items.iter().any(|job| job.kept_since() == 0) {
            return vec![vec![kept]];
        }
        // A job has few rows: they are read again from the newest on.
        return vec![vec![Source::new(Of::Subject(job.clone().into()), search.before.clone(), None), kept]];
    }
    // No line is from the future, but a clock may be a little ahead.
    let to = search.to.unwrap_or(now).min(now.after(DAY));
    let from = search.from.unwrap_or_else(|| to.before(DAY)).max(now.before(KEPT));
    let behind = |at: Timestamp| format!("{:013}", at.after(Duration::from_millis(1)).millis());
    let before = search.before.clone().filter(|before| *before < behind(to)).unwrap_or_else(|| behind(to));
    // The cursor comes from the caller: no day after the last one is read.
    let newest = time_of(&before).min(to);
    // The rows of some minutes after it may hold lines before it.
    let again = behind(newest.after(PACKED_SPAN));
    let mut kept: BTreeMap<String, LogLine> = BTreeMap::new();
    for (seq, line) in items.iter().flat_map(kept_lines) {
        kept.insert(day_place(line.at, &line.subject, &seq), line);
    }
    let days = (from.window_index(DAY)..=newest.window_index(DAY)).rev();
    let of_day = |day: i64| {
        let begin = Timestamp::start_of_window(day, DAY);
        let from = format!("{:013}", from.max(begin).millis());
        let items = Source::of_items(kept.split_off(&from), Some(before.clone()));
        let shards = (0..shards).map(|shard| Of::Day { day: begin.day(), shard, from: from.clone() });
        shards.map(|of| Source::new(of, Some(before.clone()), Some(again.clone()))).chain([items]).collect()
    };
    days.map(of_day).collect()
}

impl Source {
    fn new(of: Of, before: Option<String>, read: Option<String>) -> Self {
        Self { of, before, read, lines: BTreeMap::new(), pages: 0, ended: false }
    }

    /// The lines that items keep.
    fn of_items(mut lines: BTreeMap<String, LogLine>, before: Option<String>) -> Self {
        if let Some(before) = &before {
            lines.split_off(before);
        }
        Self { of: Of::Items, before, read: None, lines, pages: 0, ended: true }
    }

    /// The sort key of its newest line; none if it has no line, or if that is unknown until it is read again.
    pub(super) fn newest(&self) -> Option<&str> {
        let (place, _) = self.lines.last_key_value()?;
        let is_known = self.ended || self.read.as_ref().is_some_and(|read| place >= read);
        is_known.then_some(place.as_str())
    }

    /// Whether its newest line is unknown until it is read again.
    pub(super) fn is_unknown(&self) -> bool {
        !self.ended && self.newest().is_none()
    }

    /// Takes the newest line.
    pub(super) fn take(&mut self) -> Option<(String, LogLine)> {
        self.lines.pop_last()
    }

    /// Whether its next page has rows that an earlier search has read: lines of theirs may be before its cursor.
    pub(super) fn reads_again(&self) -> bool {
        self.pages > 0 && self.before.is_some() && self.read > self.before
    }

    /// The cursor of what follows, for a search that stops between two days.
    pub(super) fn end(&self) -> Option<String> {
        match &self.of {
            Of::Subject(_) | Of::Items => None,
            Of::Day { from, .. } => Some(from.clone()),
        }
    }

    /// Reads a page.
    pub(super) async fn read(&mut self, store: &dyn LogStore, limit: usize) -> Result<(), StoreError> {
        let rows = if self.reads_again() { ROWS_AGAIN } else { limit.clamp(ROWS.0, ROWS.1) };
        let page = match &self.of {
            Of::Items => return Ok(()),
            Of::Subject(subject) => store.of_subject(subject, self.read.as_deref(), rows).await?,
            Of::Day { day, shard, from } => {
                let before = self.read.as_deref().unwrap_or_default();
                if before <= from.as_str() || self.before.as_ref().is_some_and(|before| before <= from) {
                    self.ended = true;
                    return Ok(());
                }
                store.of_day(day, *shard, from, before, rows).await?
            }
        };
        let from = self.end();
        let is_wanted = |place: &String| {
            self.before.as_ref().is_none_or(|before| place < before) && from.as_ref().is_none_or(|from| place >= from)
        };
        self.lines
            .extend(page.lines.into_iter().map(|line| (line.place, line.line)).filter(|(place, _)| is_wanted(place)));
        self.pages += 1;
        self.ended = page.last.is_none();
        self.read = page.last.or(self.read.take());
        Ok(())
    }
}
