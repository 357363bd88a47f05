//! What all operations have in common: the document's head, credentials, headers, and the forms of errors and webhooks.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The introduction of the document.
const ABOUT: &str = include_str!("about.md");

/// The document's title, version and introduction.
pub fn info() -> Value {
    json!({
        "title": "Reelhook",
        "summary": "Video jobs with signed webhooks: the APIs of StreamGank and VidBuilder",
        "version": env!("CARGO_PKG_VERSION"),
        "description": ABOUT.trim_end(),
        "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
    })
}

/// An idempotency key.
#[derive(Debug)]
pub struct IdempotencyKey;

impl JsonSchema for IdempotencyKey {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IdempotencyKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$",
            "examples": ["2f1c7a5e-8a35-4c0e-9d6b-1c8f1ad0b9c4"],
        })
    }
}

/// An error that API Gateway itself answers with.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GatewayError {
    /// A sentence.
    message: String,
}

/// The names of an error's headers.
pub fn error_headers(status: u16) -> &'static [&'static str] {
    match status {
        401 => &["WWW-Authenticate"],
        405 => &["Allow"],
        415 => &["Accept-Encoding"],
        429 | 503 => &["Retry-After"],
        _ => &[],
    }
}

/// The headers of answers.
pub fn headers() -> Map<String, Value> {
    let text = |about: &str, example: &str| json!({ "description": about, "schema": { "type": "string", "examples": [example] } });
    let all = [
        ("ETag", text("The version, for If-None-Match and If-Match", "\"job_1704110400000_5f0c2b7e-21\"")),
        ("Retry-After", json!({ "description": "Seconds", "schema": { "type": "integer", "minimum": 0 } })),
        (
            "WWW-Authenticate",
            text(
                "`Basic` for programs, so that they can prompt for a user name and a password; `Bearer` for scripts of \
                 pages, so that no browser opens its own dialog",
                "Basic realm=\"reelhook\", charset=\"UTF-8\"",
            ),
        ),
        ("Allow", text("The supported methods", "GET, HEAD, OPTIONS")),
        ("Accept-Encoding", text("The supported content codings", "gzip, deflate")),
        (
            "Location",
            text("The address of the resource", "/api/webhooks/endpoints/ep_5f0c2b7e9d134a6688e1c07ab2d94f31"),
        ),
        ("Cache-Control", text("Whether and how long the answer may be stored", "no-store")),
        (
            "Set-Cookie",
            text(
                "The session: `HttpOnly`, `SameSite=Lax`, over https `Secure`. Of a stream, the cookie `seen`: for its \
                 path only, `HttpOnly`, `SameSite=Strict`, over https `Secure`",
                "__Host-reelhook_session=c1.1704153600.c2ln; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax",
            ),
        ),
    ];
    all.into_iter().map(|(name, header)| (name.to_owned(), header)).collect()
}

/// The groups of operations.
pub fn tags() -> Value {
    let tags = [
        ("jobs", "Submit, follow, retry and end jobs"),
        ("videos", "Videos that are specified scene by scene: VidBuilder's API"),
        ("projects", "Projects of scenes that start from each other's last frames, and become one video"),
        ("clips", "Clips that are cut out of longer videos"),
        ("credits", "What clips cost"),
        ("live", "Server-sent events"),
        ("queue", "All jobs, and the switch that stops and starts them"),
        ("renders", "Renders at Creatomate"),
        ("logs", "The logs of jobs"),
        ("catalogue", "Films and series, and the platforms that show them"),
        (
            "callbacks",
            "Calls of workers, of Creatomate, of services that make tasks of projects and of the clipping worker",
        ),
        ("webhooks", "Endpoints, deliveries and recoveries"),
        ("errors", "Errors that people see and act on"),
        ("service", "The API itself"),
        ("pages", "Pages for browsers"),
    ];
    json!(tags.map(|(name, about)| json!({ "name": name, "description": about })))
}

/// The credentials.
pub fn security_schemes() -> Value {
    let http = |scheme: &str, about: &str| json!({ "type": "http", "scheme": scheme, "description": about });
    let key = |place: &str, name: &str, about: &str| json!({ "type": "apiKey", "in": place, "name": name, "description": about });
    json!({
        "bearer": http("bearer", "An API key of an operator, or the JWT of an owner"),
        "basic": http("basic", "API_USERNAME and API_PASSWORD, or any user name with an API key as password"),
        "apiKey": key("header", "X-API-Key", "An API key"),
        "session": key(
            "cookie",
            "__Host-reelhook_session",
            "From POST /login, for pages: 12 hours, and no longer than the key is valid. Over plain http it is named \
             `reelhook_session`",
        ),
        "streamToken": key("query", "token", "From POST /api/stream-token, for EventSource"),
        "streamgankSignature": key(
            "header",
            "X-StreamGank-Signature",
            "`sha256=<hex HMAC-SHA256 of the raw body>`, made with STEP_WEBHOOK_SECRET",
        ),
        "webhookSignature": key(
            "header",
            "X-Webhook-Signature",
            "The same signature under another name; bare hex is accepted as well",
        ),
        "standardWebhooks": key(
            "header",
            "webhook-signature",
            "Standard Webhooks, with `webhook-id` and `webhook-timestamp`; made with STEP_WEBHOOK_SECRET",
        ),
        "linkToken": key(
            "query",
            "token",
            "A signed link to a video or a track, valid for 7 days: `s3Upload.*.signedUrl`, `url` of a track. It counts \
             for no limit",
        ),
    })
}

/// The headers of a webhook: of Standard Webhooks, of every request, and of the StreamGank envelope alone.
pub fn webhook_headers() -> Value {
    let header = |name: &str, required: bool, about: &str, schema: Value| json!({ "name": name, "in": "header", "required": required, "description": about, "schema": schema });
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    json!([
        header("webhook-id", true, "The same for all attempts of a delivery", text("^msg_[0-9a-f]{32}$")),
        header("webhook-timestamp", true, "Unix seconds of this attempt", text("^[0-9]+$")),
        header(
            "webhook-signature",
            false,
            "`v1,<base64>` over `{id}.{timestamp}.{body}`, several separated by spaces while secrets rotate, and \
             `v1a,<base64>` (ed25519) if the endpoint has it; absent without a secret",
            json!({ "type": "string" }),
        ),
        header(
            "webhook-sequence",
            false,
            "Rises with each event of a job or an endpoint; absent if there is no such order. Not signed",
            text("^[0-9]+$"),
        ),
        header(
            "webhook-replay",
            false,
            "Sent again after the delivery had ended. Not signed",
            json!({ "const": "true" })
        ),
        header(
            "traceparent",
            false,
            "W3C Trace Context: the trace of the request that created the job, or else one of the job's own. Not signed",
            text("^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"),
        ),
        header(
            "User-Agent",
            true,
            "`Reelhook/<version>`; with StreamGank's envelope `StreamGank-Webhook/1.0`",
            json!({ "type": "string", "examples": ["Reelhook/1.0.0"] }),
        ),
        header("X-StreamGank-Event", false, "StreamGank's envelope only: its `event`", json!({ "type": "string" })),
        header(
            "X-StreamGank-Delivery",
            false,
            "StreamGank's envelope only: the same for all attempts of a delivery",
            json!({ "type": "string", "format": "uuid" }),
        ),
        header(
            "X-StreamGank-Signature",
            false,
            "StreamGank's envelope only: HMAC-SHA256 of the exact body, made with the newest secret",
            text("^sha256=[0-9a-f]{64}$"),
        ),
    ])
}
