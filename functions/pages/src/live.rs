//! Where pages get live updates from.

use reelhook_app::Url;

/// Where live updates come from, beside the pages' own origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveSources {
    /// The origin of the Function URL that streams; empty for the pages' own.
    stream_origin: String,
    /// The URL of the WebSocket API; empty for none.
    socket_url: String,
    /// Its origin.
    socket_origin: String,
}

impl LiveSources {
    /// The Function URL that streams, and the WebSocket API by its http URL.
    pub fn new(stream: Option<&Url>, socket: Option<&Url>) -> Self {
        let socket = socket.map(|url| url.as_str().trim_end_matches('/').replacen("http", "ws", 1));
        let socket_url = socket.unwrap_or_default();
        let end = socket_url.find("://").map_or(0, |scheme| scheme + 3);
        let host = socket_url[end..].split('/').next().unwrap_or_default();
        Self {
            stream_origin: stream.map(|url| url.origin().ascii_serialization()).unwrap_or_default(),
            socket_origin: format!("{}{host}", &socket_url[..end]),
            socket_url,
        }
    }

    /// The origin of the Function URL that streams; empty for the pages' own.
    pub fn stream_origin(&self) -> &str {
        &self.stream_origin
    }

    /// The URL of the WebSocket API; empty for none.
    pub fn socket_url(&self) -> &str {
        &self.socket_url
    }

    /// The origins that pages connect to beside their own, each after a space.
    pub fn origins(&self) -> String {
        let origins = [&self.stream_origin, &self.socket_origin].into_iter().filter(|origin| !origin.is_empty());
        origins.map(|origin| format!(" {origin}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_websocket_api_has_the_scheme_of_its_url() {
        for (given, url, origin) in [
            (
                "https://a1.execute-api.us-east-1.amazonaws.com/live",
                "wss://a1.execute-api.us-east-1.amazonaws.com/live",
                " wss://a1.execute-api.us-east-1.amazonaws.com",
            ),
            ("http://127.0.0.1:3000/live/", "ws://127.0.0.1:3000/live", " ws://127.0.0.1:3000"),
        ] {
            let live = LiveSources::new(None, Some(&Url::parse(given).unwrap()));
            assert_eq!((live.socket_url(), live.origins().as_str()), (url, origin));
        }
        assert_eq!(LiveSources::new(None, None), LiveSources::default());
    }
}
