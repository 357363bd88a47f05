//! POST /api/generate: creates a job with one conditional put and answers without waiting for it.

use std::convert::Infallible;
use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::submit::{SubmitStore, Submitted, submit};
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, warm_up};
use reelhook_domain::{Job, Policy};
use reelhook_http::access::Access;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::generate::{answer, read};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::serve;
use reelhook_http::site::Site;

/// The configuration of the function.
pub struct Config {
    jobs_table: String,
    counters_table: String,
    settings_path: String,
    calls_per_minute: u32,
    site: Site,
    policy: Policy,
}

impl Config {
    /// Reads JOBS_TABLE, COUNTERS_TABLE, SETTINGS_PATH, PUBLIC_BASE_URL, CORS_ORIGINS, AUTH, API_CALLS_PER_MINUTE and
    /// the jobs' timers.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or invalid variable.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            settings_path: environment.required("SETTINGS_PATH"),
            calls_per_minute: environment.calls_per_minute(),
            site: environment.site(Site::read),
            policy: environment.policy(),
        };
        environment.finish()?;
        Ok(config)
    }
}

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    site: Site,
    access: Settings<Access>,
    limits: Limits,
    policy: Policy,
}

impl Deps {
    /// Builds the clients and reads the keys before the first event.
    ///
    /// # Errors
    /// When the keys can't be read.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let counters = CounterTable::new(clients.dynamodb(), config.counters_table);
        let jobs = JobTable::new(clients.dynamodb(), config.jobs_table, counters.clone(), Arc::new(SystemClock));
        let site = config.site.clone();
        let access = Settings::load(clients.ssm(), config.settings_path, Access::SETTINGS, move |raw| {
            Ok(Access::read(&site, &|name| raw.text(name))?)
        });
        let (access, ()) = tokio::join!(access, warm_up(jobs.queue_counts()));
        let limits = Limits::of_callers(counters, config.calls_per_minute);
        Ok(Self { site: config.site, access: access?, limits, jobs, policy: config.policy })
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
    let caller = deps.access.check(|access| access.caller(request, SystemClock.now())).await?;
    deps.limits.admit(&caller.fingerprint).await?;
    let submission = read(request, caller)?;
    let accept = |job: &Job, counts: &QueueCounts| {
        tracing::info!(job_id = %job.id, caller = job.origin.caller, traceparent = job.origin.traceparent, "accepted a job");
        answer(job, counts)
    };
    match submit(&deps.jobs, &SystemClock, &deps.policy, submission, accept).await? {
        Submitted::Answer(body) => Ok(ApiAnswer::text(200, body)),
        Submitted::KeyReused => Err(Problem::Request(RequestProblem::KeyReused)),
    }
}
