//! Makes text from outside safe for rows and log lines: it bounds the length, and for log lines it replaces characters
//! that control a terminal.

/// The maximum length of external text in a log line, in bytes. A log line has a few such texts and stays below 2 KB.
const BRIEF: usize = 200;

/// The start of a text: whole characters, at most `most` bytes.
pub fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Shortens external text to one line for logs and for errors that are logged.
///
/// Every external value passes through this function before it is logged (ARCHITECTURE.md, Logs).
pub fn brief(text: &str) -> String {
    let start = cut(text, BRIEF);
    let mut shown: String = start.chars().map(|c| if steers(c) { '?' } else { c }).collect();
    if start.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Whether a character controls the terminal that prints it: it moves the cursor, begins a line or changes the writing
/// direction.
pub fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, most, expected) in
            [("abc", 9, "abc"), ("abc", 2, "ab"), ("aé", 2, "a"), ("é", 1, ""), ("", 0, ""), ("🎬🎬", 7, "🎬")]
        {
            assert_eq!(cut(text, most), expected, "{text} {most}");
        }
    }

    #[test]
    fn a_megabyte_is_shortened_to_two_hundred_bytes() {
        for text in ["a", "é", "🎬", "\0", "\"", "\u{2028}"] {
            let shown = brief(&text.repeat(1 << 20));
            assert!(shown.ends_with('…') && shown.len() <= 203, "{text:?}: {}", shown.len());
            // A JSON log line escapes quotes a second time.
            assert!(serde_json::to_string(&shown).unwrap().len() <= 410, "{text:?}");
        }
        assert_eq!(brief(&"a".repeat(200)), "a".repeat(200));
    }

    #[test]
    fn characters_that_control_a_terminal_are_replaced() {
        for steering in [
            "\n", "\r", "\t", "\0", "\u{1b}", "\u{7f}", "\u{85}", "\u{9b}", "\u{2028}", "\u{2029}", "\u{202e}",
            "\u{2066}", "\u{61c}",
        ] {
            assert_eq!(brief(&format!("a{steering}b")), "a?b", "{steering:?}");
        }
        // Ordinary text is unchanged.
        for text in ["Série 🎬", "שלום", "👩\u{200d}🚀", "a\u{a0}b"] {
            assert_eq!(brief(text), text);
        }
    }
}
