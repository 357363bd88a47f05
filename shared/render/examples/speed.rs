//! Measures how many seconds of 1080p video are drawn and encoded in a second of processor time, compared with an
//! ffmpeg that only encodes finished cards with the same x264 settings; the cost after one scene changed; and the
//! layout time of scenes full of text in each script. Usage: `speed FONTS FFMPEG`.

mod samples;

use std::future::pending;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use reelhook_domain::videos::film::{Rendition, Scene, SceneKind, Theme, Transition};
use reelhook_render::{ENCODER_ARGUMENTS, Ffmpeg, Fonts, Images, LaidOutScene, SceneInput};

const SIZE: (u32, u32) = (1920, 1080);
const RUNS: usize = 3;
/// The index of the edited scene.
const EDITED: usize = 3;

type Failure = Box<dyn std::error::Error>;

/// User and system time in seconds of this process and of its children that have ended.
fn processor_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let mut ticks = 0;
    for field in fields.iter().skip(11).take(4) {
        ticks += field.parse::<u64>()?;
    }
    // Linux reports 100 ticks per second on all machines.
    Ok(ticks as f64 / 100.0)
}

/// Prints the second layout time of twelve texts of 500 characters, when every face is loaded.
fn crowded(fonts: &mut Fonts) -> Result<(), Failure> {
    for (script, word) in samples::WORDS {
        for kind in [SceneKind::FeatureList, SceneKind::Comparison] {
            let scene = samples::scene(kind, samples::crowded(kind, word));
            let theme = Theme::Corporate;
            let input = SceneInput { scene: &scene, before: None, theme, size: SIZE, rendition: Rendition::Landscape };
            LaidOutScene::new(fonts, &input, &Images::new())?;
            let (before, start) = (fonts.cost(), Instant::now());
            LaidOutScene::new(fonts, &input, &Images::new())?;
            let (taken, after) = (start.elapsed().as_secs_f64() * 1000.0, fonts.cost());
            println!(
                "{script}, {}: {taken:.0} ms, {} characters in {} runs, {} steps",
                kind.name(),
                after.characters - before.characters,
                after.runs - before.runs,
                after.steps - before.steps
            );
        }
    }
    Ok(())
}

fn film() -> Vec<Scene> {
    let kinds = [
        SceneKind::HeroTitle,
        SceneKind::FeatureList,
        SceneKind::Stats,
        SceneKind::ProductShowcase,
        SceneKind::StepByStep,
        SceneKind::Testimonial,
        SceneKind::Quiz,
        SceneKind::Cta,
    ];
    let transitions = [Transition::Fade, Transition::Slide, Transition::Zoom, Transition::Blur, Transition::Rotate];
    kinds
        .into_iter()
        .enumerate()
        .map(|(index, kind)| Scene {
            transition: index.checked_sub(1).map(|index| transitions[index % transitions.len()]),
            ..samples::scene(kind, samples::usual(kind))
        })
        .collect()
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(fonts), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("usage: speed FONTS FFMPEG".into());
    };
    let ffmpeg = Ffmpeg { program: program.into() };
    let mut fonts = Fonts::load(Path::new(&fonts))?;
    crowded(&mut fonts)?;
    let images = samples::images();
    let scenes = film();
    let frames: u32 = scenes.iter().map(|scene| scene.frames).sum();
    let seconds = f64::from(frames) / 30.0;
    let directory = std::env::temp_dir().join(format!("reelhook-speed-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let input = |index: usize| SceneInput {
        scene: &scenes[index],
        before: index.checked_sub(1).map(|index| &scenes[index]),
        theme: Theme::Corporate,
        size: SIZE,
        rendition: Rendition::Landscape,
    };
    for (index, scene) in scenes.iter().enumerate() {
        let mut laid_out = LaidOutScene::new(&mut fonts, &input(index), &images)?;
        laid_out.still(scene.frames - 1).save(directory.join(format!("{index}.png")))?;
    }
    let (mut ours, mut plain, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let (before, clock) = (processor_seconds()?, Instant::now());
        let mut layout_seconds = 0.0;
        let mut files = Vec::new();
        for index in 0..scenes.len() {
            let start = Instant::now();
            let laid_out = LaidOutScene::new(&mut fonts, &input(index), &images)?;
            layout_seconds += start.elapsed().as_secs_f64();
            let file = directory.join(format!("{index}.mp4"));
            ffmpeg.encode(laid_out, &file, |_| {}, pending()).await?;
            files.push(file);
        }
        let film = directory.join("film.mp4");
        ffmpeg.join(&files, frames, None, &film, &directory).await?;
        let used = processor_seconds()? - before;
        println!(
            "run {run}: drawn and encoded: {used:.2} processor seconds, {:.2} s on the clock, {layout_seconds:.2} s of layout, {} KB",
            clock.elapsed().as_secs_f64(),
            std::fs::metadata(&film)?.len() / 1024
        );
        ours.push(seconds / used);
        // After an edit, two scenes are drawn again: the edited one, and the next one, whose transition shows the
        // edited one's last frame.
        let (before, clock) = (processor_seconds()?, Instant::now());
        for index in EDITED..EDITED + 2 {
            let laid_out = LaidOutScene::new(&mut fonts, &input(index), &images)?;
            ffmpeg.encode(laid_out, &directory.join(format!("{index}.mp4")), |_| {}, pending()).await?;
        }
        ffmpeg.join(&files, frames, None, &film, &directory).await?;
        let edited = processor_seconds()? - before;
        println!(
            "run {run}: one scene changed: {edited:.2} processor seconds, {:.2} s on the clock",
            clock.elapsed().as_secs_f64()
        );
        again.push(edited / used);
        let before = processor_seconds()?;
        for (index, scene) in scenes.iter().enumerate() {
            loop_card(&ffmpeg.program, &directory, index, scene.frames)?;
        }
        ffmpeg.join(&plain_files(&directory, scenes.len()), frames, None, &film, &directory).await?;
        let used = processor_seconds()? - before;
        println!(
            "run {run}: stills looped by ffmpeg: {used:.2} processor seconds, {} KB",
            std::fs::metadata(&film)?.len() / 1024
        );
        plain.push(seconds / used);
    }
    std::fs::remove_dir_all(&directory)?;
    let line = |name: &str, values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let (low, high) =
            values.iter().fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
        println!("{name}: {mean:.2} seconds of video per processor second ({low:.2} to {high:.2})");
        mean
    };
    println!("{seconds:.0} s of video, {} scenes, {}x{}", scenes.len(), SIZE.0, SIZE.1);
    let ours = line("drawn and encoded", &ours);
    let plain = line("stills looped by ffmpeg", &plain);
    println!("ratio: {:.2}", ours / plain);
    let share = again.iter().sum::<f64>() / again.len() as f64;
    println!("after one scene of {} changed: {:.0} % of the total processor time", scenes.len(), share * 100.0);
    Ok(())
}

fn plain_files(directory: &Path, count: usize) -> Vec<PathBuf> {
    (0..count).map(|index| directory.join(format!("{index}.plain.mp4"))).collect()
}

fn loop_card(program: &Path, directory: &Path, index: usize, frames: u32) -> Result<(), Failure> {
    let status = Command::new(program)
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-i"])
        .arg(directory.join(format!("{index}.png")))
        // Decode one image and repeat it.
        .args(["-vf", "format=yuv420p,loop=loop=-1:size=1:start=0,setpts=N/30/TB", "-r", "30"])
        .arg("-an")
        .args(ENCODER_ARGUMENTS)
        .arg("-frames:v")
        .arg(frames.to_string())
        .arg("-y")
        .arg(directory.join(format!("{index}.plain.mp4")))
        .status()?;
    if status.success() { Ok(()) } else { Err("ffmpeg failed".into()) }
}
