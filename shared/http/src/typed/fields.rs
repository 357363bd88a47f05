//! The types of fields: each reads leniently within its bounds, says what would be right, and describes itself.

mod parsed;

use std::borrow::Cow;
use std::fmt::Debug;

use reelhook_domain::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use self::parsed::{FieldValue, Integer, LenientText, Parsed, QueryTime, WebUrlText, with_cursor};
use crate::typed::deserializer::JsonReader;
use crate::typed::numbers::{decimal, whole};
use crate::typed::times;

/// A field of a change (RFC 7396): absent leaves the value as it is, null resets it to its default. Its field needs
/// `#[serde(default)]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// The field is absent.
    #[default]
    Absent,
    /// The field is null.
    Null,
    /// The new value.
    Value(T),
}

impl<T> Patch<T> {
    /// The value; none if it is absent or null.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// What is to change: none if absent, else the new value or none for the default.
    pub fn change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }
}

impl<T> From<Option<T>> for Patch<T> {
    /// None is absent.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

/// A text of at most `MOST` characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<const MOST: usize>(String);

impl<const MOST: usize> Text<MOST> {
    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }

    /// The text without white space around it; none if nothing is left.
    pub fn filled(self) -> Option<String> {
        let text = self.0.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl<const MOST: usize> std::ops::Deref for Text<MOST> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de, const MOST: usize> Deserialize<'de> for Text<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(
            deserializer,
            || format!("a text of at most {MOST} characters"),
            |value| match value {
                Value::String(text) if text.chars().count() <= MOST => Some(Self(text)),
                _ => None,
            },
        )
    }
}

impl<const MOST: usize> JsonSchema for Text<MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Text{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MOST })
    }
}

/// A text that is shortened to `MOST` characters: the sender of a callback does not retry. A value of another type
/// counts as absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shortened<const MOST: usize>(pub Option<String>);

impl<'de, const MOST: usize> Deserialize<'de> for Shortened<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(value.as_str().map(|text| text.chars().take(MOST).collect())))
    }
}

impl<const MOST: usize> JsonSchema for Shortened<MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Shortened{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "null"] })
    }
}

/// `true` or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, || "true or false".to_owned(), |value| value.as_bool().map(Self))
    }
}

impl JsonSchema for Flag {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Flag".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

/// A whole number from `LEAST` to `MOST`, in any spelling: 3, 3.0, 3e0 or "3".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whole<const LEAST: i64, const MOST: i64>(i64);

impl<const LEAST: i64, const MOST: i64> Whole<LEAST, MOST> {
    /// The number as another type of integer, which must have room for `LEAST` to `MOST`.
    pub fn get<N: TryFrom<i64, Error: Debug>>(self) -> N {
        N::try_from(self.0).expect("the type has room for the bounds")
    }
}

impl<'de, const LEAST: i64, const MOST: i64> Deserialize<'de> for Whole<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let right = || format!("a whole number from {LEAST} to {MOST}");
        read(deserializer, right, |value| whole(&value).filter(|one| (LEAST..=MOST).contains(one)).map(Self))
    }
}

impl<const LEAST: i64, const MOST: i64> JsonSchema for Whole<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Whole{LEAST}To{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": LEAST, "maximum": MOST })
    }
}

/// A number, or a text that is a number; finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decimal(pub f64);

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, || "a number".to_owned(), |value| decimal(&value).map(Self))
    }
}

impl JsonSchema for Decimal {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}

/// A time: RFC 3339 with its zone, or Unix seconds or milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, || times::RIGHT.to_owned(), |value| times::of_json(&value).map(Self))
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "TimeGiven".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A time from 2000 to 2099: RFC 3339 with its zone, or Unix seconds or milliseconds",
            "anyOf": [
                { "type": "string", "format": "date-time" },
                { "type": "number", "minimum": 946_684_800_u64, "exclusiveMaximum": 4_102_444_800_000_u64 },
            ],
            "examples": ["2024-01-31T12:00:00Z"],
        })
    }
}

/// Reads a value that `parse` accepts; `right` says what would be right.
fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    right: impl FnOnce() -> String,
    parse: impl FnOnce(Value) -> Option<T>,
) -> Result<T, D::Error> {
    parse(Value::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(right()))
}

/// A null or blank text counts as absent, for `#[serde(default, deserialize_with = "blank_is_absent")]`.
///
/// # Errors
/// Those of `T`.
pub fn blank_is_absent<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let is_blank = match &value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    };
    if is_blank {
        return Ok(None);
    }
    T::deserialize(JsonReader::new(&value)).map(Some).map_err(|error| D::Error::custom(error.right()))
}
