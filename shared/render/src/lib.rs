//! Draws the scenes of a film and makes files of them: every pixel comes from here, ffmpeg only encodes and joins.
//!
//! [`Fonts`] and [`Pictures`] are loaded, a [`Cut`] says what to draw, a [`Shot`] is laid out from it once and then drawn
//! frame by frame, [`Ffmpeg`] encodes shots into segments and joins segments into a film.

mod area;
mod backdrop;
mod canvas;
mod compose;
mod dither;
mod emoji;
mod encode;
mod error;
mod faces;
mod fonts;
mod join;
mod key;
mod layer;
mod layout;
mod lines;
mod motion;
mod number;
mod pictures;
mod shape;
mod shapes;
mod shot;
mod spans;
mod stage;
mod studio;
mod text;
mod theme;
mod transition;
mod yuv;

pub use encode::{ENCODING, Ffmpeg};
pub use error::RenderError;
pub use fonts::{Fonts, Work};
pub use join::Soundtrack;
pub use key::{LOOK, key};
pub use pictures::{MAX_BYTES, MAX_PIXELS, Pictures};
pub use shot::{Cut, Shot};
pub use studio::OwnStudio;
pub use theme::{Palette, Rgb};
pub use yuv::Yuv;
