//! The film of the demo of clips: four scenes, and a sound with the rhythm and the pauses of speech.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::outcome::Video;
use crate::process;
use crate::up::Started;

/// Its length in seconds.
pub const SECONDS: u32 = 80;
/// The scenes. They change at 18, 40 and 60 s.
const SCENES: [&str; 4] = [
    "gradients=s=640x360:r=30:d=18:n=4:speed=0.02:seed=4",
    "testsrc2=s=640x360:r=30:d=22",
    "life=s=160x90:r=30:mold=10:ratio=0.3:seed=7:death_color=#3050a0:life_color=#ffd070",
    "mandelbrot=s=320x180:r=30:maxiter=300",
];
/// Syllables, a pause in each sentence of 10 s, and one at each change of the scene.
const SOUND: &str = "aevalsrc=0.4*sin(2*PI*(150*t+6*sin(2*PI*0.9*t)))*(0.55+0.45*sin(2*PI*4*t))\
                     *(1-between(mod(t\\,10)\\,8.4\\,9.2)-between(t\\,17.6\\,18.4)-between(t\\,39.6\\,40.4)\
                     -between(t\\,59.6\\,60.4)):s=48000:d=80";
/// Makes the scenes equal in shape, and joins them.
const JOIN: &str = "[0:v]setsar=1,format=yuv420p[a];[1:v]setsar=1,format=yuv420p[b];\
                    [2:v]trim=duration=20,scale=640:360:flags=neighbor,setsar=1,format=yuv420p[c];\
                    [3:v]trim=duration=20,scale=640:360,setsar=1,format=yuv420p[d];\
                    [a][b][c][d]concat=n=4:v=1:a=0[v]";
/// Pictures of each clip on the contact sheet.
const PICTURES: u32 = 6;

/// The ffmpeg of the stack's renderers, quiet.
fn ffmpeg(started: &Started) -> anyhow::Result<Command> {
    let program = started.run.parameters.get("Ffmpeg").context("the stack has no parameter `Ffmpeg`")?;
    let mut command = Command::new(program);
    command.args(["-v", "error", "-nostdin", "-y"]);
    Ok(command)
}

/// Makes the film in the instance's directory.
pub fn make(started: &Started) -> anyhow::Result<PathBuf> {
    let file = started.instance.path("film.mp4");
    let mut command = ffmpeg(started)?;
    for input in SCENES.into_iter().chain([SOUND]) {
        command.args(["-f", "lavfi", "-i", input]);
    }
    command.args(["-filter_complex", JOIN, "-map", "[v]", "-map", "4:a", "-c:v", "libx264", "-preset", "veryfast"]);
    command.args(["-c:a", "aac"]).arg(&file);
    process::run(&mut command, "making the film")?;
    Ok(file)
}

/// Makes a picture of the clips, one in each row, from their beginnings to their ends. Each clip comes with its length in
/// milliseconds.
pub fn contact_sheet(started: &Started, clips: &[(&Video, u64)]) -> anyhow::Result<PathBuf> {
    let file = started.instance.path("clips.png");
    let mut command = ffmpeg(started)?;
    for (video, _) in clips {
        command.arg("-i").arg(video.path());
    }
    let lengths: Vec<u64> = clips.iter().map(|(_, ms)| *ms).collect();
    command.args(["-filter_complex", &rows(&lengths), "-map", "[sheet]", "-frames:v", "1"]).arg(&file);
    process::run(&mut command, "making the contact sheet")?;
    Ok(file)
}

/// The filter that makes a row of pictures of each input, and stacks the rows.
fn rows(lengths: &[u64]) -> String {
    let row = |(index, ms): (usize, &u64)| {
        format!("[{index}:v]fps={PICTURES}000/{ms},scale=-2:240,setsar=1,tile={PICTURES}x1,trim=end_frame=1[r{index}];")
    };
    let rows: String = lengths.iter().enumerate().map(row).collect();
    let names: String = (0..lengths.len()).map(|index| format!("[r{index}]")).collect();
    match lengths.len() {
        1 => format!("{rows}{names}null[sheet]"),
        count => format!("{rows}{names}vstack=inputs={count}[sheet]"),
    }
}

/// The bytes of a file.
pub fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_clip_has_a_row_of_its_own() {
        let row = |index: u32, ms: u32| {
            format!("[{index}:v]fps=6000/{ms},scale=-2:240,setsar=1,tile=6x1,trim=end_frame=1[r{index}];")
        };
        assert_eq!(rows(&[20_000]), format!("{}[r0]null[sheet]", row(0, 20_000)));
        let both = format!("{}{}[r0][r1]vstack=inputs=2[sheet]", row(0, 20_000), row(1, 15_000));
        assert_eq!(rows(&[20_000, 15_000]), both);
    }
}
