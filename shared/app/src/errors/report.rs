//! An error that a client reports about itself, such as a page whose script failed.

use reelhook_domain::errors::cause::{Cause, Raise};
use reelhook_domain::{EventId, cut};
use serde_json::{Map, Value};

use crate::clock::ClockAndRandom;
use crate::errors::steps::{ErrorChange, ErrorStep};

/// The parts of a report and their limits in bytes: 8 KiB together.
const NAME: usize = 128;
const MESSAGE: usize = 1024;
const STACK: usize = 4096;
const INFO: usize = 2048;
const URL: usize = 512;
const AGENT: usize = 256;

/// What a client reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientReport {
    /// The name of the error's class.
    pub name: Option<String>,
    /// The error's sentence.
    pub message: Option<String>,
    /// Where it was thrown.
    pub stack: Option<String>,
    /// More about it, as text.
    pub info: Option<String>,
    /// The page.
    pub url: Option<String>,
    /// The browser.
    pub user_agent: Option<String>,
    /// The client's time.
    pub timestamp: Option<String>,
}

impl ClientReport {
    /// The step that raises it. Reports of one class of errors on one page are one error.
    pub fn step(&self, clock: &dyn ClockAndRandom) -> ErrorStep {
        let part = |text: &Option<String>, most: usize| text.as_deref().map(|text| cut(text, most).to_owned());
        // The query of a URL may hold a token.
        let url = self.url.as_deref().map(|url| url.split(['?', '#']).next().unwrap_or_default().to_owned());
        let name = part(&self.name, NAME).unwrap_or_else(|| "Error".to_owned());
        let url = part(&url, URL);
        let message = part(&self.message, MESSAGE).unwrap_or_else(|| "A client reported an error".to_owned());
        let about = format!("{name} at {}", url.as_deref().unwrap_or("an unknown page"));
        let facts = [
            ("name", Some(name)),
            ("url", url),
            ("stack", part(&self.stack, STACK)),
            ("error_info", part(&self.info, INFO)),
            ("user_agent", part(&self.user_agent, AGENT)),
            ("reported_at", part(&self.timestamp, NAME)),
        ];
        let context: Map<String, Value> =
            facts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?)))).collect();
        ErrorStep {
            id: EventId::parse(&format!("report_{:032x}", clock.random())).expect("hex is a valid id"),
            at: clock.now(),
            change: ErrorChange::Raise(Raise { cause: Cause::ClientReport, about, message, context }),
        }
    }
}
