//! Measures how many seconds of 1080p video are drawn and encoded in a second of processor time; the cost after one scene
//! changed, with what each step of both took; and the layout time of scenes full of text in each script. With the same
//! x264 settings an ffmpeg encodes the same frames from files, and one encodes the finished cards, which do not move.
//! Size and similarity (SSIM) are those of the settings of scenes and those of takes. Usage:
//! `speed FONTS FFMPEG [ROUNDS]`.

mod samples;

use std::future::pending;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use reelhook_app::videos::ports::PartFile;
use reelhook_domain::videos::film::{Rendition, Scene, SceneKind, Theme, Transition};
use reelhook_render::{
    ENCODER_ARGUMENTS, Ffmpeg, Fonts, Images, LaidOutScene, SCENE_ARGUMENTS, SCENE_PARAMETERS, SceneInput, Yuv, parts,
};

const SIZE: (u32, u32) = (1920, 1080);
/// The rounds, unless an argument says otherwise.
const ROUNDS: usize = 3;
/// The index of the edited scene.
const EDITED: usize = 3;

type Failure = Box<dyn std::error::Error>;

/// Processor seconds.
#[derive(Debug, Clone, Copy)]
struct Used {
    /// Those of this process, which lays out, draws and writes frames.
    own: f64,
    /// Those of ffmpeg: of all children that have ended.
    ffmpeg: f64,
}

impl Used {
    /// User and system time until now.
    fn now() -> Result<Self, Failure> {
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // Linux reports 100 ticks per second on all machines.
        let seconds = |at: usize| -> Result<f64, Failure> {
            Ok(fields.get(at).ok_or("a field is missing")?.parse::<u64>()? as f64 / 100.0)
        };
        Ok(Self { own: seconds(11)? + seconds(12)?, ffmpeg: seconds(13)? + seconds(14)? })
    }

    /// Those since then.
    fn since(before: Self) -> Result<Self, Failure> {
        let now = Self::now()?;
        Ok(Self { own: now.own - before.own, ffmpeg: now.ffmpeg - before.ffmpeg })
    }

    fn both(self) -> f64 {
        self.own + self.ffmpeg
    }
}

/// The processor seconds of each step: of layout, of drawing and writing, and of ffmpeg, in all rounds together.
#[derive(Default)]
struct Steps(Vec<(String, [f64; 3])>);

impl Steps {
    fn add(&mut self, name: &str, taken: [f64; 3]) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, sums)) => sums.iter_mut().zip(taken).for_each(|(sum, taken)| *sum += taken),
            None => self.0.push((name.to_owned(), taken)),
        }
    }

    /// Prints the means of all rounds.
    fn print(&self, title: &str, rounds: usize) {
        println!("{title:<54} layout  drawing  ffmpeg     all");
        for (name, sums) in &self.0 {
            let [layout, drawing, ffmpeg] = sums.map(|sum| sum / rounds.max(1) as f64);
            println!("  {name:<52} {layout:>6.2} {drawing:>8.2} {ffmpeg:>7.2} {:>7.2}", layout + drawing + ffmpeg);
        }
    }
}

/// Prints the layout time of twelve texts of 500 characters, when every face is loaded.
fn crowded(fonts: &mut Fonts) -> Result<(), Failure> {
    for (script, word) in samples::WORDS {
        for kind in [SceneKind::FeatureList, SceneKind::Comparison] {
            let scene = samples::scene(kind, samples::crowded(kind, word));
            let theme = Theme::Corporate;
            let input = SceneInput { scene: &scene, before: None, theme, size: SIZE, rendition: Rendition::Landscape };
            LaidOutScene::new(fonts, &input, &Images::new())?;
            // The last card is kept: another one takes its place.
            let empty = samples::scene(kind, Default::default());
            LaidOutScene::new(fonts, &SceneInput { scene: &empty, ..input }, &Images::new())?;
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

/// What is measured.
struct Film {
    ffmpeg: Ffmpeg,
    scenes: Vec<Scene>,
    images: Images,
    directory: PathBuf,
}

/// A measured quantity, once for each round.
#[derive(Default)]
struct Measured(Vec<f64>);

impl Measured {
    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len().max(1) as f64
    }

    /// The mean with the lowest and the highest value.
    fn text(&self) -> String {
        let (low, high) =
            self.0.iter().fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
        format!("{:.2} ({low:.2} to {high:.2})", self.mean())
    }

    /// The ratio to another quantity in each round.
    fn ratio(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| own / other).collect())
    }
}

impl Film {
    fn input(&self, index: usize) -> SceneInput<'_> {
        SceneInput {
            scene: &self.scenes[index],
            before: index.checked_sub(1).map(|before| &self.scenes[before]),
            theme: Theme::Corporate,
            size: SIZE,
            rendition: Rendition::Landscape,
        }
    }

    fn frames(&self) -> u32 {
        self.scenes.iter().map(|scene| scene.frames).sum()
    }

    /// The parts of a scene with their files.
    fn files(&self, index: usize) -> Vec<PartFile> {
        let file = |frames: Range<u32>| PartFile { to: self.file(&format!("{index}-{}.mp4", frames.start)), frames };
        parts(&self.input(index)).into_iter().map(file).collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Draws and encodes these parts of a scene, as a step.
    async fn draw(
        &self,
        fonts: &mut Fonts,
        index: usize,
        files: &[PartFile],
        steps: &mut Steps,
    ) -> Result<(), Failure> {
        let frames = files[0].frames.start..files[files.len() - 1].frames.end;
        let scene = &self.scenes[index];
        let begins = scene.transition.filter(|_| frames.start == 0).map(|transition| format!(", {transition:?}"));
        let (number, kind, begins) = (index + 1, scene.kind.name(), begins.unwrap_or_default().to_lowercase());
        let name = format!("scene {number}, {kind}{begins}, frames {} to {}", frames.start, frames.end);
        let before = Used::now()?;
        let laid_out = LaidOutScene::part(fonts, &self.input(index), &self.images, frames)?;
        let (layout, before) = (Used::since(before)?.own, Used::now()?);
        self.ffmpeg.encode_parts(laid_out, files, |_| {}, pending()).await?;
        let encoded = Used::since(before)?;
        steps.add(&name, [layout, encoded.own, encoded.ffmpeg]);
        Ok(())
    }

    /// Joins all parts, as a step; returns the size of the film in KB.
    async fn join_all(&self, steps: &mut Steps) -> Result<u64, Failure> {
        let before = Used::now()?;
        let size = self.join(&self.all_files(), "film.mp4").await?;
        let joined = Used::since(before)?;
        steps.add("joining", [0.0, joined.own, joined.ffmpeg]);
        Ok(size)
    }

    async fn join(&self, files: &[PathBuf], name: &str) -> Result<u64, Failure> {
        let film = self.file(name);
        self.ffmpeg.join(files, self.frames(), None, &film, &self.directory).await?;
        Ok(std::fs::metadata(film)?.len() / 1024)
    }

    /// Draws the film, and returns the processor seconds.
    async fn drawn(&self, fonts: &mut Fonts, steps: &mut Steps) -> Result<f64, Failure> {
        let (before, clock) = (Used::now()?, Instant::now());
        for index in 0..self.scenes.len() {
            self.draw(fonts, index, &self.files(index), steps).await?;
        }
        let size = self.join_all(steps).await?;
        let used = Used::since(before)?.both();
        let clock = clock.elapsed().as_secs_f64();
        println!("  drawn and encoded: {used:.2} processor seconds, {clock:.2} s on the clock, {size} KB");
        Ok(used)
    }

    fn all_files(&self) -> Vec<PathBuf> {
        (0..self.scenes.len()).flat_map(|index| self.files(index)).map(|part| part.to).collect()
    }

    /// Draws what differs after one scene changed: its parts, and the transition over its last frame.
    async fn changed(&self, fonts: &mut Fonts, steps: &mut Steps) -> Result<f64, Failure> {
        let (before, clock) = (Used::now()?, Instant::now());
        self.draw(fonts, EDITED, &self.files(EDITED), steps).await?;
        self.draw(fonts, EDITED + 1, &self.files(EDITED + 1)[..1], steps).await?;
        self.join_all(steps).await?;
        let used = Used::since(before)?.both();
        println!(
            "  one scene changed: {used:.2} processor seconds, {:.2} s on the clock",
            clock.elapsed().as_secs_f64()
        );
        Ok(used)
    }

    /// Writes the raw frames of a scene to a file.
    fn record(&self, fonts: &mut Fonts, index: usize) -> Result<PathBuf, Failure> {
        let raw = self.file("frames.yuv");
        let mut laid_out = LaidOutScene::new(fonts, &self.input(index), &self.images)?;
        let (mut frame, mut recording) = (Yuv::new(SIZE.0, SIZE.1), std::fs::File::create(&raw)?);
        for at in 0..laid_out.frames() {
            laid_out.draw(at, &mut frame);
            recording.write_all(frame.bytes())?;
        }
        Ok(raw)
    }

    /// An ffmpeg that reads recorded frames of a scene, and begins its parts with key frames.
    fn reading(&self, index: usize, raw: &Path) -> Command {
        let mut command = self.command();
        command.args(raw_input(raw));
        for part in self.files(index).iter().skip(1) {
            command.arg("-force_key_frames").arg(format!("expr:eq(n,{})", part.frames.start));
        }
        command
    }

    /// Has ffmpeg encode the same frames from files of raw frames, which are written before and not measured.
    async fn recorded(&self, fonts: &mut Fonts) -> Result<f64, Failure> {
        let (mut used, mut files) = (0.0, Vec::new());
        for index in 0..self.scenes.len() {
            let (raw, file) = (self.record(fonts, index)?, self.file(&format!("{index}.recorded.mp4")));
            let command = self.reading(index, &raw);
            let before = Used::now()?;
            encode(command, &file)?;
            used += Used::since(before)?.both();
            files.push(file);
        }
        let before = Used::now()?;
        let size = self.join(&files, "recorded.mp4").await?;
        used += Used::since(before)?.both();
        println!("  the same frames encoded by ffmpeg: {used:.2} processor seconds, {size} KB");
        Ok(used)
    }

    /// Prints size and similarity with the settings of scenes and with those of takes.
    fn compare(&self, fonts: &mut Fonts) -> Result<(), Failure> {
        let settings = [
            ("settings of scenes", [&SCENE_ARGUMENTS[..], &["-x264-params", SCENE_PARAMETERS]].concat()),
            ("settings of takes", ENCODER_ARGUMENTS.to_vec()),
        ];
        let mut sums = [(0, Measured::default()), (0, Measured::default())];
        for index in 0..self.scenes.len() {
            let (raw, file) = (self.record(fonts, index)?, self.file("compared.mp4"));
            for ((_, arguments), (size, similarity)) in settings.iter().zip(&mut sums) {
                let encoded = self.reading(index, &raw).arg("-an").args(arguments).arg(&file).status()?;
                let mut command = Command::new(&self.ffmpeg.program);
                command.args(["-hide_banner", "-nostdin", "-nostats", "-i"]).arg(&file).args(raw_input(&raw));
                command.args(["-lavfi", "[0:v]setpts=N/30/TB[a];[1:v]setpts=N/30/TB[b];[a][b]ssim", "-f", "null", "-"]);
                let output = String::from_utf8(command.output()?.stderr)?;
                let decibels = output.rsplit_once("All:").and_then(|(_, all)| all.split(['(', ')']).nth(1));
                let decibels = decibels.filter(|_| encoded.success()).ok_or("ffmpeg can't compare")?;
                similarity.0.push(decibels.parse()?);
                *size += std::fs::metadata(&file)?.len() / 1024;
            }
        }
        for ((name, _), (size, similarity)) in settings.iter().zip(&sums) {
            println!("{name}: {size} KB, SSIM of the scenes {} dB", similarity.text());
        }
        Ok(())
    }

    /// Has ffmpeg repeat and encode the finished cards, which do not move.
    async fn stills(&self) -> Result<f64, Failure> {
        let (before, mut files) = (Used::now()?, Vec::new());
        for (index, scene) in self.scenes.iter().enumerate() {
            let file = self.file(&format!("{index}.still.mp4"));
            let mut command = self.command();
            command.arg("-i").arg(self.file(&format!("{index}.png")));
            // Decode one image and repeat it.
            command.args(["-vf", "format=yuv420p,loop=loop=-1:size=1:start=0,setpts=N/30/TB", "-r", "30"]);
            command.arg("-frames:v").arg(scene.frames.to_string());
            encode(command, &file)?;
            files.push(file);
        }
        let size = self.join(&files, "stills.mp4").await?;
        let used = Used::since(before)?.both();
        println!("  stills looped by ffmpeg: {used:.2} processor seconds, {size} KB");
        Ok(used)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.ffmpeg.program);
        command.args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"]);
        command
    }
}

/// The arguments that read raw frames.
fn raw_input(raw: &Path) -> Vec<std::ffi::OsString> {
    let size = format!("{}x{}", SIZE.0, SIZE.1);
    let mut arguments: Vec<std::ffi::OsString> =
        ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", "30", "-i"].map(Into::into).to_vec();
    arguments.push(raw.into());
    arguments
}

/// Encodes with the settings of drawn scenes.
fn encode(mut command: Command, to: &Path) -> Result<(), Failure> {
    command.arg("-an").args(SCENE_ARGUMENTS).args([
        "-x264-params",
        SCENE_PARAMETERS,
        "-video_track_timescale",
        "15360",
    ]);
    if command.arg(to).status()?.success() { Ok(()) } else { Err("ffmpeg failed".into()) }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(fonts), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("usage: speed FONTS FFMPEG [ROUNDS]".into());
    };
    let rounds = arguments.next().map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let mut fonts = Fonts::load(Path::new(&fonts))?;
    crowded(&mut fonts)?;
    let directory = std::env::temp_dir().join(format!("reelhook-speed-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let film =
        Film { ffmpeg: Ffmpeg { program: program.into() }, scenes: film(), images: samples::images(), directory };
    let seconds = f64::from(film.frames()) / 30.0;
    for (index, scene) in film.scenes.iter().enumerate() {
        let mut laid_out = LaidOutScene::new(&mut fonts, &film.input(index), &film.images)?;
        laid_out.still(scene.frames - 1).save(film.file(&format!("{index}.png")))?;
    }
    film.compare(&mut fonts)?;
    let [mut drawn, mut changed, mut recorded, mut stills] = [(); 4].map(|()| Measured::default());
    let [mut whole, mut after_change] = [(); 2].map(|()| Steps::default());
    for round in 0..rounds {
        println!("round {round}");
        let used = film.drawn(&mut fonts, &mut whole).await?;
        drawn.0.push(seconds / used);
        changed.0.push(100.0 * film.changed(&mut fonts, &mut after_change).await? / used);
        recorded.0.push(seconds / film.recorded(&mut fonts).await?);
        stills.0.push(seconds / film.stills().await?);
    }
    std::fs::remove_dir_all(&film.directory)?;
    whole.print("processor seconds of the whole film", rounds);
    after_change.print("processor seconds after one scene changed", rounds);
    println!("{seconds:.0} s of video, {} scenes, {}x{}, {rounds} rounds", film.scenes.len(), SIZE.0, SIZE.1);
    println!("seconds of video per processor second:");
    println!("  drawn and encoded: {}", drawn.text());
    println!("  the same frames encoded by ffmpeg: {}", recorded.text());
    println!("  stills looped by ffmpeg: {}", stills.text());
    println!("ratio to the same frames: {}", drawn.ratio(&recorded).text());
    println!("ratio to stills: {}", drawn.ratio(&stills).text());
    println!("after one scene of {} changed: {} % of the processor time", film.scenes.len(), changed.text());
    Ok(())
}
