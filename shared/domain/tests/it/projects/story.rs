//! A project under test: its clock and policy, services and renderers that cooperate, and what the last change caused.

use std::time::Duration;

use reelhook_domain::errors::cause::Cause;
use reelhook_domain::projects::decide::{create, decide};
use reelhook_domain::projects::event::{Event, NewScene, PieceOutput, TaskOutput, TaskReport};
use reelhook_domain::projects::media::{File, Video};
use reelhook_domain::projects::policy::{Backend, Prices};
use reelhook_domain::projects::project::{ProjectPiece, ProjectSpec};
use reelhook_domain::projects::reasons::{Ignored, Rejected};
use reelhook_domain::projects::scene::{Dependency, SceneSpec, SceneStatus};
use reelhook_domain::projects::task::{Stage, TaskRef, TaskWork};
use reelhook_domain::*;

pub const START: Timestamp = Timestamp(1_704_110_400_000);

/// A service with a list that takes ten videos at most.
pub const SERVICE: Backend = Backend::Service { has_list: true, max_inputs: 10 };

/// Our own renderers do everything.
pub fn own() -> ProjectPolicy {
    ProjectPolicy::default()
}

/// Services do everything; a second of video costs ten cents.
pub fn services() -> ProjectPolicy {
    let mut policy = ProjectPolicy { prices: Prices { default: 100_000, ..Prices::default() }, ..own() };
    for stage in [&mut policy.video, &mut policy.frame, &mut policy.stitch] {
        stage.backend = SERVICE;
    }
    policy
}

/// Services generate videos and stitch them; frames are ours.
pub fn videos_outside() -> ProjectPolicy {
    ProjectPolicy { frame: own().frame, ..services() }
}

pub fn id(number: &str) -> SceneId {
    SceneId::parse(&format!("scene_{number}")).unwrap()
}

/// A scene of five seconds.
pub fn scene(number: &str) -> NewScene {
    let spec = SceneSpec { number: number.to_owned(), duration_ms: 5000, ..SceneSpec::default() };
    NewScene { id: id(number), spec, notes: String::new(), draft: false }
}

/// A scene that depends on no other.
pub fn free(number: &str) -> NewScene {
    let mut scene = scene(number);
    scene.spec.depends_on = Dependency::Nothing;
    scene
}

pub fn new_project(scenes: Vec<NewScene>) -> NewProject {
    NewProject {
        id: ProjectId::parse("proj_1").unwrap(),
        spec: ProjectSpec { name: "Trip".to_owned(), ..ProjectSpec::default() },
        scenes,
        origin: Origin::default(),
    }
}

/// A video at an outside service.
pub fn video(name: &str) -> Video {
    Video { file: outside(name), ..Video::default() }
}

pub fn outside(name: &str) -> File {
    File::outside(WebUrl::parse(&format!("https://files.example/{name}")).unwrap())
}

pub fn render(id: &str) -> RenderId {
    RenderId::parse(id).unwrap()
}

/// A project and its time.
#[derive(Debug, Clone)]
pub struct Story {
    pub project: Project,
    pub now: Timestamp,
    pub policy: ProjectPolicy,
    /// Tasks that services have accepted.
    pub accepted: u32,
}

impl Story {
    pub fn new(scenes: Vec<NewScene>, policy: ProjectPolicy) -> Self {
        let project = create(new_project(scenes), START, &policy).unwrap();
        Self { project, now: START, policy, accepted: 0 }
    }

    /// A chain of scenes with these numbers.
    pub fn of(numbers: &[&str], policy: ProjectPolicy) -> Self {
        Self::new(numbers.iter().map(|number| scene(number)).collect(), policy)
    }

    pub fn started(numbers: &[&str], policy: ProjectPolicy) -> Self {
        let mut story = Self::of(numbers, policy);
        story.apply(Event::Start);
        story
    }

    pub fn wait(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_secs(seconds));
        self
    }

    pub fn decide(&self, event: &Event) -> Decision<Project> {
        decide(&self.project, event, self.now, &self.policy)
    }

    /// Applies an event that has to change the project.
    #[track_caller]
    pub fn apply(&mut self, event: Event) -> &Project {
        match self.decide(&event) {
            Decision::Apply(project) => self.project = *project,
            other => panic!("{event:?} should change this project, but: {other:?}"),
        }
        &self.project
    }

    #[track_caller]
    pub fn ignored(&self, event: Event) -> Ignored {
        match self.decide(&event) {
            Decision::Ignore(reason) => reason,
            other => panic!("{event:?} should change nothing, but: {other:?}"),
        }
    }

    #[track_caller]
    pub fn rejected(&self, event: Event) -> Rejected {
        match self.decide(&event) {
            Decision::Reject(reason) => reason,
            other => panic!("{event:?} should be refused, but: {other:?}"),
        }
    }

    /// Advances to the time at which the project is due, and sweeps.
    #[track_caller]
    pub fn sweep(&mut self) -> &Project {
        self.now = self.now.max(self.project.due_at.expect("the project is due some time"));
        self.apply(Event::Tick)
    }

    /// The present task of a scene or of the stitch.
    #[track_caller]
    pub fn task(&self, stage: Stage, scene: &str) -> TaskRef {
        let is_meant = |task: &TaskRef| task.stage() == stage && task.scene().is_none_or(|of| *of == id(scene));
        self.project.tasks().map(|(task, _)| task).find(is_meant).expect("a task under way")
    }

    pub fn video_of(&self, scene: &str) -> TaskRef {
        self.task(Stage::Video, scene)
    }

    pub fn frame_of(&self, scene: &str) -> TaskRef {
        self.task(Stage::Frame, scene)
    }

    pub fn stitches(&self) -> Vec<TaskRef> {
        self.project.tasks().map(|(task, _)| task).filter(|task| task.stage() == Stage::Stitch).collect()
    }

    /// The launcher claims a task, and its service accepts it.
    #[track_caller]
    pub fn submit(&mut self, task: &TaskRef) -> RenderId {
        self.apply(Event::ClaimTask(task.clone()));
        self.accepted += 1;
        let id = render(&format!("{}-{}", task.stage().name(), self.accepted));
        self.apply(Event::Submitted { task: task.clone(), id: id.clone(), status_url: None });
        id
    }

    /// A task is submitted and completes.
    #[track_caller]
    pub fn make(&mut self, task: &TaskRef) -> &Project {
        self.submit(task);
        self.apply(completed(task))
    }

    /// Video and last frame of a scene are made.
    #[track_caller]
    pub fn make_scene(&mut self, scene: &str) -> &Project {
        let video = self.video_of(scene);
        self.make(&video);
        let frame = self.frame_of(scene);
        self.make(&frame)
    }

    /// A renderer claims a piece and makes what it is for.
    #[track_caller]
    pub fn draw(&mut self) -> ProjectPiece {
        self.apply(Event::ClaimPiece);
        let claim = self.project.pieces.claims;
        let piece = self.project.claimed_piece(claim).expect("a claimed piece").clone();
        self.apply(Event::PieceDone { claim, output: Box::new(drawn(&piece)) });
        piece
    }

    /// Services, the launcher, renderers and the due sweep do what they find, once.
    pub fn cooperate(&mut self) {
        if let Some(video) = self.project.next_video(self.now, &self.policy) {
            self.submit(&video);
        }
        for work in self.project.work(self.now, &self.policy) {
            let event = match work {
                // One that came before may have ended the task.
                TaskWork::Submit(task) if self.project.task(&task).is_none() => continue,
                TaskWork::Submit(task) => {
                    self.submit(&task);
                    continue;
                }
                TaskWork::LookUp(task) => Event::LookedUp { task, found: None, answered: true },
                TaskWork::Poll(task, id) => {
                    Event::Reported { report: done(&task), task, id: Some(id), polled: true, early: None }
                }
            };
            if let Decision::Apply(project) = self.decide(&event) {
                self.project = *project;
            }
        }
        if let Decision::Apply(project) = self.decide(&Event::ClaimPiece) {
            self.project = *project;
            let claim = self.project.pieces.claims;
            let output = Box::new(drawn(self.project.claimed_piece(claim).unwrap()));
            if let Decision::Apply(project) = self.decide(&Event::PieceDone { claim, output }) {
                self.project = *project;
            }
        }
        if let Some(due) = self.project.due_at {
            self.now = self.now.max(due);
            self.apply(Event::Tick);
        }
    }

    /// Cooperates until the project has ended, or waits for a person.
    pub fn run(&mut self) -> &Project {
        for _ in 0..5000 {
            if self.rests() {
                return &self.project;
            }
            self.cooperate();
        }
        panic!("this project never ends: {:#?}", self.project);
    }

    /// Whether nothing happens to the project by itself.
    pub fn rests(&self) -> bool {
        self.project.due_at.is_none()
    }

    pub fn status(&self, scene: &str) -> SceneStatus {
        self.project.scene(&id(scene)).expect("a scene").status()
    }

    pub fn attempt(&self, scene: &str) -> u32 {
        self.project.scene(&id(scene)).expect("a scene").attempt
    }

    /// The webhook events of the last change.
    pub fn notified(&self) -> Vec<OutboundEvent> {
        let events = self.project.outbox.iter().filter_map(|effect| match effect {
            Effect::Notify { event, .. } => Some(*event),
            _ => None,
        });
        events.collect()
    }

    /// The errors that the last change raised, with what they are about.
    pub fn raised(&self) -> Vec<(Cause, String)> {
        let raised = self.project.outbox.iter().filter_map(|effect| match effect {
            Effect::RaiseError(raise) => Some((raise.cause, raise.about.clone())),
            _ => None,
        });
        raised.collect()
    }

    /// The errors that the last change resolved.
    pub fn resolved(&self) -> Vec<(Cause, String)> {
        let resolved = self.project.outbox.iter().filter_map(|effect| match effect {
            Effect::ResolveError(resolve) => Some((resolve.cause, resolve.about.clone())),
            _ => None,
        });
        resolved.collect()
    }

    /// The effects of the last change that only projects have.
    pub fn effects(&self) -> Vec<ProjectEffect> {
        let effects = self.project.outbox.iter().filter_map(|effect| match effect {
            Effect::Project(effect) => Some(effect.clone()),
            _ => None,
        });
        effects.collect()
    }

    /// The delays of the launcher's hints of the last change.
    pub fn hints(&self) -> Vec<u32> {
        let hints = self.effects().into_iter().filter_map(|effect| match effect {
            ProjectEffect::Tasks { delay_s } => Some(delay_s),
            _ => None,
        });
        hints.collect()
    }

    /// The slots that the last change freed.
    pub fn freed(&self) -> Vec<String> {
        let slots = self.effects().into_iter().filter_map(|effect| match effect {
            ProjectEffect::FreeSlot { slot } => Some(slot),
            _ => None,
        });
        slots.collect()
    }

    /// The pieces that wait for renderers or are claimed.
    pub fn pieces(&self) -> Vec<ProjectPiece> {
        self.project.pieces.list.iter().map(|piece| piece.task.clone()).collect()
    }
}

/// The report that a task is completed.
pub fn done(task: &TaskRef) -> TaskReport {
    let name = format!("{task}");
    TaskReport::Completed(Box::new(match task.stage() {
        Stage::Video | Stage::Stitch => TaskOutput::Video(Box::new(video(&name))),
        Stage::Frame => TaskOutput::Frame(outside(&name)),
    }))
}

/// A callback with the task's token.
pub fn callback(task: &TaskRef, report: TaskReport) -> Event {
    Event::Reported { task: task.clone(), id: None, report, polled: false, early: None }
}

/// A poll of ours.
pub fn poll(task: &TaskRef, report: TaskReport) -> Event {
    Event::Reported { task: task.clone(), id: None, report, polled: true, early: None }
}

pub fn completed(task: &TaskRef) -> Event {
    callback(task, done(task))
}

pub fn failed(task: &TaskRef) -> Event {
    callback(task, TaskReport::Failed("boom".to_owned()))
}

/// What a renderer makes of a piece.
pub fn drawn(piece: &ProjectPiece) -> PieceOutput {
    let stored = |name: &str| File::stored(format!("projects/proj_1/{name}"));
    match piece {
        ProjectPiece::Card { scene, attempt } => PieceOutput::Video(Video {
            file: stored(&format!("scenes/{scene}/{attempt}/video.mp4")),
            ..Video::default()
        }),
        ProjectPiece::LastFrame { scene, attempt } => {
            PieceOutput::Frame(stored(&format!("scenes/{scene}/{attempt}/last.png")))
        }
        ProjectPiece::Concat { generation } => {
            PieceOutput::Video(Video { file: stored(&format!("final/{generation}/video.mp4")), ..Video::default() })
        }
        ProjectPiece::Copy { scene, attempt } => PieceOutput::Copied {
            video: Some(stored(&format!("scenes/{scene}/{attempt}/video.mp4"))),
            thumbnail: None,
            frame: Some(stored(&format!("scenes/{scene}/{attempt}/last.png"))),
        },
        ProjectPiece::CopyFinal { generation } => PieceOutput::Copied {
            video: Some(stored(&format!("final/{generation}/video.mp4"))),
            thumbnail: None,
            frame: None,
        },
    }
}
