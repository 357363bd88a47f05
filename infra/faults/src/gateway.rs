//! The gateway in front of the API and of Function URLs: it renames headers of answers as those of AWS do.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;

use crate::proxy::answered;
use crate::upstream::{LARGEST_BODY, Upstream};

/// Headers that an integration's answer gets renamed.
const RENAMED: [&str; 8] =
    ["authorization", "content-md5", "date", "expect", "host", "server", "user-agent", "www-authenticate"];
/// What their names begin with then.
const PREFIX: &str = "x-amzn-remapped-";

/// Serves callers of the API until the process is stopped.
///
/// # Errors
/// When the port is in use.
pub async fn serve(port: u16, api: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.with_context(|| format!("bind 127.0.0.1:{port}"))?;
    let routes = Router::new().fallback(pass).with_state(Upstream(api));
    axum::serve(listener, routes).await.context("serve callers of the API")
}

async fn pass(State(api): State<Upstream>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    let body = match to_bytes(body, LARGEST_BODY).await {
        Ok(body) => body,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("faults: {error}\n")).into_response(),
    };
    answered(api.stream(request, body).await.map(|mut answer| {
        rename(answer.headers_mut());
        answer
    }))
}

fn rename(headers: &mut HeaderMap) {
    for name in RENAMED {
        let values: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
        let Ok(renamed) = HeaderName::try_from(format!("{PREFIX}{name}")) else { continue };
        headers.remove(name);
        for value in values {
            headers.append(renamed.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_keeps_for_itself_is_renamed() {
        let mut headers = HeaderMap::new();
        headers.insert("www-authenticate", HeaderValue::from_static("Bearer"));
        headers.insert("etag", HeaderValue::from_static("\"1\""));
        rename(&mut headers);
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["x-amzn-remapped-www-authenticate"], "Bearer");
        assert_eq!(headers["etag"], "\"1\"");
    }

    #[test]
    fn each_value_of_a_renamed_header_is_kept() {
        let mut headers = HeaderMap::new();
        for value in ["Bearer", "Basic"] {
            headers.append("www-authenticate", HeaderValue::from_static(value));
        }
        rename(&mut headers);
        let values: Vec<_> = headers.get_all("x-amzn-remapped-www-authenticate").iter().collect();
        assert_eq!(values, ["Bearer", "Basic"]);
        assert!(!headers.contains_key("www-authenticate"));
    }
}
