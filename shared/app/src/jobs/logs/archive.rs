//! The archive of a job's log, for after its lines have expired.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};

use async_trait::async_trait;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use reelhook_domain::{Event, Job, JobId, Policy, Subject};
use serde_json::Value;

use super::ports::{ANSWER_LIMIT, Line, LogSources, ROWS, Search};
use super::search::{search, turned};
use crate::change::{ChangeError, Changed, change_loaded};
use crate::clock::ClockAndRandom;
use crate::outbox::rows::{LogLine, kept_lines};
use crate::store::StoreError;
use crate::views;

/// The maximum number of bytes that are read of an archived log.
const ARCHIVE_LIMIT: u64 = 64 * 1024 * 1024;

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

/// The ports that showing and archiving logs needs.
pub struct LogPorts<'a> {
    /// Lines.
    pub sources: LogSources<'a>,
    /// Archived logs.
    pub archive: &'a dyn Archive,
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
    let found = search(ports.sources, &Search::newest(job, limit), ports.clock.now()).await?;
    if !found.lines.is_empty() {
        return Ok((found.lines, false));
    }
    let archived = archived(ports.archive, job).await?;
    let is_deleted = |job: &Job| job.deleted_at.is_some();
    if archived.is_empty() || ports.sources.jobs.load(job).await?.as_ref().is_some_and(is_deleted) {
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
    let Some(job) = ports.sources.jobs.load(id).await?.filter(|job| job.deleted_at.is_none()) else { return Ok(false) };
    let subject = Subject::from(id.clone());
    let mut found: BTreeMap<String, LogLine> = kept_lines(&job).into_iter().collect();
    let mut after = None;
    loop {
        let page = ports.sources.lines.of_subject_since(&subject, after.as_deref(), ROWS.1).await?;
        found.extend(page.lines.into_iter().map(|Line { place, line }| (place, line)));
        after = page.last;
        if after.is_none() {
            break;
        }
    }
    let lines: Vec<String> = found.values().map(|line| views::of(line.dialect).log_line(line).to_string()).collect();
    let there: HashSet<&String> = lines.iter().collect();
    let before = archived(ports.archive, id).await?.iter().map(Value::to_string).collect::<Vec<_>>();
    let mut file = GzEncoder::new(Vec::new(), Compression::default());
    let broken = |error: std::io::Error| StoreError::Unreadable { operation: "archive log", reason: error.to_string() };
    for line in before.iter().filter(|line| !there.contains(line)).chain(&lines) {
        writeln!(file, "{line}").map_err(broken)?;
    }
    ports.archive.put(&archive_key(id), file.finish().map_err(broken)?).await?;
    match change_loaded(ports.sources.jobs, ports.clock, ports.policy, job, &Event::LogArchived).await? {
        Changed::NotFound => {
            // The job was deleted meanwhile with all of its files but this one.
            ports.archive.remove(&archive_key(id)).await?;
            Ok(false)
        }
        Changed::Applied(_) | Changed::Ignored(..) | Changed::Rejected(..) => Ok(true),
    }
}
