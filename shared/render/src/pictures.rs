//! The pictures that users name: decoded once, within limits, then cut to the place that a card has for them.

use std::collections::HashMap;
use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgba, RgbaImage};
use reelhook_domain::film::ImageRef;
use tiny_skia::{IntSize, Pixmap};

use crate::error::RenderError;

/// Most bytes of a picture.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Most pixels of a picture.
pub const MAX_PIXELS: u64 = 40_000_000;
/// Pictures are kept no larger than this on a side: what a 4K video can show.
const KEPT: u32 = 3840;

/// Decoded pictures by where they came from, each channel multiplied by the opacity.
#[derive(Debug, Default)]
pub struct Pictures {
    decoded: HashMap<ImageRef, Pixmap>,
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

    pub(crate) fn get(&self, image: &ImageRef) -> Result<&Pixmap, RenderError> {
        self.decoded
            .get(image)
            .ok_or_else(|| RenderError::Image { image: image.clone(), reason: "it was not loaded".to_owned() })
    }
}

fn decode(bytes: &[u8]) -> Result<Pixmap, String> {
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
    let image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    let mut image = DynamicImage::ImageRgba8(premultiplied(image.into_rgba8()));
    image.apply_orientation(orientation);
    if image.width() > KEPT || image.height() > KEPT {
        image = image.thumbnail(KEPT, KEPT);
    }
    pixmap(image.into_rgba8()).ok_or_else(|| "it has no pixels".to_owned())
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
mod tests {
    use super::*;

    /// A disc of one colour on clear pixels of another.
    fn disc(side: u32, inside: [u8; 3], outside: [u8; 3]) -> RgbaImage {
        let middle = side as f32 / 2.0;
        RgbaImage::from_fn(side, side, |x, y| {
            let (dx, dy) = (x as f32 + 0.5 - middle, y as f32 + 0.5 - middle);
            let inner = (dx * dx + dy * dy).sqrt() < middle * 0.8;
            let [r, g, b] = if inner { inside } else { outside };
            Rgba([r, g, b, if inner { 255 } else { 0 }])
        })
    }

    #[test]
    fn scaling_gives_an_edge_no_colour_of_its_own() {
        for (inside, outside) in [
            ([255, 255, 255], [0, 0, 0]),
            ([255, 255, 255], [255, 0, 255]),
            ([10, 20, 30], [255, 255, 255]),
            ([200, 100, 50], [0, 255, 0]),
        ] {
            let picture = pixmap(premultiplied(disc(120, inside, outside))).expect("a size");
            for side in [17, 60, 119, 121, 300, 777] {
                let scaled = cover(&picture, side, side);
                assert_eq!((scaled.width(), scaled.height()), (side, side));
                let (mut seen, mut worst) = (0, 0.0_f32);
                for pixel in scaled.pixels().iter().filter(|pixel| (1..255).contains(&pixel.alpha())) {
                    seen += 1;
                    for (channel, meant) in [pixel.red(), pixel.green(), pixel.blue()].into_iter().zip(inside) {
                        // What it adds to a picture, against what its colour adds at this opacity.
                        let exact = f32::from(meant) * f32::from(pixel.alpha()) / 255.0;
                        worst = worst.max((f32::from(channel) - exact).abs());
                    }
                }
                assert!(seen > 0, "there is an edge at {side}");
                assert!(worst < 1.01, "{inside:?} on {outside:?} at {side}: {worst}");
            }
        }
    }

    #[test]
    fn clear_pixels_have_no_colour() {
        let picture = premultiplied(disc(40, [1, 2, 3], [90, 80, 70]));
        assert_eq!(picture.get_pixel(0, 0).0, [0; 4]);
        assert_eq!(picture.get_pixel(20, 20).0, [1, 2, 3, 255]);
        let half = premultiplied(RgbaImage::from_pixel(1, 1, Rgba([255, 101, 0, 128])));
        assert_eq!(half.get_pixel(0, 0).0, [128, 51, 0, 128]);
    }
}
