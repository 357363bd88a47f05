//! The vertical crop: it follows what moves from scene to scene, and never moves within one.

use std::sync::Arc;

use image::{RgbImage, imageops};
use reelhook_app::clips::perform::ports::ClipCutter;
use reelhook_domain::clips::request::Layout;

use super::{range, renderer};
use crate::files::Directory;
use crate::pictures::{delta_e, frames, make};

/// The first frame of the second scene in the clip: the source changes at 5 s, and the clip begins at 3 s.
const CHANGE: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_crop_is_steady_within_a_scene_and_shows_what_moves() {
    let directory = Directory::new("vertical clips");
    let (file, clip) = (directory.0.join("source.mp4"), directory.0.join("clip.mp4"));
    // Vertical stripes, brighter in the second scene, and a white box that moves up and down: first left, and then
    // right.
    let stripes = "nullsrc=s=320x180:r=30:d=10,format=yuv420p,geq=lum=50+mod(X*5\\,90)+40*gte(T\\,5):cb=128:cr=128";
    let scene = "[0:v][1:v]overlay=x='if(lt(t,5),20,270)':y='75+40*sin(4*t)':eval=frame[v]";
    let inputs = ["-f", "lavfi", "-i", stripes, "-f", "lavfi", "-i", "color=white:s=30x30:r=30:d=10"];
    let encoder = ["-filter_complex", scene, "-map", "[v]", "-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p"];
    make(&[&inputs[..], &encoder].concat(), &file);

    let duration = renderer().cut(&file, range(3000, 8000), Layout::Vertical, &clip, Arc::default()).await;
    assert_eq!(duration.expect("a clip"), 5000);
    let pictures = frames(&clip, (102, 180), "bt709");
    assert_eq!(pictures.len(), 150);
    // Above the box there are only stripes: they stand still.
    let top = |frame: usize| imageops::crop_imm(&pictures[frame], 0, 0, 102, 28).to_image();
    for (first, end) in [(0, CHANGE), (CHANGE, 150)] {
        let still: RgbImage = top(first);
        for frame in first..end {
            let difference = delta_e(&top(frame), &still);
            assert!(difference < 3.0, "the crop moves at frame {frame}: {difference}");
        }
    }
    assert!(delta_e(&top(CHANGE - 1), &top(CHANGE)) > 8.0, "the second scene begins at its frame");
    for (at, picture) in pictures.iter().enumerate() {
        let white = picture.pixels().filter(|pixel| pixel.0.iter().all(|value| *value > 225)).count();
        assert!(white > 650, "frame {at} shows {white} of 900 pixels of the box");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tall_source_stays_whole() {
    let directory = Directory::new("tall clips");
    let (file, clip) = (directory.0.join("source.mp4"), directory.0.join("clip.mp4"));
    let source = "testsrc2=s=90x160:r=25:d=3";
    make(&["-f", "lavfi", "-i", source, "-c:v", "libx264", "-pix_fmt", "yuv420p"], &file);
    let cut = renderer().cut(&file, range(0, 3000), Layout::Vertical, &clip, Arc::default()).await;
    assert_eq!(cut.expect("a clip"), 3000);
    let (_, description) = crate::files::count(&clip, "0:v:0");
    assert!(description.contains("90x160"), "{description}");
}
