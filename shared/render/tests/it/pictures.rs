//! Small test videos, their frames as ffmpeg decodes them, and measures of how equal two pictures are.

use std::path::Path;
use std::process::Command;

use image::{Rgb, RgbImage};

use crate::ffmpeg;

/// Runs ffmpeg with these arguments, which end with the file to write.
pub fn make(arguments: &[&str], to: &Path) {
    let made = Command::new(ffmpeg().program)
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments)
        .arg(to)
        .output()
        .expect("ffmpeg runs");
    assert!(made.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
}

/// A source of frames of one colour, which changes with each frame.
pub fn coloured(size: &str, frames: u32) -> String {
    format!("nullsrc=s={size}:r=30,format=gbrp,geq=r=40+2*N:g=220-2*N:b=90,trim=end_frame={frames}")
}

/// The colour of such a frame.
pub fn colour(frame: u32) -> Rgb<u8> {
    Rgb([(40 + 2 * frame) as u8, (220 - 2 * frame) as u8, 90])
}

/// All frames of a video of this size, decoded with the matrix `bt709` or `bt601`, in limited range.
pub fn frames(video: &Path, (width, height): (u32, u32), matrix: &str) -> Vec<RgbImage> {
    let decoded = Command::new(ffmpeg().program)
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(video)
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-vf"])
        .arg(format!("scale=in_color_matrix={matrix}:in_range=tv:flags=neighbor+accurate_rnd+full_chroma_int"))
        .args(["-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg runs");
    let size = (width * height * 3) as usize;
    let frame = |bytes: &[u8]| RgbImage::from_raw(width, height, bytes.to_vec()).expect("a frame");
    decoded.stdout.chunks_exact(size).map(frame).collect()
}

/// The mean difference of all pixels (CIE 1976 ΔE).
pub fn delta_e(one: &RgbImage, other: &RgbImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let pairs = one.pixels().zip(other.pixels());
    let sum: f64 = pairs
        .map(|(one, other)| {
            let (one, other) = (lab(one), lab(other));
            one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum::<f64>().sqrt()
        })
        .sum();
    sum / f64::from(one.width() * one.height())
}

/// A perceptual hash: whether the picture becomes brighter from each of 8x8 places to the next one on the right.
pub fn hash(picture: &RgbImage) -> u64 {
    let small = image::imageops::resize(picture, 9, 8, image::imageops::FilterType::Triangle);
    let grey = |x, y| small.get_pixel(x, y).0.iter().map(|value| u32::from(*value)).sum::<u32>();
    (0..8)
        .flat_map(|y| (0..8).map(move |x| (x, y)))
        .fold(0, |hash, (x, y)| (hash << 1) | u64::from(grey(x, y) < grey(x + 1, y)))
}

fn lab(Rgb(rgb): &Rgb<u8>) -> [f64; 3] {
    let [r, g, b] = rgb.map(|value| {
        let value = f64::from(value) / 255.0;
        if value > 0.040_45 { ((value + 0.055) / 1.055).powf(2.4) } else { value / 12.92 }
    });
    let [x, y, z] = [
        (0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47,
        0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b,
        (0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b) / 1.088_83,
    ]
    .map(|value: f64| if value > 0.008_856 { value.cbrt() } else { 7.787 * value + 16.0 / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}
