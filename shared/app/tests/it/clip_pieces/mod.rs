//! The work of our renderers for clips: sources are copied, probed, planned and cut; a worker's files are copied.

mod credits;
mod memory;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::clips::perform::ports::{ClipPorts, SourceShape};
use reelhook_app::clips::pieces::{process_piece, process_pieces};
use reelhook_app::clock::Timer;
use reelhook_app::outbound::{OutboundError, OutboundRequest, OutboundResponse};
use reelhook_app::pieces::PieceOutcome;
use reelhook_domain::clips::clip::Clip;
use reelhook_domain::clips::event::Event;
use reelhook_domain::clips::job::ClipPiece;
use reelhook_domain::clips::request::{Layout, Range, Source};
use reelhook_domain::pieces::Piece;
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJob, ClipJobId, ClipPolicy, ClipStatus, WebUrl};
use reelhook_testkit::{Answer, MemoryClips, NOON, NeverElapses, ScriptedHttp, World, a_clip_job, response};
use serde_json::{Value, json};

use self::memory::{Asked, CLIPS, Cutter};
use crate::project_pieces::memory::{MemoryBucket, VIDEO, Web};

struct Fixture {
    world: World,
    jobs: Arc<MemoryClips>,
    bucket: MemoryBucket,
    web: Web,
    cutter: Cutter,
    policy: ClipPolicy,
    /// Whether an account must have the credits that it reserves.
    limited: bool,
}

impl Fixture {
    /// Outside servers that answer like this.
    fn with(script: impl Fn(&OutboundRequest) -> Answer + Send + Sync + 'static) -> Self {
        Self {
            world: World::default(),
            jobs: Arc::default(),
            bucket: MemoryBucket::default(),
            web: Web(ScriptedHttp::new(script)),
            cutter: Cutter::default(),
            policy: ClipPolicy::default(),
            limited: false,
        }
    }

    /// Each file is a video.
    fn of_videos() -> Self {
        Self::with(|_| Ok(response(200, VIDEO)))
    }

    fn ports<'a>(&'a self, timer: &'a dyn Timer) -> ClipPorts<'a> {
        ClipPorts {
            jobs: &*self.jobs,
            attempts: &*self.jobs,
            files: &self.bucket,
            downloads: &self.web,
            renderer: &self.cutter,
            clock: &self.world,
            timer,
            policy: &self.policy,
            limited: self.limited,
        }
    }

    /// A new job of our own renderers with this source.
    fn put(&self, source: Option<Source>) -> ClipJobId {
        let mut job = a_clip_job(1, NOON, &self.policy);
        job.request.source = source.unwrap_or(job.request.source);
        self.jobs.put(&job);
        job.id
    }

    /// A job that the worker has finished, of which only this piece is left.
    fn put_finished(&self, piece: ClipPiece, change: impl FnOnce(&mut ClipJob)) -> ClipJobId {
        let mut job = a_clip_job(1, NOON, &ClipPolicy { has_worker: true, ..ClipPolicy::default() });
        job.status = ClipStatus::Succeeded;
        job.ended_at = Some(NOON);
        change(&mut job);
        job.pieces.list = vec![Piece::new(piece, 100)];
        self.jobs.put(&job);
        job.id
    }

    /// A renderer takes a hint, and claims one piece.
    async fn process(&self, id: &ClipJobId) -> PieceOutcome {
        process_piece(&self.ports(&NeverElapses), id).await.unwrap()
    }

    /// A renderer claims all pieces one after the other.
    async fn process_all(&self, id: &ClipJobId) -> usize {
        let last_start = NOON.after(Duration::from_secs(600));
        process_pieces(&self.ports(&NeverElapses), id, last_start).await.unwrap()
    }

    /// The names and content types of a job's files in the bucket.
    fn files(&self, id: &ClipJobId) -> Vec<(String, String)> {
        let prefix = format!("clips/{id}/");
        let files = self.bucket.types().into_iter();
        files.filter_map(|(key, kind)| Some((key.strip_prefix(&prefix)?.to_owned(), kind))).collect()
    }
}

fn url(text: &str) -> WebUrl {
    WebUrl::parse(text).unwrap()
}

/// The cuts of both clips of this source.
fn cuts(source: &str) -> [Asked; 2] {
    CLIPS.map(|range| Asked::Cut(source.to_owned(), range, Layout::Original))
}

#[tokio::test]
async fn a_source_is_copied_probed_planned_and_cut() {
    let fixture = Fixture::of_videos();
    let id = fixture.put(None);
    assert_eq!(fixture.process_all(&id).await, 4);
    let [first, second] = cuts(VIDEO);
    let expected = [Asked::Shape(VIDEO.to_owned()), Asked::Plan(VIDEO.to_owned()), first, second];
    assert_eq!(fixture.cutter.asked(), expected);
    assert_eq!(fixture.web.0.only_request().url.as_str(), "https://client.example/talk-1.mp4");
    let files = fixture.files(&id);
    let expected = [
        ("0-1.mp4", "video/mp4"),
        ("1-1.mp4", "video/mp4"),
        ("plan.json", "application/json"),
        ("source.mp4", "video/mp4"),
    ];
    assert_eq!(files, expected.map(|(name, kind)| (name.to_owned(), kind.to_owned())));
    let job = fixture.jobs.get(&id);
    assert_eq!((job.status, job.clips.len()), (ClipStatus::Succeeded, 2));
    assert_eq!(job.plan, Some(File::stored(format!("clips/{id}/plan.json"))));
    assert_eq!(job.clips[0].file, Some(File::stored(format!("clips/{id}/0-1.mp4"))));
    assert_eq!(job.clips[0].duration_ms, Some(25_000));
    assert_eq!(fixture.bucket.text(&format!("clips/{id}/0-1.mp4")), format!("{VIDEO} 20000 to 45000"));
    let plan: Value = serde_json::from_str(&fixture.bucket.text(&format!("clips/{id}/plan.json"))).unwrap();
    assert_eq!((&plan["version"], &plan["source"]["duration_ms"]), (&json!(1), &json!(60_000)));
    assert_eq!(plan["findings"]["scene_changes"], json!([20_000]));
    assert_eq!(plan["clips"][1]["range"], json!({ "start_ms": 0, "end_ms": 20_000 }));
}

#[tokio::test]
async fn other_renderers_read_the_copy_of_the_source() {
    let fixture = Fixture::of_videos();
    let id = fixture.put(None);
    for _ in 0..4 {
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
    }
    assert_eq!(fixture.process(&id).await, PieceOutcome::NothingOpen);
    assert_eq!(fixture.web.0.requests().len(), 1);
    assert_eq!(fixture.jobs.get(&id).status, ClipStatus::Succeeded);
}

#[tokio::test]
async fn an_upload_is_a_source_too() {
    let fixture = Fixture::with(|_| Ok(response(404, "")));
    let id = fixture.put(Some(Source::Upload("uploads/a.mov".to_owned())));
    fixture.bucket.put("uploads/a.mov", "video/quicktime", "\0\0\0\x14ftypqt  ");
    assert_eq!(fixture.process_all(&id).await, 4);
    assert_eq!(fixture.web.0.requests().len(), 0);
    assert!(fixture.files(&id).contains(&("source.mov".to_owned(), "video/quicktime".to_owned())));
}

#[tokio::test]
async fn one_clip_is_cut_again_into_another_file() {
    let fixture = Fixture::of_videos();
    let id = fixture.put(None);
    fixture.process_all(&id).await;
    let range = Range { start_ms: 1_000, end_ms: 9_000 };
    assert!(fixture.jobs.apply(&id, &Event::Recut { index: 1, range }, NOON, &fixture.policy));
    assert_eq!(fixture.process_all(&id).await, 1);
    assert_eq!(fixture.cutter.asked().last(), Some(&Asked::Cut(VIDEO.to_owned(), range, Layout::Original)));
    let job = fixture.jobs.get(&id);
    let files: Vec<Option<String>> = job.clips.iter().map(|clip| clip.file.clone()?.key).collect();
    assert_eq!(files, ["0-1.mp4", "1-2.mp4"].map(|name| Some(format!("clips/{id}/{name}"))));
}

#[tokio::test]
async fn a_clip_that_is_cut_again_is_scored_by_what_the_plan_was_made_from() {
    let fixture = Fixture::of_videos();
    let id = fixture.put(None);
    fixture.process_all(&id).await;
    let score = |index: usize| {
        let clip = fixture.jobs.get(&id).clips[index].clone();
        (json!(clip.score), Value::Object(clip.score_basis))
    };
    assert_eq!([score(0).0, score(1).0], [json!(0.5), json!(0.5)], "those of the plan");
    let range = Range { start_ms: 1_000, end_ms: 9_000 };
    assert!(fixture.jobs.apply(&id, &Event::Recut { index: 1, range }, NOON, &fixture.policy));
    fixture.process_all(&id).await;
    let (scored, basis) = score(1);
    assert_eq!((scored, score(0).0), (json!(0.25), json!(0.5)));
    assert_eq!((&basis["source"], &basis["range"]), (&json!(VIDEO), &json!(range)));
    assert_eq!(basis["findings"]["scene_changes"], json!([20_000]));

    // Without a plan that can be read it has no score.
    fixture.bucket.put(&format!("clips/{id}/plan.json"), "application/json", "{}");
    assert!(fixture.jobs.apply(&id, &Event::Recut { index: 1, range }, NOON, &fixture.policy));
    fixture.process_all(&id).await;
    assert_eq!(score(1), (Value::Null, json!({})));
}

#[tokio::test]
async fn a_source_that_cannot_be_cut_fails_the_job_at_once() {
    let page = Source::Page(url("https://videos.example/watch?v=1"));
    let long = |body: &str| OutboundResponse { truncated: true, ..response(200, body) };
    let usual =
        SourceShape { duration_ms: 600_000, width: 64, height: 48, fps: (25, 1), sound: false, clip_frames: 3000 };
    let is_long = SourceShape { duration_ms: 7_201_000, ..usual };
    let is_fast = SourceShape { clip_frames: 600_000_000, ..usual };
    let too_many = "at most 184 billion pixels (got 3687 billion: up to 600000000 frames of 64x48, 2 times)";
    for (source, answer, shape, sentence) in [
        (Some(page), response(200, VIDEO), None, "can't read a page of videos.example"),
        (None, response(200, "<!doctype html>"), None, "is not an MP4, MOV, WebM or Matroska file"),
        (None, response(403, ""), None, "the source at client.example answered 403"),
        (None, long(VIDEO), None, "is larger than 4000 MB"),
        (None, response(200, VIDEO), Some(is_long), "the source must have at most 7200 s (got 7201 s)"),
        (None, response(200, VIDEO), Some(is_fast), too_many),
        (Some(Source::Upload("uploads/gone.mp4".to_owned())), response(200, VIDEO), None, "is no longer stored"),
    ] {
        let fixture = Fixture::with(move |_| Ok(answer.clone()));
        if let Some(shape) = shape {
            *fixture.cutter.shape.lock().unwrap() = shape;
        }
        let id = fixture.put(source);
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
        let job = fixture.jobs.get(&id);
        let error = job.error.unwrap_or_default();
        assert_eq!(job.status, ClipStatus::Failed, "{sentence}: {error}");
        assert!(error.contains(sentence), "{error}");
        assert!(fixture.files(&id).is_empty(), "{sentence}");
    }
}

#[tokio::test]
async fn a_failure_that_may_pass_has_another_attempt() {
    for is_full in [true, false] {
        let status = if is_full { 200 } else { 503 };
        let fixture = Fixture::with(move |_| Ok(response(status, VIDEO)));
        if is_full {
            *fixture.cutter.free.lock().unwrap() = 1_000_000;
        }
        let id = fixture.put(None);
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
        let job = fixture.jobs.get(&id);
        let crashes: Vec<u32> = job.pieces.list.iter().map(|piece| piece.crashes).collect();
        assert_eq!((job.status, crashes), (ClipStatus::Running, vec![1]), "{is_full}");
    }
}

#[tokio::test]
async fn a_source_of_unknown_size_gets_no_more_of_the_disk_than_is_left() {
    const ROOM: u64 = 500_000_000;
    let size = VIDEO.len() as u64;
    for (free, limit, status) in [
        (ROOM + size - 1, size - 1, ClipStatus::Running),
        (ROOM + size, size, ClipStatus::Succeeded),
        (u64::MAX, 4_000_000_000, ClipStatus::Succeeded),
    ] {
        let fixture = Fixture::of_videos();
        *fixture.cutter.free.lock().unwrap() = free;
        let id = fixture.put(None);
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
        assert_eq!(fixture.web.0.only_request().response_limit as u64, limit, "{free}");
        let is_probed = status == ClipStatus::Succeeded;
        assert_eq!(fixture.files(&id).is_empty(), !is_probed, "{free}");
        if is_probed {
            fixture.process_all(&id).await;
        }
        assert_eq!(fixture.jobs.get(&id).status, status, "{free}");
    }
}

#[tokio::test]
async fn a_source_that_uses_up_its_time_has_no_other_attempt() {
    let cut = |ms| OutboundResponse { cut_short: Some(OutboundError::TimedOut(ms)), ..response(200, VIDEO) };
    for (answer, status) in [
        (Err(OutboundError::TimedOut(600_000)), ClipStatus::Failed),
        (Ok(cut(600_000)), ClipStatus::Failed),
        (Ok(cut(130_000)), ClipStatus::Running),
    ] {
        let fixture = Fixture::with(move |_| answer.clone());
        let id = fixture.put(None);
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
        let job = fixture.jobs.get(&id);
        let error = job.error.unwrap_or_default();
        assert_eq!(job.status, status, "{error}");
        let slow = "The source could not be read: the source at client.example could not be fetched within 10 min";
        assert_eq!(error.starts_with(slow), status == ClipStatus::Failed, "{error}");
    }
}

/// A timer of which these times elapse at once, and no others.
struct Elapses(RangeInclusive<Duration>);

impl Elapses {
    /// The times between heartbeats.
    fn heartbeats() -> Self {
        Self(Duration::ZERO..=MINUTE)
    }

    /// The time limits of work.
    fn limits() -> Self {
        Self(MINUTE..=Duration::MAX)
    }
}

#[async_trait]
impl Timer for Elapses {
    async fn after(&self, time: Duration) {
        if !self.0.contains(&time) {
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_renderer_stops_when_its_job_is_canceled() {
    let fixture = Fixture::of_videos();
    let id = fixture.put(None);
    let (jobs, policy, canceled) = (Arc::clone(&fixture.jobs), fixture.policy.clone(), id.clone());
    fixture.cutter.interrupt(move || assert!(jobs.apply(&canceled, &Event::Cancel, NOON, &policy)));
    let ports = fixture.ports(&NeverElapses);
    for _ in 0..2 {
        assert_eq!(process_piece(&ports, &id).await.unwrap(), PieceOutcome::Reported);
    }
    assert_eq!(process_piece(&fixture.ports(&Elapses::heartbeats()), &id).await.unwrap(), PieceOutcome::Lost);
    assert_eq!(fixture.jobs.get(&id).status, ClipStatus::Canceled);
    assert!(!fixture.files(&id).iter().any(|(name, _)| name == "0-1.mp4"));
}

#[tokio::test]
async fn a_cut_that_never_ends_costs_its_clip() {
    let fixture = Fixture::of_videos();
    let id = fixture.put(None);
    for _ in 0..2 {
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
    }
    fixture.cutter.interrupt(|| {});
    assert_eq!(process_piece(&fixture.ports(&Elapses::limits()), &id).await.unwrap(), PieceOutcome::Reported);
    assert_eq!(fixture.process_all(&id).await, 1, "there is no other attempt");
    let job = fixture.jobs.get(&id);
    let error = "Clip 0 could not be cut: it takes more than 8 min; send a video of fewer or smaller frames";
    assert_eq!((job.status, job.error.as_deref()), (ClipStatus::Succeeded, Some(error)));
    assert_eq!(job.clips.iter().map(Clip::is_ready).collect::<Vec<bool>>(), [false, true]);
}

#[tokio::test]
async fn a_probe_that_never_ends_fails_the_job_and_measures_nothing() {
    let mut fixture = Fixture::of_videos();
    fixture.cutter.is_stuck = true;
    let id = fixture.put(None);
    assert_eq!(process_piece(&fixture.ports(&Elapses::limits()), &id).await.unwrap(), PieceOutcome::Reported);
    let job = fixture.jobs.get(&id);
    let error = "The source could not be read: it takes more than 2 min; send a video of fewer or smaller frames";
    assert_eq!((job.status, job.error.as_deref()), (ClipStatus::Failed, Some(error)));
    assert!(job.pieces.list.is_empty() && fixture.files(&id).is_empty(), "nobody tries it again");

    let id = fixture.put_finished(ClipPiece::Measure, |_| {});
    assert_eq!(process_piece(&fixture.ports(&Elapses::limits()), &id).await.unwrap(), PieceOutcome::Reported);
    let job = fixture.jobs.get(&id);
    assert_eq!((job.status, job.run.source_ms), (ClipStatus::Succeeded, None));
    assert!(job.pieces.list.is_empty());
}

#[tokio::test]
async fn a_plan_that_never_ends_fails_the_job() {
    let mut fixture = Fixture::of_videos();
    fixture.cutter.is_slow = true;
    let id = fixture.put(None);
    assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
    assert_eq!(process_piece(&fixture.ports(&Elapses::limits()), &id).await.unwrap(), PieceOutcome::Reported);
    let job = fixture.jobs.get(&id);
    let error = "The clips could not be chosen: it takes more than 13 min; send a video of fewer or smaller frames";
    assert_eq!((job.status, job.error.as_deref()), (ClipStatus::Failed, Some(error)));
}

#[tokio::test]
async fn files_of_a_worker_are_copied_while_it_has_them() {
    let fixture = Fixture::with(|request| {
        Ok(match request.url.path() {
            "/outputs/clip_00.mp4" => response(200, format!("{VIDEO} worker")),
            "/outputs/transcript" => response(200, "{\"segments\": []}"),
            _ => response(200, "<!doctype html>"),
        })
    });
    let outside = |name: &str| Some(File::outside(url(&format!("https://worker.example/outputs/{name}"))));
    let clip = |file: Option<File>| -> Clip { serde_json::from_value(json!({ "index": 0, "file": file })).unwrap() };
    let id =
        fixture.put_finished(ClipPiece::CopyClip { index: 0 }, |job| job.clips = vec![clip(outside("clip_00.mp4"))]);
    assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
    assert_eq!(fixture.jobs.get(&id).clips[0].file, Some(File::stored(format!("clips/{id}/0-0.mp4"))));
    assert_eq!(fixture.bucket.text(&format!("clips/{id}/0-0.mp4")), format!("{VIDEO} worker"));

    let id = fixture.put_finished(ClipPiece::CopyTranscript, |job| job.transcript = outside("transcript"));
    assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
    assert_eq!(fixture.jobs.get(&id).transcript, Some(File::stored(format!("clips/{id}/transcript.json"))));

    // A page is no document: it stays where it is, without another attempt.
    let id = fixture.put_finished(ClipPiece::CopyPlan, |job| job.plan = outside("plan"));
    assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
    let job = fixture.jobs.get(&id);
    assert_eq!((job.plan, job.status), (outside("plan"), ClipStatus::Succeeded));
    assert!(job.pieces.list.is_empty());
}

#[tokio::test]
async fn the_source_of_a_worker_is_measured() {
    let fixture = Fixture::of_videos();
    let id = fixture.put_finished(ClipPiece::Measure, |_| {});
    assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
    assert_eq!(fixture.cutter.asked(), [Asked::Shape(VIDEO.to_owned())]);
    assert!(fixture.jobs.get(&id).pieces.list.is_empty());
    assert!(fixture.files(&id).is_empty(), "it is not copied");
}

#[tokio::test]
async fn work_about_what_is_gone_is_given_up() {
    for piece in [ClipPiece::CopyClip { index: 7 }, ClipPiece::CopyTranscript, ClipPiece::CopyPlan] {
        let fixture = Fixture::of_videos();
        let id = fixture.put_finished(piece.clone(), |_| {});
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported, "{piece:?}");
        assert!(fixture.jobs.get(&id).pieces.list.is_empty(), "{piece:?}");
        assert_eq!(fixture.web.0.requests().len(), 0, "{piece:?}");
    }
}
