//! Pages for browsers, sign-in and sign-out.

use reelhook_app::views::clips::ClipJobIdText;
use reelhook_app::views::scenes::ProjectIdText;
use reelhook_app::views::wire::JobIdText;
use reelhook_app::webhooks::wire::DeliveryIdText;
use reelhook_http::access::session::{NextPage, SignInForm, SignInRequest, SignedIn, SignedOut};

use super::jobs::{SAME_VERSION, TAGGED, VERSIONS};
use crate::operation::{Access, Operation, operation};

/// The operations of pages.
pub fn operations() -> Vec<Operation> {
    vec![
        page("GET /", "showStart", "Show the start page"),
        page("GET /dashboard", "showDashboard", "Show the dashboard"),
        page("GET /queue", "showQueue", "Show the queue"),
        page("GET /job/{id}", "showJob", "Show a job").path::<JobIdText>("id", "The job"),
        page("GET /story/{id}", "showStory", "Show what happened to a job, a project or a clip job")
            .path::<JobIdText>("id", "The job, the project or the clip job"),
        page("GET /projects", "showProjects", "Show the projects of scenes"),
        page("GET /projects/{id}", "showProject", "Show a project and its scenes")
            .path::<ProjectIdText>("id", "The project"),
        page("GET /clips", "showClipJobs", "Show the jobs that cut clips"),
        page("GET /clips/{id}", "showClipJob", "Show a clip job and its clips")
            .path::<ClipJobIdText>("id", "The clip job"),
        page("GET /credits", "showCredits", "Show an account of credits"),
        page("GET /errors", "showErrors", "Show the errors inbox"),
        page("GET /webhooks", "showWebhooks", "Show the webhook endpoints"),
        page("GET /webhooks/deliveries", "showDeliveries", "Show the deliveries of webhooks"),
        page("GET /webhooks/deliveries/{id}", "showDelivery", "Show a delivery and its attempts")
            .path::<DeliveryIdText>("id", "The delivery"),
        operation("pages", "GET /login", "showLogin", "Show the sign-in page")
            .access(Access::Open)
            .stateless()
            .lenient_query::<NextPage>()
            .answer_with::<String>(200, "The page, which needs no script", "text/html", &[])
            .empty_answer(303, "The browser is signed in already: a redirect to `next`", &["Location"]),
        operation("pages", "POST /login", "signIn", "Sign in")
            .about(SIGN_IN)
            .access(Access::Open)
            .stateless()
            .pages()
            .form::<SignInForm>("application/x-www-form-urlencoded")
            .body::<SignInRequest>()
            .answer_with::<SignedIn>(200, "Signed in by JSON", "application/json", &["Set-Cookie"])
            .empty_answer(303, "Signed in by a form: a redirect to `next`", &["Set-Cookie", "Location"])
            .codes(&["sign_in_failed", "foreign_page", "rate_limited"]),
        operation("pages", "POST /logout", "signOut", "Sign out")
            .about(
                "The session's cookie is removed from the browser. To end a session elsewhere, remove its key or \
                 change SESSION_SECRET.",
            )
            .access(Access::Open)
            .stateless()
            .answer_with::<SignedOut>(200, "Signed out by JSON", "application/json", &["Set-Cookie"])
            .empty_answer(303, "Signed out by a form: a redirect to `/login`", &["Set-Cookie", "Location"])
            .codes(&["foreign_page"]),
    ]
}

/// A page.
fn page(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("pages", route, id, summary)
        .access(Access::Page)
        .stateless()
        .header::<String>("If-None-Match", VERSIONS)
        .answer_with::<String>(200, "The page", "text/html", TAGGED)
        .empty_answer(303, "No session: a redirect to `/login`, which leads back to the page", &["Location"])
        .empty_answer(304, SAME_VERSION, TAGGED)
}

/// The session, and the limit of sign-ins.
const SIGN_IN: &str = "A session lasts twelve hours. It starts with an API key, or with API_USERNAME and API_PASSWORD, \
                       and ends early if its key is removed. A form is answered with pages, JSON with JSON. The rate \
                       limit applies to each address, for IPv6 to each /64.";
