//! The configuration of a video in VidBuilder's words: what is asked for, within the limits (contract.md, VidBuilder).

use std::collections::{BTreeMap, BTreeSet};

use reelhook_app::videos::uploads;
use reelhook_domain::videos::film::{
    Entrance, FRAME_RATE, Film, FrameGrid, ImageRef, Music, Quality, Scene, SceneKind, Theme, Transition,
};
use reelhook_domain::videos::render::Renderer;
use serde_json::Value;

use crate::problem::Problem;
use crate::videos::film_content::content;
use crate::videos::film_values::{
    TEXT_LIMIT, at, bounded, first, first_text, is_empty, text, whole, word, wrong, yes_or_no,
};
use crate::videos::film_warnings::Warnings;
use crate::videos::form::Names;

/// Scenes of a video.
pub const MOST_SCENES: usize = 100;
/// Pictures of a video.
pub const MOST_IMAGES: usize = 20;
/// Seconds of a video.
pub const LONGEST: u32 = 600;
/// Seconds of a video in 4k.
pub const LONGEST_4K: u32 = 180;
/// Seconds of a scene in 4k: more may take a renderer longer than it has.
const LONGEST_SCENE_4K: u32 = 60;
/// Seconds that a scene shows: from, to, and where it does not say.
const SCENE_SECONDS: (f64, f64, f64) = (0.5, 120.0, 4.0);
/// Seconds of a fade, from and to.
const FADE_SECONDS: (f64, f64) = (0.0, 10.0);
/// Seconds that music takes to come and to go, where that is not said.
const FADES: (f64, f64) = (1.0, 2.0);
/// How loud music is, where that is not said.
const VOLUME: f64 = 0.3;
/// Characters of a word that is repeated in a warning.
const SHORTENED_LENGTH: usize = 40;

/// A video that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedFilm {
    /// What it shows.
    pub film: Film,
    /// What is drawn otherwise than was asked.
    pub warnings: Vec<String>,
}

/// Pictures that came with the request: the names of their files, and where they are.
pub type Attached = [(String, String)];

/// Reads a configuration. `attached` are pictures that came with it; `renderer` draws it, and `track` finds a track's id
/// by one of its names.
///
/// # Errors
/// [`Problem`] names the place and what would be right.
pub fn read(
    config: &Value,
    attached: &Attached,
    renderer: Renderer,
    track: impl Fn(&str) -> Option<&'static str>,
) -> Result<ParsedFilm, Problem> {
    let Some(scenes) = config["scenes"].as_array().filter(|scenes| !scenes.is_empty()) else {
        return Err(Problem::NoScenes { received: config.clone() });
    };
    if scenes.len() > MOST_SCENES {
        return Err(wrong("scenes", format!("a list of at most {MOST_SCENES} scenes, and not of {}", scenes.len())));
    }
    let names = Names::of(attached.iter().map(|(name, _)| name.as_str()));
    let images = Images { attached, names, used: vec![false; attached.len()], paths: BTreeMap::new() };
    let mut reading = Reading { images, grid: FrameGrid::new(FRAME_RATE), warnings: Warnings::new(renderer) };
    let mut read = Vec::with_capacity(scenes.len());
    for (index, scene) in scenes.iter().enumerate() {
        read.push(read_scene(&format!("scenes[{index}]"), index, scene, &mut reading)?);
    }
    let Reading { mut images, mut warnings, .. } = reading;
    images.place_unused_files(&mut read, &mut warnings);
    let mut film = Film {
        title: first_text(config, "", &["title", "name"])?.map(|(_, title)| title),
        theme: theme(config, &mut warnings)?,
        quality: quality(&config["quality"])?,
        reels: yes_or_no(config, "", "generateReels")?.unwrap_or(false),
        music: music(&config["music"], track, &mut warnings)?,
        scenes: read,
        places: Vec::new(),
    };
    check_limits(&film)?;
    film.places = images.paths(&film);
    Ok(ParsedFilm { film, warnings: warnings.finish() })
}

/// The inputs and results of reading scenes.
pub(crate) struct Reading<'a> {
    /// Pictures that came along.
    pub(crate) images: Images<'a>,
    grid: FrameGrid,
    warnings: Warnings,
}

impl Reading<'_> {
    /// The first of these members that says something, as a text that is drawn; empty where none does.
    pub(crate) fn text(&mut self, value: &Value, path: &str, names: &[&'static str]) -> Result<String, Problem> {
        let Some((name, said)) = first_text(value, path, names)? else { return Ok(String::new()) };
        self.warnings.look_at(&at(path, name), &said);
        Ok(said)
    }

    /// A value as a text that is drawn.
    pub(crate) fn entry(&mut self, path: &str, value: &Value) -> Result<String, Problem> {
        let said = text(path, value)?;
        self.warnings.look_at(path, &said);
        Ok(said)
    }
}

fn check_limits(film: &Film) -> Result<(), Problem> {
    let seconds = film.frames().div_ceil(FRAME_RATE);
    let (most, what) = match film.quality {
        Quality::UltraHd => (LONGEST_4K, "3 minutes in 4k"),
        Quality::Hd | Quality::FullHd => (LONGEST, "10 minutes"),
    };
    if film.frames() > most * FRAME_RATE {
        return Err(wrong("scenes", format!("{what} long together at most, and not {seconds} seconds")));
    }
    let too_long = |scene: &Scene| scene.frames > LONGEST_SCENE_4K * FRAME_RATE;
    if film.quality == Quality::UltraHd
        && let Some(index) = film.scenes.iter().position(too_long)
    {
        let path = format!("scenes[{index}].duration");
        return Err(wrong(&path, format!("at most {LONGEST_SCENE_4K} seconds in 4k; make two scenes of it")));
    }
    let images = film.scenes.iter().flat_map(Scene::images).collect::<BTreeSet<_>>().len();
    if images > MOST_IMAGES {
        return Err(wrong(
            "scenes",
            format!("scenes with {MOST_IMAGES} different pictures together at most, and not {images}"),
        ));
    }
    Ok(())
}

fn read_scene(path: &str, index: usize, scene: &Value, reading: &mut Reading<'_>) -> Result<Scene, Problem> {
    if !scene.is_object() {
        return Err(wrong(path, "an object such as {\"type\": \"hero-title\", \"duration\": 4, \"content\": {}}"));
    }
    let Some(name) = word(&scene["type"]) else {
        return Err(wrong(&format!("{path}.type"), "a text such as `hero-title`"));
    };
    let kind = SceneKind::ALL.into_iter().find(|kind| kind.name() == name);
    if kind.is_none() {
        reading.warnings.push(format!("{path}.type: `{}` is not known, a title card is drawn", shortened(&name)));
    }
    let (least, most, usual) = SCENE_SECONDS;
    let seconds = bounded(scene, path, "duration", (least, most))?.unwrap_or(usual);
    let kind = kind.unwrap_or(SceneKind::HeroTitle);
    let transition = match word(&scene["transition"]) {
        None if index > 0 => Some(Transition::Fade),
        None => None,
        Some(word) => named(
            &word,
            &[
                ("fade", Transition::Fade),
                ("slide", Transition::Slide),
                ("zoom", Transition::Zoom),
                ("rotate", Transition::Rotate),
                ("blur", Transition::Blur),
            ],
        ),
    };
    let entrance = word(&scene["animation"]).and_then(|word| {
        named(
            &word,
            &[
                ("fade", Entrance::Fade),
                ("slide", Entrance::Slide),
                ("zoom", Entrance::Zoom),
                ("scale", Entrance::Zoom),
                ("none", Entrance::None),
            ],
        )
    });
    Ok(Scene {
        kind,
        frames: reading.grid.scene(seconds),
        content: content(&format!("{path}.content"), kind, &scene["content"], reading)?,
        // There is nothing before the first scene that it could take over from.
        transition: transition.filter(|_| index > 0),
        entrance: entrance.unwrap_or_default(),
    })
}

/// A client's word as warnings repeat it.
fn shortened(word: &str) -> String {
    word.chars().take(SHORTENED_LENGTH).collect()
}

/// What a word begins with: `slide-up` is a slide.
fn named<T: Copy>(word: &str, names: &[(&str, T)]) -> Option<T> {
    let word = word.trim().to_ascii_lowercase();
    names.iter().find(|(name, _)| word.starts_with(name)).map(|(_, value)| *value)
}

fn theme(config: &Value, warnings: &mut Warnings) -> Result<Theme, Problem> {
    let Some((name, given)) = first(config, &["theme", "colorScheme"]) else { return Ok(Theme::default()) };
    let word = word(given).ok_or_else(|| wrong(name, "a text such as `corporate`"))?;
    let names = [
        ("corporate", Theme::Corporate),
        ("business", Theme::Corporate),
        ("professional", Theme::Corporate),
        ("modern", Theme::Corporate),
        ("minimal", Theme::Minimal),
        ("light", Theme::Minimal),
        ("clean", Theme::Minimal),
        ("vibrant", Theme::Vibrant),
        ("creative", Theme::Vibrant),
        ("playful", Theme::Vibrant),
        ("purple", Theme::Vibrant),
        ("dark", Theme::Dark),
        ("tech", Theme::Dark),
        ("neon", Theme::Dark),
        ("nature", Theme::Nature),
        ("green", Theme::Nature),
        ("sunset", Theme::Sunset),
        ("warm", Theme::Sunset),
        ("orange", Theme::Sunset),
        ("ocean", Theme::Ocean),
        ("cool", Theme::Ocean),
        ("teal", Theme::Ocean),
        ("luxury", Theme::Luxury),
        ("elegant", Theme::Luxury),
        ("gold", Theme::Luxury),
    ];
    Ok(named(&word, &names).unwrap_or_else(|| {
        warnings.push(format!("{name}: `{}` is not known, `corporate` is used", shortened(&word)));
        Theme::Corporate
    }))
}

fn quality(value: &Value) -> Result<Quality, Problem> {
    if is_empty(value) {
        return Ok(Quality::default());
    }
    match word(value).unwrap_or_default().to_ascii_lowercase().as_str() {
        "720p" | "720" | "hd" => Ok(Quality::Hd),
        "1080p" | "1080" | "fullhd" | "full-hd" => Ok(Quality::FullHd),
        "4k" | "2160p" | "2160" | "uhd" => Ok(Quality::UltraHd),
        _ => Err(wrong("quality", "`720p`, `1080p` or `4k`")),
    }
}

fn music(
    value: &Value,
    track: impl Fn(&str) -> Option<&'static str>,
    warnings: &mut Warnings,
) -> Result<Option<Music>, Problem> {
    let given = match value {
        empty if is_empty(empty) => return Ok(None),
        Value::Bool(false) => return Ok(None),
        Value::Object(_) => &value["trackId"],
        Value::String(_) | Value::Number(_) => value,
        Value::Null | Value::Bool(true) | Value::Array(_) => {
            return Err(wrong("music", "an object such as {\"trackId\": \"corp-1\", \"volume\": 0.3}"));
        }
    };
    let wanted = word(given);
    if wanted.is_none() && !is_empty(given) {
        return Err(wrong("music.trackId", "the id of a track of /api/music-tracks"));
    }
    let volume = bounded(value, "music", "volume", (0.0, 1.0))?.unwrap_or(VOLUME);
    let ms = |seconds: f64| (seconds * 1000.0) as u32;
    let fade_in = bounded(value, "music", "fadeIn", FADE_SECONDS)?.unwrap_or(FADES.0);
    let fade_out = bounded(value, "music", "fadeOut", FADE_SECONDS)?.unwrap_or(FADES.1);
    let enabled = yes_or_no(value, "music", "enabled")?.unwrap_or(true);
    let Some(wanted) = wanted.filter(|_| enabled) else { return Ok(None) };
    let Some(track) = track(&wanted) else {
        warnings.push(format!("music.trackId: `{}` is not known, the video has no music", shortened(&wanted)));
        return Ok(None);
    };
    let (fade_in_ms, fade_out_ms) = (ms(fade_in), ms(fade_out));
    Ok(Some(Music { track: track.to_owned(), volume, fade_in_ms, fade_out_ms }))
}

/// Pictures of scenes: what they are called in the configuration, and what came with the request.
pub(crate) struct Images<'a> {
    attached: &'a Attached,
    names: Names,
    used: Vec<bool>,
    /// Where each picture was first named.
    paths: BTreeMap<ImageRef, String>,
}

impl Images<'_> {
    /// Reads a picture: a URL, the key of an upload, or the name or number of a file that came along. None where the
    /// value says nothing.
    pub(crate) fn read(&mut self, path: &str, value: &Value) -> Result<Option<ImageRef>, Problem> {
        let named = first(value, &IMAGE_NAMES).map(|(_, named)| named);
        let given = match value {
            empty if is_empty(empty) => return Ok(None),
            // Clients send a picture's other members, such as its description, with or without a picture.
            Value::Object(members) if named.is_none() && IMAGE_NAMES.iter().any(|name| members.contains_key(*name)) => {
                return Ok(None);
            }
            _ => named.unwrap_or(value),
        };
        let text = given.as_str().map(str::trim);
        let by_name = text.and_then(|text| self.names.find(text));
        let index = by_name.or_else(|| whole(given).and_then(|index| usize::try_from(index).ok()));
        if let Some(index) = index
            && let Some((_, key)) = self.attached.get(index)
        {
            self.used[index] = true;
            let image = ImageRef::Key(key.clone());
            return Ok(Some(self.named(path, image)));
        }
        let Some(text) = text else { return Err(wrong(path, RIGHT_IMAGE)) };
        if uploads::is_key(text) {
            return Ok(Some(self.named(path, ImageRef::Key(text.to_owned()))));
        }
        let url = reelhook_app::Url::parse(text).ok();
        match url.filter(|url| matches!(url.scheme(), "http" | "https") && text.len() <= TEXT_LIMIT) {
            Some(url) => Ok(Some(self.named(path, ImageRef::Url(url.into())))),
            None => Err(wrong(path, RIGHT_IMAGE)),
        }
    }

    /// Notes where a picture was named: errors about it say so.
    fn named(&mut self, path: &str, image: ImageRef) -> ImageRef {
        self.paths.entry(image.clone()).or_insert_with(|| path.to_owned());
        image
    }

    /// Where the film's pictures were named; empty if these are their places in the film.
    fn paths(&self, film: &Film) -> Vec<String> {
        let pictures = film.assets();
        let named: Vec<String> =
            pictures.iter().map(|(image, own)| self.paths.get(*image).unwrap_or(own).clone()).collect();
        if named.iter().zip(&pictures).all(|(named, (_, own))| named == own) { Vec::new() } else { named }
    }

    /// Files that nobody names are shown by the scenes that have a place for a picture and none in it, in order.
    fn place_unused_files(&mut self, scenes: &mut [Scene], warnings: &mut Warnings) {
        let files = self.attached.iter().zip(&self.used).enumerate();
        let mut rest = files.filter(|(_, (_, used))| !**used).map(|(index, ((_, key), _))| (index, key));
        let empty = scenes.iter_mut().filter(|scene| takes_image(scene.kind) && scene.content.images.is_empty());
        for (scene, (index, key)) in empty.zip(&mut rest) {
            let image = ImageRef::Key(key.clone());
            self.paths.entry(image.clone()).or_insert_with(|| format!("images[{index}]"));
            scene.content.images.push(image);
        }
        let over = rest.count();
        if over > 0 {
            warnings.push(format!("images: {over} of them are shown by no scene"));
        }
    }
}

/// Names of a picture in an object.
const IMAGE_NAMES: [&str; 4] = ["url", "src", "key", "image"];
const RIGHT_IMAGE: &str =
    "an http or https URL, the key of an upload (POST /api/uploads), or the name of a file of `images`";

fn takes_image(kind: SceneKind) -> bool {
    match kind {
        SceneKind::HeroTitle | SceneKind::ProductShowcase | SceneKind::Testimonial | SceneKind::Cta => true,
        SceneKind::FeatureList
        | SceneKind::Comparison
        | SceneKind::Stats
        | SceneKind::StepByStep
        | SceneKind::ProductMatrix
        | SceneKind::LessonTitle
        | SceneKind::Quiz
        | SceneKind::KeyTakeaways => false,
    }
}

#[cfg(test)]
mod tests;
