//! Clips of generated sources: planned at known cuts and silences, and cut exactly at frames, in sync and with a steady
//! crop.

mod cuts;
mod plans;
mod vertical;

use std::path::Path;
use std::process::Command;

use reelhook_domain::clips::request::{ClipRequest, Lengths, Range, Source};
use reelhook_render::LocalRenderer;

use crate::ffmpeg;

/// A renderer that needs no fonts.
fn renderer() -> LocalRenderer {
    LocalRenderer::new("no fonts".into(), ffmpeg().program, std::env::temp_dir())
}

fn range(start_ms: u64, end_ms: u64) -> Range {
    Range { start_ms, end_ms }
}

/// A request for clips of these lengths.
fn request(count: Option<u32>, lengths: &[(u32, u32)]) -> ClipRequest {
    ClipRequest {
        count,
        lengths: lengths.iter().map(|(min_s, max_s)| Lengths { min_s: *min_s, max_s: *max_s }).collect(),
        ..ClipRequest::of(Source::Upload("uploads/source.mp4".to_owned()))
    }
}

/// The times of a file's frames in milliseconds.
fn times(file: &Path) -> Vec<f64> {
    let listed = Command::new(ffmpeg().program)
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args(["-map", "0:V:0", "-c", "copy", "-f", "framecrc", "-"])
        .output()
        .expect("ffmpeg runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let base = listed.lines().find_map(|line| line.strip_prefix("#tb 0: ")).expect("a time base");
    let (num, den) = base.split_once('/').expect("a fraction");
    let unit = 1000.0 * num.parse::<f64>().expect("a number") / den.parse::<f64>().expect("a number");
    let packets = listed.lines().filter(|line| line.starts_with("0,"));
    let pts =
        packets.map(|line| line.split(',').nth(2).and_then(|pts| pts.trim().parse::<f64>().ok()).expect("a time"));
    let mut times: Vec<f64> = pts.map(|pts| pts * unit).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// The mean brightness of each frame, 0 to 255.
fn brightness(file: &Path) -> Vec<f64> {
    let decoded = Command::new(ffmpeg().program)
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args(["-map", "0:V:0", "-fps_mode", "passthrough", "-vf", "scale=16:16:flags=area,format=yuv420p"])
        .args(["-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg runs");
    let mean = |frame: &[u8]| frame[..256].iter().map(|value| f64::from(*value)).sum::<f64>() / 256.0;
    decoded.stdout.chunks_exact(384).map(mean).collect()
}

/// The sound of a file from its start on, 8000 samples per second.
fn sound(file: &Path) -> Vec<i16> {
    let decoded = Command::new(ffmpeg().program)
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args(["-map", "0:a:0", "-af", "aresample=8000:async=1:first_pts=0", "-ac", "1", "-f", "s16le", "-"])
        .output()
        .expect("ffmpeg runs");
    decoded.stdout.chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect()
}
