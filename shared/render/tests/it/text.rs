//! Texts: what is not drawn changes no frame, and no script costs much more than another.

use reelhook_domain::videos::film::{Content, Rendition, SceneKind, Theme};
use reelhook_render::{Fonts, Pictures, Shot, Work};

use crate::{alone, fonts, samples};

/// A title card.
fn title(fonts: &mut Fonts, text: &str) -> image::RgbaImage {
    let scene = samples::scene(
        SceneKind::HeroTitle,
        Content { title: text.into(), subtitle: text.into(), ..Content::default() },
    );
    let cut = alone(&scene, Theme::Dark, Rendition::Landscape);
    Shot::new(fonts, &cut, &Pictures::new()).expect("any text").still(149)
}

#[test]
fn characters_that_are_not_drawn_leave_a_frame_as_it_is() {
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

/// What laying out twelve texts of 500 characters costs.
fn work(fonts: &mut Fonts, kind: SceneKind, word: &str) -> Work {
    let scene = samples::scene(kind, samples::crowded(kind, word));
    let before = fonts.work();
    Shot::new(fonts, &alone(&scene, Theme::Corporate, Rendition::Landscape), &Pictures::new()).expect("any text");
    let after = fonts.work();
    Work {
        runs: after.runs - before.runs,
        characters: after.characters - before.characters,
        steps: after.steps - before.steps,
    }
}

#[test]
fn no_script_costs_much_more_than_latin() {
    let mut fonts = fonts();
    for kind in [SceneKind::HeroTitle, SceneKind::FeatureList, SceneKind::Comparison, SceneKind::Stats] {
        let latin = work(&mut fonts, kind, samples::WORDS[0].1);
        for (script, word) in samples::WORDS {
            let work = work(&mut fonts, kind, word);
            assert!(work.characters <= 5 * latin.characters, "{script}: {work:?} and not {latin:?}");
            assert!(work.steps <= 5 * latin.steps, "{script}: {work:?} and not {latin:?}");
            // Each once or twice, whatever sizes are tried.
            assert!(work.characters <= 2 * 33 * 500 + 1_000, "{script}: {work:?}");
            // A run has a cost of its own: they are as long as their face and direction.
            assert!(work.runs <= work.characters / 2, "{script}: {work:?}");
        }
    }
}
