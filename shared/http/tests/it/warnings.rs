//! Characters without a glyph cause a warning with the path, which lists few of them.

use reelhook_domain::videos::render::Renderer;
use reelhook_http::videos::film::read;
use serde_json::{Value, json};

use crate::film::{parse_film, track};

fn warnings(scenes: Value) -> Vec<String> {
    parse_film(&json!({ "scenes": scenes })).expect("a film").warnings
}

#[test]
fn a_warning_has_the_path_and_the_characters() {
    let scenes = json!([
        { "type": "hero-title", "content": { "title": "Plain" } },
        { "type": "hero-title", "content": { "heading": "བོད", "subtitle": "Tibet" } },
        { "type": "comparison", "content": { "left": ["ok", "Ꭰ"], "right": [{ "text": "𓀀" }] } },
        { "type": "feature-list", "content": { "items": [{ "title": "a", "description": "\u{E000}", "icon": "𝄞" }] } },
    ]);
    assert_eq!(
        warnings(scenes),
        [
            "scenes[1].content.heading: no typeface has `བ` (U+0F56), `\u{F7C}` (U+0F7C), `ད` (U+0F51); a box is drawn for each",
            "scenes[2].content.left[1]: no typeface has `Ꭰ` (U+13A0); a box is drawn for each",
            "scenes[2].content.right[0].text: no typeface has `𓀀` (U+13000); a box is drawn for each",
            "scenes[3].content.items[0].description: no typeface has `\u{E000}` (U+E000); a box is drawn for each",
            "scenes[3].content.items[0].icon: no typeface has `𝄞` (U+1D11E); a box is drawn for each",
        ]
    );
}

#[test]
fn warnings_are_few_and_short() {
    let tibetan: String = ('\u{F40}'..='\u{F6C}').collect();
    let scene = json!({ "type": "feature-list", "content": { "items": vec![tibetan; 12] } });
    let warnings = warnings(json!(vec![scene; 100]));
    assert_eq!(warnings.len(), 21);
    assert!(warnings[0].ends_with("`ང` (U+0F44) and 40 more; a box is drawn for each"), "{}", warnings[0]);
    assert!(warnings.iter().all(|warning| warning.len() < 250));
    assert_eq!(warnings[20], "1180 more texts have characters that no typeface has");
}

#[test]
fn supported_characters_have_no_warning() {
    let texts = [
        "नमस्ते, שלום, 你好, 안녕하세요, สวัสดี",
        "👨‍👩‍👧‍👦 🇩🇪 1️⃣ ❤️ 👍🏽 🏳️‍🌈",
        "soft\u{AD}hyphen, zero\u{200B}width, \u{2066}isolate\u{2069}, tab\t",
        "10\u{202F}000\u{A0}€ × 10⁵⁰",
    ];
    assert_eq!(warnings(json!([{ "type": "feature-list", "content": { "items": texts } }])), Vec::<String>::new());
    // Texts that are not drawn, and texts that Creatomate draws with its own typefaces.
    let film = parse_film(&json!({ "title": "བོད", "scenes": [{ "type": "cta", "content": { "unknown": "བོད" } }] }));
    assert_eq!(film.expect("a film").warnings, Vec::<String>::new());
    let config = json!({ "scenes": [{ "type": "cta", "content": { "title": "བོད" } }] });
    assert_eq!(read(&config, &[], Renderer::Creatomate, track).expect("a film").warnings, Vec::<String>::new());
}
