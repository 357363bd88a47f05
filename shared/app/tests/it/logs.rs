//! Logs: search over jobs and days that finds each line once, its limits, and the archive.

mod of_jobs;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::change::AggregateStore;
use reelhook_app::jobs::logs::*;
use reelhook_app::outbox::fanout::plan;
use reelhook_app::outbox::rows::{LogEntry, LogLine, kept_lines, lines_of, sort_key};
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::views::Dialect;
use reelhook_app::webhooks::subscriptions::Subscriptions;
use reelhook_domain::{Event, Job, JobId, LogLevel, StepStatus, Subject, Timestamp};
use reelhook_testkit::{NOON, SceneStack, Stack, lived, make_job, policy, step};
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000;

/// The lines of a row with their sort keys.
type Row = Vec<(String, LogLine)>;

/// Rows in memory, by job and by day, like the table and its index; and the jobs, which may keep lines themselves.
#[derive(Default)]
struct Lines {
    of_jobs: BTreeMap<(JobId, String), Row>,
    of_days: BTreeMap<(String, u32, String), Row>,
    jobs: Vec<Job>,
    reads: AtomicUsize,
}

impl Lines {
    /// A line, or a row without one.
    fn add(&mut self, job: &JobId, n: usize, at: Timestamp, line: Option<(LogLevel, &str)>) {
        let subject = Subject::from(job.clone());
        let line = line.map(|(level, message)| LogLine {
            subject: subject.clone(),
            dialect: Dialect::StreamGank,
            at,
            entry: LogEntry {
                event_type: "job_log".to_owned(),
                level,
                message: message.to_owned(),
                details: json!({ "n": n }),
            },
        });
        self.add_row(job, &sort_key(n as u64, 0), line.map(|line| (sort_key(n as u64, 0), line)).into_iter().collect());
    }

    /// A row of lines, the oldest first, with its sort key.
    fn add_row(&mut self, job: &JobId, seq: &str, lines: Row) {
        self.of_jobs.insert((job.clone(), seq.to_owned()), lines.clone());
        let place = |(seq, line): &(String, LogLine)| day_place(line.at, &line.subject, seq);
        let lines: Row = lines.into_iter().map(|line| (place(&line), line.1)).collect();
        if let Some((place, line)) = lines.last().cloned() {
            self.of_days.insert((line.at.day(), log_shard(&line.subject, LOG_SHARDS), place), lines);
        }
    }

    /// The rows that fanout writes of a version.
    fn fan_out(&mut self, job: &Job) {
        let links = SceneStack::default();
        let planned = plan(job, &Subscriptions::default(), links.links(), Duration::ZERO);
        for row in planned.logs {
            let mut lines = lines_of(&row.subject, row.dialect, &row.packed);
            let seq = sort_key(row.version, row.index);
            if let Some(entry) = row.entry {
                let line = LogLine { subject: row.subject.clone(), dialect: row.dialect, at: row.at, entry };
                lines.push((seq.clone(), line));
            }
            self.add_row(&job.id, &seq, lines);
        }
    }

    fn page<'a>(&self, rows: impl Iterator<Item = (&'a str, &'a Row)>, count: usize) -> Page {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let rows: Vec<_> = rows.take(count).collect();
        let lines = rows.iter().flat_map(|(_, lines)| lines.iter().cloned());
        let lines = lines.map(|(place, line)| Line { place, line }).collect();
        Page { lines, last: (rows.len() == count).then(|| rows[count - 1].0.to_owned()) }
    }

    fn sources(&self) -> LogSources<'_> {
        LogSources { lines: self, jobs: self, active: self }
    }
}

#[async_trait]
impl LogStore for Lines {
    async fn of_subject(&self, subject: &Subject, before: Option<&str>, rows: usize) -> Result<Page, StoreError> {
        let of_job = self.of_jobs.iter().rev().filter(|((of, _), _)| of.as_str() == subject.as_str());
        let of_job = of_job.map(|((_, seq), lines)| (seq.as_str(), lines));
        Ok(self.page(of_job.filter(|(seq, _)| before.is_none_or(|before| *seq < before)), rows))
    }

    async fn of_subject_since(&self, subject: &Subject, after: Option<&str>, rows: usize) -> Result<Page, StoreError> {
        let of_job = self.of_jobs.iter().filter(|((of, _), _)| of.as_str() == subject.as_str());
        let of_job = of_job.map(|((_, seq), lines)| (seq.as_str(), lines));
        Ok(self.page(of_job.filter(|(seq, _)| after.is_none_or(|after| *seq > after)), rows))
    }

    async fn of_day(&self, day: &str, shard: u32, from: &str, before: &str, rows: usize) -> Result<Page, StoreError> {
        assert!(from < before, "DynamoDB rejects a BETWEEN that ends before it begins");
        let of_day = self.of_days.iter().rev().filter(|((of, number, _), _)| of == day && *number == shard);
        let of_day = of_day.map(|((_, _, place), lines)| (place.as_str(), lines));
        Ok(self.page(of_day.filter(|(place, _)| (from..before).contains(place)), rows))
    }
}

#[async_trait]
impl AggregateStore<Job> for Lines {
    async fn load(&self, id: &JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.jobs.iter().find(|job| job.id == *id).cloned())
    }

    async fn save(&self, _: &Job) -> Result<Saved<Job>, StoreError> {
        panic!("a search changes nothing")
    }
}

#[async_trait]
impl ActiveJobs for Lines {
    async fn active(&self, most: usize) -> Result<Active, StoreError> {
        let active = self.jobs.iter().filter(|job| !job.status.is_final());
        let ids: Vec<JobId> = active.map(|job| job.id.clone()).collect();
        Ok(Active { all: ids.len() <= most, ids: ids.into_iter().take(most).collect() })
    }

    async fn read(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        assert!(ids.len() <= 100, "{} jobs are in memory at the same time", ids.len());
        let known: BTreeMap<&JobId, &Job> = self.jobs.iter().map(|job| (&job.id, job)).collect();
        Ok(ids.iter().filter_map(|id| known.get(id).copied().cloned()).collect())
    }
}

#[derive(Default)]
struct Files(Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl Archive for Files {
    async fn put(&self, key: &str, gzip: Vec<u8>) -> Result<(), StoreError> {
        self.0.lock().unwrap().insert(key.to_owned(), gzip);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }

    async fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.0.lock().unwrap().remove(key);
        Ok(())
    }
}

fn job(n: usize) -> JobId {
    JobId::parse(&format!("job_{n}")).unwrap()
}

fn everywhere(limit: usize) -> Search {
    Search { job: None, ..Search::newest(&job(0), limit) }
}

fn numbers(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["details"]["n"].as_u64().unwrap()).collect()
}

/// Every line that a search finds, page by page. The newest page comes first; each page is oldest first.
async fn all(lines: &Lines, mut wanted: Search) -> Vec<u64> {
    let mut found: Vec<u64> = Vec::new();
    loop {
        let part = search(lines.sources(), &wanted, NOON).await.unwrap();
        assert!(part.lines.len() <= wanted.limit);
        found.splice(0..0, numbers(&part.lines));
        wanted.before = part.next;
        if wanted.before.is_none() {
            return found;
        }
    }
}

/// 300 lines of 30 jobs over two days, some at the same millisecond, with rows in between that hold no line.
fn two_days() -> Lines {
    let mut lines = Lines::default();
    for n in 0..300 {
        let at = Timestamp(NOON.millis() - 23 * HOUR + (n as i64 / 3) * 60_000);
        let level = if n % 10 == 0 { LogLevel::Error } else { LogLevel::Info };
        lines.add(&job(n % 30), n, at, (n % 7 != 3).then_some((level, "Frame of the Film")));
    }
    lines
}

fn number(line: &LogLine) -> u64 {
    line.entry.details["n"].as_u64().unwrap()
}

fn expected(lines: &Lines, fits: impl Fn(&LogLine) -> bool) -> Vec<u64> {
    let lines: BTreeMap<&String, &LogLine> =
        lines.of_days.values().flatten().map(|(place, line)| (place, line)).collect();
    lines.into_values().filter(|line| fits(line)).map(number).collect()
}

#[tokio::test]
async fn a_search_finds_every_line_of_the_day_once_and_in_order_for_any_page_size() {
    let lines = two_days();
    for limit in [1, 7, 100, 1000] {
        assert_eq!(all(&lines, everywhere(limit)).await, expected(&lines, |_| true), "{limit} at a time");
    }
}

#[tokio::test]
async fn filters_apply_on_every_page() {
    let lines = two_days();
    let errors = Search { level: Some(LogLevel::Error), ..everywhere(3) };
    assert_eq!(all(&lines, errors).await, expected(&lines, |line| line.entry.level == LogLevel::Error));
    let words = Search { contains: Some("FILM".to_owned()), ..everywhere(1000) };
    assert_eq!(all(&lines, words).await.len(), expected(&lines, |_| true).len());
    let other = Search { event_type: Some("job_failed".to_owned()), ..everywhere(10) };
    assert!(all(&lines, other).await.is_empty());
    let (from, to) = (Timestamp(NOON.millis() - 22 * HOUR), Timestamp(NOON.millis() - 21 * HOUR));
    let times = |line: &LogLine| (from..=to).contains(&line.at);
    let within = Search { from: Some(from), to: Some(to), ..everywhere(50) };
    assert_eq!(all(&lines, within.clone()).await, expected(&lines, times));
    let of_one = Search { job: Some(job(4)), ..within };
    let of_day = expected(&lines, |line| times(line) && number(line) % 30 == 4);
    assert_eq!(all(&lines, of_one).await, of_day);
}

#[tokio::test]
async fn a_search_covers_a_day_by_default_and_a_month_at_most() {
    let mut lines = Lines::default();
    for (n, days) in [(1, 1), (2, 3), (3, 29), (4, 31)] {
        lines.add(&job(1), 100 - n, Timestamp(NOON.millis() - days * 24 * HOUR + HOUR), Some((LogLevel::Info, "x")));
    }
    assert_eq!(all(&lines, everywhere(10)).await, [99]);
    let more = Search { from: Some(Timestamp::EPOCH), ..everywhere(10) };
    assert_eq!(all(&lines, more).await, [97, 98, 99]);
    assert_eq!(all(&lines, Search::newest(&job(1), 10)).await, [97, 98, 99]);
}

#[tokio::test]
async fn a_search_stops_at_its_limit_and_continues_from_its_cursor() {
    let mut lines = Lines::default();
    for n in 0..40_000 {
        let message = if n == 5 { "the needle" } else { "hay" };
        lines.add(&job(n % 50), n, Timestamp(NOON.millis() - 20 * HOUR + n as i64), Some((LogLevel::Info, message)));
    }
    let mut needle = Search { contains: Some("needle".to_owned()), ..everywhere(1000) };
    let first = search(lines.sources(), &needle, NOON).await.unwrap();
    assert!(first.partial && first.lines.is_empty(), "{first:?}");
    let reads = lines.reads.load(Ordering::Relaxed);
    assert!(reads <= 64, "{reads} reads");
    for _ in 0..10 {
        let found = search(lines.sources(), &needle, NOON).await.unwrap();
        needle.before = found.next.clone();
        if !found.lines.is_empty() {
            assert_eq!(numbers(&found.lines), [5]);
            return;
        }
    }
    panic!("the line was not found");
}

#[tokio::test]
async fn an_invented_cursor_makes_a_search_no_longer() {
    let lines = two_days();
    for (made_up, finds) in [
        // Each sorts before now, and would be a time far in the future if all of its digits were a timestamp.
        ("1700000000000999999", false),
        ("17000000000009999999999999999999", false),
        ("1700000000000999999.job_1.0000000001.00", false),
        ("1", false),
        ("0000000000000", false),
        ("-999999999999", false),
        ("+170000000000", false),
        ("", false),
        // It sorts after all lines, so it is ignored.
        ("zzz", true),
        ("9999999999999", true),
    ] {
        let wanted = Search { before: Some(made_up.to_owned()), ..everywhere(1000) };
        let before = lines.reads.load(Ordering::Relaxed);
        let found = search(lines.sources(), &wanted, NOON).await.unwrap();
        assert_eq!(!found.lines.is_empty(), finds, "{made_up}");
        assert!(lines.reads.load(Ordering::Relaxed) - before <= 64, "{made_up}");
    }
}

#[tokio::test]
async fn the_number_of_reads_does_not_grow_with_jobs() {
    let reads = async |jobs: usize| {
        let mut lines = Lines::default();
        for n in 0..jobs * 10 {
            lines.add(&job(n % jobs), n, Timestamp(NOON.millis() - HOUR + n as i64), Some((LogLevel::Info, "x")));
        }
        search(lines.sources(), &everywhere(50), NOON).await.unwrap();
        lines.reads.load(Ordering::Relaxed)
    };
    let (few, many) = (reads(10).await, reads(1000).await);
    assert!(many <= few + 4, "{few} reads with 10 jobs, {many} with 1,000: the day before is not reached");
}

#[tokio::test]
async fn an_archive_has_all_lines_and_is_read_once_the_table_has_none() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let mut lines = Lines::default();
    for n in 0..600 {
        lines.add(&id, n, Timestamp(NOON.millis() + n as i64), (n % 2 == 0).then_some((LogLevel::Info, "Série\nzwei")));
    }
    let (files, gone) = (Files::default(), Lines::default());
    // An older function has written the job: its lines are in rows alone.
    stack.jobs.put(&Job { history: None, ..stack.jobs.get(&id) });
    let (clock, policy) = (&*stack.world, &stack.policy);
    let sources = |lines| LogSources { lines, jobs: &*stack.jobs, active: &*stack.jobs };
    let ports = |lines| LogPorts { sources: sources(lines), archive: &files, clock, policy };
    assert!(archive(&ports(&lines), &id).await.unwrap());
    let key = format!("logs/{id}/log.ndjson.gz");
    assert_eq!(files.0.lock().unwrap().keys().collect::<Vec<_>>(), [&key]);
    let (kept_lines, archived) = kept(&ports(&lines), &id, 10).await.unwrap();
    assert_eq!((numbers(&kept_lines), archived), ((580..600).step_by(2).collect(), false));
    let (kept_lines, archived) = kept(&ports(&gone), &id, 3).await.unwrap();
    assert_eq!((numbers(&kept_lines), archived), (vec![594, 596, 598], true));
    assert_eq!(kept_lines[0]["message"], "Série\nzwei");
    assert_eq!(stack.jobs.get(&id).ledger.log.archived, 1);
    // A second archiving counts nothing, and keeps the lines that the table has lost meanwhile.
    assert!(archive(&ports(&gone), &id).await.unwrap());
    assert_eq!(kept(&ports(&gone), &id, 1000).await.unwrap().0.len(), 300);
    let mut later = Lines::default();
    later.add(&id, 598, Timestamp(NOON.millis() + 598), Some((LogLevel::Info, "Série\nzwei")));
    later.add(&id, 700, Timestamp(NOON.millis() + 700), Some((LogLevel::Info, "late")));
    assert!(archive(&ports(&later), &id).await.unwrap());
    let (kept_lines, _) = kept(&ports(&gone), &id, 1000).await.unwrap();
    assert_eq!(numbers(&kept_lines), (0..600).step_by(2).chain([700]).collect::<Vec<_>>());
    assert_eq!(stack.jobs.get(&id).version, 2);
    assert!(!archive(&ports(&lines), &job(404)).await.unwrap(), "no such job");
    let nothing = kept(&ports(&gone), &job(404), 3).await.unwrap();
    assert_eq!(nothing, (Vec::new(), false));
}

#[tokio::test]
async fn a_job_that_is_deleted_during_archiving_leaves_no_archive() {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.jobs.apply(&id, &Event::Cancel, NOON, &stack.policy);
    let (mut lines, files) = (Lines::default(), Files::default());
    let other = stack.submit(2);
    for id in [&id, &other] {
        lines.add(id, 1, NOON, Some((LogLevel::Info, "x")));
    }
    let (job, policy) = (id.clone(), stack.policy.clone());
    // The deletion comes between load and save.
    stack.jobs.before("save", move |jobs| {
        jobs.apply(&job, &Event::Delete, NOON, &policy);
    });
    stack.jobs.put(&Job { history: None, ..stack.jobs.get(&other) });
    let sources = LogSources { lines: &lines, jobs: &*stack.jobs, active: &*stack.jobs };
    let ports = LogPorts { sources, archive: &files, clock: &*stack.world, policy: &stack.policy };
    assert!(!archive(&ports, &id).await.unwrap());
    assert!(files.0.lock().unwrap().is_empty());
    // An archive that is not removed yet is not shown either.
    assert!(archive(&ports, &other).await.unwrap());
    let file = files.get(&format!("logs/{other}/log.ndjson.gz")).await.unwrap().unwrap();
    files.put(&format!("logs/{id}/log.ndjson.gz"), file).await.unwrap();
    let gone = Lines::default();
    let ports = LogPorts { sources: LogSources { lines: &gone, ..sources }, ..ports };
    assert_eq!(kept(&ports, &id, 9).await.unwrap(), (Vec::new(), false));
    assert_eq!(kept(&ports, &other, 9).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn a_response_stays_below_the_limit_of_lambda() {
    let mut lines = Lines::default();
    for n in 0..1000 {
        lines.add(&job(1), n, Timestamp(NOON.millis() - 1000 + n as i64), Some((LogLevel::Info, &"x".repeat(10_000))));
    }
    let first = search(lines.sources(), &Search::newest(&job(1), 1000), NOON).await.unwrap();
    let bytes: usize = first.lines.iter().map(|line| line.to_string().len()).sum();
    assert!(first.partial && (3_900_000..4_000_000).contains(&bytes), "{bytes}");
    assert_eq!(all(&lines, Search::newest(&job(1), 1000)).await, (0..1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_archive_of_an_ended_job_is_counted_once_and_goes_with_the_job() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let meet = |event| stack.jobs.apply(&id, &event, NOON, &stack.policy);
    assert!(meet(Event::Cancel) && meet(Event::LogArchived) && !meet(Event::LogArchived));
    stack.follow_stream().await.unwrap();
    stack.replay_stream().await;
    let counted = stack.fanout.log_tally();
    assert_eq!((counted.archived, counted.lines()), (1, 2), "{counted:?}");
    assert!(meet(Event::Delete));
    stack.follow_stream().await.unwrap();
    assert!(stack.fanout.log_tally().is_empty());
}
