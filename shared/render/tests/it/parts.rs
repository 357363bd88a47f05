//! Parts of scenes: frames that repeat are not sent to ffmpeg and are in the file all the same, and the transition and the
//! body of a scene are files that join to the same frames, whichever of them were drawn together.

use std::future::pending;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use reelhook_app::videos::ports::PartFile;
use reelhook_domain::videos::film::{Rendition, Scene, SceneKind, Theme, Transition};
use reelhook_render::{LaidOutScene, SceneInput, Yuv, parts};

use crate::files::{Directory, even};
use crate::mp4::times;
use crate::{ffmpeg, fonts, samples};

const SIZE: (u32, u32) = (640, 360);

/// The luma of all frames of a file.
fn decoded(file: &Path) -> Vec<Vec<u8>> {
    let output = Command::new(ffmpeg().program)
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args(["-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks_exact((SIZE.0 * SIZE.1 * 3 / 2) as usize).map(luma).collect()
}

fn luma(frame: &[u8]) -> Vec<u8> {
    frame[..(SIZE.0 * SIZE.1) as usize].to_vec()
}

/// The luma of all frames as they are drawn.
fn drawn(input: &SceneInput<'_>) -> Vec<Vec<u8>> {
    let mut laid_out = LaidOutScene::new(&mut fonts(), input, &samples::images()).expect("a scene");
    let mut frame = Yuv::new(SIZE.0, SIZE.1);
    let draw = |at| {
        laid_out.draw(at, &mut frame);
        luma(frame.bytes())
    };
    (0..input.scene.frames).map(draw).collect()
}

/// The sum of the differences of all pixels.
fn apart(one: &[u8], other: &[u8]) -> u64 {
    one.iter().zip(other).map(|(one, other)| u64::from(one.abs_diff(*other))).sum()
}

/// Every frame of a file is the drawn frame with its number, and no other one.
fn assert_frames(file: &Path, drawn: &[Vec<u8>]) {
    let shown = decoded(file);
    assert_eq!(shown.len(), drawn.len());
    for (at, (shown, frame)) in shown.iter().zip(drawn).enumerate() {
        let own = apart(shown, frame);
        assert!(own < u64::from(SIZE.0 * SIZE.1) * 3, "frame {at} differs by {own}");
        let neighbours = [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter_map(|at| drawn.get(at));
        for other in neighbours.filter(|other| apart(other, frame) > u64::from(SIZE.0 * SIZE.1) / 8) {
            assert!(own < apart(shown, other), "frame {at} shows a neighbour");
        }
    }
}

async fn encode(input: &SceneInput<'_>, files: &[PartFile]) -> Vec<u32> {
    let frames = files[0].frames.start..files[files.len() - 1].frames.end;
    let laid_out = LaidOutScene::part(&mut fonts(), input, &samples::images(), frames).expect("a scene");
    let (send, receive) = std::sync::mpsc::channel();
    let progress = move |written| send.send(written).expect("the test listens");
    ffmpeg().encode_parts(laid_out, files, progress, pending()).await.expect("files");
    receive.iter().collect()
}

fn file(directory: &Directory, name: &str, frames: Range<u32>) -> PartFile {
    PartFile { to: directory.0.join(format!("{name} 100%d {}.mp4", frames.start)), frames }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_repeats_is_shown_for_its_whole_time() {
    let directory = Directory::new("repeats");
    let before = samples::scene(SceneKind::HeroTitle, samples::usual(SceneKind::HeroTitle));
    // A number counts up, an answer comes late, a card stands still; scenes end while they move, and at once.
    for (kind, transition, frames) in [
        (SceneKind::Stats, None, 97),
        (SceneKind::Quiz, Some(Transition::Zoom), 150),
        (SceneKind::Cta, Some(Transition::Slide), 70),
        (SceneKind::Testimonial, None, 2),
        (SceneKind::Testimonial, None, 1),
    ] {
        let scene = Scene { frames, transition, ..samples::scene(kind, samples::usual(kind)) };
        let input = SceneInput {
            scene: &scene,
            before: Some(&before),
            theme: Theme::Sunset,
            size: SIZE,
            rendition: Rendition::Landscape,
        };
        let whole = file(&directory, "scene", 0..frames);
        let progress = encode(&input, std::slice::from_ref(&whole)).await;
        assert_eq!(progress.last(), Some(&frames));
        assert!(frames < 90 || progress.len() < frames as usize, "{} frames were sent", progress.len());
        assert_frames(&whole.to, &drawn(&input));
        assert_eq!(times(&std::fs::read(&whole.to).expect("a file")).runs, [(frames, 512)], "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_join_to_the_frames_of_the_scene() {
    let directory = Directory::new("parts");
    let before = samples::scene(SceneKind::HeroTitle, samples::usual(SceneKind::HeroTitle));
    let scene = Scene {
        frames: 97,
        transition: Some(Transition::Blur),
        ..samples::scene(SceneKind::Stats, samples::usual(SceneKind::Stats))
    };
    let input = SceneInput {
        scene: &scene,
        before: Some(&before),
        theme: Theme::Corporate,
        size: SIZE,
        rendition: Rendition::Landscape,
    };
    let expected = drawn(&input);
    let [transition, body] = &parts(&input)[..] else { panic!("two parts") };
    let named = |name| [file(&directory, name, transition.clone()), file(&directory, name, body.clone())];
    let (together, alone) = (named("together"), named("alone"));
    encode(&input, &together).await;
    for part in &alone {
        encode(&input, std::slice::from_ref(part)).await;
    }
    for part in together.iter().chain(&alone) {
        assert_frames(&part.to, &expected[part.frames.start as usize..part.frames.end as usize]);
    }
    for (first, second) in [(&together, &together), (&alone, &alone), (&together, &alone), (&alone, &together)] {
        let files: Vec<PathBuf> = vec![first[0].to.clone(), second[1].to.clone()];
        let film = directory.0.join("film.mp4");
        ffmpeg().join(&files, scene.frames, None, &film, &directory.0).await.expect("a film");
        assert_frames(&film, &expected);
        assert_eq!(times(&std::fs::read(&film).expect("the film")), even(scene.frames));
    }
    assert_eq!(std::fs::read_dir(&directory.0).expect("the directory").count(), 5, "no temporary file remains");
}
