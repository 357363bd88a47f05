//! Serves the pages with their files, the API's description, the catalogue, health, and paths of no other function.

mod files;
mod live;
mod login;
mod page;

use std::future::ready;

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::catalog::preview;
use reelhook_app::clock::ClockAndRandom;
use reelhook_aws::catalog::CatalogTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_http::access::session::to_login;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::answer::service::{health_answer, test_answer};
use reelhook_http::catalog::{Route, genres_answer, platforms_answer, preview_answer, templates_answer};
use reelhook_http::edge::Edge;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::routes;
use reelhook_http::site::Mode;

use crate::files::Files;
use crate::live::LiveSources;

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API, and the secret of the domain in front of it.
    pub api: Api<WithAccess<Edge>>,
    catalog: CatalogTable,
    files: Files,
}

const SETTINGS: &[&str] = &[Edge::SETTING];

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let edge = SettingsReader::new(SETTINGS, |raw, _| Ok(Edge::read(&|name| raw.text(name))));
        let (catalog, environment) = (resources.catalog(), &mut resources.environment);
        let (stream, socket) = (environment.optional_url("STREAM_URL"), environment.optional_url("LIVE_URL"));
        // On a laptop, links to the bucket are links to the emulator.
        let (emulator, bucket) = (environment.optional_url("AWS_ENDPOINT_URL"), environment.optional_url("UPLOAD_URL"));
        // There, commands need no name of a stack either.
        let stack = environment.optional("STACK_NAME").filter(|_| emulator.is_none());
        let api = Api::for_callers(resources, edge, ready(Ok(()))).await?;
        let live = LiveSources::new(stream.as_ref(), socket.as_ref());
        let sign_out = api.site.mode() == Mode::Required;
        let files = Files::new(&live, emulator.or(bucket).as_ref(), stack.as_deref(), sign_out);
        Ok(Self { api, catalog, files })
    }
}

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let is_read = matches!(request.method.as_str(), "GET" | "HEAD");
    match &request.segments()[..] {
        ["health"] | ["api", "health"] if is_read => return Ok(health_answer(SystemClock.now())),
        ["openapi.json"] if is_read => return Ok(deps.files.description(request)),
        _ => {}
    }
    if let Some(answer) = login::answer(&deps.files, &deps.api, request).await {
        return answer;
    }
    if let Some(asset) = deps.files.asset(request) {
        return if is_read { Ok(asset) } else { Err(routes::read_only()) };
    }
    let caller = deps.api.authenticate(request).await;
    if is_read && caller == Err(Problem::Request(RequestProblem::Unauthorized)) && deps.files.has_page(request) {
        return Ok(to_login(request));
    }
    let caller = caller?;
    if let Some(page) = deps.files.page(request) {
        return if is_read { Ok(page) } else { Err(routes::read_only()) };
    }
    // The rate limit counts only API calls, because a page loads a dozen files.
    deps.api.limits.admit(&caller.fingerprint).await?;
    if request.method == "GET" && request.path == "/api/test" {
        return Ok(test_answer());
    }
    match Route::read(request)? {
        Some(Route::Platforms(country)) => Ok(platforms_answer(&country)),
        Some(Route::Genres(country)) => Ok(genres_answer(&country)),
        Some(Route::Templates) => Ok(templates_answer()),
        Some(Route::Preview(choice)) => Ok(preview_answer(&choice, &preview(&deps.catalog, &choice).await?)),
        None => Err(routes::unknown(request)),
    }
}
