//! The writer of JSON for signed webhooks: what it writes is read as the same value, and written again as the same text.

use reelhook_app::json::parse;
use reelhook_signing::js_json::{quoted, to_ascii_string, to_string};
use serde_json::Value;

use crate::input::Input;
use crate::target::Verdict;

/// Writes a value as a text.
type Write = fn(&Value) -> String;

/// Values of any kind, and texts that are JSON.
pub fn of_json(bytes: &[u8]) -> Verdict {
    let mut input = Input::new(bytes);
    let text = if input.flag() { input.json(6).to_string().into_bytes() } else { input.rest().to_vec() };
    let Ok(value) = parse(&text) else { return Verdict::Refused };
    let styles: [(&str, Write); 2] = [("JavaScript", to_string), ("Python", to_ascii_string)];
    for (style, write) in styles {
        let text = write(&value);
        let read = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{style}: {error} in {text}"));
        assert!(is_same(&value, &read), "{style}: {value} is read as {read}");
        assert_eq!(write(&read), text, "{style}: what was read is written again as it was");
        assert!(style == "JavaScript" || text.is_ascii(), "no ASCII: {text}");
        assert!(!text.contains(['\n', '\r']), "a text on one line: {text}");
    }
    if let Value::String(text) = &value {
        assert_eq!(quoted(text), to_string(&value), "a text alone is written alike");
    }
    Verdict::Accepted
}

/// Whether two values are the same for receivers, whose numbers are doubles.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(name, value): (&String, &Value)| other.get(name).is_some_and(|other| is_same(value, other));
            one.len() == other.len() && one.iter().all(has)
        }
        (one, other) => one == other,
    }
}
