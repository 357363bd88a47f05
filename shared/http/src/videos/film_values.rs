//! Reads values of a film specification: one rule each for texts, words, numbers and flags. An empty value counts as
//! missing.

use reelhook_domain::videos::coverage::is_blank;
use serde_json::Value;

use crate::problem::{Problem, bad};
use crate::videos::film_names as names;
use crate::videos::film_numbers::written;

/// The maximum length of a text, in characters.
pub(crate) const TEXT_LIMIT: usize = 2000;
/// The largest whole number up to which a 64-bit float is exact.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_991.0;

/// The problem for a wrong value at `path`.
pub(crate) fn wrong(path: &str, right: impl Into<String>) -> Problem {
    bad(path.to_owned(), right.into())
}

/// Whether a value is empty: null, a text without a visible character, or a list or an object of empty values.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => is_blank(text),
        Value::Array(list) => list.iter().all(is_empty),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The first of these members that is not empty.
pub(crate) fn first<'a>(value: &'a Value, names: &[&'static str]) -> Option<(&'static str, &'a Value)> {
    names.iter().find_map(|name| Some((*name, value.get(*name).filter(|member| !is_empty(member))?)))
}

/// A value as text, which is empty if the value is: a text, a number as people write it, or an object with one of them
/// as its `text`. `true` and `false` have no text for the screen.
///
/// # Errors
/// [`Problem`] for another type, or a text that is too long.
pub(crate) fn text(path: &str, value: &Value) -> Result<String, Problem> {
    match value {
        empty if is_empty(empty) => Ok(String::new()),
        Value::String(text) if text.chars().nth(TEXT_LIMIT).is_some() => {
            Err(wrong(path, format!("a text of at most {TEXT_LIMIT} characters")))
        }
        Value::String(text) => Ok(text.trim().replace("\r\n", "\n").replace('\r', "\n")),
        Value::Number(number) => Ok(written(number)),
        Value::Object(object) => match object.get("text") {
            Some(inner @ (Value::String(_) | Value::Number(_) | Value::Null)) => text(path, inner),
            Some(_) | None => Err(wrong(path, RIGHT_TEXT)),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) => Err(wrong(path, RIGHT_TEXT)),
    }
}

const RIGHT_TEXT: &str = "a text or a number";

/// The first of these members that is not empty, as text, with its name.
///
/// # Errors
/// As [`text`].
pub(crate) fn first_text(
    value: &Value,
    path: &str,
    names: &[&'static str],
) -> Result<Option<(&'static str, String)>, Problem> {
    for name in names {
        let text = text(&at(path, name), value.get(*name).unwrap_or(&Value::Null))?;
        if !text.is_empty() {
            return Ok(Some((*name, text)));
        }
    }
    Ok(None)
}

/// The path of a member.
pub(crate) fn at(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A word: a text or a number, alone or as `type` or `name` of an object.
pub(crate) fn word(value: &Value) -> Option<String> {
    match value {
        Value::Object(_) => first(value, names::WORD).and_then(|(_, word)| plain_word(word)),
        _ => plain_word(value),
    }
}

fn plain_word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !is_blank(text)),
        Value::Number(number) => Some(written(number)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number, or a text that is a number.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A whole number from 0 up, which may be written as `4.0` or as a text.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    let number = number(value)?;
    (number.fract() == 0.0 && (0.0..=LARGEST_WHOLE).contains(&number)).then_some(number as u64)
}

/// True or false, which may be a text.
pub(crate) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A member that is a number within bounds; none if it is empty.
///
/// # Errors
/// [`Problem`] names the bounds.
pub(crate) fn bounded(
    value: &Value,
    path: &str,
    name: &str,
    (least, most): (f64, f64),
) -> Result<Option<f64>, Problem> {
    match &value[name] {
        empty if is_empty(empty) => Ok(None),
        given => match number(given).filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(&at(path, name), format!("a number from {least} to {most}"))),
        },
    }
}

/// A member that is true or false; none if it is empty.
///
/// # Errors
/// [`Problem`] for anything else.
pub(crate) fn yes_or_no(value: &Value, path: &str, name: &str) -> Result<Option<bool>, Problem> {
    match &value[name] {
        empty if is_empty(empty) => Ok(None),
        given => flag(given).map(Some).ok_or_else(|| wrong(&at(path, name), "true or false")),
    }
}
