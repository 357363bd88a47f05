//! Scenes that our own renderers chain and stitch: each begins with the last frame of the one before, to the exact
//! frame.

use serde_json::{Value, json};

use super::backends::Backends;
use super::media::{Frame, SAME, SAMPLES, assert_last, delta_e, download, frames, gaps, sound};
use super::project::{behave_about, command, completed, made, open, scene_ids, scenes, scenes_of, started};
use crate::stack::Stack;

/// Frames per second of each scene here.
const FPS: usize = 25;

/// A project's videos, decoded.
struct Decoded {
    scenes: Vec<Vec<Frame>>,
    stitched: Vec<Frame>,
    sound: Vec<f64>,
}

/// Decodes the videos of a project, and compares each last frame that it shows with that of the video.
async fn decode(stack: &Stack, project: &Value) -> Decoded {
    let mut decoded = Vec::new();
    for (index, scene) in scenes_of(project).iter().enumerate() {
        let video = frames(&download(stack, &scene["videoUrl"], &format!("scene-{index}.mp4")).await);
        let image = frames(&download(stack, &scene["lastFrameUrl"], &format!("last-{index}.png")).await);
        assert_last(&image[0], &video, &format!("the last frame of scene {index}"));
        decoded.push(video);
    }
    let file = download(stack, &project["finalVideoUrl"], "stitched.mp4").await;
    Decoded { scenes: decoded, stitched: frames(&file), sound: sound(&file) }
}

impl Decoded {
    /// Each scene begins with the last frame of the one before, and moves: its other frames are not like its last one.
    fn assert_chained(&self) {
        for (index, pair) in self.scenes.windows(2).enumerate() {
            assert_last(&pair[1][0], &pair[0], &format!("the first frame after scene {index}"));
        }
        for scene in &self.scenes {
            let last = scene.last().expect("a frame");
            // A bar of the mock service may end where, and as, that of the scene before did.
            let moved = [&scene[0], &scene[scene.len() / 2]].map(|frame| delta_e(frame, last));
            assert!(moved.iter().any(|moved| *moved > SAME), "the picture moves: {moved:?}");
        }
    }

    /// The sound is as long as the picture, to a frame of each.
    fn assert_sound_fits(&self) {
        let expected = self.stitched.len() * SAMPLES / FPS;
        // A frame of the picture, and one of AAC.
        let tolerance = SAMPLES / FPS + 1024;
        let length = self.sound.len();
        assert!(length.abs_diff(expected) <= tolerance, "{length} samples for {expected}");
    }
}

#[tokio::test]
async fn scenes_of_our_own_are_chained_and_stitched_to_the_exact_frame() {
    let stack = open(Backends::Own).await;
    let mut wanted = scenes(3);
    for (scene, seconds) in wanted.iter_mut().zip([1.0, 0.8, 1.2]) {
        scene["duration"] = json!(seconds);
    }
    let id = started(&stack, wanted).await;
    let project = completed(&stack, &id).await;
    let decoded = decode(&stack, &project).await;
    decoded.assert_chained();
    let lengths: Vec<usize> = decoded.scenes.iter().map(Vec::len).collect();
    assert_eq!(lengths, [25, 20, 30]);
    // The two frames that would be shown twice are left out.
    assert_eq!(decoded.stitched.len(), 73);
    decoded.assert_sound_fits();
    assert_eq!(project["duration"], json!(2.92));
    assert_eq!((&project["cost"], &project["progress"]), (&json!(0.0), &json!(100)));
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn videos_of_a_service_are_chained_whatever_their_frames_are_like() {
    let stack = open(Backends::Videos).await;
    let (id, project) = made(&stack, scenes(3)).await;
    let files = [
        json!({ "sound": true, "vfr": true }),
        json!({ "sound": true, "b_frames": true }),
        json!({ "sound": true, "vfr": true, "b_frames": true }),
    ];
    for (scene, files) in scene_ids(&project).iter().zip(files) {
        let settings = json!({ "task": { "ms": 0 }, "file": files });
        behave_about(&stack, "videos", (&id, scene), settings).await;
    }
    command(&stack, &id, "start").await;
    let project = completed(&stack, &id).await;
    let decoded = decode(&stack, &project).await;
    decoded.assert_chained();
    // Frames are missing in the first and the last scene; all three last a second.
    let lengths: Vec<usize> = decoded.scenes.iter().map(Vec::len).collect();
    assert!(lengths[0] < FPS && lengths[1] == FPS && lengths[2] < FPS, "{lengths:?}");
    assert!(decoded.stitched.len().abs_diff(3 * FPS - 2) <= 1, "{} frames", decoded.stitched.len());
    decoded.assert_sound_fits();
    assert_eq!(gaps(&decoded.sound), Vec::<f64>::new());
    stack.assert_queues_empty().await;
}
