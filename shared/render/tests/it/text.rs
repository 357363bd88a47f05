//! Text: invisible characters change no frame, and no script costs much more than another.

use reelhook_domain::videos::film::{Content, Rendition, SceneKind, Theme};
use reelhook_render::{Fonts, Images, LaidOutScene, LayoutCost};

use crate::{alone, fonts, samples};

/// A frame of a title card.
fn title(fonts: &mut Fonts, text: &str) -> image::RgbaImage {
    let scene = samples::scene(
        SceneKind::HeroTitle,
        Content { title: text.into(), subtitle: text.into(), ..Content::default() },
    );
    let input = alone(&scene, Theme::Dark, Rendition::Landscape);
    LaidOutScene::new(fonts, &input, &Images::new()).expect("any text").still(149)
}

#[test]
fn invisible_characters_do_not_change_a_frame() {
    let mut fonts = fonts();
    let bare = title(&mut fonts, "Hello world");
    for text in [
        "Hel\u{2060}lo wor\u{ad}ld",
        "\u{200e}Hello\u{feff} wo\u{200b}rld",
        "\u{2066}Hello\u{2069} \u{2068}world\u{2069}",
        "\u{202a}Hello\u{202c} world\u{e0061}",
        "He\u{2063}llo wo\u{200c}rld",
        "  Hello\t world\u{0}\u{7}\n",
    ] {
        assert!(title(&mut fonts, text) == bare, "{text:?}");
    }
    for text in ["Hello  \u{a0}world", "Hello\u{3000}world", "Hello\n\nworld", "**Hello** world", "Hello ** world"] {
        assert!(title(&mut fonts, text) != bare, "{text:?}");
    }
}

#[test]
fn asterisks_and_letters_are_drawn() {
    let mut fonts = fonts();
    for (text, other) in [
        ("Card **** 4242 and **** 1881", "Card  4242 and  1881"),
        ("2 ** 3 ** 2", "2 **3** 2"),
        ("1x1", "1×1"),
        ("a->b", "a→b"),
        ("a\n\nb", "a\nb"),
        ("istanbul", "ISTANBUL"),
    ] {
        assert!(title(&mut fonts, text) != title(&mut fonts, other), "{text:?} looks like {other:?}");
    }
}

/// The layout cost of twelve texts of 500 characters.
fn cost(fonts: &mut Fonts, kind: SceneKind, word: &str) -> LayoutCost {
    let scene = samples::scene(kind, samples::crowded(kind, word));
    let before = fonts.cost();
    LaidOutScene::new(fonts, &alone(&scene, Theme::Corporate, Rendition::Landscape), &Images::new()).expect("any text");
    let after = fonts.cost();
    LayoutCost {
        runs: after.runs - before.runs,
        characters: after.characters - before.characters,
        steps: after.steps - before.steps,
    }
}

#[test]
fn no_script_costs_much_more_than_latin() {
    let mut fonts = fonts();
    for kind in [SceneKind::HeroTitle, SceneKind::FeatureList, SceneKind::Comparison, SceneKind::Stats] {
        let latin = cost(&mut fonts, kind, samples::WORDS[0].1);
        for (script, word) in samples::WORDS {
            let cost = cost(&mut fonts, kind, word);
            assert!(cost.characters <= 5 * latin.characters, "{script}: {cost:?} and not {latin:?}");
            assert!(cost.steps <= 5 * latin.steps, "{script}: {cost:?} and not {latin:?}");
            // Each text is shaped at most twice, for any number of sizes.
            assert!(cost.characters <= 2 * 33 * 500 + 1_000, "{script}: {cost:?}");
            // Each run has a fixed cost, so runs must be as long as face and direction allow.
            assert!(cost.runs <= cost.characters / 2, "{script}: {cost:?}");
        }
    }
}
