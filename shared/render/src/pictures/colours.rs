//! Colours as they were meant: what a file says of them, by a profile or as a PNG may without one, is converted to sRGB.
//! What is broken, or makes white dark, is passed over: the colours are sRGB then, as browsers take them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use image::{DynamicImage, RgbaImage};
use moxcms::{
    Chromaticity, ColorPrimaries, ColorProfile, DataColorSpace, Layout, ParsingOptions, RenderingIntent,
    Transform8BitExecutor, TransformOptions, curve_from_gamma,
};

use super::decode::Samples;

/// Most bytes of a profile, and of the tables in it. Those of printing presses have two million.
const PROFILE_BYTES: usize = 4 * 1024 * 1024;
/// White is brighter than this in each channel.
const LEAST_WHITE: u8 = 160;
/// A profile that changes no channel by more than this is sRGB, as precisely as it can be said in eight bits.
const SAME: u8 = 2;

/// Values of each channel at which a profile is tried.
const STEPS: [u8; 6] = [0, 51, 102, 153, 204, 255];

/// What a file says of its colours.
pub(super) enum Meaning {
    /// An ICC profile.
    Profile(Vec<u8>),
    /// A PNG's gamma, and its white, red, green and blue as x and y of CIE 1931.
    Png { gamma: f32, primaries: Option<[f32; 8]> },
}

impl Meaning {
    /// What a PNG without a profile says (PNG specification, 11.3.2); none where it says sRGB, or what comes to that.
    pub fn of_png(bytes: &[u8]) -> Option<Self> {
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
        let primaries = primaries.filter(spans);
        let near = |numbers: &[f32; 8]| numbers.iter().zip(SRGB_PRIMARIES).all(|(a, b)| (a - b).abs() < 0.002);
        let srgb = (gamma - 0.454_55).abs() < 0.001 && primaries.as_ref().is_none_or(near);
        (!srgb && (0.05..=5.0).contains(&gamma)).then_some(Self::Png { gamma, primaries })
    }

    /// It as a profile, for grey or coloured samples.
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

/// Whether there are colours between these primaries, and white has light.
fn spans(numbers: &[f32; 8]) -> bool {
    let [_, white, red_x, red_y, green_x, green_y, blue_x, blue_y] = *numbers;
    let area = (red_x - blue_x) * (green_y - blue_y) - (green_x - blue_x) * (red_y - blue_y);
    let inside = numbers.iter().all(|number| (0.0..=1.0).contains(number));
    inside && area.abs() > 0.01 && [white, red_y, green_y, blue_y].iter().all(|y| *y > 0.0)
}

/// White, red, green and blue of sRGB.
const SRGB_PRIMARIES: [f32; 8] = [0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06];

/// The samples in sRGB.
pub(super) fn to_srgb(samples: Samples, meaning: Option<&Meaning>) -> RgbaImage {
    match samples {
        Samples::Inks { width, height, bytes } => {
            let mut image = RgbaImage::new(width, height);
            let press = Converter::new(meaning, false, DataColorSpace::Cmyk);
            if press.is_none_or(|press| !press.convert(&bytes, &mut image)) {
                for (pixel, inks) in image.pixels_mut().zip(bytes.chunks_exact(4)) {
                    let left = |ink: u8| u32::from(255 - ink);
                    let light = |ink: u8| ((left(ink) * left(inks[3]) + 127) / 255) as u8;
                    pixel.0 = [light(inks[0]), light(inks[1]), light(inks[2]), 255];
                }
            }
            image
        }
        Samples::Light(image) if image.color().has_color() => coloured(image.into_rgba8(), meaning),
        Samples::Light(image) => {
            let Some(converter) = Converter::new(meaning, true, DataColorSpace::Gray) else {
                // A grey picture may have a profile for red, green and blue.
                return coloured(image.into_rgba8(), meaning);
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

fn coloured(image: RgbaImage, meaning: Option<&Meaning>) -> RgbaImage {
    let converter = Converter::new(meaning, false, DataColorSpace::Rgb);
    let Some(converter) = converter.filter(|converter| !converter.is_srgb()) else { return image };
    let mut converted = RgbaImage::new(image.width(), image.height());
    if converter.convert(&image, &mut converted) { converted } else { image }
}

/// A way from a file's colours to sRGB.
struct Converter {
    executor: Arc<Transform8BitExecutor>,
    channels: usize,
}

impl Converter {
    /// None where nothing is said, it is said of other samples, it can't be followed, or white would be dark.
    fn new(meaning: Option<&Meaning>, grey: bool, space: DataColorSpace) -> Option<Self> {
        let layout = if space == DataColorSpace::Gray { Layout::GrayAlpha } else { Layout::Rgba };
        let white: &[u8] = match space {
            DataColorSpace::Gray => &[255; 2],
            // Four inks are laid out as four channels of light are; none of them leaves the paper white.
            DataColorSpace::Cmyk => &[0; 4],
            _ => &[255; 4],
        };
        // Profiles come from anywhere.
        let executor = catch_unwind(AssertUnwindSafe(|| {
            let profile = meaning?.profile(grey).filter(|profile| profile.color_space == space)?;
            let srgb = ColorProfile::new_srgb();
            let intents =
                [RenderingIntent::Perceptual, RenderingIntent::RelativeColorimetric, RenderingIntent::Saturation];
            let executor = intents.into_iter().find_map(|rendering_intent| {
                let options = TransformOptions { rendering_intent, ..TransformOptions::default() };
                profile.create_transform_8bit(layout, &srgb, Layout::Rgba, options).ok()
            })?;
            let mut shown = [0; 4];
            executor.transform(white, &mut shown).ok()?;
            shown[..3].iter().all(|channel| *channel >= LEAST_WHITE).then_some(executor)
        }));
        Some(Self { executor: executor.ok().flatten()?, channels: white.len() })
    }

    /// Whether red, green and blue stay what they are.
    fn is_srgb(&self) -> bool {
        let mut colours = Vec::with_capacity(STEPS.len().pow(3) * 4);
        for r in STEPS {
            for g in STEPS {
                for b in STEPS {
                    colours.extend([r, g, b, 255]);
                }
            }
        }
        let mut shown = vec![0; colours.len()];
        self.executor.transform(&colours, &mut shown).is_ok()
            && colours.iter().zip(&shown).all(|(before, after)| before.abs_diff(*after) <= SAME)
    }

    /// Converts row by row; false where that fails, which leaves `to` half done.
    fn convert(&self, from: &[u8], to: &mut RgbaImage) -> bool {
        let width = to.width() as usize;
        let mut rows = from.chunks_exact(width * self.channels).zip(to.chunks_exact_mut(width * 4));
        rows.all(|(from, to)| self.executor.transform(from, to).is_ok())
    }
}
