//! Pictures at URLs that clients named: fetched through the guarded client, redirects and compressed bodies included.

use std::time::Duration;

use url::Url;

use crate::outbound::decode::DecodeError;
use crate::outbound::redirects::{End, Fetch, Fetched, fetch};
use crate::outbound::{HttpSender, OutboundError, OutboundResponse};
use crate::videos::drawing::DrawError;
use crate::videos::films::IMAGE_LIMIT;

/// The whole of one picture, with all redirects.
const DEADLINE: Duration = Duration::from_secs(20);

/// The bytes at a URL. Errors name servers, and no more of a URL: the rest may be a secret.
pub(super) async fn fetch_asset(http: &dyn HttpSender, text: &str) -> Result<Vec<u8>, DrawError> {
    let Ok(url) = Url::parse(text) else { return Err(DrawError::Input("the picture has a bad URL".to_owned())) };
    let first = server(&url).to_owned();
    let accept = "image/png, image/jpeg, image/webp, image/gif";
    let fetched = fetch(http, Fetch { url, accept, deadline: DEADLINE, response_limit: IMAGE_LIMIT }).await;
    let place = place(&first, &fetched);
    match fetched.end {
        End::Response(response) => whole(&place, response),
        End::Stopped(stop, _) => Err(DrawError::Input(format!("{place} {stop}"))),
        End::NoResponse(error) => Err(unreached(&place, &error)),
    }
}

fn whole(place: &str, response: OutboundResponse) -> Result<Vec<u8>, DrawError> {
    let input = |why: &str| DrawError::Input(format!("{place} {why}"));
    match response.status {
        200 => {}
        status @ (429 | 500..=599) => return Err(DrawError::Renderer(format!("{place} answered {status}"))),
        status => return Err(input(&format!("answered {status}"))),
    }
    if response.truncated {
        return Err(input("is larger than 10 MB"));
    }
    let response = response.whole().map_err(|error| unreached(place, &error))?;
    match response.decoded(IMAGE_LIMIT) {
        Ok(bytes) => Ok(bytes.into_owned()),
        Err(DecodeError::TooLarge) => Err(input("is larger than 10 MB")),
        Err(error @ (DecodeError::Damaged(_) | DecodeError::Unknown(_))) => {
            Err(input(&format!("can't be read: {error} (`content-encoding`)")))
        }
    }
}

/// A failure that a retry may solve is the renderer's; any other is the client's.
fn unreached(place: &str, error: &OutboundError) -> DrawError {
    let sentence = format!("{place} could not be fetched: {}", error.code());
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

/// `the picture at a.example`, and where that led.
fn place(first: &str, fetched: &Fetched) -> String {
    match server(&fetched.url) {
        last if last == first => format!("the picture at {first}"),
        last => format!("the picture at {first}, redirected to {last},"),
    }
}

fn server(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}
