//! The stored form of clip jobs: the exact text of one with every member, every state, and other versions' members.

use reelhook_domain::clips::clip::{Clip, SourceFacts};
use reelhook_domain::clips::job::{ClipPiece, JobCredits};
use reelhook_domain::clips::request::{ClipRequest, Layout, Lengths, Range, Source};
use reelhook_domain::clips::run::{Engine, OwnRun, Run, WorkerRun, WorkerState};
use reelhook_domain::credits::price::Basis;
use reelhook_domain::pieces::{Piece, PieceClaim, Pieces};
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipEffect, ClipJob, ClipStatus, Emitted, EventId, Metadata, Origin, OutboundEvent, RenderId};
use serde_json::{Number, Value, json};

use super::items::{self, read};
use super::{at, id, job, owner, url, worker};
use crate::opened::opened;

/// The item of a clip job as versions before 0.3 stored it; both forms are read.
async fn item_of(of: &ClipJob) -> Value {
    let item = items::item_of(of).await;
    assert_eq!(read(&item).await.as_ref(), Some(of));
    opened(&item)
}

fn render(text: &str) -> RenderId {
    RenderId::parse(text).unwrap()
}

/// A job in which every member has a value of its own.
fn full() -> ClipJob {
    let submitted = WorkerState::Submitted { id: render("w-9"), polls: 2, missing: 1, next_at: at(9) };
    let run =
        WorkerRun { number: 3, lost: 1, refusals: 4, deadline: Some(at(7)), heard_at: Some(at(8)), state: submitted };
    let cut = Clip {
        file: Some(File { source: Some(url("https://worker.example/c.mp4")), key: Some("clips/c.mp4".to_owned()) }),
        range: Some(Range { start_ms: 1000, end_ms: 31_000 }),
        previous: Some(Range { start_ms: 500, end_ms: 30_500 }),
        duration_ms: Some(30_040),
        score: Number::from_f64(0.875),
        score_basis: [("speech".to_owned(), json!(0.5))].into_iter().collect(),
        summary: Some("A café".to_owned()),
        tags: vec!["talk".to_owned()],
        layout: Some("vertical".to_owned()),
        ..Clip::new(0, 1)
    };
    let copy = Piece {
        units: 1,
        claim: Some(PieceClaim { number: 4, lease_until: at(10) }),
        crashes: 1,
        ..Piece::new(ClipPiece::CopyClip { index: 0 }, 3)
    };
    let transcript = Piece { ready_at: Some(at(11)), ..Piece::new(ClipPiece::CopyTranscript, 1) };
    ClipJob {
        version: 7,
        request: ClipRequest {
            source: Source::Page(url("https://video.example/watch?v=1")),
            count: Some(5),
            ranges: vec![Range { start_ms: 0, end_ms: 600_000 }],
            declared_ms: Some(900_000),
            lengths: vec![Lengths { min_s: 15, max_s: 30 }],
            platform: Some("tiktok".to_owned()),
            captions: true,
            caption_preset: Some("bold".to_owned()),
            keywords: vec!["harbour".to_owned()],
            layout: Layout::Vertical,
            callback: Some(url("https://client.example/hook")),
            metadata: Metadata::parse(&json!({ "order": "7" })).unwrap(),
        },
        origin: Origin {
            caller: Some("caller".to_owned()),
            traceparent: Some("00-trace".to_owned()),
            owner: Some(owner("u-1")),
        },
        updated_at: at(1),
        started_at: Some(at(2)),
        ended_at: Some(at(3)),
        deleted_at: None,
        status: ClipStatus::Failed,
        error: Some("no \"clips\"".to_owned()),
        run: Run {
            attempt: 2,
            engine: Engine::Worker(run),
            progress: 40,
            stage: "Rendering".to_owned(),
            clips_completed: 1,
            total_clips: Some(5),
            source_ms: Some(600_000),
            shown_progress: 30,
        },
        clips: vec![cut, Clip::new(1, 0)],
        transcript: Some(File::outside(url("https://worker.example/t.json"))),
        plan: Some(File::stored("clips/p.json")),
        pieces: Pieces { list: vec![copy, transcript], claims: 4, moved_at: at(12), hint_at: at(13), shown_at: at(14) },
        credits: JobCredits { reserved: 10, charged: 20, settled_attempt: 1, basis: None },
        hinted_at: Some(at(4)),
        due_at: Some(at(5)),
        live_version: 6,
        emitted: vec![Emitted {
            id: EventId::of(&id(1), 6, 0),
            event: OutboundEvent::ClipReady,
            about: Some("0".to_owned()),
            version: 6,
            at: at(6),
        }],
        outbox: vec![ClipEffect::Work { delay_s: 3 }.into()],
        ..job(1)
    }
}

#[tokio::test]
async fn the_text_of_a_job_with_every_member_stays_as_it_is() {
    let body = concat!(
        r#"{"id":"clip_0b0e7a3c-5f0e-4f43-9a53-000000000001","version":7,"#,
        r#""request":{"source":{"page":"https://video.example/watch?v=1"},"count":5,"#,
        r#""ranges":[{"start_ms":0,"end_ms":600000}],"declared_ms":900000,"#,
        r#""lengths":[{"min_s":15,"max_s":30}],"platform":"tiktok","#,
        r#""captions":true,"caption_preset":"bold","keywords":["harbour"],"layout":"vertical","#,
        r#""callback":"https://client.example/hook","metadata":{"order":"7"}},"#,
        r#""origin":{"caller":"caller","traceparent":"00-trace","owner":"u-1"},"#,
        r#""times":{"created":1704110400000,"updated":1704110400001,"started":1704110400002,"ended":1704110400003,"#,
        r#""hinted":1704110400004,"due":1704110400005},"status":"failed","error":"no \"clips\"","#,
        r#""run":{"attempt":2,"engine":{"worker":{"no":3,"lost":1,"refusals":4,"deadline":1704110400007,"#,
        r#""heard_at":1704110400008,"#,
        r#""state":{"submitted":{"id":"w-9","polls":2,"missing":1,"next_at":1704110400009}}}},"#,
        r#""progress":40,"stage":"Rendering","completed":1,"total":5,"source_ms":600000,"shown":30},"#,
        r#""clips":[{"index":0,"file":{"source":"https://worker.example/c.mp4","key":"clips/c.mp4"},"#,
        r#""range":{"start_ms":1000,"end_ms":31000},"previous":{"start_ms":500,"end_ms":30500},"#,
        r#""duration_ms":30040,"score":0.875,"score_basis":{"speech":0.5},"summary":"A café","tags":["talk"],"#,
        r#""layout":"vertical","cuts":1},{"index":1,"cuts":0}],"#,
        r#""transcript":{"source":"https://worker.example/t.json"},"plan":{"key":"clips/p.json"},"#,
        r#""pieces":{"list":[{"work":{"copy_clip":{"index":0}},"size":3,"units":1,"#,
        r#""claim":{"no":4,"lease_until":1704110400010},"crashes":1},"#,
        r#"{"work":"copy_transcript","size":1,"ready_at":1704110400011}],"claims":4,"#,
        r#""moved_at":1704110400012,"hint_at":1704110400013,"shown_at":1704110400014},"#,
        r#""credits":{"reserved":10,"charged":20,"settled_attempt":1},"live_version":6,"#,
        r#""emitted":[{"id":"clip_0b0e7a3c-5f0e-4f43-9a53-000000000001.6.0","event":"clips.clip_ready","#,
        r#""about":"0","version":6,"at":1704110400006}]}"#,
    );
    let item = item_of(&full()).await;
    assert_eq!(item["body"], json!({ "S": body }));
    assert_eq!(item["outbox"], json!({ "S": r#"[{"kind":"clip_work.v1","delay_s":3}]"# }));
    assert_eq!(read(&item).await.unwrap(), full());
}

#[tokio::test]
async fn what_has_its_default_is_left_out() {
    let body = concat!(
        r#"{"id":"clip_0b0e7a3c-5f0e-4f43-9a53-000000000001","version":1,"#,
        r#""request":{"source":{"file":"https://client.example/talk.mp4"},"captions":false,"layout":"original","#,
        r#""metadata":{}},"times":{"created":1704110400000,"updated":1704110400000},"status":"queued","#,
        r#""run":{"attempt":1,"engine":{"worker":{"no":1,"state":{"waiting":{"ready_at":1704110400000}}}}},"#,
        r#""pieces":{"moved_at":1704110400000,"hint_at":1704110460000,"shown_at":1704110400000},"live_version":0}"#,
    );
    let item = item_of(&job(1)).await;
    assert_eq!(item["body"], json!({ "S": body }));
    assert_eq!(read(&item).await.unwrap(), job(1));
}

#[tokio::test]
async fn every_engine_state_source_and_piece_is_read_as_it_was_written() {
    let facts = SourceFacts {
        duration_ms: 600_000,
        width: 1920,
        height: 1080,
        fps: (30_000, 1001),
        sound: true,
        key: "clips/s.mp4".to_owned(),
    };
    let engines = [
        worker(WorkerState::Waiting { ready_at: at(1) }),
        worker(WorkerState::Submitting { lease_until: at(2) }),
        worker(WorkerState::Unclear { lookups: 1, next_at: at(3) }),
        worker(WorkerState::Submitted { id: render("w-1"), polls: 0, missing: 0, next_at: at(4) }),
        worker(WorkerState::Ended),
        Engine::Own(OwnRun::default()),
        Engine::Own(OwnRun { source: Some(facts), planned: true, cuts: 2, submissions: 3 }),
    ];
    let works = [
        ClipPiece::Probe,
        ClipPiece::Plan,
        ClipPiece::Cut { index: 1, cut: 2 },
        ClipPiece::CopyClip { index: 3 },
        ClipPiece::CopyTranscript,
        ClipPiece::CopyPlan,
        ClipPiece::Measure,
    ];
    let mut pieces = job(1).pieces;
    pieces.list = works.into_iter().map(|work| Piece { done: true, ..Piece::new(work, 1) }).collect();
    let sources = [
        Source::Page(url("https://video.example/watch?v=1")),
        Source::File(url("https://client.example/talk.mp4")),
        Source::Upload("uploads/talk.mp4".to_owned()),
    ];
    for (engine, source) in engines.into_iter().zip(sources.into_iter().cycle()) {
        for status in ClipStatus::ALL.iter().copied() {
            let base = job(1);
            let request = ClipRequest { source: source.clone(), ..base.request };
            let run = Run { engine: engine.clone(), ..base.run };
            let stored = ClipJob { status, request, run, pieces: pieces.clone(), ..job(1) };
            assert_eq!(read(&item_of(&stored).await).await.unwrap(), stored);
        }
    }
}

#[tokio::test]
async fn the_basis_of_a_charge_is_kept() {
    let credits = JobCredits { basis: Some(Basis::Reported), ..full().credits };
    let charged = ClipJob { credits, ..full() };
    assert_eq!(read(&item_of(&charged).await).await.unwrap(), charged);
}

#[tokio::test]
async fn members_of_newer_versions_are_ignored() {
    let mut item = item_of(&full()).await;
    let mut body: Value = serde_json::from_str(item["body"]["S"].as_str().unwrap()).unwrap();
    let paths = [
        "",
        "/request",
        "/request/ranges/0",
        "/origin",
        "/times",
        "/run",
        "/run/engine/worker",
        "/run/engine/worker/state/submitted",
        "/clips/0",
        "/clips/0/file",
        "/pieces",
        "/pieces/list/0",
        "/pieces/list/0/work/copy_clip",
        "/credits",
    ];
    for path in paths {
        body.pointer_mut(path).unwrap()["from_a_newer_version"] = json!({ "a": [1] });
    }
    item["body"] = json!({ "S": body.to_string() });
    assert_eq!(read(&item).await.unwrap(), full());
}
