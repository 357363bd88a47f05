//! Errors about calls from outside, such as a callback that names nothing that exists. No outbox carries them.

use reelhook_domain::EventId;
use reelhook_domain::errors::cause::Raise;

use crate::clock::ClockAndRandom;
use crate::digest::sha256_hex;
use crate::errors::steps::{ErrorChange, ErrorStep, ErrorSteps};
use crate::store::StoreError;

/// Raises an error about a call. The id of the step follows from the gateway's id of the call, so that one call raises
/// once, however often it is processed; another call with the same body is another occurrence.
///
/// # Errors
/// [`StoreError`]: the call is to be refused, so that its sender repeats it.
pub async fn raise_about_call(
    errors: &dyn ErrorSteps,
    clock: &dyn ClockAndRandom,
    request_id: &str,
    raise: Raise,
) -> Result<(), StoreError> {
    let digest = sha256_hex(format!("{request_id}\n{}\n{}", raise.cause.name(), raise.about));
    let id = EventId::parse(&format!("callback_{digest}")).expect("hexadecimal digits are an id");
    errors.apply(&ErrorStep { id, at: clock.now(), change: ErrorChange::Raise(raise) }).await
}
