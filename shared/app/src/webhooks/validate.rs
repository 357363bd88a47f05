//! Whether a URL can really be fetched: through the guarded client, redirects followed one guarded step at a time.

use std::time::Duration;

use reelhook_domain::WebUrl;
use url::Url;

use crate::outbound::redirects::{End, Fetch, fetch};
use crate::outbound::{HttpSender, OutboundError, OutboundResponse};
use crate::webhooks::endpoints::masked;

/// The timeout of all steps together: less than the function's own.
const DEADLINE: Duration = Duration::from_secs(12);
/// The most bytes of a page that are read.
const PAGE: usize = 64 * 1024;

/// The result of [`validate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// Whether a page was fetched.
    pub valid: bool,
    /// The result as a sentence.
    pub reason: String,
    /// The URL of the last step, as operators may see it.
    pub url: Option<String>,
    /// The HTTP status, if a response came.
    pub status: Option<u16>,
    /// Its media type.
    pub content_type: Option<String>,
    /// The number of redirects.
    pub redirects: usize,
    /// The time of all steps.
    pub duration: Duration,
}

/// Fetches a URL, if the text is an http or https URL.
pub async fn validate(http: &dyn HttpSender, text: &str) -> Validated {
    let mut found = Validated {
        valid: false,
        reason: String::new(),
        url: None,
        status: None,
        content_type: None,
        redirects: 0,
        duration: Duration::ZERO,
    };
    let Ok(url) = WebUrl::try_from(text.trim().to_owned()) else {
        found.reason = "This is not an http or https URL".to_owned();
        return found;
    };
    let wanted = Fetch { url: url.into(), accept: "text/html,*/*;q=0.8", deadline: DEADLINE, response_limit: PAGE };
    let fetched = fetch(http, wanted).await;
    found.url = Some(masked(&fetched.url));
    found.redirects = fetched.redirects;
    found.duration = fetched.took;
    let seen = |response: &OutboundResponse| {
        (Some(response.status), response.header("content-type").map(|text| text.chars().take(100).collect::<String>()))
    };
    match &fetched.end {
        End::Response(response) => {
            (found.status, found.content_type) = seen(response);
            found.valid = (200..=299).contains(&response.status);
            found.reason = match found.valid {
                true => "The URL is valid and can be reached".to_owned(),
                false => format!("The URL answered with HTTP status {}", response.status),
            };
        }
        End::Stopped(stop, response) => {
            (found.status, found.content_type) = seen(response);
            found.reason = format!("The URL {stop}");
        }
        End::NoResponse(error) => found.reason = unreachable(error, &fetched.url),
    }
    found
}

/// A forbidden address gives the same message as a name that does not exist, so that callers learn nothing about the
/// private network.
fn unreachable(error: &OutboundError, url: &Url) -> String {
    format!("The URL can't be reached: {}", error.message_for(url))
}
