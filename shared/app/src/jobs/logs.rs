//! Logs of jobs: search over jobs and days with a bound on what it reads, and the archive.

use std::collections::{HashSet, VecDeque};
use std::io::{Read, Write};
use std::time::Duration;

use async_trait::async_trait;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures_util::future::join_all;
use reelhook_domain::{Event, Job, JobId, LogLevel, Policy, Subject, Timestamp};
use serde_json::Value;

use crate::change::{ChangeError, Changed, change_loaded};
use crate::clock::ClockAndRandom;
use crate::jobs::store::JobStore;
use crate::outbox::rows::LogLine;
use crate::outbox::sweep::shard;
use crate::store::StoreError;
use crate::views;
use crate::webhooks::deliveries::time_of;

/// The number of partitions of a day's lines.
pub const LOG_SHARDS: u32 = 4;
/// Days for which lines are kept; DynamoDB removes them late.
pub const LOG_DAYS: i64 = 30;
/// The maximum number of pages that one search reads.
const PAGES: usize = 64;
/// The minimum and the maximum number of rows of a page.
const ROWS: (usize, usize) = (50, 250);
/// The maximum number of bytes of lines in one answer: Lambda allows 6 MB.
const ANSWER_LIMIT: usize = 4_000_000;
/// The maximum number of bytes that are read of an archived log.
const ARCHIVE_LIMIT: u64 = 64 * 1024 * 1024;
/// A day.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long lines are kept.
const KEPT: Duration = Duration::from_secs(LOG_DAYS as u64 * DAY.as_secs());

/// The partition of a day's lines that holds those of `subject`.
pub fn log_shard(subject: &Subject) -> u32 {
    shard(subject.as_str()) % LOG_SHARDS
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

/// A page of lines.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The lines in the requested order.
    pub lines: Vec<Line>,
    /// The sort key of the last row that was read, if more may follow.
    pub last: Option<String>,
}

/// Reads log lines.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Lines of a job's log before a sort key, newest first; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_subject(&self, subject: &Subject, before: Option<&str>, rows: usize) -> Result<Page, StoreError>;

    /// Lines of a job's log after a sort key, oldest first; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_subject_since(&self, subject: &Subject, after: Option<&str>, rows: usize) -> Result<Page, StoreError>;

    /// Lines of a shard of a day from one sort key to before another, newest first; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_day(&self, day: &str, shard: u32, from: &str, before: &str, rows: usize) -> Result<Page, StoreError>;
}

/// Stores archived logs.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Writes a file of gzipped NDJSON.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put(&self, key: &str, gzip: Vec<u8>) -> Result<(), StoreError>;

    /// Reads a file.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes a file if it exists.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remove(&self, key: &str) -> Result<(), StoreError>;
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

    fn fits(&self, line: &LogLine) -> bool {
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

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The lines as their dialects show them, oldest first.
    pub lines: Vec<Value>,
    /// The cursor for older lines.
    pub next: Option<String>,
    /// Whether the search stopped at a bound before it found `limit` lines.
    pub partial: bool,
}

/// Searches from the newest line backwards; without a job, in the 24 hours before `to` unless `from` says more.
///
/// It reads at most 64 pages of at most 250 rows, however many jobs exist, and finds at most 4 MB.
///
/// # Errors
/// [`StoreError`].
pub async fn search(store: &dyn LogStore, search: &Search, now: Timestamp) -> Result<Found, StoreError> {
    let kept = now.before(KEPT);
    let search = &Search { from: search.from.max(search.job.is_some().then_some(kept)), ..search.clone() };
    let (mut found, mut bytes, mut pages) = (Vec::new(), 0, PAGES);
    let mut before = search.before.clone();
    for mut sources in sources(search, now) {
        let end = sources[0].end();
        loop {
            let empty = sources.iter_mut().filter(|source| source.is_empty());
            let reads: Vec<_> = empty.map(|source| source.read(store, search.limit)).collect();
            if reads.len() > pages {
                return Ok(Found { lines: turned(found), next: before, partial: true });
            }
            pages -= reads.len();
            let looked_at = !reads.is_empty();
            for result in join_all(reads).await {
                result?;
            }
            if looked_at && sources.iter().any(Source::is_empty) {
                continue;
            }
            let newest = sources.iter_mut().filter_map(|source| Some((source.lines.front()?.place.clone(), source)));
            let Some((place, source)) = newest.max_by(|one, other| one.0.cmp(&other.0)) else { break };
            let line = source.lines.pop_front().expect("it has a front").line;
            if search.fits(&line) {
                let line = views::of(line.dialect).log_line(&line);
                bytes += line.to_string().len();
                if bytes > ANSWER_LIMIT && !found.is_empty() {
                    return Ok(Found { lines: turned(found), next: before, partial: true });
                }
                found.push(line);
                before = Some(place);
                if found.len() >= search.limit {
                    return Ok(Found { lines: turned(found), next: before, partial: false });
                }
            } else {
                before = Some(place);
            }
        }
        before = end.or(before);
    }
    Ok(Found { lines: turned(found), next: None, partial: false })
}

fn turned(mut lines: Vec<Value>) -> Vec<Value> {
    lines.reverse();
    lines
}

/// A job's log, or the shards of each day, the newest first.
fn sources(search: &Search, now: Timestamp) -> Vec<Vec<Source>> {
    if let Some(job) = &search.job {
        return vec![vec![Source::new(Of::Subject(job.clone().into()), search.before.clone())]];
    }
    // No line is from the future, but a clock may be a little ahead.
    let to = search.to.unwrap_or(now).min(now.after(DAY));
    let from = search.from.unwrap_or_else(|| to.before(DAY)).max(now.before(KEPT));
    let behind = |at: Timestamp| format!("{:013}", at.after(Duration::from_millis(1)).millis());
    let before = search.before.clone().filter(|before| *before < behind(to)).unwrap_or_else(|| behind(to));
    // The cursor comes from the caller: no day after the last one is read.
    let newest = time_of(&before).min(to);
    let days = (from.window_index(DAY)..=newest.window_index(DAY)).rev();
    let shards = |day: i64| {
        let begin = Timestamp::start_of_window(day, DAY);
        let of = |shard| Of::Day { day: begin.day(), shard, from: format!("{:013}", from.max(begin).millis()) };
        (0..LOG_SHARDS).map(|shard| Source::new(of(shard), Some(before.clone()))).collect()
    };
    days.map(shards).collect()
}

/// The partition that lines are read from.
enum Of {
    Subject(Subject),
    Day { day: String, shard: u32, from: String },
}

/// A partition with the lines that were read of it but not examined yet.
struct Source {
    of: Of,
    before: Option<String>,
    lines: VecDeque<Line>,
    ended: bool,
}

impl Source {
    fn new(of: Of, before: Option<String>) -> Self {
        Self { of, before, lines: VecDeque::new(), ended: false }
    }

    /// Whether its next line is unknown until it is read again.
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && !self.ended
    }

    /// The cursor of what follows, for a search that stops between two days.
    fn end(&self) -> Option<String> {
        match &self.of {
            Of::Subject(_) => None,
            Of::Day { from, .. } => Some(from.clone()),
        }
    }

    async fn read(&mut self, store: &dyn LogStore, limit: usize) -> Result<(), StoreError> {
        let rows = limit.clamp(ROWS.0, ROWS.1);
        let page = match &self.of {
            Of::Subject(subject) => store.of_subject(subject, self.before.as_deref(), rows).await?,
            Of::Day { day, shard, from } => {
                let before = self.before.as_deref().unwrap_or_default();
                if before <= from.as_str() {
                    self.ended = true;
                    return Ok(());
                }
                store.of_day(day, *shard, from, before, rows).await?
            }
        };
        self.lines.extend(page.lines);
        self.ended = page.last.is_none();
        self.before = page.last.or(self.before.take());
        Ok(())
    }
}

/// The ports that showing and archiving logs needs.
pub struct LogPorts<'a> {
    /// Lines.
    pub lines: &'a dyn LogStore,
    /// Archived logs.
    pub archive: &'a dyn Archive,
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
}

/// A job's newest lines, oldest first, and whether they come from the archive because the table has none any more.
///
/// # Errors
/// [`StoreError`].
pub async fn kept(ports: &LogPorts<'_>, job: &JobId, limit: usize) -> Result<(Vec<Value>, bool), StoreError> {
    let found = search(ports.lines, &Search::newest(job, limit), ports.clock.now()).await?;
    if !found.lines.is_empty() {
        return Ok((found.lines, false));
    }
    let archived = archived(ports.archive, job).await?;
    let is_deleted = |job: &Job| job.deleted_at.is_some();
    if archived.is_empty() || ports.jobs.load(job).await?.as_ref().is_some_and(is_deleted) {
        return Ok((Vec::new(), false));
    }
    let newest = archived.into_iter().rev().scan(0, |bytes, line| {
        *bytes += line.to_string().len();
        (*bytes <= ANSWER_LIMIT).then_some(line)
    });
    Ok((turned(newest.take(limit).collect()), true))
}

/// The archived lines of a job, oldest first.
async fn archived(archive: &dyn Archive, job: &JobId) -> Result<Vec<Value>, StoreError> {
    let Some(gzip) = archive.get(&archive_key(job)).await? else { return Ok(Vec::new()) };
    let unreadable = |reason: String| StoreError::Unreadable { operation: "read archive", reason };
    let mut text = String::new();
    let mut plain = GzDecoder::new(&gzip[..]).take(ARCHIVE_LIMIT);
    plain.read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    let read = |line: &str| serde_json::from_str(line).map_err(|error| unreadable(error.to_string()));
    text.lines().map(read).collect()
}

/// The key of a job's archived log.
fn archive_key(job: &JobId) -> String {
    format!("logs/{job}/log.ndjson.gz")
}

/// Archives a job's log as gzipped NDJSON, oldest line first. Lines that were archived before and are no longer in the
/// table come first. Returns whether the job exists.
///
/// # Errors
/// [`ChangeError`].
pub async fn archive(ports: &LogPorts<'_>, id: &JobId) -> Result<bool, ChangeError> {
    let Some(job) = ports.jobs.load(id).await?.filter(|job| job.deleted_at.is_none()) else { return Ok(false) };
    let subject = Subject::from(id.clone());
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let page = ports.lines.of_subject_since(&subject, after.as_deref(), ROWS.1).await?;
        let shown = page.lines.iter().map(|Line { line, .. }| views::of(line.dialect).log_line(line).to_string());
        lines.extend(shown);
        after = page.last;
        if after.is_none() {
            break;
        }
    }
    let there: HashSet<&String> = lines.iter().collect();
    let before = archived(ports.archive, id).await?.iter().map(Value::to_string).collect::<Vec<_>>();
    let mut file = GzEncoder::new(Vec::new(), Compression::default());
    let broken = |error: std::io::Error| StoreError::Unreadable { operation: "archive log", reason: error.to_string() };
    for line in before.iter().filter(|line| !there.contains(line)).chain(&lines) {
        writeln!(file, "{line}").map_err(broken)?;
    }
    ports.archive.put(&archive_key(id), file.finish().map_err(broken)?).await?;
    match change_loaded(ports.jobs, ports.clock, ports.policy, job, &Event::LogArchived).await? {
        Changed::NotFound => {
            // The job was deleted meanwhile with all of its files but this one.
            ports.archive.remove(&archive_key(id)).await?;
            Ok(false)
        }
        Changed::Applied(_) | Changed::Ignored(..) | Changed::Rejected(..) => Ok(true),
    }
}
