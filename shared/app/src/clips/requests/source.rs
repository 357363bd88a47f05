//! The source that a URL names: a file, or a page of a video site, which only a worker reads.

use reelhook_domain::WebUrl;
use reelhook_domain::clips::request::Source;

/// The hosts of video sites, with their subdomains.
pub const SITES: [&str; 13] = [
    "dai.ly",
    "dailymotion.com",
    "facebook.com",
    "fb.watch",
    "instagram.com",
    "tiktok.com",
    "twitch.tv",
    "twitter.com",
    "vimeo.com",
    "x.com",
    "youtu.be",
    "youtube-nocookie.com",
    "youtube.com",
];

/// The source at a URL.
pub fn at(url: WebUrl) -> Source {
    if is_page(&url) { Source::Page(url) } else { Source::File(url) }
}

/// Whether a URL is that of a page of a video site.
pub fn is_page(url: &WebUrl) -> bool {
    let Some(host) = url.host_str() else { return false };
    let host = host.strip_suffix('.').unwrap_or(host);
    SITES.iter().any(|site| host.strip_suffix(site).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Whether only a worker can read a source.
pub(super) fn needs_worker(source: &Source) -> bool {
    match source {
        Source::Page(_) => true,
        Source::File(_) | Source::Upload(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_host() {
        for (url, expected) in [
            ("https://www.youtube.com/watch?v=abc", true),
            ("https://YOUTU.BE./abc", true),
            ("http://m.twitch.tv/videos/1", true),
            ("https://notyoutube.com/a.mp4", false),
            ("https://youtube.com.example/a.mp4", false),
            ("https://media.example/youtube.com/a.mp4", false),
        ] {
            assert_eq!(is_page(&WebUrl::parse(url).unwrap()), expected, "{url}");
        }
    }
}
