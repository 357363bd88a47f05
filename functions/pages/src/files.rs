//! The files of the pages, embedded in the binary: with ETags, compressed, and under a strict Content-Security-Policy.

use std::borrow::Cow;
use std::io::Write;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use reelhook_app::Url;
use reelhook_app::digest::sha256_hex;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::status::matches_tag;
use reelhook_http::request::ApiRequest;

use crate::live::LiveSources;
use crate::page::{LOGIN, PAGES, fits};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
/// Files below this size, in bytes, are sent uncompressed.
const COMPRESSED_FROM: usize = 1024;

macro_rules! scripts {
    ($($name:literal),* $(,)?) => {
        [$((concat!("/assets/js/", $name), include_str!(concat!("../assets/js/", $name)))),*]
    };
}

/// The JavaScript modules; a test compares this list with the directory.
const SCRIPTS: [(&str, &str); 70] = scripts![
    "actions.js",
    "api.js",
    "clips/adjust.js",
    "clips/cards.js",
    "clips/clip-form.js",
    "clips/grips.js",
    "clips/job-actions.js",
    "clips/job.js",
    "clips/list.js",
    "clips/ranges.js",
    "clips/score.js",
    "clips/stages.js",
    "clips/track.js",
    "clips/upload.js",
    "clips/words.js",
    "credits/account.js",
    "credits/add.js",
    "credits/words.js",
    "dashboard.js",
    "deliveries.js",
    "delivery-words.js",
    "delivery.js",
    "dialog.js",
    "dom.js",
    "endpoint-card.js",
    "endpoint-form.js",
    "endpoints.js",
    "errors/card.js",
    "errors/inbox.js",
    "errors/words.js",
    "events-picker.js",
    "followed.js",
    "form-parts.js",
    "form.js",
    "format.js",
    "header-rows.js",
    "job-lists.js",
    "job.js",
    "live-socket.js",
    "live.js",
    "media.js",
    "metrics.js",
    "preview.js",
    "projects/frames.js",
    "projects/list.js",
    "projects/order.js",
    "projects/project-actions.js",
    "projects/project-form.js",
    "projects/project.js",
    "projects/prompts.js",
    "projects/scene-actions.js",
    "projects/scene-form.js",
    "projects/scene-sheet.js",
    "projects/strip.js",
    "projects/words.js",
    "queue-state.js",
    "queue.js",
    "recover.js",
    "recoveries.js",
    "secrets.js",
    "sheet-form.js",
    "sheet.js",
    "steps.js",
    "story-entries.js",
    "story-events.js",
    "story-kinds.js",
    "story.js",
    "timeline.js",
    "webhooks.js",
    "words.js",
];

/// A file. Its first request computes the ETag and the compressed form, so that a cold start does not.
struct File {
    content_type: &'static str,
    text: Cow<'static, str>,
    tag: OnceLock<String>,
    compressed: OnceLock<Vec<u8>>,
}

impl File {
    fn new(content_type: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { content_type, text: text.into(), tag: OnceLock::new(), compressed: OnceLock::new() }
    }

    fn tag_of(text: &str) -> String {
        format!("\"{}\"", &sha256_hex(text)[..24])
    }

    fn answer(&self, request: &ApiRequest) -> ApiAnswer {
        let tag = self.tag.get_or_init(|| Self::tag_of(&self.text));
        let answer = if matches_tag(request.header("if-none-match"), tag) {
            ApiAnswer::text(304, String::new())
        } else if self.text.len() >= COMPRESSED_FROM && accepts_gzip(request.header("accept-encoding")) {
            let bytes = self.compressed.get_or_init(|| gzip(&self.text)).clone();
            ApiAnswer::bytes(200, bytes).header("content-encoding", "gzip")
        } else {
            ApiAnswer::text(200, self.text.to_string())
        };
        answer
            .header("content-type", self.content_type)
            .header("etag", tag.clone())
            .header("vary", "accept-encoding")
            .header("cache-control", "private, no-cache")
            .header("x-content-type-options", "nosniff")
            // Pages of other origins must not embed the file.
            .header("cross-origin-resource-policy", "same-origin")
    }
}

/// All files of the pages.
pub struct Files {
    pages: Vec<(&'static str, File)>,
    login: String,
    styles: [(&'static str, File); 3],
    icon: File,
    description: File,
    scripts: Vec<(&'static str, File)>,
    policy: String,
}

impl Files {
    /// The files. Videos are uploaded to the origin of `uploads`; `stack` is the name of a stack on AWS, for commands that
    /// pages show; `sign_out` adds the button to sign out.
    pub fn new(live: &LiveSources, uploads: Option<&Url>, stack: Option<&str>, sign_out: bool) -> Self {
        let style = |text: &'static str| File::new("text/css; charset=utf-8", text);
        Self {
            pages: PAGES.map(|(path, page)| (path, File::new(HTML, page.text(live, stack, sign_out)))).into(),
            login: LOGIN.text(live, stack, sign_out),
            styles: [
                ("style.css", style(include_str!("../assets/style.css"))),
                ("scenes.css", style(include_str!("../assets/scenes.css"))),
                ("clips.css", style(include_str!("../assets/clips.css"))),
            ],
            icon: File::new("image/svg+xml", include_str!("../assets/favicon.svg")),
            // With its line breaks, for people who read it or search it with `curl`: clients that accept gzip load 64
            // KB instead of 53, and a cold start does not read it.
            description: File::new("application/json", include_str!("../openapi/openapi.json")),
            scripts: SCRIPTS.map(|(path, text)| (path, File::new(SCRIPT, text))).into(),
            policy: policy(live, uploads),
        }
    }

    /// The page at a path, for authorized callers; none for other paths.
    pub fn page(&self, request: &ApiRequest) -> Option<ApiAnswer> {
        self.find_page(request).map(|page| self.guarded(page.answer(request)))
    }

    /// Whether there is a page at the path.
    pub fn has_page(&self, request: &ApiRequest) -> bool {
        self.find_page(request).is_some()
    }

    fn find_page(&self, request: &ApiRequest) -> Option<&File> {
        let segments = request.segments();
        let found = self.pages.iter().find(|(path, _)| fits(path, &segments));
        found.map(|(_, page)| page)
    }

    /// A script, style or icon. It needs no key: it has no secrets, and the sign-in page needs it.
    pub fn asset(&self, request: &ApiRequest) -> Option<ApiAnswer> {
        match &request.segments()[..] {
            ["assets", "favicon.svg"] | ["favicon.ico"] => Some(self.icon.answer(request)),
            ["assets", style] => {
                let found = self.styles.iter().find(|(name, _)| name == style);
                found.map(|(_, file)| file.answer(request))
            }
            ["assets", "js", ..] => {
                let found = self.scripts.iter().find(|(path, _)| *path == request.path);
                found.map(|(_, file)| file.answer(request))
            }
            _ => None,
        }
    }

    /// The sign-in page, which redirects to `next`, with the error of the previous attempt.
    pub fn login(&self, status: u16, next: &str, problem: Option<&str>) -> ApiAnswer {
        let alert = |text: &str| {
            let text = escaped(text);
            format!("        <p id=\"problem\" class=\"note bad\" role=\"alert\">{text}</p>\n")
        };
        let invalid = if problem.is_some() { " aria-invalid=\"true\" aria-describedby=\"problem\"" } else { "" };
        let text = self.login.replace("{{PROBLEM}}", &problem.map(alert).unwrap_or_default());
        let text = text.replace("{{INVALID}}", invalid).replace("{{NEXT}}", &escaped(next));
        self.guarded(ApiAnswer::text(status, text).header("content-type", HTML))
    }

    fn guarded(&self, page: ApiAnswer) -> ApiAnswer {
        page.header("content-security-policy", self.policy.clone())
            .header("referrer-policy", "same-origin")
            .header("x-frame-options", "DENY")
            .header("x-content-type-options", "nosniff")
    }

    /// GET /openapi.json
    pub fn description(&self, request: &ApiRequest) -> ApiAnswer {
        self.description.answer(request)
    }
}

/// Escapes text for HTML content and attributes.
fn escaped(text: &str) -> String {
    let pairs = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")];
    pairs.iter().fold(text.to_owned(), |text, (plain, entity)| text.replace(plain, entity))
}

/// The Content-Security-Policy of pages: beside their own origin they connect to those of live updates and of uploads.
fn policy(live: &LiveSources, uploads: Option<&Url>) -> String {
    let sources = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        // Frames of scenes are at outside services until they are copied, and a local bucket has no https.
        "img-src 'self' http: https: data:",
        // The length of a video is read from the chosen file before it is uploaded.
        "media-src 'self' http: https: blob:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ];
    let (connections, uploads) =
        (live.origins(), uploads.map(|url| format!(" {}", url.origin().ascii_serialization())));
    format!("{}; connect-src 'self'{connections}{}", sources.join("; "), uploads.unwrap_or_default())
}

/// Whether an `Accept-Encoding` header accepts gzip (RFC 9110, 12.5.3).
fn accepts_gzip(header: Option<&str>) -> bool {
    header.is_some_and(|list| {
        list.split(',').any(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            (name.eq_ignore_ascii_case("gzip") || name == "*") && !refused
        })
    })
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to a Vec does not fail.
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_module_in_the_directory_is_served() {
        fn collect(directory: &std::path::Path, address: &str, found: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let address = format!("{address}/{}", entry.file_name().into_string().unwrap());
                if entry.path().is_dir() {
                    collect(&entry.path(), &address, found);
                } else {
                    found.insert(address);
                }
            }
        }
        let directory = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/js"));
        let mut found = BTreeSet::new();
        collect(directory, "/assets/js", &mut found);
        assert_eq!(found, SCRIPTS.iter().map(|(path, _)| (*path).to_owned()).collect());
    }

    #[test]
    fn a_cold_start_computes_no_etag() {
        let files = Files::new(&LiveSources::default(), None, None, true);
        assert!(files.description.tag.get().is_none() && files.pages.iter().all(|(_, page)| page.tag.get().is_none()));
    }

    #[test]
    fn pages_know_the_stack_of_their_commands() {
        let page = |stack| {
            let files = Files::new(&LiveSources::default(), None, stack, true);
            let (_, story) = files.pages.into_iter().find(|(path, _)| *path == "/story/{id}").unwrap();
            story.text
        };
        assert!(page(Some("reelhook-2")).contains("<meta name=\"stack\" content=\"reelhook-2\">"));
        assert!(page(None).contains("<meta name=\"stack\" content=\"\">"));
    }

    #[test]
    fn the_accept_encoding_header_decides_about_gzip() {
        let check = |header: Option<&str>, expected| assert_eq!(accepts_gzip(header), expected, "{header:?}");
        check(Some("gzip, deflate, br"), true);
        check(Some("br;q=1.0, gzip;q=0.8"), true);
        check(Some("gzip;q=0"), false);
        check(Some("br"), false);
        check(None, false);
    }

    #[test]
    fn the_policy_allows_connections_to_streams_and_uploads_only() {
        let stream = Url::parse("https://abc.lambda-url.us-east-1.on.aws/").unwrap();
        let files = Files::new(&LiveSources::new(Some(&stream), None), None, None, true);
        assert!(files.policy.ends_with("connect-src 'self' https://abc.lambda-url.us-east-1.on.aws"));
        let (_, job) = files.pages.iter().find(|(path, _)| *path == "/job/{id}").unwrap();
        assert!(job.text.contains("content=\"https://abc.lambda-url.us-east-1.on.aws\""));
        assert!(Files::new(&LiveSources::default(), None, None, true).policy.ends_with("connect-src 'self'"));
        let bucket = Url::parse("https://files.s3.us-east-1.amazonaws.com").unwrap();
        let files = Files::new(&LiveSources::default(), Some(&bucket), None, true);
        assert!(files.policy.ends_with("connect-src 'self' https://files.s3.us-east-1.amazonaws.com"));
        assert!(
            files.policy.contains("; media-src 'self' http: https: blob:; "),
            "the form reads the length of a file"
        );
    }

    #[test]
    fn the_sign_in_page_is_complete_needs_no_script_and_escapes_input() {
        let files = Files::new(&LiveSources::default(), None, None, true);
        let plain = files.login(200, "/", None);
        assert!(!plain.body.contains("{{") && !plain.body.contains("<script") && !plain.body.contains("<nav"));
        assert!(plain.body.contains("name=\"next\" value=\"/\"") && !plain.body.contains("role=\"alert\""));
        let header =
            |name: &str| plain.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!((header("content-type"), header("cache-control")), (Some(HTML), Some("no-store")));
        assert!(header("content-security-policy").is_some_and(|policy| policy.contains("form-action 'self'")));
        let failed = files.login(401, "/?a=\"><script>&b='", Some("This <is> wrong."));
        assert_eq!(failed.status, 401);
        assert!(failed.body.contains("value=\"/?a=&quot;&gt;&lt;script&gt;&amp;b=&#39;\""), "{}", failed.body);
        assert!(failed.body.contains("role=\"alert\">This &lt;is&gt; wrong.</p>"));
        assert!(failed.body.contains("aria-invalid=\"true\" aria-describedby=\"problem\""));
    }
}
