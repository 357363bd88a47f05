//! Texts from outside, made safe for rows and log lines: bounded in length, and for log lines without characters that
//! move a cursor or begin a line.

/// Bytes of a text from outside in a log line, at most. A line holds a handful of them and stays below 2 KB.
const BRIEF: usize = 200;

/// The start of a text: at most so many bytes, whole characters.
pub fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A text from outside for log lines, and for errors that are logged: its start, on one line.
///
/// Every value from outside goes through here before it is logged (ARCHITECTURE.md, Logs).
pub fn brief(text: &str) -> String {
    let start = cut(text, BRIEF);
    let mut shown: String = start.chars().map(|c| if steers(c) { '?' } else { c }).collect();
    if start.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Whether a character moves the cursor, begins a line or turns the direction of writing where it is printed.
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
    fn a_megabyte_leaves_two_hundred_bytes() {
        for text in ["a", "é", "🎬", "\0", "\"", "\u{2028}"] {
            let shown = brief(&text.repeat(1 << 20));
            assert!(shown.ends_with('…') && shown.len() <= 203, "{text:?}: {}", shown.len());
            // Quotes are escaped again in a line of JSON.
            assert!(serde_json::to_string(&shown).unwrap().len() <= 410, "{text:?}");
        }
        assert_eq!(brief(&"a".repeat(200)), "a".repeat(200));
    }

    #[test]
    fn what_would_steer_a_terminal_is_taken_out() {
        for steering in [
            "\n", "\r", "\t", "\0", "\u{1b}", "\u{7f}", "\u{85}", "\u{9b}", "\u{2028}", "\u{2029}", "\u{202e}",
            "\u{2066}", "\u{61c}",
        ] {
            assert_eq!(brief(&format!("a{steering}b")), "a?b", "{steering:?}");
        }
        // What people write stays.
        for text in ["Série 🎬", "שלום", "👩\u{200d}🚀", "a\u{a0}b"] {
            assert_eq!(brief(text), text);
        }
    }
}
