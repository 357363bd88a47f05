//! POST /api/webhooks/creatomate: receives render callbacks, and confirms the ends that they report at Creatomate. A
//! callback without a token is only a hint.

use reelhook_api::{Api, JobReports, RenderClients, SettingsReader, creatomate_access};
use reelhook_app::jobs::renders::{CallbackAuth, Creatomate};
use reelhook_aws::resources::Resources;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::jobs::callbacks::Route;
use reelhook_http::jobs::creatomate::authenticate;
use reelhook_http::jobs::report_line::ReportLine;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_signing::SigningKeys;

/// The keys that authenticate callbacks, the access to Creatomate, which confirms them, and the secret of the domain in
/// front of the API.
pub struct Secrets {
    tokens: SigningKeys,
    operator: Option<SigningKeys>,
    creatomate: Creatomate,
    edge: Edge,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET", "OPERATOR_CALLBACK_TOKEN", "CREATOMATE_API_KEY", Edge::SETTING];

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API.
    pub api: Api<Secrets>,
    reports: JobReports,
    clients: RenderClients,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let reports = JobReports::for_jobs(&mut resources);
        let clients = RenderClients::for_renders(&mut resources)?;
        let creatomate = creatomate_access(&mut resources.environment);
        let settings = SettingsReader::new(SETTINGS, move |raw, _| {
            Ok(Secrets {
                tokens: raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?,
                operator: raw.get("OPERATOR_CALLBACK_TOKEN").and_then(SigningKeys::parse),
                creatomate: creatomate(raw),
                edge: Edge::read(&|name| raw.text(name)),
            })
        });
        let api = Api::for_reports(resources, settings, reports.first_call()).await?;
        Ok(Self { api, reports, clients })
    }
}

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let mut line = ReportLine::default();
    let answer = take(deps, request, &mut line).await;
    // The audit log has every caller, admitted or refused.
    let secrets = deps.api.settings.get().await;
    line.write(&secrets.edge, request, &answer, Route::Render.received());
    answer
}

async fn take(deps: &Deps, request: &ApiRequest, line: &mut ReportLine) -> Result<ApiAnswer, Problem> {
    let check = |secrets: &Secrets| authenticate(request, &secrets.tokens, secrets.operator.as_ref());
    let auth = deps.api.settings.check(check).await?;
    let secrets = deps.api.settings.get().await;
    if auth == CallbackAuth::Anonymous && secrets.creatomate.key.is_none() {
        return Err(Problem::Request(RequestProblem::Unauthorized));
    }
    match &auth {
        CallbackAuth::Run(job_id, _) => deps.api.limits.admit_report(job_id).await?,
        // Hints need no authentication, but each one reads tables, so their number is limited.
        CallbackAuth::Anonymous => deps.api.limits.admit(&format!("hint {}", secrets.edge.network(request))).await?,
        CallbackAuth::Operator => {}
    }
    deps.reports.render(&deps.clients, &secrets.creatomate, &auth, request, line).await
}
