//! The data of a webhook event: written once as webhooks contain it, so that an attempt sends text and parses nothing.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use reelhook_signing::js_json;
use serde_json::Value;
use serde_json::value::RawValue;

/// The `data` member of an event's webhooks: a text, and the value that it stands for where one is needed.
#[derive(Clone)]
pub struct EventData {
    text: Box<str>,
    /// Whether the text is what webhooks contain; the text of an event of version 0.2 must be written anew.
    exact: bool,
    value: OnceLock<Value>,
}

impl EventData {
    /// The data that a row contains; `exact` as the row has it.
    pub(super) fn stored(text: Box<RawValue>, exact: bool) -> Self {
        Self { text: text.into(), exact, value: OnceLock::new() }
    }

    /// The text for a row, and whether it is exact.
    pub(super) fn to_stored(&self) -> (&str, bool) {
        (&self.text, self.exact)
    }

    /// The text that webhooks contain, as JavaScript writes it.
    pub fn text(&self) -> Cow<'_, str> {
        if self.exact { Cow::Borrowed(&*self.text) } else { Cow::Owned(js_json::to_string(self)) }
    }

    /// The value.
    pub fn into_value(self) -> Value {
        match self.value.into_inner() {
            Some(value) => value,
            None => parse(&self.text),
        }
    }
}

impl From<Value> for EventData {
    fn from(value: Value) -> Self {
        Self { text: js_json::to_string(&value).into(), exact: true, value: OnceLock::new() }
    }
}

impl Deref for EventData {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.value.get_or_init(|| parse(&self.text))
    }
}

impl PartialEq for EventData {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl PartialEq<Value> for EventData {
    fn eq(&self, other: &Value) -> bool {
        **self == *other
    }
}

impl fmt::Display for EventData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for EventData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("the text was read as JSON or written by us")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn new_data_is_the_text_of_webhooks_and_old_data_becomes_it() {
        let value = json!({ "b": 1.50, "1": "é", "a": [true, null] });
        let expected = r#"{"1":"é","b":1.5,"a":[true,null]}"#;
        let new = EventData::from(value.clone());
        assert_eq!((new.text(), new.to_stored()), (expected.into(), (expected, true)));
        let text = r#"{ "b": 1.50, "1": "\u00e9", "a": [true, null] }"#;
        let old = EventData::stored(RawValue::from_string(text.to_owned()).unwrap(), false);
        assert_eq!((old.text(), old.to_stored()), (expected.into(), (text, false)));
        assert_eq!((&old, old.clone().into_value()), (&new, value));
    }
}
