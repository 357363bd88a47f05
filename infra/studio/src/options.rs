//! Options in an ordinary string field: `studio:fail=3&error=network%20down`.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Options by name, as in the body of a control request.
pub(crate) type Options = Map<String, Value>;

/// The types of the options; all others are numbers.
pub(crate) struct OptionKinds {
    /// Booleans, true without a value.
    pub flags: &'static [&'static str],
    /// Strings.
    pub texts: &'static [&'static str],
    /// Lists of numbers, separated by commas.
    pub lists: &'static [&'static str],
}

/// Parses the options in a string; there are none if it does not begin with `studio:`.
///
/// # Errors
/// Names the option whose value is not a number.
pub(crate) fn parse_text(text: &str, kinds: &OptionKinds) -> Result<Options, String> {
    let Some(query) = text.strip_prefix("studio:") else {
        return Ok(Options::new());
    };
    let query = query.trim_start_matches('?').replace('#', "%23");
    let url = reqwest::Url::parse(&format!("studio:?{query}")).map_err(|error| error.to_string())?;
    let mut options = Options::new();
    for (name, text) in url.query_pairs() {
        let value = if kinds.texts.contains(&name.as_ref()) {
            Value::from(text.as_ref())
        } else if kinds.flags.contains(&name.as_ref()) {
            Value::from(!matches!(text.as_ref(), "0" | "false" | "no"))
        } else if kinds.lists.contains(&name.as_ref()) {
            text.split(',').map(|part| number(&name, part)).collect::<Result<_, _>>()?
        } else {
            number(&name, &text)?
        };
        options.insert(name.into_owned(), value);
    }
    Ok(options)
}

fn number(name: &str, text: &str) -> Result<Value, String> {
    text.trim().parse::<u64>().map(Value::from).map_err(|_| format!("option `{name}` must be a number (got `{text}`)"))
}

/// The settings for all requests, overridden by the options of one request.
pub(crate) fn merged(settings: &Options, own: Options) -> Options {
    let mut options = settings.clone();
    options.extend(own);
    options
}

/// Converts options into their typed form.
///
/// # Errors
/// Names the unknown option or the wrong type.
pub(crate) fn typed<T: DeserializeOwned>(options: Options) -> Result<T, String> {
    serde_json::from_value(Value::Object(options)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KINDS: OptionKinds = OptionKinds { flags: &["garbage"], texts: &["error"], lists: &["late"] };

    fn check(text: &str, expected: Value) {
        assert_eq!(Value::Object(parse_text(text, &KINDS).unwrap()), expected, "{text}");
    }

    #[test]
    fn a_text_becomes_options() {
        check("auto", json!({}));
        check("studio:", json!({}));
        check("studio:fail=3&error=network%20down", json!({"fail": 3, "error": "network down"}));
        check("studio:error=a b+c#d", json!({"error": "a b c#d"}));
        check("studio:garbage&late=2,5", json!({"garbage": true, "late": [2, 5]}));
        check("studio:?garbage=0", json!({"garbage": false}));
        check("studio:error=404", json!({"error": "404"}));
    }

    #[test]
    fn a_wrong_number_is_named() {
        assert_eq!(
            parse_text("studio:fail=three", &KINDS).unwrap_err(),
            "option `fail` must be a number (got `three`)"
        );
    }
}
