//! The events of API Gateway's WebSocket APIs, as far as they are read.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A connection was opened or closed, or a client sent a message. It holds a token, and can't be printed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayEvent {
    /// What happened, and to which connection.
    pub request_context: RequestContext,
    /// The query of the request that opens a connection.
    #[serde(default)]
    query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// What happened, and to which connection.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestContext {
    /// The connection.
    pub connection_id: String,
    /// What happened. A client chooses the key of the route, but not this.
    pub event_type: EventType,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventType {
    /// A client wants to open a connection.
    Connect,
    /// A client sent a message.
    Message,
    /// A connection was closed.
    Disconnect,
}

impl GatewayEvent {
    /// The token in the query.
    pub fn token(&self) -> Option<&str> {
        self.query_string_parameters.as_ref()?.get("token").map(String::as_str)
    }

    /// The client's message; empty for bytes, which are no message.
    pub fn text(&self) -> &str {
        self.body.as_deref().filter(|_| !self.is_base64_encoded).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_the_gateway_are_read() {
        let read = |text: &str| serde_json::from_str::<GatewayEvent>(text).unwrap();
        let opened = read(include_str!("../../../events/live/connect-without-token.json"));
        assert_eq!((opened.request_context.event_type, opened.token(), opened.text()), (EventType::Connect, None, ""));
        let bad = read(include_str!("../../../events/live/connect-with-bad-token.json"));
        assert_eq!(bad.token(), Some("s1.bGl2ZQ.1704110400.AAAA"));
        let message = read(include_str!("../../../events/live/message.json"));
        assert_eq!(message.request_context.event_type, EventType::Message);
        assert_eq!(message.text(), r#"{"action":"ping"}"#);
        let closed = read(include_str!("../../../events/live/disconnect.json"));
        assert_eq!(closed.request_context.event_type, EventType::Disconnect);
        let bytes =
            r#"{"requestContext":{"connectionId":"a","eventType":"MESSAGE"},"body":"e30=","isBase64Encoded":true}"#;
        assert_eq!(read(bytes).text(), "");
    }
}
