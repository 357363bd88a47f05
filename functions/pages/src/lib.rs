//! Serves the pages with their files, the API's description, the catalogue, health, and paths of no other function.

mod files;
mod login;
mod secrets;

use std::convert::Infallible;

use lambda_http::{Body, Request, Response};
use reelhook_app::Url;
use reelhook_app::catalog::preview;
use reelhook_app::clock::ClockAndRandom;
use reelhook_aws::catalog::CatalogTable;
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::SystemClock;
use reelhook_http::access::Access;
use reelhook_http::access::session::to_login;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::catalog::{Route, genres_answer, platforms_answer, preview_answer, templates_answer};
use reelhook_http::edge::Edge;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::routes;
use reelhook_http::serve::serve;
use reelhook_http::site::{Mode, Site};
use serde_json::json;

use crate::files::Files;
use crate::login::LoginHandler;
use crate::secrets::Secrets;

/// The configuration of the function.
pub struct Config {
    catalog_table: String,
    counters_table: String,
    settings_path: String,
    stream_url: Option<Url>,
    calls_per_minute: u32,
    site: Site,
}

impl Config {
    /// Reads CATALOG_TABLE, COUNTERS_TABLE, SETTINGS_PATH, STREAM_URL, PUBLIC_BASE_URL, CORS_ORIGINS, AUTH and
    /// API_CALLS_PER_MINUTE.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or invalid variable.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            catalog_table: environment.required("CATALOG_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            settings_path: environment.required("SETTINGS_PATH"),
            stream_url: environment.optional_url("STREAM_URL"),
            calls_per_minute: environment.calls_per_minute(),
            site: environment.site(Site::read),
        };
        environment.finish()?;
        Ok(config)
    }
}

const SETTINGS: &[&str] = &["API_KEYS", "API_USERNAME", "API_PASSWORD", "SESSION_SECRET", Edge::SETTING];

/// The dependencies of the function.
pub struct Deps {
    catalog: CatalogTable,
    files: Files,
    site: Site,
    secrets: Settings<Secrets>,
    limits: Limits,
}

impl Deps {
    /// Builds the clients and reads the keys before the first event.
    ///
    /// # Errors
    /// When the keys can't be read.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let site = config.site.clone();
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, move |raw| {
            let lookup = |name: &str| raw.text(name);
            Ok(Secrets { access: Access::read(&site, &lookup)?, edge: Edge::read(&lookup) })
        });
        let dynamodb = clients.dynamodb();
        let counters = CounterTable::new(dynamodb.clone(), config.counters_table);
        Ok(Self {
            catalog: CatalogTable::new(dynamodb, config.catalog_table),
            limits: Limits::of_callers(counters, config.calls_per_minute),
            files: Files::new(config.stream_url.as_ref(), config.site.mode() == Mode::Required),
            secrets: secrets.await?,
            site: config.site,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// Never: every error becomes an answer.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Infallible> {
    Ok(serve(&deps.site, request, async |request| respond(deps, request).await).await)
}

async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let is_read = matches!(request.method.as_str(), "GET" | "HEAD");
    match &request.segments()[..] {
        ["health"] | ["api", "health"] if is_read => return Ok(health()),
        ["openapi.json"] if is_read => return Ok(deps.files.description(request)),
        _ => {}
    }
    if let Some(answer) = login::answer(&login_handler(deps), request).await {
        return answer;
    }
    if let Some(asset) = deps.files.asset(request) {
        return if is_read { Ok(asset) } else { Err(routes::read_only()) };
    }
    let caller = deps.secrets.check(|secrets| secrets.access.caller(request, SystemClock.now())).await;
    if is_read && caller == Err(Problem::Request(RequestProblem::Unauthorized)) && deps.files.has_page(request) {
        return Ok(to_login(request));
    }
    let caller = caller?;
    if let Some(page) = deps.files.page(request) {
        return if is_read { Ok(page) } else { Err(routes::read_only()) };
    }
    // The rate limit counts only API calls, because a page loads a dozen files.
    deps.limits.admit(&caller.fingerprint).await?;
    if request.method == "GET" && request.path == "/api/test" {
        return Ok(disabled());
    }
    match Route::read(request)? {
        Some(Route::Platforms(country)) => Ok(platforms_answer(&country)),
        Some(Route::Genres(country)) => Ok(genres_answer(&country)),
        Some(Route::Templates) => Ok(templates_answer()),
        Some(Route::Preview(choice)) => Ok(preview_answer(&choice, &preview(&deps.catalog, &choice).await?)),
        None => Err(routes::unknown(request)),
    }
}

fn login_handler(deps: &Deps) -> LoginHandler<'_> {
    LoginHandler { files: &deps.files, site: &deps.site, secrets: &deps.secrets, limits: &deps.limits }
}

fn health() -> ApiAnswer {
    let now = SystemClock.now().to_string();
    ApiAnswer::json(200, &json!({ "status": "healthy", "timestamp": now, "service": "reelhook" }))
}

/// The answer of the test endpoint, which is disabled as in the original.
fn disabled() -> ApiAnswer {
    let info = "Submit a job with POST /api/generate instead";
    ApiAnswer::json(200, &json!({ "success": true, "message": "The test endpoint is disabled", "info": info }))
}
