//! Every state of a project x every event, a snapshot for each state, reviewed line by line against
//! docs/contract/scenes.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use reelhook_domain::projects::event::{Event, PieceOutput, ProjectPatch, ScenePatch, TaskReport};
use reelhook_domain::projects::policy::Backend;
use reelhook_domain::projects::scene::SceneStatus;
use reelhook_domain::projects::task::{Target, TaskRef};
use reelhook_domain::*;

use super::story::*;

/// Lists the names of all variants, and finds the name of a value. A new variant does not compile until it is added.
macro_rules! events {
    ($($variant:ident)*) => {
        const EVENTS: &[&str] = &[$(stringify!($variant)),*];

        fn event_name(event: &Event) -> &'static str {
            match event {
                $(Event::$variant { .. } => stringify!($variant),)*
            }
        }
    };
}

events!(
    Start Cancel Stitch Delete Generate Retry Edit AddScenes EditScene RemoveScene
    ClaimTask Submitted SubmissionRefused SubmissionLost LookedUp Reported
    ClaimPiece PieceProgressed PieceDone PieceFailed Tick
);

/// A story after these events.
fn after(mut story: Story, events: impl IntoIterator<Item = Event>) -> Story {
    for event in events {
        story.apply(event);
    }
    story
}

/// Two scenes in a chain, of which the first is in this state; services generate, our renderers do the rest.
fn states() -> Vec<(&'static str, Story)> {
    let started = || Story::started(&["1", "2"], videos_outside());
    let video = TaskRef { target: Target::Video(id("1")), run: 1, number: 1 };
    let claimed = || after(started(), [Event::ClaimTask(video.clone())]);
    let lost = || after(claimed(), [Event::SubmissionLost { task: video.clone() }]);
    let submitted =
        || after(claimed(), [Event::Submitted { task: video.clone(), id: render("video-1"), status_url: None }]);
    let generated = || after(submitted(), [completed(&video)]);
    let mut unlisted = lost();
    unlisted.policy.video.backend = Backend::Service { has_list: false, max_inputs: 0 };
    let mut stitched_outside = Story::started(&["1", "2"], services());
    stitched_outside.make_scene("1");
    stitched_outside.make_scene("2");
    let mut failing = submitted();
    failing.policy.video.attempts = 1;
    let mut finished = Story::started(&["1", "2"], own());
    finished.run();
    let mut states = vec![
        ("a draft", Story::of(&["1", "2"], videos_outside())),
        ("waiting for a slot", started()),
        ("claimed", claimed()),
        ("its answer was lost", lost()),
        ("its answer was lost and there is no list", unlisted),
        ("submitted", submitted()),
        ("generated with a piece for its frame", generated()),
        ("generated with a claimed piece", after(generated(), [Event::ClaimPiece])),
        ("stitching at a service", stitched_outside),
        ("completed", finished),
        ("failed", after(failing, [failed(&video)])),
        ("cancelled", after(submitted(), [Event::Cancel])),
        ("deleted", after(submitted(), [Event::Delete])),
    ];
    for (_, story) in &mut states {
        // Some time passes, and nothing becomes due.
        story.now = story.now.after(Duration::from_secs(2));
    }
    states
}

/// Each event, with what it is called.
fn events() -> Vec<(&'static str, Event)> {
    let video = TaskRef { target: Target::Video(id("1")), run: 1, number: 1 };
    let frame = TaskRef { target: Target::Frame(id("1")), run: 1, number: 1 };
    let stitch = TaskRef { target: Target::Stitch(0), run: 1, number: 1 };
    let older = TaskRef { run: 0, ..video.clone() };
    let refused = |permanent| Event::SubmissionRefused {
        task: video.clone(),
        error: "busy".to_owned(),
        wait: Some(Duration::from_secs(20)),
        permanent,
    };
    let looked_up =
        |found: Option<&str>, answered| Event::LookedUp { task: video.clone(), found: found.map(render), answered };
    let edit = |patch| Event::EditScene { scene: id("1"), patch: Box::new(patch) };
    let status = |status| edit(ScenePatch { status: Some(status), ..ScenePatch::default() });
    let generate = |scenes, cascade| Event::Generate { scenes, cascade };
    let piece_failed = |permanent| Event::PieceFailed { claim: 1, error: "boom".to_owned(), permanent };
    vec![
        ("start", Event::Start),
        ("cancel", Event::Cancel),
        ("stitch", Event::Stitch),
        ("delete", Event::Delete),
        ("generate what is ready", generate(vec![], true)),
        ("generate scene 1, with its dependants", generate(vec![id("1")], true)),
        ("generate scene 1 alone", generate(vec![id("1")], false)),
        ("generate an unknown scene", generate(vec![id("9")], true)),
        ("retry scene 1", Event::Retry { scene: Some(id("1")) }),
        ("retry the stitch", Event::Retry { scene: None }),
        ("edit the name", Event::Edit(ProjectPatch { name: Some("Tour".to_owned()), ..ProjectPatch::default() })),
        ("a budget of nothing", Event::Edit(ProjectPatch { budget: Some(Some(0)), ..ProjectPatch::default() })),
        (
            "the other order",
            Event::Edit(ProjectPatch { order: Some(vec![id("2"), id("1")]), ..ProjectPatch::default() }),
        ),
        ("add scene 3", Event::AddScenes(vec![scene("3")])),
        (
            "edit the notes of scene 1",
            edit(ScenePatch { notes: Some("more light".to_owned()), ..ScenePatch::default() }),
        ),
        ("scene 1 is a draft", status(SceneStatus::Draft)),
        ("scene 1 is approved", status(SceneStatus::Approved)),
        ("scene 1 is rejected", status(SceneStatus::Rejected)),
        ("scene 1 needs a revision", status(SceneStatus::Revision)),
        ("take 1 of scene 1", edit(ScenePatch { take: Some(1), ..ScenePatch::default() })),
        ("remove scene 1", Event::RemoveScene(id("1"))),
        ("claim the video", Event::ClaimTask(video.clone())),
        ("claim the stitch", Event::ClaimTask(stitch.clone())),
        ("the video is submitted", Event::Submitted { task: video.clone(), id: render("video-1"), status_url: None }),
        ("the video is refused", refused(false)),
        ("the video is always refused", refused(true)),
        ("the video's answer is lost", Event::SubmissionLost { task: video.clone() }),
        ("the video is found", looked_up(Some("video-1"), true)),
        ("the video is not found", looked_up(None, true)),
        ("the list does not answer", looked_up(None, false)),
        ("the video is under way", callback(&video, TaskReport::UnderWay(30))),
        ("the video is under way, polled", poll(&video, TaskReport::UnderWay(30))),
        ("the video is completed", completed(&video)),
        ("the video failed", failed(&video)),
        ("the video is unknown, polled", poll(&video, TaskReport::Unknown)),
        ("the video's callback is unusable", callback(&video, TaskReport::Unusable)),
        ("an older video is completed", completed(&older)),
        ("the frame is completed", completed(&frame)),
        ("the stitch is completed", completed(&stitch)),
        ("claim a piece", Event::ClaimPiece),
        ("piece 1 progresses", Event::PieceProgressed { claim: 1, units: 50 }),
        ("piece 1 is done", Event::PieceDone { claim: 1, output: Box::new(PieceOutput::Frame(outside("last.png"))) }),
        ("piece 1 fails, retryable", piece_failed(false)),
        ("piece 1 fails, not retryable", piece_failed(true)),
    ]
}

/// Each event with its story. A tick comes when nothing is due, and when the project is.
fn meetings(story: &Story) -> Vec<(&'static str, Story, Event)> {
    let due = story.project.due_at.unwrap_or(story.now.after(Duration::from_secs(86_400)));
    let late = Story { now: story.now.max(due), ..story.clone() };
    let events = events().into_iter().map(|(name, event)| (name, story.clone(), event));
    events.chain([("tick, not due", story.clone(), Event::Tick), ("tick, due", late, Event::Tick)]).collect()
}

#[test]
fn every_state_handles_every_event_as_the_contract_says() {
    for (name, story) in states() {
        insta::assert_snapshot!(name.replace(' ', "_"), format!("{name}\n{}", table(&story)));
    }
}

#[test]
fn every_event_changes_a_project_in_some_state_and_every_status_occurs() {
    let (mut applied, mut met) = (BTreeSet::new(), BTreeSet::new());
    for (_, story) in states() {
        met.insert(story.project.status());
        for (_, story, event) in meetings(&story) {
            if let Decision::Apply(project) = story.decide(&event) {
                applied.insert(event_name(&event));
                met.insert(project.status());
            }
        }
    }
    assert_eq!(applied, EVENTS.iter().copied().collect::<BTreeSet<_>>());
    assert_eq!(met, ProjectStatus::ALL.iter().copied().collect::<BTreeSet<_>>());
}

/// The project, a row for each event that changes it, and a line for each reason why other events do not.
fn table(story: &Story) -> String {
    let mut table = format!("{}\n\n", describe(&story.project, story.now));
    let mut refused: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, story, event) in meetings(story) {
        match story.decide(&event) {
            Decision::Apply(project) => {
                let effects: Vec<String> = project.outbox.iter().map(effect).collect();
                let effects = if effects.is_empty() { "nothing".to_owned() } else { effects.join(", ") };
                writeln!(table, "{name:<40}{} => {effects}", describe(&project, story.now)).unwrap();
            }
            Decision::Ignore(reason) => refused.entry(format!("ignored {reason:?}")).or_default().push(name),
            Decision::Reject(reason) => refused.entry(format!("REJECTED {reason:?}")).or_default().push(name),
        }
    }
    table.push('\n');
    for (reason, names) in refused {
        writeln!(table, "{reason}: {}", names.join("; ")).unwrap();
    }
    table
}

/// The status and the scenes, the tasks, what was spent, and the due time.
fn describe(project: &Project, now: Timestamp) -> String {
    let scenes = project.scenes.iter().map(|scene| {
        let stale = if scene.stale { ", stale" } else { "" };
        format!("{} {}#{}{stale}", scene.spec.number, scene.status().name(), scene.attempt)
    });
    let scenes: Vec<String> = scenes.collect();
    let tasks: Vec<String> = project.tasks().map(|(task, _)| task.to_string()).collect();
    let due = project.due_at.map_or(String::new(), |due| format!(" due {:+}s", (due.0 - now.0) / 1000));
    let (status, progress) = (project.status().name(), project.progress());
    format!("{status} {progress}% [{}] [{}] spent {}{due}", scenes.join("; "), tasks.join(" "), project.spent)
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Notify { event, about, .. } => match about {
            Some(about) => format!("Notify({} {about})", event.name()),
            None => format!("Notify({})", event.name()),
        },
        Effect::RaiseError(raise) => format!("Raise({} {}: {})", raise.cause.name(), raise.about, raise.message),
        Effect::ResolveError(resolve) => format!("Resolve({} {})", resolve.cause.name(), resolve.about),
        Effect::Live { events, after } => {
            let names = events.iter().map(|event| match event {
                Live::Scene { id } => id.to_string(),
                Live::Project => "project".to_owned(),
                Live::Step { .. }
                | Live::Render { .. }
                | Live::RenderCompleted
                | Live::RenderFailed
                | Live::Job
                | Live::Clip { .. }
                | Live::Clips => unreachable!("a project is no job"),
            });
            format!("Live({} after {after})", names.collect::<Vec<_>>().join(" "))
        }
        Effect::Draw { hints, delay_s } => format!("Draw(x{hints} +{delay_s}s)"),
        Effect::Purge => "Purge".to_owned(),
        Effect::Project(ProjectEffect::Tasks { delay_s }) => format!("Tasks(+{delay_s}s)"),
        Effect::Project(ProjectEffect::StartScenes { delay_s }) => format!("StartScenes(+{delay_s}s)"),
        Effect::Project(ProjectEffect::FreeSlot { slot }) => format!("FreeSlot({slot})"),
        Effect::Project(ProjectEffect::IndexScenes { scenes }) => format!("IndexScenes({})", scenes.join(" ")),
        Effect::Project(ProjectEffect::IndexTask { stage, id, task }) => {
            format!("IndexTask({} {id} {task})", stage.name())
        }
        Effect::Project(ProjectEffect::CancelTask { stage, id }) => format!("CancelTask({} {id})", stage.name()),
        Effect::Start { .. }
        | Effect::FreeSlot { .. }
        | Effect::Log { .. }
        | Effect::PackHistory
        | Effect::Count { .. }
        | Effect::CountLog { .. }
        | Effect::RemoveFiles { .. }
        | Effect::Job(_)
        | Effect::Clips(_)
        | Effect::Credits(_) => unreachable!("a project is no job"),
    }
}
