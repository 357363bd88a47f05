//! The API itself: its health, its description, and the test route of the original.

use std::borrow::Cow;

use reelhook_http::answer::service::{Health, TestAnswer};
use reelhook_http::metrics::{MetricsAnswer, MetricsQuery};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::jobs::{SAME_VERSION, TAGGED, VERSIONS};
use crate::operation::{Access, Operation, operation};

/// The operations about the API itself.
pub fn operations() -> Vec<Operation> {
    vec![
        health("GET /health", "getHealth"),
        health("GET /api/health", "getApiHealth"),
        operation("service", "GET /api/test", "getTest", "Call the test route, which is disabled as in the original")
            .stateless()
            .answer::<TestAnswer>(200, "The route is disabled"),
        operation("service", "GET /api/v1/metrics", "getMetrics", "Get the numbers of the dashboard")
            .about(
                "What callers feel first, then queues, streams and renderers, then receivers, then money; docs/metrics.md \
                 describes each metric. CloudWatch has them a minute or two after what they measure.",
            )
            .query::<MetricsQuery>()
            .answer::<MetricsAnswer>(200, "The numbers"),
        operation("service", "GET /openapi.json", "getOpenApi", "Get this document")
            .access(Access::Open)
            .stateless()
            .header::<String>("If-None-Match", VERSIONS)
            .answer_with::<Document>(200, "The document, in OpenAPI 3.1", "application/json", TAGGED)
            .empty_answer(304, SAME_VERSION, TAGGED),
    ]
}

fn health(route: &'static str, id: &'static str) -> Operation {
    operation("service", route, id, "Get the health of the API")
        .access(Access::Open)
        .stateless()
        .answer::<Health>(200, "The API is healthy")
}

/// A description of an API.
struct Document;

impl JsonSchema for Document {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Document".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "required": ["openapi", "info", "paths"],
            "properties": {
                "openapi": { "type": "string" },
                "info": { "type": "object" },
                "servers": { "type": "array", "items": { "type": "object" } },
                "security": { "type": "array", "items": { "type": "object" } },
                "tags": { "type": "array", "items": { "type": "object" } },
                "paths": { "type": "object" },
                "webhooks": { "type": "object" },
                "components": { "type": "object" },
            },
        })
    }
}
