//! Metadata in requests: the member `metadata` of what creates or changes something, and the filter of lists by it.
//!
//! Jobs, videos, endpoints and recoveries have metadata. An upload is only a link to an object, a test of an endpoint sends
//! a fixed event, and the `data` of a triggered event is free already, so these three have none.

use std::borrow::Cow;
use std::fmt;

use reelhook_app::views::wire::MetadataText;
use reelhook_domain::{InvalidMetadata, Metadata};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::typed::json;

/// The metadata of something new, within its limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetadataField(pub Metadata);

impl<'de> Deserialize<'de> for MetadataField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = deserializer.deserialize_map(Members { null_removes: false })?;
        Metadata::parse(&members).map(Self).map_err(|invalid| D::Error::custom(invalid.right))
    }
}

impl JsonSchema for MetadataField {
    fn schema_name() -> Cow<'static, str> {
        MetadataText::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        MetadataText::json_schema(generator)
    }
}

/// A change of metadata (RFC 7396): null removes a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataChanges(Value);

impl MetadataChanges {
    /// The metadata after the change.
    ///
    /// # Errors
    /// [`InvalidMetadata`] if it exceeds the limits.
    pub(crate) fn apply(&self, known: &Metadata) -> Result<Metadata, InvalidMetadata> {
        known.merged(&self.0)
    }
}

impl<'de> Deserialize<'de> for MetadataChanges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members { null_removes: true }).map(Self)
    }
}

impl JsonSchema for MetadataChanges {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MetadataChanges".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9_.-]{1,40}$" },
            "additionalProperties": { "type": ["string", "null"], "maxLength": 500 },
        })
    }
}

/// Reads an object whose members are checked one by one, so that an error names the member.
#[derive(Clone, Copy)]
struct Members {
    null_removes: bool,
}

impl<'de> Visitor<'de> for Members {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with texts as values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Member { name: &name, null_removes: self.null_removes })?;
            read.insert(name, value);
        }
        Ok(Value::Object(read))
    }
}

/// Reads the value of a member.
struct Member<'a> {
    name: &'a str,
    null_removes: bool,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if !(self.null_removes && value.is_null()) {
            let alone = json!({ self.name: value });
            Metadata::parse(&alone).map_err(|invalid| D::Error::custom(invalid.right))?;
        }
        Ok(value)
    }
}

/// The field `metadata` of a form, which is JSON as text; none if the field is blank or null.
///
/// # Errors
/// `bad_field`.
pub(crate) fn of_form(text: &str) -> Result<Option<MetadataField>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let right = |error: serde_json::Error| format!("an object as JSON ({error})");
    let given = json::parse(text.as_bytes()).map_err(|error| bad("metadata", right(error)))?;
    if given.is_null() { Ok(None) } else { Ok(Some(MetadataField(Metadata::parse(&given)?))) }
}

/// The query parameters `metadata.NAME=VALUE` of a list, which shows what has all of these members.
///
/// # Errors
/// `bad_field`.
pub(crate) fn filter(request: &ApiRequest) -> Result<Vec<(String, String)>, Problem> {
    let members = request.queries().filter_map(|(name, value)| Some((name.strip_prefix("metadata.")?, value)));
    let read = |(name, value): (&str, &str)| -> Result<(String, String), Problem> {
        Metadata::check(name, value)?;
        Ok((name.to_owned(), value.to_owned()))
    };
    members.map(read).collect()
}

impl From<InvalidMetadata> for Problem {
    fn from(invalid: InvalidMetadata) -> Self {
        bad(invalid.path, invalid.right)
    }
}
