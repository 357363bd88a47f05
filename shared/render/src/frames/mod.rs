//! Frames in the encoder's format, and their way to ffmpeg.

pub(crate) mod buffers;
pub(crate) mod matroska;
pub(crate) mod patch;
pub(crate) mod tiles;
pub(crate) mod yuv;

pub(crate) use patch::{Change, Patch};
pub(crate) use tiles::Tiles;
pub use yuv::Yuv;
