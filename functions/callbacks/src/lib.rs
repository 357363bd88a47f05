//! The Function URL that workers get as the base of their callbacks if `CallbacksBy` is `FunctionUrl`: reports of steps
//! and callbacks of renders, with the token of a run in the path. It applies them as the functions behind the API do.

use reelhook_api::{Api, JobReports, RenderClients, SettingsReader, creatomate_access};
use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::jobs::renders::{CallbackAuth, Creatomate};
use reelhook_aws::objects::Bucket;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::jobs::callbacks::{Route, RunToken};
use reelhook_http::jobs::report_line::ReportLine;
use reelhook_http::jobs::step::{Reporter, read};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_signing::SigningKeys;

/// The keys that authenticate callbacks, and the access to Creatomate, which confirms them.
pub struct Secrets {
    tokens: SigningKeys,
    creatomate: Creatomate,
}

// No API key, and no secret of workers that sign: only tokens of runs count here.
const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET", "CREATOMATE_API_KEY"];

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the functions behind the API.
    pub api: Api<Secrets>,
    reports: JobReports,
    clients: RenderClients,
    details: Bucket,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let reports = JobReports::for_jobs(&mut resources);
        let clients = RenderClients::for_renders(&mut resources)?;
        let details = resources.bucket();
        let creatomate = creatomate_access(&mut resources.environment);
        let settings = SettingsReader::new(SETTINGS, move |raw, _| {
            Ok(Secrets {
                tokens: raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?,
                creatomate: creatomate(raw),
            })
        });
        let api = Api::for_reports(resources, settings, reports.first_call()).await?;
        Ok(Self { api, reports, clients, details })
    }
}

/// Answers a request. What is no callback with a valid token is refused before a table is read: nothing in front of a
/// Function URL limits how often it is called.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let route = Route::read(request)?;
    let mut line = ReportLine::default();
    let answer = take(deps, request, route, &mut line).await;
    // The audit log has every caller, admitted or refused.
    line.write(&Edge::default(), request, &answer, route.received());
    answer
}

async fn take(deps: &Deps, request: &ApiRequest, route: Route, line: &mut ReportLine) -> Result<ApiAnswer, Problem> {
    let RunToken { job_id, attempt } =
        deps.api.settings.check(|secrets| RunToken::of(request, &secrets.tokens)).await?;
    line.job_id = Some(job_id.clone());
    deps.api.limits.admit_report(&job_id).await?;
    match route {
        Route::Step => {
            let step = read(request, &Reporter::Run(job_id, attempt), SystemClock.now())?;
            deps.reports.step(&deps.details, step, &request.request_id, line).await
        }
        Route::Render => {
            let auth = CallbackAuth::Run(job_id, attempt);
            let secrets = deps.api.settings.get().await;
            deps.reports.render(&deps.clients, &secrets.creatomate, &auth, request, line).await
        }
    }
}
