//! The pages: what differs from page to page, and the HTML around it.

use crate::live::LiveSources;

/// The HTML around the content of each page.
const FRAME: &str = include_str!("../assets/frame.html");
/// The links between pages.
const NAVIGATION: &str = include_str!("../assets/navigation.html");
/// The button to sign out.
const SIGN_OUT: &str = include_str!("../assets/sign-out.html");

/// The parts of a page that differ from page to page.
pub struct Page {
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
    /// The HTML of the page, with where live updates come from and the name of the stack, if commands need it; `sign_out` adds
    /// the button to sign out.
    pub fn text(&self, live: &LiveSources, stack: Option<&str>, sign_out: bool) -> String {
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
            ("{{STREAM_ORIGIN}}", live.stream_origin()),
            ("{{LIVE_URL}}", live.socket_url()),
            ("{{STACK}}", stack.unwrap_or_default()),
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
const STORY: Page =
    page!("story.html", "Story", "What happened to one job, project or clip job, as one time line.", "story", None);
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
const CLIPS: Page = Page {
    style: Some("clips"),
    ..page!(
        "clips.html",
        "Clips",
        "Clips of videos, and the jobs that cut them.",
        "clips/list",
        Some(("/clips", "page"))
    )
};
const CLIP_JOB: Page = Page {
    style: Some("clips"),
    ..page!(
        "clip-job.html",
        "Clip job",
        "One clip job: its progress, its time line and its clips.",
        "clips/job",
        Some(("/clips", "true"))
    )
};
const CREDITS: Page = Page {
    style: Some("clips"),
    ..page!(
        "credits.html",
        "Credits",
        "The balance of an account, and its entries.",
        "credits/account",
        Some(("/credits", "page"))
    )
};
const ERRORS: Page = Page {
    style: Some("scenes"),
    ..page!("errors.html", "Errors", "What failed, and what to do about it.", "errors/inbox", Some(("/errors", "page")))
};

/// The pages by their paths, in which `{id}` stands for any segment.
pub const PAGES: [(&str, Page); 14] = [
    ("/", INDEX),
    ("/dashboard", DASHBOARD),
    ("/queue", QUEUE),
    ("/job/{id}", JOB),
    ("/story/{id}", STORY),
    ("/webhooks", WEBHOOKS),
    ("/webhooks/deliveries", DELIVERIES),
    ("/webhooks/deliveries/{id}", DELIVERY),
    ("/projects", PROJECTS),
    ("/projects/{id}", PROJECT),
    ("/clips", CLIPS),
    ("/clips/{id}", CLIP_JOB),
    ("/credits", CREDITS),
    ("/errors", ERRORS),
];

/// Whether the segments are those of a page's path.
pub fn fits(path: &str, segments: &[&str]) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let all_fit = segments.iter().all(|segment| parts.next().is_some_and(|part| part == *segment || part == "{id}"));
    all_fit && parts.next().is_none()
}

/// The sign-in page; it works without a script.
pub const LOGIN: Page = Page {
    title: "Sign in",
    description: "Sign in to see and make videos.",
    script: None,
    style: None,
    current: None,
    content: include_str!("../assets/login.html"),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_segments_of_its_page() {
        let path = |segments: &[&str]| PAGES.iter().find(|(path, _)| fits(path, segments)).map(|(path, _)| *path);
        assert_eq!(path(&[]), Some("/"));
        assert_eq!(path(&["clips"]), Some("/clips"));
        assert_eq!(path(&["clips", "550e8400"]), Some("/clips/{id}"));
        assert_eq!(path(&["story", "job_1"]), Some("/story/{id}"));
        assert_eq!(path(&["webhooks", "deliveries"]), Some("/webhooks/deliveries"));
        assert_eq!((path(&["clips", "a", "b"]), path(&["job"]), path(&["clip"])), (None, None, None));
    }

    #[test]
    fn each_page_is_complete_and_marks_its_navigation_link() {
        let check = |page: Page, current: Option<&str>| {
            let (title, text) = (page.title, page.text(&LiveSources::default(), None, true));
            assert!(!text.contains("{{"), "{title} has an unfilled placeholder");
            assert!(text.contains(&format!("<title>{title} · Reelhook</title>")));
            let script = page.script.expect("a script");
            assert!(text.contains(&format!("/assets/js/{script}.js")) && text.contains("<main id=\"main\""));
            assert!(text.contains("action=\"/logout\""), "{title}");
            assert!(
                !page.text(&LiveSources::default(), None, false).contains("/logout"),
                "{title}: without keys there is no session to end"
            );
            let navigation = text.lines().find(|line| line.contains("<nav aria-label=\"Main\"")).unwrap();
            let marked: Vec<&str> = navigation.split("<a ").filter(|link| link.contains("aria-current")).collect();
            assert_eq!(marked.first().copied(), current, "{title}");
            assert!(marked.len() <= 1, "{title}: {marked:?}");
        };
        check(INDEX, Some("href=\"/\" aria-current=\"page\">New video</a>"));
        check(DASHBOARD, Some("href=\"/dashboard\" aria-current=\"page\">Dashboard</a>"));
        check(QUEUE, Some("href=\"/queue\" aria-current=\"page\">Queue</a>"));
        check(JOB, None);
        check(STORY, None);
        check(WEBHOOKS, Some("href=\"/webhooks\" aria-current=\"page\">Webhooks</a></nav>"));
        check(DELIVERIES, Some("href=\"/webhooks\" aria-current=\"true\">Webhooks</a></nav>"));
        check(DELIVERY, Some("href=\"/webhooks\" aria-current=\"true\">Webhooks</a></nav>"));
        check(PROJECTS, Some("href=\"/projects\" aria-current=\"page\">Projects</a>"));
        check(PROJECT, Some("href=\"/projects\" aria-current=\"true\">Projects</a>"));
        check(CLIPS, Some("href=\"/clips\" aria-current=\"page\">Clips</a>"));
        check(CLIP_JOB, Some("href=\"/clips\" aria-current=\"true\">Clips</a>"));
        check(CREDITS, Some("href=\"/credits\" aria-current=\"page\">Credits</a>"));
        check(ERRORS, Some("href=\"/errors\" aria-current=\"page\">Errors</a>"));
    }
}
