//! Chains of scenes: what starts when, with which first frame, and what failures do to it.

use reelhook_domain::errors::cause::Cause;
use reelhook_domain::projects::decide::create;
use reelhook_domain::projects::event::{Event, ProjectPatch, ScenePatch, TaskReport};
use reelhook_domain::projects::graph::GraphError;
use reelhook_domain::projects::media::File;
use reelhook_domain::projects::policy::Backend;
use reelhook_domain::projects::project::{Phase, ProjectPiece};
use reelhook_domain::projects::reasons::{Ignored, Rejected};
use reelhook_domain::projects::scene::{Dependency, SceneStatus};
use reelhook_domain::projects::task::{Stage, Target, TaskRef};
use reelhook_domain::*;

use super::story::*;

fn numbers(story: &Story) -> Vec<&str> {
    story.project.scenes.iter().map(|scene| scene.spec.number.as_str()).collect()
}

#[test]
fn scenes_are_in_the_natural_order_of_their_numbers() {
    let mut story = Story::of(&["10", "002a", "2"], own());
    assert_eq!(numbers(&story), ["2", "002a", "10"]);
    story.apply(Event::AddScenes(vec![scene("3")]));
    assert_eq!(numbers(&story), ["2", "002a", "3", "10"]);
    let order = ["10", "2", "002a", "3"].map(id).to_vec();
    story.apply(Event::Edit(ProjectPatch { order: Some(order), ..Default::default() }));
    assert_eq!(numbers(&story), ["10", "2", "002a", "3"]);
    story.apply(Event::AddScenes(vec![scene("1")]));
    assert_eq!(numbers(&story), ["10", "2", "002a", "3", "1"], "the order is a person's: a new scene comes last");
}

#[test]
fn scenes_without_numbers_get_their_places() {
    let unnumbered = |name: &str| {
        let mut scene = scene(name);
        scene.spec.number = String::new();
        scene
    };
    let story = Story::new(vec![unnumbered("b"), scene("3"), unnumbered("a")], own());
    assert_eq!(numbers(&story), ["1", "3", "4"]);
}

#[test]
fn a_project_needs_a_graph_and_has_two_hundred_scenes_at_most() {
    let refused = |scenes| create(new_project(scenes), START, &own()).unwrap_err();
    let on = |number: &str, other: &str| {
        let mut scene = scene(number);
        scene.spec.depends_on = Dependency::Scene(id(other));
        scene
    };
    assert_eq!(refused(vec![on("1", "2"), on("2", "1")]), Rejected::Graph(GraphError::Cycle(id("1"))));
    assert_eq!(refused(vec![on("1", "9")]), Rejected::Graph(GraphError::Unknown { scene: id("1"), on: id("9") }));
    assert_eq!(refused(vec![scene("1"), scene("1")]), Rejected::Graph(GraphError::SameId(id("1"))));
    assert_eq!(refused((0..201).map(|number| scene(&number.to_string())).collect()), Rejected::TooManyScenes);
    let story = Story::of(&["1", "2"], own());
    let scenes = ["scene_1", "scene_2"].map(str::to_owned).to_vec();
    assert_eq!(story.effects(), [ProjectEffect::IndexScenes { scenes }]);
    assert_eq!((story.project.version, story.project.status(), story.project.due_at), (1, ProjectStatus::Draft, None));
}

#[test]
fn each_scene_starts_from_the_last_frame_of_the_one_before() {
    let mut story = Story::started(&["1", "2", "3"], services());
    assert_eq!(story.notified(), [OutboundEvent::ProjectStarted]);
    assert_eq!(story.project.first_frame_of(&id("1")), None);
    for (number, next) in [("1", "2"), ("2", "3")] {
        assert_eq!(story.status(next), SceneStatus::Ready);
        let video = story.video_of(number);
        story.make(&video);
        assert_eq!(
            (story.status(number), story.notified()),
            (SceneStatus::Generated, vec![OutboundEvent::SceneGenerated])
        );
        assert_eq!(story.status(next), SceneStatus::Ready, "no scene runs before its frame");
        let frame = story.frame_of(number);
        story.make(&frame);
        assert_eq!(
            (story.status(number), story.notified()),
            (SceneStatus::Verified, vec![OutboundEvent::SceneVerified])
        );
        assert_eq!(story.status(next), SceneStatus::Generating);
        assert_eq!(story.project.first_frame_of(&id(next)), Some(outside(&frame.to_string())));
    }
}

#[test]
fn a_client_s_first_frame_counts_where_no_scene_comes_before() {
    let mut first = free("1");
    first.spec.first_frame = WebUrl::parse("https://client.example/first.png");
    let story = Story::new(vec![first, scene("2")], services());
    let expected = File::outside(WebUrl::parse("https://client.example/first.png").unwrap());
    assert_eq!(story.project.first_frame_of(&id("1")), Some(expected));
    assert_eq!(story.project.first_frame_of(&id("2")), None);
}

#[test]
fn scenes_that_need_no_frame_run_in_parallel() {
    let mut story = Story::new(vec![free("1"), free("2"), scene("3")], services());
    story.apply(Event::Start);
    assert_eq!(["1", "2", "3"].map(|number| story.attempt(number)), [1, 1, 0]);
}

#[test]
fn a_repeated_callback_starts_nothing_twice() {
    let mut story = Story::started(&["1", "2", "3"], services());
    let video = story.video_of("1");
    story.make(&video);
    assert_eq!(story.ignored(completed(&video)), Ignored::Repeated);
    let frame = story.frame_of("1");
    story.make(&frame);
    for _ in 0..20 {
        assert_eq!(story.ignored(completed(&frame)), Ignored::Repeated);
        assert_eq!(story.ignored(failed(&frame)), Ignored::Repeated);
        assert_eq!(story.ignored(completed(&video)), Ignored::Repeated);
    }
    assert_eq!(story.attempt("2"), 1);
}

#[test]
fn a_token_of_one_stage_does_not_end_another() {
    let mut story = Story::started(&["1"], services());
    let video = story.video_of("1");
    story.submit(&video);
    let mut frame = video.clone();
    frame.target = Target::Frame(id("1"));
    assert_eq!(story.ignored(completed(&frame)), Ignored::Repeated);
    assert_eq!(story.ignored(callback(&video, done(&frame))), Ignored::Stale, "an image is no video");
    assert_eq!(story.status("1"), SceneStatus::Generating);
}

#[test]
fn a_failed_video_is_tried_twice_more_and_then_the_project_fails() {
    let mut story = Story::started(&["1", "2"], services());
    for attempt in 1..=3 {
        let video = story.video_of("1");
        assert_eq!(video.run, attempt);
        story.wait(600).submit(&video);
        let slot = story.project.slot(&video).unwrap();
        story.apply(failed(&video));
        assert_eq!(story.raised()[0], (Cause::VideoFailed, "proj_1/scene_1".to_owned()));
        assert_eq!(story.freed(), [slot]);
        assert_eq!(story.project.scene(&id("1")).unwrap().notes, "Video generation failed: boom");
        assert!(story.notified().contains(&OutboundEvent::SceneRejected));
        assert_eq!(story.ignored(failed(&video)), if attempt < 3 { Ignored::Stale } else { Ignored::FinalProject });
    }
    assert_eq!((story.status("1"), story.project.status()), (SceneStatus::Rejected, ProjectStatus::Failed));
    assert_eq!(story.project.error(), Some("Scene `1` failed: Video generation failed: boom"));
    assert_eq!((story.project.due_at, story.project.spent), (None, 3 * 500_000));

    story.apply(Event::Start);
    assert_eq!((story.attempt("1"), story.status("1")), (4, SceneStatus::Generating));
    story.make_scene("1");
    story.make_scene("2");
    assert_eq!(story.project.status(), ProjectStatus::Stitching);
}

#[test]
fn a_video_s_error_is_resolved_when_the_scene_is_generated() {
    let mut story = Story::started(&["1"], services());
    let first = story.video_of("1");
    story.submit(&first);
    story.apply(failed(&first));
    let second = story.video_of("1");
    assert_eq!(story.ignored(Event::ClaimTask(second.clone())), Ignored::NothingToDo, "the retry waits");
    story.wait(5).make(&second);
    assert!(story.resolved().contains(&(Cause::VideoFailed, "proj_1/scene_1".to_owned())));
}

#[test]
fn a_failed_frame_retries_only_the_extraction() {
    let mut story = Story::started(&["1", "2"], services());
    let video = story.video_of("1");
    story.make(&video);
    for number in 1..=3 {
        let frame = story.frame_of("1");
        assert_eq!((frame.run, frame.number), (1, number));
        story.wait(600).submit(&frame);
        story.apply(failed(&frame));
    }
    assert_eq!(story.raised(), [(Cause::FrameFailed, "proj_1/scene_1".to_owned())]);
    assert_eq!((story.status("1"), story.project.status()), (SceneStatus::Generated, ProjectStatus::Failed));
    assert_eq!((story.attempt("1"), story.project.spent), (1, 500_000), "one video task in all");

    story.wait(60).apply(Event::Retry { scene: Some(id("1")) });
    let frame = story.frame_of("1");
    assert!(frame.number > 3, "numbers never repeat");
    story.make(&frame);
    assert_eq!((story.status("1"), story.attempt("1"), story.attempt("2")), (SceneStatus::Verified, 1, 1));
    assert!(story.resolved().contains(&(Cause::FrameFailed, "proj_1/scene_1".to_owned())));
}

/// A project whose first scene has failed for good while the video of the second is under way.
fn one_failed_beside_another() -> (Story, TaskRef) {
    let mut story = Story::new(vec![free("1"), free("2")], services());
    story.policy.video.attempts = 1;
    story.apply(Event::Start);
    let (one, two) = (story.video_of("1"), story.video_of("2"));
    story.submit(&one);
    story.submit(&two);
    story.apply(failed(&one));
    (story, two)
}

#[test]
fn what_is_under_way_ends_before_a_project_fails() {
    let (mut story, two) = one_failed_beside_another();
    assert_eq!(story.project.status(), ProjectStatus::Generating);
    story.apply(completed(&two));
    let frame = story.frame_of("2");
    story.make(&frame);
    assert_eq!((story.project.status(), story.status("2")), (ProjectStatus::Failed, SceneStatus::Verified));
}

#[test]
fn what_failed_for_good_has_failed_also_with_more_attempts() {
    let (mut story, two) = one_failed_beside_another();
    story.policy.video.attempts = 5;
    story.apply(completed(&two));
    let frame = story.frame_of("2");
    story.make(&frame);
    assert_eq!((story.project.status(), story.status("1")), (ProjectStatus::Failed, SceneStatus::Rejected));
}

#[test]
fn our_own_renderers_make_a_whole_project() {
    let mut story = Story::started(&["1", "2"], own());
    let card = |number: &str| ProjectPiece::Card { scene: id(number), attempt: 1 };
    let frame = |number: &str| ProjectPiece::LastFrame { scene: id(number), attempt: 1 };
    assert_eq!(story.pieces(), [card("1")]);
    for piece in [card("1"), frame("1"), card("2"), frame("2"), ProjectPiece::Concat { generation: 1 }] {
        assert_eq!(story.draw(), piece);
    }
    assert_eq!(
        (story.project.status(), story.project.due_at, story.project.spent),
        (ProjectStatus::Completed, None, 0)
    );
    let made = story.project.video.as_ref().unwrap();
    assert_eq!(made.video.file, File::stored("projects/proj_1/final/1/video.mp4"));
    assert_eq!(made.takes, [(id("1"), 1), (id("2"), 1)]);
    assert_eq!(story.raised(), [(Cause::ProjectCompleted, "proj_1".to_owned())]);
    assert_eq!((story.project.progress(), story.pieces()), (100, vec![]));
}

#[test]
fn a_renderer_that_fails_for_good_fails_the_scene() {
    let mut story = Story::started(&["1"], own());
    story.apply(Event::ClaimPiece);
    let failure = |claim| Event::PieceFailed { claim, error: "no glyphs".to_owned(), permanent: true };
    assert_eq!(story.ignored(failure(9)), Ignored::Stale);
    story.apply(failure(1));
    assert_eq!((story.status("1"), story.project.status()), (SceneStatus::Rejected, ProjectStatus::Failed));
    assert_eq!(story.ignored(failure(1)), Ignored::FinalProject);
}

#[test]
fn renderers_that_die_are_replaced_three_times() {
    let mut story = Story::started(&["1"], own());
    for _ in 0..3 {
        story.apply(Event::ClaimPiece);
        story.sweep();
    }
    assert_eq!(story.project.status(), ProjectStatus::Failed);
    assert_eq!(story.pieces(), []);
}

#[test]
fn files_of_services_are_copied_while_the_chain_goes_on() {
    let mut story = Story::started(&["1", "2"], videos_outside());
    let video = story.video_of("1");
    story.make(&video);
    let copy = ProjectPiece::Copy { scene: id("1"), attempt: 1 };
    let frame = ProjectPiece::LastFrame { scene: id("1"), attempt: 1 };
    assert_eq!(story.pieces(), [frame.clone(), copy.clone()], "the chain comes first");
    assert_eq!(story.draw(), frame);
    assert_eq!(story.status("2"), SceneStatus::Generating);
    story.apply(Event::Cancel);
    assert_eq!(story.draw(), copy, "a link expires, whatever becomes of the project");
    let take = story.project.scene(&id("1")).unwrap().take().unwrap();
    assert_eq!(take.video.file.key.as_deref(), Some("projects/proj_1/scenes/scene_1/1/video.mp4"));
    assert_eq!((story.project.status(), story.project.due_at), (ProjectStatus::Cancelled, None));
}

#[test]
fn a_file_that_cannot_be_copied_is_an_error_and_blocks_nothing() {
    let mut story = Story::started(&["1", "2"], videos_outside());
    let video = story.video_of("1");
    story.make(&video);
    story.draw();
    story.apply(Event::ClaimPiece);
    let claim = story.project.pieces.claims;
    story.apply(Event::PieceFailed { claim, error: "404".to_owned(), permanent: true });
    assert_eq!(story.raised(), [(Cause::CopyFailed, "proj_1/scene_1".to_owned())]);
    assert_eq!((story.project.status(), story.status("2")), (ProjectStatus::Generating, SceneStatus::Generating));
    story.run();
    assert_eq!(story.project.status(), ProjectStatus::Completed);
    let retry = Event::Retry { scene: Some(id("1")) };
    story.apply(retry.clone());
    assert_eq!(story.draw(), ProjectPiece::Copy { scene: id("1"), attempt: 1 });
    assert_eq!(story.resolved(), [(Cause::CopyFailed, "proj_1/scene_1".to_owned())]);
    assert_eq!((story.rejected(retry), story.rests()), (Rejected::NothingReady, true));
}

#[test]
fn the_copy_of_the_project_s_video_is_retried() {
    let mut story = Story::started(&["1", "2"], services());
    story.make_scene("1");
    story.make_scene("2");
    let stitch = story.stitches().remove(0);
    story.make(&stitch);
    let last = ProjectPiece::CopyFinal { generation: 1 };
    while story.pieces() != [last.clone()] {
        story.draw();
    }
    story.apply(Event::ClaimPiece);
    let claim = story.project.pieces.claims;
    story.apply(Event::PieceFailed { claim, error: "404".to_owned(), permanent: true });
    assert_eq!(story.raised(), [(Cause::CopyFailed, "proj_1".to_owned())]);
    story.apply(Event::Retry { scene: None });
    assert_eq!(story.draw(), last);
    assert_eq!(story.resolved(), [(Cause::CopyFailed, "proj_1".to_owned())]);
    assert_eq!(story.rejected(Event::Retry { scene: None }), Rejected::Ended);
}

#[test]
fn a_project_waits_for_a_person_where_a_scene_is_a_draft() {
    let mut draft = scene("2");
    draft.draft = true;
    let mut story = Story::new(vec![scene("1"), draft], own());
    story.apply(Event::Start);
    story.run();
    assert_eq!((story.project.status(), story.status("2")), (ProjectStatus::Generating, SceneStatus::Draft));
    let patch = ScenePatch { status: Some(SceneStatus::Ready), ..Default::default() };
    story.apply(Event::EditScene { scene: id("2"), patch: Box::new(patch) });
    story.run();
    assert_eq!(story.project.status(), ProjectStatus::Completed);
}

#[test]
fn a_running_project_shows_each_scene_that_changes() {
    let mut story = Story::started(&["1", "2"], services());
    let live = |story: &Story| {
        story.project.outbox.iter().find_map(|effect| match effect {
            Effect::Live { events, after } => Some((events.clone(), *after)),
            _ => None,
        })
    };
    let of = |number: &str| Live::Scene { id: id(number) };
    assert_eq!(live(&story), Some((vec![of("1"), Live::Project], 0)));
    let video = story.video_of("1");
    story.submit(&video);
    assert_eq!(live(&story), None, "whether the service has it is not shown");
    story.apply(callback(&video, TaskReport::UnderWay(50)));
    assert_eq!(live(&story), Some((vec![of("1"), Live::Project], 2)));
    assert_eq!(story.ignored(callback(&video, TaskReport::UnderWay(40))), Ignored::Repeated, "progress never falls");
}

#[test]
fn a_backend_of_our_own_needs_no_slot() {
    let mut policy = services();
    policy.video.backend = Backend::Own;
    let story = Story::started(&["1"], policy);
    assert!(!story.project.waits_for_slot());
    assert_eq!(story.project.phase, Phase::Running);
    assert_eq!(story.project.tasks().filter(|(task, _)| task.stage() == Stage::Video).count(), 1);
}
