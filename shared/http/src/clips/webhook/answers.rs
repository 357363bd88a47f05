//! The answers to reports, and the one about the webhook itself.

use reelhook_app::views::wire::Yes;
use reelhook_domain::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::callback;

/// A report was taken, whether it changed something or not.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportReceived {
    received: Yes,
}

/// The answer to a report.
pub fn received() -> ApiAnswer {
    ApiAnswer::json(200, &ReportReceived { received: Yes })
}

/// The answer about the health of the webhook.
pub fn health(now: Timestamp) -> ApiAnswer {
    callback::health("ai-clipping", "Receives reports on clip jobs from the clipping worker", now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_are_those_of_the_contract() {
        assert_eq!((received().status, received().body.as_str()), (200, r#"{"received":true}"#));
        let expected = concat!(
            r#"{"status":"healthy","endpoint":"/api/webhooks/ai-clipping","method":"POST","#,
            r#""description":"Receives reports on clip jobs from the clipping worker","#,
            r#""timestamp":"2024-01-01T12:00:00.000Z"}"#,
        );
        assert_eq!(health(Timestamp(1_704_110_400_000)).body, expected);
    }
}
