//! A film with known cuts and silences, and jobs that cut clips out of it with our own renderers.

use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use super::job::create;
use crate::scenes::media::program;
use crate::scenes::project::text;
use crate::stack::Stack;

/// Frames per second.
pub const FPS: u64 = 30;
/// Its length in milliseconds.
const LENGTH_MS: u64 = 80_000;
/// Where scenes begin and where it ends, in milliseconds. Around each cut is a silence of 0.8 s.
pub const CUTS: [u64; 5] = [0, 20_000, 37_000, 60_000, LENGTH_MS];
/// The middle of a silence of 0.5 s within the third scene.
pub const PAUSE: u64 = 48_250;
/// The scenes; only the third one moves.
const SCENES: [&str; 4] = [
    "color=red:s=320x180:r=30:d=20",
    "color=green:s=320x180:r=30:d=17",
    "testsrc2=s=320x180:r=30:d=23",
    "color=blue:s=320x180:r=30:d=20",
];
/// A tone that is silent around the cuts, and in the pause.
const TONE: &str = "aevalsrc=0.4*sin(2*PI*440*t)*(1-between(t\\,19.6\\,20.4)-between(t\\,36.6\\,37.4)\
                    -between(t\\,48\\,48.5)-between(t\\,59.6\\,60.4)):s=48000:d=80";

/// Makes the film, once for all tests.
pub fn film() -> PathBuf {
    let file = std::env::temp_dir().join(format!("reelhook-{}-film.mp4", std::process::id()));
    if file.is_file() {
        return file;
    }
    let mut ffmpeg = Command::new(program());
    ffmpeg.args(["-v", "error", "-nostdin", "-y"]);
    for input in SCENES.into_iter().chain([TONE]) {
        ffmpeg.args(["-f", "lavfi", "-i", input]);
    }
    ffmpeg.args(["-filter_complex", "[0:v][1:v][2:v][3:v]concat=n=4:v=1:a=0[v]", "-map", "[v]", "-map", "4:a"]);
    ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]).arg(&file);
    let output = ffmpeg.output().expect("ffmpeg runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

/// Uploads a video, and returns its key.
pub async fn upload(stack: &Stack, file: &Path) -> String {
    let bytes = std::fs::read(file).expect("the film");
    let wanted = json!({ "contentType": "video/mp4", "size": bytes.len() });
    let (status, upload) = stack.post("/api/uploads", &wanted).await;
    assert_eq!(status, 201, "{upload}");
    let put = stack.http.request(Method::PUT, upload["uploadUrl"].as_str().expect("a URL"));
    let answer = put.header("content-type", "video/mp4").body(bytes).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
    text(&upload["key"])
}

/// Uploads the film and creates a job for clips of it with more members; returns its id.
pub async fn begin(stack: &Stack, more: Value) -> String {
    let mut body = json!({ "videoUrl": upload(stack, &film()).await });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("members").clone());
    create(stack, &body).await
}
