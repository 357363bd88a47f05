//! Reads numbers in the spellings that callers use, and finds numbers that receivers would round.

use std::collections::BTreeMap;

use reelhook_domain::steers;
use serde_json::Value;
use serde_json::value::RawValue;

/// 2^53: up to it, all whole numbers are exact as 64-bit floats, which JavaScript and others use for JSON numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// The maximum length of a path in an answer, in characters.
const PATH_LIMIT: usize = 200;

/// A whole number in any spelling: 3, 3.0, 3e0 or "3".
pub(crate) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole_float(number.as_f64()?)),
        Value::String(text) => whole_of(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A whole number from a text: `3` or `3.0`.
fn whole_of(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| whole_float(text.parse().ok()?))
}

fn whole_float(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
}

/// A number, or a text that is a number.
pub(crate) fn decimal(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| number.is_finite())
}

/// The path, in a member of a JSON object, of a number that receivers would round; none if all numbers are exact. Callers
/// choose the names, which are shown on one line.
pub(crate) fn inexact(object: &str, member: &str) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
    let mut steps = path_to_inexact(members.get(member)?)?;
    steps.push(member.to_owned());
    let shown = steps.iter().rev().flat_map(|step| step.chars()).take(PATH_LIMIT);
    Some(shown.map(|character| if steers(character) { '?' } else { character }).collect())
}

/// The steps of the path to such a number, the last one first. They are collected only after a number is found: names
/// may be long, and building the path of every value would take far longer than parsing the values.
fn path_to_inexact(raw: &RawValue) -> Option<Vec<String>> {
    let text = raw.get();
    let behind = |step: String, value: &RawValue| {
        let mut steps = path_to_inexact(value)?;
        steps.push(step);
        Some(steps)
    };
    match text.as_bytes().first()? {
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            members.into_iter().find_map(|(name, value)| behind(format!(".{name}"), value))
        }
        b'[' => {
            let entries: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            entries.into_iter().enumerate().find_map(|(index, value)| behind(format!("[{index}]"), value))
        }
        b'-' | b'0'..=b'9' => is_inexact(text.trim_start_matches('-')).then(Vec::new),
        _ => None,
    }
}

/// Whether an unsigned number above 2^53 is an integer, or has more digits than a float preserves.
fn is_inexact(number: &str) -> bool {
    match number.parse::<f64>() {
        Ok(float) if float < EXACT => false,
        Ok(_) if number.bytes().all(|byte| byte.is_ascii_digit()) => number != "9007199254740992",
        Ok(float) => digits(number) != digits(&format!("{float:e}")),
        Err(_) => true,
    }
}

/// The significant digits of a number, without leading and trailing zeros.
fn digits(number: &str) -> String {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    mantissa.replace('.', "").trim_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_read_in_several_spellings() {
        let check = |value: Value, expected| assert_eq!(whole(&value), expected, "{value}");
        check(json!(3), Some(3));
        check(json!(3.0), Some(3));
        check(json!("3"), Some(3));
        check(json!(" 10.0 "), Some(10));
        check(json!("1e3"), Some(1000));
        check(json!(-0.0), Some(0));
        check(json!(3.5), None);
        check(json!("3.5"), None);
        check(json!(""), None);
        check(json!("NaN"), None);
        check(json!("inf"), None);
        check(json!(1e300), None);
        check(json!(u64::MAX), None);
        check(json!(null), None);
        check(json!(true), None);
        check(json!([3]), None);
    }

    #[test]
    fn numbers_that_receivers_would_round_are_found() {
        let check = |data: &str, expected: Option<&str>| {
            assert_eq!(inexact(&format!("{{\"event\": 1, \"data\": {data}}}"), "data").as_deref(), expected, "{data}");
        };
        check(r#"{"id": 1234567890123456789}"#, Some("data.id"));
        check(r#"{"id": -9007199254740993}"#, Some("data.id"));
        check(r#"{"a": [{"b": 1}, {"b": 12345678901234567890123}]}"#, Some("data.a[1].b"));
        check(r#"{"id": 1234567890123456789.0}"#, Some("data.id"));
        check(r#"{"id": 1.234567890123456789e18}"#, Some("data.id"));
        check(r#"{"id": 1152921504606846976}"#, Some("data.id"));
        check(r#"{"a\n\u001b[31m\u202e": 1152921504606846976}"#, Some("data.a??[31m?"));
        check(r#"{"id": 9007199254740992, "other": -9007199254740992, "zero": -0}"#, None);
        check(r#"{"id": 9007199254740992.0, "large": 1e300, "small": 1e-300, "third": 0.3333333333333333}"#, None);
        check(r#"{"pi": 3.14159265358979323846264338327950288, "e": 1.5e3}"#, None);
        check(r#"{"id": "1234567890123456789", "text": "[12345678901234567890]"}"#, None);
        check("{}", None);
        check("null", None);
        assert_eq!(inexact(r#"{"other": 1234567890123456789}"#, "data"), None);
        let deep = format!("{}12345678901234567890{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(inexact(&format!("{{\"data\": {deep}}}"), "data").map(|path| path.len()), Some(PATH_LIMIT));
    }

    #[test]
    fn many_numbers_below_a_long_name_are_checked_quickly() {
        let (name, ones) = ("n".repeat(500_000), "1,".repeat(250_000));
        let object = |last: &str| format!("{{\"data\": {{\"{name}\": {{\"{name}\": [{ones} {last}]}}}}}}");
        // The paths of all these numbers together would have 250 GB.
        assert_eq!(inexact(&object("1"), "data"), None);
        let path = inexact(&object("12345678901234567890"), "data").unwrap();
        assert!(path.starts_with("data.nnn") && path.len() == PATH_LIMIT, "{path}");
    }
}
