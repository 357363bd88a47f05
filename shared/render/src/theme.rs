//! The eight themes: colours with enough contrast for reading, and the typeface of headings.

use reelhook_domain::videos::film::Theme;

/// A colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    const fn hex(value: u32) -> Self {
        Self((value >> 16) as u8, (value >> 8) as u8, value as u8)
    }

    /// Relative luminance as WCAG 2 defines it, 0 to 1.
    pub fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// Contrast ratio as WCAG 2 defines it, 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance() + 0.05, other.luminance() + 0.05);
        if a > b { a / b } else { b / a }
    }

    /// Interpolates between this colour at 0 and the other at 1.
    pub(crate) fn mix(self, other: Self, part: f32) -> Self {
        let one = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * part).round() as u8;
        Self(one(self.0, other.0), one(self.1, other.1), one(self.2, other.2))
    }
}

/// The colours of a theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// The background colour at the top left.
    pub from: Rgb,
    /// The background colour at the bottom right.
    pub to: Rgb,
    /// The surface of cards.
    pub surface: Rgb,
    /// The border of cards.
    pub line: Rgb,
    /// Headings and text.
    pub ink: Rgb,
    /// Secondary text.
    pub muted: Rgb,
    /// Emphasised elements: buttons, numbers, badges.
    pub accent: Rgb,
    /// The end colour of the accent's gradient.
    pub accent_end: Rgb,
    /// Text on the accent.
    pub on_accent: Rgb,
    /// Borders and icons of right answers.
    pub good: Rgb,
}

/// The colours, typeface and shape parameters of a theme.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub palette: Palette,
    pub family: &'static str,
    pub weight: u16,
    pub tracking: f32,
    pub leading: f32,
    /// The corner radius of cards in design pixels.
    pub radius: f32,
    /// The opacity of shadows, 0 to 1.
    pub shadow: f32,
}

impl Palette {
    /// The colours of a theme.
    pub fn of(theme: Theme) -> Self {
        look(theme).palette
    }
}

const fn palette(colours: [u32; 10]) -> Palette {
    Palette {
        from: Rgb::hex(colours[0]),
        to: Rgb::hex(colours[1]),
        surface: Rgb::hex(colours[2]),
        line: Rgb::hex(colours[3]),
        ink: Rgb::hex(colours[4]),
        muted: Rgb::hex(colours[5]),
        accent: Rgb::hex(colours[6]),
        accent_end: Rgb::hex(colours[7]),
        on_accent: Rgb::hex(colours[8]),
        good: Rgb::hex(colours[9]),
    }
}

/// The look of a theme.
pub(crate) fn look(theme: Theme) -> Look {
    //                from      to        surface   line      ink       muted     accent    end       on        good
    let (colours, family, weight, tracking, leading, radius, shadow) = match theme {
        Theme::Corporate => (
            [0x0A1A3C, 0x123A78, 0x17356B, 0x2F5596, 0xFFFFFF, 0xBFD0EE, 0x6FB1FF, 0x8FD3FF, 0x06183A, 0x5BE3A0],
            "Plus Jakarta Sans",
            800,
            -0.022,
            1.10,
            28.0,
            0.40,
        ),
        Theme::Minimal => (
            [0xFFFFFF, 0xF3F2EE, 0xFFFFFF, 0xDEDCD5, 0x131313, 0x5A5C60, 0xC9341A, 0xD63B1E, 0xFFFFFF, 0x18794E],
            "Inter",
            800,
            -0.035,
            1.06,
            16.0,
            0.10,
        ),
        Theme::Vibrant => (
            [0x1B0A3A, 0x43127A, 0x35135F, 0x6A36A8, 0xFFFFFF, 0xDCCBF7, 0xFF79B8, 0xFFA36B, 0x2B0430, 0x6CF2B4],
            "Bricolage Grotesque",
            800,
            -0.02,
            1.04,
            36.0,
            0.45,
        ),
        Theme::Dark => (
            [0x07090D, 0x0E151D, 0x131B25, 0x263442, 0xF3F7FB, 0xA3B2C2, 0x2FDCF2, 0x5AA8FF, 0x03181C, 0x4ADE9A],
            "Sora",
            700,
            -0.03,
            1.12,
            24.0,
            0.55,
        ),
        Theme::Nature => (
            [0xF8F3E6, 0xE8E4CC, 0xFFFDF6, 0xD5D2B4, 0x1C3A2A, 0x47604F, 0x246A3E, 0x3B7A3C, 0xFFFFFF, 0x246A3E],
            "Fraunces",
            700,
            -0.015,
            1.08,
            32.0,
            0.12,
        ),
        Theme::Sunset => (
            [0x64102F, 0x962C1D, 0x741A30, 0xB5573F, 0xFFF8EF, 0xFFDCC4, 0xFFC76B, 0xFFA061, 0x4A0E1C, 0xC8F29A],
            "Bricolage Grotesque",
            800,
            -0.02,
            1.06,
            32.0,
            0.35,
        ),
        Theme::Ocean => (
            [0x052A45, 0x0A5566, 0x0C4258, 0x24748A, 0xF4FDFF, 0xBFE2E8, 0x5CE6CF, 0x7FD4FF, 0x04282E, 0x8DF5B4],
            "Sora",
            700,
            -0.03,
            1.12,
            30.0,
            0.35,
        ),
        Theme::Luxury => (
            [0x0A0907, 0x191510, 0x1D1811, 0x4B3F28, 0xF8F1E1, 0xC2B598, 0xDDB962, 0xF3DC9E, 0x1B1404, 0xB7D98C],
            "Playfair Display",
            700,
            -0.005,
            1.12,
            6.0,
            0.60,
        ),
    };
    Look { palette: palette(colours), family, weight, tracking, leading, radius, shadow }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_can_be_read() {
        for &theme in Theme::ALL {
            let colours = Palette::of(theme);
            for ground in [colours.from, colours.to, colours.surface] {
                for text in [colours.ink, colours.muted, colours.accent] {
                    let contrast = text.contrast(ground);
                    assert!(contrast >= 4.5, "{theme:?}: {text:?} on {ground:?} is {contrast:.2}");
                }
            }
            for ground in [colours.accent, colours.accent_end] {
                let contrast = colours.on_accent.contrast(ground);
                assert!(contrast >= 4.5, "{theme:?}: button is {contrast:.2}");
            }
        }
    }
}
