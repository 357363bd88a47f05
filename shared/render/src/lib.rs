//! Draws the scenes of a film and writes them to files. Every pixel comes from this crate; ffmpeg only encodes and
//! joins. Of the takes of a project and the sources of clips, which were made elsewhere, ffmpeg also decodes frames and
//! sound.
//!
//! [`Fonts`] and [`Images`] are loaded first. A [`SceneInput`] describes one scene; a [`LaidOutScene`] is laid out from
//! it once and then drawn frame by frame. [`Ffmpeg`] encodes scenes into segments and joins segments into a film.

mod area;
mod backdrop;
mod canvas;
mod card;
mod card_builder;
mod clips;
mod dither;
mod emoji;
mod encode;
mod error;
mod faces;
mod fonts;
mod frames;
mod images;
mod join;
mod kept;
mod key;
mod layer;
mod layout;
mod lines;
mod motion;
mod number;
mod renderer;
mod scene;
mod shape;
mod shapes;
mod spans;
mod takes;
mod text;
mod theme;
mod transition;

pub use encode::{ENCODER_ARGUMENTS, Ffmpeg, SCENE_ARGUMENTS, SCENE_PARAMETERS};
pub use error::RenderError;
pub use fonts::Fonts;
pub use frames::Yuv;
pub use images::Images;
pub use images::limits::{MAX_BYTES, MAX_PIXELS};
pub use join::Soundtrack;
pub use key::{LOOK, key};
pub use renderer::LocalRenderer;
pub use scene::{LaidOutScene, SceneInput, parts};
pub use shape::cost::LayoutCost;
pub use takes::{ConcatVideo, Rate, Take, probe};
pub use theme::{Palette, Rgb};
