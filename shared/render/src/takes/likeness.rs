//! Whether two frames show the same picture: their difference in the Lab colour space, where 2 is barely visible.

use image::RgbImage;

/// Frames are compared as so many areas, so that noise of encoders does not count.
const ACROSS: u32 = 64;
const DOWN: u32 = 36;

/// Encoders distort some areas a lot: so many of them do not count.
const OUTLIERS: usize = (ACROSS * DOWN) as usize / 400;

/// How much two frames differ (CIE 1976 ΔE, over small areas).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Likeness {
    /// The mean difference.
    pub mean: f32,
    /// The largest difference of an area, without outliers.
    pub worst: f32,
}

impl Likeness {
    /// Whether both are the same picture, encoded twice. One that moved on by a frame differs more at its moving edges.
    pub fn is_same(self) -> bool {
        self.mean <= 2.0 && self.worst <= 20.0
    }
}

/// Compares two frames, also of different sizes.
pub(crate) fn compare(one: &RgbImage, other: &RgbImage) -> Likeness {
    let (one, other) = (areas(one), areas(other));
    let distance = |(a, b): (&[f32; 3], &[f32; 3])| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
    let mut differences: Vec<f32> = one.iter().zip(&other).map(distance).collect();
    differences.sort_by(|one, other| other.total_cmp(one));
    Likeness { mean: differences.iter().sum::<f32>() / differences.len() as f32, worst: differences[OUTLIERS] }
}

/// The mean colour of each area, in Lab.
fn areas(frame: &RgbImage) -> Vec<[f32; 3]> {
    let (width, height) = frame.dimensions();
    let edge = |side: u32, at: u32, of: u32| (u64::from(side) * u64::from(at) / u64::from(of)) as u32;
    let mut areas = Vec::with_capacity((ACROSS * DOWN) as usize);
    for (row, column) in (0..DOWN).flat_map(|row| (0..ACROSS).map(move |column| (row, column))) {
        let (left, top) = (edge(width, column, ACROSS), edge(height, row, DOWN));
        let (right, bottom) = (edge(width, column + 1, ACROSS).max(left + 1), edge(height, row + 1, DOWN).max(top + 1));
        let mut sum = [0_u64; 3];
        for (y, x) in (top..bottom).flat_map(|y| (left..right).map(move |x| (y, x))) {
            for (sum, value) in sum.iter_mut().zip(frame.get_pixel(x.min(width - 1), y.min(height - 1)).0) {
                *sum += u64::from(value);
            }
        }
        let count = ((right - left) * (bottom - top)) as f32;
        areas.push(lab(sum.map(|sum| sum as f32 / count)));
    }
    areas
}

/// sRGB, 0 to 255, in Lab with the white point D65.
fn lab(rgb: [f32; 3]) -> [f32; 3] {
    let [r, g, b] = rgb.map(|value| {
        let value = value / 255.0;
        if value > 0.040_45 { ((value + 0.055) / 1.055).powf(2.4) } else { value / 12.92 }
    });
    let [x, y, z] = [
        (0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47,
        0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b,
        (0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b) / 1.088_83,
    ]
    .map(|value: f32| if value > 0.008_856 { value.cbrt() } else { 7.787 * value + 16.0 / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn differences_are_those_of_lab() {
        let plain = |rgb: [u8; 3]| RgbImage::from_pixel(320, 180, Rgb(rgb));
        let of = |one, other| compare(&plain(one), &plain(other));
        assert!(of([10, 20, 30], [10, 20, 30]).mean < 1e-4);
        assert!((of([0, 0, 0], [255, 255, 255]).mean - 100.0).abs() < 0.1);
        // The distance of sRGB's red and green is 170.6 in CIE 1976.
        assert!((of([255, 0, 0], [0, 255, 0]).mean - 170.6).abs() < 0.5);
        assert!(of([100, 100, 100], [103, 103, 103]).is_same() && !of([100, 100, 100], [110, 110, 110]).is_same());
    }

    #[test]
    fn a_small_part_that_moved_is_another_picture() {
        let with = |left: u32| {
            RgbImage::from_fn(320, 180, |x, y| {
                Rgb([if (left..left + 20).contains(&x) && (80..100).contains(&y) { 250 } else { 20 }; 3])
            })
        };
        assert!(compare(&with(100), &with(100)).is_same());
        let moved = compare(&with(100), &with(106));
        assert!(moved.mean < 2.0 && !moved.is_same(), "{moved:?}");
        let larger = image::imageops::resize(&with(100), 640, 360, image::imageops::FilterType::Triangle);
        assert!(compare(&with(100), &larger).mean < 2.0);
    }
}
