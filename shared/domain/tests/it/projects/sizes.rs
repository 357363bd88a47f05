//! Projects of one scene and of two hundred: they end, and no outbox exceeds its limit.

use reelhook_domain::errors::cause::Cause;
use reelhook_domain::projects::decide::create;
use reelhook_domain::projects::event::{Event, NewScene, ScenePatch, TaskOutput, TaskReport};
use reelhook_domain::projects::reasons::Rejected;
use reelhook_domain::projects::scene::Take;
use reelhook_domain::projects::task::TaskRef;
use reelhook_domain::*;

use super::story::*;

/// As many scenes, with the longest ids.
fn scenes(count: usize, depends: bool) -> Vec<NewScene> {
    let long = |number: usize| {
        let mut new = if depends { scene(&number.to_string()) } else { free(&number.to_string()) };
        new.id = SceneId::parse(&format!("{number:0>80}")).unwrap();
        new
    };
    (1..=count).map(long).collect()
}

#[track_caller]
fn outbox_fits(project: &Project) {
    let bytes = serde_json::to_string(&project.outbox).unwrap().len();
    assert!(bytes <= 32 * 1024, "{bytes} bytes");
}

#[test]
fn projects_of_any_size_end() {
    for count in [1, 2, 12, 200] {
        for policy in [own(), services(), videos_outside()] {
            let mut story = Story::new(scenes(count, true), policy);
            story.apply(Event::Start);
            story.run();
            assert_eq!(story.project.status(), ProjectStatus::Completed, "{count}");
            let takes = &story.project.video.as_ref().unwrap().takes;
            assert!(takes.iter().map(|(scene, _)| scene).eq(story.project.scenes.iter().map(|scene| &scene.id)));
            assert!(story.project.scenes.iter().all(|scene| scene.attempt == 1));
        }
    }
}

/// Two hundred videos under way at once.
fn crowd() -> Story {
    let mut story = Story::new(scenes(200, false), services());
    outbox_fits(&story.project);
    story.apply(Event::Start);
    outbox_fits(&story.project);
    while let Some(task) = story.project.next_video(story.now, &story.policy) {
        let id = RenderId::parse(&format!("{:0>128}", story.accepted)).unwrap();
        story.accepted += 1;
        story.apply(Event::ClaimTask(task.clone()));
        story.apply(Event::Submitted { task, id, status_url: None });
    }
    assert_eq!(story.project.slots().count(), 200);
    story
}

#[test]
fn status_urls_for_which_a_project_has_no_room_are_not_kept() {
    let mut story = Story::new(scenes(200, false), services());
    story.apply(Event::Start);
    while let Some(task) = story.project.next_video(story.now, &story.policy) {
        story.accepted += 1;
        let id = render(&format!("task-{}", story.accepted));
        let status_url = WebUrl::parse(&format!("https://tasks.example/{:0>1002}", story.accepted));
        story.apply(Event::ClaimTask(task.clone()));
        story.apply(Event::Submitted { task, id, status_url });
    }
    assert_eq!(story.project.slots().count(), 200, "each task is submitted");
    let kept = story.project.tasks().filter_map(|(_, task)| task.status_url().map(|url| url.as_written().len()));
    assert_eq!(kept.collect::<Vec<_>>(), [1024; 16]);
}

#[test]
fn a_cancellation_of_two_hundred_tasks_ends_in_steps() {
    for last in [Event::Cancel, Event::Delete] {
        let mut story = crowd();
        let mut freed = 0;
        story.apply(last);
        loop {
            outbox_fits(&story.project);
            freed += story.freed().len();
            if story.project.due_at.is_none() {
                break;
            }
            story.apply(Event::Tick);
        }
        assert_eq!((freed, story.project.tasks().count()), (200, 0));
    }
}

#[test]
fn a_deletion_goes_on_with_what_a_cancellation_left() {
    let mut story = crowd();
    let mut freed = 0;
    for event in [Event::Cancel, Event::Delete] {
        story.apply(event);
        outbox_fits(&story.project);
        assert!(!story.freed().is_empty() && story.project.due_at.is_some());
        freed += story.freed().len();
    }
    while story.project.due_at.is_some() {
        story.apply(Event::Tick);
        outbox_fits(&story.project);
        freed += story.freed().len();
    }
    assert_eq!((freed, story.project.tasks().count()), (200, 0));
}

#[test]
fn two_hundred_deadlines_at_once_end_in_steps() {
    let mut story = crowd();
    story.policy.video.attempts = 1;
    let mut freed = 0;
    while story.project.due_at.is_some() {
        story.sweep();
        outbox_fits(&story.project);
        freed += story.freed().len();
    }
    assert_eq!((freed, story.project.status()), (200, ProjectStatus::Failed));
    story.apply(Event::Start);
    outbox_fits(&story.project);
    story.apply(Event::Delete);
    outbox_fits(&story.project);
}

#[test]
fn a_hundred_scenes_added_at_once_fit_in_an_outbox() {
    let mut story = Story::new(scenes(100, false), own());
    let more = scenes(200, false).split_off(100);
    story.apply(Event::AddScenes(more));
    outbox_fits(&story.project);
    assert_eq!(story.project.scenes.len(), 200);
}

/// A scene with notes of so many bytes.
fn noted(number: usize, bytes: usize) -> NewScene {
    let mut new = free(&number.to_string());
    new.notes = "n".repeat(bytes);
    new
}

#[test]
fn what_clients_say_fits_into_the_item() {
    let large = |notes: usize| (1..=200).map(|number| noted(number, notes)).collect::<Vec<_>>();
    assert_eq!(create(new_project(large(2000)), START, &own()).unwrap_err(), Rejected::TooLarge);
    let mut control = large(200);
    control.iter_mut().for_each(|new| new.notes = "\u{1}".repeat(200));
    assert_eq!(create(new_project(control), START, &own()).unwrap_err(), Rejected::TooLarge, "six bytes each");
    let mut story = Story::new(large(900), own());
    let edit = |number: usize, bytes: usize| Event::EditScene {
        scene: id(&number.to_string()),
        patch: Box::new(ScenePatch { notes: Some("n".repeat(bytes)), ..ScenePatch::default() }),
    };
    let refused = (1..=20).find(|number| match story.decide(&edit(*number, 2000)) {
        Decision::Apply(project) => {
            story.project = *project;
            false
        }
        other => other == Decision::Reject(Rejected::TooLarge),
    });
    let refused = refused.expect("the project is full after some of these");
    story.apply(edit(1, 0));
    story.apply(edit(refused, 2000));
}

#[test]
fn signed_urls_of_copied_files_are_forgotten() {
    let mut story = Story::started(&["1", "2"], services());
    story.run();
    for _ in 2..=3 {
        story.apply(Event::Generate { scenes: vec![id("1")], cascade: true });
        story.run();
    }
    for scene in &story.project.scenes {
        assert_eq!(scene.takes.len(), 3);
        assert!(scene.takes.iter().all(|take| take.video.file.key.is_some() && take.video.file.source.is_none()));
        let (newest, older) = scene.takes.split_last().unwrap();
        for take in older {
            let mut frames = [take.first_frame.as_ref(), take.last_frame.as_ref()].into_iter().flatten();
            assert!(frames.all(|frame| frame.key.is_some() && frame.source.is_none()), "{take:?}");
        }
        let last = newest.last_frame.as_ref().unwrap();
        assert!(last.key.is_some() && last.source.is_some(), "clients may send it back as they saw it");
    }
    let first = story.project.scenes[1].takes[2].first_frame.as_ref().unwrap();
    assert_eq!(first.key, story.project.scenes[0].takes[2].last_frame.as_ref().unwrap().key);
}

/// A last frame at a URL of almost two kilobytes that no other file has.
fn framed(task: &TaskRef) -> Event {
    let frame = outside(&format!("{task}/{}", "x".repeat(1800)));
    callback(task, TaskReport::Completed(Box::new(TaskOutput::Frame(frame))))
}

#[test]
fn a_service_that_fills_a_project_with_urls_fails_it_with_a_sentence() {
    let mut story = Story::new(scenes(200, true), services());
    story.apply(Event::Start);
    while story.project.status() == ProjectStatus::Generating {
        let task = story.project.next_video(story.now, &story.policy).unwrap();
        story.make(&task);
        let (frame, _) = story.project.tasks().next().unwrap();
        story.submit(&frame);
        story.apply(framed(&frame));
    }
    assert_eq!(story.project.status(), ProjectStatus::Failed);
    let (cause, _) = &story.raised()[0];
    assert_eq!(*cause, Cause::FrameFailed);
    let urls = story.project.scenes.iter().flat_map(|scene| &scene.takes).flat_map(|take| {
        [Some(&take.video.file), take.first_frame.as_ref(), take.last_frame.as_ref()].into_iter().flatten()
    });
    let bytes: usize = urls.filter_map(|file| file.source.as_ref()).map(|url| url.as_written().len()).sum();
    assert!((100_000..=128 * 1024).contains(&bytes), "{bytes}");
}

#[test]
fn the_ids_of_tasks_count_with_the_urls() {
    let mut story = Story::started(&["1"], services());
    story.run();
    let again = || Event::Generate { scenes: vec![id("1")], cascade: true };
    let long = |takes: usize| {
        let mut story = story.clone();
        let take = Take { task_id: Some("t".repeat(128)), ..story.project.scenes[0].takes[0].clone() };
        story.project.scenes[0].takes = vec![take; takes];
        story
    };
    assert_eq!(long(1024).rejected(again()), Rejected::TooLarge);
    let mut full = long(1023);
    full.apply(again());
    let video = full.video_of("1");
    full.submit(&video);
    full.apply(completed(&video));
    let failed = (Cause::VideoFailed, "proj_1/scene_1".to_owned());
    assert_eq!(full.raised(), [failed], "the id of the task takes the room of its URL");
}

#[test]
fn copies_make_room_for_further_urls() {
    let mut story = Story::new(scenes(200, true), services());
    story.apply(Event::Start);
    while story.project.verified_takes().is_none() {
        let task = story.project.next_video(story.now, &story.policy).unwrap();
        story.make(&task);
        let (frame, _) = story.project.tasks().next().unwrap();
        story.submit(&frame);
        story.apply(framed(&frame));
        while !story.project.pieces.list.is_empty() {
            story.draw();
        }
    }
    assert_eq!(story.project.status(), ProjectStatus::Stitching);
}

#[test]
fn takes_have_a_limit() {
    let mut story = Story::started(&["1"], services());
    story.run();
    let again = || Event::Generate { scenes: vec![id("1")], cascade: true };
    let take = story.project.scenes[0].takes[0].clone();
    story.project.scenes[0].takes.resize(2000, take);
    assert_eq!(story.rejected(again()), Rejected::TooLarge);
    story.project.scenes[0].takes.pop();
    story.apply(again());
}
