//! The output of a decoder, before its colours are converted.

use image::DynamicImage;
use image::metadata::Orientation;

use super::colour_info::ColourInfo;

/// The output of a decoder.
pub(super) struct Decoded {
    pub samples: Samples,
    /// How to interpret the colours; sRGB if unknown.
    pub colour_info: Option<ColourInfo>,
    pub orientation: Orientation,
}

/// The samples of the pixels, with straight alpha.
pub(super) enum Samples {
    /// Grey or RGB.
    GreyOrRgb(DynamicImage),
    /// Cyan, magenta, yellow and black, four bytes per pixel; 255 is full ink.
    Cmyk { width: u32, height: u32, bytes: Vec<u8> },
}
