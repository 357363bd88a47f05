//! Colour management: converts colours to sRGB by the ICC profile or the PNG chunks of a file. A profile that is
//! damaged, or that makes white dark, is ignored; the colours are then taken as sRGB, as browsers do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use image::{DynamicImage, RgbaImage};
use moxcms::{
    Chromaticity, ColorPrimaries, ColorProfile, DataColorSpace, Layout, ParsingOptions, RenderingIntent,
    Transform8BitExecutor, TransformOptions, curve_from_gamma,
};

use super::decode::Samples;

/// The maximum size of a profile and of its tables in bytes. Profiles of printing presses have two million.
const PROFILE_BYTES: usize = 4 * 1024 * 1024;
/// The minimum value of each channel for white after conversion.
const MIN_WHITE: u8 = 160;
/// A profile that changes no channel by more than this is treated as sRGB; eight bits are no more precise.
const SRGB_TOLERANCE: u8 = 2;

/// The channel values at which a profile is compared with sRGB.
const PROBE_VALUES: [u8; 6] = [0, 51, 102, 153, 204, 255];

/// The colour information of a file.
pub(super) enum ColourInfo {
    /// An ICC profile.
    Profile(Vec<u8>),
    /// The gamma of a PNG, and its white point and red, green and blue primaries as x and y of CIE 1931.
    Png { gamma: f32, primaries: Option<[f32; 8]> },
}

impl ColourInfo {
    /// Reads the colour chunks of a PNG without a profile (PNG specification, 11.3.2). Returns `None` if the file
    /// states sRGB, or values that amount to sRGB.
    pub fn from_png(bytes: &[u8]) -> Option<Self> {
        let mut gamma: Option<f32> = None;
        let mut primaries: Option<[f32; 8]> = None;
        let mut rest = bytes.get(8..)?;
        loop {
            let (head, after) = rest.split_at_checked(8)?;
            let length = u32::from_be_bytes(head[..4].try_into().ok()?);
            let (data, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
            let number = |at: usize| -> Option<f32> {
                let bytes = data.get(at * 4..at * 4 + 4)?.try_into().ok()?;
                Some(u32::from_be_bytes(bytes) as f32 / 100_000.0)
            };
            match &head[4..] {
                b"sRGB" => return None,
                b"gAMA" => gamma = number(0),
                b"cHRM" => {
                    let numbers: Option<Vec<f32>> = (0..8).map(number).collect();
                    primaries = numbers.and_then(|numbers| numbers.try_into().ok());
                }
                b"IDAT" => break,
                _ => {}
            }
            rest = after.get(4..)?;
        }
        let gamma = gamma?;
        let primaries = primaries.filter(are_valid);
        let near = |numbers: &[f32; 8]| numbers.iter().zip(SRGB_PRIMARIES).all(|(a, b)| (a - b).abs() < 0.002);
        let srgb = (gamma - 0.454_55).abs() < 0.001 && primaries.as_ref().is_none_or(near);
        (!srgb && (0.05..=5.0).contains(&gamma)).then_some(Self::Png { gamma, primaries })
    }

    /// Converts the information to a profile, for grey or colour samples.
    fn profile(&self, grey: bool) -> Option<ColorProfile> {
        match self {
            Self::Profile(bytes) => {
                let options = ParsingOptions {
                    max_profile_size: PROFILE_BYTES,
                    max_allowed_clut_size: PROFILE_BYTES,
                    ..ParsingOptions::default()
                };
                ColorProfile::new_from_slice_with_options(bytes, options).ok()
            }
            Self::Png { gamma, .. } if grey => Some(ColorProfile::new_gray_with_gamma(1.0 / gamma)),
            Self::Png { gamma, primaries } => {
                let mut profile = ColorProfile::new_srgb();
                profile.cicp = None;
                let curve = curve_from_gamma(1.0 / gamma);
                profile.red_trc = Some(curve.clone());
                profile.green_trc = Some(curve.clone());
                profile.blue_trc = Some(curve);
                if let Some([white_x, white_y, red_x, red_y, green_x, green_y, blue_x, blue_y]) = *primaries {
                    let primaries = ColorPrimaries {
                        red: Chromaticity::new(red_x, red_y),
                        green: Chromaticity::new(green_x, green_y),
                        blue: Chromaticity::new(blue_x, blue_y),
                    };
                    profile.update_rgb_colorimetry(Chromaticity::new(white_x, white_y).to_xyyb(), primaries);
                }
                Some(profile)
            }
        }
    }
}

/// Whether the primaries span a triangle and white has a luminance.
fn are_valid(numbers: &[f32; 8]) -> bool {
    let [_, white, red_x, red_y, green_x, green_y, blue_x, blue_y] = *numbers;
    let area = (red_x - blue_x) * (green_y - blue_y) - (green_x - blue_x) * (red_y - blue_y);
    let inside = numbers.iter().all(|number| (0.0..=1.0).contains(number));
    inside && area.abs() > 0.01 && [white, red_y, green_y, blue_y].iter().all(|y| *y > 0.0)
}

/// The white point and the primaries of sRGB.
const SRGB_PRIMARIES: [f32; 8] = [0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06];

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
