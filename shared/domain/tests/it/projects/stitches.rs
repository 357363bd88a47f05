//! Stitches: once per generation, as a tree where the service takes few videos, and never an older generation's.

use std::collections::BTreeSet;

use reelhook_domain::errors::cause::Cause;
use reelhook_domain::projects::event::{Event, ProjectPatch, ScenePatch};
use reelhook_domain::projects::policy::Backend;
use reelhook_domain::projects::project::ProjectPiece;
use reelhook_domain::projects::reasons::{Ignored, Rejected};
use reelhook_domain::projects::task::{Stage, Target, TaskRef, TaskWork};
use reelhook_domain::*;

use super::story::*;

/// A project whose scenes are verified.
fn verified(numbers: &[&str], policy: ProjectPolicy) -> Story {
    let mut story = Story::started(numbers, policy);
    for number in numbers {
        story.make_scene(number);
    }
    story
}

/// The one stitch under way.
#[track_caller]
fn only_stitch(story: &Story) -> TaskRef {
    let stitches = story.stitches();
    assert_eq!(stitches.len(), 1);
    stitches[0].clone()
}

fn regenerate(number: &str, cascade: bool) -> Event {
    Event::Generate { scenes: vec![id(number)], cascade }
}

#[test]
fn verified_scenes_are_stitched_once_in_order() {
    let mut story = verified(&["1", "2", "3"], services());
    let stitch = only_stitch(&story);
    assert_eq!((stitch.run, stitch.number, &stitch.target), (1, 1, &Target::Stitch(0)));
    assert_eq!(story.project.work(story.now, &story.policy), [TaskWork::Submit(stitch.clone())]);
    let files = ["1", "2", "3"].map(|number| outside(&format!("video.1.1.scene_{number}")));
    assert_eq!(story.project.inputs(0), Some(files.to_vec()));
    assert_eq!(story.project.inputs(1), None);
    story.make(&stitch);
    assert_eq!(
        (story.project.status(), story.notified()),
        (ProjectStatus::Completed, vec![OutboundEvent::ProjectCompleted])
    );
    assert_eq!(story.ignored(completed(&stitch)), Ignored::FinalProject);
    let copies = ["1", "2", "3"].map(|number| ProjectPiece::Copy { scene: id(number), attempt: 1 });
    let expected: Vec<ProjectPiece> = copies.into_iter().chain([ProjectPiece::CopyFinal { generation: 1 }]).collect();
    assert_eq!(story.pieces(), expected, "files are copied before their links expire");
    assert!(story.project.due_at.is_some());
    for _ in 0..4 {
        story.draw();
    }
    assert_eq!(
        story.project.video.as_ref().unwrap().video.file.key.as_deref(),
        Some("projects/proj_1/final/1/video.mp4")
    );
    assert_eq!((story.project.status(), story.project.due_at), (ProjectStatus::Completed, None));
}

#[test]
fn one_scene_is_the_video_and_nothing_is_stitched() {
    let mut story = verified(&["1"], services());
    assert_eq!((story.project.status(), story.stitches()), (ProjectStatus::Completed, vec![]));
    assert_eq!(story.project.video.as_ref().unwrap().video, video("video.1.1.scene_1"));
    story.draw();
    let key = "projects/proj_1/scenes/scene_1/1/video.mp4";
    assert_eq!(story.project.video.as_ref().unwrap().video.file.key.as_deref(), Some(key));
}

#[test]
fn twelve_scenes_need_three_stitches_where_a_service_takes_ten_videos() {
    let numbers: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let mut story = verified(&numbers, services());
    let halves = story.stitches();
    assert_eq!(
        halves.iter().map(|task| task.target.clone()).collect::<Vec<_>>(),
        [Target::Stitch(0), Target::Stitch(1)]
    );
    assert_eq!(story.project.inputs(2), None);
    story.make(&halves[1]);
    assert_eq!(story.project.status(), ProjectStatus::Stitching);
    story.make(&halves[0]);
    assert_eq!(story.project.status(), ProjectStatus::Stitching, "only the last stitch completes the project");
    let files: Vec<_> = halves.iter().map(|half| outside(&half.to_string())).collect();
    assert_eq!(story.project.inputs(2), Some(files));
    let root = only_stitch(&story);
    story.make(&root);
    assert_eq!(story.project.status(), ProjectStatus::Completed);
}

#[test]
fn a_late_result_of_an_older_generation_changes_nothing() {
    let mut story = verified(&["1", "2"], services());
    let old = only_stitch(&story);
    let task = story.submit(&old);
    story.apply(regenerate("2", true));
    assert!(story.effects().contains(&ProjectEffect::CancelTask { stage: Stage::Stitch, id: task }));
    assert_eq!((story.project.status(), story.stitches()), (ProjectStatus::Generating, vec![]));
    assert_eq!(story.ignored(completed(&old)), Ignored::Stale);
    story.make_scene("2");
    let new = only_stitch(&story);
    assert_eq!(new.run, 2);
    assert_eq!(story.ignored(completed(&old)), Ignored::Stale);
    story.make(&new);
    assert_eq!(story.project.video.as_ref().unwrap().takes, [(id("1"), 1), (id("2"), 2)]);
}

#[test]
fn a_stitch_that_fails_three_times_fails_the_project_until_a_retry() {
    let mut story = verified(&["1", "2"], services());
    for number in 1..=3 {
        let stitch = only_stitch(&story);
        assert_eq!(stitch.number, number);
        story.wait(60).submit(&stitch);
        story.apply(failed(&stitch));
    }
    assert_eq!(story.raised(), [(Cause::StitchFailed, "proj_1".to_owned())]);
    assert_eq!(story.project.error(), Some("The scenes could not be stitched: boom"));
    assert_eq!((story.project.status(), story.project.tasks().count()), (ProjectStatus::Failed, 0));
    story.apply(Event::Retry { scene: None });
    let stitch = only_stitch(&story);
    assert_eq!((stitch.run, stitch.number), (2, 1));
    story.make(&stitch);
    assert!(story.resolved().contains(&(Cause::StitchFailed, "proj_1".to_owned())));
    assert_eq!(story.project.status(), ProjectStatus::Completed);
}

/// The stitch of a project fails for good.
#[track_caller]
fn fail_stitch(story: &mut Story) {
    story.policy.stitch.attempts = 1;
    let stitch = only_stitch(story);
    story.submit(&stitch);
    story.apply(failed(&stitch));
    assert_eq!(story.raised(), [(Cause::StitchFailed, "proj_1".to_owned())]);
}

#[track_caller]
fn is_completed_without_errors(story: &Story) {
    assert_eq!(story.project.status(), ProjectStatus::Completed);
    for cause in [Cause::StitchFailed, Cause::SubmissionUnclear] {
        assert!(story.resolved().contains(&(cause, "proj_1".to_owned())), "{cause:?}");
    }
}

#[test]
fn a_stitch_that_failed_and_is_given_up_leaves_no_error() {
    let mut story = verified(&["1", "2"], services());
    fail_stitch(&mut story);
    story.apply(Event::RemoveScene(id("2")));
    story.apply(Event::Start);
    is_completed_without_errors(&story);

    let mut story = verified(&["1", "2"], services());
    let first = only_stitch(&story);
    story.make(&first);
    story.apply(regenerate("2", false));
    story.make_scene("2");
    fail_stitch(&mut story);
    let choice = ScenePatch { take: Some(1), ..ScenePatch::default() };
    story.apply(Event::EditScene { scene: id("2"), patch: Box::new(choice) });
    story.apply(Event::Start);
    is_completed_without_errors(&story);
    assert_eq!(story.project.generations, 2, "the first video is made of these takes");
}

#[test]
fn what_is_done_of_a_tree_stays_after_a_failure() {
    let numbers: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let mut story = verified(&numbers, services());
    story.policy.stitch.attempts = 1;
    let halves = story.stitches();
    story.make(&halves[0]);
    story.submit(&halves[1]);
    story.apply(failed(&halves[1]));
    assert_eq!(story.project.status(), ProjectStatus::Failed);
    story.apply(Event::Start);
    let second = only_stitch(&story);
    assert_eq!((second.run, &second.target), (2, &Target::Stitch(1)));
}

#[test]
fn a_tree_for_a_service_that_is_not_used_any_more_gives_way_to_one_stitch_of_our_own() {
    let numbers: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let mut story = verified(&numbers, services());
    let halves = story.stitches();
    story.make(&halves[0]);
    let task = story.submit(&halves[1]);
    story.policy.stitch.backend = Backend::Own;
    story.apply(Event::Edit(ProjectPatch { name: Some("Tour".to_owned()), ..ProjectPatch::default() }));
    assert!(story.effects().contains(&ProjectEffect::CancelTask { stage: Stage::Stitch, id: task }));
    let own = only_stitch(&story);
    assert_eq!((own.run, &own.target), (2, &Target::Stitch(0)));
    assert_eq!(story.ignored(completed(&halves[1])), Ignored::Stale);
    while story.project.status() == ProjectStatus::Stitching {
        story.draw();
    }
    assert_eq!(story.project.status(), ProjectStatus::Completed);
    assert_eq!(story.project.video.as_ref().unwrap().takes.len(), 12);
}

#[test]
fn a_person_stitches_again() {
    let mut story = Story::of(&["1", "2"], own());
    assert_eq!(story.rejected(Event::Stitch), Rejected::NotVerified);
    story.apply(Event::Start);
    story.run();
    story.apply(Event::Stitch);
    assert_eq!(
        (story.project.status(), story.notified()),
        (ProjectStatus::Stitching, vec![OutboundEvent::ProjectStarted])
    );
    assert_eq!(story.ignored(Event::Stitch), Ignored::Repeated);
    assert_eq!(story.draw(), ProjectPiece::Concat { generation: 2 });
    assert_eq!(story.project.status(), ProjectStatus::Completed);
    assert_eq!(story.rejected(Event::Start), Rejected::Ended);
}

#[test]
fn each_generation_has_its_own_tasks() {
    let mut story = verified(&["1", "2"], services());
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        let stitch = only_stitch(&story);
        assert!(seen.insert(stitch.to_string()), "{stitch} comes twice");
        story.make(&stitch);
        story.apply(Event::Stitch);
    }
}
