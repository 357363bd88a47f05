//! What videos show and sound like, decoded with ffmpeg: frames, how much two of them differ, and gaps in the sound.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::stack::Stack;

/// The size at which frames are compared.
pub const WIDTH: usize = 320;
const HEIGHT: usize = 180;
/// Bytes of a pixel.
const RGB: usize = 3;
/// The rate at which sound is decoded.
pub const SAMPLES: usize = 48_000;
/// The areas of which a perceptual hash compares the brightness with that of the next one.
const ACROSS: usize = 9;
const DOWN: usize = 8;
/// The mean ΔE of two frames that show the same picture, at most.
pub const SAME: f64 = 2.0;
/// What encoders change in a picture that does not move.
const NOISE: f64 = 0.1;
/// A difference of brightness that a hash regards, of 255: encoders change smooth areas by less.
const STEP: f64 = 3.0;

/// A frame: its pixels, in rows.
pub struct Frame(Vec<u8>);

/// Downloads a file to the disk.
pub async fn download(stack: &Stack, url: &Value, name: &str) -> PathBuf {
    let url = url.as_str().unwrap_or_else(|| panic!("{name} has no URL"));
    let answer = stack.http.get(url).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{url}");
    let path = std::env::temp_dir().join(format!("reelhook-{}-{name}", std::process::id()));
    std::fs::write(&path, answer.bytes().await.expect("a file")).expect("written");
    path
}

/// The ffmpeg of the stack's renderers.
pub fn program() -> String {
    let path = std::env::var("REELHOOK_RUN").expect("REELHOOK_RUN names a run.json");
    let run: Value = serde_json::from_slice(&std::fs::read(path).expect("run.json")).expect("JSON");
    run["parameters"]["Ffmpeg"].as_str().expect("the parameter Ffmpeg").to_owned()
}

fn decoded(file: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(program());
    command.args(["-v", "error", "-nostdin", "-i"]).arg(file).args(arguments).arg("-");
    let output = command.output().expect("ffmpeg runs");
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The frames of a video, or the one of an image, each once and in the order in which they are shown.
pub fn frames(file: &Path) -> Vec<Frame> {
    filtered(file, "null")
}

/// The frames of a video from one number until before another.
pub fn frames_between(file: &Path, first: u64, end: u64) -> Vec<Frame> {
    filtered(file, &format!("trim=start_frame={first}:end_frame={end}"))
}

fn filtered(file: &Path, filter: &str) -> Vec<Frame> {
    let scale = format!("{filter},scale={WIDTH}:{HEIGHT}:flags=accurate_rnd+full_chroma_int");
    let raw = ["-an", "-fps_mode", "passthrough", "-vf", &scale, "-pix_fmt", "rgb24", "-f", "rawvideo"];
    let pixels = decoded(file, &raw);
    let frames: Vec<Frame> = pixels.chunks_exact(WIDTH * HEIGHT * RGB).map(|frame| Frame(frame.to_vec())).collect();
    assert!(!frames.is_empty(), "{} has no frame", file.display());
    frames
}

/// The sound of a video, mixed to one channel.
pub fn sound(file: &Path) -> Vec<f64> {
    let rate = SAMPLES.to_string();
    let raw = decoded(file, &["-vn", "-ac", "1", "-ar", &rate, "-f", "s16le"]);
    raw.chunks_exact(2).map(|sample| f64::from(i16::from_le_bytes([sample[0], sample[1]]))).collect()
}

/// The parts of a constant sound that are much quieter than the rest, in seconds; its beginning and end do not count.
pub fn gaps(sound: &[f64]) -> Vec<f64> {
    // 10 ms: several periods of a tone, and shorter than a frame.
    let size = SAMPLES / 100;
    let loudness = |window: &[f64]| (window.iter().map(|sample| sample * sample).sum::<f64>() / size as f64).sqrt();
    let windows: Vec<f64> = sound.chunks_exact(size).map(loudness).collect();
    let mut sorted = windows.clone();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted[sorted.len() / 2];
    assert!(usual > 200.0, "the sound is silent: {usual}");
    let inner = windows.iter().enumerate().skip(5).take(windows.len().saturating_sub(10));
    inner.filter(|(_, loudness)| **loudness < usual / 3.0).map(|(at, _)| at as f64 / 100.0).collect()
}

/// Asserts that a frame shows the same picture as the last one of a video (by the mean ΔE of CIE 1976, and nearly the same
/// perceptual hash), and that no other frame of the video is more like it.
pub fn assert_last(frame: &Frame, video: &[Frame], what: &str) {
    let last = video.last().expect("a frame");
    let (difference, distance) = (delta_e(frame, last), (hash(frame) ^ hash(last)).count_ones());
    assert!(difference <= SAME && distance <= 4, "{what}: ΔE {difference:.2}, {distance} bits of the hash differ");
    for (index, one) in video.iter().enumerate() {
        let other = delta_e(frame, one);
        assert!(
            other >= difference - NOISE,
            "{what}: ΔE {difference:.2} to the last frame, {other:.2} to frame {index}"
        );
    }
}

/// The mean difference of two frames in the Lab colour space (CIE 1976).
pub fn delta_e(one: &Frame, other: &Frame) -> f64 {
    let pairs = one.0.chunks_exact(RGB).zip(other.0.chunks_exact(RGB));
    let sum: f64 = pairs.map(|(one, other)| if one == other { 0.0 } else { distance(lab(one), lab(other)) }).sum();
    sum / (WIDTH * HEIGHT) as f64
}

fn distance(one: [f64; 3], other: [f64; 3]) -> f64 {
    one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum::<f64>().sqrt()
}

/// A pixel of sRGB in Lab, with the white point D65.
fn lab(pixel: &[u8]) -> [f64; 3] {
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value > 0.040_45 { ((value + 0.055) / 1.055).powf(2.4) } else { value / 12.92 }
    };
    let (r, g, b) = (linear(pixel[0]), linear(pixel[1]), linear(pixel[2]));
    let curve = |value: f64| if value > 0.008_856 { value.cbrt() } else { 7.787 * value + 16.0 / 116.0 };
    let x = curve((0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47);
    let y = curve(0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b);
    let z = curve((0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b) / 1.088_83);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// A perceptual hash (dHash): whether each of 64 areas is darker than the one to its right.
fn hash(frame: &Frame) -> u64 {
    let brightness = |column: usize, row: usize| {
        let (left, right) = (WIDTH * column / ACROSS, WIDTH * (column + 1) / ACROSS);
        let (top, bottom) = (HEIGHT * row / DOWN, HEIGHT * (row + 1) / DOWN);
        let mut sum = 0.0;
        for y in top..bottom {
            let line = &frame.0[(y * WIDTH + left) * RGB..(y * WIDTH + right) * RGB];
            let weighted =
                |pixel: &[u8]| 0.299 * f64::from(pixel[0]) + 0.587 * f64::from(pixel[1]) + 0.114 * f64::from(pixel[2]);
            sum += line.chunks_exact(RGB).map(weighted).sum::<f64>();
        }
        sum / ((right - left) * (bottom - top)) as f64
    };
    let mut hash = 0;
    for (row, column) in (0..DOWN).flat_map(|row| (0..ACROSS - 1).map(move |column| (row, column))) {
        let is_darker = brightness(column, row) + STEP < brightness(column + 1, row);
        hash = (hash << 1) | u64::from(is_darker);
    }
    hash
}

#[test]
fn differences_are_those_of_lab_and_a_moved_picture_has_another_hash() {
    let plain = |rgb: [u8; 3]| Frame(rgb.repeat(WIDTH * HEIGHT));
    assert!((delta_e(&plain([0; 3]), &plain([255; 3])) - 100.0).abs() < 0.1);
    // The distance of sRGB's red and green is 170.6 in CIE 1976.
    assert!((delta_e(&plain([255, 0, 0]), &plain([0, 255, 0])) - 170.6).abs() < 0.5);
    let half = |left: bool| {
        let row: Vec<u8> = (0..WIDTH).flat_map(|x| if (x < WIDTH / 2) == left { [20; 3] } else { [230; 3] }).collect();
        Frame(row.repeat(HEIGHT))
    };
    assert_eq!(hash(&half(true)), hash(&half(true)));
    assert!((hash(&half(true)) ^ hash(&half(false))).count_ones() >= 8);
}

#[test]
fn silence_in_a_tone_is_found() {
    let tone: Vec<f64> = (0..SAMPLES).map(|at| 8000.0 * (at as f64 * 0.0576).sin()).collect();
    assert_eq!(gaps(&tone), Vec::<f64>::new());
    let mut broken = tone;
    broken[24_000..24_960].fill(0.0);
    assert_eq!(gaps(&broken), [0.5, 0.51]);
}
