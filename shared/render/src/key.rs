//! What decides the pixels of a scene, as bytes: two cuts with the same bytes are drawn alike and need drawing once.

use reelhook_domain::videos::film::{Rendition, Scene, Theme};
use serde::Serialize;

use crate::shot::Cut;

/// The version of the looks: raised with every change that moves a pixel.
pub const LOOK: &str = "2";

#[derive(Serialize)]
struct Key<'a> {
    look: &'static str,
    theme: Theme,
    size: (u32, u32),
    format: Rendition,
    scene: &'a Scene,
    /// Only what a transition shows of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Scene>,
}

/// The JSON of everything that decides the pixels of a cut, for a content hash. Pictures stand in it by name:
/// who may replace a picture under its name hashes the picture too.
pub fn key(cut: &Cut<'_>) -> Vec<u8> {
    let key = Key {
        look: LOOK,
        theme: cut.theme,
        size: cut.size,
        format: cut.format,
        scene: cut.scene,
        before: cut.before.filter(|_| cut.scene.transition.is_some()),
    };
    // Plain structs of strings and numbers: writing them cannot fail.
    serde_json::to_vec(&key).unwrap_or_default()
}
