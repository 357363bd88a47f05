//! The fields of requests about clip jobs: each reads within its bounds, says what would be right, and describes itself.

use std::borrow::Cow;

use reelhook_app::clips::requests::source;
use reelhook_app::videos::uploads;
use reelhook_domain::WebUrl;
use reelhook_domain::clips::request::{Lengths, Source};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::typed::declared::fields;
use crate::typed::numbers::decimal;

/// The longest source, in milliseconds.
const LONGEST_MS: u64 = 4 * 3_600_000;
/// The longest name of a preset of captions, in characters.
const PRESET_LIMIT: usize = 50;
/// The lengths of clips by their names, in seconds.
const LENGTHS: [(&str, Lengths); 3] = [
    ("15-30", Lengths { min_s: 15, max_s: 30 }),
    ("30-60", Lengths { min_s: 30, max_s: 60 }),
    ("60-120", Lengths { min_s: 60, max_s: 120 }),
];
/// What is right for lengths.
const RIGHT_LENGTHS: &str = "a list of `15-30`, `30-60` and `60-120`";

/// Captions: whether there are any, and their preset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Captions {
    /// Whether clips get captions.
    pub wanted: bool,
    /// The preset, in the worker's words.
    pub preset: Option<String>,
}

fields! {
    /// A place in the source, in milliseconds; in requests seconds.
    Place(u64), place, |_| json_schema!({ "type": "number", "minimum": 0, "maximum": LONGEST_MS / 1000 });
    /// The length of the source, in milliseconds; in requests seconds.
    DurationField(u64), duration, |_| json_schema!({
        "type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_MS / 1000
    });
    /// The lengths that clips may have.
    LengthsField(Vec<Lengths>), lengths, |_| {
        let names: Vec<&str> = LENGTHS.iter().map(|(name, _)| *name).collect();
        json_schema!({ "type": ["array", "string"], "items": { "enum": names }, "maxItems": LENGTHS.len() })
    };
    /// Captions: true, the name of a preset, or both.
    CaptionsField(Captions), captions, |_| json_schema!({ "anyOf": [
        { "type": "boolean" },
        { "type": "string", "maxLength": PRESET_LIMIT },
        { "type": "object", "properties": {
            "enabled": { "type": "boolean", "default": true },
            "preset": { "type": "string", "maxLength": PRESET_LIMIT },
        } },
    ] });
    /// A page of a video site.
    PageField(Source), page, |_| json_schema!({
        "type": "string", "format": "uri", "pattern": "^ *[Hh][Tt][Tt][Pp][Ss]?://", "maxLength": WebUrl::LIMIT,
        "examples": ["https://www.youtube.com/watch?v=dQw4w9WgXcQ"],
    });
    /// A file: its URL, or the `key` of an upload. A page of a video site is taken for what it is.
    FileField(Source), file, |_| json_schema!({
        "type": "string", "maxLength": WebUrl::LIMIT,
        "examples": ["https://your-app.com/talk.mp4", "uploads/5f0c2b7e9d134a6688e1c07ab2d94f31.mp4"],
    });
}

fn place(value: Value) -> Result<u64, String> {
    milliseconds(&value).ok_or_else(|| format!("a number of seconds from 0 to {}", LONGEST_MS / 1000))
}

fn duration(value: Value) -> Result<u64, String> {
    let ms = milliseconds(&value).filter(|ms| *ms > 0);
    ms.ok_or_else(|| format!("a number of seconds greater than 0 and at most {}", LONGEST_MS / 1000))
}

/// A number of seconds as milliseconds, if no longer than a source.
fn milliseconds(value: &Value) -> Option<u64> {
    let ms = decimal(value).map(|seconds| (seconds * 1000.0).round());
    ms.filter(|ms| (0.0..=LONGEST_MS as f64).contains(ms)).map(|ms| ms as u64)
}

fn lengths(value: Value) -> Result<Vec<Lengths>, String> {
    let right = || RIGHT_LENGTHS.to_owned();
    let named = match value {
        Value::Array(named) if named.len() <= LENGTHS.len() => named,
        one @ Value::String(_) => vec![one],
        _ => return Err(right()),
    };
    let known = |name: &str| LENGTHS.iter().any(|(known, _)| *known == name);
    let named: Vec<&str> = named
        .iter()
        .map(|name| name.as_str().map(str::trim).filter(|name| known(name)))
        .collect::<Option<_>>()
        .ok_or_else(right)?;
    // In one order and each once, so that equal requests are equal.
    Ok(LENGTHS.into_iter().filter(|(name, _)| named.contains(name)).map(|(_, lengths)| lengths).collect())
}

fn captions(value: Value) -> Result<Captions, String> {
    let right = || {
        format!(
            "true, false, the name of a preset of at most {PRESET_LIMIT} characters, or an object with `enabled` and \
             `preset`"
        )
    };
    let preset = |value: &Value| match value {
        Value::Null => Ok(None),
        Value::String(text) if text.chars().count() <= PRESET_LIMIT => {
            Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned))
        }
        _ => Err(right()),
    };
    match &value {
        Value::Bool(wanted) => Ok(Captions { wanted: *wanted, preset: None }),
        Value::String(_) => preset(&value).map(|preset| Captions { wanted: preset.is_some(), preset }),
        Value::Object(_) => {
            let wanted = match &value["enabled"] {
                Value::Null => true,
                Value::Bool(wanted) => *wanted,
                _ => return Err(right()),
            };
            Ok(Captions { wanted, preset: preset(&value["preset"])?.filter(|_| wanted) })
        }
        Value::Null | Value::Number(_) | Value::Array(_) => Err(right()),
    }
}

fn page(value: Value) -> Result<Source, String> {
    let url = value.as_str().and_then(|text| WebUrl::parse(text.trim()));
    match url.map(source::at) {
        Some(page @ Source::Page(_)) => Ok(page),
        Some(Source::File(_) | Source::Upload(_)) | None => {
            Err("a page of a video site, such as `https://www.youtube.com/watch?v=abc`; send the URL of a file as \
             `videoUrl`"
                .to_owned())
        }
    }
}

fn file(value: Value) -> Result<Source, String> {
    let Some(text) = value.as_str().map(str::trim) else { return Err(RIGHT_FILE.to_owned()) };
    if uploads::is_video_key(text) {
        return Ok(Source::Upload(text.to_owned()));
    }
    WebUrl::parse(text).map(source::at).ok_or_else(|| RIGHT_FILE.to_owned())
}

/// What is right for a file.
const RIGHT_FILE: &str =
    "an http or https URL of at most 2,048 bytes, or the `key` of a video that was uploaded by POST /api/uploads";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_are_numbers_of_seconds() {
        for (given, expected) in
            [(json!(0), Some(0)), (json!("12.3456"), Some(12_346)), (json!(14_400), Some(LONGEST_MS))]
        {
            assert_eq!(place(given.clone()).ok(), expected, "{given}");
        }
        for bad in [json!(-1), json!("1:30"), json!(14_401), json!(null), json!(1e300), json!([])] {
            assert_eq!(place(bad.clone()), Err("a number of seconds from 0 to 14400".to_owned()), "{bad}");
        }
    }

    #[test]
    fn a_duration_is_a_positive_number_of_seconds() {
        for (given, expected) in
            [(json!(0.001), Some(1)), (json!("7200"), Some(7_200_000)), (json!(14_400), Some(LONGEST_MS))]
        {
            assert_eq!(duration(given.clone()).ok(), expected, "{given}");
        }
        for bad in [json!(0), json!(0.0001), json!(-1), json!(14_400.5), json!("2:00:00"), json!(null), json!([])] {
            let right = "a number of seconds greater than 0 and at most 14400";
            assert_eq!(duration(bad.clone()), Err(right.to_owned()), "{bad}");
        }
    }

    #[test]
    fn lengths_are_known_by_name_in_one_order() {
        let all: Vec<Lengths> = LENGTHS.iter().map(|(_, lengths)| *lengths).collect();
        assert_eq!(lengths(json!(["60-120", "15-30", " 30-60"])), Ok(all.clone()));
        assert_eq!((lengths(json!("15-30")), lengths(json!([]))), (Ok(vec![all[0]]), Ok(Vec::new())));
        assert_eq!(lengths(json!(["15-30", "15-30"])), Ok(vec![all[0]]));
        for bad in [json!(["15-31"]), json!([15]), json!({}), json!(["15-30", "15-30", "15-30", "15-30"])] {
            assert_eq!(lengths(bad.clone()), Err(RIGHT_LENGTHS.to_owned()), "{bad}");
        }
    }

    #[test]
    fn captions_are_a_switch_a_preset_or_both() {
        let check = |given: Value, wanted: bool, preset: Option<&str>| {
            let expected = Captions { wanted, preset: preset.map(str::to_owned) };
            assert_eq!(captions(given.clone()), Ok(expected), "{given}");
        };
        check(json!(true), true, None);
        check(json!(false), false, None);
        check(json!(" bold "), true, Some("bold"));
        check(json!(""), false, None);
        check(json!({ "preset": "bold" }), true, Some("bold"));
        check(json!({ "enabled": false, "preset": "bold" }), false, None);
        for bad in [
            json!(1),
            json!(null),
            json!([]),
            json!("x".repeat(51)),
            json!({ "enabled": "yes" }),
            json!({ "preset": 1 }),
        ] {
            assert!(captions(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_source_is_a_page_a_file_or_an_upload() {
        let url = |text: &str| WebUrl::parse(text).unwrap();
        let (site, media) = ("https://youtu.be/abc", "https://media.example/talk.mp4");
        assert_eq!(page(json!(site)), Ok(Source::Page(url(site))));
        assert_eq!(
            (file(json!(media)), file(json!(site))),
            (Ok(Source::File(url(media))), Ok(Source::Page(url(site))))
        );
        let key = format!("uploads/{}.mp4", "0a".repeat(16));
        assert_eq!(file(json!(key)), Ok(Source::Upload(key)));
        for bad in [json!(media), json!("youtube"), json!(7)] {
            assert!(page(bad.clone()).is_err(), "{bad}");
        }
        for bad in ["uploads/../clips/a.mp4", "clips/a.mp4", "s3://bucket/a.mp4", "file:///etc/passwd", ""] {
            assert_eq!(file(json!(bad)), Err(RIGHT_FILE.to_owned()), "{bad}");
        }
    }
}
