//! What clients may put into a project: its item has at most 400 KB, and the results of its tasks need half of them.

use super::change::{Change, Outcome};
use crate::projects::event::Event;
use crate::projects::project::{MAX_BYTES, MAX_TAKES, ProjectSpec};
use crate::projects::reasons::Rejected;
use crate::projects::scene::{Dependency, LongText, Scene, SceneSpec};

/// Refuses a command that makes a project too large, or wants more takes than a project keeps. One that makes a large
/// project smaller is not refused.
pub(super) fn check(change: &Change<'_>, event: &Event) -> Outcome {
    let is_refused = match event {
        Event::Edit(_) | Event::AddScenes(_) | Event::EditScene { .. } => {
            let after = bytes(&change.project.spec, &change.project.scenes);
            after > MAX_BYTES && after > bytes(&change.before.spec, &change.before.scenes)
        }
        Event::Start | Event::Generate { .. } | Event::Retry { .. } => {
            change.project.scenes.iter().map(|scene| scene.takes.len()).sum::<usize>() >= MAX_TAKES
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

/// The size of a text as JSON: a control character has six bytes.
fn json(text: &str) -> usize {
    serde_json::to_vec(text).map_or(0, |json| json.len())
}
