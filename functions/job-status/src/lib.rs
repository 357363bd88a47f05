//! GET /api/job/{id}, the job's details and its deliveries: one consistent read, and 304 if the caller has this version.

use std::convert::Infallible;
use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use reelhook_app::change::AggregateStore;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::webhooks::deliveries::list;
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, warm_up};
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::{Job, JobId, Subject};
use reelhook_http::access::Access;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::problem::JobProblem;
use reelhook_http::jobs::status::{Route, details_answer, job_answer};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::serve;
use reelhook_http::site::Site;
use reelhook_http::webhooks::deliveries::list_answer;

/// The function's configuration.
pub struct Config {
    jobs_table: String,
    counters_table: String,
    deliveries_table: String,
    settings_path: String,
    calls_per_minute: u32,
    site: Site,
}

impl Config {
    /// Reads JOBS_TABLE, COUNTERS_TABLE, DELIVERIES_TABLE, SETTINGS_PATH, PUBLIC_BASE_URL, CORS_ORIGINS, AUTH and
    /// API_CALLS_PER_MINUTE.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or bad variable.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            deliveries_table: environment.required("DELIVERIES_TABLE"),
            settings_path: environment.required("SETTINGS_PATH"),
            calls_per_minute: environment.calls_per_minute(),
            site: environment.site(Site::read),
        };
        environment.finish()?;
        Ok(config)
    }
}

/// The function's ports and settings.
pub struct Deps {
    jobs: JobTable,
    deliveries: DeliveryTable,
    site: Site,
    access: Settings<Access>,
    limits: Limits,
}

impl Deps {
    /// Builds the clients and reads the keys, before the first event.
    ///
    /// # Errors
    /// When the keys can't be read.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let dynamodb = clients.dynamodb();
        let counters = CounterTable::new(dynamodb.clone(), config.counters_table);
        let jobs = JobTable::new(dynamodb.clone(), config.jobs_table, counters.clone(), Arc::new(SystemClock));
        let deliveries = DeliveryTable::new(dynamodb, config.deliveries_table);
        let site = config.site.clone();
        let access = Settings::load(clients.ssm(), config.settings_path, Access::SETTINGS, move |raw| {
            Ok(Access::read(&site, &|name| raw.text(name))?)
        });
        let no_job = JobId::parse("warm-up")?;
        let (access, ()) = tokio::join!(access, warm_up(jobs.load(&no_job)));
        let limits = Limits::of_callers(counters, config.calls_per_minute);
        Ok(Self { site: config.site, access: access?, jobs, deliveries, limits })
    }
}

/// Answers a request.
///
/// # Errors
/// Never: errors become answers.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Infallible> {
    Ok(serve(&deps.site, request, async |request| respond(deps, request).await).await)
}

async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let caller = deps.access.check(|access| access.caller(request, SystemClock.now())).await?;
    deps.limits.admit(&caller.fingerprint).await?;
    match Route::read(request)? {
        Route::Job(id) => Ok(job_answer(request, &find(deps, &id).await?)),
        Route::Details(id) => Ok(details_answer(request, &find(deps, &id).await?, SystemClock.now())),
        Route::Deliveries(wanted) => {
            if let Some(id) = wanted.subject.as_ref().and_then(Subject::job) {
                find(deps, id).await?;
            }
            Ok(list_answer(&list(&deps.deliveries, &wanted, SystemClock.now()).await?))
        }
    }
}

async fn find(deps: &Deps, id: &JobId) -> Result<Job, Problem> {
    let job = deps.jobs.load(id).await?;
    job.filter(|job| job.deleted_at.is_none()).ok_or(Problem::Job(JobProblem::NotFound))
}
