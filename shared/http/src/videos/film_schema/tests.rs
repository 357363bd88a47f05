//! Tests that the description of film specifications has exactly the members that the reader looks up.

use std::collections::BTreeSet;

use reelhook_domain::videos::render::Renderer;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::*;
use crate::problem::Problem;
use crate::videos::film::{ParsedFilm, read};
use crate::videos::film_names::{self as names, Names};

fn definitions() -> Map<String, Value> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<VideoConfig>();
    generator.take_definitions(true)
}

/// The names of the members of an object.
fn members(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

/// The members of the object among the alternatives of a schema.
fn members_of_object(schema: &Value) -> BTreeSet<String> {
    members(schema["anyOf"].as_array().unwrap().iter().find(|kind| kind["type"] == "object").unwrap())
}

fn all(groups: &[Names]) -> BTreeSet<String> {
    groups.concat().into_iter().map(str::to_owned).collect()
}

#[test]
fn the_reader_looks_up_what_a_scene_and_its_items_describe() {
    let described = definitions();
    let mut content = all(&[
        names::TITLE,
        names::QUOTE,
        names::QUESTION,
        names::SUBTITLE,
        names::BODY,
        names::KICKER,
        names::LESSON,
        names::BUTTON,
        names::FOOTNOTE,
        names::AUTHOR,
        names::QUOTED,
        names::ROLE,
        names::ITEMS,
        names::ANSWER,
        names::IMAGES,
        &[names::MORE_IMAGES],
    ]);
    content.extend(names::SIDES.into_iter().flat_map(|(one, other)| [one.to_owned(), other.to_owned()]));
    assert_eq!(members(&described["SceneContent"]), content);
    let item = all(&[
        names::ITEM_TITLE,
        names::ITEM_TEXT,
        names::ITEM_VALUE,
        names::ITEM_UNIT,
        names::ITEM_ICON,
        names::ITEM_MARKS,
        names::ITEM_POINTS,
        names::ITEM_IMAGE,
    ]);
    assert_eq!(members_of_object(&described["SceneItem"]), item);
    assert_eq!(members_of_object(&described["ScenePoint"]), all(&[names::POINT]));
    assert_eq!(members_of_object(&described["SceneImage"]), all(&[names::IMAGE]));
    assert_eq!(members_of_object(&described["SceneWord"]), all(&[names::WORD]));
}

#[test]
fn the_reader_looks_up_each_member_of_a_configuration_a_scene_and_music() {
    let read = |config: &Value| -> Result<ParsedFilm, Problem> {
        read(config, &[], Renderer::Own, |word| (word == "corp-1").then_some("corp-1"))
    };
    let described = definitions();
    let plain = json!({ "music": { "trackId": "corp-1" }, "scenes": [{ "type": "cta" }, { "type": "cta" }] });
    let check = |schema: BTreeSet<String>, path: &str, value: Value| {
        assert!(schema.len() > 3, "{path}");
        for name in schema {
            let mut config = plain.clone();
            config.pointer_mut(path).unwrap()[&name] = value.clone();
            assert_ne!(read(&config), read(&plain), "{path}/{name}");
        }
    };
    let mut config = members(&described["VideoConfig"]);
    // The reader of requests looks it up.
    assert!(config.remove("type"));
    check(config, "", json!([7]));
    check(members(&described["Scene"]), "/scenes/1", json!("slide"));
    check(members_of_object(&described["VideoMusic"]), "/music", json!([7]));
}

#[test]
fn bounds_are_those_of_the_reader() {
    let described = definitions();
    let scene = &described["Scene"]["properties"]["duration"];
    assert_eq!((&scene["minimum"], &scene["maximum"], &scene["default"]), (&json!(0.5), &json!(120.0), &json!(4.0)));
    assert_eq!(described["VideoConfig"]["properties"]["scenes"]["maxItems"], 100);
    assert_eq!(described["SceneContent"]["properties"]["items"]["maxItems"], 12);
    assert_eq!(
        (&described["VideoConfig"]["required"], &described["Scene"]["required"]),
        (&json!(["scenes"]), &json!(["type"]))
    );
    assert_eq!(described["SceneContent"].get("required"), None);
}
