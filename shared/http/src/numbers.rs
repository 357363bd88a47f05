//! Numbers as callers write them, in several spellings.

use serde_json::Value;

/// The largest whole number up to which all are exact in JavaScript, and wherever else JSON's numbers are floats: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number, however it is written: 3, 3.0, 3e0 or "3".
pub(crate) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole_float(number.as_f64()?)),
        Value::String(text) => whole_of(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A whole number from a text: `3` or `3.0`.
pub(crate) fn whole_of(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| whole_float(text.parse().ok()?))
}

fn whole_float(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
}

/// A number, also where it is written as a text.
pub(crate) fn decimal(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_come_in_several_spellings() {
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
}
