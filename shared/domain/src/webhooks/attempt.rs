//! One attempt of a delivery: written before the request is sent, completed after the response.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// Its result; none if the result is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<AttemptResult>,
}

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// HTTP status; 0 when no response came.
    pub status: u16,
    /// The error's code when no response came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Time until the response head, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// Time until the end of the response, in milliseconds.
    pub duration_ms: u64,
    /// The address that was connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// SHA-256 of the response body as far as it was read, in hexadecimal; none if `response` is that body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_hash: Option<String>,
    /// The start of the response body, as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub response: String,
    /// When the next attempt is due, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// Why the delivery continues or ends.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_unchanged(stored: &str) {
        let attempt: Attempt = serde_json::from_str(stored).expect(stored);
        assert_eq!(serde_json::to_string(&attempt).unwrap(), stored);
    }

    #[test]
    fn stored_attempts_are_read_and_written_without_a_change() {
        assert_unchanged(r#"{"number":1,"started_at":1704110400000}"#);
        assert_unchanged(concat!(
            r#"{"number":2,"started_at":1704110400000,"result":{"status":503,"first_byte_ms":40,"duration_ms":41,"#,
            r#""peer":"192.0.2.1:443","response_hash":"e3b0c44298fc1c149afbf4c8996fb924","response":"busy","#,
            r#""next_attempt_at":1704110402000,"reason":"status 503, trying again"}}"#,
        ));
        assert_unchanged(concat!(
            r#"{"number":3,"started_at":1704110400000,"result":{"status":0,"error":"ETIMEDOUT","duration_ms":10000,"#,
            r#""reason":"ETIMEDOUT after 3 attempts"}}"#,
        ));
    }
}
