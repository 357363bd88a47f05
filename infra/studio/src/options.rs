//! Options written into an ordinary text field: `studio:fail=3&error=network%20down`.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Option name to value, as in a control request's body.
pub(crate) type Options = Map<String, Value>;

/// How an option's text becomes a value; a number where nothing else is said.
pub(crate) struct Kinds {
    /// True where the value is left out.
    pub flags: &'static [&'static str],
    pub texts: &'static [&'static str],
    /// Numbers separated by commas.
    pub lists: &'static [&'static str],
}

/// The options in this text; none where it is not a `studio:` text.
///
/// # Errors
/// A sentence that names the option whose value is no number.
pub(crate) fn in_text(text: &str, kinds: &Kinds) -> Result<Options, String> {
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
    text.trim().parse::<u64>().map(Value::from).map_err(|_| format!("option `{name}` takes a number, not `{text}`"))
}

/// Settings for everything, overridden by what one request asked for.
pub(crate) fn merged(settings: &Options, own: Options) -> Options {
    let mut options = settings.clone();
    options.extend(own);
    options
}

/// The typed form of these options.
///
/// # Errors
/// A sentence that names the unknown option or the wrong type.
pub(crate) fn typed<T: DeserializeOwned>(options: Options) -> Result<T, String> {
    serde_json::from_value(Value::Object(options)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KINDS: Kinds = Kinds { flags: &["garbage"], texts: &["error"], lists: &["late"] };

    fn check(text: &str, expected: Value) {
        assert_eq!(Value::Object(in_text(text, &KINDS).unwrap()), expected, "{text}");
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
        assert_eq!(in_text("studio:fail=three", &KINDS).unwrap_err(), "option `fail` takes a number, not `three`");
    }
}
