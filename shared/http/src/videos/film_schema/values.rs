//! Describes single values of a film specification.

use std::borrow::Cow;

use reelhook_domain::videos::film::SceneKind;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::videos::film_values::TEXT_LIMIT;

/// Declares types that only describe values: `Name, inline or named, schema`.
macro_rules! values {
    ($($(#[$about:meta])* $name:ident, $is_inline:literal, $schema:tt;)+) => { $(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                $is_inline
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+ };
}

/// The description of texts.
const TEXT: &str = "A text, with `**bold**` parts (CommonMark's strong emphasis; other asterisks are shown), line \
                    breaks and blank lines. A number is a text, too, and shows as people write it; so is an object \
                    with a `text`. True and false are not texts. An empty value (white space only, or an empty list or \
                    object) counts as absent";
/// The description of images.
const IMAGE: &str = "An http or https URL, the key of an upload (`POST /api/uploads`), or the name of a file of \
                     `images`, alone or as `url`, `src`, `key` or `image` of an object; or the number of a file of \
                     `images`, from 0. PNG, JPEG, WebP or GIF of at most 10 MiB";
/// A number as a text; blank counts as absent.
const NUMBER: &str = r"^\s*([0-9]+(\.[0-9]*)?)?\s*$";
/// A flag as a text; blank counts as absent.
const FLAG: &str = r"^\s*([tT][rR][uU][eE]|[fF][aA][lL][sS][eE])?\s*$";
/// The names of qualities; blank counts as absent.
const QUALITY: &str = r"^\s*(720[pP]?|[hH][dD]|1080[pP]?|[fF][uU][lL][lL]-?[hH][dD]|4[kK]|2160[pP]?|[uU][hH][dD])?\s*$";

values! {
    /// A text for the screen.
    SceneText, false, {
        "description": TEXT,
        "anyOf": [
            { "type": "string", "maxLength": TEXT_LIMIT },
            { "type": "number" },
            {
                "type": "object",
                "required": ["text"],
                "properties": {
                    "text": {
                        "anyOf": [
                            { "type": "string", "maxLength": TEXT_LIMIT },
                            { "type": "number" },
                            { "type": "null" },
                        ],
                    },
                },
            },
            { "type": "null" },
        ],
    };
    /// An image.
    SceneImage, false, {
        "description": IMAGE,
        "anyOf": [
            { "type": "string", "maxLength": TEXT_LIMIT },
            { "type": "integer", "minimum": 0 },
            {
                "type": "object",
                "properties": {
                    "url": { "type": "string", "maxLength": TEXT_LIMIT },
                    "src": { "type": "string", "maxLength": TEXT_LIMIT },
                    "key": { "type": "string", "maxLength": TEXT_LIMIT },
                    "image": { "type": "string", "maxLength": TEXT_LIMIT },
                },
            },
        ],
    };
    /// A word that chooses something.
    SceneWord, false, {
        "description": "A word, alone or as `type` or `name` of an object",
        "anyOf": [
            { "type": "string" },
            { "type": "object", "properties": { "type": { "type": "string" }, "name": { "type": "string" } } },
            { "type": "null" },
        ],
    };
    /// The type of a scene.
    SceneTypeName, true, {
        "anyOf": [
            { "enum": SceneKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>() },
            { "type": "string" },
        ],
    };
    /// A quality.
    QualityName, true, {
        "type": ["string", "integer", "null"],
        "pattern": QUALITY,
        "examples": ["720p", "1080p", "4k"],
    };
    /// The name of a music track.
    TrackName, true, { "type": ["string", "null"] };
    /// A number, also as a text.
    NumberGiven, true, { "type": ["number", "string", "null"], "pattern": NUMBER };
    /// True or false, also as a text.
    FlagGiven, true, { "type": ["boolean", "string", "null"], "pattern": FLAG };
}
