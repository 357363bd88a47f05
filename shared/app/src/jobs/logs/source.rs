//! Where a search finds lines: partitions of the table and of its index by day, and the items of jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use reelhook_domain::{Job, Subject, Timestamp};

use super::ports::{DAY, LogStore, PACKED_SPAN, ROWS, Search, day_place};
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

/// The lines of items that a search finds: the newest ones, since it finds no more than its limit.
pub(super) struct Kept {
    /// Only lines before this sort key are found.
    before: Option<String>,
    lines: BTreeMap<String, LogLine>,
    /// Whether the items have the logs of their jobs as a whole.
    is_whole: bool,
}

impl Kept {
    /// Nothing yet; `before` is where the search begins.
    pub(super) fn new(before: Option<String>) -> Self {
        Self { before, lines: BTreeMap::new(), is_whole: false }
    }

    /// Adds what a search finds on the item of a job.
    pub(super) fn add(&mut self, search: &Search, job: &Job) {
        self.is_whole = job.kept_since() == 0;
        for (seq, line) in kept_lines(job) {
            let place = match &search.job {
                Some(_) => seq,
                None => day_place(line.at, &line.subject, &seq),
            };
            if search.fits(&line) && self.before.as_ref().is_none_or(|before| place < *before) {
                self.lines.insert(place, line);
            }
            if self.lines.len() > search.limit.max(1) {
                self.lines.pop_first();
            }
        }
    }
}

/// The latest time of lines that a search over all jobs finds. No line is from the future, but a clock may be a little
/// ahead.
fn latest(search: &Search, now: Timestamp) -> Timestamp {
    search.to.unwrap_or(now).min(now.after(DAY))
}

/// A bound after all lines up to a time.
fn behind(at: Timestamp) -> String {
    format!("{:013}", at.after(Duration::from_millis(1)).millis())
}

/// The sort key before which a search finds lines: its cursor, if that is not after all lines.
pub(super) fn start(search: &Search, now: Timestamp) -> Option<String> {
    if search.job.is_some() {
        return search.before.clone();
    }
    let end = behind(latest(search, now));
    Some(search.before.clone().filter(|before| *before < end).unwrap_or(end))
}

/// The sources of a search among the lines since `oldest`, day by day, the newest first. A day has so many shards.
pub(super) fn sources(search: &Search, kept: Kept, shards: u32, oldest: Timestamp, now: Timestamp) -> Vec<Vec<Source>> {
    let Kept { before, lines: mut kept, is_whole } = kept;
    if let Some(job) = &search.job {
        let kept = Source::of_items(kept);
        if is_whole {
            return vec![vec![kept]];
        }
        // A job has few rows: they are read again from the newest on.
        return vec![vec![Source::new(Of::Subject(job.clone().into()), before, None), kept]];
    }
    let to = latest(search, now);
    let from = search.from.unwrap_or_else(|| to.before(DAY)).max(oldest);
    // The cursor comes from the caller: no day after the last one is read.
    let newest = before.as_deref().map_or(to, time_of).min(to);
    // The rows of some minutes after it may hold lines before it.
    let again = behind(newest.after(PACKED_SPAN));
    let days = (from.window_index(DAY)..=newest.window_index(DAY)).rev();
    let of_day = |day: i64| {
        let begin = Timestamp::start_of_window(day, DAY);
        let from = format!("{:013}", from.max(begin).millis());
        let items = Source::of_items(kept.split_off(&from));
        let shards = (0..shards).map(|shard| Of::Day { day: begin.day(), shard, from: from.clone() });
        shards.map(|of| Source::new(of, before.clone(), Some(again.clone()))).chain([items]).collect()
    };
    days.map(of_day).collect()
}

impl Source {
    fn new(of: Of, before: Option<String>, read: Option<String>) -> Self {
        Self { of, before, read, lines: BTreeMap::new(), pages: 0, ended: false }
    }

    /// The lines that items keep, as far as the search finds them.
    fn of_items(lines: BTreeMap<String, LogLine>) -> Self {
        Self { of: Of::Items, before: None, read: None, lines, pages: 0, ended: true }
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
