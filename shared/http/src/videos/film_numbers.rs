//! JSON numbers in a video's configuration, written as people write them: all their digits, and nothing of how a
//! computer keeps them (ADR 24).

use std::borrow::Cow;

use serde_json::Number;

/// Significant digits that a binary number of 64 bits always keeps.
const KEPT_DIGITS: usize = 15;
/// Decimal places that people give a number of so many digits; more of them may come from a calculation.
const USUAL_PLACES: usize = 3;
/// Significant digits of the longest binary number of 64 bits, written out.
const LONGEST_BINARY: usize = 767;
/// Powers of ten beyond which no binary number of 64 bits lies.
const MOST_EXPONENT: i32 = 400;
/// Zeros that are written out; a number with more of them is written with a power of ten.
const MOST_ZEROS: usize = 30;

/// The text for a JSON number.
pub(crate) fn written(number: &Number) -> String {
    let token = number.to_string();
    Decimal::parse(&token).map_or(token, |decimal| decimal.without_noise().write())
}

/// JSON in which each number that a reader would round is a text with all its digits. Only for what people read:
/// numbers elsewhere are what their senders signed.
pub(crate) fn keep_digits(json: &[u8]) -> Cow<'_, [u8]> {
    let mut kept = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at = after_text(json, at),
            b'-' | b'0'..=b'9' => {
                let length = json[at..].iter().position(|byte| !is_in_number(*byte)).unwrap_or(json.len() - at);
                let end = at + length;
                if let Some(text) = rounded_by_readers(&json[at..end]).filter(|_| !is_name(&json[end..])) {
                    kept.extend_from_slice(&json[copied..at]);
                    kept.extend_from_slice(format!("\"{text}\"").as_bytes());
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    kept.extend_from_slice(&json[copied..]);
    Cow::Owned(kept)
}

fn is_in_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E')
}

/// Where a text ends that begins at `start`.
fn after_text(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

/// Whether what stands before this would be the name of a member, which only a text may be.
fn is_name(rest: &[u8]) -> bool {
    rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

/// The text for a number that readers into 64 bits would round.
fn rounded_by_readers(token: &[u8]) -> Option<String> {
    let token = std::str::from_utf8(token).ok()?;
    let decimal = Decimal::parse(token).filter(|decimal| decimal.digits.len() > KEPT_DIGITS)?;
    let is_whole = token.parse::<i64>().is_ok() || token.parse::<u64>().is_ok();
    (!is_whole).then(|| decimal.without_noise().write())
}

/// A number by its digits: 0.DIGITS times ten to the power of `point`.
#[derive(Debug)]
struct Decimal {
    negative: bool,
    /// Without zeros at either end; none is zero.
    digits: String,
    point: i32,
}

impl Decimal {
    /// Reads a number as JSON has it (RFC 8259, 6); one beyond all binary numbers is left to readers to refuse.
    fn parse(token: &str) -> Option<Self> {
        let (negative, rest) = match token.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, token),
        };
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, places) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let bare = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let is_digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if ![whole, places, bare].iter().all(is_digits) || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        let exponent: i32 = exponent.parse().ok()?;
        let all = format!("{whole}{places}");
        let digits = all.trim_start_matches('0');
        let point = i32::try_from(whole.len() + digits.len()).ok()? - i32::try_from(all.len()).ok()?;
        let within = (-MOST_EXPONENT..=MOST_EXPONENT).contains(&exponent);
        within.then(|| Self { negative, digits: digits.trim_end_matches('0').to_owned(), point: point + exponent })
    }

    /// 0.3 for 0.30000000000000004: a fraction with more digits than a binary number keeps, which is exactly how one is
    /// printed, comes from a calculation when rounding to what is kept leaves fewer digits.
    fn without_noise(self) -> Self {
        let places = i64::try_from(self.digits.len()).unwrap_or(i64::MAX) - i64::from(self.point);
        let places = usize::try_from(places).unwrap_or(0);
        if !(KEPT_DIGITS + 1..=LONGEST_BINARY).contains(&self.digits.len()) || places <= USUAL_PLACES {
            return self;
        }
        let plain = self.plain();
        let Ok(binary) = plain.parse::<f64>() else { return self };
        let behind_point = KEPT_DIGITS - 1;
        let rounded = Self::parse(&format!("{binary:.behind_point$e}"));
        match rounded.filter(|rounded| rounded.digits.len() < KEPT_DIGITS) {
            Some(rounded) if format!("{binary:.places$}") == plain => rounded,
            Some(_) | None => self,
        }
    }

    fn sign(&self) -> &'static str {
        if self.negative && !self.digits.is_empty() { "-" } else { "" }
    }

    /// Without a power of ten.
    fn plain(&self) -> String {
        let (sign, digits) = (self.sign(), self.digits.as_str());
        let zeros = |count: usize| "0".repeat(count);
        match usize::try_from(self.point) {
            _ if digits.is_empty() => "0".to_owned(),
            Ok(point) if point >= digits.len() => format!("{sign}{digits}{}", zeros(point - digits.len())),
            Ok(point) if point > 0 => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
            Ok(_) | Err(_) => format!("{sign}0.{}{digits}", zeros(self.point.unsigned_abs() as usize)),
        }
    }

    /// As people write it.
    fn write(&self) -> String {
        let zeros = match usize::try_from(self.point) {
            Ok(point) => point.saturating_sub(self.digits.len()),
            Err(_) => self.point.unsigned_abs() as usize,
        };
        if zeros <= MOST_ZEROS || self.digits.is_empty() {
            return self.plain();
        }
        let (first, rest) = self.digits.split_at(1);
        let rest = if rest.is_empty() { String::new() } else { format!(".{rest}") };
        let raised = (self.point - 1).to_string().chars().map(superscript).collect::<String>();
        format!("{}{first}{rest}\u{A0}×\u{A0}10{raised}", self.sign())
    }
}

fn superscript(digit: char) -> char {
    match digit {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4'..='9' => char::from_u32(u32::from(digit) - u32::from('4') + u32::from('⁴')).unwrap_or(digit),
        _ => '⁰',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text for a number as it comes in a body.
    fn read(token: &str) -> String {
        let json = format!("[{token}]");
        let value: serde_json::Value = serde_json::from_slice(&keep_digits(json.as_bytes())).unwrap();
        match &value[0] {
            serde_json::Value::Number(number) => written(number),
            text => text.as_str().unwrap().to_owned(),
        }
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        for (token, expected) in [
            ("1250.0", "1250"),
            ("4.50", "4.5"),
            ("-12.0", "-12"),
            ("-0.0", "0"),
            ("-0", "0"),
            ("0e7", "0"),
            ("1E3", "1000"),
            ("1.5e+3", "1500"),
            ("1e21", "1000000000000000000000"),
            ("1.25e-7", "0.000000125"),
            ("5e-7", "0.0000005"),
            ("-2.5E-3", "-0.0025"),
            ("1e100", "1\u{A0}×\u{A0}10¹⁰⁰"),
            ("-6.02214076e45", "-6.02214076\u{A0}×\u{A0}10⁴⁵"),
            ("1.6e-35", "1.6\u{A0}×\u{A0}10⁻³⁵"),
        ] {
            assert_eq!(read(token), expected, "{token}");
        }
    }

    #[test]
    fn no_digit_is_lost() {
        for token in [
            "12345678901234567890123",
            "-98765432109876543210987",
            "18446744073709551615",
            "18446744073709551616",
            "3.1415926535897932384626",
            "12345678901234567890.123",
            "123456789012345.67",
            "99999999999999.99",
            "9999999999999.999",
            "0.6666666666666666",
        ] {
            assert_eq!(read(token), token);
        }
        assert_eq!(read("12345678901234567890.500"), "12345678901234567890.5");
        assert_eq!(read("1.2345678901234567e20"), "123456789012345670000");
        assert_eq!(read(&"7".repeat(400)), "7".repeat(400));
    }

    #[test]
    fn what_a_calculation_leaves_behind_is_rounded_away() {
        for (token, expected) in [
            ("0.30000000000000004", "0.3"),
            ("0.7999999999999999", "0.8"),
            ("0.9999999999999999", "1"),
            ("3.3000000000000003", "3.3"),
            ("434.99999999999994", "435"),
            ("-29.849999999999998", "-29.85"),
            ("110.00000000000001", "110"),
            ("123456789012.34001", "123456789012.34"),
            ("0.3000000000000000444", "0.3"),
            ("0.1000000000000000055511151231257827021181583404541015625", "0.1"),
        ] {
            assert_eq!(read(token), expected, "{token}");
        }
    }

    #[test]
    fn only_numbers_that_would_be_rounded_become_texts() {
        let check = |json: &str, expected: &str| {
            assert_eq!(std::str::from_utf8(&keep_digits(json.as_bytes())).unwrap(), expected);
        };
        for json in [
            r#"{"a": 1, "b": -2.50, "c": [1e3, 18446744073709551615, 0.1]}"#,
            r#"{"a": "12345678901234567890123", "b\"12345678901234567890123": "\\"}"#,
            // What is no JSON stays what it is.
            r#"{12345678901234567890123 : 1}"#,
            "[012345678901234567890123, 1234567890123456789012.e5, 1.2.3456789012345678901, -]",
            "[1e99999999999999999999, 12345678901234567e999]",
            r#"["12345678901234567890123"#,
            r#"["\"#,
            "",
        ] {
            check(json, json);
        }
        check(r#"{"a":12345678901234567890123}"#, r#"{"a":"12345678901234567890123"}"#);
        check("\u{FEFF}[ 1, 0.12345678901234567890 ]", "\u{FEFF}[ 1, \"0.1234567890123456789\" ]");
        check("[\"ü\", 1.0000000000000000001]", "[\"ü\", \"1.0000000000000000001\"]");
    }
}
