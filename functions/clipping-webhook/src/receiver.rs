//! Receives reports whose sender is verified: counts them, reads them and applies them.

use reelhook_app::clips::reports::{ReportPorts, Submission, receive};
use reelhook_app::limits::{CallCounter, admit_exactly};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::clips::webhook::answers::received;
use reelhook_http::clips::webhook::route::read;
use reelhook_http::clips::webhook::sender::counted;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;

/// Receives reports.
pub struct Receiver<'a> {
    /// Counts the reports on each job, or from each address.
    pub calls: &'a dyn CallCounter,
    /// The number of them that a minute may have.
    pub per_minute: u32,
    /// The ports of reports.
    pub ports: ReportPorts<'a>,
}

impl Receiver<'_> {
    /// Receives a report from an address. One beyond the rate limit is refused before it is read, and changes nothing; its
    /// job is polled.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn receive(
        &self,
        request: &ApiRequest,
        token: Option<Submission>,
        address: &str,
    ) -> Result<ApiAnswer, Problem> {
        admit_exactly(self.calls, self.ports.clock, &counted(token.as_ref(), address), self.per_minute).await?;
        receive(&self.ports, &read(request, token)?).await?;
        Ok(received())
    }
}
