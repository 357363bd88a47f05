//! Which characters a video can show: a table generated from its typefaces, so that a check need not load them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// First and last code points of ranges, in order.
static SHOWN: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| ranges(include_str!("coverage.txt")));

/// Reads the table; a line that begins with `#` is a remark.
fn ranges(table: &str) -> Vec<(u32, u32)> {
    let words = table.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    let code = |text: &str| u32::from_str_radix(text, 16).ok();
    words
        .filter_map(|word| {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            code(first).zip(code(last))
        })
        .collect()
}

/// Whether a character leaves no mark of its own wherever it stands: white space, a control, or one that Unicode calls
/// default-ignorable, such as joiners, direction marks, variation selectors and tags.
pub fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
        // Neither these nor U+FDD0 to U+FDEF are characters, and none is ever drawn.
        || u32::from(character) & 0xFFFE == 0xFFFE
}

/// Whether a text says nothing: there is no character in it that leaves a mark.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// The characters of a text that no typeface can show, each once, in order. Characters for private use are among them
/// even where a typeface has a glyph at their place: it is not the one that the writer means.
pub fn missing(text: &str) -> Vec<char> {
    let mut seen = BTreeSet::new();
    text.chars()
        .filter(|character| !is_invisible(*character) && !is_shown(*character) && seen.insert(*character))
        .collect()
}

fn is_shown(character: char) -> bool {
    let code = u32::from(character);
    let after = SHOWN.partition_point(|(first, _)| *first <= code);
    after.checked_sub(1).and_then(|at| SHOWN.get(at)).is_some_and(|(_, last)| code <= *last)
}
