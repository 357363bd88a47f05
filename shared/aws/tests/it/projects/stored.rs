//! The stored form of projects: the exact text of one with every member, every state, other versions' members, and size.

use reelhook_domain::pieces::{Piece, PieceClaim, Pieces};
use reelhook_domain::projects::media::{File, SentMetadata, Video};
use reelhook_domain::projects::project::{FinalVideo, Phase, Project, ProjectPiece, ProjectSpec};
use reelhook_domain::projects::scene::{Dependency, LongText, Scene, SceneKind, SceneSpec, SceneState, Take};
use reelhook_domain::projects::stitch::{Input, Node, NodeState, Stitch};
use reelhook_domain::projects::task::{Task, TaskState};
use reelhook_domain::{Effect, Emitted, EventId, Metadata, Origin, OutboundEvent};
use serde_json::{Number, Value, json};

use super::items::{self, read, size};
use super::{at, project, scene, scene_id, take, task, task_id, url};
use crate::opened::opened;

/// The item of a project as versions before 0.3 stored it; both forms are read.
async fn item_of(of: &Project) -> Value {
    let item = items::item_of(of).await;
    assert_eq!(read(&item).await.as_ref(), Some(of));
    opened(&item)
}

/// A project in which every member has a value of its own.
pub(super) fn full() -> Project {
    let submitted = TaskState::Submitted { id: task_id("task_9"), polls: 2, next_at: at(11), status_url: None };
    let video = Video {
        file: File {
            source: Some(url("https://tasks.example/v.mp4")),
            key: Some("projects/proj_1/scenes/scene_a/1/video.mp4".to_owned()),
        },
        thumbnail: Some(File::stored("t.jpg")),
        duration_ms: Some(5040),
        width: Some(1920),
        height: Some(1080),
        fps: Number::from_f64(23.976),
        quality: Some(Number::from(0)),
        bytes: Some(1000),
        metadata: Some(SentMetadata::Stored("m.json".to_owned())),
    };
    let first = Scene {
        id: scene_id("a"),
        spec: SceneSpec {
            number: "002a".to_owned(),
            name: Some("Dawn".to_owned()),
            prompt: LongText::Inline("A café".to_owned()),
            kind: SceneKind::FirstLastFrame,
            duration_ms: 5000,
            fps: Some(24),
            model: Some("veo".to_owned()),
            resolution: Some("1080p".to_owned()),
            first_frame: Some(url("https://client.example/first.png")),
            last_frame: Some(url("https://client.example/last.png")),
            images: vec![url("https://client.example/a.png")],
            depends_on: Dependency::Scene(scene_id("b")),
        },
        notes: "nice".to_owned(),
        attempt: 2,
        failures: 1,
        state: SceneState::Generating(Task {
            number: 3,
            claims: 2,
            deadline: Some(at(10)),
            progress: 40,
            state: submitted,
        }),
        takes: vec![Take {
            attempt: 1,
            video,
            first_frame: Some(File::outside(url("https://client.example/first.png"))),
            last_frame: Some(File::stored("l.png")),
            task_id: Some("task_1".to_owned()),
            at: at(12),
        }],
        chosen: Some(1),
        stale: true,
        given: Some((scene_id("b"), 4)),
    };
    let prompt = LongText::Stored("projects/proj_1/prompts/scene_b-00.txt".to_owned());
    let second = Scene {
        spec: SceneSpec { number: "1".to_owned(), prompt, ..SceneSpec::default() },
        attempt: 0,
        ..scene("b", 1, SceneState::Verified)
    };
    let done = Video { file: File::stored("n.mp4"), ..Video::default() };
    let nodes = vec![
        Node { inputs: vec![Input::Take(0), Input::Take(1)], state: NodeState::Done(done) },
        Node { inputs: vec![Input::Node(0)], state: NodeState::Running(task(TaskState::Waiting { ready_at: at(13) })) },
    ];
    let copy = Piece {
        units: 1,
        claim: Some(PieceClaim { number: 4, lease_until: at(15) }),
        crashes: 1,
        ..Piece::new(ProjectPiece::Copy { scene: scene_id("a"), attempt: 1 }, 3)
    };
    let concat = Piece { ready_at: Some(at(16)), ..Piece::new(ProjectPiece::Concat { generation: 2 }, 1) };
    let base = project(vec![first, second]);
    Project {
        version: 7,
        spec: ProjectSpec {
            name: "Film".to_owned(),
            kind: Some("ad".to_owned()),
            user: Some("u1".to_owned()),
            budget: Some(5_000_000),
            metadata: Metadata::parse(&json!({ "order": "7" })).unwrap(),
        },
        origin: Origin { caller: Some("caller".to_owned()), traceparent: Some("00-trace".to_owned()), owner: None },
        updated_at: at(1),
        started_at: Some(at(2)),
        ended_at: Some(at(3)),
        served_at: at(4),
        hinted_at: Some(at(5)),
        due_at: Some(at(6)),
        phase: Phase::Failed("no \"stitch\"".to_owned()),
        removed_attempts: 3,
        stitch: Some(Stitch { generation: 2, takes: vec![(scene_id("b"), 1), (scene_id("a"), 1)], nodes }),
        generations: 2,
        video: Some(FinalVideo {
            video: Video { file: File::stored("f.mp4"), ..Video::default() },
            takes: vec![(scene_id("b"), 1)],
            at: at(14),
        }),
        pieces: Pieces { list: vec![copy, concat], claims: 4, moved_at: at(17), hint_at: at(18), shown_at: at(19) },
        spent: 70,
        live_version: 6,
        emitted: vec![Emitted {
            id: EventId::of(&base.id, 6, 0),
            event: OutboundEvent::SceneGenerated,
            about: Some("scene_a".to_owned()),
            version: 6,
            at: at(20),
        }],
        outbox: vec![Effect::Start { delay_s: 3 }],
        ..base
    }
}

#[tokio::test]
async fn the_text_of_a_project_with_every_member_stays_as_it_is() {
    let body = concat!(
        r#"{"id":"proj_1","version":7,"#,
        r#""spec":{"name":"Film","kind":"ad","user":"u1","budget":5000000,"metadata":{"order":"7"}},"#,
        r#""origin":{"caller":"caller","traceparent":"00-trace"},"#,
        r#""times":{"created":1704110400000,"updated":1704110400001,"started":1704110400002,"ended":1704110400003,"#,
        r#""served":1704110400004,"hinted":1704110400005,"due":1704110400006},"#,
        r#""phase":{"failed":"no \"stitch\""},"scenes":["#,
        r#"{"id":"scene_a","spec":{"no":"002a","name":"Dawn","prompt":{"inline":"A café"},"#,
        r#""kind":"first-last-frame","ms":5000,"fps":24,"model":"veo","resolution":"1080p","#,
        r#""first":"https://client.example/first.png","last":"https://client.example/last.png","#,
        r#""images":["https://client.example/a.png"],"on":{"scene":"scene_b"}},"#,
        r#""notes":"nice","attempt":2,"failures":1,"#,
        r#""state":{"generating":{"no":3,"claims":2,"deadline":1704110400010,"progress":40,"#,
        r#""state":{"submitted":{"id":"task_9","polls":2,"next_at":1704110400011}}}},"#,
        r#""takes":[{"attempt":1,"video":{"file":{"source":"https://tasks.example/v.mp4","#,
        r#""key":"projects/proj_1/scenes/scene_a/1/video.mp4"},"thumbnail":{"key":"t.jpg"},"#,
        r#""duration_ms":5040,"width":1920,"height":1080,"fps":23.976,"quality":0,"bytes":1000,"#,
        r#""metadata":{"stored":"m.json"}},"#,
        r#""first":{"source":"https://client.example/first.png"},"last":{"key":"l.png"},"#,
        r#""task":"task_1","at":1704110400012}],"chosen":1,"stale":true,"given":["scene_b",4]},"#,
        r#"{"id":"scene_b","spec":{"no":"1","prompt":{"stored":"projects/proj_1/prompts/scene_b-00.txt"},"#,
        r#""kind":"text-to-video","ms":0},"state":"verified"}],"removed_attempts":3,"#,
        r#""stitch":{"generation":2,"takes":[["scene_b",1],["scene_a",1]],"nodes":["#,
        r#"{"inputs":[{"take":0},{"take":1}],"video":{"file":{"key":"n.mp4"}}},"#,
        r#"{"inputs":[{"node":0}],"#,
        r#""task":{"no":1,"state":{"waiting":{"ready_at":1704110400013}}}}]},"#,
        r#""generations":2,"#,
        r#""video":{"video":{"file":{"key":"f.mp4"}},"takes":[["scene_b",1]],"at":1704110400014},"#,
        r#""pieces":{"list":[{"work":{"copy":{"scene":"scene_a","attempt":1}},"size":3,"units":1,"#,
        r#""claim":{"no":4,"lease_until":1704110400015},"crashes":1},"#,
        r#"{"work":{"concat":{"generation":2}},"size":1,"ready_at":1704110400016}],"claims":4,"#,
        r#""moved_at":1704110400017,"hint_at":1704110400018,"shown_at":1704110400019},"#,
        r#""spent":70,"live_version":6,"emitted":[{"id":"proj_1.6.0","event":"scene.generated","#,
        r#""about":"scene_a","version":6,"at":1704110400020}]}"#,
    );
    let item = item_of(&full()).await;
    assert_eq!(item["body"], json!({ "S": body }));
    assert_eq!(item["outbox"], json!({ "S": r#"[{"kind":"start.v1","delay_s":3}]"# }));
    assert_eq!(read(&item).await.unwrap(), full());
}

#[tokio::test]
async fn a_task_from_before_claims_were_counted_keeps_the_key_of_its_slot() {
    let slot = |project: &Project| project.slots().collect::<Vec<_>>();
    let mut item = item_of(&full()).await;
    assert_eq!(slot(&read(&item).await.unwrap()), ["proj_1.video.2.3.scene_a.2"]);
    let had = item["body"]["S"].as_str().unwrap().replace(r#""claims":2,"#, "");
    item["body"]["S"] = had.into();
    assert_eq!(slot(&read(&item).await.unwrap()), ["proj_1.video.2.3.scene_a"]);
}

/// What `cargo xtask owner delete` leaves of a project (`bare` in infra/local/commands/owner_delete.py).
#[tokio::test]
async fn the_bare_tombstone_of_a_deleted_owner_is_read_as_a_deleted_project() {
    let mut item = item_of(&full()).await;
    let body = concat!(
        r#"{"id":"proj_1","version":8,"spec":{"name":""},"#,
        r#""times":{"created":1,"updated":2,"served":3,"deleted":4},"phase":"cancelled","scenes":[],"#,
        r#""pieces":{"moved_at":5,"hint_at":6,"shown_at":7}}"#,
    );
    item["body"]["S"] = body.into();
    item.as_object_mut().unwrap().remove("outbox");
    let bare = read(&item).await.unwrap();
    assert_eq!((bare.id, bare.version), (full().id, 8));
    assert!(bare.deleted_at.is_some() && bare.origin.owner.is_none() && bare.scenes.is_empty());
}

#[tokio::test]
async fn the_number_of_refusals_that_items_had_is_ignored() {
    let mut item = item_of(&full()).await;
    let body = item["body"]["S"].as_str().unwrap();
    let had = body.replace(r#""ready_at":1704110400013"#, r#""ready_at":1704110400013,"refusals":2"#);
    assert_ne!(body, had);
    item["body"]["S"] = had.into();
    assert_eq!(read(&item).await.unwrap(), full());
}

#[tokio::test]
async fn every_state_is_read_as_it_was_written() {
    let tasks = || {
        let id = task_id("task_1");
        [
            TaskState::Waiting { ready_at: at(1) },
            TaskState::Submitting { lease_until: at(2) },
            TaskState::Unclear { lookups: 1, next_at: None },
            TaskState::Unclear { lookups: 2, next_at: Some(at(3)) },
            TaskState::Submitted { id: id.clone(), polls: 4, next_at: at(4), status_url: None },
            TaskState::Submitted {
                id,
                polls: 5,
                next_at: at(5),
                status_url: Some(url("https://tasks.example/state/1?t=a")),
            },
            TaskState::Own,
        ]
        .map(task)
    };
    let states = [
        SceneState::Draft,
        SceneState::Ready,
        SceneState::FrameFailed { number: 5 },
        SceneState::Verified,
        SceneState::Approved,
        SceneState::Rejected,
        SceneState::Revision,
    ];
    let under_way =
        tasks().into_iter().flat_map(|task| [SceneState::Generating(task.clone()), SceneState::Generated(task)]);
    let mut scenes: Vec<Scene> = states
        .into_iter()
        .chain(under_way)
        .enumerate()
        .map(|(index, state)| scene(&index.to_string(), index, state))
        .collect();
    let kinds = SceneKind::ALL.iter().copied();
    let others = [Dependency::Previous, Dependency::Nothing, Dependency::Scene(scene_id("1"))];
    for ((scene, kind), depends_on) in scenes.iter_mut().zip(kinds).zip(others.into_iter().cycle()) {
        scene.spec = SceneSpec { kind, depends_on, ..scene.spec.clone() };
    }
    let one = || scene_id("1");
    let works = [
        ProjectPiece::Card { scene: one(), attempt: 1 },
        ProjectPiece::Copy { scene: one(), attempt: 2 },
        ProjectPiece::LastFrame { scene: one(), attempt: 3 },
        ProjectPiece::Concat { generation: 1 },
        ProjectPiece::CopyFinal { generation: 2 },
    ];
    let mut pieces = project(Vec::new()).pieces;
    pieces.list = works.into_iter().map(|work| Piece { done: true, ..Piece::new(work, 1) }).collect();
    let running = tasks().into_iter().map(NodeState::Running);
    let nodes = running.chain([NodeState::Blocked, NodeState::Done(Video::default())]);
    let nodes = nodes.map(|state| Node { inputs: vec![Input::Take(1), Input::Node(2)], state }).collect();
    let stitch = Stitch { generation: 1, takes: vec![(one(), 1)], nodes };
    let phases = [Phase::Draft, Phase::Running, Phase::Completed, Phase::Failed("why".to_owned()), Phase::Cancelled];
    for phase in phases {
        let base = project(scenes.clone());
        let stored = Project { phase, pieces: pieces.clone(), stitch: Some(stitch.clone()), ..base };
        assert_eq!(read(&item_of(&stored).await).await.unwrap(), stored);
    }
}

/// The item with another member in these objects of its body.
fn with_new_member(item: &Value, paths: &[&str]) -> Value {
    let mut body: Value = serde_json::from_str(item["body"]["S"].as_str().unwrap()).unwrap();
    for path in paths {
        body.pointer_mut(path).unwrap()["from_a_newer_version"] = json!({ "a": [1] });
    }
    let mut item = item.clone();
    item["body"] = json!({ "S": body.to_string() });
    item
}

#[tokio::test]
async fn members_of_newer_versions_are_ignored() {
    let paths = [
        "",
        "/spec",
        "/origin",
        "/times",
        "/scenes/0",
        "/scenes/0/spec",
        "/scenes/0/state/generating",
        "/scenes/0/state/generating/state/submitted",
        "/scenes/0/takes/0",
        "/scenes/0/takes/0/video",
        "/stitch",
        "/stitch/nodes/0",
        "/video",
        "/pieces",
        "/pieces/list/0",
        "/pieces/list/0/work/copy",
    ];
    let item = with_new_member(&item_of(&full()).await, &paths);
    assert_eq!(read(&item).await.unwrap(), full());
}

#[tokio::test]
async fn a_failed_frame_without_the_number_of_its_last_extraction_is_read() {
    let failed = |number| project(vec![scene("a", 1, SceneState::FrameFailed { number })]);
    let mut item = item_of(&failed(4)).await;
    let body = item["body"]["S"].as_str().unwrap().to_owned();
    assert!(body.contains(r#""state":"frame_failed","frames":4"#), "{body}");
    item["body"] = json!({ "S": body.replace(r#","frames":4"#, "") });
    assert_eq!(read(&item).await.unwrap(), failed(0));
}

/// A text of so many bytes in words that repeat in no order.
fn words(bytes: usize, seed: &mut u64) -> String {
    const WORDS: [&str; 12] = [
        "camera ", "harbour ", "dawn ", "slow ", "waves ", "keeper ", "golden ", "rocks ", "a ", "the ", "over ",
        "who ",
    ];
    let mut text = String::with_capacity(bytes);
    while text.len() < bytes {
        text.push_str(WORDS[draw(seed) as usize % WORDS.len()]);
    }
    text.truncate(bytes);
    text
}

/// Pseudo-random numbers, the same in each run.
fn draw(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Digits that nobody can compress, as the signature in a link has.
fn digits(seed: &mut u64) -> String {
    (0..8).map(|_| format!("{:08x}", draw(seed))).collect()
}

#[tokio::test]
async fn a_project_with_as_many_scenes_and_takes_as_possible_fits_into_an_item() {
    let mut seed = 1;
    let scene = |number: usize| {
        let id = format!("{number:032x}");
        let seed = &mut seed;
        let takes = (1..=5).map(|attempt| {
            let folder = format!("projects/proj_1704110400000_{:032x}/scenes/scene_{id}/{attempt}", 1);
            let file = |name: &str, seed: &mut u64| match attempt {
                5 => File::outside(url(&format!("https://media.example/{name}?signature={}", digits(seed)))),
                _ => File::stored(format!("{folder}/{name}")),
            };
            let video = Video {
                thumbnail: Some(file("thumbnail.jpg", seed)),
                duration_ms: Some(5000),
                width: Some(1920),
                height: Some(1080),
                fps: Some(Number::from(24)),
                ..take(attempt, file("video.mp4", seed)).video
            };
            Take {
                first_frame: Some(File::stored(format!("{folder}/first.png"))),
                last_frame: Some(file("last.png", seed)),
                task_id: Some(digits(seed)),
                video,
                ..take(attempt, File::default())
            }
        });
        let takes = takes.collect();
        let base = scene(&id, number, SceneState::Verified);
        let spec = SceneSpec { prompt: LongText::Inline(words(2000, seed)), ..base.spec.clone() };
        Scene { spec, takes, attempt: 5, ..base }
    };
    let stored = project((0..200).map(scene).collect());
    let item = items::item_of(&stored).await;
    assert!(size(&item) <= 400 * 1024, "{} bytes", size(&item));
    assert_eq!(read(&item).await.unwrap(), stored);
}
