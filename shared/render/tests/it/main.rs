//! What the renderer promises: nothing breaks it, nothing leaves its place, the same in gives the same out, frames add up.

#[path = "../../examples/samples/mod.rs"]
mod samples;

mod bands;
mod coverage;
mod drawing;
mod files;
mod golden;
mod hostile;
mod images;
mod mp4;
mod text;

use std::path::PathBuf;

use reelhook_domain::videos::film::{Rendition, Scene, Theme};
use reelhook_render::{Cut, Ffmpeg, Fonts};

/// The typefaces that `infra/fonts.sh` installs.
fn fonts() -> Fonts {
    let directory = std::env::var_os("REELHOOK_FONTS")
        .expect("REELHOOK_FONTS must name the directory that infra/fonts.sh has installed the typefaces to");
    Fonts::load(&PathBuf::from(directory)).expect("the typefaces of infra/fonts.sh")
}

fn ffmpeg() -> Ffmpeg {
    let program = std::env::var_os("REELHOOK_FFMPEG").expect("REELHOOK_FFMPEG must name an ffmpeg with libx264");
    Ffmpeg { program: program.into() }
}

/// A scene on its own, at two thirds of the usual size: tests draw many.
fn alone(scene: &Scene, theme: Theme, format: Rendition) -> Cut<'_> {
    let size = match format {
        Rendition::Landscape => (1280, 720),
        Rendition::Portrait => (720, 1280),
    };
    Cut { scene, before: None, theme, size, format }
}

const FORMATS: [Rendition; 2] = [Rendition::Landscape, Rendition::Portrait];
