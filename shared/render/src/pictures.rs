//! The pictures that users name: decoded once, within limits, then cut to the place that a card has for them.

use std::collections::HashMap;
use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbaImage};
use reelhook_domain::film::ImageRef;

use crate::error::RenderError;

/// Most bytes of a picture.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Most pixels of a picture.
pub const MAX_PIXELS: u64 = 40_000_000;
/// Pictures are kept no larger than this on a side: what a 4K video can show.
const KEPT: u32 = 3840;

/// Decoded pictures by where they came from.
#[derive(Debug, Default)]
pub struct Pictures {
    decoded: HashMap<ImageRef, RgbaImage>,
}

impl Pictures {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes a PNG, JPEG, WebP or the first picture of a GIF, turned as its EXIF data say.
    ///
    /// # Errors
    ///
    /// `RenderError::Image` for what is no such picture, or larger than `MAX_BYTES` or `MAX_PIXELS`.
    pub fn insert(&mut self, image: ImageRef, bytes: &[u8]) -> Result<(), RenderError> {
        match decode(bytes) {
            Ok(decoded) => {
                self.decoded.insert(image, decoded);
                Ok(())
            }
            Err(reason) => Err(RenderError::Image { image, reason }),
        }
    }

    /// Whether this picture is there.
    pub fn contains(&self, image: &ImageRef) -> bool {
        self.decoded.contains_key(image)
    }

    pub(crate) fn get(&self, image: &ImageRef) -> Result<&RgbaImage, RenderError> {
        self.decoded
            .get(image)
            .ok_or_else(|| RenderError::Image { image: image.clone(), reason: "it was not loaded".to_owned() })
    }
}

fn decode(bytes: &[u8]) -> Result<RgbaImage, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("{} bytes, more than {MAX_BYTES}", bytes.len()));
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    if reader.format().is_none() {
        return Err("not a PNG, JPEG, WebP or GIF".to_owned());
    }
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS || width == 0 || height == 0 {
        return Err(format!("{width}x{height} pixels, more than {MAX_PIXELS}"));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 8 + 64 * 1024 * 1024);
    decoder.set_limits(limits).map_err(|error| error.to_string())?;
    let orientation = decoder.orientation().map_err(|error| error.to_string())?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    image.apply_orientation(orientation);
    if image.width() > KEPT || image.height() > KEPT {
        image = image.thumbnail(KEPT, KEPT);
    }
    Ok(image.into_rgba8())
}

/// The picture scaled so that it fills `width` by `height`, what is too much cut off evenly.
pub(crate) fn cover(image: &RgbaImage, width: u32, height: u32) -> RgbaImage {
    let (from_w, from_h) = (f64::from(image.width()), f64::from(image.height()));
    let part = (from_w / f64::from(width)).min(from_h / f64::from(height));
    let w = ((f64::from(width) * part).round() as u32).clamp(1, image.width());
    let h = ((f64::from(height) * part).round() as u32).clamp(1, image.height());
    // Faces stand in the upper half: tall pictures lose more below than above.
    let (x, y) = ((image.width() - w) / 2, (image.height() - h) * 2 / 5);
    resize(&imageops::crop_imm(image, x, y, w, h).to_image(), width, height)
}

/// The size at which the whole picture fits into `width` by `height`.
pub(crate) fn contained(image: &RgbaImage, width: f32, height: f32) -> (f32, f32) {
    let part = (width / image.width() as f32).min(height / image.height() as f32);
    ((image.width() as f32 * part).max(1.0), (image.height() as f32 * part).max(1.0))
}

fn resize(image: &RgbaImage, width: u32, height: u32) -> RgbaImage {
    let filter = if width >= image.width() { FilterType::CatmullRom } else { FilterType::Triangle };
    imageops::resize(image, width, height, filter)
}
