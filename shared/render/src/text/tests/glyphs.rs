//! Which glyphs and faces a text gets, and how much work shaping is.

use reelhook_domain::videos::coverage::{is_invisible, missing};

use super::{FONTS, LOOKS, boxes, families, in_style, laid, look, placed, plain, seen, width};
use crate::faces::TEXT;
use crate::text::{Style, Typeset, typeset};

const SYMBOLS: &str = "Noto Sans Symbols 2";
const EMOJI: &str = "Noto Color Emoji";

fn ids(set: &Typeset, bold: bool) -> Vec<u16> {
    placed(set).iter().filter(|glyph| glyph.bold == bold).map(|glyph| glyph.glyph).collect()
}

#[test]
fn no_feature_of_a_face_changes_the_text() {
    for text in [
        "1x1 0x1F 10x20",
        "x2 2x",
        "a->b <- => <-> |> !=",
        "12:30 3:4",
        "1-2 A-B",
        "(A) @A 3*4",
        "fi ffl fj tt",
        "1/2 No. 1",
    ] {
        for face in LOOKS {
            for tabular in [false, true] {
                let set = in_style(text, Style { tabular, ..look(face) }, 5_000.0, 1);
                assert_eq!(seen(text, &set), [text], "{face:?}");
            }
        }
    }
}

#[test]
fn kerning_and_required_features_stay_enabled() {
    for face in LOOKS {
        let style = look(face);
        assert!(width("AVAV", style) < 2.0 * (width("A", style) + width("V", style)) - 1.0, "{face:?}");
    }
    // Lam has a different form before alef.
    assert_ne!(ids(&laid("لا", 500.0), false).last(), ids(&laid("لب", 500.0), false).last());
    // A letter has different forms at the beginning, in the middle, at the end and in isolation.
    let mut forms = ids(&laid("ععع ع", 500.0), false);
    forms.sort_unstable();
    forms.dedup();
    // Four forms and the space.
    assert_eq!(forms.len(), 5);
    // Devanagari consonants join, and the vowel i is placed before them.
    assert!(placed(&laid("क्ष", 500.0)).len() < 3);
    assert_ne!(ids(&laid("कि", 500.0), false)[0], ids(&laid("क", 500.0), false)[0]);
    for text in ["مرحبا بالعالم", "שָׁלוֹם", "नमस्ते दुनिया", "বাংলা", "தமிழ்", "ไทย", "မြန်မာ", "ខ្មែរ", "한국어"]
    {
        assert_eq!(boxes(&laid(text, 500.0)), 0, "{text}");
    }
}

#[test]
fn letters_join_across_bold_parts() {
    let plain_ids = ids(&laid("الضوء", 500.0), false);
    let set = laid("ال**ضوء**", 500.0);
    let own = ids(&set, false);
    assert_eq!(own, plain_ids[plain_ids.len() - own.len()..], "the letters before the bold part");
    let alone = ids(&laid("**ضوء**", 500.0), true);
    assert_ne!(ids(&set, true), alone, "the bold part begins within a word");
}

#[test]
fn presentation_selectors_choose_between_text_and_colour() {
    for (text, family) in [
        ("☎\u{fe0e}", SYMBOLS),
        ("⌚\u{fe0e}", SYMBOLS),
        ("✈\u{fe0e}", SYMBOLS),
        ("❤\u{fe0e}", TEXT),
        ("1\u{fe0f}", TEXT),
        ("a\u{fe0f}", TEXT),
        ("☎\u{fe0f}", EMOJI),
        ("⌚", EMOJI),
        ("⌚\u{fe0f}", EMOJI),
        ("©\u{fe0f}", EMOJI),
        ("©", TEXT),
        ("1\u{fe0f}\u{20e3}", EMOJI),
        // Only the emoji face has it.
        ("😀\u{fe0e}", EMOJI),
        ("👨‍👩‍👧‍👦", EMOJI),
        ("🇩🇪", EMOJI),
        ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", EMOJI),
    ] {
        let set = laid(text, 500.0);
        let shown = families(&set);
        assert!(!shown.is_empty() && shown.iter().all(|shown| shown == family), "{text}: {shown:?}");
        assert_eq!(boxes(&set), 0, "{text}");
    }
    for one in ["👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "1\u{fe0f}\u{20e3}"] {
        let drawn = width(one, plain(40.0));
        assert!(drawn < 60.0, "{one} is one glyph, but {drawn} pixels wide");
    }
}

#[test]
fn a_text_stays_in_its_face_as_long_as_that_has_the_characters() {
    for (family, text) in [
        // These faces have the letters, but not all of the marks.
        ("Fraunces", "Vie\u{323}t A\u{30a}ngstro\u{308}m"),
        (TEXT, "szo\u{30b}lo\u{30b}"),
        // These faces have neither these hyphens nor these spaces.
        ("Sora", "e\u{2011}mail co\u{2010}op 5\u{202f}000"),
        ("Bricolage Grotesque", "e\u{2011}mail co\u{2010}op a\u{3000}b"),
    ] {
        let set = in_style(text, look((family, 600)), 5_000.0, 1);
        assert!(families(&set).iter().all(|shown| shown == family), "{text:?} in {family}: {:?}", families(&set));
        assert_eq!(boxes(&set), 0, "{text:?}");
    }
    let text = "e\u{2011}mail";
    assert_eq!(seen(text, &in_style(text, look(("Sora", 600)), 5_000.0, 1)), ["e-mail"]);
    // The nearer of two weights is used, so that a heading is as heavy as its theme requires.
    let set = in_style("שלום", look(("Plus Jakarta Sans", 800)), 5_000.0, 1);
    let heavy = FONTS.with_borrow(|fonts| fonts.system.db().face(placed(&set)[0].face.id).map(|face| face.weight.0));
    assert_eq!(heavy, Some(700));
    for text in ["\u{fa11}さん", "\u{20bb7}野家の"] {
        assert!(families(&laid(text, 5_000.0)).iter().all(|shown| shown == "Noto Sans JP"), "{text}");
    }
    let shown = families(&laid("ab שלום 光 かな 한 ก", 5_000.0));
    for family in [TEXT, "Noto Sans Hebrew", "Noto Sans JP", "Noto Sans KR", "Noto Sans Thai"] {
        assert!(shown.iter().any(|shown| shown == family), "{family}: {shown:?}");
    }
}

#[test]
fn a_duplicate_code_point_is_drawn_as_its_equivalent() {
    for (text, family) in [
        ("\u{fa70}", "Noto Sans SC"),
        ("a \u{2f9c8}", "Noto Sans SC"),
        ("かな\u{fa74}", "Noto Sans JP"),
        ("\u{2126} \u{212a}", TEXT),
    ] {
        let set = laid(text, 500.0);
        assert_eq!(boxes(&set), 0, "{text:?}");
        assert!(families(&set).last().is_some_and(|shown| shown == family), "{text:?}: {:?}", families(&set));
    }
    // It is also shaped like its equivalent.
    assert_eq!(ids(&laid("\u{fa70}", 500.0), false), ids(&laid("\u{4e26}", 500.0), false));
}

#[test]
fn every_character_without_a_warning_has_a_glyph() {
    let named = |character: char| !missing(character.encode_utf8(&mut [0; 4])).is_empty();
    let shown = ('\u{21}'..='\u{3ffff}').filter(|character| !is_invisible(*character) && !named(*character));
    let shown: Vec<char> = shown.collect();
    assert!(shown.len() > 50_000, "{}", shown.len());
    for part in shown.chunks(1_000) {
        let lines: Vec<String> = part.iter().map(char::to_string).collect();
        let set = in_style(&lines.join("\n"), plain(40.0), 50_000.0, 40);
        assert_eq!(set.shaped.paragraphs.len(), part.len(), "{part:?}");
        let paragraphs = set.shaped.paragraphs.iter().zip(part);
        let drawn_as_box = paragraphs.filter(|(paragraph, _)| paragraph.glyphs.iter().any(|glyph| glyph.id == 0));
        let unnamed: Vec<char> = drawn_as_box.map(|(_, character)| *character).collect();
        assert_eq!(unnamed, Vec::<char>::new());
    }
}

#[test]
fn glyphs_are_placed_one_after_another() {
    for text in ["Reelhook 2026", "שלום עולם", "ab שלום 12 cd", "光の1 2"] {
        let set = laid(text, 5_000.0);
        let (_, line) = set.placed_lines().next().expect("a line");
        let places: Vec<f32> = line.glyphs.iter().map(|glyph| glyph.x).collect();
        assert!(places[0].abs() < 4.0, "{text}: {places:?}");
        assert!(places.windows(2).all(|pair| pair[0] < pair[1] + 0.01), "{text}: {places:?}");
        assert!(places.iter().all(|x| *x < line.width), "{text}: {places:?} in {}", line.width);
    }
    // The proportions are the same at each size.
    let [small, large] = [20.0, 200.0].map(|size| width("Reelhook", Style { tracking: 0.0, ..plain(size) }));
    assert!((large / small - 10.0).abs() < 0.001);
}

#[test]
fn a_text_is_shaped_once_for_all_sizes() {
    for (script, word) in [("latin", "light "), ("arabic", "الضوء "), ("hindi", "प्रकाश "), ("tibetan", "བོད་ཡིག ")]
    {
        let text = word.repeat(60);
        let characters = text.trim().chars().count() as u64;
        FONTS.with_borrow_mut(|fonts| {
            fonts.begin_scene();
            let before = fonts.cost();
            for size in 20..80 {
                for balanced in [false, true] {
                    let style = Style { balanced, ..plain(size as f32) };
                    assert!(typeset(fonts, &text, style, 900.0, 40, 1.0).is_some());
                }
            }
            let after = fonts.cost();
            let shaped = after.characters - before.characters;
            // Allow for the marks at the end of lines.
            assert!((characters..characters + 10).contains(&shaped), "{script}: {shaped} of {characters} characters");
            assert!(after.runs - before.runs < 12, "{script}: {} runs", after.runs - before.runs);
        });
    }
}

#[test]
fn a_text_cut_within_a_grapheme_is_not_shaped_again() {
    let one = "👨‍👩‍👧‍👦";
    let text = one.repeat(400);
    FONTS.with_borrow_mut(|fonts| {
        fonts.begin_scene();
        let before = fonts.cost();
        // The limit is a power of two, and no whole number of these graphemes adds up to it.
        for _ in 0..50 {
            assert!(typeset(fonts, &text, plain(40.0), 1_729.0, 1, 1.0).is_some_and(|set| set.truncated));
        }
        let shaped = fonts.cost().characters - before.characters;
        assert!((505..520).contains(&shaped), "{shaped}");
    });
}

#[test]
fn a_scene_shapes_no_more_than_its_budget() {
    FONTS.with_borrow_mut(|fonts| {
        fonts.begin_scene();
        let before = fonts.cost();
        for index in 0..400 {
            let text = format!("{index} {}", "الضوء ".repeat(160));
            for size in [20.0, 30.0] {
                assert!(typeset(fonts, &text, plain(size), 1_600.0, 40, 1.0).is_some());
            }
        }
        let shaped = fonts.cost().characters - before.characters;
        assert!(shaped < 60_000 + 400 * 32 + 2_000, "{shaped}");
    });
}
