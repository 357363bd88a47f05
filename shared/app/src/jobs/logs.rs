//! Logs beyond a job's newest lines: search over jobs and days with a bound on what it reads, the archive, and numbers.

use std::collections::{HashSet, VecDeque};
use std::io::{Read, Write};

use async_trait::async_trait;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures_util::future::join_all;
use reelhook_domain::{Event, JobId, Policy, Timestamp};
use serde_json::Value;

use crate::clock::ClockAndRandom;
use crate::jobs::change::{ChangeError, Changed, JobStore, change_loaded};
use crate::outbox::sweep::shard;
use crate::store::StoreError;
use crate::webhooks::deliveries::time_of;

/// Partitions of a day's lines.
pub const LOG_SHARDS: u32 = 4;
/// Days that lines are kept; DynamoDB removes them late.
pub const LOG_DAYS: i64 = 30;
/// Pages that one search reads.
const PAGES: usize = 64;
/// Rows of a page, at least and at most.
const ROWS: (usize, usize) = (50, 250);
/// Bytes of the lines of one answer: Lambda carries 6 MB.
const ANSWER_LIMIT: usize = 4_000_000;
/// Bytes of an archived log that are read back.
const ARCHIVE_LIMIT: u64 = 64 * 1024 * 1024;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The partition of a day's lines that a job's stand in.
pub fn log_shard(job: &JobId) -> u32 {
    shard(job.as_str()) % LOG_SHARDS
}

/// Where a line stands among a day's lines: they sort by time, then by job and place in its log.
pub fn day_place(at: Timestamp, job: &JobId, seq: &str) -> String {
    format!("{:013}.{job}.{seq}", at.0)
}

/// A line with its place in what it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Sorts like the lines.
    pub place: String,
    /// As the dialect shows it.
    pub line: Value,
}

/// Some lines in a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// In the order that was asked for.
    pub lines: Vec<Line>,
    /// The place of the last row that was looked at, where more may follow.
    pub last: Option<String>,
}

/// Where log lines are.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Lines of a job's log, strongly consistent: before a place, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_job(&self, job: &JobId, before: Option<&str>, rows: usize) -> Result<Page, StoreError>;

    /// Lines of a job's log, strongly consistent: after a place, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_job_since(&self, job: &JobId, after: Option<&str>, rows: usize) -> Result<Page, StoreError>;

    /// Lines of a shard of a day, eventually consistent: from a place until before another, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_day(&self, day: &str, shard: u32, from: &str, before: &str, rows: usize) -> Result<Page, StoreError>;
}

/// Where archived logs are.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Writes a file of gzip NDJSON.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put(&self, key: &str, gzip: Vec<u8>) -> Result<(), StoreError>;

    /// Reads a file.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remove(&self, key: &str) -> Result<(), StoreError>;
}

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// In one job's log, else in all.
    pub job: Option<JobId>,
    /// Lines of this event type.
    pub event_type: Option<String>,
    /// Lines of this level.
    pub level: Option<String>,
    /// Lines whose sentence contains this, in upper or lower case.
    pub contains: Option<String>,
    /// Lines from this time on.
    pub from: Option<Timestamp>,
    /// Lines up to this time.
    pub to: Option<Timestamp>,
    /// Lines before this place, where an earlier search ended.
    pub before: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl Search {
    /// The newest `limit` lines of a job.
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

    fn fits(&self, line: &Value) -> bool {
        let is = |name: &str, wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| line[name] == **wanted);
        let contains = |part: &String| {
            line["message"].as_str().is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase()))
        };
        // Only one job's lines come from outside the times.
        let at = || line["timestamp"].as_str().and_then(Timestamp::parse);
        let within = self.from.is_none_or(|from| at().is_some_and(|at| at >= from))
            && self.to.is_none_or(|to| at().is_some_and(|at| at <= to));
        within
            && is("event_type", &self.event_type)
            && is("level", &self.level)
            && self.contains.as_ref().is_none_or(contains)
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// Oldest first.
    pub lines: Vec<Value>,
    /// Where it goes on to older lines.
    pub next: Option<String>,
    /// Whether it stopped because it had read enough, and not because it had found enough.
    pub partial: bool,
}

/// Searches from the newest line backwards; without a job, in the 24 hours before `to` unless `from` says more.
///
/// It reads at most 64 pages of at most 250 rows, however many jobs there are, and finds at most 4 MB.
///
/// # Errors
/// [`StoreError`].
pub async fn search(store: &dyn LogStore, search: &Search, now: Timestamp) -> Result<Found, StoreError> {
    let kept = Timestamp(now.0 - LOG_DAYS * DAY_MS);
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
        return vec![vec![Source::new(Of::Job(job.clone()), search.before.clone())]];
    }
    // No line is from tomorrow; a clock may be a little ahead.
    let to = search.to.unwrap_or(now).min(Timestamp(now.0 + DAY_MS));
    let from = search.from.unwrap_or(Timestamp(to.0 - DAY_MS)).max(Timestamp(now.0 - LOG_DAYS * DAY_MS));
    let behind = |at: Timestamp| format!("{:013}", at.0 + 1);
    let before = search.before.clone().filter(|before| *before < behind(to)).unwrap_or_else(|| behind(to));
    // The cursor comes from the caller: no day beyond the last one is read.
    let newest = Timestamp(time_of(&before)).min(to);
    let days = (from.0.div_euclid(DAY_MS)..=newest.0.div_euclid(DAY_MS)).rev();
    let shards = |day: i64| {
        let of = |shard| Of::Day {
            day: Timestamp(day * DAY_MS).day(),
            shard,
            from: format!("{:013}", from.0.max(day * DAY_MS)),
        };
        (0..LOG_SHARDS).map(|shard| Source::new(of(shard), Some(before.clone()))).collect()
    };
    days.map(shards).collect()
}

/// What lines are read from.
enum Of {
    Job(JobId),
    Day { day: String, shard: u32, from: String },
}

/// A place to read on from, and what was read but not looked at yet.
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

    /// Whether it has to be read before anybody knows its newest line.
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && !self.ended
    }

    /// Where what follows begins, for a search that stops between two days.
    fn end(&self) -> Option<String> {
        match &self.of {
            Of::Job(_) => None,
            Of::Day { from, .. } => Some(from.clone()),
        }
    }

    async fn read(&mut self, store: &dyn LogStore, limit: usize) -> Result<(), StoreError> {
        let rows = limit.clamp(ROWS.0, ROWS.1);
        let page = match &self.of {
            Of::Job(job) => store.of_job(job, self.before.as_deref(), rows).await?,
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

/// What showing and archiving logs needs.
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

/// A job's newest lines, oldest first, and whether they come from the archive, since the table has none any more.
///
/// # Errors
/// [`StoreError`].
pub async fn kept(ports: &LogPorts<'_>, job: &JobId, limit: usize) -> Result<(Vec<Value>, bool), StoreError> {
    let found = search(ports.lines, &Search::newest(job, limit), ports.clock.now()).await?;
    if !found.lines.is_empty() {
        return Ok((found.lines, false));
    }
    let deleted = || async { Ok(ports.jobs.load(job).await?.is_some_and(|job| job.deleted_at.is_some())) };
    let archived = archived(ports.archive, job).await?;
    if archived.is_empty() || deleted().await? {
        return Ok((Vec::new(), false));
    }
    let newest = archived.into_iter().rev().scan(0, |bytes, line| {
        *bytes += line.to_string().len();
        (*bytes <= ANSWER_LIMIT).then_some(line)
    });
    Ok((turned(newest.take(limit).collect()), true))
}

/// The lines that the archive has of a job, oldest first.
async fn archived(archive: &dyn Archive, job: &JobId) -> Result<Vec<Value>, StoreError> {
    let Some(gzip) = archive.get(&archive_key(job)).await? else { return Ok(Vec::new()) };
    let unreadable = |reason: String| StoreError::Unreadable { operation: "read archive", reason };
    let mut text = String::new();
    let mut plain = GzDecoder::new(&gzip[..]).take(ARCHIVE_LIMIT);
    plain.read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    let read = |line: &str| serde_json::from_str(line).map_err(|error| unreadable(error.to_string()));
    text.lines().map(read).collect()
}

/// Where a job's log is archived.
fn archive_key(job: &JobId) -> String {
    format!("logs/{job}/log.ndjson.gz")
}

/// Puts a job's log into the archive as gzip NDJSON, oldest line first, behind what was archived before and is not in the
/// table any more; whether there is such a job.
///
/// # Errors
/// [`ChangeError`].
pub async fn archive(ports: &LogPorts<'_>, id: &JobId) -> Result<bool, ChangeError> {
    let Some(job) = ports.jobs.load(id).await?.filter(|job| job.deleted_at.is_none()) else { return Ok(false) };
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let page = ports.lines.of_job_since(id, after.as_deref(), ROWS.1).await?;
        lines.extend(page.lines.into_iter().map(|line| line.line.to_string()));
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
            // It was deleted meanwhile, and its files with it, but for this one.
            ports.archive.remove(&archive_key(id)).await?;
            Ok(false)
        }
        Changed::Applied(_) | Changed::Ignored(..) | Changed::Rejected(..) => Ok(true),
    }
}
