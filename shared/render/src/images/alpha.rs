//! Premultiplied alpha.

use image::{Rgba, RgbaImage};
use tiny_skia::{IntSize, Pixmap};

/// Premultiplies straight alpha, as needed for scaling and compositing. Transparent pixels lose their colour, so that
/// it does not bleed into their neighbours.
pub(super) fn premultiplied(mut image: RgbaImage) -> RgbaImage {
    for Rgba([r, g, b, alpha]) in image.pixels_mut().filter(|pixel| pixel.0[3] != 255) {
        for channel in [r, g, b] {
            *channel = ((u32::from(*channel) * u32::from(*alpha) + 127) / 255) as u8;
        }
    }
    image
}

/// Moves premultiplied colours into a pixmap.
pub(super) fn pixmap(premultiplied: RgbaImage) -> Option<Pixmap> {
    let size = IntSize::from_wh(premultiplied.width(), premultiplied.height())?;
    Pixmap::from_vec(premultiplied.into_raw(), size)
}
