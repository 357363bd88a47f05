//! Plans: clips begin and end at the cuts and silences of a film.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reelhook_app::clips::perform::ports::{ClipCutter, ClipPlan, ClipScorer};
use reelhook_domain::clips::clip::SourceFacts;
use reelhook_domain::clips::request::ClipRequest;

use super::{range, renderer, request};
use crate::files::Directory;
use crate::pictures::make;

/// A film of 80 s with cuts at 20, 37 and 60 s, each in a silence of 0.8 s, and a silence in the scene before the last.
fn film(directory: &Path) -> PathBuf {
    let file = directory.join("film.mp4");
    let scenes = ["color=red:s=320x180:r=30:d=20", "color=green:s=320x180:r=30:d=17", "testsrc2=s=320x180:r=30:d=23"];
    let last = "color=blue:s=320x180:r=30:d=20";
    let tone = "aevalsrc=0.4*sin(2*PI*440*t)*(1-between(t\\,19.6\\,20.4)-between(t\\,36.6\\,37.4)\
                -between(t\\,48\\,48.5)-between(t\\,59.6\\,60.4)):s=48000:d=80";
    let inputs = scenes.iter().copied().chain([last, tone]).flat_map(|source| ["-f", "lavfi", "-i", source]);
    let mut arguments: Vec<&str> = inputs.collect();
    arguments.extend(["-filter_complex", "[0:v][1:v][2:v][3:v]concat=n=4:v=1:a=0[v]", "-map", "[v]", "-map", "4:a"]);
    arguments.extend(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]);
    make(&arguments, &file);
    file
}

/// Plans clips of a file, and checks that its progress ends with its last second.
async fn plan(file: &Path, request: &ClipRequest) -> ClipPlan {
    let renderer = renderer();
    let shape = renderer.shape(file).await.expect("a shape");
    let facts = SourceFacts {
        duration_ms: shape.duration_ms,
        width: shape.width,
        height: shape.height,
        fps: shape.fps,
        sound: shape.sound,
        key: "clips/source.mp4".to_owned(),
    };
    let percent = Arc::new(AtomicU32::new(0));
    let plan = renderer.plan(file, &facts, request, Arc::clone(&percent)).await.expect("a plan");
    assert!(percent.load(Ordering::Relaxed) >= 99, "{percent:?}");
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn clips_end_at_cuts_and_silences() {
    let directory = Directory::new("planned clips");
    let file = film(&directory.0);
    let shape = renderer().shape(&file).await.expect("a shape");
    assert_eq!((shape.duration_ms, shape.width, shape.height), (80_000, 320, 180));
    assert_eq!((shape.fps, shape.sound), ((30, 1), true));

    let wanted = request(Some(10), &[(15, 30)]);
    let found = plan(&file, &wanted).await;
    assert_eq!(found.findings.scene_changes, [20_000, 37_000, 60_000]);
    assert_eq!(found.findings.silences.len(), 4, "{:?}", found.findings.silences);
    assert_eq!((found.findings.loudness.len(), found.findings.motion.len()), (80, 80));
    let mut ranges: Vec<(u64, u64)> = found.clips.iter().map(|clip| (clip.range.start_ms, clip.range.end_ms)).collect();
    ranges.sort_unstable();
    assert_eq!(ranges, [(0, 20_000), (20_000, 37_000), (37_000, 60_000), (60_000, 80_000)]);
    assert!(found.clips.windows(2).all(|pair| pair[0].score >= pair[1].score), "the best one first");
    for clip in &found.clips {
        assert!((0.0..=1.0).contains(&clip.score), "{clip:?}");
        for part in ["energy", "variety", "activity", "clean_start", "clean_end", "length"] {
            assert!(clip.basis[part].as_f64().is_some_and(|part| (0.0..=1.0).contains(&part)), "{part}: {clip:?}");
        }
        assert_eq!(clip.basis["scenes"], 1);
        let again = renderer().score(&file, clip.range, &wanted, &found.findings).await.expect("a score");
        assert_eq!((again.score, &again.basis), (clip.score, &clip.basis), "the same range has the same score");
    }
    // The scene with motion is the best one.
    assert_eq!(found.clips[0].range.start_ms, 37_000);

    // Any other lengths and ranges end within half a second of a cut or silence too.
    let known = [0, 20_000, 37_000, 48_250, 60_000, 80_000];
    for (lengths, ranges) in [(&[(30, 60)][..], vec![]), (&[], vec![]), (&[(15, 30)], vec![range(19_800, 60_300)])] {
        let request = ClipRequest { ranges, ..request(None, lengths) };
        let found = plan(&file, &request).await;
        assert!(!found.clips.is_empty(), "{lengths:?}");
        for clip in &found.clips {
            for ms in [clip.range.start_ms, clip.range.end_ms] {
                assert!(known.iter().any(|known| ms.abs_diff(*known) <= 500), "{clip:?}");
                let frame = (ms as f64 * 30.0 / 1000.0).round();
                assert_eq!((frame * 1000.0 / 30.0).round() as u64, ms, "at a frame: {clip:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_silent_source_is_one_clip() {
    let directory = Directory::new("a short source");
    let file = directory.0.join("short.mkv");
    let source = "testsrc2=s=64x48:r=25:d=4";
    make(&["-f", "lavfi", "-i", source, "-c:v", "libx264", "-pix_fmt", "yuv420p"], &file);
    let found = plan(&file, &request(None, &[])).await;
    assert_eq!(found.clips.len(), 1);
    assert_eq!(found.clips[0].range, range(0, 4000));
    assert!(!found.clips[0].basis.contains_key("activity") && found.findings.loudness.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_video_is_refused_for_good() {
    let directory = Directory::new("no video");
    let file = directory.0.join("page.mp4");
    std::fs::write(&file, "<!doctype html>").expect("a file");
    let refused = renderer().shape(&file).await.expect_err("no video");
    assert!(refused.is_permanent(), "{refused}");
}
