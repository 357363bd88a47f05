//! How many seconds of 1080p video a second of processor time makes, drawing and encoding together, beside an ffmpeg that
//! only encodes the finished cards with the same x264 settings; what it costs after one scene changed; and how long scenes
//! full of text of each script take to be laid out. Usage: speed FONTS FFMPEG

mod samples;

use std::future::pending;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use reelhook_domain::videos::film::{Rendition, Scene, SceneKind, Theme, Transition};
use reelhook_render::{Cut, ENCODING, Ffmpeg, Fonts, Pictures, Shot};

const SIZE: (u32, u32) = (1920, 1080);
const RUNS: usize = 3;
/// The scene that is edited.
const EDITED: usize = 3;

type Failure = Box<dyn std::error::Error>;

/// Seconds of user and system time of this process and of the children that have ended.
fn processor_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let mut ticks = 0;
    for field in fields.iter().skip(11).take(4) {
        ticks += field.parse::<u64>()?;
    }
    // Linux counts a hundred ticks a second for everybody.
    Ok(ticks as f64 / 100.0)
}

/// Prints how long twelve texts of 500 characters take, the second time: with every typeface loaded.
fn crowded(fonts: &mut Fonts) -> Result<(), Failure> {
    for (script, word) in samples::WORDS {
        for kind in [SceneKind::FeatureList, SceneKind::Comparison] {
            let scene = samples::scene(kind, samples::crowded(kind, word));
            let theme = Theme::Corporate;
            let cut = Cut { scene: &scene, before: None, theme, size: SIZE, format: Rendition::Landscape };
            Shot::new(fonts, &cut, &Pictures::new())?;
            let (before, start) = (fonts.work(), Instant::now());
            Shot::new(fonts, &cut, &Pictures::new())?;
            let (taken, after) = (start.elapsed().as_secs_f64() * 1000.0, fonts.work());
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
    let pictures = samples::pictures();
    let scenes = film();
    let frames: u32 = scenes.iter().map(|scene| scene.frames).sum();
    let seconds = f64::from(frames) / 30.0;
    let directory = std::env::temp_dir().join(format!("reelhook-speed-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let cut = |index: usize| Cut {
        scene: &scenes[index],
        before: index.checked_sub(1).map(|index| &scenes[index]),
        theme: Theme::Corporate,
        size: SIZE,
        format: Rendition::Landscape,
    };
    for (index, scene) in scenes.iter().enumerate() {
        let mut shot = Shot::new(&mut fonts, &cut(index), &pictures)?;
        shot.still(scene.frames - 1).save(directory.join(format!("{index}.png")))?;
    }
    let (mut ours, mut plain, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let (before, clock) = (processor_seconds()?, Instant::now());
        let mut laid_out = 0.0;
        let mut files = Vec::new();
        for index in 0..scenes.len() {
            let start = Instant::now();
            let shot = Shot::new(&mut fonts, &cut(index), &pictures)?;
            laid_out += start.elapsed().as_secs_f64();
            let file = directory.join(format!("{index}.mp4"));
            ffmpeg.encode(shot, &file, |_| {}, pending()).await?;
            files.push(file);
        }
        let film = directory.join("film.mp4");
        ffmpeg.join(&files, frames, None, &film, &directory).await?;
        let used = processor_seconds()? - before;
        println!(
            "run {run}: drawn and encoded: {used:.2} processor seconds, {:.2} s on the clock, {laid_out:.2} s of layout, {} KB",
            clock.elapsed().as_secs_f64(),
            std::fs::metadata(&film)?.len() / 1024
        );
        ours.push(seconds / used);
        // One scene was edited: it is drawn again, and so is the next one, which begins over its last frame.
        let (before, clock) = (processor_seconds()?, Instant::now());
        for index in EDITED..EDITED + 2 {
            let shot = Shot::new(&mut fonts, &cut(index), &pictures)?;
            ffmpeg.encode(shot, &directory.join(format!("{index}.mp4")), |_| {}, pending()).await?;
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
        println!("{name}: {mean:.2} seconds of video a processor second ({low:.2} to {high:.2})");
        mean
    };
    println!("{seconds:.0} s of video, {} scenes, {}x{}", scenes.len(), SIZE.0, SIZE.1);
    let ours = line("drawn and encoded", &ours);
    let plain = line("stills looped by ffmpeg", &plain);
    println!("ratio: {:.2}", ours / plain);
    let share = again.iter().sum::<f64>() / again.len() as f64;
    println!("after one scene of {} changed: {:.0} % of the processor time of all", scenes.len(), share * 100.0);
    Ok(())
}

fn plain_files(directory: &Path, count: usize) -> Vec<PathBuf> {
    (0..count).map(|index| directory.join(format!("{index}.plain.mp4"))).collect()
}

fn loop_card(program: &Path, directory: &Path, index: usize, frames: u32) -> Result<(), Failure> {
    let status = Command::new(program)
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-i"])
        .arg(directory.join(format!("{index}.png")))
        // One decoded picture, given again and again.
        .args(["-vf", "format=yuv420p,loop=loop=-1:size=1:start=0,setpts=N/30/TB", "-r", "30"])
        .arg("-an")
        .args(ENCODING)
        .arg("-frames:v")
        .arg(frames.to_string())
        .arg("-y")
        .arg(directory.join(format!("{index}.plain.mp4")))
        .status()?;
    if status.success() { Ok(()) } else { Err("ffmpeg failed".into()) }
}
