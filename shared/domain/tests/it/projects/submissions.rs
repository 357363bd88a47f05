//! Submissions: paid once at most, whatever becomes of their answers; polls, deadlines, hints and slots.

use std::time::Duration;

use reelhook_domain::errors::cause::Cause;
use reelhook_domain::projects::event::{Event, ProjectPatch, ScenePatch, TaskReport};
use reelhook_domain::projects::policy::Backend;
use reelhook_domain::projects::project::ProjectPiece;
use reelhook_domain::projects::reasons::{Ignored, Rejected};
use reelhook_domain::projects::scene::SceneStatus;
use reelhook_domain::projects::task::{Stage, TaskRef, TaskState, TaskWork};
use reelhook_domain::*;

use super::story::*;

fn without_list() -> ProjectPolicy {
    let mut policy = services();
    policy.video.backend = Backend::Service { has_list: false, max_inputs: 0 };
    policy
}

fn looked_up(story: &Story, found: Option<&str>, answered: bool) -> Event {
    Event::LookedUp { task: story.video_of("1"), found: found.map(render), answered }
}

fn refused(story: &Story, wait: Option<u64>, permanent: bool) -> Event {
    let wait = wait.map(Duration::from_secs);
    Event::SubmissionRefused { task: story.video_of("1"), error: "busy".to_owned(), wait, permanent }
}

/// A video was claimed, and the answer to its submission was lost.
fn lost(policy: ProjectPolicy) -> Story {
    let mut story = Story::started(&["1"], policy);
    let task = story.video_of("1");
    story.apply(Event::ClaimTask(task.clone()));
    story.apply(Event::SubmissionLost { task });
    story
}

#[test]
fn a_waiting_video_gets_a_slot_and_is_submitted_once() {
    let mut story = Story::started(&["1", "2"], services());
    assert_eq!(story.effects(), [ProjectEffect::StartScenes { delay_s: 0 }]);
    assert_eq!(story.project.waits_for_slot_since(), Some(START));
    let task = story.project.next_video(story.now, &story.policy).unwrap();
    assert_eq!((&task, story.project.slot(&task)), (&story.video_of("1"), None));
    assert_eq!(story.project.work(story.now, &story.policy), []);
    story.wait(7).apply(Event::ClaimTask(task.clone()));
    assert_eq!((story.project.served_at, story.project.waits_for_slot()), (story.now, false));
    assert_eq!(story.project.slot(&task).as_deref(), Some("proj_1.video.1.1.scene_1.1"));
    assert_eq!(story.ignored(Event::ClaimTask(task.clone())), Ignored::NothingToDo);
    story.apply(Event::Submitted { task: task.clone(), id: render("r1"), status_url: None });
    let index =
        ProjectEffect::IndexTask { stage: Stage::Video, id: render("r1"), task: "video.1.1.scene_1".to_owned() };
    assert_eq!(story.effects(), [index, ProjectEffect::Tasks { delay_s: 3 }]);
    assert_eq!(story.project.task_ref_by_id(Stage::Video, &render("r1")), Some(task.clone()));
    assert_eq!(story.project.task_ref_by_id(Stage::Frame, &render("r1")), None);
    assert_eq!(story.ignored(Event::Submitted { task, id: render("r2"), status_url: None }), Ignored::Repeated);
}

#[test]
fn a_lost_answer_is_looked_up_and_found() {
    let mut story = lost(services());
    story.wait(3);
    assert_eq!(story.project.work(story.now, &story.policy), [TaskWork::LookUp(story.video_of("1"))]);
    story.apply(looked_up(&story, None, false));
    story.apply(looked_up(&story, None, true));
    story.apply(looked_up(&story, Some("r1"), true));
    assert_eq!(story.project.task_ref_by_id(Stage::Video, &render("r1")), Some(story.video_of("1")));
    assert_eq!(story.project.spent, 500_000);
    assert_eq!(story.ignored(looked_up(&story, None, true)), Ignored::Repeated);
}

#[test]
fn what_was_never_there_is_sent_again_under_the_same_number_and_charged_once() {
    let mut story = lost(services());
    let task = story.video_of("1");
    for wait in [3, 21, 41] {
        story.wait(wait);
        story.apply(looked_up(&story, None, true));
    }
    assert_eq!(story.freed(), ["proj_1.video.1.1.scene_1.1"]);
    assert_eq!(story.project.next_video(story.now, &story.policy), Some(task.clone()));
    story.submit(&task);
    assert_eq!(story.project.slot(&task).as_deref(), Some("proj_1.video.1.1.scene_1.2"), "a slot of its own");
    assert_eq!((story.project.spent, story.attempt("1")), (500_000, 1));
}

#[test]
fn look_ups_take_the_lease_of_a_submission_so_that_a_task_that_is_listed_late_is_not_paid_twice() {
    let mut story = lost(services());
    let (task, lost_at) = (story.video_of("1"), story.now);
    let mut looked = Vec::new();
    while let TaskState::Unclear { next_at: Some(next_at), .. } = story.project.task(&task).unwrap().state {
        // A second launcher reads the list at the same time.
        story.now = next_at;
        looked.push(next_at.since(lost_at).as_secs());
        story.apply(looked_up(&story, None, true));
        if let Decision::Apply(project) = story.decide(&looked_up(&story, None, true)) {
            story.project = *project;
        }
    }
    assert_eq!(looked, [3, 23, 63]);

    let mut late = lost(services());
    for seconds in [0, 1, 1] {
        late.wait(seconds);
        late.apply(looked_up(&late, None, true));
    }
    let state = late.project.task(&task).unwrap().state.clone();
    assert!(matches!(state, TaskState::Unclear { lookups: 0, .. }), "early look-ups count for nothing: {state:?}");
}

#[test]
fn the_waits_between_look_ups_make_up_the_lease_whatever_their_number() {
    for lookups in 1..8 {
        let policy = ProjectPolicy { lookups, ..ProjectPolicy::default() };
        let waits: Duration = (0..lookups).map(|made| policy.lookup_wait(made)).sum();
        assert!(waits >= policy.submit_lease, "{lookups} look-ups take {waits:?}");
    }
}

#[test]
fn a_late_answer_of_a_task_that_waits_again_is_taken() {
    let mut story = lost(services());
    let task = story.video_of("1");
    for wait in [3, 21, 41] {
        story.wait(wait);
        story.apply(looked_up(&story, None, true));
    }
    story.apply(Event::Submitted { task: task.clone(), id: render("r1"), status_url: None });
    assert_eq!(story.project.next_video(story.now, &story.policy), None, "the service has it: no second bill");
    story.apply(completed(&task));
    assert_eq!(story.status("1"), SceneStatus::Generated);
}

#[test]
fn a_service_without_a_list_ends_as_unclear_and_never_with_a_second_bill() {
    let mut story = lost(without_list());
    assert_eq!(story.project.work(story.now.after(Duration::from_secs(900)), &story.policy), []);
    story.wait(1800).apply(Event::Tick);
    assert_eq!(story.raised(), [(Cause::SubmissionUnclear, "proj_1/scene_1".to_owned())]);
    assert_eq!((story.status("1"), story.project.status()), (SceneStatus::Rejected, ProjectStatus::Failed));
    assert_eq!((story.attempt("1"), story.project.spent), (1, 500_000));

    story.apply(Event::Retry { scene: Some(id("1")) });
    let task = story.video_of("1");
    story.make(&task);
    assert_eq!((task.run, story.project.spent), (2, 1_000_000), "a person accepted the second bill");
    assert!(story.resolved().contains(&(Cause::SubmissionUnclear, "proj_1/scene_1".to_owned())));
}

#[test]
fn a_late_video_of_an_unclear_submission_is_kept_and_used_instead_of_another_one() {
    let mut story = lost(without_list());
    let task = story.video_of("1");
    story.wait(1800).apply(Event::Tick);
    assert!(!story.project.is_unwanted(&task, &render("r1")), "it may be paid for");
    story.apply(Event::Reported {
        task: task.clone(),
        id: Some(render("r1")),
        report: done(&task),
        polled: false,
        early: None,
    });
    assert_eq!((story.status("1"), story.project.status()), (SceneStatus::Rejected, ProjectStatus::Failed));
    assert_eq!((story.notified(), story.resolved()), (vec![], vec![]), "only a command continues the project");
    assert_eq!(story.pieces(), [ProjectPiece::Copy { scene: id("1"), attempt: 1 }]);
    assert_eq!(story.project.scene(&id("1")).unwrap().take().unwrap().task_id.as_deref(), Some("r1"));
    assert_eq!(story.ignored(completed(&task)), Ignored::FinalProject, "one video of an attempt counts");

    let choice = ScenePatch { take: Some(1), ..ScenePatch::default() };
    let choose = Event::EditScene { scene: id("1"), patch: Box::new(choice) };
    let retry = Event::Retry { scene: Some(id("1")) };
    for commands in [vec![Event::Start], vec![retry], vec![Event::Retry { scene: None }], vec![choose, Event::Start]] {
        let (mut story, mut resolved) = (story.clone(), Vec::new());
        for command in commands {
            story.apply(command);
            resolved.extend(story.resolved());
        }
        assert!(resolved.contains(&(Cause::SubmissionUnclear, "proj_1/scene_1".to_owned())), "{resolved:?}");
        assert_eq!(story.status("1"), SceneStatus::Generated);
        let frame = story.frame_of("1");
        story.make(&frame);
        assert_eq!((story.project.status(), story.attempt("1")), (ProjectStatus::Completed, 1));
        assert_eq!(story.project.spent, 500_000, "there is no second bill");
    }
}

#[test]
fn a_running_project_goes_on_with_a_late_video() {
    let mut story = Story::new(vec![free("1"), free("2")], without_list());
    story.apply(Event::Start);
    let first = story.video_of("1");
    story.apply(Event::ClaimTask(first.clone()));
    story.apply(Event::SubmissionLost { task: first.clone() });
    let second = story.wait(100).video_of("2");
    story.submit(&second);
    story.wait(1700).apply(Event::Tick);
    assert_eq!((story.status("1"), story.project.status()), (SceneStatus::Rejected, ProjectStatus::Generating));
    story.apply(completed(&first));
    assert_eq!((story.status("1"), story.notified()), (SceneStatus::Generated, vec![OutboundEvent::SceneGenerated]));
    assert!(story.resolved().contains(&(Cause::SubmissionUnclear, "proj_1/scene_1".to_owned())));
    assert_eq!(story.ignored(completed(&first)), Ignored::Repeated);
    let frame = story.frame_of("1");
    story.make(&frame);
    assert_eq!((story.status("1"), story.attempt("1")), (SceneStatus::Verified, 1));
}

#[test]
fn a_callback_ends_a_task_whose_answer_was_lost() {
    let mut story = lost(without_list());
    let task = story.video_of("1");
    let report =
        Event::Reported { task, id: Some(render("r1")), report: TaskReport::UnderWay(5), polled: false, early: None };
    story.apply(report.clone());
    assert_eq!(story.project.task_ref_by_id(Stage::Video, &render("r1")), Some(story.video_of("1")));
    assert_eq!(story.ignored(report), Ignored::Repeated);
    let other = Event::Reported {
        task: story.video_of("1"),
        id: Some(render("r2")),
        report: TaskReport::Failed("no".to_owned()),
        polled: false,
        early: None,
    };
    assert_eq!(story.ignored(other), Ignored::Stale, "the id is of another task");
    story.apply(completed(&story.video_of("1")));
    assert_eq!(story.status("1"), SceneStatus::Generated);
}

#[test]
fn an_early_callback_resolves_the_error_about_it_once_it_is_applied() {
    let mut story = lost(services());
    let early = Event::Reported {
        task: story.video_of("1"),
        id: Some(render("r1")),
        report: TaskReport::UnderWay(5),
        polled: false,
        early: Some("scene_1".to_owned()),
    };
    story.apply(early.clone());
    assert_eq!(story.resolved(), [(Cause::UnknownScene, "scene_1".to_owned())]);
    assert_eq!(story.ignored(early), Ignored::Repeated);
}

#[test]
fn what_a_service_makes_is_unwanted_once_nobody_waits_for_it() {
    let mut story = Story::started(&["1", "2"], services());
    let task = story.video_of("1");
    assert!(!story.project.is_unwanted(&task, &render("r1")));
    let id = story.submit(&task);
    assert!(!story.project.is_unwanted(&task, &id));
    assert!(story.project.is_unwanted(&task, &render("other")), "it was submitted twice");
    let mut stopped = story.clone();
    stopped.apply(Event::Cancel);
    assert!(stopped.project.is_unwanted(&task, &id));
    story.apply(failed(&task));
    assert!(story.project.is_unwanted(&task, &id));
    let again = story.video_of("1");
    assert!(!story.project.is_unwanted(&again, &render("r2")));
    story.wait(5).make(&again);
    story.apply(Event::Delete);
    assert!(!story.project.is_unwanted(&again, &render("r2")), "it has made a take");
}

#[test]
fn a_person_may_retry_what_is_unclear() {
    let mut story = lost(without_list());
    story.apply(Event::Retry { scene: Some(id("1")) });
    assert_eq!((story.attempt("1"), story.status("1")), (2, SceneStatus::Generating));
    assert_eq!(story.freed(), ["proj_1.video.1.1.scene_1.1"]);
    assert_eq!(story.rejected(Event::Retry { scene: Some(id("1")) }), Rejected::SceneBusy(id("1")));
}

#[test]
fn a_refusal_waits_as_long_as_the_service_asks_and_frees_the_slot() {
    let mut story = Story::started(&["1"], services());
    let task = story.video_of("1");
    story.apply(Event::ClaimTask(task.clone()));
    story.apply(refused(&story, Some(40), false));
    assert_eq!(story.freed(), ["proj_1.video.1.1.scene_1.1"]);
    assert!(story.effects().contains(&ProjectEffect::StartScenes { delay_s: 40 }));
    assert_eq!(story.project.waits_for_slot_since(), Some(story.now.after(Duration::from_secs(40))));
    assert_eq!(story.wait(39).ignored(Event::ClaimTask(task.clone())), Ignored::NothingToDo);
    story.wait(1).apply(Event::ClaimTask(task.clone()));
    assert_eq!(story.project.spent, 500_000, "charged once");
    story.apply(refused(&story, None, false));
    assert_eq!(story.freed(), ["proj_1.video.1.1.scene_1.2"], "each claim has a slot of its own");
    let TaskState::Waiting { ready_at } = story.project.task(&task).unwrap().state else { panic!("it waits") };
    assert_eq!(ready_at, story.now.after(Duration::from_secs(40)), "as long again as all waits so far");
    story.now = START.after(Duration::from_secs(1800));
    story.apply(Event::Tick);
    assert_eq!(story.project.spent, 0, "the service never had it");
    assert_eq!((story.attempt("1"), story.raised()[0].0), (2, Cause::VideoFailed));
}

#[test]
fn what_is_always_refused_is_not_paid_and_fails_the_project() {
    let mut story = Story::started(&["1"], services());
    story.apply(Event::ClaimTask(story.video_of("1")));
    story.apply(refused(&story, None, true));
    assert_eq!((story.project.status(), story.project.spent), (ProjectStatus::Failed, 0));
}

#[test]
fn a_launcher_that_dies_leaves_a_lost_answer() {
    let mut story = Story::started(&["1"], services());
    story.apply(Event::ClaimTask(story.video_of("1")));
    assert_eq!(story.project.due_at, Some(story.now.after(Duration::from_secs(60))));
    story.sweep();
    let state = story.project.task(&story.video_of("1")).unwrap().state.clone();
    assert!(matches!(state, TaskState::Unclear { lookups: 0, next_at: Some(_) }), "{state:?}");
}

#[test]
fn the_status_url_of_an_answer_is_kept_also_if_a_callback_was_faster() {
    let named = "https://tasks.example/state/r1?key=a";
    let answer = |task: &TaskRef, id: &str, url: Option<&str>| Event::Submitted {
        task: task.clone(),
        id: render(id),
        status_url: url.and_then(WebUrl::parse),
    };
    let mut story = Story::started(&["1"], services());
    let task = story.video_of("1");
    let kept = |story: &Story| {
        let task = story.project.task(&story.video_of("1")).unwrap();
        task.status_url().map(|url| url.as_written().to_owned())
    };
    story.apply(Event::ClaimTask(task.clone()));
    let report = TaskReport::UnderWay(5);
    story.apply(Event::Reported { task: task.clone(), id: Some(render("r1")), report, polled: false, early: None });
    for late in [answer(&task, "r1", None), answer(&task, "r2", Some(named))] {
        assert_eq!(story.ignored(late), Ignored::Repeated);
        assert_eq!(kept(&story), None);
    }
    story.apply(answer(&task, "r1", Some(named)));
    assert_eq!(kept(&story).as_deref(), Some(named));
    let other = answer(&task, "r1", Some("https://tasks.example/other"));
    assert_eq!(story.ignored(other), Ignored::Repeated, "the first answer counts");
    story.apply(callback(&task, TaskReport::UnderWay(50)));
    assert_eq!(kept(&story).as_deref(), Some(named), "reports leave it");
}

#[test]
fn polls_become_rarer_and_the_deadline_ends_what_never_ends() {
    let mut story = Story::started(&["1"], services());
    let task = story.video_of("1");
    let id = story.submit(&task);
    let mut waits = Vec::new();
    for _ in 0..9 {
        assert_eq!(story.project.work(story.now, &story.policy), []);
        let waited = story.now;
        let mut at = story.now;
        while story.project.work(at, &story.policy).is_empty() {
            at = at.after(Duration::from_millis(500));
        }
        story.now = at;
        waits.push(at.since(waited).as_secs());
        assert_eq!(story.project.work(at, &story.policy), [TaskWork::Poll(task.clone(), id.clone())]);
        story.apply(poll(&task, TaskReport::Unknown));
    }
    assert_eq!(waits, [3, 4, 7, 10, 15, 23, 34, 51, 60]);
    story.now = START.after(Duration::from_secs(1800));
    story.apply(Event::Tick);
    assert!(story.effects().contains(&ProjectEffect::CancelTask { stage: Stage::Video, id }));
    assert_eq!((story.attempt("1"), story.project.spent), (2, 500_000));
}

#[test]
fn an_unusable_callback_makes_the_next_poll_early() {
    let mut story = Story::started(&["1"], services());
    let task = story.video_of("1");
    let id = story.submit(&task);
    story.wait(10).apply(poll(&task, TaskReport::UnderWay(10)));
    story.apply(callback(&task, TaskReport::Unusable));
    assert_eq!(story.hints(), [0]);
    assert_eq!(story.project.work(story.now, &story.policy), [TaskWork::Poll(task.clone(), id)]);
    assert_eq!(story.ignored(callback(&task, TaskReport::Unusable)), Ignored::Repeated);
    assert_eq!(story.ignored(callback(&task, TaskReport::Unknown)), Ignored::Repeated);
}

#[test]
fn a_lost_hint_is_sent_again() {
    let mut story = Story::started(&["1"], services());
    let task = story.video_of("1");
    story.submit(&task);
    let hinted = story.project.hinted_at.unwrap();
    assert_eq!(
        (hinted, story.project.due_at),
        (story.now.after(Duration::from_secs(3)), Some(hinted.after(Duration::from_secs(60))))
    );
    story.sweep();
    assert_eq!(story.hints(), [0]);
}

#[test]
fn a_budget_refuses_the_command_that_would_exceed_it() {
    let budget = |budget| Event::Edit(ProjectPatch { budget: Some(budget), ..ProjectPatch::default() });
    let mut story = Story::of(&["1", "2", "3"], services());
    story.apply(budget(Some(1_200_000)));
    assert_eq!(story.rejected(Event::Start), Rejected::OverBudget { cost: 1_500_000, left: 1_200_000 });
    story.apply(budget(Some(1_500_000)));
    story.apply(Event::Start);
    let add = Event::AddScenes(vec![scene("4")]);
    assert_eq!(story.rejected(add.clone()), Rejected::OverBudget { cost: 2_000_000, left: 1_500_000 });
    story.make_scene("1");
    assert_eq!(story.rejected(add), Rejected::OverBudget { cost: 1_500_000, left: 1_000_000 });
    story.apply(budget(None));
    story.apply(Event::AddScenes(vec![scene("4")]));
}

#[test]
fn a_retry_over_the_budget_fails_the_project_with_a_sentence() {
    let budget = |budget| Event::Edit(ProjectPatch { budget: Some(Some(budget)), ..ProjectPatch::default() });
    let mut story = Story::of(&["1", "2"], services());
    story.apply(budget(1_000_000));
    story.apply(Event::Start);
    let video = story.video_of("1");
    story.submit(&video);
    story.apply(failed(&video));
    story.wait(10).make_scene("1");
    assert_eq!(story.raised(), [(Cause::NextSceneBlocked, "proj_1".to_owned())]);
    let sentence = "The next scene, scene `2`, was not started: it would cost $0.50, and $0.00 of the budget is left";
    assert_eq!((story.project.error(), story.project.spent), (Some(sentence), 1_000_000));
    assert_eq!(story.rejected(Event::Start), Rejected::OverBudget { cost: 500_000, left: 0 });
    story.apply(budget(1_500_000));
    story.apply(Event::Start);
    assert_eq!(story.resolved(), [(Cause::NextSceneBlocked, "proj_1".to_owned())]);
    assert_eq!(story.status("2"), SceneStatus::Generating);
}

#[test]
fn a_waiting_video_is_taken_back_when_the_budget_falls() {
    let mut story = Story::of(&["1"], services());
    story.apply(Event::Start);
    story.apply(Event::Edit(ProjectPatch { budget: Some(Some(1)), ..ProjectPatch::default() }));
    assert_eq!((story.status("1"), story.project.status()), (SceneStatus::Ready, ProjectStatus::Failed));
    assert_eq!(story.project.spent, 0);
}

#[test]
fn a_report_means_the_submission_with_its_id_or_the_only_one_whose_id_is_not_known() {
    let mut story = Story::started(&["1"], services());
    let (task, scene) = (story.video_of("1"), id("1"));
    let open = |story: &Story, stage: Stage, reported: Option<&str>| {
        story.project.open_submission(stage, Some(&scene), reported.map(render).as_ref())
    };
    assert_eq!(open(&story, Stage::Video, None), None, "it has not been submitted");
    story.apply(Event::ClaimTask(task.clone()));
    for reported in [None, Some("r1")] {
        assert_eq!(open(&story, Stage::Video, reported), Some(task.clone()), "its id is not known yet");
    }
    story.apply(Event::Submitted { task: task.clone(), id: render("r1"), status_url: None });
    for reported in [None, Some("r1")] {
        assert_eq!(open(&story, Stage::Video, reported), Some(task.clone()));
    }
    assert_eq!(open(&story, Stage::Video, Some("r2")), None, "another submission");
    assert_eq!(open(&story, Stage::Frame, None), None);
    let of = |scene: Option<&SceneId>| story.project.open_submission(Stage::Video, scene, Some(&render("r1")));
    assert_eq!((of(None), of(Some(&id("2")))), (None, None), "another scene");
}

#[test]
fn an_id_that_is_not_known_may_be_of_an_earlier_submission_if_there_was_one() {
    let mut story = Story::started(&["1"], services());
    let first = story.video_of("1");
    story.apply(Event::ClaimTask(first.clone()));
    let (known, second) = (render("r1"), TaskRef { run: 2, ..first.clone() });
    let mut later = story.project.clone();
    later.scenes[0].attempt = 2;
    assert!(later.may_be_of_earlier(&second, Some(&known)));
    assert!(!later.may_be_of_earlier(&second, None), "there is no id");
    assert!(!story.project.may_be_of_earlier(&first, Some(&known)), "it is the first one");
    assert!(!story.project.may_be_of_earlier(&second, Some(&known)), "it is not under way");
    story.apply(Event::Submitted { task: first, id: known.clone(), status_url: None });
    let mut submitted = story.project.clone();
    submitted.scenes[0].attempt = 2;
    assert!(!submitted.may_be_of_earlier(&second, Some(&known)), "its own id is known");
}

#[test]
fn a_list_shows_projects_without_what_takes_most_of_their_memory() {
    let mut story = Story::started(&["1"], services());
    story.make_scene("1");
    let whole = story.project.clone();
    let short = whole.clone().abridged();
    assert!(short.emitted.is_empty() && short.outbox.is_empty());
    assert_eq!(short.scenes[0].takes, whole.scenes[0].take().cloned().into_iter().collect::<Vec<_>>());
    assert_eq!((short.status(), short.scenes.len()), (whole.status(), whole.scenes.len()));
    assert!(short.scenes[0].notes.is_empty());
}
