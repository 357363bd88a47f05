//! Files: no frame is lost in encoding and joining, music is as long as the video, failures state their cause.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::process::Command;

use reelhook_domain::videos::film::{Rendition, Scene, SceneKind, Theme, Transition};
use reelhook_render::{LaidOutScene, RenderError, SceneInput, Soundtrack};

use crate::mp4::{Times, times};
use crate::{ffmpeg, fonts, samples};

/// A directory of this test, removed when it is dropped.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("reelhook render's {name} {}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Decodes a stream and counts its frames or microseconds; also returns ffmpeg's description of the file.
pub fn count(file: &Path, map: &str) -> (u64, String) {
    let output = Command::new(ffmpeg().program)
        .args(["-hide_banner", "-nostdin", "-i"])
        .arg(file)
        .args(["-map", map, "-progress", "-", "-nostats", "-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    let progress = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = |name: &str| {
        progress.lines().rev().find_map(|line| line.strip_prefix(name)).and_then(|value| value.trim().parse().ok())
    };
    let counted = if map.contains(":v") { last("frame=") } else { last("out_time_us=") };
    (counted.unwrap_or(0), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn scenes() -> Vec<Scene> {
    let scene = |kind: SceneKind, frames| Scene { frames, ..samples::scene(kind, samples::usual(kind)) };
    vec![
        scene(SceneKind::HeroTitle, 37),
        Scene { transition: Some(Transition::Slide), ..scene(SceneKind::Stats, 61) },
        scene(SceneKind::Cta, 1),
        Scene { transition: Some(Transition::Blur), ..scene(SceneKind::Quiz, 45) },
    ]
}

async fn encode(directory: &Path, rendition: Rendition, size: (u32, u32)) -> (Vec<PathBuf>, u32) {
    let (mut fonts, images) = (fonts(), samples::images());
    let (mut files, mut frames) = (Vec::new(), 0);
    let scenes = scenes();
    for (index, scene) in scenes.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| scenes.get(index));
        let input = SceneInput { scene, before, theme: Theme::Nature, size, rendition };
        let laid_out = LaidOutScene::new(&mut fonts, &input, &images).expect("a scene");
        let file = directory.join(format!("scene's {index}.mp4"));
        let (send, receive) = std::sync::mpsc::channel();
        let progress = move |written| send.send(written).expect("the test listens");
        ffmpeg().encode(laid_out, &file, progress, pending()).await.expect("a segment");
        assert_eq!(receive.iter().last(), Some(scene.frames));
        assert_eq!(count(&file, "0:v:0").0, u64::from(scene.frames), "segment {index}");
        frames += scene.frames;
        files.push(file);
    }
    (files, frames)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joined_film_has_every_frame_of_its_scenes() {
    let directory = Directory::new("film");
    let (segments, frames) = encode(&directory.0, Rendition::Landscape, (640, 360)).await;
    let film = directory.0.join("film.mp4");
    ffmpeg().join(&segments, frames, None, &film, &directory.0).await.expect("a film");
    let (counted, description) = count(&film, "0:v:0");
    assert_eq!(counted, u64::from(frames));
    assert!(
        description.contains("yuv420p(tv, bt709")
            && description.contains("h264 (High)")
            && description.contains("30 fps"),
        "{description}"
    );
    assert!(!description.contains("Audio:"), "{description}");
    let bytes = std::fs::read(&film).expect("the film");
    let at = |name: &[u8]| bytes.windows(4).position(|window| window == name);
    assert!(at(b"moov") < at(b"mdat"), "playback can start before the file is loaded");
    assert_eq!(
        std::fs::read_dir(&directory.0).expect("the directory").count(),
        segments.len() + 1,
        "no temporary file remains"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn music_is_repeated_and_ends_with_the_video() {
    let directory = Directory::new("music");
    let (segments, frames) = encode(&directory.0, Rendition::Portrait, (360, 640)).await;
    let track = directory.0.join("one second.wav");
    let made = Command::new(ffmpeg().program)
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "sine=frequency=330:duration=1:sample_rate=48000"])
        .arg(&track)
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    let music = Soundtrack { file: track, volume: 0.4, fade_in_ms: 300, fade_out_ms: 500 };
    let film = directory.0.join("film.mp4");
    ffmpeg().join(&segments, frames, Some(&music), &film, &directory.0).await.expect("a film");
    assert_eq!(count(&film, "0:v:0").0, u64::from(frames));
    let (length, description) = count(&film, "0:a:0");
    let expected = u64::from(frames) * 1_000_000 / 30;
    assert!(length.abs_diff(expected) < 60_000, "{length} for {expected}");
    assert!(description.contains("aac") && description.contains("44100 Hz, stereo"), "{description}");
}

/// The expected times of a file with this number of frames: no frame starts a tick early or late.
pub fn even(frames: u32) -> Times {
    let length = (15_360, frames * 512);
    Times { track: length, file: length, runs: vec![(frames, 512)] }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_of_a_joined_film_shows_for_a_thirtieth_of_a_second() {
    let directory = Directory::new("times");
    let (segments, _) = encode(&directory.0, Rendition::Landscape, (320, 180)).await;
    let music = directory.0.join("music.wav");
    let made = Command::new(ffmpeg().program)
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "sine=frequency=330:duration=1:sample_rate=48000"])
        .arg(&music)
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    let music = Soundtrack { file: music, volume: 0.4, fade_in_ms: 0, fade_out_ms: 100 };
    // Scenes of 37, 61, 1 and 45 frames do not last whole milliseconds. Join them alone, repeatedly, and in any order.
    let film = directory.0.join("film.mp4");
    for (order, frames) in [
        (vec![0], 37),
        (vec![2], 1),
        (vec![0, 1, 2, 3], 144),
        (vec![2, 2, 2, 2, 2, 2, 2], 7),
        (vec![1, 0, 1, 0, 2, 3, 0, 0], 316),
    ] {
        let segments: Vec<PathBuf> = order.iter().map(|at: &usize| segments[*at].clone()).collect();
        for music in [None, Some(&music)] {
            ffmpeg().join(&segments, frames, music, &film, &directory.0).await.expect("a film");
            let file = std::fs::read(&film).expect("the film");
            assert_eq!(times(&file), even(frames), "scenes {order:?}, music: {}", music.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_contains_the_output_of_ffmpeg() {
    let directory = Directory::new("failure");
    let broken = directory.0.join("broken.mp4");
    std::fs::write(&broken, b"no film").expect("a file");
    let film = directory.0.join("film.mp4");
    let failed = ffmpeg().join(std::slice::from_ref(&broken), 1, None, &film, &directory.0).await;
    assert!(
        matches!(&failed, Err(RenderError::Ffmpeg { stderr, .. }) if !stderr.is_empty() && stderr.len() <= 1_600),
        "{failed:?}"
    );
    let (mut segments, frames) = encode(&directory.0, Rendition::Landscape, (320, 180)).await;
    std::fs::remove_file(&segments[1]).expect("a segment");
    let failed = ffmpeg().join(&segments, frames, None, &film, &directory.0).await;
    assert!(
        matches!(&failed, Err(RenderError::Ffmpeg { stderr, .. }) if stderr.contains("No such file")),
        "a segment is missing: {failed:?}"
    );
    segments[1] = broken;
    let failed = ffmpeg().join(&segments, frames, None, &film, &directory.0).await;
    assert!(matches!(&failed, Err(RenderError::Ffmpeg { .. })), "a segment is damaged: {failed:?}");
    let scene = samples::scene(SceneKind::Cta, samples::usual(SceneKind::Cta));
    let input = SceneInput {
        scene: &scene,
        before: None,
        theme: Theme::Dark,
        size: (640, 360),
        rendition: Rendition::Landscape,
    };
    let laid_out = LaidOutScene::new(&mut fonts(), &input, &samples::images()).expect("a scene");
    let failed = ffmpeg().encode(laid_out, &directory.0.join("no such/place.mp4"), |_| {}, pending()).await;
    assert!(
        matches!(&failed, Err(RenderError::Ffmpeg { stderr, .. }) if stderr.contains("No such file")),
        "{failed:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn encoding_stops_on_request() {
    let directory = Directory::new("stop");
    let scene = Scene { frames: 100_000, ..samples::scene(SceneKind::Cta, samples::usual(SceneKind::Cta)) };
    let input = SceneInput {
        scene: &scene,
        before: None,
        theme: Theme::Dark,
        size: (640, 360),
        rendition: Rendition::Landscape,
    };
    let laid_out = LaidOutScene::new(&mut fonts(), &input, &samples::images()).expect("a scene");
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let mut send = Some(send);
    let progress = move |written| {
        if written == 20 {
            drop(send.take());
        }
    };
    let stop = async move { drop(receive.await) };
    let stopped = ffmpeg().encode(laid_out, &directory.0.join("scene.mp4"), progress, stop).await;
    assert!(matches!(stopped, Err(RenderError::Stopped)), "{stopped:?}");
}
