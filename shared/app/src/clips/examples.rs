//! Examples of clip jobs for previews of webhooks.

use std::time::Duration;

use reelhook_domain::clips::clip::{Clip, SourceFacts};
use reelhook_domain::clips::job::JobCredits;
use reelhook_domain::clips::request::{ClipRequest, Lengths, Range, Source};
use reelhook_domain::clips::run::{Engine, OwnRun, Run};
use reelhook_domain::credits::price::Basis;
use reelhook_domain::pieces::Pieces;
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJob, ClipJobId, ClipPolicy, ClipStatus, Origin, OutboundEvent, Timestamp, WebUrl};
use serde_json::{Map, Number, json};

use crate::clips::files::key;

/// The random part of the example's id.
const RANDOM: u128 = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
/// The length of the source in milliseconds.
const SOURCE_MS: u64 = 600_000;
/// The length of each clip in milliseconds.
const CLIP_MS: u64 = 30_000;
/// Clips that there will be.
const CLIPS: u32 = 2;
/// What such a job costs.
const CREDITS: u64 = 100;

/// A clip job that was created at this time and went on until the event.
pub(crate) fn job(event: OutboundEvent, at: Timestamp) -> ClipJob {
    let minute = |minutes: u64| at.after(Duration::from_secs(60 * minutes));
    let id = ClipJobId::random(RANDOM);
    let (status, ready, error) = match event {
        OutboundEvent::ClipsCompleted => (ClipStatus::Succeeded, CLIPS, None),
        OutboundEvent::ClipsFailed => (ClipStatus::Failed, 0, Some("The source has no video")),
        OutboundEvent::ClipsCanceled => (ClipStatus::Canceled, 1, None),
        OutboundEvent::ClipReady => (ClipStatus::Running, 1, None),
        _ => (ClipStatus::Running, 0, None),
    };
    let ended = status.is_final().then(|| minute(6));
    let succeeded = status == ClipStatus::Succeeded;
    let source = SourceFacts {
        duration_ms: SOURCE_MS,
        width: 1920,
        height: 1080,
        fps: (30, 1),
        sound: true,
        key: key(&id, "source.mp4"),
    };
    ClipJob {
        version: 7,
        request: request(),
        origin: Origin::default(),
        created_at: at,
        updated_at: ended.unwrap_or(minute(1)),
        started_at: Some(at),
        ended_at: ended,
        deleted_at: None,
        status,
        error: error.map(str::to_owned),
        run: Run {
            attempt: 1,
            engine: Engine::Own(OwnRun { source: Some(source), planned: true, ..OwnRun::default() }),
            progress: if succeeded { 100 } else { u8::try_from(20 + ready * 40).unwrap_or(100) },
            stage: if succeeded { "Completed" } else { "Cutting" }.to_owned(),
            clips_completed: ready,
            total_clips: Some(CLIPS),
            source_ms: Some(SOURCE_MS),
            shown_progress: 0,
        },
        clips: (0..ready).map(|index| clip(&id, index)).collect(),
        transcript: None,
        plan: (ready > 0).then(|| File::stored(key(&id, "plan.json"))),
        pieces: Pieces::new(Vec::new(), at, &ClipPolicy::default().pieces()),
        credits: JobCredits {
            reserved: if status.is_final() { 0 } else { CREDITS },
            charged: if succeeded { CREDITS } else { 0 },
            settled_attempt: u32::from(status.is_final()),
            basis: succeeded.then_some(Basis::Probed),
        },
        hinted_at: None,
        due_at: None,
        live_version: 7,
        emitted: Vec::new(),
        outbox: Vec::new(),
        id,
    }
}

fn request() -> ClipRequest {
    let source = Source::File(WebUrl::parse("https://client.example/talk.mp4").expect("a URL"));
    ClipRequest { count: Some(CLIPS), lengths: vec![Lengths { min_s: 15, max_s: 30 }], ..ClipRequest::of(source) }
}

fn clip(job: &ClipJobId, index: u32) -> Clip {
    let start_ms = u64::from(index) * 2 * CLIP_MS;
    let basis = [("speech", json!(0.9)), ("motion", json!(0.7)), ("scenes", json!(4))];
    Clip {
        file: Some(File::stored(key(job, &format!("{index}-0.mp4")))),
        range: Some(Range { start_ms, end_ms: start_ms + CLIP_MS }),
        duration_ms: Some(CLIP_MS),
        score: Number::from_f64(0.8),
        score_basis: basis.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
        layout: Some("original".to_owned()),
        ..Clip::new(index, 0)
    }
}
