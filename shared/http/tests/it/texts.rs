//! A number is accepted as a text, a boolean is not, and white space inside a text is kept.

use reelhook_domain::videos::film::Item;
use serde_json::{Value, json};

use crate::film::{content, parse_film, refusal};

fn titles(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.title.as_str()).collect()
}

#[test]
fn numbers_are_texts_in_every_list() {
    let sides = content("comparison", json!({ "left": [2023, 17, "text"], "right": ["more", 1250.0, -0.0] }));
    assert_eq!(titles(&sides.items), ["Left", "Right"]);
    assert_eq!(sides.items[0].points, ["2023", "17", "text"]);
    assert_eq!(sides.items[1].points, ["more", "1250", "0"]);
    assert!(!sides.items[0].marked && sides.items[1].marked);
    let columns = json!({ "columns": [{ "name": 2023, "features": [1, { "text": 2 }, { "label": "three" }] }, 2024] });
    let columns = content("comparison", columns);
    assert_eq!(titles(&columns.items), ["2023", "2024"]);
    assert_eq!(columns.items[0].points, ["1", "2", "three"]);
    let list = content("feature-list", json!({ "features": ["a", 7, { "title": 8.50, "description": 9 }] }));
    assert_eq!(titles(&list.items), ["a", "7", "8.5"]);
    assert_eq!(list.items[2].text, "9");
    let stats = content("stats", json!({ "stats": [{ "value": 98.0, "unit": "%", "label": 2024 }] }));
    assert_eq!((stats.items[0].value.as_str(), stats.items[0].text.as_str()), ("98%", "2024"));
}

#[test]
fn numbers_are_texts_in_every_member() {
    let hero = json!({ "title": 2024, "subtitle": { "text": 7 }, "body": 1.0, "button": 5, "price": 9.9, "badge": -3 });
    let hero = content("hero-title", hero);
    let texts = [&hero.title, &hero.subtitle, &hero.body, &hero.button, &hero.footnote, &hero.kicker];
    assert_eq!(texts, ["2024", "7", "1", "5", "9.9", "-3"]);
    let quote = content("testimonial", json!({ "quote": 10, "author": 11, "company": 12 }));
    assert_eq!([&quote.title, &quote.author, &quote.role], ["10", "11", "12"]);
    assert_eq!(content("lesson-title", json!({ "lesson": 3.0 })).kicker, "Lesson 3");
    let film =
        parse_film(&json!({ "title": 2024, "quality": 720, "theme": 5, "scenes": [{ "type": 7 }] })).expect("a film");
    assert_eq!(film.film.title.as_deref(), Some("2024"));
    assert_eq!(film.warnings.len(), 2, "neither 5 nor 7 is known: {:?}", film.warnings);
}

#[test]
fn booleans_are_never_texts() {
    let check = |kind: &str, content: Value, place: &str| {
        let refused = refusal(parse_film(&json!({ "scenes": [{ "type": kind, "content": content }] })));
        assert!(refused.starts_with(&format!("`scenes[0].content.{place}` must be a text")), "{refused}");
    };
    check("hero-title", json!({ "title": true }), "title");
    check("hero-title", json!({ "title": "", "heading": false }), "heading");
    check("hero-title", json!({ "title": { "text": true } }), "title");
    check("hero-title", json!({ "title": { "deep": 1 } }), "title");
    check("hero-title", json!({ "title": ["a", "b"] }), "title");
    check("feature-list", json!({ "features": ["a", true] }), "features[1]");
    check("feature-list", json!({ "features": ["a", ["b"]] }), "features[1]");
    check("comparison", json!({ "left": ["a", false], "right": [1] }), "left[1]");
    check("comparison", json!({ "columns": [{ "points": ["a", "b", true] }] }), "columns[0].points[2]");
}

#[test]
fn a_single_point_needs_no_list() {
    let points = |column: Value| {
        let content = content("comparison", json!({ "columns": [column, "other"] }));
        content.items.into_iter().next().expect("a column").points
    };
    assert_eq!(points(json!({ "name": "a", "points": 2023 })), ["2023"]);
    assert_eq!(points(json!({ "name": "a", "features": "Fast", "pros": ["b"] })), ["Fast"]);
    assert_eq!(points(json!({ "name": "a", "features": " ", "items": null, "bullets": 1250.0 })), ["1250"]);
    assert_eq!(points(json!({ "name": "a", "features": true, "items": {"b": 1}, "list": ["c", 4] })), ["c", "4"]);
    let sides = content("comparison", json!({ "left": { "points": 17 }, "right": { "title": "b", "list": "c" } }));
    assert_eq!([&sides.items[0].points[..], &sides.items[1].points[..]], [["17"], ["c"]]);
    let products = content("product-matrix", json!({ "products": [{ "name": "a", "features": "light" }] }));
    assert_eq!(products.items[0].points, ["light"]);
}

#[test]
fn the_space_between_a_number_and_its_unit_is_kept() {
    let value = |item: Value| content("stats", json!({ "stats": [item] })).items[0].value.clone();
    for (unit, expected) in [
        ("%", "5%"),
        (" %", "5 %"),
        ("\u{A0}km", "5\u{A0}km"),
        ("\u{202F}€ ", "5\u{202F}€"),
        ("+", "5+"),
        ("\n km", "5km"),
        ("  ", "5"),
    ] {
        assert_eq!(value(json!({ "value": 5, "suffix": unit })), expected, "{unit:?}");
        assert_eq!(value(json!({ "number": "5", "suffix": "", "unit": unit })), expected, "{unit:?}");
    }
    assert_eq!(value(json!({ "suffix": " km", "label": "far" })), "km");
    assert_eq!(value(json!({ "value": 5, "unit": 7 })), "57");
}

#[test]
fn columns_of_texts_are_shown() {
    let columns = content("comparison", json!({ "before": "By hand", "after": 24 }));
    assert_eq!(titles(&columns.items), ["By hand", "24"]);
    let listed = content("comparison", json!({ "left": "Old", "right": "New", "items": ["a", "b", "c"] }));
    assert_eq!(titles(&listed.items), ["a", "b", "c"]);
    let half = content("comparison", json!({ "old": [], "new": ["fast"] }));
    assert_eq!((titles(&half.items), half.items[1].points.as_slice()), (vec!["Old", "New"], &["fast".to_owned()][..]));
}

#[test]
fn white_space_inside_of_a_text_is_kept() {
    let check = |given: &str, expected: &str| {
        assert_eq!(content("hero-title", json!({ "title": given })).title, expected, "{given:?}");
        let list = content("feature-list", json!({ "items": [given], "description": given }));
        assert_eq!((list.items[0].title.as_str(), list.body.as_str()), (expected, expected));
    };
    check("a\n\nb", "a\n\nb");
    check("a\r\n\r\nb\rc", "a\n\nb\nc");
    check("日本\u{3000}東京", "日本\u{3000}東京");
    check("10\u{202F}000\u{A0}€", "10\u{202F}000\u{A0}€");
    check("a\tb  c", "a\tb  c");
    check("a\u{AD}b\u{200B}c\u{2066}d\u{2069}", "a\u{AD}b\u{200B}c\u{2066}d\u{2069}");
    check(" \n a \n ", "a");
}
