//! Describes film specifications. The fields of these types are the members that the reader looks up (film.rs,
//! film_content.rs, film_names.rs). The types are never filled: derived code could not be as lenient as the reader.

mod content;
mod values;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

pub use self::content::{ItemMembers, SceneColumn, SceneContent, SceneItem, ScenePoint, ScenePoints};
pub use self::values::{
    FlagGiven, NumberGiven, QualityName, SceneImage, SceneText, SceneTypeName, SceneWord, TrackName,
};
use crate::videos::film::{FADE_SECONDS, FADES, MOST_SCENES, SCENE_SECONDS, VOLUME};

/// The specification of a video: at most 10 minutes, 3 in 4k, and 20 images. Unknown members are ignored.
#[derive(Debug, Default, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["scenes"]))]
pub struct VideoConfig {
    /// The scenes, in order.
    #[schemars(length(min = 1, max = MOST_SCENES))]
    pub scenes: Vec<Scene>,
    /// The title; the answer of `POST /api/generate-flexible-video` repeats it.
    pub title: SceneText,
    /// The title, if `title` is empty.
    pub name: SceneText,
    /// A name for the kind of video, `flexible` by default; the answer of `POST /api/generate-flexible-video` repeats
    /// it.
    pub r#type: SceneText,
    /// `corporate` (the default), `minimal`, `vibrant`, `dark`, `nature`, `sunset`, `ocean`, `luxury`, or another name
    /// that docs/videos.md lists. An unknown one is `corporate`, with a warning.
    pub theme: SceneWord,
    /// The theme, if `theme` is empty.
    pub color_scheme: SceneWord,
    /// `720p`, `1080p` (the default) or `4k`, in any case. `hd`, `fullhd`, `full-hd`, `2160p` and `uhd` are accepted,
    /// too, and `720`, `1080` and `2160`, also as numbers.
    pub quality: QualityName,
    /// The music of the video.
    pub music: VideoMusic,
    /// Whether there is a second video of 1080x1920 with a layout of its own; also as a text.
    #[schemars(extend("default" = false))]
    pub generate_reels: FlagGiven,
}

/// A scene of a video.
#[derive(Debug, Default, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["type"]))]
pub struct Scene {
    /// The type. An unknown one is drawn as a title card, with a warning.
    pub r#type: SceneTypeName,
    /// Seconds; also as a text.
    #[schemars(range(min = SCENE_SECONDS.0, max = SCENE_SECONDS.1), extend("default" = SCENE_SECONDS.2))]
    pub duration: NumberGiven,
    /// What the scene shows.
    pub content: Option<SceneContent>,
    /// How the scene replaces the one before: a word that begins with `fade` (the default), `slide`, `zoom`, `rotate`
    /// or `blur`; any other is a cut. The first scene has no transition.
    pub transition: SceneWord,
    /// How the parts of the scene come in: a word that begins with `fade`, `slide`, `zoom`, `scale` or `none`; with any
    /// other, and by default, they rise from a little below.
    pub animation: SceneWord,
}

/// The music of a video.
#[derive(Debug, Clone, Copy, Default)]
pub struct VideoMusic;

impl JsonSchema for VideoMusic {
    fn schema_name() -> Cow<'static, str> {
        "VideoMusic".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The id of a track, its file name, or the file name without `.mp3`. With an unknown track \
                            there is no music, but a warning",
            "anyOf": [
                { "type": "string" },
                { "const": false },
                { "type": "null" },
                generator.subschema_for::<MusicSettings>(),
            ],
        })
    }
}

/// A track and how it is played.
#[derive(Debug, Default, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct MusicSettings {
    /// The track; without one there is no music.
    pub track_id: TrackName,
    /// The volume, also as a text.
    #[schemars(range(min = 0, max = 1), extend("default" = VOLUME))]
    pub volume: NumberGiven,
    /// Whether there is music, also as a text.
    #[schemars(extend("default" = true))]
    pub enabled: FlagGiven,
    /// Seconds; also as a text.
    #[schemars(range(min = FADE_SECONDS.0, max = FADE_SECONDS.1), extend("default" = FADES.0))]
    pub fade_in: NumberGiven,
    /// Seconds; also as a text.
    #[schemars(range(min = FADE_SECONDS.0, max = FADE_SECONDS.1), extend("default" = FADES.1))]
    pub fade_out: NumberGiven,
}

#[cfg(test)]
mod tests;
