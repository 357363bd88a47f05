//! The content keys of a scene's parts: everything that determines their pixels, as bytes. Parts with equal keys look the
//! same and are drawn only once.

use reelhook_domain::videos::film::{Content, Entrance, Rendition, Scene, SceneKind, Theme, Transition};
use serde::Serialize;

use crate::motion::button_scale;
use crate::scene::SceneInput;
use crate::transition;

/// The version of the looks and of the encoding. Increase it with every change that alters a pixel or a parameter of the
/// encoder.
pub const LOOK: &str = "3";

#[derive(Serialize)]
struct Key<'a> {
    look: &'static str,
    theme: Theme,
    size: (u32, u32),
    #[serde(rename = "format")]
    rendition: Rendition,
    kind: SceneKind,
    content: &'a Content,
    entrance: Entrance,
    /// The length of the scene: it decides when its parts enter.
    frames: u32,
    /// The length of the transition, after which they enter.
    transition_frames: u32,
    /// Only if the part shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Start<'a>>,
}

/// What a scene begins with.
#[derive(Serialize)]
struct Start<'a> {
    transition: Transition,
    before: LastFrame<'a>,
}

/// What the last frame of a scene shows: every part has its place, whenever and from wherever it came.
#[derive(Serialize)]
struct LastFrame<'a> {
    kind: SceneKind,
    content: &'a Content,
    /// A button may pulse until the end.
    button_scale: i32,
}

impl<'a> LastFrame<'a> {
    fn of(scene: &'a Scene) -> Self {
        let frames = scene.frames.max(1);
        Self { kind: scene.kind, content: &scene.content, button_scale: button_scale(frames, frames - 1) }
    }
}

/// The JSON of everything that determines the pixels of the part of a scene that starts with this frame, for a content
/// hash. It contains images by reference; callers whose images can change under the same reference must hash the images
/// too.
pub fn key(input: &SceneInput<'_>, first_frame: u32) -> Vec<u8> {
    let SceneInput { scene, before, theme, size, rendition } = *input;
    let transition_frames = transition::length(scene, before);
    let start = before.zip(scene.transition).filter(|_| first_frame < transition_frames);
    let key = Key {
        look: LOOK,
        theme,
        size,
        rendition,
        kind: scene.kind,
        content: &scene.content,
        entrance: scene.entrance,
        frames: scene.frames,
        transition_frames,
        start: start.map(|(before, transition)| Start { transition, before: LastFrame::of(before) }),
    };
    // Serializing plain structs of strings and numbers can't fail.
    serde_json::to_vec(&key).unwrap_or_default()
}
