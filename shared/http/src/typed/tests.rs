//! Tests of typed requests: leniency, bounds, and the path in every error.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::fields::{Decimal, Flag, Moment, Patch, Shortened, Text, Whole, blank_is_absent};
use super::*;

/// A body with a field of each type.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(default, deserialize_with = "blank_is_absent")]
    name: Option<Text<5>>,
    size: Option<Whole<1, 10>>,
    ratio: Option<Decimal>,
    at: Option<Moment>,
    #[serde(default)]
    enabled: Patch<Flag>,
    #[serde(default)]
    mode: Patch<Mode>,
    #[serde(default)]
    parts: Vec<Part>,
    #[serde(default, alias = "note_text")]
    note: Shortened<3>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fast,
    Slow,
    Best,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "an object with `width`")]
struct Part {
    width: Whole<0, 5>,
}

fn refused(body: Value) -> String {
    read::<Body>(&body).unwrap_err().parts().2
}

#[test]
fn fields_are_read_leniently() {
    let body = json!({
        "name": " ", "size": "3.0", "ratio": "1.5", "at": 1_704_110_400, "enabled": null, "mode": "slow",
        "parts": [{ "width": 5.0, "more": 1 }], "note_text": "abcdef",
    });
    let body: Body = read(&body).unwrap();
    assert_eq!((body.name, body.size.map(Whole::get::<u8>)), (None, Some(3)));
    assert_eq!((body.ratio, body.at.map(|at| at.0.millis())), (Some(Decimal(1.5)), Some(1_704_110_400_000)));
    assert_eq!((body.enabled, body.mode), (Patch::Null, Patch::Value(Mode::Slow)));
    assert_eq!((body.parts[0].width.get::<u8>(), body.note.0.as_deref()), (5, Some("abc")));
    let none: Body = read(&json!({})).unwrap();
    assert_eq!((none.enabled, none.mode, none.parts.len()), (Patch::Absent, Patch::Absent, 0));
}

#[test]
fn an_error_names_the_path_and_what_would_be_right() {
    for (body, sentence) in [
        (json!({ "name": "abcdef" }), "`name` must be a text of at most 5 characters"),
        (json!({ "name": 5 }), "`name` must be a text of at most 5 characters"),
        (json!({ "size": 11 }), "`size` must be a whole number from 1 to 10"),
        (json!({ "size": [] }), "`size` must be a whole number from 1 to 10"),
        (json!({ "ratio": "wide" }), "`ratio` must be a number"),
        (json!({ "enabled": "yes" }), "`enabled` must be true or false"),
        (json!({ "mode": "quick" }), "`mode` must be `fast`, `slow` or `best`"),
        (json!({ "mode": 1 }), "`mode` must be `fast`, `slow` or `best`"),
        (json!({ "parts": [{ "width": 1 }, { "width": 6 }] }), "`parts[1].width` must be a whole number from 0 to 5"),
        (json!({ "parts": [{ "width": 1 }, {}] }), "`parts[1].width` must be present"),
        (json!({ "parts": [3] }), "`parts[0]` must be an object with `width`"),
        (json!({ "parts": [[3]] }), "`parts[0]` must be an object with `width`"),
        (json!({ "note": "a", "note_text": "b" }), "`note` must be given under one of its names"),
        (json!({ "sise": 1 }), "Unknown field `sise`; the fields are `name`, `size`, `ratio`"),
        (json!([]), "`body` must be"),
    ] {
        let found = refused(body.clone());
        assert!(found.starts_with(sentence), "{body}: {found}");
    }
    assert!(refused(json!({ "at": "yesterday" })).starts_with("`at` must be a time from 2000 to 2099"));
}

#[test]
fn the_first_query_parameter_of_a_name_counts_and_an_empty_one_is_absent() {
    #[derive(Deserialize)]
    struct Query {
        limit: Option<Whole<1, 100>>,
        status: Option<Text<10>>,
    }
    let query: Query =
        read_query([("status", ""), ("limit", "7"), ("limit", "x"), ("other", "1")].into_iter()).unwrap();
    assert_eq!((query.limit.map(Whole::get::<usize>), query.status), (Some(7), None));
}

#[test]
fn a_type_describes_its_bounds() {
    let schema = schemars::schema_for!(Body);
    let properties = &schema.as_value()["properties"];
    assert_eq!(properties["size"], json!({ "type": ["integer", "null"], "minimum": 1, "maximum": 10 }));
    assert_eq!(properties["name"], json!({ "type": ["string", "null"], "maxLength": 5 }));
}
