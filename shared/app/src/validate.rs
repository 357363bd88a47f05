//! Whether a URL can really be fetched: through the guarded client, redirects followed one guarded step at a time.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use crate::endpoints::masked;
use crate::outbound::{HttpSender, Method, OutboundError, OutboundRequest, OutboundResponse};

/// How long one step may take.
const DEADLINE: Duration = Duration::from_secs(4);
/// Steps at most: with the deadlines, less than the function has.
const STEPS: usize = 5;
/// Bytes of a page that are read.
const PAGE: usize = 64 * 1024;

/// What was found at a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// Whether a page is there.
    pub valid: bool,
    /// In a sentence.
    pub reason: String,
    /// Where the last step led, as people may see it.
    pub url: Option<String>,
    /// Its HTTP status, when a response came.
    pub status: Option<u16>,
    /// Its media type.
    pub content_type: Option<String>,
    /// Steps after the first.
    pub redirects: usize,
    /// The time of all steps.
    pub duration: Duration,
}

/// Fetches what a text names, if it is a URL of the web.
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
    let Some(mut url) = web_url(text) else {
        found.reason = "This is not an http or https URL".to_owned();
        return found;
    };
    loop {
        found.url = Some(masked(&url));
        let response = match http.send(fetch(&url)).await {
            Ok(response) => response,
            Err(error) => {
                found.reason = unreachable(&error, &url);
                return found;
            }
        };
        found.duration += response.total;
        found.status = Some(response.status);
        found.content_type = response.header("content-type").map(|text| text.chars().take(100).collect());
        match next(&response, &url) {
            Next::Here => {
                found.valid = true;
                found.reason = "The URL is valid and can be reached".to_owned();
                return found;
            }
            Next::There(_) if found.redirects + 1 >= STEPS => {
                found.reason = format!("The URL redirects more than {} times", STEPS - 1);
                return found;
            }
            Next::There(there) => {
                url = there;
                found.redirects += 1;
            }
            Next::Nowhere => {
                found.reason = format!("The URL answered with HTTP status {}", response.status);
                return found;
            }
        }
    }
}

enum Next {
    Here,
    There(Url),
    Nowhere,
}

fn next(response: &OutboundResponse, url: &Url) -> Next {
    match response.status {
        200..=299 => Next::Here,
        301 | 302 | 303 | 307 | 308 => {
            let there = response.header("location").and_then(|text| url.join(text).ok());
            there.filter(is_web).map_or(Next::Nowhere, Next::There)
        }
        _ => Next::Nowhere,
    }
}

fn fetch(url: &Url) -> OutboundRequest {
    let headers = [("user-agent", "Reelhook/1.0"), ("accept", "text/html,*/*;q=0.8")];
    OutboundRequest {
        method: Method::Get,
        url: url.clone(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: Bytes::new(),
        deadline: DEADLINE,
        response_limit: PAGE,
    }
}

fn web_url(text: &str) -> Option<Url> {
    Url::parse(text.trim()).ok().filter(is_web)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// A forbidden address reads like a name that does not exist: nobody learns from it what is inside.
fn unreachable(error: &OutboundError, url: &Url) -> String {
    format!("The URL can't be reached: {}", error.message_for(url))
}
