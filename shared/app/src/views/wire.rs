//! Values of answers and webhooks as they are written on the wire, with their description.

use std::borrow::Cow;

use reelhook_domain::{JobId, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// A time: RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Timestamp);

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339 in UTC with milliseconds",
            "examples": ["2024-01-01T12:00:00.000Z"],
        })
    }
}

/// True: the member `success` of every answer that is no error, and flags that are left out where they would be false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Yes;

impl Serialize for Yes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl JsonSchema for Yes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Yes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": true })
    }
}

/// False: the member `success` of answers that report a message as ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct No;

impl Serialize for No {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(false)
    }
}

impl JsonSchema for No {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "No".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": false })
    }
}

/// The id of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct JobIdText(String);

impl From<&JobId> for JobIdText {
    fn from(id: &JobId) -> Self {
        Self(id.as_str().to_owned())
    }
}

impl JsonSchema for JobIdText {
    fn schema_name() -> Cow<'static, str> {
        "JobId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "`job_<unix ms>_<random>`, or a UUID for a video from scenes",
            "pattern": "^[A-Za-z0-9_.-]{1,80}$",
            "examples": ["job_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31"],
        })
    }
}

/// Describes the id of a render.
#[derive(Debug)]
pub struct RenderIdText;

impl JsonSchema for RenderIdText {
    fn schema_name() -> Cow<'static, str> {
        "RenderId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A render at Creatomate",
            "pattern": "^[A-Za-z0-9_.-]{1,128}$",
            "examples": ["0f7c3a52-9a1e-4b7e-8a55-6f1de0f5c111"],
        })
    }
}

/// Describes the caller's own data of a resource: names and texts.
#[derive(Debug)]
pub struct MetadataText;

impl JsonSchema for MetadataText {
    fn schema_name() -> Cow<'static, str> {
        "Metadata".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "The caller's own data: at most 50 members and 4 KiB",
            "propertyNames": { "pattern": "^[A-Za-z0-9_.-]{1,40}$" },
            "additionalProperties": { "type": "string", "maxLength": 500 },
            "maxProperties": 50,
            "examples": [{ "order": "1042" }],
        })
    }
}
