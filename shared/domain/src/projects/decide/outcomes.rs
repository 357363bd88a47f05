//! The ends of tasks, whoever reports them: what a completed or failed video, last frame or stitch makes of a project.

use super::change::{Change, Facts, Outcome};
use super::{size, tasks};
use crate::errors::cause::Cause;
use crate::projects::effect::ProjectEffect;
use crate::projects::event::TaskOutput;
use crate::projects::media::{File, Video};
use crate::projects::project::{FinalVideo, Phase, ProjectPiece};
use crate::projects::reasons::Ignored;
use crate::projects::scene::{Scene, SceneState, Take};
use crate::projects::stitch::{NodeState, Takes};
use crate::projects::task::{Stage, Target, Task, TaskRef};
use crate::{OutboundEvent, RenderId, SceneId, brief};

/// The beginning of the line in a scene's notes that has the reason of its last failure.
const NOTE: &str = "Video generation failed: ";

/// Why a task failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its service reported it.
    Reported,
    /// It did not end before its deadline.
    TimedOut,
    /// Its service accepted it neither at once nor before its deadline.
    NotAccepted,
    /// Its service always refuses it.
    Refused,
    /// The answer to its submission was lost, and nothing has shown whether the service has it.
    Unclear,
    /// Our renderers failed as often as they may, or would always fail.
    Exhausted,
    /// The project has no room for the URLs of what it made.
    TooLarge,
}

impl Why {
    /// Whether only a person may try again: another attempt would fail too, or could be paid for twice.
    fn is_for_good(self) -> bool {
        match self {
            Self::Refused | Self::Unclear | Self::Exhausted | Self::TooLarge => true,
            Self::Reported | Self::TimedOut | Self::NotAccepted => false,
        }
    }

    /// Whether the service never had it.
    fn is_unpaid(self) -> bool {
        match self {
            Self::Refused | Self::NotAccepted => true,
            Self::Reported | Self::TimedOut | Self::Unclear | Self::Exhausted | Self::TooLarge => false,
        }
    }
}

/// A task has made what it had to make.
pub(super) fn completed(change: &mut Change<'_>, task: &TaskRef, output: &TaskOutput) -> Outcome {
    match (&task.target, output) {
        (Target::Video(scene), TaskOutput::Video(video)) => {
            let index = change.index_of(scene)?;
            video_completed(change, index, video);
        }
        (Target::Frame(scene), TaskOutput::Frame(frame)) => {
            let index = change.index_of(scene)?;
            frame_completed(change, index, task.number, frame);
        }
        (Target::Stitch(node), TaskOutput::Video(video)) => node_completed(change, usize::from(*node), video),
        (Target::Video(_) | Target::Stitch(_), TaskOutput::Frame(_)) | (Target::Frame(_), TaskOutput::Video(_)) => {
            return Err(Ignored::Stale.into());
        }
    }
    Ok(())
}

fn video_completed(change: &mut Change<'_>, index: usize, video: &Video) {
    let now = change.now;
    let task = change.project.scenes[index].task(Stage::Video).and_then(Task::id).cloned();
    let (id, attempt) = keep_take(change, index, video, task.as_ref());
    tasks::begin_frame(change, index, 1, now);
    tasks::open_copy(change, &id, attempt);
    if attempt > 1 {
        change.resolve(Cause::VideoFailed, Some(&id));
        change.resolve(Cause::SubmissionUnclear, Some(&id));
    }
    change.notify(OutboundEvent::SceneGenerated, Some(&id));
}

/// Keeps what the present attempt of a scene has made; returns the scene and the attempt.
fn keep_take(change: &mut Change<'_>, index: usize, video: &Video, task: Option<&RenderId>) -> (SceneId, u32) {
    let scene = &change.project.scenes[index];
    let (id, attempt) = (scene.id.clone(), scene.attempt);
    let take = Take {
        attempt,
        video: video.clone(),
        first_frame: change.project.given_frame(scene),
        last_frame: None,
        task_id: task.map(ToString::to_string),
        at: change.now,
    };
    let takes = &mut change.project.scenes[index].takes;
    // Clients send back the frames of the newest take as they saw them, also at their sources.
    for older in takes.iter_mut() {
        for frame in [older.first_frame.as_mut(), older.last_frame.as_mut()].into_iter().flatten() {
            frame.forget_source();
        }
    }
    takes.push(take);
    (id, attempt)
}

/// A video comes after its attempt has failed: it is paid for. A running project goes on with it. One that has ended keeps
/// it as a take, which a retry uses instead of another submission.
pub(super) fn late_video_completed(
    change: &mut Change<'_>,
    index: usize,
    of: &TaskRef,
    output: &TaskOutput,
    task: Option<&RenderId>,
) -> Outcome {
    let TaskOutput::Video(video) = output else { return Err(Ignored::Stale.into()) };
    if !size::has_room_for(change, of, output) {
        return Err(Ignored::NothingToDo.into());
    }
    let (id, attempt) = keep_take(change, index, video, task);
    if change.project.phase == Phase::Running {
        use_late_take(change, index);
    }
    tasks::open_copy(change, &id, attempt);
    Ok(())
}

/// Goes on with the late take of a scene: its last frame is extracted as soon as the project runs.
pub(super) fn use_late_take(change: &mut Change<'_>, index: usize) {
    let scene = &mut change.project.scenes[index];
    let id = scene.id.clone();
    scene.failures = 0;
    scene.chosen = None;
    scene.state = SceneState::FrameFailed { number: 0 };
    change.resolve(Cause::VideoFailed, Some(&id));
    change.resolve(Cause::SubmissionUnclear, Some(&id));
    change.notify(OutboundEvent::SceneGenerated, Some(&id));
    if change.project.phase == Phase::Running {
        tasks::restart_frame(change, index);
    }
}

fn frame_completed(change: &mut Change<'_>, index: usize, number: u32, frame: &File) {
    let scene = &mut change.project.scenes[index];
    let (id, attempt) = (scene.id.clone(), scene.attempt);
    if let Some(take) = scene.takes.iter_mut().find(|take| take.attempt == attempt) {
        take.last_frame = Some(frame.clone());
    }
    scene.state = SceneState::Verified;
    tasks::open_copy(change, &id, attempt);
    if attempt > 1 || number > 1 {
        change.resolve(Cause::FrameFailed, Some(&id));
        change.resolve(Cause::SubmissionUnclear, Some(&id));
    }
    change.notify(OutboundEvent::SceneVerified, Some(&id));
}

fn node_completed(change: &mut Change<'_>, node: usize, video: &Video) {
    let now = change.now;
    let Some(stitch) = &mut change.project.stitch else { return };
    stitch.nodes[node].state = NodeState::Done(video.clone());
    if node + 1 < stitch.nodes.len() {
        return;
    }
    let (generation, takes) = (stitch.generation, stitch.takes.clone());
    change.project.stitch = None;
    complete(change, video.clone(), takes);
    if video.file.is_to_copy() || video.thumbnail.as_ref().is_some_and(File::is_to_copy) {
        tasks::open_piece(change, ProjectPiece::CopyFinal { generation }, now);
    }
}

/// Completes the project with this video.
pub(super) fn complete(change: &mut Change<'_>, video: Video, takes: Takes) {
    // A stitch that failed before needs nobody any more, also one that was given up. A video after it has a later
    // generation.
    if change.project.generations > 1 {
        change.resolve(Cause::StitchFailed, None);
        change.resolve(Cause::SubmissionUnclear, None);
    }
    // What is left to copy of an earlier video is no longer the project's.
    change.project.pieces.list.retain(|piece| !matches!(piece.task, ProjectPiece::CopyFinal { .. }));
    change.project.video = Some(FinalVideo { video, takes, at: change.now });
    change.project.phase = Phase::Completed;
    change.project.ended_at = Some(change.now);
    change.notify(OutboundEvent::ProjectCompleted, None);
    let message = format!("Project `{}` is completed", brief(&change.project.spec.name));
    change.raise(Cause::ProjectCompleted, None, message, Facts::default());
}

/// A task has failed.
pub(super) fn failed(change: &mut Change<'_>, task: &TaskRef, why: Why, error: &str) {
    let id = change.project.task(task).and_then(Task::id).cloned();
    if let (Why::TimedOut, Some(id)) = (why, &id) {
        change.then(ProjectEffect::CancelTask { stage: task.stage(), id: id.clone() });
    }
    change.reserve();
    let error = brief(error);
    match &task.target {
        Target::Video(scene) => video_failed(change, scene, why, &error, id.as_ref()),
        Target::Frame(scene) => frame_failed(change, scene, task.number, (why, &error, id.as_ref())),
        Target::Stitch(node) => node_failed(change, usize::from(*node), task.number, (why, &error, id.as_ref())),
    }
}

fn video_failed(change: &mut Change<'_>, id: &SceneId, why: Why, error: &str, task: Option<&RenderId>) {
    let Some(index) = change.project.index_of(id) else { return };
    let attempts = change.policy.video.attempts.max(1);
    if why.is_unpaid() {
        tasks::refund(change, index);
    }
    let scene = &mut change.project.scenes[index];
    scene.failures += 1;
    if why.is_for_good() {
        scene.failures = scene.failures.max(attempts);
    }
    scene.notes = noted(&scene.notes, error);
    // In revision the next attempt begins by itself.
    scene.state = if scene.failures < attempts { SceneState::Revision } else { SceneState::Rejected };
    let name = name(scene);
    let (cause, message) = match why {
        Why::Unclear => (Cause::SubmissionUnclear, unclear(&format!("the video of {name}"))),
        _ => (Cause::VideoFailed, format!("The video of {name} failed: {error}")),
    };
    change.raise(cause, Some(id), message, Facts { task, error, ..Facts::default() });
    change.notify(OutboundEvent::SceneRejected, Some(id));
}

/// How a submission failed: why, in which words, and the service's id for it.
type Failed<'a> = (Why, &'a str, Option<&'a RenderId>);

fn frame_failed(change: &mut Change<'_>, id: &SceneId, number: u32, (why, error, task): Failed<'_>) {
    let Some(index) = change.project.index_of(id) else { return };
    let attempts = change.policy.frame.attempts.max(1);
    if may_retry(why, number, attempts) {
        let ready_at = change.now.after(change.policy.retry_wait(number % attempts));
        return tasks::begin_frame(change, index, number.saturating_add(1), ready_at);
    }
    change.project.scenes[index].state = SceneState::FrameFailed { number };
    let name = name(&change.project.scenes[index]);
    let (cause, message) = match why {
        Why::Unclear => (Cause::SubmissionUnclear, unclear(&format!("the last frame of {name}"))),
        _ => (Cause::FrameFailed, format!("The last frame of {name} could not be extracted: {error}")),
    };
    change.raise(cause, Some(id), message, Facts { task, error, ..Facts::default() });
}

fn node_failed(change: &mut Change<'_>, node: usize, number: u32, (why, error, task): Failed<'_>) {
    let attempts = change.policy.stitch.attempts.max(1);
    if may_retry(why, number, attempts) {
        let ready_at = change.now.after(change.policy.retry_wait(number % attempts));
        return tasks::begin_node(change, node, number.saturating_add(1), ready_at);
    }
    // The id is of a task that has ended: only the other nodes have tasks to cancel.
    if let Some(stitch) = &mut change.project.stitch {
        stitch.nodes[node].state = NodeState::Blocked;
    }
    let project = brief(&change.project.spec.name);
    let (cause, message) = match why {
        Why::Unclear => (Cause::SubmissionUnclear, unclear(&format!("a stitch of project `{project}`"))),
        _ => (Cause::StitchFailed, format!("The scenes of project `{project}` could not be stitched: {error}")),
    };
    change.raise(cause, None, message, Facts { task, error, ..Facts::default() });
    change.fail(format!("The scenes could not be stitched: {error}"));
    tasks::abandon_stitch(change);
}

/// Whether a failed frame or stitch is submitted again by itself. A person who retries begins another round of attempts.
fn may_retry(why: Why, number: u32, attempts: u32) -> bool {
    !why.is_for_good() && !number.is_multiple_of(attempts)
}

fn unclear(what: &str) -> String {
    format!("Whether the service makes {what} is unclear: its answer was lost. Retry if the service does not have it")
}

/// The notes of a scene after its video failed: the reason of this failure replaces that of the one before.
fn noted(notes: &str, error: &str) -> String {
    let note = format!("{NOTE}{error}");
    let kept = notes.lines().filter(|line| !line.starts_with(NOTE));
    kept.chain([note.as_str()]).collect::<Vec<_>>().join("\n")
}

/// Why a scene that failed for good fails its project.
pub(super) fn reason(scene: &Scene) -> String {
    let name = name(scene).replacen("scene", "Scene", 1);
    if matches!(scene.state, SceneState::FrameFailed { .. }) {
        return format!("{name} failed: its last frame could not be extracted");
    }
    let note = scene.notes.lines().rev().find(|line| line.starts_with(NOTE));
    format!("{name} failed: {}", note.unwrap_or("its video could not be generated"))
}

/// What people call a scene.
pub(super) fn name(scene: &Scene) -> String {
    format!("scene `{}`", brief(&scene.spec.number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_keep_what_people_wrote_and_the_last_failure_only() {
        assert_eq!(noted("", "boom"), "Video generation failed: boom");
        assert_eq!(noted("warmer light\nno cat", "boom"), "warmer light\nno cat\nVideo generation failed: boom");
        assert_eq!(noted("a\nVideo generation failed: boom\nb", "bang"), "a\nb\nVideo generation failed: bang");
    }

    #[test]
    fn each_round_of_tries_ends_and_what_is_unclear_is_never_sent_again() {
        let rounds: Vec<bool> = (1..=6).map(|number| may_retry(Why::Reported, number, 3)).collect();
        assert_eq!(rounds, [true, true, false, true, true, false]);
        for why in [Why::Unclear, Why::Refused, Why::Exhausted, Why::TooLarge] {
            assert!(!may_retry(why, 1, 3), "{why:?}");
        }
    }
}
