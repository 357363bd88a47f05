//! Messages of the job inbox that were refused. Their sender has left, so each is put aside with its reason, and an error
//! tells people.

use async_trait::async_trait;
use reelhook_domain::errors::cause::{Cause, Raise};
use reelhook_domain::{brief, cut, steers};
use serde_json::{Map, Value};

use crate::clock::ClockAndRandom;
use crate::errors::call::raise_about_call;
use crate::errors::steps::ErrorSteps;
use crate::store::StoreError;

/// The maximum length of a reason, in bytes.
const REASON: usize = 1024;

/// A message that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedMessage {
    /// The id under which it was sent first.
    pub id: String,
    /// The whole text.
    pub body: String,
    /// What it asked for; none if it does not say so.
    pub operation: Option<&'static str>,
    /// The code of the problem.
    pub code: &'static str,
    /// A sentence: what is wrong, and what would be right.
    pub reason: String,
}

/// Where refused messages are kept.
#[async_trait]
pub trait RefusedMessages: Send + Sync {
    /// Keeps a message with its reason.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn keep(&self, message: &RefusedMessage) -> Result<(), StoreError>;
}

/// What [`refuse`] needs.
pub struct RefusePorts<'a> {
    /// Keeps messages.
    pub kept: &'a dyn RefusedMessages,
    /// Raises errors.
    pub errors: &'a dyn ErrorSteps,
    /// The clock.
    pub clock: &'a dyn ClockAndRandom,
}

/// Puts a message aside and raises an error about it. One error is about all refusals of an operation with one code, so that
/// a sender can't fill the list.
///
/// # Errors
/// [`StoreError`]; then the same call is to be repeated. The error counts the message once, and the message may be kept
/// twice.
pub async fn refuse(ports: &RefusePorts<'_>, message: RefusedMessage) -> Result<(), StoreError> {
    let message = RefusedMessage { reason: shown(&message.reason), ..message };
    raise_about_call(ports.errors, ports.clock, &message.id, raised(&message)).await?;
    ports.kept.keep(&message).await
}

/// A reason as one line within its limit, without characters that control terminals or that SQS accepts in no message: a
/// sender may have escaped any of them in JSON.
fn shown(reason: &str) -> String {
    let is_unfit = |character: char| steers(character) || matches!(character, '\u{fffe}' | '\u{ffff}');
    cut(reason, REASON).chars().map(|character| if is_unfit(character) { '?' } else { character }).collect()
}

fn raised(message: &RefusedMessage) -> Raise {
    let operation = message.operation.unwrap_or("unknown");
    let facts = [
        ("message_id", message.id.as_str()),
        ("operation", operation),
        ("code", message.code),
        ("error", message.reason.as_str()),
    ];
    let context: Map<String, Value> =
        facts.into_iter().map(|(name, text)| (name.to_owned(), Value::from(brief(text)))).collect();
    Raise {
        cause: Cause::MessageRefused,
        about: format!("inbox/{operation}/{}", message.code),
        message: format!("A message of the job inbox was refused: {}", message.reason),
        context,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_kind_are_one_error_and_the_reason_has_no_control_characters() {
        let message = |id: &str, reason: &str| RefusedMessage {
            id: id.to_owned(),
            body: "{}".to_owned(),
            operation: Some("projects"),
            code: "unknown_field",
            reason: shown(reason),
        };
        let (one, other) =
            (raised(&message("a", "Unknown field `x`")), raised(&message("b", "Unknown field `\u{1b}y`")));
        assert_eq!((one.about.as_str(), other.about.as_str()), ("inbox/projects/unknown_field", one.about.as_str()));
        assert_eq!(other.message, "A message of the job inbox was refused: Unknown field `?y`");
        assert_eq!(other.context["message_id"], "b");
        let nameless = RefusedMessage { operation: None, ..message("c", "The body is not valid JSON") };
        assert_eq!(raised(&nameless).about, "inbox/unknown/unknown_field");
    }

    #[test]
    fn a_reason_is_one_line_within_its_limit() {
        assert_eq!(shown("one\ntwo\u{ffff}"), "one?two?");
        assert_eq!(shown(&"é".repeat(2000)).len(), REASON);
    }
}
