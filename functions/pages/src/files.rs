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

/// The HTML around the content of each page.
const FRAME: &str = include_str!("../assets/frame.html");
/// The links between pages.
const NAVIGATION: &str = include_str!("../assets/navigation.html");
/// The button to sign out.
const SIGN_OUT: &str = include_str!("../assets/sign-out.html");
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
const SCRIPTS: [(&str, &str); 45] = scripts![
    "actions.js",
    "api.js",
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
    "form-parts.js",
    "form.js",
    "format.js",
    "header-rows.js",
    "job-lists.js",
    "job.js",
    "live.js",
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
    "sheet.js",
    "steps.js",
    "timeline.js",
    "webhooks.js",
    "words.js",
];

/// The parts of a page that differ from page to page.
struct Page {
    title: &'static str,
    description: &'static str,
    /// The main module, without its file extension; none if the page needs no script.
    script: Option<&'static str>,
    /// The style sheet beside the one of all pages, without its file extension.
    style: Option<&'static str>,
    /// The current link of the navigation, and its `aria-current`: `page` for the linked page, `true` for a page below
    /// it.
    current: Option<(&'static str, &'static str)>,
    content: &'static str,
}

impl Page {
    /// The HTML of the page. Live updates come from `stream_origin`; `sign_out` adds the button to sign out.
    fn text(&self, stream_origin: &str, sign_out: bool) -> String {
        let tag = |script| format!("    <script type=\"module\" src=\"/assets/js/{script}.js\"></script>\n");
        let module = self.script.map(tag).unwrap_or_default();
        let link = |style| format!("    <link rel=\"stylesheet\" href=\"/assets/{style}.css\">\n");
        let style = self.style.map(link).unwrap_or_default();
        let navigation = match (self.script, sign_out) {
            (None, _) => String::new(),
            (Some(_), false) => NAVIGATION.to_owned(),
            (Some(_), true) => format!("{NAVIGATION}{SIGN_OUT}"),
        };
        let parts = [
            ("{{STREAM_ORIGIN}}", stream_origin),
            ("{{TITLE}}", self.title),
            ("{{DESCRIPTION}}", self.description),
            ("{{STYLE}}", style.as_str()),
            ("{{MODULE}}", module.as_str()),
            ("{{NAVIGATION}}", navigation.as_str()),
        ];
        let mut text = parts.iter().fold(FRAME.to_owned(), |text, (name, value)| text.replace(name, value));
        if let Some((link, word)) = self.current {
            // The name of the product also links to the start page, and must not be marked.
            let link = format!("<a href=\"{link}\"");
            text = text.replace(&format!("{link}>"), &format!("{link} aria-current=\"{word}\">"));
        }
        text.replace("{{CONTENT}}", self.content)
    }
}

macro_rules! page {
    ($name:literal, $title:literal, $description:literal, $script:literal, $current:expr) => {
        Page {
            title: $title,
            description: $description,
            script: Some($script),
            style: None,
            current: $current,
            content: include_str!(concat!("../assets/", $name)),
        }
    };
}

const INDEX: Page =
    page!("index.html", "New video", "Choose what the video is about and submit it.", "form", Some(("/", "page")));
const DASHBOARD: Page = page!(
    "dashboard.html",
    "Dashboard",
    "The state of the queue and the health of the webhooks.",
    "dashboard",
    Some(("/dashboard", "page"))
);
const QUEUE: Page =
    page!("queue.html", "Queue", "All jobs, and the actions on them.", "queue", Some(("/queue", "page")));
const JOB: Page = page!("job.html", "Job", "One job: its steps, its video, its log and its deliveries.", "job", None);
const WEBHOOKS: Page = page!(
    "webhooks.html",
    "Webhooks",
    "Where Reelhook sends webhooks, and the health of each endpoint.",
    "webhooks",
    Some(("/webhooks", "page"))
);
const DELIVERIES: Page = page!(
    "deliveries.html",
    "Deliveries",
    "All webhooks that were sent or are scheduled.",
    "deliveries",
    Some(("/webhooks", "true"))
);
const DELIVERY: Page = page!(
    "delivery.html",
    "Delivery",
    "One webhook: its content and each delivery attempt.",
    "delivery",
    Some(("/webhooks", "true"))
);
const PROJECTS: Page = Page {
    style: Some("scenes"),
    ..page!(
        "projects.html",
        "Projects",
        "Projects of scenes, and their videos.",
        "projects/list",
        Some(("/projects", "page"))
    )
};
const PROJECT: Page = Page {
    style: Some("scenes"),
    ..page!(
        "project.html",
        "Project",
        "One project: its scenes, their takes and its video.",
        "projects/project",
        Some(("/projects", "true"))
    )
};
const ERRORS: Page = Page {
    style: Some("scenes"),
    ..page!("errors.html", "Errors", "What failed, and what to do about it.", "errors/inbox", Some(("/errors", "page")))
};

/// The sign-in page; it works without a script.
const LOGIN: Page = Page {
    title: "Sign in",
    description: "Sign in to see and make videos.",
    script: None,
    style: None,
    current: None,
    content: include_str!("../assets/login.html"),
};

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
    index: File,
    dashboard: File,
    queue: File,
    job: File,
    webhooks: File,
    deliveries: File,
    delivery: File,
    projects: File,
    project: File,
    errors: File,
    login: String,
    styles: [(&'static str, File); 2],
    icon: File,
    description: File,
    scripts: Vec<(&'static str, File)>,
    policy: String,
}

impl Files {
    /// The files. Live updates come from the origin of `stream`, or from the pages' own; `sign_out` adds the button to
    /// sign out.
    pub fn new(stream: Option<&Url>, sign_out: bool) -> Self {
        let origin = stream.map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let page = |page: Page| File::new(HTML, page.text(&origin, sign_out));
        let style = |text: &'static str| File::new("text/css; charset=utf-8", text);
        Self {
            index: page(INDEX),
            dashboard: page(DASHBOARD),
            queue: page(QUEUE),
            job: page(JOB),
            webhooks: page(WEBHOOKS),
            deliveries: page(DELIVERIES),
            delivery: page(DELIVERY),
            projects: page(PROJECTS),
            project: page(PROJECT),
            errors: page(ERRORS),
            login: LOGIN.text(&origin, sign_out),
            styles: [
                ("style.css", style(include_str!("../assets/style.css"))),
                ("scenes.css", style(include_str!("../assets/scenes.css"))),
            ],
            icon: File::new("image/svg+xml", include_str!("../assets/favicon.svg")),
            // With its line breaks, for people who read it or search it with `curl`: clients that accept gzip load 64
            // KB instead of 53, and a cold start does not read it.
            description: File::new("application/json", include_str!("../openapi/openapi.json")),
            scripts: SCRIPTS.map(|(path, text)| (path, File::new(SCRIPT, text))).into(),
            policy: policy(&origin),
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
        Some(match &request.segments()[..] {
            [] => &self.index,
            ["dashboard"] => &self.dashboard,
            ["queue"] => &self.queue,
            ["job", _] => &self.job,
            ["webhooks"] => &self.webhooks,
            ["webhooks", "deliveries"] => &self.deliveries,
            ["webhooks", "deliveries", _] => &self.delivery,
            ["projects"] => &self.projects,
            ["projects", _] => &self.project,
            ["errors"] => &self.errors,
            _ => return None,
        })
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

fn policy(stream_origin: &str) -> String {
    let sources = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        // Frames of scenes are at outside services until they are copied, and a local bucket has no https.
        "img-src 'self' http: https: data:",
        "media-src 'self' http: https:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ];
    format!("{}; connect-src 'self' {stream_origin}", sources.join("; ")).trim_end().to_owned()
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
    fn each_page_is_complete_and_marks_its_navigation_link() {
        let check = |page: Page, current: Option<&str>| {
            let (title, text) = (page.title, page.text("https://stream.example", true));
            assert!(!text.contains("{{"), "{title} has an unfilled placeholder");
            assert!(text.contains(&format!("<title>{title} · Reelhook</title>")));
            let script = page.script.expect("a script");
            assert!(text.contains(&format!("/assets/js/{script}.js")) && text.contains("<main id=\"main\""));
            assert!(text.contains("action=\"/logout\""), "{title}");
            assert!(!page.text("", false).contains("/logout"), "{title}: without keys there is no session to end");
            let navigation = text.lines().find(|line| line.contains("<nav aria-label=\"Main\"")).unwrap();
            let marked: Vec<&str> = navigation.split("<a ").filter(|link| link.contains("aria-current")).collect();
            assert_eq!(marked.first().copied(), current, "{title}");
            assert!(marked.len() <= 1, "{title}: {marked:?}");
        };
        check(INDEX, Some("href=\"/\" aria-current=\"page\">New video</a>"));
        check(DASHBOARD, Some("href=\"/dashboard\" aria-current=\"page\">Dashboard</a>"));
        check(QUEUE, Some("href=\"/queue\" aria-current=\"page\">Queue</a>"));
        check(JOB, None);
        check(WEBHOOKS, Some("href=\"/webhooks\" aria-current=\"page\">Webhooks</a></nav>"));
        check(DELIVERIES, Some("href=\"/webhooks\" aria-current=\"true\">Webhooks</a></nav>"));
        check(DELIVERY, Some("href=\"/webhooks\" aria-current=\"true\">Webhooks</a></nav>"));
        check(PROJECTS, Some("href=\"/projects\" aria-current=\"page\">Projects</a>"));
        check(PROJECT, Some("href=\"/projects\" aria-current=\"true\">Projects</a>"));
        check(ERRORS, Some("href=\"/errors\" aria-current=\"page\">Errors</a>"));
    }

    #[test]
    fn a_cold_start_computes_no_etag() {
        let files = Files::new(None, true);
        assert!(files.description.tag.get().is_none() && files.index.tag.get().is_none());
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
    fn the_policy_allows_connections_to_the_stream_origin_only() {
        let stream = Url::parse("https://abc.lambda-url.us-east-1.on.aws/").unwrap();
        let files = Files::new(Some(&stream), true);
        assert!(files.policy.ends_with("connect-src 'self' https://abc.lambda-url.us-east-1.on.aws"));
        assert!(files.job.text.contains("content=\"https://abc.lambda-url.us-east-1.on.aws\""));
        assert!(Files::new(None, true).policy.ends_with("connect-src 'self'"));
    }

    #[test]
    fn the_sign_in_page_is_complete_needs_no_script_and_escapes_input() {
        let files = Files::new(None, true);
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
