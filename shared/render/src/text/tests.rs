//! Lines, glyphs and their order for texts that layouts often get wrong.

mod glyphs;

use std::cell::RefCell;

use cosmic_text::FontSystem;

use super::{Style, Typeset, typeset};
use crate::faces::{self, TEXT};
use crate::fonts::{Fonts, installed};
use crate::lines::PlacedGlyph;
use crate::spans;
use crate::theme::Rgb;

thread_local! {
    static FONTS: RefCell<Fonts> = RefCell::new(installed());
}

/// Every face of texts and headings.
const LOOKS: [(&str, u16); 9] = [
    (TEXT, 400),
    (TEXT, 700),
    (TEXT, 800),
    ("Plus Jakarta Sans", 800),
    ("Bricolage Grotesque", 800),
    ("Sora", 700),
    ("Fraunces", 700),
    ("Playfair Display", 700),
    ("Noto Sans", 400),
];

fn plain(size: f32) -> Style {
    Style::text(size, 400, Rgb(0, 0, 0))
}

fn look((family, weight): (&'static str, u16)) -> Style {
    Style { family, weight, bold_weight: weight, ..plain(40.0) }
}

fn in_style(text: &str, style: Style, width: f32, max_lines: usize) -> Typeset {
    FONTS.with_borrow_mut(|fonts| {
        fonts.begin_scene();
        typeset(fonts, text, style, width, max_lines, 1.0).expect("something to show")
    })
}

/// Typesets a text in Inter at 40 pixels.
fn laid(text: &str, width: f32) -> Typeset {
    in_style(text, plain(40.0), width, 40)
}

/// The text of each line in reading order.
fn lines(text: &str, set: &Typeset) -> Vec<String> {
    let paragraphs = spans::paragraphs(&spans::clean(text)).into_iter().map(|paragraph| paragraph.text);
    let paragraphs: Vec<String> = paragraphs.collect();
    set.rows.iter().map(|row| row.read(&set.shaped, &paragraphs)).collect()
}

/// The visible text of each line from left to right: each glyph is mapped to the character that has the same glyph in
/// isolation. Other glyphs, such as joined letters, are skipped.
fn seen(text: &str, shown: &Typeset) -> Vec<String> {
    FONTS.with_borrow_mut(|fonts| {
        let mut alone: Vec<(char, PlacedGlyph)> = Vec::new();
        for character in spans::clean(text).chars().chain("()[]-‐…".chars()) {
            let space = character.is_whitespace();
            let one = if space { format!("n{character}n") } else { character.to_string() };
            let set = typeset(fonts, &one, shown.style, 5_000.0, 1, 1.0);
            let glyphs = set.as_ref().map(placed).unwrap_or_default();
            alone.extend(glyphs.get(usize::from(space)).map(|glyph| (character, *glyph)));
        }
        let line = |glyphs: Vec<PlacedGlyph>| {
            let mut seen = String::new();
            for glyph in glyphs {
                let same =
                    |(_, other): &&(char, PlacedGlyph)| (other.face.id, other.glyph) == (glyph.face.id, glyph.glyph);
                // Any face may provide the space.
                let space = is_space(&mut fonts.system, &glyph).then_some(' ');
                seen.extend(alone.iter().find(same).map(|(character, _)| *character).or(space));
            }
            seen.replace(['‐', '\u{2011}'], "-").replace('\u{a0}', " ")
        };
        shown.placed_lines().map(|(_, drawn)| drawn.glyphs).map(line).collect()
    })
}

fn is_space(system: &mut FontSystem, glyph: &PlacedGlyph) -> bool {
    let font = faces::font(system, glyph.face.id).expect("a face");
    font.as_swash().charmap().map(' ') == glyph.glyph
}

fn placed(set: &Typeset) -> Vec<PlacedGlyph> {
    set.placed_lines().flat_map(|(_, line)| line.glyphs).collect()
}

/// The family of each glyph.
fn families(set: &Typeset) -> Vec<String> {
    FONTS.with_borrow_mut(|fonts| {
        let name = |glyph: PlacedGlyph| fonts.system.db().face(glyph.face.id).expect("a face").families[0].0.clone();
        placed(set).into_iter().map(name).collect()
    })
}

fn boxes(set: &Typeset) -> usize {
    placed(set).iter().filter(|glyph| glyph.glyph == 0).count()
}

/// The unrounded width of a text in one line.
fn width(text: &str, style: Style) -> f32 {
    let set = in_style(text, style, 5_000.0, 1);
    assert!(!set.truncated, "{text:?}");
    set.rows[0].width()
}

#[test]
fn asterisks_are_shown_as_written() {
    for text in ["Card **** 4242 and **** 1881", "2 ** 3 ** 2", "****", "2**3", "* one", "5 * 3"] {
        for face in LOOKS {
            let set = in_style(text, Style { bold_weight: 700, ..look(face) }, 5_000.0, 1);
            assert_eq!(seen(text, &set), [text], "{face:?}");
            assert!(placed(&set).iter().all(|glyph| !glyph.bold), "{text}");
        }
    }
    let set = laid("a **bc** d", 5_000.0);
    let bold: Vec<bool> = placed(&set).iter().map(|glyph| glyph.bold).collect();
    assert_eq!(bold, [false, false, true, true, false, false]);
    assert_eq!(lines("a **bc** d", &set), ["a bc d"]);
}

#[test]
fn no_break_characters_are_never_broken() {
    let glue = ['\u{a0}', '\u{202f}', '\u{2007}', '\u{2060}', '\u{feff}', '\u{2011}'];
    for character in glue {
        for text in [
            "Revenue of 10_000_000_€ in a year",
            "המחיר הוא 10_000_000_€ לשנה",
            "السعر هو 10_000_000_€ فقط",
            "the word שלום_abc and 12_אבג again",
            "§_5 Abs._2 of the law, Mr._Smith, 5_kg",
            "第10_000_000章_开始",
        ] {
            let text = text.replace('_', &character.to_string());
            for width in (110..900).step_by(15) {
                let set = laid(&text, width as f32);
                let lines = lines(&text, &set);
                for pair in lines.windows(2) {
                    let ends = pair[0].ends_with(character) || pair[1].starts_with(character);
                    assert!(!ends, "{character:?} at {width}: {lines:?}");
                }
            }
        }
        let text = "Revenue of 10_000_000_€".replace('_', &character.to_string());
        let number = text.trim_start_matches("Revenue of ");
        let needed = width(number, plain(40.0));
        let set = laid(&text, needed + 1.0);
        assert!(!set.broken && lines(&text, &set).last().is_some_and(|line| line == number), "{character:?}");
    }
}

#[test]
fn lines_do_not_break_where_only_the_direction_changes() {
    for (text, width) in [("(שלום)", 60.0), ("abcשלום", 90.0), ("12אב", 50.0), ("$5ש", 40.0)] {
        assert!(laid(text, width).broken, "{text}: a line may not end within it");
        assert_eq!(laid(text, 400.0).lines, 1);
    }
}

#[test]
fn isolates_keep_their_direction() {
    for (text, expected) in [
        ("טלפון \u{2066}+1 (555) 010-9999\u{2069}", "+1 (555) 010-9999 ןופלט"),
        ("טלפון \u{2068}+1 (555) 010-9999\u{2069}", "+1 (555) 010-9999 ןופלט"),
        ("טלפון \u{202a}+1 (555) 010-9999\u{202c} כאן", "ןאכ +1 (555) 010-9999 ןופלט"),
        ("Call \u{2067}שלום 1\u{2069}!", "Call 1 םולש!"),
        ("שפה C++\u{200e}", "C++ הפש"),
        ("שפה C++", "++C הפש"),
        ("\u{200f}Reelhook!", "!Reelhook"),
        ("מ-\u{2066}a/b\u{2069} ל-\u{2066}c/d\u{2069}", "c/d-ל a/b-מ"),
    ] {
        assert_eq!(seen(text, &laid(text, 5_000.0)), [expected], "{text:?}");
    }
    // Arabic letters have different glyphs at each position.
    let text = "رقم \u{2066}+49 (30) 12-34\u{2069}";
    assert!(seen(text, &laid(text, 5_000.0))[0].starts_with("+49 (30) 12-34"));
}

#[test]
fn an_isolate_continues_in_the_next_line() {
    let text = "טלפון \u{2066}+1 (555) 010-9999\u{2069} כאן";
    let set = laid(text, 215.0);
    assert_eq!(seen(text, &set), ["+1 ןופלט", "(555)", "010-9999", "ןאכ"]);
}

#[test]
fn invisible_characters_have_no_box_and_no_width() {
    let ranges = ['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{206f}', '\u{fe00}'..='\u{fe0f}'];
    let others = "\u{ad}\u{34f}\u{61c}\u{180e}\u{3164}\u{feff}\u{e0061}\u{e0100}";
    let all: Vec<char> = ranges.into_iter().flatten().chain(others.chars()).collect();
    for face in LOOKS {
        let bare = width("nnnn", look(face));
        for character in &all {
            let text = format!("nn{character}nn");
            let set = in_style(&text, look(face), 5_000.0, 1);
            assert_eq!(boxes(&set), 0, "{character:?} in {face:?}");
            let own = set.rows[0].width();
            assert!((own - bare).abs() < 0.01, "{character:?} in {face:?}: {own} and not {bare}");
        }
    }
}

#[test]
fn blank_lines_are_dropped_before_words_are() {
    for (text, max_lines, expected) in [
        ("a\n\nb", 40, &["a", "", "b"][..]),
        ("a\n\n\nb\nc", 40, &["a", "", "", "b", "c"][..]),
        ("a\r\n \t\r\n b", 3, &["a", "", "b"][..]),
        ("a\n\nb", 2, &["a", "b"][..]),
        ("a\n\nb\n\nc", 4, &["a", "b", "c"][..]),
        ("שלום\n\nb", 40, &["שלום", "", "b"][..]),
    ] {
        let set = in_style(text, plain(40.0), 500.0, max_lines);
        assert_eq!(lines(text, &set), expected, "{text:?}");
        assert!(!set.truncated && set.lines == expected.len());
    }
    let [one, three] = ["a", "a\n\nb"].map(|text| laid(text, 500.0).height);
    assert_eq!(three, 3.0 * one);
    let set = laid("a\n\nb", 500.0);
    let baselines: Vec<f32> = set.placed_lines().map(|(baseline, _)| baseline).collect();
    assert!((baselines[2] - baselines[0] - 2.0 * one).abs() < 0.01);
}

#[test]
fn several_lines_are_joined_where_only_one_is_allowed() {
    for text in ["a\nb", "a\r\n\r\nb", " a \u{2028}\n b\n", "a\n\u{3000}\nb"] {
        let set = in_style(text, plain(40.0), 500.0, 1);
        assert_eq!(seen("a b", &set), ["a b"], "{text:?}");
        assert!(!set.truncated && set.lines == 1);
    }
    let set = in_style("a\nb", plain(40.0), 500.0, 2);
    assert_eq!(seen("a b", &set), ["a", "b"]);
    let set = in_style("aaaa\nbbbb", plain(40.0), width("aaaa bbb", plain(40.0)), 1);
    assert!(set.truncated && seen("a b", &set)[0].starts_with("aaaa b"));
}

#[test]
fn white_space_keeps_its_width() {
    let gap = |space: &str| width(&format!("n{space}n"), plain(40.0)) - width("nn", plain(40.0));
    let space = gap(" ");
    for (wide, em) in [("\u{3000}", 1.0), ("\u{2003}", 1.0), ("\u{2002}", 0.5)] {
        assert!((gap(wide) - 40.0 * em).abs() < 1.0, "{wide:?}: {}", gap(wide));
    }
    assert!((gap("\u{a0}") - space).abs() < 0.5);
    assert!(gap("\u{2009}") < space && gap("\u{200a}") < gap("\u{2009}"));
    assert!((gap("\u{3000}\u{3000}") - 80.0).abs() < 1.0);
    // Spaces and tabs collapse into one space, as in HTML.
    assert_eq!(gap(" \t  "), space);
    let between = width("光\u{3000}光", plain(40.0)) - width("光光", plain(40.0));
    assert!((between - 40.0).abs() < 1.0, "{between}");
}

#[test]
fn trailing_white_space_has_no_width() {
    for text in ["aaaa\u{3000}aaaa", "aaaa\u{3000}\u{3000}aaaa", "aaaa \u{2003} aaaa"] {
        let set = laid(text, width("aaaa", plain(40.0)) + 1.0);
        assert_eq!(seen(text, &set), ["aaaa", "aaaa"], "{text:?}");
        assert!((set.rows[0].width() - width("aaaa", plain(40.0))).abs() < 0.01);
    }
    // In a right-to-left line the space would appear at its left end.
    let set = laid("שלום abcd", 110.0);
    assert_eq!(seen("שלום abcd", &set), ["םולש", "abcd"]);
    assert!((set.rows[0].width() - width("שלום", plain(40.0))).abs() < 0.01);
}

#[test]
fn soft_hyphens_show_only_where_a_line_ends_at_them() {
    let text = "Donau\u{ad}dampf\u{ad}schiff";
    for face in [(TEXT, 400), ("Bricolage Grotesque", 600), ("Sora", 600), ("Fraunces", 600)] {
        let style = look(face);
        let whole = in_style(text, style, 1_000.0, 9);
        assert_eq!(seen(text, &whole), ["Donaudampfschiff"], "{face:?}");
        let least = ["Donau-", "dampf-", "schiff"].map(|part| width(part, style)).into_iter().fold(0.0, f32::max);
        let narrow = in_style(text, style, least + 6.0, 9);
        assert_eq!(seen(text, &narrow), ["Donau-", "dampf-", "schiff"], "{face:?}");
        assert!(!narrow.broken && narrow.rows.iter().all(|row| row.width() <= least + 6.1));
    }
    // If the hyphen does not fit, the word before it moves to the next line.
    let text = "ab cd\u{ad}ef";
    let set = laid(text, width("ab cd", plain(40.0)) + 1.0);
    assert_eq!(seen(text, &set), ["ab", "cdef"]);
    let text = "של\u{ad}ום";
    let set = laid(text, width("של-", plain(40.0)) + 6.0);
    assert_eq!(seen(text, &set), ["-לש", "םו"]);
    // At the end of a text no hyphen is shown.
    assert_eq!(seen("ab\u{ad}", &laid("ab\u{ad}", 500.0)), ["ab"]);
}

#[test]
fn truncated_text_ends_with_an_ellipsis() {
    let text = "One two three, four five six seven eight nine ten";
    let set = in_style(text, plain(40.0), 260.0, 2);
    let seen_lines = seen(text, &set);
    assert!(set.truncated && set.lines == 2, "{seen_lines:?}");
    assert!(seen_lines[1].ends_with('…') && !seen_lines[1].ends_with(" …") && !seen_lines[1].ends_with(",…"));
    assert!(set.rows.iter().all(|row| row.width() <= 260.1));
    // The ellipsis is at the end of the reading direction, which is the left.
    let text = "אחת שתיים שלוש ארבע חמש שש שבע שמונה תשע עשר";
    let set = in_style(text, plain(40.0), 260.0, 2);
    assert!(set.truncated && seen(text, &set)[1].starts_with('…'), "{:?}", seen(text, &set));
    // The ellipsis is bold after bold text.
    let set = in_style("a **bcdefghijklmnopqrstuvw** x", plain(40.0), 200.0, 1);
    assert!(set.truncated && placed(&set).last().is_some_and(|glyph| glyph.bold));
    // If not a single letter fits, only the ellipsis is shown.
    assert_eq!(seen("WWWW", &in_style("WWWW", plain(40.0), 20.0, 1)), ["…"]);
}

#[test]
fn a_word_that_is_wider_than_its_line_is_broken_between_graphemes() {
    let text = "e\u{301}\u{327}".repeat(40);
    let set = laid(&text, 150.0);
    let lines = lines(&text, &set);
    assert!(set.broken && lines.len() > 3);
    assert!(lines.iter().all(|line| line.starts_with('\u{229}')), "{lines:?}");
    assert!(set.rows.iter().all(|row| row.width() <= 150.1));
    // With no-break characters only, there is no better position.
    let text = "W\u{a0}".repeat(30) + "W";
    let set = laid(&text, 100.0);
    assert!(set.broken && set.rows.iter().all(|row| row.width() <= 100.1));
}

#[test]
fn headings_are_balanced_without_another_line() {
    let style = Style { balanced: true, ..plain(40.0) };
    for text in ["Everything that a video job needs to be done well", "Ein Titel mit\n\neiner leeren Zeile darin"] {
        let (greedy, set) = (in_style(text, plain(40.0), 700.0, 9), in_style(text, style, 700.0, 9));
        assert_eq!(set.lines, greedy.lines);
        assert!(set.width <= greedy.width);
    }
}
