//! Reads a film specification in VidBuilder's format and checks its limits (docs/contract/videos.md, Configuration).

use std::collections::BTreeSet;

use reelhook_domain::videos::film::{Entrance, FRAME_RATE, Film, Music, Quality, Scene, SceneKind, Theme, Transition};
use reelhook_domain::videos::render::Renderer;
use serde_json::Value;

use crate::problem::Problem;
use crate::videos::film_content::content;
use crate::videos::film_reader::{Attached, FilmReader, MOST_IMAGES};
use crate::videos::film_values::{bounded, first, first_text, is_empty, word, wrong, yes_or_no};
use crate::videos::film_warnings::Warnings;
use crate::videos::problem::VideoProblem;

/// The maximum number of scenes in a video.
pub const MOST_SCENES: usize = 100;
/// The maximum length of a video, in seconds.
pub const LONGEST: u32 = 600;
/// The maximum length of a video in 4k, in seconds.
pub const LONGEST_4K: u32 = 180;
/// The maximum length of a scene in 4k, in seconds: a renderer may not have time for a longer one.
const LONGEST_SCENE_4K: u32 = 60;
/// The length of a scene in seconds: minimum, maximum, default.
pub(super) const SCENE_SECONDS: (f64, f64, f64) = (0.5, 120.0, 4.0);
/// The length of a fade in seconds: minimum, maximum.
pub(super) const FADE_SECONDS: (f64, f64) = (0.0, 10.0);
/// The default lengths of the fade-in and the fade-out of music, in seconds.
pub(super) const FADES: (f64, f64) = (1.0, 2.0);
/// The default volume of music.
pub(super) const VOLUME: f64 = 0.3;
/// The maximum length of a client's word in a warning, in characters.
const SHORTENED_LENGTH: usize = 40;

/// A film specification and the warnings about it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedFilm {
    /// The film specification.
    pub film: Film,
    /// Sentences about what the video shows differently from the request.
    pub warnings: Vec<String>,
}

/// Reads a film specification. `attached` are the images that came with the request; `renderer` renders the video, and
/// `track` finds the id of a music track by one of its names.
///
/// # Errors
/// [`Problem`] names the path of the wrong value and says what would be right.
pub fn read(
    config: &Value,
    attached: &Attached,
    renderer: Renderer,
    track: impl Fn(&str) -> Option<&'static str>,
) -> Result<ParsedFilm, Problem> {
    let Some(scenes) = config["scenes"].as_array().filter(|scenes| !scenes.is_empty()) else {
        return Err(Problem::Video(VideoProblem::NoScenes(config.clone())));
    };
    if scenes.len() > MOST_SCENES {
        return Err(wrong("scenes", format!("a list of at most {MOST_SCENES} scenes (got {})", scenes.len())));
    }
    let mut reader = FilmReader::new(attached, renderer);
    let mut read = Vec::with_capacity(scenes.len());
    for (index, scene) in scenes.iter().enumerate() {
        read.push(read_scene(&format!("scenes[{index}]"), index, scene, &mut reader)?);
    }
    let FilmReader { mut images, mut warnings, .. } = reader;
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

fn check_limits(film: &Film) -> Result<(), Problem> {
    let seconds = film.frames().div_ceil(FRAME_RATE);
    let (most, limit) = match film.quality {
        Quality::UltraHd => (LONGEST_4K, "at most 3 minutes long in total in 4k"),
        Quality::Hd | Quality::FullHd => (LONGEST, "at most 10 minutes long in total"),
    };
    if film.frames() > most * FRAME_RATE {
        return Err(wrong("scenes", format!("{limit} (got {seconds} seconds)")));
    }
    let too_long = |scene: &Scene| scene.frames > LONGEST_SCENE_4K * FRAME_RATE;
    if film.quality == Quality::UltraHd
        && let Some(index) = film.scenes.iter().position(too_long)
    {
        let path = format!("scenes[{index}].duration");
        return Err(wrong(&path, format!("at most {LONGEST_SCENE_4K} seconds in 4k; split the scene in two")));
    }
    let images = film.scenes.iter().flat_map(Scene::images).collect::<BTreeSet<_>>().len();
    if images > MOST_IMAGES {
        return Err(wrong("scenes", format!("limited to {MOST_IMAGES} different images in total (got {images})")));
    }
    Ok(())
}

fn read_scene(path: &str, index: usize, scene: &Value, reader: &mut FilmReader<'_>) -> Result<Scene, Problem> {
    if !scene.is_object() {
        return Err(wrong(path, "an object such as {\"type\": \"hero-title\", \"duration\": 4, \"content\": {}}"));
    }
    let Some(name) = word(&scene["type"]) else {
        return Err(wrong(&format!("{path}.type"), "a text such as `hero-title`"));
    };
    let kind = SceneKind::parse(&name);
    if kind.is_none() {
        reader.warnings.push(format!("{path}.type: `{}` is not known, a title card is drawn", shortened(&name)));
    }
    let (least, most, default) = SCENE_SECONDS;
    let seconds = bounded(scene, path, "duration", (least, most))?.unwrap_or(default);
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
        frames: reader.grid.scene(seconds),
        content: content(&format!("{path}.content"), kind, &scene["content"], reader)?,
        // No scene comes before the first one, so it has no transition.
        transition: transition.filter(|_| index > 0),
        entrance: entrance.unwrap_or_default(),
    })
}

/// A client's word, shortened for a warning.
fn shortened(word: &str) -> String {
    word.chars().take(SHORTENED_LENGTH).collect()
}

/// The value whose name the word begins with: `slide-up` is a slide.
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
    let track_id = word(given);
    if track_id.is_none() && !is_empty(given) {
        return Err(wrong("music.trackId", "the id of a track of /api/music-tracks"));
    }
    let volume = bounded(value, "music", "volume", (0.0, 1.0))?.unwrap_or(VOLUME);
    let ms = |seconds: f64| (seconds * 1000.0) as u32;
    let fade_in = bounded(value, "music", "fadeIn", FADE_SECONDS)?.unwrap_or(FADES.0);
    let fade_out = bounded(value, "music", "fadeOut", FADE_SECONDS)?.unwrap_or(FADES.1);
    let enabled = yes_or_no(value, "music", "enabled")?.unwrap_or(true);
    let Some(track_id) = track_id.filter(|_| enabled) else { return Ok(None) };
    let Some(track) = track(&track_id) else {
        warnings.push(format!("music.trackId: `{}` is not known, the video has no music", shortened(&track_id)));
        return Ok(None);
    };
    let (fade_in_ms, fade_out_ms) = (ms(fade_in), ms(fade_out));
    Ok(Some(Music { track: track.to_owned(), volume, fade_in_ms, fade_out_ms }))
}

#[cfg(test)]
mod tests;
