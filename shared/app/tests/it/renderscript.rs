//! Films in Creatomate's words: texts as they were written, and scenes as long as their frames.

use reelhook_app::videos::renderscript::render_script;
use reelhook_domain::videos::film::{Content, Film, Item, Rendition, Scene, SceneKind};
use reelhook_testkit::a_film;
use serde_json::json;

fn film(scenes: Vec<(Content, u32)>) -> Film {
    let scene = |(content, frames): (Content, u32)| Scene {
        kind: SceneKind::HeroTitle,
        frames,
        content,
        transition: None,
        entrance: Default::default(),
    };
    a_film(scenes.into_iter().map(scene).collect())
}

/// The texts of a scene, from above.
fn texts(content: Content) -> Vec<String> {
    let script = render_script(&film(vec![(content, 90)]), Rendition::Landscape, &[], None);
    let elements = script["elements"][0]["elements"].as_array().expect("elements").iter();
    elements.map(|element| element["text"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn asterisks_that_are_no_emphasis_are_shown_as_written() {
    for text in ["Card **** 4242 and **** 1881", "2 ** 3 ** 2", "f(**kwargs)", "a\n\nb", "日本\u{3000}東京"] {
        assert_eq!(texts(Content { title: text.to_owned(), ..Content::default() }), [text]);
    }
}

#[test]
fn marks_of_bold_parts_are_left_out() {
    let text = str::to_owned;
    let item = |title: &str, points: &[&str]| Item {
        title: title.to_owned(),
        value: "**5** %".to_owned(),
        points: points.iter().map(|point| (*point).to_owned()).collect(),
        ..Item::default()
    };
    let content = Content {
        kicker: text("***new***"),
        title: text("**Welcome** to __Acme__"),
        subtitle: text("5 * 3 ** 2"),
        body: text("Ship **today**, **(free)**"),
        button: text("**Go**"),
        footnote: text("**a** ** b"),
        author: text("**A**"),
        role: text("b ** c"),
        items: vec![item("**Fast", &["**one** point", "2 ** 3"]), item("cheap**", &[])],
        ..Content::default()
    };
    assert_eq!(
        texts(content),
        [
            "*new*",
            "Welcome to __Acme__",
            "5 * 3 ** 2",
            "Ship today, (free)",
            // Nothing is bold from one item to the next.
            "5 %  **Fast\n  • one point\n  • 2 ** 3\n5 %  cheap**",
            "A, b ** c",
            "Go",
            "a ** b",
        ]
    );
}

#[test]
fn scenes_last_as_long_as_their_frames() {
    // Forty scenes of 0.55 s: every other one has a frame more.
    let scenes = (0..40).map(|place| (Content::default(), 16 + (place + 1) % 2)).collect();
    let script = render_script(&film(scenes), Rendition::Landscape, &[], None);
    assert_eq!((&script["duration"], &script["frame_rate"]), (&json!(22.0), &json!(30)));
    let elements = script["elements"].as_array().expect("elements");
    let seconds: f64 = elements.iter().filter_map(|scene| scene["duration"].as_f64()).sum();
    assert!((seconds - 22.0).abs() < 1e-9, "{seconds}");
    assert!(elements.iter().all(|scene| scene["type"] == "composition"));
}
