//! The pictures that users name: decoded once, within limits, then cut to the place that a card has for them.

mod colours;
mod decode;
mod jpeg;

use std::collections::HashMap;

use image::imageops::{self, FilterType};
use image::{Rgba, RgbaImage};
use reelhook_domain::videos::film::ImageRef;
use tiny_skia::{IntSize, Pixmap};

use crate::error::RenderError;

/// Most bytes of a picture.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Most pixels of a picture.
pub const MAX_PIXELS: u64 = 40_000_000;
/// Pictures are kept no larger than this on a side: what a 4K video can show.
const KEPT: u32 = 3840;

/// Decoded pictures by where they came from: sRGB, and each channel multiplied by the opacity.
#[derive(Debug, Default)]
pub struct Pictures {
    decoded: HashMap<ImageRef, Pixmap>,
}

impl Pictures {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes a PNG, JPEG, WebP or the first picture of a GIF, in the colours and turned as its file says.
    ///
    /// # Errors
    ///
    /// `RenderError::Image` for what is no such picture, is not whole, or is larger than `MAX_BYTES` or `MAX_PIXELS`.
    pub fn insert(&mut self, image: ImageRef, bytes: &[u8]) -> Result<(), RenderError> {
        match decode::decode(bytes) {
            Ok(decoded) => {
                self.decoded.insert(image, decoded);
                Ok(())
            }
            Err(fault) => Err(RenderError::Image { image, reason: fault.to_string() }),
        }
    }

    /// Whether this picture is there.
    pub fn contains(&self, image: &ImageRef) -> bool {
        self.decoded.contains_key(image)
    }

    pub(crate) fn get(&self, image: &ImageRef) -> Result<&Pixmap, RenderError> {
        self.decoded
            .get(image)
            .ok_or_else(|| RenderError::Image { image: image.clone(), reason: "was not loaded".to_owned() })
    }
}

/// The picture scaled so that it fills `width` by `height`, what is too much cut off evenly.
pub(crate) fn cover(picture: &Pixmap, width: u32, height: u32) -> Pixmap {
    let (from_w, from_h) = (f64::from(picture.width()), f64::from(picture.height()));
    let part = (from_w / f64::from(width)).min(from_h / f64::from(height));
    let w = ((f64::from(width) * part).round() as u32).clamp(1, picture.width());
    let h = ((f64::from(height) * part).round() as u32).clamp(1, picture.height());
    // Faces stand in the upper half: tall pictures lose more below than above.
    let (x, y) = ((picture.width() - w) / 2, (picture.height() - h) * 2 / 5);
    let rows = picture.data().chunks_exact(picture.width() as usize * 4).skip(y as usize).take(h as usize);
    let mut cut = Vec::with_capacity(w as usize * h as usize * 4);
    for row in rows {
        cut.extend_from_slice(&row[x as usize * 4..(x + w) as usize * 4]);
    }
    // Catmull-Rom sharpens as it enlarges. Around a cut-out that would be a seam of light or dark.
    let filter = if width >= w && is_opaque(picture) { FilterType::CatmullRom } else { FilterType::Triangle };
    let scaled = RgbaImage::from_raw(w, h, cut).map(|cut| imageops::resize(&cut, width, height, filter));
    scaled.and_then(pixmap).unwrap_or_else(|| picture.clone())
}

/// The size at which the whole picture fits into `width` by `height`.
pub(crate) fn contained(picture: &Pixmap, width: f32, height: f32) -> (f32, f32) {
    let part = (width / picture.width() as f32).min(height / picture.height() as f32);
    ((picture.width() as f32 * part).max(1.0), (picture.height() as f32 * part).max(1.0))
}

/// Whether nothing shows through a picture.
pub(crate) fn is_opaque(picture: &Pixmap) -> bool {
    picture.pixels().iter().all(|pixel| pixel.is_opaque())
}

/// Straight colours, each multiplied by its opacity: what is scaled and laid over others. A clear pixel has no colour, so
/// that none of it gets into its neighbours.
fn premultiplied(mut image: RgbaImage) -> RgbaImage {
    for Rgba([r, g, b, alpha]) in image.pixels_mut().filter(|pixel| pixel.0[3] != 255) {
        for channel in [r, g, b] {
            *channel = ((u32::from(*channel) * u32::from(*alpha) + 127) / 255) as u8;
        }
    }
    image
}

/// Premultiplied colours as a pixmap has them.
fn pixmap(premultiplied: RgbaImage) -> Option<Pixmap> {
    let size = IntSize::from_wh(premultiplied.width(), premultiplied.height())?;
    Pixmap::from_vec(premultiplied.into_raw(), size)
}

#[cfg(test)]
mod tests;
