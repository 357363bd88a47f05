//! Guarantees of the renderer: no content breaks it, nothing is drawn outside its area, equal input gives equal output,
//! no frame is lost.

#[path = "../../examples/samples/mod.rs"]
mod samples;

mod bands;
mod clips;
mod concat;
mod coverage;
mod drawing;
mod files;
mod golden;
mod hostile;
mod images;
mod last_frame;
mod mp4;
mod parts;
mod pictures;
mod prompt_cards;
mod text;

use std::path::PathBuf;

use reelhook_domain::videos::film::{Rendition, Scene, Theme};
use reelhook_render::{Ffmpeg, Fonts, SceneInput};

/// The fonts that `infra/fonts.sh` installs.
fn fonts() -> Fonts {
    let directory = std::env::var_os("REELHOOK_FONTS")
        .expect("REELHOOK_FONTS must name the directory into which infra/fonts.sh installed the fonts");
    Fonts::load(&PathBuf::from(directory)).expect("the fonts of infra/fonts.sh")
}

fn ffmpeg() -> Ffmpeg {
    let program = std::env::var_os("REELHOOK_FFMPEG").expect("REELHOOK_FFMPEG must name an ffmpeg with libx264");
    Ffmpeg { program: program.into() }
}

/// A scene without a predecessor, at two thirds of the usual size, because tests draw many scenes.
fn alone(scene: &Scene, theme: Theme, rendition: Rendition) -> SceneInput<'_> {
    let size = match rendition {
        Rendition::Landscape => (1280, 720),
        Rendition::Portrait => (720, 1280),
    };
    SceneInput { scene, before: None, theme, size, rendition }
}

const RENDITIONS: [Rendition; 2] = [Rendition::Landscape, Rendition::Portrait];
