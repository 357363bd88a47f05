//! The work of our renderers for projects: cards, last frames, joined videos, copies, and leases that are lost.

pub mod memory;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_app::clock::{ClockAndRandom, Timer};
use reelhook_app::outbound::OutboundRequest;
use reelhook_app::pieces::PieceOutcome;
use reelhook_app::projects::perform::ports::PiecePorts;
use reelhook_app::projects::pieces::{process_piece, process_pieces};
use reelhook_app::projects::store::ProjectFiles;
use reelhook_domain::pieces::Piece;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::media::File;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::{Phase, Project, ProjectPiece, ProjectStatus};
use reelhook_domain::projects::scene::{LongText, SceneState, SceneStatus};
use reelhook_domain::projects::task::Task;
use reelhook_domain::{Effect, ProjectId, SceneId, WebUrl};
use reelhook_testkit::{
    Answer, MemoryProjects, NOON, NeverElapses, ScriptedHttp, World, a_project, a_running_project, a_scene, a_stitch,
    a_take, response,
};

use self::memory::{Asked, IMAGE, MemoryBucket, Tools, VIDEO, Web};

struct Fixture {
    world: Arc<World>,
    projects: Arc<MemoryProjects>,
    bucket: MemoryBucket,
    web: Web,
    tools: Tools,
    policy: ProjectPolicy,
}

impl Fixture {
    /// Outside services that answer like this.
    fn with(script: impl Fn(&OutboundRequest) -> Answer + Send + Sync + 'static) -> Self {
        Self {
            world: Arc::default(),
            projects: Arc::default(),
            bucket: MemoryBucket::default(),
            web: Web(ScriptedHttp::new(script)),
            tools: Tools::default(),
            policy: ProjectPolicy::default(),
        }
    }

    /// No outside service has anything.
    fn alone() -> Self {
        Self::with(|_| Ok(response(404, "")))
    }

    fn ports<'a>(&'a self, timer: &'a dyn Timer) -> PiecePorts<'a> {
        PiecePorts {
            projects: &*self.projects,
            texts: &*self.projects,
            files: &self.bucket,
            downloads: &self.web,
            renderer: &self.tools,
            clock: &*self.world,
            timer,
            policy: &self.policy,
        }
    }

    /// Stores a draft and starts it.
    fn start(&self, draft: &Project) -> ProjectId {
        self.projects.put(draft);
        assert!(self.projects.apply(&draft.id, &Event::Start, NOON, &self.policy));
        draft.id.clone()
    }

    /// Stores a project that has this open piece only.
    fn put(&self, mut project: Project, piece: ProjectPiece) -> ProjectId {
        project.pieces.list = vec![Piece::new(piece, 100)];
        self.projects.put(&project);
        project.id
    }

    /// A renderer takes a hint.
    async fn process(&self, id: &ProjectId) -> PieceOutcome {
        process_piece(&self.ports(&NeverElapses), id).await.unwrap()
    }

    /// The keys of the stored files below the project.
    fn keys(&self, id: &ProjectId) -> Vec<String> {
        let prefix = format!("projects/{id}/");
        self.bucket.types().iter().map(|(key, _)| key.strip_prefix(&prefix).unwrap().to_owned()).collect()
    }
}

/// A project of our own renderers with so many scenes in a chain.
fn draft(scenes: usize) -> Project {
    a_project(1, scenes, false, NOON, &ProjectPolicy::default())
}

#[tokio::test]
async fn cards_frames_and_the_joined_video_are_made_one_from_the_other() {
    let fixture = Fixture::alone();
    let id = fixture.start(&draft(2));
    let last_start = NOON.after(Duration::from_secs(600));
    assert_eq!(process_pieces(&fixture.ports(&NeverElapses), &id, last_start).await.unwrap(), 5);

    let [one, two] = ["Scene 1 of project 1", "Scene 2 of project 1"];
    let [first, second] = [one, two].map(|title| format!("{VIDEO} {title}"));
    let card = |title: &str, first_frame| Asked::Card { title: title.to_owned(), first_frame };
    let expected = [
        card(one, None),
        Asked::LastFrame(first.clone()),
        card(two, Some(format!("{IMAGE} of {first}"))),
        Asked::LastFrame(second.clone()),
        Asked::Concat(vec![(first, false), (second, true)]),
    ];
    assert_eq!(fixture.tools.asked(), expected);
    let keys = [
        "final/1/video.mp4",
        "scenes/scene_1_1/1/last.png",
        "scenes/scene_1_1/1/video.mp4",
        "scenes/scene_1_2/1/last.png",
        "scenes/scene_1_2/1/video.mp4",
    ];
    assert_eq!(fixture.keys(&id), keys);
    assert_eq!(fixture.bucket.types()[1].1, "image/png");
    let project = fixture.projects.get(&id);
    let made = &project.video.as_ref().unwrap().video;
    assert_eq!((project.status(), made.width, made.duration_ms), (ProjectStatus::Completed, Some(1280), Some(9_960)));
    assert_eq!(made.bytes, Some(format!("{VIDEO} whole").len() as u64));
}

#[tokio::test]
async fn a_card_shows_a_long_prompt_and_fails_for_good_without_it() {
    for (is_there, expected) in [(true, SceneStatus::Generated), (false, SceneStatus::Rejected)] {
        let fixture = Fixture::alone();
        let mut draft = draft(1);
        draft.scenes[0].spec.prompt = LongText::Stored("projects/p/prompts/x.txt".to_owned());
        if is_there {
            let prompt = Bytes::from_static(b"A lake");
            fixture.projects.put_text("projects/p/prompts/x.txt", prompt).await.unwrap();
        }
        let id = fixture.start(&draft);
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
        assert_eq!(fixture.projects.get(&id).scenes[0].status(), expected);
        let card = Asked::Card { title: "A lake".to_owned(), first_frame: None };
        assert_eq!(fixture.tools.asked(), if is_there { vec![card] } else { vec![] });
    }
}

#[tokio::test]
async fn a_frame_is_extracted_from_the_source_where_the_copy_is_gone() {
    let fixture = Fixture::with(|_| Ok(response(200, format!("{VIDEO} outside"))));
    let mut scene = a_scene("a", SceneState::Generated(Task::own()));
    scene.takes = vec![a_take(1, false)];
    scene.takes[0].video.file.key = Some("projects/proj_1/scenes/scene_a/1/video.mp4".to_owned());
    let piece = ProjectPiece::LastFrame { scene: scene.id.clone(), attempt: 1 };
    let id = fixture.put(a_running_project("1", vec![scene]), piece);
    assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
    assert_eq!(fixture.tools.asked(), [Asked::LastFrame(format!("{VIDEO} outside"))]);
    assert_eq!(fixture.web.0.only_request().url.as_str(), "https://cdn.example/1/video.mp4");
    let project = fixture.projects.get(&id);
    let frame = project.scenes[0].takes[0].last_frame.clone();
    assert_eq!(frame, Some(File::stored("projects/proj_1/scenes/scene_a/1/last.png")));
    assert_eq!(project.scenes[0].status(), SceneStatus::Verified);
}

/// A completed project whose only take is at an outside service, with its copy.
fn to_copy() -> (Project, ProjectPiece) {
    let mut scene = a_scene("a", SceneState::Verified);
    let mut take = a_take(1, true);
    take.video.thumbnail = WebUrl::parse("https://cdn.example/1/thumbnail.jpg").map(File::outside);
    scene.takes = vec![take];
    let piece = ProjectPiece::Copy { scene: scene.id.clone(), attempt: 1 };
    (Project { phase: Phase::Completed, ..a_running_project("1", vec![scene]) }, piece)
}

#[tokio::test]
async fn an_image_that_cannot_be_copied_is_left_out() {
    // The statuses of the video, of its image and of the last frame, and which of them are copied.
    for (statuses, copied) in [
        ([200, 200, 200], [true, true, true]),
        ([200, 403, 200], [true, false, true]),
        ([200, 200, 410], [true, true, false]),
        ([200, 503, 503], [true, false, false]),
    ] {
        let fixture = Fixture::with(move |request| {
            Ok(match request.url.path() {
                "/1/video.mp4" => response(statuses[0], VIDEO),
                "/1/thumbnail.jpg" => response(statuses[1], IMAGE),
                _ => response(statuses[2], IMAGE),
            })
        });
        let (project, piece) = to_copy();
        let id = fixture.put(project, piece);
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
        let project = fixture.projects.get(&id);
        let take = &project.scenes[0].takes[0];
        let files = [Some(&take.video.file), take.video.thumbnail.as_ref(), take.last_frame.as_ref()];
        assert_eq!(files.map(|file| file.unwrap().key.is_some()), copied, "{statuses:?}");
        let known = files.map(|file| file.unwrap().source.is_some());
        assert_eq!(known, [!copied[0], !copied[1], true], "sources of frames stay known");
        assert_eq!(
            (fixture.bucket.types().len(), project.pieces.list.len()),
            (copied.iter().filter(|is| **is).count(), 0)
        );
    }
}

#[tokio::test]
async fn a_video_is_copied_later_or_is_an_error() {
    for (status, is_open) in [(503, true), (403, false)] {
        let fixture = Fixture::with(move |_| Ok(response(status, VIDEO)));
        let (project, piece) = to_copy();
        let id = fixture.put(project, piece);
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
        let project = fixture.projects.get(&id);
        let crashes: Vec<u32> = project.pieces.list.iter().map(|piece| piece.crashes).collect();
        assert_eq!(crashes, if is_open { vec![1] } else { vec![] }, "{status}");
        let raises = project.outbox.iter().any(|effect| matches!(effect, Effect::RaiseError(_)));
        assert_eq!((raises, fixture.bucket.types().len()), (!is_open, 0), "{status}");
    }
}

#[tokio::test]
async fn work_about_what_is_gone_is_given_up() {
    let gone = || SceneId::parse("scene_gone").unwrap();
    for piece in [
        ProjectPiece::Card { scene: gone(), attempt: 1 },
        ProjectPiece::Copy { scene: gone(), attempt: 1 },
        ProjectPiece::LastFrame { scene: gone(), attempt: 1 },
        ProjectPiece::Concat { generation: 9 },
        ProjectPiece::CopyFinal { generation: 9 },
    ] {
        let fixture = Fixture::alone();
        let id = fixture.put(a_running_project("1", vec![a_scene("a", SceneState::Draft)]), piece.clone());
        assert_eq!(fixture.process(&id).await, PieceOutcome::Reported, "{piece:?}");
        assert_eq!((fixture.projects.get(&id).pieces.list.len(), fixture.tools.asked().len()), (0, 0), "{piece:?}");
        assert_eq!(fixture.process(&id).await, PieceOutcome::NothingOpen);
    }
}

/// A timer that elapses at once.
struct Elapses;

#[async_trait]
impl Timer for Elapses {
    async fn after(&self, _: Duration) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_renderer_stops_when_its_project_is_cancelled() {
    let fixture = Fixture::alone();
    let id = fixture.start(&draft(1));
    let (projects, policy, cancelled) = (Arc::clone(&fixture.projects), fixture.policy.clone(), id.clone());
    fixture.tools.interrupt(false, move || assert!(projects.apply(&cancelled, &Event::Cancel, NOON, &policy)));
    assert_eq!(process_piece(&fixture.ports(&Elapses), &id).await.unwrap(), PieceOutcome::Lost);
    assert!(fixture.bucket.types().is_empty());
    assert_eq!(fixture.projects.get(&id).status(), ProjectStatus::Cancelled);
}

#[tokio::test]
async fn a_result_after_another_renderer_took_over_changes_nothing() {
    let fixture = Fixture::alone();
    let id = fixture.start(&draft(1));
    let (projects, policy, taken) = (Arc::clone(&fixture.projects), fixture.policy.clone(), id.clone());
    let world = Arc::clone(&fixture.world);
    fixture.tools.interrupt(true, move || {
        world.advance_s(90);
        assert!(projects.apply(&taken, &Event::ClaimPiece, world.now(), &policy));
    });
    assert_eq!(fixture.process(&id).await, PieceOutcome::Lost);
    let project = fixture.projects.get(&id);
    assert_eq!(project.scenes[0].status(), SceneStatus::Generating);
    let piece = ProjectPiece::Card { scene: project.scenes[0].id.clone(), attempt: 1 };
    assert_eq!(project.claimed_piece(2), Some(&piece), "the other renderer goes on");
}

#[tokio::test]
async fn takes_that_do_not_fit_the_disk_are_not_joined() {
    for is_own in [true, false] {
        let fixture = Fixture::with(|_| Ok(response(200, VIDEO)));
        fixture.tools.fill_disk(3 * VIDEO.len() as u64 - 1);
        let id = if is_own {
            fixture.start(&draft(2))
        } else {
            let mut scene = a_scene("a", SceneState::Verified);
            scene.takes = vec![a_take(1, true)];
            let stitch = a_stitch(std::slice::from_ref(&scene), "stitch_1");
            let project = Project { stitch: Some(stitch), generations: 1, ..a_running_project("1", vec![scene]) };
            fixture.put(project, ProjectPiece::Concat { generation: 1 })
        };
        process_pieces(&fixture.ports(&NeverElapses), &id, NOON.after(Duration::from_secs(600))).await.unwrap();
        assert!(!fixture.tools.asked().iter().any(|asked| matches!(asked, Asked::Concat(_))), "{is_own}");
        assert!(!fixture.keys(&id).iter().any(|key| key.starts_with("final/")), "{is_own}");
        assert!(
            !fixture.projects.get(&id).pieces.list.iter().any(|piece| piece.crashes > 0),
            "it is no crash: {is_own}"
        );
    }
}
