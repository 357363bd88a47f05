//! The images of a film: decoded once, within limits, then cropped to the area that a card has for them.

mod alpha;
mod colour_info;
mod colours;
mod decode;
mod decoded;
mod jpeg;
pub(crate) mod limits;

use std::collections::HashMap;

use image::RgbaImage;
use image::imageops::{self, FilterType};
use reelhook_app::digest::sha256_hex;
use reelhook_domain::videos::film::ImageRef;
use tiny_skia::Pixmap;

use crate::error::RenderError;
use crate::images::alpha::pixmap;
use crate::images::limits::DecodeError;

/// Decoded images by their reference.
#[derive(Debug, Default)]
pub struct Images {
    decoded: HashMap<ImageRef, Loaded>,
}

/// An image.
#[derive(Debug)]
struct Loaded {
    /// Its pixels, in sRGB with premultiplied alpha.
    pixels: Pixmap,
    /// The digest of its file, which tells it from another one under the same reference.
    digest: String,
}

impl Images {
    /// Creates an empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes a PNG, JPEG, WebP or the first frame of a GIF, and applies its colour profile and orientation.
    ///
    /// # Errors
    ///
    /// `RenderError::Image` if the file has another format, is damaged or incomplete, or exceeds `MAX_BYTES` or
    /// `MAX_PIXELS`.
    pub fn insert(&mut self, image: ImageRef, bytes: &[u8]) -> Result<(), RenderError> {
        self.keep(image, decode::decode(bytes), bytes)
    }

    /// As [`Self::insert`], for a file of our own, which may have more than `MAX_BYTES`.
    ///
    /// # Errors
    ///
    /// As of [`Self::insert`].
    pub fn insert_large(&mut self, image: ImageRef, bytes: &[u8]) -> Result<(), RenderError> {
        self.keep(image, decode::decode_large(bytes), bytes)
    }

    fn keep(&mut self, image: ImageRef, decoded: Result<Pixmap, DecodeError>, bytes: &[u8]) -> Result<(), RenderError> {
        match decoded {
            Ok(pixels) => {
                self.decoded.insert(image, Loaded { pixels, digest: sha256_hex(bytes) });
                Ok(())
            }
            Err(error) => Err(RenderError::Image { image, reason: error.to_string() }),
        }
    }

    /// Whether this image is loaded.
    pub fn contains(&self, image: &ImageRef) -> bool {
        self.decoded.contains_key(image)
    }

    /// The digest of an image's file, if the image is loaded.
    pub(crate) fn digest(&self, image: &ImageRef) -> Option<&str> {
        self.decoded.get(image).map(|loaded| loaded.digest.as_str())
    }

    pub(crate) fn get(&self, image: &ImageRef) -> Result<&Pixmap, RenderError> {
        self.decoded
            .get(image)
            .map(|loaded| &loaded.pixels)
            .ok_or_else(|| RenderError::Image { image: image.clone(), reason: "was not loaded".to_owned() })
    }
}

/// Scales an image so that it fills `width` by `height`, and crops the rest (CSS `object-fit: cover`).
pub(crate) fn cover(source: &Pixmap, width: u32, height: u32) -> Pixmap {
    let (from_w, from_h) = (f64::from(source.width()), f64::from(source.height()));
    let part = (from_w / f64::from(width)).min(from_h / f64::from(height));
    let w = ((f64::from(width) * part).round() as u32).clamp(1, source.width());
    let h = ((f64::from(height) * part).round() as u32).clamp(1, source.height());
    // Faces are usually in the upper half, so tall images are cropped more at the bottom than at the top.
    let (x, y) = ((source.width() - w) / 2, (source.height() - h) * 2 / 5);
    let rows = source.data().chunks_exact(source.width() as usize * 4).skip(y as usize).take(h as usize);
    let mut cropped = Vec::with_capacity(w as usize * h as usize * 4);
    for row in rows {
        cropped.extend_from_slice(&row[x as usize * 4..(x + w) as usize * 4]);
    }
    // Catmull-Rom sharpens when it enlarges. Around a cut-out that would cause a light or dark fringe.
    let filter = if width >= w && is_opaque(source) { FilterType::CatmullRom } else { FilterType::Triangle };
    let scaled = RgbaImage::from_raw(w, h, cropped).map(|cropped| imageops::resize(&cropped, width, height, filter));
    scaled.and_then(pixmap).unwrap_or_else(|| source.clone())
}

/// The size at which the whole image fits into `width` by `height` (CSS `object-fit: contain`).
pub(crate) fn contain(source: &Pixmap, width: f32, height: f32) -> (f32, f32) {
    let part = (width / source.width() as f32).min(height / source.height() as f32);
    ((source.width() as f32 * part).max(1.0), (source.height() as f32 * part).max(1.0))
}

/// Whether every pixel is opaque.
pub(crate) fn is_opaque(source: &Pixmap) -> bool {
    source.pixels().iter().all(|pixel| pixel.is_opaque())
}

#[cfg(test)]
mod tests;
