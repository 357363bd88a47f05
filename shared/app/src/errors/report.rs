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

/// The classes of errors that scripts throw; each is a kind of reports. Others are of the first one's kind.
const KINDS: [&str; 9] = [
    "Error",
    "AggregateError",
    "ChunkLoadError",
    "DOMException",
    "RangeError",
    "ReferenceError",
    "SyntaxError",
    "TypeError",
    "URIError",
];

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
    /// The step that raises it. Reports of one kind on one page are one error.
    pub fn step(&self, clock: &dyn ClockAndRandom) -> ErrorStep {
        let part = |text: &Option<String>, most: usize| text.as_deref().map(|text| cut(text, most).to_owned());
        // The query of a URL may hold a token.
        let url = self.url.as_deref().map(|url| url.split(['?', '#']).next().unwrap_or_default().to_owned());
        let name = part(&self.name, NAME).unwrap_or_else(|| "Error".to_owned());
        let url = part(&url, URL);
        let message = part(&self.message, MESSAGE).unwrap_or_else(|| "A client reported an error".to_owned());
        let about = subject(&name, url.as_deref());
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

/// What reports are about: their kind, and the page.
fn subject(name: &str, url: Option<&str>) -> String {
    let kind = KINDS.into_iter().find(|kind| *kind == name).unwrap_or(KINDS[0]);
    let page = url.map_or_else(|| "an unknown page".to_owned(), page);
    format!("{kind} at {page}")
}

/// The page of a URL: its path without ids, which are the parts with a digit.
fn page(url: &str) -> String {
    let (start, path) = match url.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('/') {
            Some((host, path)) => (format!("{scheme}://{host}/"), path),
            None => return url.to_owned(),
        },
        None => (String::new(), url),
    };
    let is_id = |part: &str| part.bytes().any(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = path.split('/').map(|part| if is_id(part) { "{id}" } else { part }).collect();
    start + &parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_one_kind_on_one_page_are_about_the_same() {
        for (name, url, expected) in [
            ("TypeError", Some("https://a.example/projects"), "TypeError at https://a.example/projects"),
            ("Made up 17", Some("https://a.example/projects"), "Error at https://a.example/projects"),
            ("Error", Some("http://127.0.0.1:9/p/proj_0f7c/edit"), "Error at http://127.0.0.1:9/p/{id}/edit"),
            ("Error", Some("/p/7"), "Error at /p/{id}"),
            ("Error", Some("https://a.example"), "Error at https://a.example"),
            ("RangeError", None, "RangeError at an unknown page"),
        ] {
            assert_eq!(subject(name, url), expected, "{name} {url:?}");
        }
    }
}
