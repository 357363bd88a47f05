//! The content key of a scene: everything that determines its pixels, as bytes. Scenes with equal keys look the same
//! and are drawn only once.

use reelhook_domain::videos::film::{Rendition, Scene, Theme};
use serde::Serialize;

use crate::scene::SceneInput;

/// The version of the looks. Increase it with every change that alters a pixel.
pub const LOOK: &str = "2";

#[derive(Serialize)]
struct Key<'a> {
    look: &'static str,
    theme: Theme,
    size: (u32, u32),
    #[serde(rename = "format")]
    rendition: Rendition,
    scene: &'a Scene,
    /// The scene before, only if a transition shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Scene>,
}

/// The JSON of everything that determines the pixels of a scene, for a content hash. It contains images by reference;
/// callers whose images can change under the same reference must hash the images too.
pub fn key(input: &SceneInput<'_>) -> Vec<u8> {
    let key = Key {
        look: LOOK,
        theme: input.theme,
        size: input.size,
        rendition: input.rendition,
        scene: input.scene,
        before: input.before.filter(|_| input.scene.transition.is_some()),
    };
    // Serializing plain structs of strings and numbers can't fail.
    serde_json::to_vec(&key).unwrap_or_default()
}
