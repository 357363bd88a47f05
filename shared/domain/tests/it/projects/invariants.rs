//! The invariants of a project before an event, the event, and the project after it.

use std::collections::BTreeSet;

use reelhook_domain::projects::event::{Event, TaskReport};
use reelhook_domain::projects::graph;
use reelhook_domain::projects::project::Phase;
use reelhook_domain::projects::scene::{Scene, SceneState};
use reelhook_domain::projects::task::{Stage, Target, TaskState};
use reelhook_domain::*;

use super::story::*;

fn is_command(event: &Event) -> bool {
    match event {
        Event::Start
        | Event::Cancel
        | Event::Stitch
        | Event::Delete
        | Event::Generate { .. }
        | Event::Retry { .. }
        | Event::Edit(_)
        | Event::AddScenes(_)
        | Event::EditScene { .. }
        | Event::RemoveScene(_) => true,
        Event::ClaimTask(_)
        | Event::Submitted { .. }
        | Event::SubmissionRefused { .. }
        | Event::SubmissionLost { .. }
        | Event::LookedUp { .. }
        | Event::Reported { .. }
        | Event::ClaimPiece
        | Event::PieceProgressed { .. }
        | Event::PieceDone { .. }
        | Event::PieceFailed { .. }
        | Event::Tick => false,
    }
}

pub fn invariant_each_change_is_one_version(before: &Project, after: &Project, now: Timestamp) {
    assert_eq!((after.version, after.updated_at), (before.version + 1, now));
}

/// Whether an event is the video of an attempt that has failed without one: it is paid for, and kept.
fn is_late_video(scene: &Scene, event: &Event) -> bool {
    let Event::Reported { task, report: TaskReport::Completed(_), .. } = event else { return false };
    let failed = scene.state == SceneState::Rejected && scene.failures > 0;
    let is_present = task.target == Target::Video(scene.id.clone()) && task.run == scene.attempt;
    failed && is_present && scene.takes.iter().all(|take| take.attempt != scene.attempt)
}

/// Only commands leave a final state; late videos become takes; copies of files, and the rest of a cancellation, change nothing that people see.
pub fn invariant_a_final_state_absorbs_every_report(before: &Project, event: &Event, after: &Project) {
    if !before.status().is_final() || is_command(event) {
        return;
    }
    let scenes =
        |project: &Project| project.scenes.iter().map(|scene| (scene.id.clone(), scene.attempt)).collect::<Vec<_>>();
    assert_eq!((after.status(), scenes(after)), (before.status(), scenes(before)), "{event:?}");
    for (was, is) in before.scenes.iter().zip(&after.scenes) {
        let late = usize::from(is_late_video(was, event));
        assert_eq!(is.takes.len(), was.takes.len() + late, "{event:?} changes the takes of {}", was.id);
    }
    let is_new = |effect: &Effect| matches!(effect, Effect::Notify { .. });
    assert!(!after.outbox.iter().any(is_new), "{event:?} notifies of {:?}", after.outbox);
    let states = |project: &Project| project.scenes.iter().map(|scene| scene.state.clone()).collect::<Vec<_>>();
    let cancels = matches!(event, Event::Tick) && before.tasks().next().is_some();
    assert!(cancels || states(after) == states(before), "{event:?}");
}

/// A scene has one task at most, which is of its present attempt, and no reference is of two tasks.
pub fn invariant_tasks_are_of_the_present(project: &Project) {
    let mut seen = BTreeSet::new();
    for (task, found) in project.tasks() {
        assert_eq!(project.task(&task), Some(found));
        assert!(seen.insert(task.target.clone()), "{task} is not the only task of its target");
    }
}

/// An attempt begins, and its video is submitted, with the last frame of the scene that it depends on.
pub fn invariant_no_scene_runs_before_its_frame(before: &Project, after: &Project) {
    let is_claimed = |project: &Project, scene: &SceneId| {
        let task = project.scene(scene).and_then(|scene| scene.task(Stage::Video));
        task.is_some_and(|task| matches!(task.state, TaskState::Submitting { .. }))
    };
    for (index, scene) in after.scenes.iter().enumerate() {
        let attempt = before.scene(&scene.id).map_or(0, |before| before.attempt);
        let begins = scene.attempt != attempt;
        if begins {
            // A scene that is begun after another one was removed counts from that one's attempts.
            let counted = if attempt == 0 { after.removed_attempts } else { attempt };
            assert_eq!(scene.attempt, counted + 1);
            let SceneState::Generating(_) = scene.state else { panic!("an attempt begins with {:?}", scene.state) };
        }
        let is_sent = is_claimed(after, &scene.id) && !is_claimed(before, &scene.id);
        if let Some(on) = graph::dependency(&after.scenes, index).filter(|_| begins || is_sent) {
            assert!(after.scenes[on].is_verified(), "scene {} runs before scene {}", scene.id, after.scenes[on].id);
            assert!(after.first_frame_of(&scene.id).is_some());
        }
    }
}

/// No scene depends on itself, or on a scene that the project does not have.
pub fn invariant_the_scenes_form_a_graph(project: &Project) {
    assert_eq!(graph::check(&project.scenes), Ok(()));
}

/// A scene that was begun with the frame of one scene, and depends on another one now, is stale until its next attempt.
pub fn invariant_a_scene_of_another_frame_is_stale(before: &Project, after: &Project) {
    let on = |project: &Project, scene: &SceneId| {
        let index = project.scenes.iter().position(|found| found.id == *scene)?;
        Some(graph::dependency(&project.scenes, index).map(|on| project.scenes[on].id.clone()))
    };
    for scene in after.scenes.iter().filter(|scene| scene.attempt > 0 && !scene.stale) {
        let same_attempt = before.scene(&scene.id).is_some_and(|before| before.attempt == scene.attempt);
        if same_attempt {
            assert_eq!(on(after, &scene.id), on(before, &scene.id), "scene {} is not stale", scene.id);
        }
    }
}

/// What was made stays, unless a person removes the scene.
pub fn invariant_takes_are_never_lost(before: &Project, after: &Project) {
    for scene in &before.scenes {
        let Some(now) = after.scene(&scene.id) else { continue };
        let attempts = |takes: &[reelhook_domain::projects::scene::Take]| {
            takes.iter().map(|take| (take.attempt, take.at)).collect::<Vec<_>>()
        };
        assert!(attempts(&now.takes).starts_with(&attempts(&scene.takes)), "scene {} lost a take", scene.id);
    }
}

/// What is charged was within the budget.
pub fn invariant_the_budget_holds(before: &Project, after: &Project) {
    if after.spent > before.spent {
        assert!(
            after.spec.budget.is_none_or(|budget| after.spent <= budget),
            "{} of {:?}",
            after.spent,
            after.spec.budget
        );
    }
}

/// Each slot is freed when its video leaves the service, once.
pub fn invariant_each_slot_is_freed_once(before: &Project, story: &Story) {
    let slots = |project: &Project| project.slots().collect::<BTreeSet<_>>();
    let freed = story.freed();
    let left: BTreeSet<String> = slots(before).difference(&slots(&story.project)).cloned().collect();
    assert_eq!(freed.iter().cloned().collect::<BTreeSet<_>>(), left);
    assert_eq!(freed.len(), left.len(), "a slot is freed twice");
}

pub fn invariant_the_outbox_is_small(project: &Project) {
    let bytes = serde_json::to_string(&project.outbox).unwrap().len();
    assert!(bytes <= 32 * 1024, "{bytes} bytes");
}

pub fn invariant_the_emitted_events_are_those_of_the_outbox(before: &Project, after: &Project, now: Timestamp) {
    let notified = after.outbox.iter().enumerate().filter_map(|(index, effect)| match effect {
        Effect::Notify { event, about, .. } => {
            let id = EventId::of(&after.id, after.version, index);
            Some(Emitted { id, event: *event, about: about.clone(), version: after.version, at: now })
        }
        _ => None,
    });
    let all: Vec<Emitted> = before.emitted.iter().cloned().chain(notified).collect();
    assert!(all.ends_with(&after.emitted), "emitted {:?} out of {all:?}", after.emitted);
    assert!(after.emitted.len() == all.len() || after.emitted.len() >= 16, "an emitted event is lost");
}

/// What is under way is due some time, and what rests is not.
pub fn invariant_what_is_under_way_is_due(project: &Project) {
    let is_under_way = project.tasks().next().is_some() || project.pieces.list.iter().any(|piece| !piece.done);
    assert_eq!(project.due_at.is_some(), is_under_way, "{} and due {:?}", project.status().name(), project.due_at);
    if project.phase != Phase::Running {
        assert_eq!(project.hinted_at, None);
    }
}

/// The sweep changes a due project until it is due later.
pub fn invariant_a_due_project_moves_on(story: &Story) {
    let mut swept = story.clone();
    let Some(due) = swept.project.due_at else { return };
    swept.now = swept.now.max(due);
    for _ in 0..50 {
        swept.apply(Event::Tick);
        if swept.project.due_at.is_none_or(|due| due > swept.now) {
            return;
        }
    }
    panic!("the sweep never finishes this project: {:#?}", swept.project);
}

/// What ended a task ends nothing a second time.
pub fn invariant_an_end_counts_once(story: &Story, event: &Event) {
    let ends = match event {
        Event::Reported { report, .. } => matches!(report, TaskReport::Completed(_) | TaskReport::Failed(_)),
        Event::Submitted { .. }
        | Event::SubmissionRefused { .. }
        | Event::SubmissionLost { .. }
        | Event::PieceDone { .. }
        | Event::PieceFailed { .. } => true,
        _ => false,
    };
    if ends {
        let again = story.decide(event);
        assert!(matches!(again, Decision::Ignore(_)), "{event:?} counts twice: {again:?}");
    }
}
