//! JSON exactly as receivers serialize it again: the samples of seed 001 verify signatures over parsed and reserialized
//! bodies.

use serde_json::{Map, Number, Value};

/// Serializes a value like `JSON.stringify(JSON.parse(text))`: compact, in UTF-8, with array-index keys first and
/// JavaScript's number format.
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, Style::JavaScript);
    out
}

/// Serializes to ASCII for receivers in Python: `json.dumps(json.loads(text), separators=(',', ':'))` gives the same
/// text. Besides escapes, this requires Python's format of numbers whose absolute value is below 0.0001.
pub fn to_ascii_string(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, Style::Python);
    out
}

/// A text in quotation marks, as [`to_string`] writes it.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_text(&mut out, text, Style::JavaScript);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    JavaScript,
    Python,
}

/// Recursive like `Value` itself: serde_json parses at most 128 levels.
fn write_value(out: &mut String, value: &Value, style: Style) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number_text(number, style)),
        Value::String(text) => write_text(out, text, style),
        Value::Array(items) => write_items(out, items, style),
        Value::Object(members) => write_members(out, members, style),
    }
}

fn write_items(out: &mut String, items: &[Value], style: Style) {
    out.push('[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_value(out, item, style);
    }
    out.push(']');
}

fn write_members(out: &mut String, members: &Map<String, Value>, style: Style) {
    let mut ordered: Vec<(&String, &Value)> = members.iter().collect();
    // The sort is stable, so all other keys follow in their original order. 2^32 - 1 is no array index, and sorts as one of
    // them.
    ordered.sort_by_cached_key(|(key, _)| array_index(key).unwrap_or(u32::MAX));
    out.push('{');
    for (position, (key, value)) in ordered.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_text(out, key, style);
        out.push(':');
        write_value(out, value, style);
    }
    out.push('}');
}

/// Parses the canonical decimal text of 0 to 2^32 - 1; all but the last are array indexes of ECMAScript.
fn array_index(key: &str) -> Option<u32> {
    let index: u32 = key.parse().ok()?;
    (index.to_string() == key).then_some(index)
}

fn number_text(number: &Number, style: Style) -> String {
    // A number is always a finite double here; JSON.stringify writes null for any other.
    let Some(double) = number.as_f64().filter(|double| double.is_finite()) else {
        return "null".to_owned();
    };
    if style == Style::Python && double != 0.0 && double.abs() < 1e-4 {
        return python_exponent(double);
    }
    ryu_js::Buffer::new().format_finite(double).to_owned()
}

/// Formats a number as `1e-07`: Python's repr uses exponents earlier than JavaScript, with at least two digits.
fn python_exponent(double: f64) -> String {
    let text = format!("{double:e}");
    match text.split_once("e-") {
        Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
        None => text,
    }
}

fn write_text(out: &mut String, text: &str, style: Style) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if is_escaped(other, style) => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Whether a character is escaped. Python escapes everything outside printable ASCII, including DEL; JavaScript escapes
/// only what JSON requires.
fn is_escaped(character: char, style: Style) -> bool {
    match style {
        Style::JavaScript => character < ' ',
        Style::Python => !(' '..='~').contains(&character),
    }
}
