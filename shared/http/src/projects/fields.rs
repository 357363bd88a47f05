//! The fields of requests about projects and scenes: each reads within its bounds, says what would be right, and
//! describes itself.

use std::borrow::Cow;

use reelhook_app::projects::requests::models::MOST_MS;
use reelhook_app::projects::requests::scenes::NUMBER_LIMIT;
use reelhook_app::projects::requests::texts::PROMPT_LIMIT;
use reelhook_app::views::scenes::{ProjectIdText, SceneIdText, SceneKindText, SceneNumberText, SceneStatusText};
use reelhook_domain::projects::scene::{SceneKind, SceneStatus};
use reelhook_domain::{ProjectId, SceneId, WebUrl};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::typed::declared::fields;
use crate::typed::fields::{FieldValue, WebUrlText};
use crate::typed::numbers::{decimal, whole};

/// The shortest scene, in milliseconds.
const LEAST_MS: u64 = 100;
/// The largest budget, in dollars.
const MOST_DOLLARS: f64 = 1e9;

fields! {
    /// The length of a scene, in milliseconds; in requests seconds.
    Seconds(u64), seconds, |_| json_schema!({
        "type": "number", "minimum": LEAST_MS as f64 / 1000.0, "maximum": MOST_MS / 1000,
    });
    /// Millionths of a dollar; in requests dollars.
    Dollars(u64), dollars, |_| json_schema!({ "type": "number", "minimum": 0, "maximum": MOST_DOLLARS });
    /// What a video shows.
    Prompt(String), prompt, |_| json_schema!({ "type": "string", "maxLength": PROMPT_LIMIT });
    /// The number of a scene, in any spelling of a whole number or as a text.
    Number(String), number, |generator| {
        let text = generator.subschema_for::<SceneNumberText>();
        json_schema!({ "anyOf": [text, { "type": "integer", "minimum": 0 }] })
    };
    /// The id of a scene.
    SceneKey(SceneId), |value| scene_id(&value).ok_or_else(|| "the id of a scene".to_owned()),
        |generator| generator.subschema_for::<SceneIdText>();
    /// The id that a client chooses for a project.
    ProjectKey(ProjectId), |value| {
        let id = value.as_str().and_then(|text| ProjectId::chosen(text).ok());
        id.ok_or_else(|| "an id that begins with `proj_` and has at most 80 letters, digits, `_`, `-` and `.`".to_owned())
    }, |generator| generator.subschema_for::<ProjectIdText>();
    /// The id or the number of a scene, or `previous` for the one before.
    Reference(String), |value| {
        let text = scene_id(&value).map(|id| id.as_str().to_owned());
        text.ok_or_else(|| "the id or the number of a scene, or `previous`".to_owned())
    }, |_| json_schema!({ "type": ["string", "integer"], "maxLength": 80 });
    /// A resolution, such as `1920x1080`, `1080p` or `4k`.
    Resolution(String), resolution, |_| json_schema!({
        "type": "string", "pattern": "^[A-Za-z0-9:]{1,20}$", "examples": ["1920x1080", "1080p"],
    });
    /// A URL; a blank text is none.
    UrlField(Option<WebUrl>), |value| match value.as_str().map(str::trim) {
        Some("") => Ok(None),
        text => text.and_then(WebUrl::of_text).map(Some).ok_or_else(|| WebUrl::RIGHT.to_owned()),
    }, |generator| {
        let url = generator.subschema_for::<WebUrlText>();
        json_schema!({ "anyOf": [url, { "const": "" }] })
    };
    /// The client's user: a text of at most 200 characters or a number.
    User(String), |value| match &value {
        Value::String(text) if text.chars().count() <= 200 => Ok(text.clone()),
        _ => whole(&value).map(|id| id.to_string()).ok_or_else(|| "a text of at most 200 characters".to_owned()),
    }, |_| json_schema!({ "type": ["string", "integer"], "maxLength": 200 });
}

fn seconds(value: Value) -> Result<u64, String> {
    let right = format!("a number of seconds from {} to {}", LEAST_MS as f64 / 1000.0, MOST_MS / 1000);
    let Some(seconds) = decimal(&value) else { return Err(right) };
    let ms = (seconds * 1000.0).round();
    if ms > MOST_MS as f64 {
        return Err(format!("at most {} s (got {seconds})", MOST_MS / 1000));
    }
    if ms < LEAST_MS as f64 { Err(right) } else { Ok(ms as u64) }
}

fn dollars(value: Value) -> Result<u64, String> {
    let dollars = decimal(&value).filter(|dollars| (0.0..=MOST_DOLLARS).contains(dollars));
    dollars.map(|dollars| (dollars * 1e6).round() as u64).ok_or_else(|| "a number of dollars, at least 0".to_owned())
}

fn prompt(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) if text.len() <= PROMPT_LIMIT => Ok(text),
        _ => Err(format!("a text of at most {} KiB", PROMPT_LIMIT / 1024)),
    }
}

fn number(value: Value) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let text = match &value {
        Value::String(text) => Some(text.trim().to_owned()),
        _ => whole(&value).filter(|number| *number >= 0).map(|number| number.to_string()),
    };
    let text = text.filter(|text| (1..=NUMBER_LIMIT).contains(&text.len()) && text.bytes().all(is_allowed));
    text.ok_or_else(|| format!("a whole number, or a text of 1 to {NUMBER_LIMIT} letters, digits, `_`, `-` and `.`"))
}

fn resolution(value: Value) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b':';
    let text = value.as_str().map(str::trim);
    let text = text.filter(|text| (1..=20).contains(&text.len()) && text.bytes().all(is_allowed));
    text.map(str::to_owned).ok_or_else(|| "a resolution such as `1920x1080` or `1080p`".to_owned())
}

/// The id of a scene, which some clients write as a number.
fn scene_id(value: &Value) -> Option<SceneId> {
    match value {
        Value::String(text) => SceneId::parse(text.trim()).ok(),
        Value::Number(_) => SceneId::parse(&whole(value)?.to_string()).ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

impl FieldValue for SceneKind {
    type Described = SceneKindText;
    const RIGHT: &'static str = "`text-to-video`, `image-to-video`, `first-last-frame` or `composite-to-video`";

    fn of_text(text: &str) -> Option<Self> {
        text.trim().replace('_', "-").parse().ok()
    }
}

impl FieldValue for SceneStatus {
    type Described = SceneStatusText;
    const RIGHT: &'static str = "`draft`, `ready`, `approved`, `rejected` or `revision`";

    fn of_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lengths_and_amounts_are_read_as_numbers_or_texts() {
        for (given, expected) in [
            (json!(5), Ok(5_000)),
            (json!("2.5"), Ok(2_500)),
            (json!(600.0), Ok(600_000)),
            (json!(700), Err("at most 600 s (got 700)".to_owned())),
            (json!(0), Err("a number of seconds from 0.1 to 600".to_owned())),
            (json!(null), Err("a number of seconds from 0.1 to 600".to_owned())),
        ] {
            assert_eq!(seconds(given.clone()), expected, "{given}");
        }
        assert_eq!(dollars(json!("0.05")), Ok(50_000));
        assert!(dollars(json!(-1)).is_err() && dollars(json!(1e12)).is_err());
    }

    #[test]
    fn numbers_of_scenes_are_texts() {
        for (given, expected) in [(json!(2), "2"), (json!("002a"), "002a"), (json!(3.0), "3"), (json!(" 7 "), "7")] {
            assert_eq!(number(given).as_deref(), Ok(expected));
        }
        for bad in [json!(""), json!(-1), json!(1.5), json!("a b"), json!("x".repeat(21)), json!(null)] {
            assert!(number(bad.clone()).is_err(), "{bad}");
        }
    }
}
