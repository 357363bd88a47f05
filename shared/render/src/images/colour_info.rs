//! The colour information of a file: an ICC profile or the PNG chunks.

use moxcms::{Chromaticity, ColorPrimaries, ColorProfile, ParsingOptions, curve_from_gamma};

/// The maximum size of a profile and of its tables in bytes. Profiles of printing presses have two million.
const PROFILE_BYTES: usize = 4 * 1024 * 1024;

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
    pub fn profile(&self, grey: bool) -> Option<ColorProfile> {
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
