//! Callbacks: requests that Reelhook sends to a URL that a request names.

use serde_json::{Map, Value, json};

use crate::operation::Callback;

/// The callbacks of an operation. `content` makes the schema and the example of a callback's body.
pub(crate) fn describe(callbacks: &[Callback], mut content: impl FnMut(&Callback) -> Value) -> Value {
    let described = callbacks.iter().map(|callback| {
        let operation = json!({
            "operationId": callback.id,
            "summary": callback.summary,
            "description": callback.about,
            "security": [],
            "parameters": headers(callback.name),
            "requestBody": { "required": true, "content": { "application/json": content(callback) } },
            "responses": {
                "2XX": { "description": "The notification was accepted; the body does not matter" },
                "410": { "description": "The receiver wants no more notifications: the URL gets none" },
                "default": { "description": "The notification is sent again" },
            },
        });
        (callback.name.to_owned(), json!({ "{$request.body#/webhookUrl}": { "post": operation } }))
    });
    Value::Object(described.collect::<Map<String, Value>>())
}

/// The headers of a callback.
fn headers(name: &str) -> Value {
    let header = |name: &str, required: bool, about: &str, schema: Value| json!({ "name": name, "in": "header", "required": required, "description": about, "schema": schema });
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    json!([
        header("X-Webhook-Event", true, "The `status` of the body", json!({ "const": name })),
        header(
            "X-Webhook-Signature",
            false,
            "Hex HMAC-SHA256 of the exact body, made with the newest WEBHOOK_SECRET_KEY; absent without one",
            text("^[0-9a-f]{64}$"),
        ),
        header("webhook-id", true, "The same for all attempts of a delivery", text("^msg_[0-9a-f]{32}$")),
        header("webhook-timestamp", true, "Unix seconds of this attempt", text("^[0-9]+$")),
        header(
            "webhook-signature",
            false,
            "`v1,<base64>` over `{id}.{timestamp}.{body}`, several separated by spaces while secrets rotate; absent \
             without a secret",
            json!({ "type": "string" }),
        ),
    ])
}
