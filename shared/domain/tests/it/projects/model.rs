//! Generated lives of a project: the invariants hold after every event, for all events in any order, and from every state
//! services that cooperate lead to an end.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use reelhook_domain::projects::event::{Event, NewScene, ProjectPatch, ScenePatch, TaskReport};
use reelhook_domain::projects::policy::Backend;
use reelhook_domain::projects::project::{Phase, ProjectPiece};
use reelhook_domain::projects::scene::{Dependency, SceneState, SceneStatus};
use reelhook_domain::projects::task::{TaskRef, TaskWork};
use reelhook_domain::*;

use super::invariants::*;
use super::story::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, ..ProptestConfig::default() })]

    #[test]
    fn every_generated_project_keeps_the_invariants(
        scenes in some_scenes(),
        policy in a_policy(),
        starts in any::<bool>(),
        moves in prop::collection::vec((gap(), a_move()), 1..60),
    ) {
        let mut life = Life::new(scenes, policy);
        if starts {
            life.happen(Event::Start);
        }
        for (wait_ms, happens) in moves {
            life.meet(wait_ms, &happens);
        }
        life.ends_where_all_cooperate();
    }
}

/// An event, before the task, the piece and the time that it is about are known.
#[derive(Debug, Clone)]
enum Move {
    Start,
    Cancel,
    Stitch,
    Delete,
    Generate {
        scene: Option<Index>,
        cascade: bool,
    },
    Retry {
        scene: Option<Index>,
    },
    Budget(Option<u64>),
    Reverse,
    Add,
    Status(Index, SceneStatus),
    Take(Index, u32),
    Notes(Index),
    Remove(Index),
    Depend(Index, On),
    ClaimVideo,
    ClaimTask(Index),
    Answer(Index, Answer),
    LookUp(Index, Answer),
    Report {
        task: Index,
        older: bool,
        names_id: bool,
        report: Said,
        polled: bool,
    },
    ClaimPiece,
    Progress(Index),
    PieceDone(Index),
    PieceFailed(Index, bool),
    Tick,
    /// The clock advances to the due time of the project, and the sweep runs.
    Sweep,
    /// All who are asked cooperate once.
    Cooperate,
    /// One of the events so far is repeated unchanged.
    Again(Index),
}

/// What a person makes a scene depend on; it may be what is refused.
#[derive(Debug, Clone)]
enum On {
    Previous,
    Nothing,
    Scene(Index),
}

/// The answer of a service to a submission or a look-up.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Accepted,
    Refused { wait_s: u64, permanent: bool },
    Lost,
}

/// What a report says.
#[derive(Debug, Clone, Copy)]
enum Said {
    UnderWay(u8),
    Completed,
    Failed,
    Unknown,
    Unusable,
}

fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0_i64), 4 => 1_i64..5_000, 3 => 5_000_i64..90_000, 1 => 90_000_i64..3_600_000]
}

fn a_backend() -> impl Strategy<Value = Backend> {
    prop_oneof![
        2 => Just(Backend::Own),
        4 => (any::<bool>(), select(vec![0_u16, 2, 3, 10]))
            .prop_map(|(has_list, max_inputs)| Backend::Service { has_list, max_inputs }),
    ]
}

fn a_policy() -> impl Strategy<Value = ProjectPolicy> {
    (a_backend(), a_backend(), a_backend(), 1_u32..4).prop_map(|(video, frame, stitch, attempts)| {
        let mut policy = services();
        for (stage, backend) in [(&mut policy.video, video), (&mut policy.frame, frame), (&mut policy.stitch, stitch)] {
            (stage.backend, stage.attempts) = (backend, attempts);
        }
        policy
    })
}

fn some_scenes() -> impl Strategy<Value = Vec<NewScene>> {
    let kind = prop_oneof![5 => Just((Dependency::Previous, false)), 2 => Just((Dependency::Nothing, false)), 1 => Just((Dependency::Previous, true))];
    prop::collection::vec(kind, 1..6).prop_map(|kinds| {
        let scenes = kinds.into_iter().enumerate().map(|(index, (depends_on, draft))| {
            let mut new = scene(&(index + 1).to_string());
            (new.spec.depends_on, new.draft) = (depends_on, draft);
            new
        });
        scenes.collect()
    })
}

fn an_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        5 => Just(Answer::Accepted),
        2 => (0_u64..100, prop::bool::weighted(0.2)).prop_map(|(wait_s, permanent)| Answer::Refused { wait_s, permanent }),
        3 => Just(Answer::Lost),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        3 => (0_u8..120).prop_map(Said::UnderWay),
        8 => Just(Said::Completed),
        3 => Just(Said::Failed),
        1 => Just(Said::Unknown),
        1 => Just(Said::Unusable),
    ]
}

fn on() -> impl Strategy<Value = On> {
    prop_oneof![1 => Just(On::Previous), 1 => Just(On::Nothing), 3 => any::<Index>().prop_map(On::Scene)]
}

fn a_status() -> impl Strategy<Value = SceneStatus> {
    select(SceneStatus::ALL)
}

fn a_move() -> impl Strategy<Value = Move> {
    let index = any::<Index>;
    let command = prop_oneof![
        6 => Just(Move::Start),
        2 => Just(Move::Cancel),
        2 => Just(Move::Stitch),
        1 => prop::bool::weighted(0.2).prop_map(|deletes| if deletes { Move::Delete } else { Move::Start }),
        3 => (prop::option::weighted(0.8, index()), any::<bool>())
            .prop_map(|(scene, cascade)| Move::Generate { scene, cascade }),
        4 => prop::option::weighted(0.7, index()).prop_map(|scene| Move::Retry { scene }),
        2 => prop::option::weighted(0.6, 0_u64..5_000_000).prop_map(Move::Budget),
        1 => Just(Move::Reverse),
        1 => Just(Move::Add),
        3 => (index(), a_status()).prop_map(|(scene, status)| Move::Status(scene, status)),
        2 => (index(), 1_u32..4).prop_map(|(scene, take)| Move::Take(scene, take)),
        1 => index().prop_map(Move::Notes),
        1 => index().prop_map(Move::Remove),
        3 => (index(), on()).prop_map(|(scene, on)| Move::Depend(scene, on)),
    ];
    let launch = prop_oneof![
        4 => Just(Move::ClaimVideo),
        3 => index().prop_map(Move::ClaimTask),
        6 => (index(), an_answer()).prop_map(|(task, answer)| Move::Answer(task, answer)),
        3 => (index(), an_answer()).prop_map(|(task, answer)| Move::LookUp(task, answer)),
    ];
    let report = (index(), prop::bool::weighted(0.1), any::<bool>(), said(), any::<bool>())
        .prop_map(|(task, older, names_id, report, polled)| Move::Report { task, older, names_id, report, polled });
    let piece = prop_oneof![
        5 => Just(Move::ClaimPiece),
        1 => index().prop_map(Move::Progress),
        6 => index().prop_map(Move::PieceDone),
        1 => (index(), prop::bool::weighted(0.3)).prop_map(|(piece, permanent)| Move::PieceFailed(piece, permanent)),
    ];
    prop_oneof![
        3 => command,
        5 => launch,
        6 => report,
        4 => piece,
        1 => Just(Move::Tick),
        3 => Just(Move::Sweep),
        3 => Just(Move::Cooperate),
        2 => index().prop_map(Move::Again),
    ]
}

/// A project, and the accounts of what happened to it.
struct Life {
    story: Story,
    past: Vec<Event>,
    /// The tasks that have ended: their references never come again.
    ended: BTreeSet<String>,
    /// The generations whose stitch completed the project.
    accepted: BTreeSet<u32>,
}

impl Life {
    fn new(scenes: Vec<NewScene>, policy: ProjectPolicy) -> Self {
        Self { story: Story::new(scenes, policy), past: vec![], ended: BTreeSet::new(), accepted: BTreeSet::new() }
    }

    fn meet(&mut self, wait_ms: i64, happens: &Move) {
        self.story.now = Timestamp(self.story.now.0 + wait_ms);
        match happens {
            Move::Sweep => {
                if let Some(due) = self.story.project.due_at {
                    self.story.now = self.story.now.max(due);
                }
                self.happen(Event::Tick);
            }
            Move::Cooperate => self.cooperate(),
            other => {
                if let Some(event) = self.event(other) {
                    self.happen(event);
                }
            }
        }
    }

    /// The event that a move is at present; none if there is nothing that it could be about.
    fn event(&self, happens: &Move) -> Option<Event> {
        let project = &self.story.project;
        let scene = |index: &Index| (!project.scenes.is_empty()).then(|| index.get(&project.scenes).id.clone());
        let tasks: Vec<TaskRef> = project.tasks().map(|(task, _)| task).collect();
        let task = |index: &Index| (!tasks.is_empty()).then(|| index.get(&tasks).clone());
        let claims: Vec<u32> =
            project.pieces.list.iter().filter_map(|piece| Some(piece.claim.as_ref()?.number)).collect();
        let claim = |index: &Index| (!claims.is_empty()).then(|| *index.get(&claims));
        let edit = |scene: &Index, patch: ScenePatch| {
            let id = (!project.scenes.is_empty()).then(|| scene.get(&project.scenes).id.clone())?;
            Some(Event::EditScene { scene: id, patch: Box::new(patch) })
        };
        Some(match happens {
            Move::Start => Event::Start,
            Move::Cancel => Event::Cancel,
            Move::Stitch => Event::Stitch,
            Move::Delete => Event::Delete,
            Move::Generate { scene: index, cascade } => {
                Event::Generate { scenes: index.as_ref().and_then(scene).into_iter().collect(), cascade: *cascade }
            }
            Move::Retry { scene: index } => Event::Retry { scene: index.as_ref().and_then(scene) },
            Move::Budget(budget) => Event::Edit(ProjectPatch { budget: Some(*budget), ..ProjectPatch::default() }),
            Move::Reverse => {
                let order = project.scenes.iter().rev().map(|scene| scene.id.clone()).collect();
                Event::Edit(ProjectPatch { order: Some(order), ..ProjectPatch::default() })
            }
            Move::Add => Event::AddScenes(vec![super::story::scene(&format!("{}b", self.past.len()))]),
            Move::Status(index, status) => edit(index, ScenePatch { status: Some(*status), ..ScenePatch::default() })?,
            Move::Take(index, take) => edit(index, ScenePatch { take: Some(*take), ..ScenePatch::default() })?,
            Move::Notes(index) => {
                edit(index, ScenePatch { notes: Some("more light".to_owned()), ..ScenePatch::default() })?
            }
            Move::Remove(index) => Event::RemoveScene(scene(index)?),
            Move::Depend(index, on) => {
                let mut spec = project.scene(&scene(index)?)?.spec.clone();
                spec.depends_on = match on {
                    On::Previous => Dependency::Previous,
                    On::Nothing => Dependency::Nothing,
                    On::Scene(on) => Dependency::Scene(scene(on)?),
                };
                edit(index, ScenePatch { spec: Some(spec), ..ScenePatch::default() })?
            }
            Move::ClaimVideo => Event::ClaimTask(project.next_video(self.story.now, &self.story.policy)?),
            Move::ClaimTask(index) => Event::ClaimTask(task(index)?),
            Move::Answer(index, answer) => self.answer(task(index)?, *answer),
            Move::LookUp(index, answer) => {
                let task = task(index)?;
                let (found, answered) = match answer {
                    Answer::Accepted => (Some(of_service(&task)), true),
                    Answer::Refused { .. } => (None, true),
                    Answer::Lost => (None, false),
                };
                Event::LookedUp { task, found, answered }
            }
            Move::Report { task: index, older, names_id, report, polled } => {
                let mut task = task(index)?;
                if *older {
                    task.run -= 1;
                }
                let report = match report {
                    Said::UnderWay(percent) => TaskReport::UnderWay(*percent),
                    Said::Completed => done(&task),
                    Said::Failed => TaskReport::Failed("boom".to_owned()),
                    Said::Unknown => TaskReport::Unknown,
                    Said::Unusable => TaskReport::Unusable,
                };
                Event::Reported { id: names_id.then(|| of_service(&task)), task, report, polled: *polled, early: None }
            }
            Move::ClaimPiece => Event::ClaimPiece,
            Move::Progress(index) => Event::PieceProgressed { claim: claim(index)?, units: 40 },
            Move::PieceDone(index) => {
                let claim = claim(index)?;
                let piece: &ProjectPiece = project.claimed_piece(claim)?;
                Event::PieceDone { claim, output: Box::new(drawn(piece)) }
            }
            Move::PieceFailed(index, permanent) => {
                Event::PieceFailed { claim: claim(index)?, error: "boom".to_owned(), permanent: *permanent }
            }
            Move::Again(index) => (!self.past.is_empty()).then(|| index.get(&self.past).clone())?,
            Move::Tick | Move::Sweep | Move::Cooperate => Event::Tick,
        })
    }

    fn answer(&self, task: TaskRef, answer: Answer) -> Event {
        match answer {
            Answer::Accepted => Event::Submitted { id: of_service(&task), task, status_url: None },
            Answer::Refused { wait_s, permanent } => {
                let wait = Some(Duration::from_secs(wait_s));
                Event::SubmissionRefused { task, error: "busy".to_owned(), wait, permanent }
            }
            Answer::Lost => Event::SubmissionLost { task },
        }
    }

    fn happen(&mut self, event: Event) {
        let decision = self.story.decide(&event);
        if let Decision::Apply(after) = decision {
            let before = std::mem::replace(&mut self.story.project, *after);
            let (after, now) = (&self.story.project, self.story.now);
            invariant_each_change_is_one_version(&before, after, now);
            invariant_a_final_state_absorbs_every_report(&before, &event, after);
            invariant_tasks_are_of_the_present(after);
            invariant_the_scenes_form_a_graph(after);
            invariant_a_scene_of_another_frame_is_stale(&before, after);
            invariant_no_scene_runs_before_its_frame(&before, after);
            invariant_takes_are_never_lost(&before, after);
            invariant_the_budget_holds(&before, after);
            invariant_each_slot_is_freed_once(&before, &self.story);
            invariant_the_outbox_is_small(after);
            invariant_the_emitted_events_are_those_of_the_outbox(&before, after, now);
            invariant_an_end_counts_once(&self.story, &event);
            self.invariant_references_never_repeat(&before);
            self.invariant_a_generation_is_stitched_once(&before);
        }
        invariant_what_is_under_way_is_due(&self.story.project);
        invariant_a_due_project_moves_on(&self.story);
        self.past.push(event);
    }

    fn invariant_references_never_repeat(&mut self, before: &Project) {
        let tasks = |project: &Project| project.tasks().map(|(task, _)| task.to_string()).collect::<BTreeSet<_>>();
        let present = tasks(&self.story.project);
        self.ended.extend(tasks(before).difference(&present).cloned());
        assert!(present.is_disjoint(&self.ended), "{present:?} comes again");
    }

    fn invariant_a_generation_is_stitched_once(&mut self, before: &Project) {
        if let Some(stitch) = before.stitch.as_ref().filter(|_| self.story.project.phase == Phase::Completed) {
            assert!(self.accepted.insert(stitch.generation), "generation {} is stitched twice", stitch.generation);
        }
    }

    /// What is asked for is done, one event after the other.
    fn cooperate(&mut self) {
        if let Some(task) = self.story.project.next_video(self.story.now, &self.story.policy) {
            self.submit(task);
        }
        for work in self.story.project.work(self.story.now, &self.story.policy) {
            match work {
                TaskWork::Submit(task) => self.submit(task),
                TaskWork::LookUp(task) => self.happen(Event::LookedUp { task, found: None, answered: true }),
                TaskWork::Poll(task, id) => {
                    self.happen(Event::Reported { report: done(&task), task, id: Some(id), polled: true, early: None });
                }
            }
        }
        self.happen(Event::ClaimPiece);
        let claims = self.story.project.pieces.claims;
        if let Some(piece) = self.story.project.claimed_piece(claims) {
            let output = Box::new(drawn(piece));
            self.happen(Event::PieceDone { claim: claims, output });
        }
        self.meet(0, &Move::Sweep);
    }

    fn submit(&mut self, task: TaskRef) {
        self.happen(Event::ClaimTask(task.clone()));
        self.happen(Event::Submitted { id: of_service(&task), task, status_url: None });
    }

    /// The project ends, or waits for a person: for a draft, a scene that a person rejected, or what depends on these.
    fn ends_where_all_cooperate(mut self) {
        for _ in 0..400 {
            let project = &self.story.project;
            if project.due_at.is_none() {
                let waits_for_a_person = project.scenes.is_empty()
                    || project
                        .scenes
                        .iter()
                        .any(|scene| matches!(scene.state, SceneState::Draft | SceneState::Rejected));
                let rests = match project.phase {
                    Phase::Running => waits_for_a_person,
                    Phase::Draft | Phase::Completed | Phase::Failed(_) | Phase::Cancelled => true,
                };
                assert!(rests, "this project waits for nobody: {project:#?}");
                return;
            }
            self.cooperate();
        }
        panic!("this project never ends: {:#?}", self.story.project);
    }
}

/// The id under which a service knows a task.
fn of_service(task: &TaskRef) -> RenderId {
    render(&format!("r-{task}"))
}
