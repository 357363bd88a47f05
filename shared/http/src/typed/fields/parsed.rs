//! Fields that hold values of the domain, texts of callbacks, and the parameters that lists have in common.

use std::borrow::Cow;

use reelhook_app::views::wire::JobIdText;
use reelhook_domain::{JobId, Timestamp, WebUrl};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::read;
use crate::typed::numbers::whole;
use crate::typed::times;

/// A text that the domain parses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T>(pub T);

/// A value of the domain that a field can hold.
pub trait FieldValue: Sized {
    /// Describes the value.
    type Described: JsonSchema;
    /// What would be right.
    const RIGHT: &'static str;

    /// Reads the text of a field.
    fn of_text(text: &str) -> Option<Self>;
}

impl<'de, T: FieldValue> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, || T::RIGHT.to_owned(), |value| T::of_text(value.as_str()?).map(Self))
    }
}

impl<T: FieldValue> JsonSchema for Parsed<T> {
    fn inline_schema() -> bool {
        T::Described::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::Described::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::Described::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::Described::json_schema(generator)
    }
}

impl FieldValue for JobId {
    type Described = JobIdText;
    const RIGHT: &'static str = "the id of a job";

    fn of_text(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl FieldValue for WebUrl {
    type Described = WebUrlText;
    const RIGHT: &'static str = "an http or https URL of at most 2,048 bytes";

    fn of_text(text: &str) -> Option<Self> {
        Self::parse(text.trim())
    }
}

/// Describes a URL.
#[derive(Debug)]
pub struct WebUrlText;

impl JsonSchema for WebUrlText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "WebUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uri", "pattern": "^https?://\\S+$", "maxLength": WebUrl::LIMIT })
    }
}

/// A text of a callback. A value of another type counts as absent, because the sender does not retry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LenientText(pub Option<String>);

impl LenientText {
    /// The text.
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The text; none if it is empty.
    pub fn filled(&self) -> Option<&str> {
        self.text().filter(|text| !text.is_empty())
    }
}

impl<'de> Deserialize<'de> for LenientText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Value::String(text) = Value::deserialize(deserializer)? else { return Ok(Self(None)) };
        Ok(Self(Some(text)))
    }
}

impl JsonSchema for LenientText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "LenientText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "null"] })
    }
}

/// A whole number of 64 bits, in any spelling: 3, 3.0, 3e0 or "3".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer(pub i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, || "a whole number".to_owned(), |value| whole(&value).map(Self))
    }
}

impl JsonSchema for Integer {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Integer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer" })
    }
}

/// A time in a query, in which an unencoded `+` of a zone arrives as a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryTime(pub Timestamp);

impl<'de> Deserialize<'de> for QueryTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let right = || times::RIGHT.to_owned();
        read(deserializer, right, |value| times::read_query(value.as_str()?).map(Self))
    }
}

impl JsonSchema for QueryTime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "QueryTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["2024-01-31T12:00:00Z"] })
    }
}

/// Describes the parameter `cursor` of a list, beside the fields of a type. [`crate::request::ApiRequest::cursor`]
/// reads it: an empty one is an error, while other empty parameters count as absent.
pub fn with_cursor(schema: &mut Schema) {
    let cursor =
        json!({ "type": "string", "maxLength": 2048, "description": "The `nextCursor` of the previous answer" });
    schema.ensure_object().entry("properties").or_insert_with(|| json!({}))["cursor"] = cursor;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::typed;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[schemars(transform = with_cursor)]
    struct Body {
        job: Option<Parsed<JobId>>,
        url: Option<Parsed<WebUrl>>,
        #[serde(default)]
        note: LenientText,
        number: Option<Integer>,
        at: Option<QueryTime>,
    }

    #[test]
    fn values_of_the_domain_are_read() {
        let body = json!({
            "job": "job_1", "url": " https://a.example/ ", "note": "", "number": "-3.0",
            "at": "2024-01-01T14:00:00 02:00",
        });
        let body: Body = typed::read(&body).unwrap();
        assert_eq!(body.job.map(|Parsed(id)| id), JobId::parse("job_1").ok());
        assert_eq!(body.url.map(|Parsed(url)| url), WebUrl::parse("https://a.example/"));
        assert_eq!((body.note.text(), body.note.filled()), (Some(""), None));
        assert_eq!(body.number, Some(Integer(-3)));
        assert_eq!(body.at, Some(QueryTime(Timestamp(1_704_110_400_000))));
        let body: Body = typed::read(&json!({ "note": { "text": "a" } })).unwrap();
        assert_eq!((body.note.text(), body.number), (None, None));
    }

    #[test]
    fn what_the_domain_refuses_is_named() {
        for (name, value, right) in [
            ("job", json!("a/b"), "the id of a job"),
            ("job", json!(1), "the id of a job"),
            ("url", json!("ftp://a.example/"), "an http or https URL of at most 2,048 bytes"),
            ("number", json!(1.5), "a whole number"),
            ("at", json!(1_704_110_400), times::RIGHT),
        ] {
            let problem = typed::read::<Body>(&json!({ name: value })).unwrap_err();
            assert_eq!((problem.path(), problem.parts().2), (Some(name), format!("`{name}` must be {right}")));
        }
    }

    #[test]
    fn a_list_describes_its_cursor_beside_its_fields() {
        let schema = schemars::schema_for!(Body);
        let properties = &schema.as_value()["properties"];
        assert_eq!(properties["cursor"]["maxLength"], 2048);
        assert_eq!(properties["number"], json!({ "type": ["integer", "null"] }));
        assert_eq!(properties["url"]["pattern"], "^https?://\\S+$");
    }
}
