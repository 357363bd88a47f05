//! Frames in the encoder's format, and their way to ffmpeg.

pub(crate) mod buffers;
pub(crate) mod matroska;
pub(crate) mod patch;
pub(crate) mod yuv;

pub(crate) use patch::{Change, Patch};
pub use yuv::Yuv;
