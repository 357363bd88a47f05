//! Joined takes: every frame once and at its time, the sound without a gap, copied where nothing has to change.

use std::path::{Path, PathBuf};
use std::process::Command;

use reelhook_render::{ConcatVideo, Rate, Take};

use crate::ffmpeg;
use crate::files::{Directory, count};
use crate::mp4::times;
use crate::pictures::{delta_e, frames, make};

/// Frames `from` to `until` of a moving picture, with the sound of their time.
fn part(directory: &Path, name: &str, (from, until): (u32, u32), encoder: &[&str]) -> PathBuf {
    let file = directory.join(name);
    let video = format!("testsrc2=s=320x180:r=30,trim=start_frame={from}:end_frame={until},setpts=PTS-STARTPTS");
    let (first, last) = (from * 1600, until * 1600);
    let sound = format!(
        "sine=f=440:sample_rate=48000,aformat=channel_layouts=stereo,atrim=start_sample={first}:end_sample={last}\
         ,asetpts=PTS-STARTPTS"
    );
    let inputs = ["-f", "lavfi", "-i", video.as_str(), "-f", "lavfi", "-i", sound.as_str()];
    make(
        &[&inputs[..], &["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "192k"], encoder].concat(),
        &file,
    );
    file
}

fn takes(files: &[PathBuf], continues: bool) -> Vec<Take> {
    files.iter().enumerate().map(|(at, path)| Take { path: path.clone(), continues: continues && at > 0 }).collect()
}

async fn join(takes: &[Take], directory: &Path) -> (ConcatVideo, PathBuf) {
    let (to, work) = (directory.join("joined.mp4"), directory.join("work"));
    std::fs::create_dir_all(&work).expect("a directory");
    let mut done = Vec::new();
    let video = ffmpeg().concat(takes, &to, &work, |frames| done.push(frames)).await.expect("a joined video");
    assert_eq!(done.last().copied().map(u64::from), Some(video.frames), "the progress ends with the last frame");
    (video, to)
}

/// The left channel of a file's sound.
fn sound(file: &Path) -> Vec<i16> {
    let decoded = Command::new(ffmpeg().program)
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args(["-map", "0:a:0", "-f", "s16le", "-ar", "48000", "-ac", "2", "-"])
        .output()
        .expect("ffmpeg runs");
    decoded.stdout.chunks_exact(4).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect()
}

/// Asserts that a tone of 440 Hz sounds from `from` to `until`: no 5 ms are quiet, and no sample jumps.
fn assert_sounds(samples: &[i16], from: usize, until: usize) {
    let samples = &samples[from..until];
    let peak = samples.iter().map(|value| value.unsigned_abs()).max().unwrap_or_default();
    for (at, part) in samples.chunks_exact(240).enumerate() {
        let loudest = part.iter().map(|value| value.unsigned_abs()).max().unwrap_or_default();
        assert!(loudest > peak / 2, "a gap at {} ms", at * 5);
    }
    // A tone of this frequency changes by a seventeenth of its peak from sample to sample, and by up to a quarter where an
    // encoder ended it.
    let jump = samples.windows(2).position(|pair| pair[0].abs_diff(pair[1]) > peak / 3);
    assert_eq!(jump, None, "a click");
}

fn assert_even(file: &Path, frames: u32) {
    assert_eq!(count(file, "0:v:0").0, u64::from(frames), "decoded frames");
    let times = times(&std::fs::read(file).expect("a file"));
    assert_eq!(times.runs.len(), 1, "{times:?}");
    let (scale, length) = times.track;
    assert_eq!((times.runs[0].0, length), (frames, frames * times.runs[0].1), "{times:?}");
    assert_eq!(scale, times.runs[0].1 * 30, "30 frames per second");
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_takes_are_copied_with_every_frame() {
    let directory = Directory::new("equal takes");
    for (case, encoder) in [("B-frames", &["-bf", "2"][..]), ("no B-frames", &["-bf", "0"])] {
        let parts = [(0, 31), (31, 50), (50, 90)];
        let files: Vec<PathBuf> =
            (0..).zip(parts).map(|(at, range)| part(&directory.0, &format!("{at}.mp4"), range, encoder)).collect();
        // They continue each other, but no frame is there twice.
        let (video, file) = join(&takes(&files, true), &directory.0).await;
        assert!(video.copied, "{case}");
        assert_eq!((video.frames, video.rate, video.size), (90, Rate { frames: 30, seconds: 1 }, (320, 180)));
        assert_eq!(video.duration_ms(), 3000);
        assert_even(&file, 90);
        let joined = frames(&file, (320, 180), "bt601");
        let first = frames(&files[1], (320, 180), "bt601");
        assert_eq!(joined.len(), 90);
        assert!(joined[31] == first[0], "{case}: copied frames are the same");
        let samples = sound(&file);
        assert!(samples.len().abs_diff(144_000) <= 1024, "{case}: {}", samples.len());
        assert_sounds(&samples, 480, 143_000);
        let bytes = std::fs::read(&file).expect("the file");
        let at = |name: &[u8]| bytes.windows(4).position(|window| window == name);
        assert!(at(b"moov") < at(b"mdat"), "playback can start before the file is loaded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_there_twice_is_shown_once() {
    let directory = Directory::new("doubled frames");
    for (encoder, copied) in
        [(&["-bf", "0", "-crf", "18"][..], true), (&["-bf", "2", "-crf", "18", "-b_strategy", "0"], false)]
    {
        let parts = [(0, 30), (29, 50), (49, 70)];
        let files: Vec<PathBuf> =
            (0..).zip(parts).map(|(at, range)| part(&directory.0, &format!("{at}.mp4"), range, encoder)).collect();
        let (video, file) = join(&takes(&files, true), &directory.0).await;
        assert_eq!((video.frames, video.copied), (70, copied));
        assert_even(&file, 70);
        // Encoded frames have the colours of BT.709, the takes have none, and thus those of BT.601.
        let joined = frames(&file, (320, 180), if copied { "bt601" } else { "bt709" });
        let second = frames(&files[1], (320, 180), "bt601");
        for (at, frame) in second.iter().take(20).enumerate() {
            let difference = delta_e(&joined[29 + at], frame);
            assert!(difference <= 3.5, "frame {}: {difference}", 29 + at);
        }
        let samples = sound(&file);
        assert!(samples.len().abs_diff(112_000) <= 1024, "{}", samples.len());
        assert_sounds(&samples, 480, 111_000);
        // Takes that do not continue each other keep all their frames.
        let (video, _) = join(&takes(&files, false), &directory.0).await;
        assert_eq!((video.frames, video.copied), (72, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn different_takes_get_one_size_rate_and_sound() {
    let directory = Directory::new("different takes");
    let film = directory.0.join("film.mp4");
    let tall = "testsrc2=s=120x180:r=24:d=1";
    make(&["-f", "lavfi", "-i", tall, "-c:v", "libx264", "-pix_fmt", "yuv420p"], &film);
    let usual = part(&directory.0, "usual.mp4", (0, 30), &["-bf", "2"]);
    let uneven = directory.0.join("uneven.mkv");
    let source = "testsrc2=s=320x180:r=30:d=1,select=gt(mod(n\\,5)\\,1)";
    let tone = "sine=f=440:sample_rate=44100:d=1";
    let encoder = ["-fps_mode", "vfr", "-c:v", "libx264", "-pix_fmt", "yuv444p", "-c:a", "aac"];
    make(&[&["-f", "lavfi", "-i", source, "-f", "lavfi", "-i", tone][..], &encoder].concat(), &uneven);
    let (video, file) = join(&takes(&[film, usual, uneven], false), &directory.0).await;
    assert!(!video.copied);
    assert_eq!((video.rate, video.size), (Rate { frames: 30, seconds: 1 }, (320, 180)));
    let length = u32::try_from(video.frames).expect("a short video");
    assert!((88..=90).contains(&length), "{length}");
    assert_even(&file, length);
    let (_, description) = count(&file, "0:v:0");
    assert!(description.contains("yuv420p(tv, bt709"), "{description}");
    assert!(description.contains("48000 Hz, stereo"), "{description}");
    let samples = sound(&file);
    assert!(samples.len().abs_diff(length as usize * 1600) <= 1024, "{}", samples.len());
    assert!(samples[..46_000].iter().all(|value| value.unsigned_abs() < 64), "a take without sound is silent");
    assert_sounds(&samples, 48_480, 95_000);
    assert_sounds(&samples, 97_000, 138_000);
    // The narrow take stands in the middle, between black bars.
    let first = &frames(&file, (320, 180), "bt709")[0];
    assert!(first.get_pixel(20, 90).0.iter().all(|value| *value < 8), "{:?}", first.get_pixel(20, 90));
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_without_sound_have_none() {
    let directory = Directory::new("no sound");
    let file = directory.0.join("take.mp4");
    make(&["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-c:v", "libx264", "-pix_fmt", "yuv420p"], &file);
    let (video, joined) = join(&takes(&[file.clone(), file], false), &directory.0).await;
    assert_eq!((video.frames, video.copied, video.duration_ms()), (50, true, 2000));
    let (frames, description) = count(&joined, "0:v:0");
    assert_eq!(frames, 50);
    assert!(!description.contains("Audio:"), "{description}");
}
