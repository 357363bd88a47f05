//! The configuration of a video in VidBuilder's words: what is asked for, within the limits (contract.md, VidBuilder).

use std::collections::{BTreeMap, BTreeSet};

use reelhook_app::uploads;
use reelhook_domain::film::{
    Entrance, FRAME_RATE, Film, FrameGrid, ImageRef, Music, Quality, Scene, SceneKind, Theme, Transition,
};
use serde_json::Value;

use crate::film_content::content;
use crate::problem::Problem;

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
/// Seconds of a fade.
const LONGEST_FADE: f64 = 10.0;
/// Seconds that music takes to come and to go, where that is not said.
const FADES: (f64, f64) = (1.0, 2.0);
/// How loud music is, where that is not said.
const VOLUME: f64 = 0.3;
/// Characters of a text.
pub(crate) const TEXT_LIMIT: usize = 2000;

/// A video that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// What it shows.
    pub film: Film,
    /// What is drawn otherwise than was asked.
    pub warnings: Vec<String>,
}

/// Pictures that came with the request: the names of their files, and where they are.
pub type Attached = [(String, String)];

/// Reads a configuration. `attached` are pictures that came with it; `track` finds a track's id by one of its names.
///
/// # Errors
/// [`Problem`] names the place and what would be right.
pub fn read(
    config: &Value,
    attached: &Attached,
    track: impl Fn(&str) -> Option<&'static str>,
) -> Result<Wish, Problem> {
    let Some(scenes) = config["scenes"].as_array().filter(|scenes| !scenes.is_empty()) else {
        return Err(Problem::NoScenes { received: config.clone() });
    };
    if scenes.len() > MOST_SCENES {
        return Err(wrong("scenes", format!("a list of at most {MOST_SCENES} scenes, and not of {}", scenes.len())));
    }
    let mut warnings = Vec::new();
    let mut images = Images { attached, used: vec![false; attached.len()], places: BTreeMap::new() };
    let mut read = Vec::with_capacity(scenes.len());
    let mut grid = FrameGrid::new(FRAME_RATE);
    for (place, scene) in scenes.iter().enumerate() {
        read.push(read_scene(&format!("scenes[{place}]"), place, scene, &mut grid, &mut images, &mut warnings)?);
    }
    images.place_rest(&mut read, &mut warnings);
    let mut film = Film {
        title: text(config, "", &["title", "name"])?.filter(|title| !title.is_empty()),
        theme: theme(config, &mut warnings)?,
        quality: quality(&config["quality"])?,
        reels: flag(config, "generateReels")?.unwrap_or(false),
        music: music(&config["music"], track, &mut warnings)?,
        scenes: read,
        places: Vec::new(),
    };
    check_limits(&film)?;
    film.places = images.places(&film);
    Ok(Wish { film, warnings })
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
        && let Some(place) = film.scenes.iter().position(too_long)
    {
        let place = format!("scenes[{place}].duration");
        return Err(wrong(&place, format!("at most {LONGEST_SCENE_4K} seconds in 4k; make two scenes of it")));
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

fn read_scene(
    place: &str,
    index: usize,
    scene: &Value,
    grid: &mut FrameGrid,
    images: &mut Images<'_>,
    warnings: &mut Vec<String>,
) -> Result<Scene, Problem> {
    if !scene.is_object() {
        return Err(wrong(place, "an object such as {\"type\": \"hero-title\", \"duration\": 4, \"content\": {}}"));
    }
    let Some(word) = scene["type"].as_str() else {
        return Err(wrong(&format!("{place}.type"), "a text such as `hero-title`"));
    };
    let kind = SceneKind::ALL.into_iter().find(|kind| kind.name() == word);
    if kind.is_none() {
        let word: String = word.chars().take(40).collect();
        warnings.push(format!("{place}.type: `{word}` is not known, a title card is drawn"));
    }
    let (least, most, usual) = SCENE_SECONDS;
    let seconds = number(scene, place, "duration", least, most)?.unwrap_or(usual);
    let kind = kind.unwrap_or(SceneKind::HeroTitle);
    let transition = match word_of(&scene["transition"]) {
        None if index > 0 => Some(Transition::Fade),
        None => None,
        Some(word) => named(
            word,
            &[
                ("fade", Transition::Fade),
                ("slide", Transition::Slide),
                ("zoom", Transition::Zoom),
                ("rotate", Transition::Rotate),
                ("blur", Transition::Blur),
            ],
        ),
    };
    let entrance = word_of(&scene["animation"]).and_then(|word| {
        named(
            word,
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
        frames: grid.scene(seconds),
        content: content(&format!("{place}.content"), kind, &scene["content"], images)?,
        // There is nothing before the first scene that it could take over from.
        transition: transition.filter(|_| index > 0),
        entrance: entrance.unwrap_or_default(),
    })
}

/// A text, or the `type` or `name` of an object.
fn word_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["type"].as_str()).or_else(|| value["name"].as_str())
}

/// What a word begins with: `slide-up` is a slide.
fn named<T: Copy>(word: &str, names: &[(&str, T)]) -> Option<T> {
    let word = word.trim().to_ascii_lowercase();
    names.iter().find(|(name, _)| word.starts_with(name)).map(|(_, value)| *value)
}

fn theme(config: &Value, warnings: &mut Vec<String>) -> Result<Theme, Problem> {
    let given = if config["theme"].is_null() { &config["colorScheme"] } else { &config["theme"] };
    let Some(word) = word_of(given) else {
        return if given.is_null() { Ok(Theme::default()) } else { Err(wrong("theme", "a text such as `corporate`")) };
    };
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
    Ok(named(word, &names).unwrap_or_else(|| {
        let word: String = word.chars().take(40).collect();
        warnings.push(format!("theme: `{word}` is not known, `corporate` is used"));
        Theme::Corporate
    }))
}

fn quality(value: &Value) -> Result<Quality, Problem> {
    let right = || wrong("quality", "`720p`, `1080p` or `4k`");
    match value {
        Value::Null => Ok(Quality::default()),
        Value::String(word) => match word.trim().to_ascii_lowercase().as_str() {
            "720p" | "hd" => Ok(Quality::Hd),
            "1080p" | "fullhd" | "full-hd" => Ok(Quality::FullHd),
            "4k" | "2160p" | "uhd" => Ok(Quality::UltraHd),
            _ => Err(right()),
        },
        _ => Err(right()),
    }
}

fn music(
    value: &Value,
    track: impl Fn(&str) -> Option<&'static str>,
    warnings: &mut Vec<String>,
) -> Result<Option<Music>, Problem> {
    let wanted = match value {
        Value::Null | Value::Bool(false) => return Ok(None),
        Value::String(word) => Some(word.as_str()),
        Value::Object(music) => match music.get("trackId") {
            None | Some(Value::Null) => None,
            Some(Value::String(word)) => Some(word.as_str()),
            Some(_) => return Err(wrong("music.trackId", "the id of a track of /api/music-tracks")),
        },
        _ => return Err(wrong("music", "an object such as {\"trackId\": \"corp-1\", \"volume\": 0.3}")),
    };
    let volume = number(value, "music", "volume", 0.0, 1.0)?.unwrap_or(VOLUME);
    let ms = |seconds: f64| (seconds * 1000.0) as u32;
    let fade_in = number(value, "music", "fadeIn", 0.0, LONGEST_FADE)?.unwrap_or(FADES.0);
    let fade_out = number(value, "music", "fadeOut", 0.0, LONGEST_FADE)?.unwrap_or(FADES.1);
    let enabled = flag(value, "enabled")?.unwrap_or(true);
    let Some(wanted) = wanted.filter(|wanted| enabled && !wanted.is_empty()) else { return Ok(None) };
    let Some(track) = track(wanted) else {
        let wanted: String = wanted.chars().take(40).collect();
        warnings.push(format!("music.trackId: `{wanted}` is not known, the video has no music"));
        return Ok(None);
    };
    let (fade_in_ms, fade_out_ms) = (ms(fade_in), ms(fade_out));
    Ok(Some(Music { track: track.to_owned(), volume, fade_in_ms, fade_out_ms }))
}

/// Pictures of scenes: what they are called in the configuration, and what came with the request.
pub(crate) struct Images<'a> {
    attached: &'a Attached,
    used: Vec<bool>,
    /// Where each picture was first named.
    places: BTreeMap<ImageRef, String>,
}

impl Images<'_> {
    /// Reads a picture: a URL, the key of an upload, or the name or number of a file that came along.
    pub(crate) fn read(&mut self, place: &str, value: &Value) -> Result<ImageRef, Problem> {
        let named =
            value.as_str().or_else(|| ["url", "src", "key", "image"].iter().find_map(|name| value[name].as_str()));
        let index = value.as_u64().and_then(|index| usize::try_from(index).ok());
        let found = index.or_else(|| self.attached.iter().position(|(name, _)| Some(name.as_str()) == named));
        if let Some((_, key)) = found.and_then(|index| self.attached.get(index)) {
            let image = ImageRef::Key(key.clone());
            self.used[found.unwrap_or_default()] = true;
            return Ok(self.named(place, image));
        }
        let Some(text) = named else { return Err(wrong(place, RIGHT_IMAGE)) };
        if uploads::is_key(text) {
            return Ok(self.named(place, ImageRef::Key(text.to_owned())));
        }
        let url = reelhook_app::Url::parse(text).ok();
        match url.filter(|url| matches!(url.scheme(), "http" | "https") && text.len() <= TEXT_LIMIT) {
            Some(url) => Ok(self.named(place, ImageRef::Url(url.into()))),
            None => Err(wrong(place, RIGHT_IMAGE)),
        }
    }

    /// Notes where a picture was named: errors about it say so.
    fn named(&mut self, place: &str, image: ImageRef) -> ImageRef {
        self.places.entry(image.clone()).or_insert_with(|| place.to_owned());
        image
    }

    /// Where the film's pictures were named; empty where the film itself tells.
    fn places(&self, film: &Film) -> Vec<String> {
        let pictures = film.pictures();
        let named: Vec<String> =
            pictures.iter().map(|(image, own)| self.places.get(*image).unwrap_or(own).clone()).collect();
        if named.iter().zip(&pictures).all(|(named, (_, own))| named == own) { Vec::new() } else { named }
    }

    /// Files that nobody names are shown by the scenes that have a place for a picture and none in it, in order.
    fn place_rest(&mut self, scenes: &mut [Scene], warnings: &mut Vec<String>) {
        let files = self.attached.iter().zip(&self.used).enumerate();
        let mut rest = files.filter(|(_, (_, used))| !**used).map(|(index, ((_, key), _))| (index, key));
        let empty = scenes.iter_mut().filter(|scene| takes_picture(scene.kind) && scene.content.images.is_empty());
        for (scene, (index, key)) in empty.zip(&mut rest) {
            let image = ImageRef::Key(key.clone());
            self.places.entry(image.clone()).or_insert_with(|| format!("images[{index}]"));
            scene.content.images.push(image);
        }
        let over = rest.count();
        if over > 0 {
            warnings.push(format!("images: {over} of them are shown by no scene"));
        }
    }
}

const RIGHT_IMAGE: &str =
    "an http or https URL, the key of an upload (POST /api/uploads), or the name of a file of `images`";

fn takes_picture(kind: SceneKind) -> bool {
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

pub(crate) fn wrong(place: &str, right: impl Into<String>) -> Problem {
    Problem::BadPart { place: place.to_owned(), right: right.into() }
}

/// The first of these members that is there, as a text; numbers are texts too.
pub(crate) fn text(value: &Value, place: &str, names: &[&str]) -> Result<Option<String>, Problem> {
    for name in names {
        let at = || if place.is_empty() { (*name).to_owned() } else { format!("{place}.{name}") };
        match &value[name] {
            Value::Null => {}
            Value::String(text) => return short(&at(), text).map(Some),
            Value::Number(number) => return Ok(Some(number.to_string())),
            Value::Object(object) if object.get("text").is_some_and(Value::is_string) => {
                return short(&at(), object["text"].as_str().unwrap_or_default()).map(Some);
            }
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(wrong(&at(), "a text")),
        }
    }
    Ok(None)
}

/// A text that is short enough.
pub(crate) fn short(place: &str, text: &str) -> Result<String, Problem> {
    if text.chars().nth(TEXT_LIMIT).is_some() {
        return Err(wrong(place, format!("a text of at most {TEXT_LIMIT} characters")));
    }
    Ok(text.trim().to_owned())
}

fn number(value: &Value, place: &str, name: &str, least: f64, most: f64) -> Result<Option<f64>, Problem> {
    match &value[name] {
        Value::Null => Ok(None),
        given => match given.as_f64().filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(&format!("{place}.{name}"), format!("a number from {least} to {most}"))),
        },
    }
}

fn flag(value: &Value, name: &str) -> Result<Option<bool>, Problem> {
    match &value[name] {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        _ => Err(wrong(name, "true or false")),
    }
}

#[cfg(test)]
mod tests;
