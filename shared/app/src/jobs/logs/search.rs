//! The search: from the newest line backwards, with a bound on what it reads.

use futures_util::future::join_all;
use reelhook_domain::Timestamp;
use serde_json::Value;

use super::ports::{ANSWER_LIMIT, Active, LogSources, Search};
use super::source::{Kept, Source, sources, start};
use crate::store::StoreError;
use crate::views;

/// The maximum number of pages that one search reads.
const PAGES: usize = 64;
/// The maximum number of jobs that have not ended whose items a search reads.
const ACTIVE: usize = 2_000;
/// Jobs that are read together, as one page.
const ACTIVE_PAGE: usize = 100;

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The lines as their dialects show them, oldest first.
    pub lines: Vec<Value>,
    /// The cursor for older lines.
    pub next: Option<String>,
    /// Whether the search stopped at a bound before it found `limit` lines, or before it read all jobs that have not ended.
    pub partial: bool,
}

/// Searches from the newest line backwards; without a job, in the 24 hours before `to` unless `from` says more.
///
/// It reads at most 64 pages of at most 250 rows or 100 jobs that have not ended, however many jobs exist, and finds at most
/// 4 MB. Beside them it reads the rows of five minutes again, if it continues an earlier search.
///
/// # Errors
/// [`StoreError`].
pub async fn search(of: LogSources<'_>, search: &Search, now: Timestamp) -> Result<Found, StoreError> {
    let oldest = now.before(of.lines.kept().duration());
    let search = &Search { from: search.from.max(search.job.is_some().then_some(oldest)), ..search.clone() };
    // Items are read first: a line that is packed meanwhile is found in its row.
    let items = items(of, search, now).await?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    let mut pages = PAGES.saturating_sub(items.pages);
    let mut before = search.before.clone();
    for mut sources in sources(search, items.kept, of.lines.shards(), oldest, now) {
        let end = sources[0].end();
        loop {
            let unknown: Vec<&mut Source> = sources.iter_mut().filter(|source| source.is_unknown()).collect();
            let counted = unknown.iter().filter(|source| !source.reads_again()).count();
            if counted > pages {
                return Ok(Found { lines: turned(found), next: before, partial: true });
            }
            pages -= counted;
            let looked_at = !unknown.is_empty();
            for result in join_all(unknown.into_iter().map(|source| source.read(of.lines, search.limit))).await {
                result?;
            }
            if looked_at && sources.iter().any(Source::is_unknown) {
                continue;
            }
            let newest = sources.iter_mut().filter(|source| source.newest().is_some());
            let newest = newest.max_by(|one, other| one.newest().cmp(&other.newest()));
            let Some((place, line)) = newest.and_then(Source::take) else { break };
            // The line of a job that has just ended is on its item and in a row.
            if before.as_ref() == Some(&place) {
                continue;
            }
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
    Ok(Found { lines: turned(found), next: None, partial: !items.all })
}

/// What a search read of items.
struct Items {
    kept: Kept,
    pages: usize,
    all: bool,
}

/// Reads the items of jobs, page by page. Of a page only lines that the search finds stay in memory.
async fn items(of: LogSources<'_>, search: &Search, now: Timestamp) -> Result<Items, StoreError> {
    let mut kept = Kept::new(start(search, now));
    if let Some(id) = &search.job {
        if let Some(job) = of.jobs.load(id).await? {
            kept.add(search, &job);
        }
        return Ok(Items { kept, pages: 1, all: true });
    }
    let Active { ids, all } = of.active.active(ACTIVE).await?;
    for page in ids.chunks(ACTIVE_PAGE) {
        for job in of.active.read(page).await? {
            kept.add(search, &job);
        }
    }
    Ok(Items { kept, pages: ids.len().div_ceil(ACTIVE_PAGE), all })
}

pub(super) fn turned(mut lines: Vec<Value>) -> Vec<Value> {
    lines.reverse();
    lines
}
