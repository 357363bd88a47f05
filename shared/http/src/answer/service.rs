//! The answers about the service itself: its health, and the test route of the original.

use reelhook_app::views::wire::{Time, Yes};
use reelhook_domain::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::ApiAnswer;

const HEALTHY: &str = "healthy";

/// The health of the API.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Health {
    /// `healthy`.
    #[schemars(extend("const" = HEALTHY))]
    status: &'static str,
    /// The time of the answer.
    timestamp: Time,
    /// `reelhook`.
    service: &'static str,
}

/// The answer of the test route, which is disabled as in the original.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TestAnswer {
    success: Yes,
    /// That the route is disabled.
    message: &'static str,
    /// What to call instead.
    info: &'static str,
}

/// The answer about the health of the API.
pub fn health_answer(now: Timestamp) -> ApiAnswer {
    ApiAnswer::json(200, &Health { status: HEALTHY, timestamp: Time(now), service: "reelhook" })
}

/// The answer of the test route.
pub fn test_answer() -> ApiAnswer {
    let (message, info) = ("The test endpoint is disabled", "Submit a job with POST /api/generate instead");
    ApiAnswer::json(200, &TestAnswer { success: Yes, message, info })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_are_those_of_the_original() {
        let health = r#"{"status":"healthy","timestamp":"2024-01-01T12:00:00.000Z","service":"reelhook"}"#;
        assert_eq!(health_answer(Timestamp(1_704_110_400_000)).body, health);
        let disabled = concat!(
            r#"{"success":true,"message":"The test endpoint is disabled","#,
            r#""info":"Submit a job with POST /api/generate instead"}"#,
        );
        assert_eq!(test_answer().body, disabled);
    }
}
