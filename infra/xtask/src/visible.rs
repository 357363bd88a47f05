//! Text from outside on a terminal: nothing in it moves the cursor, sets colours, begins a new line or changes the
//! direction of writing. Every text that a stack, a receiver or a sender may have written is printed through here.

use serde_json::Value;

/// A text on one line.
pub fn line(text: &str) -> String {
    escaped(text, &[])
}

/// A text on as many lines as it has.
pub fn lines(text: &str) -> String {
    escaped(text, &['\n', '\t'])
}

/// A value as JSON on several lines, which stays JSON.
pub fn json(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    // In JSON they stand within texts only, where an escape means the same.
    let written = |c: char| if steers(c) && c != '\n' { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(written).collect()
}

fn escaped(text: &str, kept: &[char]) -> String {
    let written = |c: char| match steers(c) && !kept.contains(&c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(written).collect()
}

/// Control characters (C0, DEL, C1), separators of lines and paragraphs, and what turns the direction of writing.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One of each kind.
    const STEERING: &str =
        "\0\u{7}\u{8}\t\n\r\u{1b}[2J\u{7f}\u{85}\u{9b}31m\u{61c}\u{200e}\u{2028}\u{2029}\u{202e}\u{2066}";

    #[test]
    fn nothing_steers_the_terminal() {
        assert!(!line(STEERING).chars().any(steers), "{:?}", line(STEERING));
        let kept: Vec<char> = lines(STEERING).chars().filter(|c| steers(*c)).collect();
        assert_eq!(kept, ['\t', '\n']);
        assert_eq!(line("a\u{1b}[31m\r\nb\u{202e}c"), "a\\u{1b}[31m\\r\\nb\\u{202e}c");
    }

    #[test]
    fn what_people_write_stays() {
        for text in ["Série – 10 %", "שלום עולם", "👩\u{200d}🚀", "a\u{a0}b", "'quoted' \"\\"] {
            assert_eq!((line(text), lines(text)), (text.to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn json_stays_what_it_was() {
        let value = json!({ STEERING: [STEERING, 1, { "deep": STEERING }] });
        let shown = json(&value);
        assert!(shown.chars().all(|c| c == '\n' || !steers(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
    }
}
