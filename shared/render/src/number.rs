//! Finds a number in a text such as `98 %`, `$1,250.50`, `١٬٢٥٠` or `4.9/5`, and formats it while it counts up from
//! zero.

/// The maximum number of digits; a longer number could not be counted without rounding errors.
const MAX_DIGITS: usize = 12;

/// The digit zero of each script that has decimal digits and a typeface. The other nine digits follow it in Unicode.
const ZEROS: [char; 25] = [
    '0',
    '\u{0660}',  // Arabic
    '\u{06F0}',  // Persian, Urdu
    '\u{0966}',  // Devanagari
    '\u{09E6}',  // Bengali
    '\u{0A66}',  // Gurmukhi
    '\u{0AE6}',  // Gujarati
    '\u{0BE6}',  // Tamil
    '\u{0C66}',  // Telugu
    '\u{0CE6}',  // Kannada
    '\u{0D66}',  // Malayalam
    '\u{0DE6}',  // Sinhala
    '\u{0E50}',  // Thai
    '\u{0ED0}',  // Lao
    '\u{1040}',  // Myanmar
    '\u{1090}',  // Shan
    '\u{17E0}',  // Khmer
    '\u{A9F0}',  // Tai Laing
    '\u{FF10}',  // full width
    '\u{1D7CE}', // mathematical: bold
    '\u{1D7D8}', // double-struck
    '\u{1D7E2}', // sans-serif
    '\u{1D7EC}', // sans-serif bold
    '\u{1D7F6}', // monospace
    '\u{1FBF0}', // seven-segment
];

/// A text and its first number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    /// The original text.
    whole: String,
    before: String,
    after: String,
    value: f64,
    /// The zero of the number's digits.
    zero: char,
    /// The minimum number of digits before the decimal mark; it is greater than one if the number has leading zeros.
    width: usize,
    /// The group separators before the decimal mark, each with the number of integer digits after it.
    marks: Vec<(usize, char)>,
    point: char,
    decimals: usize,
}

/// Digits without a separator between them.
struct Group {
    /// The separator before the digits.
    mark: Option<char>,
    /// The digits as ASCII.
    digits: String,
    /// The end of the digits in the text.
    end: usize,
}

impl Number {
    /// Finds the first number of a text. Returns `None` if there is none, or if counting makes no sense: for a date, a
    /// version, or more digits than can be counted.
    pub fn find(text: &str) -> Option<Self> {
        let (start, zero) = text.char_indices().find_map(|(at, character)| Some((at, zero_of(character)?)))?;
        let mut groups = groups(&text[start..], zero);
        groups.truncate(leading_groups(&groups));
        let decimal = decimal(&groups)?;
        let (whole, decimals) = groups.split_at(decimal.unwrap_or(groups.len()));
        let digits = |groups: &[Group]| groups.iter().map(|group| group.digits.as_str()).collect::<String>();
        let (whole_digits, decimal_digits) = (digits(whole), digits(decimals));
        if whole_digits.len() + decimal_digits.len() > MAX_DIGITS {
            return None;
        }
        let mut behind = whole_digits.len();
        let mut marks = Vec::new();
        for group in whole {
            marks.extend(group.mark.map(|mark| (behind, mark)));
            behind -= group.digits.len();
        }
        let end = start + groups.last().map_or(0, |group| group.end);
        Some(Self {
            whole: text.to_owned(),
            before: text[..start].to_owned(),
            after: text[end..].to_owned(),
            value: format!("{whole_digits}.{decimal_digits}").parse().ok()?,
            zero,
            width: if whole_digits.starts_with('0') { whole_digits.len() } else { 1 },
            marks,
            point: decimals.first().and_then(|group| group.mark).unwrap_or('.'),
            decimals: decimal_digits.len(),
        })
    }

    /// The text with its number multiplied by `part`, 0 to 1. At 1 it is the original text.
    pub fn fraction(&self, part: f64) -> String {
        if part >= 1.0 {
            return self.whole.clone();
        }
        let shown = format!("{:.*}", self.decimals, self.value * part);
        let (whole, decimals) = shown.split_once('.').unwrap_or((&shown, ""));
        let whole = format!("{whole:0>width$}", width = self.width);
        let nothing = shown.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        let before = if nothing { without_minus(&self.before) } else { self.before.clone() };
        let mut number = String::new();
        for (index, digit) in whole.chars().enumerate() {
            let mark = self.marks.iter().find(|(behind, _)| *behind == whole.len() - index);
            number.extend(mark.filter(|_| index > 0).map(|(_, mark)| *mark));
            number.push(self.digit(digit));
        }
        if !decimals.is_empty() {
            number.push(self.point);
            number.extend(decimals.chars().map(|digit| self.digit(digit)));
        }
        format!("{before}{number}{}", self.after)
    }

    /// Converts an ASCII digit to the script of the number.
    fn digit(&self, ascii: char) -> char {
        let value = ascii.to_digit(10).unwrap_or_default();
        char::from_u32(u32::from(self.zero) + value).unwrap_or(ascii)
    }
}

/// The text before a number without the minus sign, because zero is not negative: `-`, `**-`, or `-$`. A dash after a
/// letter, as in `Covid-19`, is not a minus sign.
fn without_minus(before: &str) -> String {
    let parts = |character: char| character.is_alphanumeric() || character.is_whitespace();
    let start =
        before.char_indices().rfind(|(_, character)| parts(*character)).map_or(0, |(at, last)| at + last.len_utf8());
    let (words, signs) = before.split_at(start);
    if words.ends_with(char::is_alphanumeric) {
        return before.to_owned();
    }
    let kept = signs.chars().filter(|sign| !matches!(*sign, '-' | '\u{2212}' | '\u{2013}'));
    words.chars().chain(kept).collect()
}

fn zero_of(character: char) -> Option<char> {
    ZEROS.into_iter().find(|zero| digit_of(character, *zero).is_some())
}

/// Converts a digit of this script to ASCII.
fn digit_of(character: char, zero: char) -> Option<char> {
    let value = u32::from(character).checked_sub(u32::from(zero))?;
    char::from_digit(value, 10)
}

/// The digit groups at the start of a text: digits of one script with single separators between them.
fn groups(text: &str, zero: char) -> Vec<Group> {
    let mut groups = vec![Group { mark: None, digits: String::new(), end: 0 }];
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().and_then(|(_, next)| digit_of(*next, zero));
        match digit_of(character, zero) {
            Some(digit) => {
                if let Some(group) = groups.last_mut() {
                    group.digits.push(digit);
                    group.end = at + character.len_utf8();
                }
            }
            None if next.is_some() && (only_groups(character) || may_be_decimal(character)) => {
                groups.push(Group { mark: Some(character), digits: String::new(), end: at });
            }
            None => break,
        }
    }
    groups
}

/// Whether a separator only ever groups digits: spaces, apostrophes and the Arabic thousands separator.
fn only_groups(mark: char) -> bool {
    matches!(mark, ' ' | '\u{A0}' | '\u{2007}' | '\u{2009}' | '\u{202F}' | '\'' | '\u{2019}' | '\u{66C}')
}

/// Whether a separator can be a decimal mark: point and comma, also full-width, and the Arabic decimal separator.
fn may_be_decimal(mark: char) -> bool {
    matches!(mark, '.' | ',' | '\u{FF0E}' | '\u{FF0C}' | '\u{66B}')
}

/// How many of the groups form one number: a space separates two numbers as often as two groups.
fn leading_groups(groups: &[Group]) -> usize {
    let first = groups.first().map_or(0, |group| group.digits.len());
    let parts = |group: &Group| group.mark.is_some_and(only_groups);
    let ends = |(index, group): (usize, &Group)| {
        let mixed = index > 1 && groups[index - 1].mark != group.mark;
        parts(group) && (first > 3 || group.digits.len() != 3 || mixed)
    };
    groups.iter().enumerate().position(ends).unwrap_or(groups.len())
}

/// The index of the group after the decimal mark, or `Some(None)` without a decimal mark. Returns `None` if the
/// separators do not form a number, as in a date or a version.
fn decimal(groups: &[Group]) -> Option<Option<usize>> {
    let last = groups.len() - 1;
    let Some(mark) = groups[last].mark else { return Some(None) };
    let alone = groups[1..last].iter().all(|group| group.mark != Some(mark));
    let is_decimal = match last {
        _ if only_groups(mark) => false,
        _ if mark == '\u{66B}' => true,
        // A single separator before exactly three digits groups thousands, unless the digits before it can't be a
        // group.
        1 => groups[1].digits.len() != 3 || groups[0].digits.len() > 3 || groups[0].digits.starts_with('0'),
        _ => alone,
    };
    let whole = if is_decimal { last } else { groups.len() };
    has_valid_sizes(&groups[..whole]).then_some(is_decimal.then_some(last))
}

/// Whether the group sizes are ones that people write: thousands, Indian groups or ten thousands, with one separator
/// throughout.
fn has_valid_sizes(groups: &[Group]) -> bool {
    let (Some(first), [_, rest @ ..]) = (groups.first(), groups) else { return false };
    let Some((last, middle)) = rest.split_last() else { return true };
    let first = first.digits.len();
    let sizes = |size: usize, end: usize| {
        first <= size && middle.iter().all(|group| group.digits.len() == size) && last.digits.len() == end
    };
    rest.iter().all(|group| group.mark == last.mark) && (sizes(3, 3) || sizes(2, 3) || sizes(4, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_and_keep_their_format() {
        let half = |text: &str| Number::find(text).map(|number| number.fraction(0.5));
        for (text, expected) in [
            ("98 %", "49 %"),
            ("$1,250", "$625"),
            ("2.000.000", "1.000.000"),
            ("4.8/5", "2.4/5"),
            ("3,5 Mio.", "1,8 Mio."),
            ("+12k", "+6k"),
            ("0.125", "0.062"),
            ("-4 °C", "-2 °C"),
            ("1250.125 m", "625.062 m"),
            ("**98** %", "**49** %"),
            ("No. 008", "No. 004"),
        ] {
            assert_eq!(half(text).as_deref(), Some(expected), "{text}");
            assert_eq!(Number::find(text).map(|number| number.fraction(1.0)).as_deref(), Some(text));
        }
        assert_eq!(half("many"), None);
        assert_eq!(half("1234567890123456"), None);
    }

    /// Checks a part of a number, and that the whole number gives the original text.
    fn check(text: &str, part: f64, expected: &str) {
        let number = Number::find(text).unwrap_or_else(|| panic!("no number in {text}"));
        assert_eq!(number.fraction(part), expected, "{text}");
        assert_eq!(number.fraction(1.0), text);
    }

    #[test]
    fn digits_are_grouped_as_they_were_written() {
        check("1 250 000", 0.5, "625 000");
        check("10\u{202F}000\u{202F}000\u{A0}€", 0.5, "5\u{202F}000\u{202F}000\u{A0}€");
        check("CHF 1'250.50", 0.8, "CHF 1'000.40");
        check("1’250’000", 0.5, "625’000");
        check("₹12,34,567", 0.5, "₹6,17,284");
        check("₹1,00,000", 0.5, "₹50,000");
        check("1,2345,6780", 0.5, "6172,8390");
        check("1.250,5 kg", 0.8, "1.000,4 kg");
        check("1,250.5 kg", 0.8, "1,000.4 kg");
        check("1 250,125", 0.8, "1 000,100");
        check("1250,125", 0.8, "1000,100");
    }

    #[test]
    fn digits_of_every_script_are_counted() {
        check("٪٩٨", 0.5, "٪٤٩");
        check("١٬٢٥٠٫٥", 0.8, "١٬٠٠٠٫٤");
        check("۱۲۵٬۰۰۰ تومان", 0.5, "۶۲٬۵۰۰ تومان");
        check("१२,३४,५६८ लोग", 0.5, "६,१७,२८४ लोग");
        check("１，２５０円", 0.8, "１，０００円");
        check("๙๘%", 0.5, "๔๙%");
        check("෯෮", 0.5, "෪෯");
        check("႙႘", 0.5, "႔႙");
        // Digits of two scripts are two numbers.
        check("10٩", 0.5, "5٩");
    }

    #[test]
    fn text_beside_a_number_is_not_counted() {
        let at = |text: &str| Number::find(text).map(|number| number.fraction(0.5));
        assert_eq!(at("24 7").as_deref(), Some("12 7"));
        assert_eq!(at("2024 365 days").as_deref(), Some("1012 365 days"));
        assert_eq!(at("8 1000").as_deref(), Some("4 1000"));
        assert_eq!(at("2 000'000").as_deref(), Some("1 000'000"));
        assert_eq!(at("8, 9").as_deref(), Some("4, 9"));
        assert_eq!(at("8.").as_deref(), Some("4."));
        for text in ["12.05.2024", "v1.2.3", "192.168.0.1", "1,2,3", "1,25.5"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn a_negative_number_starts_at_zero_without_a_minus_sign() {
        let number = Number::find("-4 %").expect("a number");
        assert_eq!((number.fraction(0.0).as_str(), number.fraction(0.5).as_str()), ("0 %", "-2 %"));
        for (text, first) in [
            ("\u{2212}0.8", "0.0"),
            ("\u{2013}4 %", "0 %"),
            ("-$1,250", "$0"),
            ("$-1,250", "$0"),
            ("**-4** %", "**0** %"),
            ("\u{2066}-4\u{2069} %", "\u{2066}0\u{2069} %"),
            ("Loss: -€5", "Loss: €0"),
            ("(-5)", "(0)"),
            // These are not minus signs.
            ("Covid-19", "Covid-0"),
            ("Q1 - $5", "Q0 - $5"),
            ("Sales - 5", "Sales - 0"),
            ("± 5", "± 0"),
        ] {
            let number = Number::find(text).expect("a number");
            assert_eq!((number.fraction(0.0001).as_str(), number.fraction(1.0).as_str()), (first, text));
        }
    }
}
