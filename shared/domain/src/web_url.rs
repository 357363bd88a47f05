//! Absolute http and https URLs: parsed once where they enter, and carried as a type from there on.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use url::Url;

/// An absolute http or https URL. Stores and wire formats keep it as it was written; what sends requests uses the parsed
/// [`Url`], to which it dereferences.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebUrl {
    written: String,
    url: Box<Url>,
}

/// Why a text is not a [`WebUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an absolute http or https URL")]
pub struct NotWebUrl;

impl WebUrl {
    /// The most bytes of a URL that a caller gives.
    pub const LIMIT: usize = 2048;

    /// Reads a URL of at most [`Self::LIMIT`] bytes that a caller gave.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() <= Self::LIMIT { Self::try_from(text.to_owned()).ok() } else { None }
    }

    /// The text that it was read from.
    pub fn as_written(&self) -> &str {
        &self.written
    }
}

fn check(url: &Url) -> Result<(), NotWebUrl> {
    if matches!(url.scheme(), "http" | "https") && url.has_host() { Ok(()) } else { Err(NotWebUrl) }
}

impl TryFrom<String> for WebUrl {
    type Error = NotWebUrl;

    fn try_from(written: String) -> Result<Self, NotWebUrl> {
        let url = Url::parse(&written).map_err(|_| NotWebUrl)?;
        check(&url)?;
        Ok(Self { written, url: Box::new(url) })
    }
}

impl TryFrom<Url> for WebUrl {
    type Error = NotWebUrl;

    fn try_from(url: Url) -> Result<Self, NotWebUrl> {
        check(&url)?;
        Ok(Self { written: url.to_string(), url: Box::new(url) })
    }
}

impl From<WebUrl> for String {
    fn from(url: WebUrl) -> Self {
        url.written
    }
}

impl From<WebUrl> for Url {
    fn from(url: WebUrl) -> Self {
        *url.url
    }
}

impl Deref for WebUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.url
    }
}

impl fmt::Debug for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebUrl({})", self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bounded_absolute_http_urls_are_read() {
        for text in ["https://a.example", "http://a.example:8080/x?y#z", "HTTPS://A.example/%7e"] {
            let url = WebUrl::parse(text).unwrap();
            assert_eq!((url.as_written(), String::from(url.clone()).as_str()), (text, text), "kept as it was written");
            assert_eq!(serde_json::from_str::<WebUrl>(&serde_json::to_string(&url).unwrap()).unwrap(), url);
        }
        let long = |bytes: usize| format!("https://a.example/{}", "x".repeat(bytes - "https://a.example/".len()));
        assert!(WebUrl::parse(&long(WebUrl::LIMIT)).is_some());
        for text in ["", "a.example", "/x", "ftp://a.example/", "javascript:alert(1)", "http://", &long(2049)] {
            assert_eq!(WebUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_parsed_url_is_kept_in_its_normal_form() {
        let url = Url::parse("HTTPS://A.example").unwrap();
        assert_eq!(WebUrl::try_from(url).unwrap().as_written(), "https://a.example/");
        assert_eq!(WebUrl::try_from(Url::parse("data:,x").unwrap()), Err(NotWebUrl));
        let url = WebUrl::parse("HTTPS://A.example/%7e").unwrap();
        assert_eq!((url.host_str(), url.path()), (Some("a.example"), "/%7e"), "the parsed URL");
        assert_eq!(Url::from(url.clone()).as_str(), "https://a.example/%7e");
        assert_eq!(format!("{url:?}"), "WebUrl(HTTPS://A.example/%7e)");
    }
}
