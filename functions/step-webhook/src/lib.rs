//! POST /api/webhooks/step-update: external workers report their steps. Reports are authenticated on their raw bytes.

use reelhook_api::{Api, JobReports, SettingsReader, WithAccess};
use reelhook_app::clock::ClockAndRandom;
use reelhook_aws::objects::Bucket;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::jobs::callbacks::Route;
use reelhook_http::jobs::report_line::ReportLine;
use reelhook_http::jobs::step::{Credentials, read, reporter};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_signing::SigningKeys;

/// The keys that authenticate reports, and the secret of the domain in front of the API.
pub struct Secrets {
    tokens: SigningKeys,
    secret: Option<SigningKeys>,
    edge: Edge,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET", "STEP_WEBHOOK_SECRET", Edge::SETTING];

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API.
    pub api: Api<WithAccess<Secrets>>,
    reports: JobReports,
    details: Bucket,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let reports = JobReports::for_jobs(&mut resources);
        let details = resources.bucket();
        let settings = SettingsReader::new(SETTINGS, |raw, _| {
            Ok(Secrets {
                tokens: raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?,
                secret: raw.get("STEP_WEBHOOK_SECRET").and_then(SigningKeys::parse),
                edge: Edge::read(&|name| raw.text(name)),
            })
        });
        let api = Api::for_reports(resources, settings.with_access(), reports.first_call()).await?;
        Ok(Self { api, reports, details })
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
    let settings = deps.api.settings.get().await;
    line.write(&settings.own.edge, request, &answer, Route::Step.received());
    answer
}

async fn take(deps: &Deps, request: &ApiRequest, line: &mut ReportLine) -> Result<ApiAnswer, Problem> {
    let now = SystemClock.now();
    let authenticate = |settings: &WithAccess<Secrets>| {
        let WithAccess { access, own: Secrets { tokens, secret, .. } } = settings;
        reporter(request, &Credentials { tokens, secret: secret.as_ref(), access }, now)
    };
    let reporter = deps.api.settings.check(authenticate).await?;
    let step = read(request, &reporter, now)?;
    line.job_id = Some(step.job_id.clone());
    deps.api.limits.admit_report(&step.job_id).await?;
    deps.reports.step(&deps.details, step, &request.request_id, line).await
}
