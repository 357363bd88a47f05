//! What clients and services may put into a project: its item has at most 400 KB.

use super::change::{Change, Outcome};
use crate::WebUrl;
use crate::projects::event::{Event, TaskOutput};
use crate::projects::media::{File, Video};
use crate::projects::project::{MAX_BYTES, MAX_STATUS_URLS, MAX_TAKES, MAX_URLS, Project, ProjectSpec};
use crate::projects::reasons::Rejected;
use crate::projects::scene::{Dependency, LongText, Scene, SceneSpec};
use crate::projects::stitch::NodeState;
use crate::projects::task::{Stage, TaskRef, TaskState};

/// Bytes of a service's id for a task at most.
const TASK_ID: usize = 128;

/// Refuses a command that makes a project too large, or wants more takes or URLs than a project keeps. One that makes a
/// large project smaller is not refused.
pub(super) fn check(change: &Change<'_>, event: &Event) -> Outcome {
    let is_refused = match event {
        Event::Edit(_) | Event::AddScenes(_) | Event::EditScene { .. } => {
            let after = bytes(&change.project.spec, &change.project.scenes);
            after > MAX_BYTES && after > bytes(&change.before.spec, &change.before.scenes)
        }
        Event::Start | Event::Generate { .. } | Event::Retry { .. } => {
            change.project.scenes.iter().map(|scene| scene.takes.len()).sum::<usize>() >= MAX_TAKES
                || urls(files(&change.project).filter(|file| file.is_to_copy())) + ids(&change.project) >= MAX_URLS
        }
        _ => false,
    };
    if is_refused { Err(Rejected::TooLarge.into()) } else { Ok(()) }
}

/// The size of what the client said about a project, as JSON, in bytes.
pub(super) fn bytes(spec: &ProjectSpec, scenes: &[Scene]) -> usize {
    let ProjectSpec { name, kind, user, budget: _, metadata } = spec;
    let texts = [Some(name), kind.as_ref(), user.as_ref()];
    let own: usize = texts.into_iter().flatten().map(|text| json(text)).sum();
    own + serde_json::to_vec(metadata).map_or(0, |json| json.len()) + scenes.iter().map(of_scene).sum::<usize>()
}

fn of_scene(scene: &Scene) -> usize {
    let SceneSpec { number, name, prompt, model, resolution, first_frame, last_frame, images, depends_on, .. } =
        &scene.spec;
    let (LongText::Inline(prompt) | LongText::Stored(prompt)) = prompt;
    let texts = [Some(number), Some(prompt), Some(&scene.notes), name.as_ref(), model.as_ref(), resolution.as_ref()];
    let urls = [first_frame.as_ref(), last_frame.as_ref()].into_iter().flatten().chain(images);
    let on = match depends_on {
        Dependency::Scene(on) => on.as_str().len(),
        Dependency::Previous | Dependency::Nothing => 0,
    };
    let texts: usize = texts.into_iter().flatten().map(|text| json(text)).sum();
    scene.id.as_str().len() + on + texts + urls.map(|url| json(url.as_written())).sum::<usize>()
}

/// Whether a project has room for the URLs of what a task made. If not, it forgets where copied frames came from.
pub(super) fn has_room_for(change: &mut Change<'_>, task: &TaskRef, output: &TaskOutput) -> bool {
    let made = match output {
        TaskOutput::Video(video) => urls(of_video(video)),
        TaskOutput::Frame(frame) => urls([frame]),
    };
    let scene = task.scene().filter(|_| task.stage() == Stage::Video).and_then(|scene| change.project.scene(scene));
    let given = scene.and_then(|scene| change.project.given_frame(scene));
    let new = made + urls(&given) + ids(&change.project);
    if urls(files(&change.project)) + new <= MAX_URLS {
        return true;
    }
    for take in change.project.scenes.iter_mut().flat_map(|scene| &mut scene.takes) {
        for frame in [take.first_frame.as_mut(), take.last_frame.as_mut()].into_iter().flatten() {
            frame.forget_source();
        }
    }
    urls(files(&change.project)) + new <= MAX_URLS
}

/// Whether a project has room for the URL of the status of one more task.
pub(super) fn has_room_for_status(project: &Project, url: &WebUrl) -> bool {
    let kept = project.tasks().filter_map(|(_, task)| task.status_url());
    kept.chain([url]).map(|url| url.as_written().len()).sum::<usize>() <= MAX_STATUS_URLS
}

/// The files that tasks made.
fn files(project: &Project) -> impl Iterator<Item = &File> {
    let of_takes = project
        .scenes
        .iter()
        .flat_map(|scene| &scene.takes)
        .flat_map(|take| of_video(&take.video).chain(take.first_frame.as_ref()).chain(take.last_frame.as_ref()));
    let nodes = project.stitch.iter().flat_map(|stitch| &stitch.nodes).filter_map(|node| match &node.state {
        NodeState::Done(video) => Some(video),
        NodeState::Blocked | NodeState::Running(_) => None,
    });
    let videos = nodes.chain(project.video.as_ref().map(|made| &made.video));
    of_takes.chain(videos.flat_map(of_video))
}

fn of_video(video: &Video) -> impl Iterator<Item = &File> {
    std::iter::once(&video.file).chain(&video.thumbnail)
}

/// The size of the URLs of files at outside services, in bytes.
fn urls<'a>(files: impl IntoIterator<Item = &'a File>) -> usize {
    files.into_iter().filter_map(|file| file.source.as_ref()).map(|url| url.as_written().len()).sum()
}

/// The size of the ids that services gave to tasks, in bytes: those of takes, and those that tasks under way have or may
/// get.
fn ids(project: &Project) -> usize {
    let of_takes = project.scenes.iter().flat_map(|scene| &scene.takes).filter_map(|take| take.task_id.as_ref());
    let under_way = project.tasks().filter(|(_, task)| task.state != TaskState::Own).count();
    of_takes.map(String::len).sum::<usize>() + under_way * TASK_ID
}

/// The size of a text as JSON: a control character has six bytes.
fn json(text: &str) -> usize {
    serde_json::to_vec(text).map_or(0, |json| json.len())
}
