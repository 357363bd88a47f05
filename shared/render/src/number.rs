//! A number within a text such as `98 %`, `$1,250.50` or `4.9/5`, which can be shown on its way up from zero.

/// A text around its first number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    before: String,
    after: String,
    whole: String,
    value: f64,
    decimals: usize,
    point: char,
    /// What stands between thousands.
    group: Option<char>,
}

impl Number {
    /// The first number of a text; none when it has none, or one too long to count.
    pub fn find(text: &str) -> Option<Self> {
        let text = crate::spans::clean(text).replace("**", "");
        let start = text.find(|character: char| character.is_ascii_digit())?;
        let length = text[start..]
            .find(|character: char| {
                !(character.is_ascii_digit() || matches!(character, '.' | ',' | '\'' | '\u{a0}' | '\u{202f}'))
            })
            .unwrap_or(text.len() - start);
        let number = text[start..start + length].trim_end_matches(|character: char| !character.is_ascii_digit());
        let digits = number.chars().filter(char::is_ascii_digit).count();
        if digits > 12 {
            return None;
        }
        let last = number.rfind(['.', ',']);
        // A single mark before exactly three digits parts thousands, unless a zero stands before it.
        let decimal = last.filter(|at| {
            let behind = number.len() - at - 1;
            let same = number.matches(&number[*at..at + 1]).count();
            same == 1 && (behind != 3 || number.starts_with('0'))
        });
        let plain: String = match decimal {
            Some(at) => format!("{}.{}", digits_of(&number[..at]), digits_of(&number[at..])),
            None => digits_of(number),
        };
        let whole_part = decimal.map_or(number, |at| &number[..at]);
        Some(Self {
            before: text[..start].to_owned(),
            after: text[start + number.len()..].to_owned(),
            whole: text.clone(),
            value: plain.parse().ok()?,
            decimals: decimal.map_or(0, |at| number.len() - at - 1),
            point: decimal.and_then(|at| number[at..].chars().next()).unwrap_or('.'),
            group: whole_part.chars().find(|character| !character.is_ascii_digit()),
        })
    }

    /// The text with a part of its number, 0 to 1; at 1 it is as it was written.
    pub fn at(&self, part: f64) -> String {
        if part >= 1.0 {
            return self.whole.clone();
        }
        let shown = format!("{:.*}", self.decimals, self.value * part);
        let (whole, decimals) = shown.split_once('.').unwrap_or((&shown, ""));
        let mut grouped = String::new();
        for (index, digit) in whole.chars().enumerate() {
            if let Some(group) = self.group.filter(|_| index > 0 && (whole.len() - index).is_multiple_of(3)) {
                grouped.push(group);
            }
            grouped.push(digit);
        }
        if !decimals.is_empty() {
            grouped.push(self.point);
            grouped.push_str(decimals);
        }
        format!("{}{grouped}{}", self.before, self.after)
    }
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_and_written_as_they_were() {
        let half = |text: &str| Number::find(text).map(|number| number.at(0.5));
        for (text, expected) in [
            ("98 %", "49 %"),
            ("$1,250", "$625"),
            ("2.000.000", "1.000.000"),
            ("4.8/5", "2.4/5"),
            ("3,5 Mio.", "1,8 Mio."),
            ("+12k", "+6k"),
            ("0.125", "0.062"),
        ] {
            assert_eq!(half(text).as_deref(), Some(expected), "{text}");
            assert_eq!(Number::find(text).map(|number| number.at(1.0)).as_deref(), Some(text));
        }
        assert_eq!(half("many"), None);
        assert_eq!(half("1234567890123456"), None);
    }
}
