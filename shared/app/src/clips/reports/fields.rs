//! Members of what a worker sends: lenient about their form, strict about their size. Null and what can't be used count
//! as absent.

use reelhook_domain::cut;
use serde_json::{Map, Number, Value};

/// The longest time that is read, in milliseconds: seven days.
const LONGEST_MS: f64 = 7.0 * 24.0 * 3_600_000.0;
/// The longest text that is read as a number, in bytes.
const LONGEST_NUMBER: usize = 32;
/// Words of a list at most.
const MAX_WORDS: usize = 20;
/// The parts of a score at most, in bytes of JSON.
const PARTS_LIMIT: usize = 2048;

static ABSENT: Value = Value::Null;

/// The first member of these names that is there, or null.
pub(super) fn member<'a>(object: &'a Value, names: &[&str]) -> &'a Value {
    names.iter().map(|name| &object[*name]).find(|value| !value.is_null()).unwrap_or(&ABSENT)
}

/// A text without white space around it, cut to `most` bytes.
pub(super) fn text(value: &Value, most: usize) -> Option<&str> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| cut(text, most))
}

/// A word that says what something is, in small letters: an event or a status.
pub(super) fn word(value: &Value) -> Option<String> {
    text(value, usize::MAX).filter(|text| text.len() <= 64).map(str::to_ascii_lowercase)
}

/// A finite number, also as a text.
fn number(value: &Value) -> Option<f64> {
    let number: f64 = match value {
        Value::String(text) if text.len() <= LONGEST_NUMBER => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    number.is_finite().then_some(number)
}

/// A whole number from 0 to `most`.
pub(super) fn whole(value: &Value, most: u32) -> Option<u32> {
    let whole = number(value).filter(|number| number.fract() == 0.0 && (0.0..=f64::from(most)).contains(number));
    whole.map(|number| number as u32)
}

/// A percentage: what is below 0 is 0, what is above 100 is 100.
pub(super) fn percent(value: &Value) -> Option<u8> {
    number(value).map(|percent| percent.round().clamp(0.0, 100.0) as u8)
}

/// A time in milliseconds, from a number of units of so many milliseconds.
pub(super) fn ms(value: &Value, unit_ms: f64) -> Option<u64> {
    let ms = number(value).map(|number| number * unit_ms).filter(|ms| (0.0..=LONGEST_MS).contains(ms));
    ms.map(|ms| ms.round() as u64)
}

/// A score from 0 to 1, as its sender wrote the number.
pub(super) fn score(value: &Value) -> Option<Number> {
    let sent = match value {
        Value::Number(sent) => sent.clone(),
        other => Number::from_f64(number(other)?)?,
    };
    sent.as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)).then_some(sent)
}

/// The parts of a score, unless they are too large.
pub(super) fn parts(value: &Value) -> Map<String, Value> {
    let parts = value.as_object().filter(|_| value.to_string().len() <= PARTS_LIMIT);
    parts.cloned().unwrap_or_default()
}

/// The first words of a list, each cut to `most` bytes.
pub(super) fn words(value: &Value, most: usize) -> Vec<String> {
    let words = value.as_array().into_iter().flatten().filter_map(|word| text(word, most));
    words.take(MAX_WORDS).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_from_numbers_and_from_texts() {
        for (value, whole_number, percentage, milliseconds) in [
            (json!(5), Some(5), Some(5), Some(5000)),
            (json!("5"), Some(5), Some(5), Some(5000)),
            (json!(" 64.6 "), None, Some(65), Some(64_600)),
            (json!(5.0), Some(5), Some(5), Some(5000)),
            (json!(-3), None, Some(0), None),
            (json!(1000), Some(1000), Some(100), Some(1_000_000)),
            (json!(1001), None, Some(100), Some(1_001_000)),
            (json!(1e300), None, Some(100), None),
            (json!(-1e300), None, Some(0), None),
            (json!("inf"), None, None, None),
            (json!("NaN"), None, None, None),
            (json!("five"), None, None, None),
            (json!(""), None, None, None),
            (json!("1".repeat(33)), None, None, None),
            (json!(null), None, None, None),
            (json!(true), None, None, None),
            (json!([5]), None, None, None),
            (json!({ "value": 5 }), None, None, None),
        ] {
            assert_eq!(whole(&value, 1000), whole_number, "{value}");
            assert_eq!(percent(&value), percentage, "{value}");
            assert_eq!(ms(&value, 1000.0), milliseconds, "{value}");
        }
    }

    #[test]
    fn a_score_stays_as_it_was_written() {
        for (value, expected) in [
            (json!(0.92), Some("0.92")),
            (json!(1), Some("1")),
            (json!(0), Some("0")),
            (json!("0.5"), Some("0.5")),
            (json!(92), None),
            (json!(-0.1), None),
            (json!(null), None),
            (json!("high"), None),
        ] {
            assert_eq!(score(&value).map(|score| score.to_string()).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn texts_lists_and_parts_are_bounded() {
        assert_eq!(text(&json!("  é é "), 3), Some("é "));
        assert_eq!((text(&json!("  "), 9), text(&json!(7), 9)), (None, None));
        assert_eq!(word(&json!(" Job.Completed ")).as_deref(), Some("job.completed"));
        assert_eq!(word(&json!("x".repeat(65))), None);
        assert_eq!(words(&json!(["a", 1, null, " ", "bcd"]), 2), ["a", "bc"]);
        assert_eq!(words(&json!(vec!["a"; 50]), 2).len(), MAX_WORDS);
        assert!(words(&json!("a"), 2).is_empty());
        assert_eq!(Value::Object(parts(&json!({ "hook": 0.5 }))), json!({ "hook": 0.5 }));
        assert!(parts(&json!({ "hook": "x".repeat(PARTS_LIMIT) })).is_empty() && parts(&json!([1])).is_empty());
        let object = json!({ "a": null, "b": 2 });
        assert_eq!((member(&object, &["a", "b"]), member(&object, &["c"])), (&json!(2), &Value::Null));
        assert_eq!(member(&json!([1]), &["a"]), &Value::Null);
    }
}
