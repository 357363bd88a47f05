//! Escapes untrusted text for the terminal: it cannot move the cursor, set colours, begin a new line or change the
//! direction of writing. All text that a stack, a receiver or a sender may have written is printed through here.

use serde_json::Value;

/// The text on one line.
pub fn line(text: &str) -> String {
    escaped(text, &[])
}

/// The text with its line breaks and tabs.
pub fn lines(text: &str) -> String {
    escaped(text, &['\n', '\t'])
}

/// The value as valid JSON on several lines.
pub fn json(value: &Value) -> String {
    escaped_json(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// The value as valid JSON on one line.
pub fn json_line(value: &Value) -> String {
    escaped_json(&value.to_string())
}

/// In JSON these characters occur only in strings, where an escape has the same meaning, or as line breaks between.
fn escaped_json(text: &str) -> String {
    let escape = |c: char| if is_control(c) && c != '\n' { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escape).collect()
}

fn escaped(text: &str, kept: &[char]) -> String {
    let escape = |c: char| match is_control(c) && !kept.contains(&c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// Control characters (C0, DEL, C1), separators of lines and paragraphs, and bidirectional controls.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One of each kind.
    const CONTROLS: &str =
        "\0\u{7}\u{8}\t\n\r\u{1b}[2J\u{7f}\u{85}\u{9b}31m\u{61c}\u{200e}\u{2028}\u{2029}\u{202e}\u{2066}";

    #[test]
    fn control_characters_are_escaped() {
        assert!(!line(CONTROLS).chars().any(is_control), "{:?}", line(CONTROLS));
        let kept: Vec<char> = lines(CONTROLS).chars().filter(|c| is_control(*c)).collect();
        assert_eq!(kept, ['\t', '\n']);
        assert_eq!(line("a\u{1b}[31m\r\nb\u{202e}c"), "a\\u{1b}[31m\\r\\nb\\u{202e}c");
    }

    #[test]
    fn ordinary_text_is_unchanged() {
        for text in ["Série – 10 %", "שלום עולם", "👩\u{200d}🚀", "a\u{a0}b", "'quoted' \"\\"] {
            assert_eq!((line(text), lines(text)), (text.to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn json_keeps_its_value() {
        let value = json!({ CONTROLS: [CONTROLS, 1, { "deep": CONTROLS }] });
        let shown = json(&value);
        assert!(shown.chars().all(|c| c == '\n' || !is_control(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        let shown = json_line(&value);
        assert!(!shown.chars().any(is_control), "{shown:?}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
    }
}
