//! The Function URL that workers get as the base of their callbacks if `CallbacksBy` is `FunctionUrl`: reports of steps
//! and callbacks of renders, with the token of a run in the path. It applies them as the functions behind the API do.

use reelhook_api::{Api, SettingsReader};
use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::jobs::renders::{CallbackAuth, RenderPorts};
use reelhook_app::jobs::steps::StepPorts;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::objects::Bucket;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_domain::Policy;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::callbacks::{Route, RunToken};
use reelhook_http::jobs::step::{Reporter, read};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_signing::SigningKeys;

/// The keys that authenticate callbacks, and whether Creatomate can confirm them.
pub struct Secrets {
    tokens: SigningKeys,
    confirmable: bool,
}

// No API key, and no secret of workers that sign: only tokens of runs count here.
const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET", "CREATOMATE_API_KEY"];

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the functions behind the API.
    pub api: Api<Secrets>,
    jobs: JobTable,
    renders: RenderTable,
    bucket: Bucket,
    work: Queue<WorkMessage>,
    policy: Policy,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let (jobs, work) = (resources.jobs(), resources.queues().work());
        let settings = SettingsReader::new(SETTINGS, |raw, _| {
            Ok(Secrets {
                tokens: raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?,
                confirmable: raw.get("CREATOMATE_API_KEY").is_some(),
            })
        });
        Ok(Self {
            renders: RenderTable { counters: resources.counters(), jobs: jobs.clone() },
            bucket: resources.bucket(),
            work,
            policy: resources.environment.policy(),
            api: Api::for_reports(resources, settings, jobs.first_call()).await?,
            jobs,
        })
    }
}

/// Answers a request. What is no callback with a valid token is refused before a table is read: nothing in front of a
/// Function URL limits how often it is called.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let route = Route::read(request)?;
    // The audit log has every caller, admitted or refused.
    request.audit(&request.source_ip, route.received());
    let RunToken { job_id, attempt } =
        deps.api.settings.check(|secrets| RunToken::of(request, &secrets.tokens)).await?;
    deps.api.limits.admit_report(&job_id).await?;
    match route {
        Route::Step => {
            let step = read(request, &Reporter::Run(job_id, attempt), SystemClock.now())?;
            let ports =
                StepPorts { jobs: &deps.jobs, details: &deps.bucket, clock: &SystemClock, policy: &deps.policy };
            step_webhook::apply(&ports, step, &request.request_id).await
        }
        Route::Render => {
            let ports = RenderPorts {
                jobs: &deps.jobs,
                renders: &deps.renders,
                clock: &SystemClock,
                policy: &deps.policy,
                confirmable: deps.api.settings.get().await.confirmable,
            };
            creatomate_webhook::apply(&ports, &deps.work, &CallbackAuth::Run(job_id, attempt), request).await
        }
    }
}
