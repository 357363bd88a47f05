//! Receives callbacks whose sender is verified: counts them, reads them and applies them.

use reelhook_app::limits::{CallCounter, admit_exactly};
use reelhook_app::projects::callbacks::{CallbackPorts, Submission, receive};
use reelhook_app::projects::services::webhook;
use reelhook_domain::projects::task::Stage;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::projects::callbacks::answers::answer;
use reelhook_http::projects::callbacks::route::read;
use reelhook_http::projects::callbacks::sender::calls_per_minute;
use reelhook_http::request::ApiRequest;

/// Receives callbacks.
pub struct Receiver<'a> {
    /// Counts the calls of each webhook and address.
    pub calls: &'a dyn CallCounter,
    /// The ports of callbacks.
    pub ports: CallbackPorts<'a>,
}

impl Receiver<'_> {
    /// Receives a callback of a stage from an address. One beyond the rate limit is refused before it is read, and changes
    /// nothing; its task is polled.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn receive(
        &self,
        request: &ApiRequest,
        stage: Stage,
        token: Option<Submission>,
        address: &str,
    ) -> Result<ApiAnswer, Problem> {
        let caller = format!("{} {address}", webhook(stage));
        admit_exactly(self.calls, self.ports.clock, &caller, calls_per_minute(stage)).await?;
        let received = receive(&self.ports, &read(request, stage, token)?).await?;
        Ok(answer(&received))
    }
}
