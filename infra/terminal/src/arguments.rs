//! Values of command-line options.

use std::str::FromStr;
use std::time::Duration;

/// `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair(pub String, pub String);

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self(name.to_owned(), value.to_owned())),
            // The text is not repeated: it may be a secret.
            _ => Err("expected NAME=VALUE".to_owned()),
        }
    }
}

/// Parses `90s`, `30m`, `2h` or `1d`.
///
/// # Errors
/// A sentence with examples.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)) {
        Some(total) if total > 0 => Ok(Duration::from_secs(total)),
        _ => Err("expected a duration such as 90s, 30m, 2h or 1d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(parse_duration(text).ok(), expected.map(Duration::from_secs), "{text}");
    }

    #[test]
    fn a_pair_splits_at_its_first_equals_sign() {
        assert_eq!("A=b=c".parse(), Ok(Pair("A".into(), "b=c".into())));
        assert_eq!("A=".parse(), Ok(Pair("A".into(), String::new())));
        for wrong in ["secret", "=secret"] {
            assert_eq!(wrong.parse::<Pair>(), Err("expected NAME=VALUE".to_owned()));
        }
    }

    #[test]
    fn durations_have_a_number_and_a_unit() {
        check("90s", Some(90));
        check("30m", Some(1_800));
        check("2h", Some(7_200));
        check("1d", Some(86_400));
        for wrong in ["", "2", "h", "0h", "-1h", "2w", "99999999999999999999d", "18446744073709551615d"] {
            check(wrong, None);
        }
    }
}
