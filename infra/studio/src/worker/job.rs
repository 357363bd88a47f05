//! The request that starts a job at the external worker.

use serde::Deserialize;
use serde_json::Value;

use crate::options::Options;

/// The body of POST /worker/jobs; it also has a `callback_url`, which real workers ignore.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct JobRequest {
    pub job_id: String,
    pub attempt: u64,
    pub parameters: Options,
    pub webhook_base_url: String,
}

impl JobRequest {
    /// A string parameter; empty if there is none.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}
