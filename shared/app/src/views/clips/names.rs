//! Describes the ids and the status of clip jobs.

use std::borrow::Cow;

use reelhook_domain::ClipStatus;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Describes the id of a clip job.
#[derive(Debug)]
pub struct ClipJobIdText;

impl JsonSchema for ClipJobIdText {
    fn schema_name() -> Cow<'static, str> {
        "ClipJobId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "uuid",
            "description": "A UUID",
            "examples": ["550e8400-e29b-41d4-a716-446655440000"],
        })
    }
}

/// Describes the status of a clip job.
#[derive(Debug)]
pub struct ClipStatusText;

impl JsonSchema for ClipStatusText {
    fn schema_name() -> Cow<'static, str> {
        "ClipStatus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "`queued`: it waits for the worker or for a renderer; `succeeded`: it ended, perhaps without clips",
            "enum": ClipStatus::ALL.iter().map(|status| status.name()).collect::<Vec<_>>(),
        })
    }
}
