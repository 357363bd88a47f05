//! Fetches images at URLs that clients named, through the guarded client. It follows redirects and decompresses bodies.

use std::time::Duration;

use reelhook_domain::WebUrl;
use url::Url;

use crate::outbound::decode::DecodeError;
use crate::outbound::redirects::{End, Fetch, Fetched, fetch};
use crate::outbound::{HttpSender, OutboundError, OutboundResponse};
use crate::videos::draw_error::DrawError;
use crate::videos::films::IMAGE_LIMIT;

/// The total time for one image, with all redirects.
const DEADLINE: Duration = Duration::from_secs(20);

/// Fetches the bytes at a URL. Errors name only the server of a URL, because the rest may be a secret.
pub(super) async fn fetch_asset(http: &dyn HttpSender, url: &WebUrl) -> Result<Vec<u8>, DrawError> {
    let first = server(url).to_owned();
    let accept = "image/png, image/jpeg, image/webp, image/gif";
    let fetched =
        fetch(http, Fetch { url: Url::from(url.clone()), accept, deadline: DEADLINE, response_limit: IMAGE_LIMIT })
            .await;
    let subject = subject(&first, &fetched);
    match fetched.end {
        End::Response(response) => read(&subject, response),
        End::Stopped(stop, _) => Err(DrawError::Input(format!("{subject} {stop}"))),
        End::NoResponse(error) => Err(unreachable(&subject, &error)),
    }
}

fn read(subject: &str, response: OutboundResponse) -> Result<Vec<u8>, DrawError> {
    let input = |why: &str| DrawError::Input(format!("{subject} {why}"));
    match response.status {
        200 => {}
        status @ (429 | 500..=599) => return Err(DrawError::Renderer(format!("{subject} answered {status}"))),
        status => return Err(input(&format!("answered {status}"))),
    }
    if response.truncated {
        return Err(input("is larger than 10 MB"));
    }
    let response = response.whole().map_err(|error| unreachable(subject, &error))?;
    match response.decoded(IMAGE_LIMIT) {
        Ok(bytes) => Ok(bytes.into_owned()),
        Err(DecodeError::TooLarge) => Err(input("is larger than 10 MB")),
        Err(error @ (DecodeError::Damaged(_) | DecodeError::Unknown(_))) => {
            Err(input(&format!("can't be read: {error} (`content-encoding`)")))
        }
    }
}

/// Classifies a failure: if a retry may succeed, it counts as the renderer's, else as an input error of the client.
fn unreachable(subject: &str, error: &OutboundError) -> DrawError {
    let sentence = format!("{subject} could not be fetched: {}", error.code());
    match error {
        OutboundError::TimedOut(_) | OutboundError::Reset => DrawError::Renderer(sentence),
        OutboundError::Forbidden { .. }
        | OutboundError::NotFound { .. }
        | OutboundError::Refused
        | OutboundError::Tls(_)
        | OutboundError::BadRequest(_)
        | OutboundError::Other(_) => DrawError::Input(sentence),
    }
}

/// The subject of error sentences: `the image at a.example`, and the server that it redirected to.
fn subject(first: &str, fetched: &Fetched) -> String {
    match server(&fetched.url) {
        last if last == first => format!("the image at {first}"),
        last => format!("the image at {first}, redirected to {last},"),
    }
}

fn server(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}
