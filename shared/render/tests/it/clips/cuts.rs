//! Cuts: every frame of a clip is that of the source at its time, and the sound is that of the same time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reelhook_app::clips::perform::ports::ClipCutter;
use reelhook_domain::clips::request::{Layout, Range};

use super::{brightness, range, renderer, sound, times};
use crate::files::Directory;
use crate::pictures::make;

/// Cuts a clip as it is, and checks that its progress ends with its last frame.
async fn cut(source: &Path, range: Range, to: &Path) -> u64 {
    let percent = Arc::new(AtomicU32::new(0));
    let duration = renderer().cut(source, range, Layout::Original, to, Arc::clone(&percent)).await.expect("a clip");
    assert_eq!(percent.load(Ordering::Relaxed), 100);
    duration
}

/// A source whose frames differ from their neighbours by a sixth of the brightness at least.
fn source(directory: &Path, name: &str, rate: &str, more: &[&str]) -> PathBuf {
    let file = directory.join(name);
    let video = format!("nullsrc=s=64x48:r={rate}:d=8,format=yuv420p,geq=lum=20+mod(N*37\\,200):cb=128:cr=128");
    let tone = "sine=f=440:sample_rate=44100:d=8";
    let inputs = ["-f", "lavfi", "-i", video.as_str(), "-f", "lavfi", "-i", tone];
    make(&[&inputs[..], &["-c:v", "libx264", "-qp", "8", "-pix_fmt", "yuv420p", "-c:a", "aac"], more].concat(), &file);
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn clips_begin_and_end_exactly_at_frames() {
    let directory = Directory::new("exact cuts");
    let clip = directory.0.join("clip.mp4");
    // Two of six frames are left out: most frames last 33 ms, and some 100 ms.
    let uneven = ["-vf", "select=gt(mod(n\\,6)\\,1)", "-fps_mode", "vfr"];
    for (case, name, rate, more) in [
        ("B-frames", "a.mp4", "30", &["-bf", "3", "-b_strategy", "0", "-g", "250"][..]),
        ("a fractional rate", "b.mov", "30000/1001", &["-bf", "2", "-g", "48"]),
        ("Matroska", "c.mkv", "25", &["-bf", "2"]),
        ("a variable rate", "d.mp4", "30", &uneven),
        ("a variable rate in Matroska", "e.mkv", "30", &uneven),
    ] {
        let file = source(&directory.0, name, rate, more);
        let (shown, pictures) = (times(&file), brightness(&file));
        assert_eq!(shown.len(), pictures.len(), "{case}");
        for wanted in [range(0, 1500), range(2011, 4444), range(5000, 5034), range(6900, 60_000)] {
            let nearest = |ms: u64| {
                let away = |at: &usize| (shown[*at] - ms as f64).abs();
                (0..shown.len()).min_by(|one, other| away(one).total_cmp(&away(other))).expect("a frame")
            };
            let first = nearest(wanted.start_ms);
            let end = if wanted.end_ms > 9000 { shown.len() } else { nearest(wanted.end_ms).max(first + 1) };
            let duration = cut(&file, wanted, &clip).await;
            let (cut_times, cut_pictures) = (times(&clip), brightness(&clip));
            assert_eq!((cut_times.len(), cut_pictures.len()), (end - first, end - first), "{case}, {wanted:?}");
            for (at, (time, picture)) in cut_times.iter().zip(&cut_pictures).enumerate() {
                let expected = shown[first + at] - shown[first];
                assert!((time - expected).abs() < 0.02, "{case}, {wanted:?}: frame {at} at {time}, not {expected}");
                let off = (picture - pictures[first + at]).abs();
                assert!(off < 8.0, "{case}, {wanted:?}: frame {at} is another one ({off})");
            }
            if end < shown.len() {
                assert!((duration as f64 - (shown[end] - shown[first])).abs() <= 1.0, "{case}, {wanted:?}: {duration}");
            }
            let samples = sound(&clip).len() as f64 / 8.0;
            // The last packet of the sound may be longer.
            assert!((-2.0..=150.0).contains(&(samples - duration as f64)), "{case}, {wanted:?}: {samples} ms");
        }
        let bytes = std::fs::read(&clip).expect("the clip");
        let at = |name: &[u8]| bytes.windows(4).position(|window| window == name);
        assert!(at(b"moov") < at(b"mdat"), "playback can start before the file is loaded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_and_sound_stay_in_sync() {
    let directory = Directory::new("sync");
    // At each full second, the picture is white and a tone sounds, for 0.2 s.
    let video = "nullsrc=s=64x48:r=30:d=12,format=yuv420p,geq=lum=16+200*lt(mod(N\\,30)\\,6):cb=128:cr=128";
    let tone = "aevalsrc=0.5*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.2):s=48000:d=12";
    for name in ["sync.mp4", "sync.mkv"] {
        let (file, clip) = (directory.0.join(name), directory.0.join("clip.mp4"));
        let inputs = ["-f", "lavfi", "-i", video, "-f", "lavfi", "-i", tone];
        make(&[&inputs[..], &["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"]].concat(), &file);
        for wanted in [range(2300, 9450), range(0, 3500), range(7511, 12_000)] {
            cut(&file, wanted, &clip).await;
            let (shown, pictures, samples) = (times(&clip), brightness(&clip), sound(&clip));
            let flashes = (1..pictures.len()).filter(|at| pictures[*at] > 100.0 && pictures[at - 1] < 100.0);
            let flashes: Vec<f64> = flashes.map(|at| shown[at] - shown[0]).collect();
            assert!(flashes.len() >= 3, "{name}, {wanted:?}: {flashes:?}");
            for flash in flashes {
                let from = ((flash - 100.0) * 8.0).max(0.0) as usize;
                let loud = samples[from..].iter().position(|sample| sample.unsigned_abs() > 4000).expect("a tone");
                let off = (from + loud) as f64 / 8.0 - flash;
                assert!(off.abs() < 25.0, "{name}, {wanted:?}: the tone at {flash} ms is {off} ms late");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_lasts_long_makes_no_clip_longer_than_the_longest() {
    let directory = Directory::new("long frames");
    let (file, clip) = (directory.0.join("source.mp4"), directory.0.join("clip.mp4"));
    // The last frame before two seconds lasts until 145.
    let (video, tone) = ("testsrc2=s=64x48:r=10:d=150", "sine=f=440:sample_rate=8000:d=150");
    let inputs = ["-f", "lavfi", "-i", video, "-f", "lavfi", "-i", tone];
    let uneven = ["-vf", "select=lt(t\\,1.95)+gte(t\\,145)", "-fps_mode", "vfr"];
    make(&[&inputs[..], &uneven, &["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"]].concat(), &file);
    assert_eq!(cut(&file, range(1000, 100_000), &clip).await, 120_000);
    assert_eq!(times(&clip).len(), 10);
    let samples = sound(&clip);
    let length = samples.len() as f64 / 8.0;
    assert!((-2.0..=150.0).contains(&(length - 120_000.0)), "{length} ms");
    // A period has 18 samples.
    let silent = samples[800..119 * 8000].chunks(100).position(|part| part.iter().all(|one| one.unsigned_abs() < 1000));
    assert_eq!(silent, None, "the tone sounds under the long frame too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_sound_has_clips_without_sound() {
    let directory = Directory::new("silent cuts");
    let (file, clip) = (directory.0.join("source.mp4"), directory.0.join("clip.mp4"));
    let source = "testsrc2=s=64x48:r=25:d=4";
    make(&["-f", "lavfi", "-i", source, "-c:v", "libx264", "-pix_fmt", "yuv420p"], &file);
    assert_eq!(cut(&file, range(1000, 3000), &clip).await, 2000);
    let (frames, description) = crate::files::count(&clip, "0:v:0");
    assert_eq!(frames, 50);
    assert!(!description.contains("Audio:"), "{description}");
}
