//! Commands of people: start, cancel, delete, regenerate, takes, statuses, order.

use reelhook_domain::errors::cause::Cause;
use reelhook_domain::projects::event::{Event, ProjectPatch, ScenePatch};
use reelhook_domain::projects::graph::GraphError;
use reelhook_domain::projects::reasons::{Ignored, Rejected};
use reelhook_domain::projects::scene::{Dependency, SceneKind, SceneStatus};
use reelhook_domain::projects::task::Stage;
use reelhook_domain::*;

use super::story::*;

fn edit(number: &str, patch: ScenePatch) -> Event {
    Event::EditScene { scene: id(number), patch: Box::new(patch) }
}

fn status(number: &str, status: SceneStatus) -> Event {
    edit(number, ScenePatch { status: Some(status), ..ScenePatch::default() })
}

fn take(number: &str, attempt: u32) -> Event {
    edit(number, ScenePatch { take: Some(attempt), ..ScenePatch::default() })
}

fn regenerate(number: &str, cascade: bool) -> Event {
    Event::Generate { scenes: vec![id(number)], cascade }
}

fn stale(story: &Story) -> Vec<bool> {
    story.project.scenes.iter().map(|scene| scene.stale).collect()
}

/// A completed project of three scenes, by our own renderers.
fn complete() -> Story {
    let mut story = Story::started(&["1", "2", "3"], own());
    story.run();
    story
}

#[test]
fn commands_are_refused_where_they_mean_nothing() {
    let mut story = Story::of(&["1"], services());
    assert_eq!(story.rejected(Event::Cancel), Rejected::NotRunning);
    assert_eq!(story.rejected(regenerate("9", true)), Rejected::NoScene(id("9")));
    assert_eq!(story.rejected(Event::Retry { scene: None }), Rejected::NotVerified);
    assert_eq!(story.ignored(Event::Tick), Ignored::NothingToDo);
    assert_eq!(story.ignored(Event::ClaimPiece), Ignored::NothingToDo);
    story.apply(Event::Start);
    assert_eq!(story.ignored(Event::Start), Ignored::Repeated, "it runs");
    assert_eq!(story.rejected(regenerate("1", true)), Rejected::SceneBusy(id("1")));
    assert_eq!(story.rejected(Event::RemoveScene(id("1"))), Rejected::SceneBusy(id("1")));
    assert_eq!(Story::of(&[], own()).rejected(Event::Start), Rejected::NothingReady);
    let mut draft = scene("1");
    draft.draft = true;
    assert_eq!(Story::new(vec![draft], own()).rejected(Event::Start), Rejected::NothingReady);
}

#[test]
fn a_cancelled_project_stops_its_tasks_and_continues_where_it_stood() {
    let mut story = Story::started(&["1", "2", "3"], services());
    story.make_scene("1");
    let second = story.video_of("2");
    let task = story.submit(&second);
    let slot = story.project.slot(&second).unwrap();
    story.apply(Event::Cancel);
    let cancelled = [ProjectEffect::CancelTask { stage: Stage::Video, id: task }, ProjectEffect::FreeSlot { slot }];
    assert_eq!(story.effects(), cancelled);
    assert_eq!((story.notified(), story.project.tasks().count()), (vec![OutboundEvent::ProjectCancelled], 0));
    assert_eq!(story.ignored(completed(&second)), Ignored::FinalProject);
    assert_eq!(story.ignored(Event::Cancel), Ignored::FinalProject);
    story.apply(Event::Start);
    assert_eq!(["1", "2", "3"].map(|number| story.attempt(number)), [1, 2, 0]);
    assert_eq!(story.ignored(completed(&second)), Ignored::Stale);
}

#[test]
fn to_generate_what_is_ready_continues_a_project_that_failed() {
    let mut story = Story::of(&["1", "2"], services());
    story.policy.video.attempts = 1;
    story.apply(Event::Start);
    let video = story.video_of("1");
    story.submit(&video);
    story.apply(failed(&video));
    assert_eq!(story.project.status(), ProjectStatus::Failed);
    story.apply(Event::Generate { scenes: vec![], cascade: true });
    assert_eq!(story.notified(), [OutboundEvent::ProjectStarted], "it does not fail at once");
    assert_eq!((story.status("1"), story.attempt("1")), (SceneStatus::Generating, 2));
}

#[test]
fn an_extraction_that_was_cancelled_goes_on_after_a_start() {
    let mut story = Story::started(&["1", "2"], services());
    let video = story.video_of("1");
    story.make(&video);
    let first = story.frame_of("1");
    story.submit(&first);
    story.apply(Event::Cancel);
    story.wait(5).apply(Event::Start);
    let second = story.frame_of("1");
    assert_eq!((second.run, story.attempt("1")), (1, 1), "the video is kept");
    assert_ne!(first, second);
    assert_eq!(story.ignored(completed(&first)), Ignored::Repeated);
}

#[test]
fn each_retry_of_a_frame_by_a_person_is_a_new_round_of_tries_without_waiting() {
    let mut story = Story::started(&["1"], services());
    let video = story.video_of("1");
    story.make(&video);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let frame = story.frame_of("1");
        seen.push(frame.number);
        story.submit(&frame);
        story.apply(Event::Cancel);
        story.apply(Event::Start);
    }
    assert_eq!(seen, [1, 4, 7], "in the same millisecond, with three attempts in each round");
    for number in 10..=12 {
        let frame = story.frame_of("1");
        assert_eq!(frame.number, number);
        story.wait(600).submit(&frame);
        story.apply(failed(&frame));
    }
    assert_eq!(story.project.status(), ProjectStatus::Failed);
    story.apply(Event::Retry { scene: Some(id("1")) });
    assert_eq!(story.frame_of("1").number, 13);
}

#[test]
fn a_scene_with_the_id_of_a_removed_one_repeats_no_task() {
    let mut story = complete();
    story.apply(regenerate("2", false));
    story.run();
    story.apply(Event::RemoveScene(id("2")));
    story.apply(Event::AddScenes(vec![scene("2")]));
    assert_eq!((story.attempt("2"), story.status("2")), (0, SceneStatus::Ready));
    story.apply(Event::Start);
    assert_eq!((story.video_of("2").run, story.attempt("1"), story.attempt("3")), (3, 1, 1));
    story.run();
    assert_eq!(story.project.scene(&id("2")).unwrap().takes[0].attempt, 3);
    story.apply(Event::RemoveScene(id("2")));
    story.apply(Event::AddScenes(vec![scene("2"), scene("4")]));
    story.apply(Event::Start);
    assert_eq!(story.video_of("2").run, 4);
    story.run();
    story.apply(regenerate("3", false));
    assert_eq!(story.attempt("3"), 2, "a scene that stayed counts on");
}

#[test]
fn a_deleted_project_takes_nothing_any_more() {
    let mut story = Story::started(&["1"], services());
    let task = story.video_of("1");
    story.submit(&task);
    story.apply(Event::Delete);
    assert!(story.project.outbox.contains(&Effect::Purge) && story.project.deleted_at.is_some());
    assert_eq!((story.project.tasks().count(), story.project.due_at), (0, None));
    assert_eq!(story.ignored(completed(&task)), Ignored::FinalProject);
    assert_eq!(story.ignored(Event::Tick), Ignored::NothingToDo);
    for command in [Event::Start, Event::Delete, Event::Cancel, take("1", 1)] {
        assert_eq!(story.rejected(command), Rejected::Deleted);
    }
}

#[test]
fn errors_about_copies_are_resolved_with_the_deletion_of_their_scene_or_project() {
    let mut story = Story::started(&["1", "2"], services());
    story.make_scene("1");
    let of_scene = [(Cause::CopyFailed, "proj_1/scene_1".to_owned())];
    while !story.project.pieces.list.is_empty() {
        story.apply(Event::ClaimPiece);
        let claim = story.project.pieces.claims;
        story.apply(Event::PieceFailed { claim, error: "gone".to_owned(), permanent: true });
        assert_eq!(story.raised(), of_scene);
    }
    let mut removed = story.clone();
    removed.apply(Event::RemoveScene(id("1")));
    assert_eq!(removed.resolved(), of_scene);
    let mut deleted = story.clone();
    deleted.apply(Event::Delete);
    assert_eq!(deleted.resolved(), of_scene);
    story.make_scene("2");
    let stitch = story.stitches()[0].clone();
    story.make(&stitch);
    story.apply(Event::Delete);
    let of = ["proj_1/scene_1", "proj_1/scene_2", "proj_1"];
    assert_eq!(story.resolved(), of.map(|of| (Cause::CopyFailed, of.to_owned())));
}

#[test]
fn a_regenerated_scene_takes_its_dependants_with_it() {
    let mut story = complete();
    story.apply(regenerate("1", true));
    assert_eq!(
        ["1", "2", "3"].map(|number| story.status(number)),
        [SceneStatus::Generating, SceneStatus::Revision, SceneStatus::Revision]
    );
    assert_eq!(stale(&story), [false, true, true]);
    story.draw();
    story.draw();
    assert_eq!((story.status("2"), stale(&story)), (SceneStatus::Generating, vec![false, false, true]));
    story.run();
    assert_eq!(story.project.status(), ProjectStatus::Completed);
    assert_eq!(story.project.video.as_ref().unwrap().takes, ["1", "2", "3"].map(|number| (id(number), 2)));
    assert_eq!(story.project.scenes.iter().map(|scene| scene.takes.len()).collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn a_regenerated_scene_may_leave_its_dependants_as_they_are() {
    let mut story = complete();
    story.apply(regenerate("1", false));
    assert_eq!(stale(&story), [false, true, true]);
    story.run();
    assert_eq!(["1", "2", "3"].map(|number| story.attempt(number)), [2, 1, 1]);
    assert_eq!((story.project.status(), stale(&story)), (ProjectStatus::Completed, vec![false, true, true]));
    assert_eq!(story.project.generations, 2);
}

#[test]
fn a_cascade_gives_up_what_is_under_way() {
    let mut story = Story::started(&["1", "2"], services());
    story.make_scene("1");
    let second = story.video_of("2");
    let task = story.submit(&second);
    let slot = story.project.slot(&second).unwrap();
    story.apply(regenerate("1", true));
    assert!(story.effects().contains(&ProjectEffect::CancelTask { stage: Stage::Video, id: task }));
    assert_eq!(story.freed(), [slot]);
    assert_eq!((story.status("1"), story.status("2")), (SceneStatus::Generating, SceneStatus::Revision));
    assert_eq!(story.ignored(completed(&second)), Ignored::Repeated);
}

#[test]
fn a_video_that_waits_is_taken_back_when_its_first_frame_is_made_again() {
    let mut story = Story::started(&["1", "2"], services());
    story.make_scene("1");
    let waiting = story.video_of("2");
    story.apply(regenerate("1", false));
    assert_eq!((story.status("1"), story.status("2")), (SceneStatus::Generating, SceneStatus::Ready));
    assert_eq!(story.ignored(Event::ClaimTask(waiting)), Ignored::Repeated);
    story.make_scene("1");
    assert_eq!((story.attempt("2"), stale(&story)), (2, vec![false, false]));
    let frame = story.project.scene(&id("1")).unwrap().takes[1].last_frame.clone();
    assert_eq!(story.project.first_frame_of(&id("2")), frame);
    assert_eq!(story.project.spent, 1_000_000, "the video that waited was never paid");
}

#[test]
fn a_video_that_waits_is_taken_back_when_it_starts_from_another_scene() {
    let mut story = Story::started(&["1", "2", "3"], own());
    story.draw();
    story.draw();
    let order = ["1", "3", "2"].map(id).to_vec();
    story.apply(Event::Edit(ProjectPatch { order: Some(order), ..ProjectPatch::default() }));
    assert_eq!((story.status("2"), story.status("3")), (SceneStatus::Ready, SceneStatus::Generating));
    story.run();
    assert_eq!(story.project.video.as_ref().unwrap().takes, [(id("1"), 1), (id("3"), 1), (id("2"), 2)]);
}

#[test]
fn an_earlier_take_can_be_chosen() {
    let mut story = complete();
    story.apply(regenerate("2", false));
    story.run();
    let (now, policy) = (story.now, story.policy.clone());
    assert_eq!(story.rejected(take("2", 9)), Rejected::NoTake(9));
    assert_eq!(story.ignored(take("2", 2)), Ignored::Repeated);
    story.apply(take("2", 1));
    assert_eq!(story.project.scene(&id("2")).unwrap().take().unwrap().attempt, 1);
    assert_eq!((story.project.status(), stale(&story)), (ProjectStatus::Completed, vec![false, false, true]));
    assert_eq!(story.project.work(now, &policy), []);
    story.apply(Event::Start);
    story.run();
    assert_eq!(story.project.video.as_ref().unwrap().takes, [(id("1"), 1), (id("2"), 1), (id("3"), 1)]);
}

#[test]
fn a_chosen_or_approved_take_resolves_the_errors_of_its_scene() {
    let errors =
        [Cause::VideoFailed, Cause::FrameFailed, Cause::SubmissionUnclear].map(|cause| (cause, "proj_1/scene_1"));
    let resolves = |story: &Story| {
        let resolved = story.resolved();
        errors.iter().all(|(cause, about)| resolved.contains(&(*cause, (*about).to_owned())))
    };
    let mut story = Story::of(&["1", "2"], services());
    story.policy.video.attempts = 1;
    story.apply(Event::Start);
    story.make_scene("1");
    story.apply(regenerate("1", false));
    let video = story.video_of("1");
    story.submit(&video);
    story.apply(failed(&video));
    assert_eq!(story.raised(), [(Cause::VideoFailed, "proj_1/scene_1".to_owned())]);
    story.apply(take("1", 1));
    assert!(resolves(&story), "{:?}", story.resolved());
    story.apply(status("1", SceneStatus::Approved));
    assert!(resolves(&story), "{:?}", story.resolved());
}

#[test]
fn a_take_keeps_the_first_frame_that_its_submission_was_given() {
    let mut story = Story::of(&["1", "2"], services());
    story.apply(Event::Start);
    story.make_scene("1");
    let given = story.project.first_frame_of(&id("2"));
    let second = story.video_of("2");
    story.submit(&second);
    story.apply(regenerate("1", false));
    story.make_scene("1");
    assert_ne!(story.project.first_frame_of(&id("2")), given, "the next attempt would start from another frame");
    story.apply(completed(&second));
    assert_eq!(story.project.scene(&id("2")).unwrap().take().unwrap().first_frame, given);
}

#[test]
fn people_set_statuses_within_what_a_scene_has() {
    let mut story = complete();
    story.apply(status("1", SceneStatus::Approved));
    assert_eq!(story.status("1"), SceneStatus::Approved);
    assert_eq!(story.ignored(status("1", SceneStatus::Approved)), Ignored::Repeated);
    for bad in [SceneStatus::Generating, SceneStatus::Generated, SceneStatus::Verified] {
        assert_eq!(story.rejected(status("1", bad)), Rejected::BadStatus);
    }
    story.apply(status("2", SceneStatus::Rejected));
    assert_eq!(story.rejected(status("2", SceneStatus::Approved)), Rejected::BadStatus);
    assert_eq!(story.project.status(), ProjectStatus::Completed, "the video is kept");
    story.apply(status("2", SceneStatus::Revision));
    story.apply(Event::Start);
    story.run();
    assert_eq!(["1", "2", "3"].map(|number| story.attempt(number)), [1, 2, 1]);
}

#[test]
fn an_edit_that_changes_nothing_is_a_repetition() {
    let story = Story::of(&["1"], own());
    let spec = story.project.scenes[0].spec.clone();
    for event in [
        Event::Edit(ProjectPatch::default()),
        Event::Edit(ProjectPatch {
            name: Some("Trip".to_owned()),
            order: Some(vec![id("1")]),
            ..ProjectPatch::default()
        }),
        edit("1", ScenePatch { spec: Some(spec), notes: Some(String::new()), ..ScenePatch::default() }),
        Event::AddScenes(vec![]),
    ] {
        assert_eq!(story.ignored(event), Ignored::Repeated);
    }
}

#[test]
fn a_new_order_names_each_scene_once_and_shows_what_is_stale() {
    let mut story = complete();
    let order = |numbers: &[&str]| {
        let order = numbers.iter().map(|number| id(number)).collect();
        Event::Edit(ProjectPatch { order: Some(order), ..ProjectPatch::default() })
    };
    for bad in [&["1", "2"][..], &["1", "2", "2"], &["1", "2", "3", "4"]] {
        assert_eq!(story.rejected(order(bad)), Rejected::Graph(GraphError::Order));
    }
    story.apply(order(&["1", "3", "2"]));
    assert_eq!(stale(&story), [false, true, true]);
    story.apply(Event::Start);
    story.run();
    assert_eq!(story.project.video.as_ref().unwrap().takes, ["1", "3", "2"].map(|number| (id(number), 1)));
}

#[test]
fn a_removed_scene_leaves_a_graph() {
    let mut story = complete();
    let mut spec = story.project.scenes[2].spec.clone();
    spec.depends_on = Dependency::Scene(id("1"));
    story.apply(edit("3", ScenePatch { spec: Some(spec), ..ScenePatch::default() }));
    let unknown = GraphError::Unknown { scene: id("3"), on: id("1") };
    assert_eq!(story.rejected(Event::RemoveScene(id("1"))), Rejected::Graph(unknown));
    story.apply(Event::RemoveScene(id("2")));
    assert_eq!(story.project.scenes.len(), 2);
    assert_eq!(story.rejected(Event::RemoveScene(id("2"))), Rejected::NoScene(id("2")));
}

#[test]
fn a_scene_that_would_lose_its_first_frame_keeps_its_place() {
    let mut image = scene("2");
    image.spec.kind = SceneKind::ImageToVideo;
    let mut story = Story::new(vec![scene("1"), image], own());
    let lacks =
        Rejected::Graph(GraphError::MissingImage { scene: id("2"), kind: "image-to-video", member: "firstFrameUrl" });
    let order = Some(vec![id("2"), id("1")]);
    assert_eq!(story.rejected(Event::Edit(ProjectPatch { order, ..ProjectPatch::default() })), lacks);
    assert_eq!(story.rejected(Event::RemoveScene(id("1"))), lacks);
    story.apply(status("2", SceneStatus::Draft));
    story.apply(Event::RemoveScene(id("1")));
}

#[test]
fn all_that_is_ready_is_generated_where_no_scene_is_named() {
    let mut story = Story::of(&["1", "2"], own());
    story.apply(Event::Generate { scenes: vec![], cascade: true });
    assert_eq!((story.attempt("1"), story.project.status()), (1, ProjectStatus::Generating));
    assert_eq!(story.ignored(Event::Generate { scenes: vec![], cascade: true }), Ignored::Repeated);
    story.run();
    assert_eq!(story.rejected(Event::Generate { scenes: vec![], cascade: true }), Rejected::NothingReady);
}
