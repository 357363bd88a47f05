//! Colour management: converts colours to sRGB by the ICC profile or the PNG chunks of a file. A profile that is
//! damaged, or that makes white dark, is ignored; the colours are then taken as sRGB, as browsers do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use image::{DynamicImage, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, Transform8BitExecutor, TransformOptions};

use super::colour_info::ColourInfo;
use super::decoded::Samples;

/// The minimum value of each channel for white after conversion.
const MIN_WHITE: u8 = 160;
/// A profile that changes no channel by more than this is treated as sRGB; eight bits are no more precise.
const SRGB_TOLERANCE: u8 = 2;

/// The channel values at which a profile is compared with sRGB.
const PROBE_VALUES: [u8; 6] = [0, 51, 102, 153, 204, 255];

/// Converts samples to sRGB.
pub(super) fn to_srgb(samples: Samples, colour_info: Option<&ColourInfo>) -> RgbaImage {
    match samples {
        Samples::Cmyk { width, height, bytes } => {
            let mut image = RgbaImage::new(width, height);
            let converter = Converter::new(colour_info, false, DataColorSpace::Cmyk);
            if converter.is_none_or(|converter| !converter.convert(&bytes, &mut image)) {
                for (pixel, inks) in image.pixels_mut().zip(bytes.chunks_exact(4)) {
                    let left = |ink: u8| u32::from(255 - ink);
                    let light = |ink: u8| ((left(ink) * left(inks[3]) + 127) / 255) as u8;
                    pixel.0 = [light(inks[0]), light(inks[1]), light(inks[2]), 255];
                }
            }
            image
        }
        Samples::GreyOrRgb(image) if image.color().has_color() => coloured(image.into_rgba8(), colour_info),
        Samples::GreyOrRgb(image) => {
            let Some(converter) = Converter::new(colour_info, true, DataColorSpace::Gray) else {
                // A grey image may have an RGB profile.
                return coloured(image.into_rgba8(), colour_info);
            };
            let grey = image.into_luma_alpha8();
            let mut converted = RgbaImage::new(grey.width(), grey.height());
            if converter.convert(&grey, &mut converted) {
                return converted;
            }
            DynamicImage::from(grey).into_rgba8()
        }
    }
}

fn coloured(image: RgbaImage, colour_info: Option<&ColourInfo>) -> RgbaImage {
    let converter = Converter::new(colour_info, false, DataColorSpace::Rgb);
    let Some(converter) = converter.filter(|converter| !converter.is_srgb()) else { return image };
    let mut converted = RgbaImage::new(image.width(), image.height());
    if converter.convert(&image, &mut converted) { converted } else { image }
}

/// A transform from the colour space of a file to sRGB.
struct Converter {
    executor: Arc<Transform8BitExecutor>,
    channels: usize,
}

impl Converter {
    /// Returns `None` if there is no colour information, it describes other samples, it is invalid, or white would
    /// become dark.
    fn new(colour_info: Option<&ColourInfo>, grey: bool, space: DataColorSpace) -> Option<Self> {
        let layout = if space == DataColorSpace::Gray { Layout::GrayAlpha } else { Layout::Rgba };
        let white: &[u8] = match space {
            DataColorSpace::Gray => &[255; 2],
            // The four inks use the layout of RGBA; white is the absence of all inks.
            DataColorSpace::Cmyk => &[0; 4],
            _ => &[255; 4],
        };
        // Profiles are untrusted input.
        let executor = catch_unwind(AssertUnwindSafe(|| {
            let profile = colour_info?.profile(grey).filter(|profile| profile.color_space == space)?;
            let srgb = ColorProfile::new_srgb();
            let intents =
                [RenderingIntent::Perceptual, RenderingIntent::RelativeColorimetric, RenderingIntent::Saturation];
            let executor = intents.into_iter().find_map(|rendering_intent| {
                let options = TransformOptions { rendering_intent, ..TransformOptions::default() };
                profile.create_transform_8bit(layout, &srgb, Layout::Rgba, options).ok()
            })?;
            let mut shown = [0; 4];
            executor.transform(white, &mut shown).ok()?;
            shown[..3].iter().all(|channel| *channel >= MIN_WHITE).then_some(executor)
        }));
        Some(Self { executor: executor.ok().flatten()?, channels: white.len() })
    }

    /// Whether red, green and blue stay unchanged.
    fn is_srgb(&self) -> bool {
        let mut colours = Vec::with_capacity(PROBE_VALUES.len().pow(3) * 4);
        for r in PROBE_VALUES {
            for g in PROBE_VALUES {
                for b in PROBE_VALUES {
                    colours.extend([r, g, b, 255]);
                }
            }
        }
        let mut shown = vec![0; colours.len()];
        self.executor.transform(&colours, &mut shown).is_ok()
            && colours.iter().zip(&shown).all(|(before, after)| before.abs_diff(*after) <= SRGB_TOLERANCE)
    }

    /// Converts row by row. Returns false if that fails; `to` is then only partly written.
    fn convert(&self, from: &[u8], to: &mut RgbaImage) -> bool {
        let width = to.width() as usize;
        let mut rows = from.chunks_exact(width * self.channels).zip(to.chunks_exact_mut(width * 4));
        rows.all(|(from, to)| self.executor.transform(from, to).is_ok())
    }
}
