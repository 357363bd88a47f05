//! Prepares text for shaping: cleans it, finds `**bold**` parts, separates emoji and determines its direction.

use std::borrow::Cow;
use std::ops::Range;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use reelhook_domain::videos::emphasis;
use unicode_bidi::Direction;
use unicode_segmentation::UnicodeSegmentation;

/// The maximum length of a text; a card holds far less.
const MAX_CHARACTERS: usize = 4_000;

/// A text up to a line break by its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paragraph {
    pub text: String,
    /// The bold ranges, sorted and without overlaps.
    pub bold: Vec<Range<usize>>,
}

impl Paragraph {
    pub fn is_bold(&self, at: usize) -> bool {
        self.bold.get(self.bold.partition_point(|part| part.end <= at)).is_some_and(|part| part.start <= at)
    }
}

/// Which kind of face a grapheme needs, independent of the theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    /// Text presentation is requested: shown in colour only if no other face has the character.
    Symbol,
    Emoji,
    Japanese,
}

/// Removes control characters and collapses spaces and tabs. Keeps line breaks, blank lines, all other white space and
/// invisible characters that affect layout. Returns an empty string if nothing would be visible.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    let mut characters = text.chars().take(MAX_CHARACTERS).peekable();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => space = true,
            '\r' if characters.peek() == Some(&'\n') => {}
            _ if is_break(character) => {
                space = false;
                out.push('\n');
            }
            _ if character.is_control() || is_noncharacter(character) => {}
            _ => {
                if space && !out.is_empty() && !out.ends_with('\n') {
                    out.push(' ');
                }
                space = false;
                out.push(character);
            }
        }
    }
    if is_blank(&out) { String::new() } else { compose(out.trim()) }
}

/// Whether a character is a line break.
fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The text in one line: its lines are joined by spaces.
pub(crate) fn in_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_break) {
        return Cow::Borrowed(text);
    }
    let lines = text.split(is_break).map(str::trim).filter(|line| !line.is_empty());
    Cow::Owned(lines.collect::<Vec<_>>().join(" "))
}

/// Composes letters and their marks (NFC): typefaces have more precomposed letters than marks.
fn compose(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let normalizer = ComposingNormalizerBorrowed::new_nfc();
    let mut out = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        // A single character is kept, even if Unicode has a canonical equivalent for it.
        if grapheme.chars().nth(1).is_some() {
            out.push_str(&normalizer.normalize(grapheme));
        } else {
            out.push_str(grapheme);
        }
    }
    out
}

/// Whether a code point is a noncharacter or an annotation anchor, which no typeface draws.
fn is_noncharacter(character: char) -> bool {
    matches!(character, '\u{FDD0}'..='\u{FDEF}' | '\u{FFF9}'..='\u{FFFB}') || (character as u32) & 0xFFFE == 0xFFFE
}

/// Whether a character is invisible: soft hyphens, joiners, direction marks, isolates, variation selectors, tags.
pub(crate) fn is_ignorable(character: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// Whether nothing of a text would be visible.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|character| character.is_whitespace() || is_ignorable(character))
}

/// Splits a cleaned text into paragraphs, and removes the markers of bold parts.
pub(crate) fn paragraphs(text: &str) -> Vec<Paragraph> {
    let (text, bold) = emphasis::strong(text);
    let mut start = 0;
    let mut paragraphs = Vec::new();
    for line in text.split('\n') {
        let end = start + line.len();
        let own = bold.iter().map(|part| part.start.max(start)..part.end.min(end)).filter(|part| !part.is_empty());
        let bold = own.map(|part| part.start - start..part.end - start).collect();
        paragraphs.push(Paragraph { text: line.to_owned(), bold });
        start = end + 1;
    }
    paragraphs
}

/// The first visible grapheme of a text.
pub(crate) fn first(text: &str) -> Option<String> {
    let (plain, _) = emphasis::strong(&clean(text));
    plain.graphemes(true).find(|grapheme| !is_blank(grapheme)).map(str::to_owned)
}

/// Whether a line may break at this white space.
pub(crate) fn is_breaking_space(character: char) -> bool {
    character.is_whitespace() && !matches!(character, '\u{A0}' | '\u{2007}' | '\u{202F}')
}

/// Whether a text has kana, so that its Han characters are Japanese too.
pub(crate) fn is_japanese(text: &str) -> bool {
    text.chars().any(|character| matches!(character, '\u{3040}'..='\u{30FF}'))
}

/// Which kind of face a grapheme needs; `japanese` is a property of the text that contains it.
pub(crate) fn kind(grapheme: &str, japanese: bool) -> Kind {
    if is_emoji(grapheme) {
        return Kind::Emoji;
    }
    if grapheme.contains('\u{FE0E}') {
        return Kind::Symbol;
    }
    let wide = |character: char| {
        matches!(character,
            '\u{3000}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF00}'..='\u{FFEF}'
            | '\u{20000}'..='\u{3FFFF}')
    };
    if japanese && grapheme.chars().next().is_some_and(wide) { Kind::Japanese } else { Kind::Plain }
}

/// Whether a grapheme is shown in colour.
pub(crate) fn is_emoji(grapheme: &str) -> bool {
    let mut characters = grapheme.chars();
    let Some(first) = characters.next() else { return false };
    if grapheme.contains('\u{FE0E}') {
        return false;
    }
    if first.is_ascii() {
        // Digits, # and * are emoji only as keycaps.
        return grapheme.contains('\u{20E3}');
    }
    let pictograph = matches!(first,
        '\u{1F1E6}'..='\u{1F1FF}' | '\u{1F300}'..='\u{1F64F}' | '\u{1F680}'..='\u{1F6FF}' | '\u{1F7E0}'..='\u{1F7F0}'
        | '\u{1F900}'..='\u{1FAFF}' | '\u{1F004}' | '\u{1F0CF}' | '\u{1F18E}' | '\u{1F191}'..='\u{1F19A}'
        | '\u{1F201}' | '\u{1F21A}' | '\u{1F22F}' | '\u{1F232}'..='\u{1F23A}' | '\u{1F250}' | '\u{1F251}'
        | '\u{231A}' | '\u{231B}' | '\u{23E9}'..='\u{23EC}' | '\u{23F0}' | '\u{23F3}' | '\u{25FD}' | '\u{25FE}'
        | '\u{2614}' | '\u{2615}' | '\u{2648}'..='\u{2653}' | '\u{267F}' | '\u{2693}' | '\u{26A1}' | '\u{26AA}' | '\u{26AB}'
        | '\u{26BD}' | '\u{26BE}' | '\u{26C4}' | '\u{26C5}' | '\u{26CE}' | '\u{26D4}' | '\u{26EA}' | '\u{26F2}' | '\u{26F3}'
        | '\u{26F5}' | '\u{26FA}' | '\u{26FD}' | '\u{2705}' | '\u{270A}' | '\u{270B}' | '\u{2728}' | '\u{274C}' | '\u{274E}'
        | '\u{2753}'..='\u{2755}' | '\u{2757}' | '\u{2795}'..='\u{2797}' | '\u{27B0}' | '\u{27BF}' | '\u{2B1B}' | '\u{2B1C}'
        | '\u{2B50}' | '\u{2B55}' | '\u{2764}');
    pictograph || characters.any(|character| matches!(character, '\u{FE0F}' | '\u{20E3}' | '\u{1F3FB}'..='\u{1F3FF}'))
}

/// Whether a text reads from right to left, according to its first letter outside isolates. Returns `None` if it has no
/// such letter.
pub(crate) fn is_rtl(text: &str) -> Option<bool> {
    match unicode_bidi::get_base_direction_full(text) {
        Direction::Ltr => Some(false),
        Direction::Rtl => Some(true),
        Direction::Mixed => None,
    }
}

/// Whether letters join or stack; such text gets no letter spacing and more line spacing.
pub(crate) fn is_complex(text: &str) -> bool {
    let joins = |character: char| {
        let block = matches!(character, '\u{0590}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{FB1D}'..='\u{FDFF}');
        // An invisible format character does not belong to the script around it.
        block && !is_ignorable(character)
    };
    text.chars().any(joins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bold_parts_go_over_line_breaks_and_end_with_their_paragraph() {
        let bold = |text: &str| {
            let parts = |paragraph: &Paragraph| {
                paragraph.bold.iter().map(|part| paragraph.text[part.clone()].to_owned()).collect::<Vec<_>>()
            };
            paragraphs(text).iter().flat_map(parts).collect::<Vec<_>>()
        };
        assert_eq!(bold("a **b** c"), ["b"]);
        assert_eq!(bold("a **b\nc** d **e**"), ["b", "c", "e"]);
        assert_eq!(bold("a **b\n\nc** d"), Vec::<String>::new());
        assert_eq!(paragraphs("2 ** 3"), [Paragraph { text: "2 ** 3".into(), bold: vec![] }]);
        let texts: Vec<String> = paragraphs("a\n\n**b**").into_iter().map(|paragraph| paragraph.text).collect();
        assert_eq!(texts, ["a", "", "b"]);
        let word = &paragraphs("a **b** c **d**")[0];
        assert_eq!([0, 2, 3, 6, 7].map(|at| word.is_bold(at)), [false, true, false, true, false]);
    }

    #[test]
    fn the_first_visible_grapheme_is_found() {
        for (text, expected) in [
            ("**bold**", "b"),
            ("\u{2066}\u{200e}+1", "+"),
            ("e\u{301}t", "é"),
            ("👨‍👩‍👧‍👦 family", "👨‍👩‍👧‍👦"),
            ("\u{a0}x", "x"),
            ("** a", "*"),
        ] {
            assert_eq!(first(text).as_deref(), Some(expected), "{text:?}");
        }
        assert_eq!(first("\u{200b}"), None);
    }

    #[test]
    fn control_characters_are_dropped_and_spaces_joined() {
        assert_eq!(clean("  a\u{0}\u{7}b \t c\r\n \td \u{fffe}\u{fdd0}\u{fff9}"), "ab c\nd");
    }

    #[test]
    fn white_space_that_is_more_than_a_space_is_kept() {
        for text in
            ["a\n\nb", "a\n\n\nb", "a\u{3000}b", "10\u{202f}000\u{a0}€", "a\u{2003}b", "1\u{2007}2", "a\n\u{3000}b"]
        {
            assert_eq!(clean(text), text);
        }
        assert_eq!(clean("a\r\n\r\nb\rc\u{85}d\u{2029}e\u{b}f"), "a\n\nb\nc\nd\ne\nf");
        assert_eq!(clean("a \n \t \n b"), "a\n\nb");
        assert_eq!(clean("\n\u{3000}\u{a0}a\u{a0}\n\n"), "a");
    }

    #[test]
    fn format_characters_are_kept() {
        for text in [
            "\u{2066}+1 (555)\u{2069} a",
            "a\u{200f}b",
            "\u{202b}a\u{202c}b",
            "co\u{ad}op",
            "a\u{200d}b\u{200c}c\u{2060}d\u{200b}e",
            "☎\u{fe0e}",
            "葛\u{e0100}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        ] {
            assert_eq!(clean(text), text);
        }
        for unseen in ["", " \n\t", "\u{3000}\u{a0}", "\u{200b}", "\u{2066}\u{2069}", "\u{feff} \u{ad}", "\u{0}"] {
            assert_eq!(clean(unseen), "", "{unseen:?}");
        }
    }

    #[test]
    fn letters_and_their_marks_are_composed() {
        assert_eq!(clean("cafe\u{301} Vie\u{323}\u{302}t"), "café Việt");
        assert_eq!(clean("\u{1112}\u{1161}\u{11ab}"), "한");
        // A letter without a mark is not replaced by its equivalent.
        assert_eq!(clean("\u{f900} \u{212b}"), "\u{f900} \u{212b}");
    }

    #[test]
    fn a_selector_determines_the_presentation() {
        for text in ["👨‍👩‍👧‍👦", "🇩🇪", "1️⃣", "#️⃣", "❤️", "👍🏽", "☎\u{fe0f}", "©\u{fe0f}", "⌚"]
        {
            assert_eq!(kind(text, false), Kind::Emoji, "{text}");
        }
        for text in ["⌚\u{fe0e}", "❤\u{fe0e}", "☎\u{fe0e}", "😀\u{fe0e}"] {
            assert_eq!(kind(text, false), Kind::Symbol, "{text}");
        }
        for text in ["1", "a", "©", "☎", "1\u{fe0f}", "*\u{fe0f}"] {
            assert_eq!(kind(text, false), Kind::Plain, "{text}");
        }
        for text in ["光", "\u{fa11}", "\u{20bb7}", "\u{3000}"] {
            assert_eq!((kind(text, true), kind(text, false)), (Kind::Japanese, Kind::Plain), "{text}");
        }
    }

    #[test]
    fn the_first_letter_determines_the_direction() {
        assert_eq!(is_rtl("1. שלום"), Some(true));
        assert_eq!(is_rtl("Hello שלום"), Some(false));
        assert_eq!(is_rtl("123"), None);
        assert_eq!(is_rtl("\u{2066}Reelhook\u{2069} שלום"), Some(true));
        assert_eq!(is_rtl("\u{200f}Reelhook"), Some(true));
        assert_eq!(is_rtl("123\nسلام"), Some(true));
    }
}
