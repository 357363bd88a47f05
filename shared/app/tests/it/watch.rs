//! The first response to viewers of a job: with a `Last-Event-ID`, with a cookie, or without either.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::change::AggregateStore;
use reelhook_app::jobs::effects::KeptLive;
use reelhook_app::outbox::fanout::plan;
use reelhook_app::outbox::rows::{LiveRow, LogRow, StoredLive, live_of};
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::watch::{Cursor, LiveStore, WatchStart, begin};
use reelhook_app::webhooks::subscriptions::Subscriptions;
use reelhook_domain::{
    Effect, Engine, Event, Job, JobId, JobKind, Live, PiecesRun, Status, StepStatus, Subject, Timestamp,
};
use reelhook_testkit::{NOON, SceneStack, Stack, lived, make_job, run, started, step};

/// Rows of two events each, at these versions.
struct Rows(Vec<u64>);

#[async_trait]
impl LiveStore for Rows {
    async fn live_since(&self, _: &Subject, after: u64, limit: i32) -> Result<Vec<(u64, StoredLive)>, StoreError> {
        let events = vec![Live::Render { status: "planned".to_owned() }, Live::Job];
        let snapshot = make_job(1, NOON, &Stack::default().policy).live_snapshot(&events);
        let row = LiveRow { after: 0, at: NOON, events, snapshot };
        let row = |version: &u64| (*version, StoredLive::Events(row.clone()));
        Ok(self.0.iter().filter(|version| **version > after).take(limit as usize).map(row).collect())
    }
}

/// A job after these events.
fn job(events: &[Event]) -> Job {
    let policy = Stack::default().policy;
    let job = lived(make_job(1, NOON, &policy), events, NOON, &policy);
    assert!(job.ledger.live_version > 1, "the job has live events");
    job
}

fn failed() -> Job {
    job(&[Event::Claim, started(1), Event::RunFailed { attempt: 1, error: "Payment required".to_owned() }])
}

fn completed() -> Job {
    job(&[vec![Event::Claim, started(1)], run(1, None)].concat())
}

/// The response to a viewer whose `Last-Event-ID` is `last` and whose cookie has `noted`.
async fn received(job: &Job, last: Option<&str>, noted: Option<&str>) -> String {
    let stack = Stack::default();
    stack.jobs.put(job);
    let rows = Rows((1..=job.ledger.live_version).collect());
    let place = |text: Option<&str>| text.map(|text| Cursor::parse(text).unwrap());
    match begin(&*stack.jobs, &rows, &job.id, place(last), place(noted)).await.unwrap() {
        WatchStart::NotFound => "not found".to_owned(),
        WatchStart::AlreadyFinished(last) => format!("over {}", last.id),
        WatchStart::Watch(watch) => format!("watch {}", watch.cursor()),
        WatchStart::Ended { last, settled } => format!("ended {} {settled}", last.id),
        WatchStart::AwaitRetry { watch, last, settled } => format!("rest {} {} {settled}", watch.cursor(), last.id),
    }
}

#[tokio::test]
async fn a_viewer_without_a_last_event_gets_the_end_once_and_then_rests() {
    let mut with_video = completed();
    with_video.run.video_url = Some("https://cdn.example/v.mp4".to_owned());
    let check = async |job: Job, status: Status, settled: bool| {
        assert_eq!(job.status, status);
        let (version, end) = (job.ledger.live_version, format!("{}.1", job.ledger.live_version));
        assert_eq!(received(&job, None, None).await, format!("ended {end} {settled}"), "{status:?}");
        let rest = format!("rest {version} {end} {settled}");
        for noted in [end.clone(), version.to_string(), (version + 1).to_string()] {
            assert_eq!(received(&job, None, Some(&noted)).await, rest, "{status:?} noted at {noted}");
        }
        // No event can follow, so the response makes the browser stop its reconnects.
        assert_eq!(received(&job, Some(&end), None).await, format!("over {end}"), "{status:?}");
        let expected = if settled { format!("over {end}") } else { rest };
        assert_eq!(received(&job, Some(&end), Some(&end)).await, expected, "{status:?}");
    };
    check(with_video, Status::Completed, true).await;
    check(completed(), Status::Completed, false).await;
    let mut video = Job { kind: JobKind::Video, ..completed() };
    video.run.engine = Engine::Pieces(PiecesRun::default());
    check(video, Status::Completed, true).await;
    check(failed(), Status::Failed, false).await;
    check(job(&[Event::Claim, started(1), Event::Cancel]), Status::Cancelled, true).await;
}

/// One row with one event that ends nothing, at any version.
struct Shown(u64);

#[async_trait]
impl LiveStore for Shown {
    async fn live_since(&self, _: &Subject, _: u64, _: i32) -> Result<Vec<(u64, StoredLive)>, StoreError> {
        let events = vec![Live::Render { status: "planned".to_owned() }];
        let snapshot = make_job(1, NOON, &Stack::default().policy).live_snapshot(&events);
        Ok(vec![(self.0, StoredLive::Events(LiveRow { after: 0, at: NOON, events, snapshot }))])
    }
}

#[tokio::test]
async fn a_viewer_gets_the_end_although_something_was_shown_after_it() {
    let (stack, job) = (Stack::default(), failed());
    stack.jobs.put(&job);
    let rows = Shown(job.ledger.live_version);
    let start = begin(&*stack.jobs, &rows, &job.id, None, None).await.unwrap();
    let WatchStart::Ended { last, .. } = start else { panic!("{start:?}") };
    assert_eq!((&last.data["type"], &last.data["status"]), (&"job_update".into(), &"failed".into()));
    let seen = Cursor::parse(&last.id).unwrap();
    assert_eq!(last.id, format!("{}.0", job.ledger.live_version));
    let start = begin(&*stack.jobs, &rows, &job.id, Some(seen), None).await.unwrap();
    assert!(matches!(start, WatchStart::AlreadyFinished(_)), "{start:?}");
}

#[tokio::test]
async fn a_viewer_before_the_end_continues_from_its_last_event() {
    let job = failed();
    let version = job.ledger.live_version;
    let (before, within) = ((version - 1).to_string(), format!("{version}.0"));
    for place in [&before, &within] {
        assert_eq!(received(&job, Some(place), None).await, format!("watch {place}"));
        assert_eq!(received(&job, None, Some(place)).await, format!("watch {place}"));
    }
    assert_eq!(received(&job, Some(&before), Some(&version.to_string())).await, format!("watch {before}"));
}

#[tokio::test]
async fn a_running_job_is_watched_from_the_last_event_or_the_recorded_one_or_now() {
    let job = job(&[Event::Claim, started(1)]);
    assert_eq!(received(&job, None, None).await, format!("watch {}", job.ledger.live_version));
    assert_eq!(received(&job, None, Some("1")).await, "watch 1");
    assert_eq!(received(&job, None, Some("1.0")).await, "watch 1.0");
    assert_eq!(received(&job, Some("0"), Some("1.0")).await, "watch 0");
}

#[tokio::test]
async fn a_resting_viewer_of_a_failed_job_gets_its_whole_next_attempt() {
    let policy = Stack::default().policy;
    let ended = failed();
    let again = lived(ended.clone(), &[Event::Retry, Event::Claim], NOON, &policy);
    let place = ended.ledger.live_version.to_string();
    assert_eq!(received(&again, None, Some(&place)).await, format!("watch {place}"));
}

#[tokio::test]
async fn an_unknown_job_has_no_viewers() {
    let policy = Stack::default().policy;
    let deleted = lived(failed(), &[Event::Delete], NOON, &policy);
    for place in [None, Some("3"), Some("3.1")] {
        assert_eq!(received(&deleted, None, place).await, "not found");
        assert_eq!(received(&deleted, place, None).await, "not found");
    }
}

/// A row behind a missing one, that fanout wrote a minute after its version was made.
struct Behind;

#[async_trait]
impl LiveStore for Behind {
    async fn live_since(&self, _: &Subject, _: u64, _: i32) -> Result<Vec<(u64, StoredLive)>, StoreError> {
        let events = vec![Live::Job];
        let snapshot = make_job(1, NOON, &Stack::default().policy).live_snapshot(&events);
        Ok(vec![(99, StoredLive::Events(LiveRow { after: 98, at: NOON, events, snapshot }))])
    }

    async fn written_at(&self, _: &Subject, version: u64) -> Result<Option<Timestamp>, StoreError> {
        assert_eq!(version, 99);
        Ok(Some(NOON.after(Duration::from_secs(60))))
    }
}

#[tokio::test]
async fn a_viewer_who_is_cut_off_again_and_again_gets_past_a_missing_version() {
    let (stack, job) = (Stack::default(), job(&[Event::Claim, started(1)]));
    stack.jobs.put(&job);
    let position = Cursor::parse("3.0");
    for (last, noted) in [(position, None), (None, position)] {
        for (seconds, expected) in [(61, vec![]), (63, vec![]), (64, vec![]), (65, vec!["99.0"])] {
            let start = begin(&*stack.jobs, &Behind, &job.id, last, noted).await.unwrap();
            let WatchStart::Watch(mut watch) = start else { panic!("{start:?}") };
            let found = watch.next(&Behind, NOON.after(Duration::from_secs(seconds))).await.unwrap();
            let ids: Vec<&str> = found.iter().map(|event| event.id.as_str()).collect();
            assert_eq!(ids, expected, "after {seconds} s, {last:?}, {noted:?}");
        }
    }
}

/// The rows of a job's log, and its item.
struct Packed(Vec<LogRow>);
struct Item(Job);

#[async_trait]
impl LiveStore for Packed {
    async fn live_since(&self, _: &Subject, after: u64, limit: i32) -> Result<Vec<(u64, StoredLive)>, StoreError> {
        let found = self.0.iter().flat_map(|row| live_of(&row.packed, after));
        Ok(found.take(limit as usize).collect())
    }
}

#[async_trait]
impl AggregateStore<Job> for Item {
    async fn load(&self, _: &JobId) -> Result<Option<Job>, StoreError> {
        Ok(Some(self.0.clone()))
    }

    async fn save(&self, _: &Job) -> Result<Saved<Job>, StoreError> {
        panic!("a viewer changes nothing")
    }
}

fn planned(job: &Job) -> Vec<LogRow> {
    plan(job, &Subscriptions::default(), SceneStack::default().links(), std::time::Duration::ZERO).logs
}

#[tokio::test]
async fn live_events_come_from_the_item_and_from_rows_each_once_and_without_gaps() {
    let policy = Stack::default().policy;
    let (mut job, mut rows, mut all) = (make_job(1, NOON, &policy), Vec::new(), Vec::new());
    let mut show = |job: &Job| {
        rows.extend(planned(job));
        let single = planned(&Job { history: None, ..job.clone() });
        all.extend(single.into_iter().filter_map(|row| Some((row.version, StoredLive::Events(row.live?)))));
        (Packed(rows.clone()), all.clone())
    };
    for report in 0..150 {
        let mut event = step(1, 3, StepStatus::Completed, None);
        let Event::Step { update, .. } = &mut event else { unreachable!() };
        update.sequence = report;
        job = lived(job, &[event], NOON, &policy);
        let (packed, all) = show(&job);
        let live = KeptLive { rows: packed, jobs: Item(job.clone()) };
        for after in [0, 1, 60, 63, 64, 65, job.version.saturating_sub(1), job.version] {
            for limit in [1, 70, 200] {
                let expected: Vec<_> =
                    all.iter().filter(|(version, _)| *version > after).take(limit).cloned().collect();
                let found = live.live_since(&job.id.clone().into(), after, limit as i32).await.unwrap();
                assert_eq!(found, expected, "after {after} of {}, {limit} at most", job.version);
            }
        }
    }
    assert!(rows.len() >= 2, "the history was packed while the job ran");
}

#[tokio::test]
async fn events_that_fanout_has_not_written_yet_are_late_and_never_left_out() {
    let policy = Stack::default().policy;
    let (mut job, mut rows) = (make_job(1, NOON, &policy), Vec::new());
    let mut packs = 0;
    for report in 0..300 {
        let mut event = step(1, 3, StepStatus::Completed, None);
        let Event::Step { update, .. } = &mut event else { unreachable!() };
        update.sequence = report;
        rows.extend(planned(&job));
        packs += usize::from(job.outbox.contains(&Effect::PackHistory));
        job = lived(job, &[event], NOON, &policy);
        // Fanout is behind by all that was packed since then.
        let seen = async |rows: &[LogRow], after| {
            let live = KeptLive { rows: Packed(rows.to_vec()), jobs: Item(job.clone()) };
            let found = live.live_since(&job.id.clone().into(), after, 1_000).await.unwrap();
            found.into_iter().map(|(version, row)| (row.after(), version)).collect::<Vec<_>>()
        };
        let all = seen(&rows, 0).await;
        assert!(all.windows(2).all(|pair| pair[0].1 == pair[1].0), "without gaps: {all:?}");
        for written in 0..=rows.len() {
            let found = seen(&rows[..written], 0).await;
            assert!(all.starts_with(&found), "{written} rows of {}", rows.len());
        }
        if packs == 1 {
            assert_eq!(seen(&[], 0).await, all, "the item keeps what was packed last");
        }
    }
    assert!(packs >= 3, "{packs}");
}
