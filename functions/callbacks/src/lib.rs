//! The Function URL that workers get as the base of their callbacks if `CallbacksBy` is `FunctionUrl`: reports of steps
//! and callbacks of renders, with the token of a run in the path. It applies them as the functions behind the API do.

use reelhook_api::{Api, SettingsReader, apply_render, apply_step};
use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::jobs::renders::{CallbackAuth, CallbackPorts, Creatomate, RenderPorts};
use reelhook_app::jobs::steps::StepPorts;
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::objects::Bucket;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_domain::Policy;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::jobs::callbacks::{Route, RunToken};
use reelhook_http::jobs::report_line::ReportLine;
use reelhook_http::jobs::step::{Reporter, read};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_outbound::{AllowList, GuardedClient};
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
    jobs: JobTable,
    renders: RenderTable,
    bucket: Bucket,
    work: Queue<WorkMessage>,
    http: GuardedClient,
    policy: Policy,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let jobs = resources.jobs().with_viewers(resources.viewers());
        let work = resources.queues().work();
        let creatomate = resources.environment.url("CREATOMATE_BASE_URL");
        let agent = user_agent(resources.environment.public_base().as_ref());
        let settings = SettingsReader::new(SETTINGS, move |raw, _| {
            Ok(Secrets {
                tokens: raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?,
                creatomate: Creatomate { base: creatomate.clone(), key: raw.secret("CREATOMATE_API_KEY") },
            })
        });
        Ok(Self {
            renders: RenderTable { counters: resources.counters(), jobs: jobs.clone() },
            bucket: resources.bucket(),
            work,
            http: GuardedClient::new(resources.environment.outbound(AllowList::parse), Some(&agent))?,
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
            let ports = StepPorts {
                jobs: &deps.jobs,
                renders: &deps.renders,
                details: &deps.bucket,
                clock: &SystemClock,
                policy: &deps.policy,
            };
            apply_step(&ports, step, &request.request_id, line).await
        }
        Route::Render => {
            let secrets = deps.api.settings.get().await;
            let ports = CallbackPorts {
                renders: RenderPorts {
                    jobs: &deps.jobs,
                    renders: &deps.renders,
                    clock: &SystemClock,
                    policy: &deps.policy,
                    confirmable: secrets.creatomate.key.is_some(),
                },
                http: &deps.http,
                creatomate: &secrets.creatomate,
                work: &deps.work,
            };
            apply_render(&ports, &CallbackAuth::Run(job_id, attempt), request, line).await
        }
    }
}
