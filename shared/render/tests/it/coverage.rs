//! The table of supported characters (`shared/domain/src/videos/coverage.txt`) matches the shipped fonts. Regenerate it when
//! they change: `REELHOOK_FONTS=$PWD/.local/fonts REELHOOK_UPDATE_COVERAGE=1 cargo test --workspace --test it
//! coverage`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use cosmic_text::{Attrs, Buffer, Family, FontSystem, Metrics, Shaping, fontdb};
use reelhook_domain::videos::coverage::{is_invisible, missing};
use skrifa::{FontRef, MetadataProvider};

use crate::samples;

const HEAD: &str = "\
# The code points that the typefaces of videos can show, in hexadecimal; a range by its first and its last one.
# shared/render/tests/it/coverage.rs makes this file, and says how.
";

fn directory() -> PathBuf {
    std::env::var_os("REELHOOK_FONTS").expect("REELHOOK_FONTS must name the directory of the fonts").into()
}

/// The shipped fonts; each may be a fallback for any other.
fn system() -> FontSystem {
    let mut db = fontdb::Database::new();
    db.load_fonts_dir(directory());
    FontSystem::new_with_locale_and_db("en-US".to_owned(), db)
}

/// Whether a text is shown without a missing-glyph box.
fn is_set(system: &mut FontSystem, text: &str) -> bool {
    let attrs = Attrs::new().family(Family::Name("Noto Sans SC"));
    let mut buffer = Buffer::new_empty(Metrics::new(16.0, 20.0));
    buffer.set_size(Some(1000.0), None);
    buffer.set_text(text, &attrs, Shaping::Advanced, None);
    buffer.shape_until_scroll(system, false);
    buffer.layout_runs().flat_map(|run| run.glyphs.iter()).all(|glyph| glyph.glyph_id != 0)
}

/// Private-use characters have no defined appearance.
fn is_private(character: char) -> bool {
    matches!(character, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..)
}

/// The characters that the fonts show: those with a glyph, and Han characters that are canonically equivalent to one of
/// them.
fn shown() -> BTreeSet<u32> {
    let mut shown = BTreeSet::new();
    for entry in std::fs::read_dir(directory()).expect("the typefaces").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "ttf" || extension == "otf") {
            let bytes = std::fs::read(&path).expect("a typeface");
            let font = FontRef::new(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let characters = font.charmap().mappings().filter_map(|(code, _)| char::from_u32(code)).collect::<Vec<_>>();
            let visible =
                characters.into_iter().filter(|character| !is_invisible(*character) && !is_private(*character));
            shown.extend(visible.map(u32::from));
        }
    }
    let mut system = system();
    for character in ('\u{F900}'..='\u{FAFF}').chain('\u{2F800}'..='\u{2FA1F}') {
        if !shown.contains(&u32::from(character)) && is_set(&mut system, &character.to_string()) {
            shown.insert(u32::from(character));
        }
    }
    shown
}

/// The ranges as text; those that start in the same block of 256 code points share a line.
fn table(shown: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for code in shown {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *code => *last = *code,
            Some(_) | None => ranges.push((*code, *code)),
        }
    }
    let mut text = HEAD.to_owned();
    for (index, (first, last)) in ranges.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| ranges.get(before));
        text.push_str(match before {
            None => "",
            Some((before, _)) if before >> 8 == first >> 8 => " ",
            Some(_) => "\n",
        });
        write!(text, "{first:X}").expect("writing to a string");
        if first != last {
            write!(text, "-{last:X}").expect("writing to a string");
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_table_of_characters_matches_the_fonts() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/src/videos/coverage.txt");
    let made = table(&shown());
    if std::env::var_os("REELHOOK_UPDATE_COVERAGE").is_some() {
        std::fs::write(path, made).expect("coverage.txt can be written");
        return;
    }
    let kept = std::fs::read_to_string(path).expect("coverage.txt");
    let (kept, made): (BTreeSet<&str>, BTreeSet<&str>) = (kept.lines().collect(), made.lines().collect());
    let differing: Vec<_> = kept.symmetric_difference(&made).take(10).collect();
    assert!(differing.is_empty(), "coverage.txt does not match the fonts; regenerate it: {differing:#?}");
}

#[test]
fn only_missing_characters_are_shown_as_boxes() {
    let mut system = system();
    for texts in [
        &samples::ARABIC[..],
        &samples::HEBREW,
        &samples::EMOJI,
        &samples::CHINESE,
        &samples::JAPANESE,
        &samples::KOREAN,
        &samples::HINDI,
        &samples::THAI,
        &["1️⃣ ❤︎ 🏴\u{E0067}\u{E0062}\u{E007F}", "a\u{AD}b\u{2060}c\u{E0100}", "\u{FA70}", "10⁵⁰ × ½ ₿"],
    ] {
        for text in texts {
            assert_eq!((missing(text).as_slice(), is_set(&mut system, text)), (&[][..], true), "{text}");
        }
    }
    for text in ["ཀ", "Ꭰ", "𓀀", "\u{378}"] {
        assert_eq!((missing(text).len(), is_set(&mut system, text)), (1, false), "{text}");
    }
}
