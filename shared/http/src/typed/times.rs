//! Reads times from callers and refuses ambiguous and implausible ones.

use std::ops::Range;

use reelhook_domain::Timestamp;
use serde_json::Value;

/// The description of a valid time, for errors.
pub(crate) const RIGHT: &str = "a time from 2000 to 2099: RFC 3339 with its zone, such as 2024-01-31T12:00:00Z, or Unix \
                                seconds or milliseconds";
/// The years 2000 to 2099 in Unix seconds. As milliseconds these numbers would be times in 1970, so the units can't be
/// confused.
const SECONDS: Range<f64> = 946_684_800.0..4_102_444_800.0;

/// Reads a time from text: RFC 3339 or Unix time.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return unix(text.parse().ok()?);
    }
    Timestamp::parse(text).filter(|time| SECONDS.contains(&(time.millis() as f64 / 1000.0)))
}

/// Reads a time from a query parameter, in which an unencoded `+` of a zone arrives as a space.
pub(crate) fn read_query(text: &str) -> Option<Timestamp> {
    read(text).or_else(|| {
        let (time, zone) = text.trim().rsplit_once(' ')?;
        // A date without a time of day has no zone.
        time.contains(':').then(|| read(&format!("{time}+{zone}")))?
    })
}

/// Reads a time from JSON: text or Unix time.
pub(crate) fn of_json(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => read(text),
        Value::Number(number) => unix(number.as_f64()?),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A time from Unix seconds or milliseconds, distinguished by their size; none for any other number.
fn unix(number: f64) -> Option<Timestamp> {
    let ms = if SECONDS.contains(&number) { number * 1000.0 } else { number };
    SECONDS.contains(&(ms / 1000.0)).then_some(Timestamp(ms.round() as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOON: i64 = 1_704_110_400_000;

    #[test]
    fn seconds_and_milliseconds_are_distinguished() {
        let check = |value: Value, expected: i64| assert_eq!(of_json(&value), Some(Timestamp(expected)), "{value}");
        check(json!(NOON), NOON);
        check(json!(NOON / 1000), NOON);
        check(json!((NOON / 1000) as f64), NOON);
        check(json!(1_704_110_400.5), NOON + 500);
        check(json!("1704110400"), NOON);
        check(json!(" 1704110400000 "), NOON);
        check(json!("1704110400.123"), NOON + 123);
        check(json!("2024-01-01T12:00:00Z"), NOON);
        check(json!("2024-01-01T13:00:00.000+01:00"), NOON);
        check(json!("2024-01-01 12:00:00Z"), NOON);
        check(json!("2000-01-01T00:00:00Z"), 946_684_800_000);
        check(json!("2099-12-31T23:59:59Z"), 4_102_444_799_000);
    }

    #[test]
    fn ambiguous_and_implausible_times_are_refused() {
        for value in [
            // Neither seconds nor milliseconds of the years 2000 to 2099.
            json!(0),
            json!(1),
            json!(-1_704_110_400),
            json!(86_400_000),
            json!(17_041_104_000_i64),
            json!(1_704_110_400_000_000_i64),
            json!(1_704_110_400_000_000_000_i64),
            json!(1e300),
            json!("20240101"),
            json!("20240101120000"),
            json!("2024"),
            json!("1.7.2024"),
            // Times in other centuries.
            json!("1970-01-01T00:00:00Z"),
            json!("1999-12-31T23:59:59Z"),
            json!("2100-01-01T00:00:00Z"),
            json!("12024-01-01T12:00:00Z"),
            json!("+012024-01-01T12:00:00Z"),
            json!("0024-01-01T12:00:00Z"),
            // Times without a zone, a time of day or a date, and other text.
            json!("2024-01-01T12:00:00"),
            json!("2024-01-01"),
            json!("2024-01-01 12:00"),
            json!("12:00:00Z"),
            json!("2024-13-01T12:00:00Z"),
            json!("2024-02-30T12:00:00Z"),
            json!("yesterday"),
            json!("now"),
            json!(""),
            json!("."),
            json!("NaN"),
            json!(null),
            json!(true),
            json!([NOON]),
            json!({ "seconds": 1_704_110_400 }),
        ] {
            assert_eq!(of_json(&value), None, "{value}");
        }
    }

    #[test]
    fn a_space_in_a_query_can_be_the_plus_of_a_zone() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(read_query(text), expected.map(Timestamp), "{text}");
        check("2024-01-01T14:00:00 02:00", Some(NOON));
        check("2024-01-01 14:00:00 02:00", Some(NOON));
        check("2024-01-01T14:00:00 0200", Some(NOON));
        check("2024-01-01T14:00:00+02:00", Some(NOON));
        check("1704110400", Some(NOON));
        check("2024-01-01 12:00", None);
        check("2024-01-01T12:00:00 ", None);
        check("2024-01-01 12:00:00", None);
    }
}
