//! A GET that follows redirects: each step is a request of its own, whose URL is checked like the first one.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::{HttpSender, Method, OutboundError, OutboundRequest, OutboundResponse};

/// The maximum number of redirects.
pub const MOST_REDIRECTS: usize = 4;

/// A GET request. It has no secrets for the first server, because redirects may lead to any server.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// The absolute http or https URL.
    pub url: Url,
    /// The `accept` header.
    pub accept: &'static str,
    /// The total time of all steps.
    pub deadline: Duration,
    /// The maximum number of bytes of each response body.
    pub response_limit: usize,
}

/// The result of a fetch.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The URL of the last request.
    pub url: Url,
    /// The number of redirects that were followed.
    pub redirects: usize,
    /// The total time of the steps that had a response.
    pub took: Duration,
    /// The result of the last step.
    pub end: End,
}

/// The result of the last step of a fetch.
#[derive(Debug, Clone)]
pub enum End {
    /// A response that is not a redirect.
    Response(OutboundResponse),
    /// No response.
    NoResponse(OutboundError),
    /// A redirect that was not followed.
    Stopped(Stop, OutboundResponse),
}

/// The reason why a redirect was not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The maximum number of redirects was reached.
    TooMany,
    /// The redirect leads from https to http.
    Downgrade,
}

impl fmt::Display for Stop {
    /// The predicate of a sentence whose subject is the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "redirects more than {MOST_REDIRECTS} times"),
            Self::Downgrade => f.write_str("redirects from https to http"),
        }
    }
}

/// Fetches a URL and follows its redirects.
pub async fn fetch(http: &dyn HttpSender, fetch: Fetch) -> Fetched {
    let Fetch { mut url, accept, deadline, response_limit } = fetch;
    let (mut redirects, mut took) = (0, Duration::ZERO);
    let end = loop {
        let request = OutboundRequest {
            method: Method::Get,
            url: url.clone(),
            // Some servers compress bodies nevertheless; `OutboundResponse::decoded` reads those.
            headers: [("accept", accept), ("accept-encoding", "identity")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: Bytes::new(),
            deadline: deadline.saturating_sub(took),
            response_limit,
        };
        let mut response = match http.send(request).await {
            Ok(response) => response,
            Err(error) => break End::NoResponse(in_all(error, took, deadline)),
        };
        response.cut_short = response.cut_short.map(|error| in_all(error, took, deadline));
        took += response.total;
        let Some(location) = target(&response, &url) else { break End::Response(response) };
        if redirects == MOST_REDIRECTS {
            break End::Stopped(Stop::TooMany, response);
        }
        if url.scheme() == "https" && location.scheme() == "http" {
            break End::Stopped(Stop::Downgrade, response);
        }
        url = location;
        redirects += 1;
    };
    Fetched { url, redirects, took, end }
}

/// The error of a step. A timeout names the total time: the deadline, or less if the kernel gave up before.
fn in_all(error: OutboundError, took: Duration, deadline: Duration) -> OutboundError {
    let OutboundError::TimedOut(ms) = error else { return error };
    let is_deadline = u128::from(ms) >= deadline.saturating_sub(took).as_millis();
    let total = if is_deadline { deadline } else { took + Duration::from_millis(ms) };
    OutboundError::TimedOut(u64::try_from(total.as_millis()).unwrap_or(u64::MAX))
}

/// The target of a redirect, if it is an http or https URL.
fn target(response: &OutboundResponse, url: &Url) -> Option<Url> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.header("location").map(str::trim).filter(|text| !text.is_empty())?;
    url.join(location).ok().filter(|location| matches!(location.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_names_the_time_of_all_steps() {
        let (took, deadline) = (Duration::from_micros(100_400), Duration::from_millis(400));
        for (ms, total) in [(299, 400), (300, 400), (130, 230)] {
            let error = in_all(OutboundError::TimedOut(ms), took, deadline);
            assert_eq!(error, OutboundError::TimedOut(total), "{ms} ms");
        }
        assert_eq!(in_all(OutboundError::TimedOut(0), deadline * 2, deadline), OutboundError::TimedOut(400));
        assert_eq!(in_all(OutboundError::Reset, took, deadline), OutboundError::Reset);
    }
}
