//! Logs: the log of a job, its archive, the search over all jobs, and statistics.

use std::convert::Infallible;
use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use reelhook_app::change::AggregateStore;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::logs::{self, LogPorts};
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::events::JobEventTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::objects::Bucket;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, warm_up};
use reelhook_domain::{JobId, Policy};
use reelhook_http::access::Access;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::logs::{Route, archive_answer, log_answer, search_answer, shown, stats_answer};
use reelhook_http::jobs::problem::JobProblem;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::serve;
use reelhook_http::site::Site;

/// The configuration of the function.
pub struct Config {
    jobs_table: String,
    counters_table: String,
    job_events_table: String,
    bucket: String,
    settings_path: String,
    calls_per_minute: u32,
    site: Site,
    policy: Policy,
}

impl Config {
    /// Reads JOBS_TABLE, COUNTERS_TABLE, JOB_EVENTS_TABLE, BUCKET, SETTINGS_PATH, PUBLIC_BASE_URL, CORS_ORIGINS, AUTH,
    /// API_CALLS_PER_MINUTE and the jobs' timers.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or invalid variable.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            job_events_table: environment.required("JOB_EVENTS_TABLE"),
            bucket: environment.required("BUCKET"),
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
    counters: CounterTable,
    lines: JobEventTable,
    archive: Bucket,
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
        let dynamodb = clients.dynamodb();
        let counters = CounterTable::new(dynamodb.clone(), config.counters_table);
        let jobs = JobTable::new(dynamodb.clone(), config.jobs_table, counters.clone(), Arc::new(SystemClock));
        let site = config.site.clone();
        let access = Settings::load(clients.ssm(), config.settings_path, Access::SETTINGS, move |raw| {
            Ok(Access::read(&site, &|name| raw.text(name))?)
        });
        let no_job = JobId::parse("warm-up")?;
        let (access, ()) = tokio::join!(access, warm_up(jobs.load(&no_job)));
        Ok(Self {
            jobs,
            limits: Limits::of_callers(counters.clone(), config.calls_per_minute),
            counters,
            lines: JobEventTable::new(dynamodb, config.job_events_table),
            archive: Bucket::new(clients.s3(), config.bucket),
            site: config.site,
            access: access?,
            policy: config.policy,
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
    let caller = deps.access.check(|access| access.caller(request, SystemClock.now())).await?;
    deps.limits.admit(&caller.fingerprint).await?;
    let ports = LogPorts {
        lines: &deps.lines,
        archive: &deps.archive,
        jobs: &deps.jobs,
        clock: &SystemClock,
        policy: &deps.policy,
    };
    let now = SystemClock.now();
    Ok(match Route::read(request)? {
        Route::Log(id) => {
            let found = logs::search(&deps.lines, &shown(&id), now).await?;
            log_answer(&id, &found.lines, None, now)
        }
        Route::StoredLog(id, limit) => {
            let (lines, archived) = logs::kept(&ports, &id, limit).await?;
            log_answer(&id, &lines, Some(if archived { "archive" } else { "job_events" }), now)
        }
        Route::Archive(id) => {
            if !logs::archive(&ports, &id).await? {
                return Err(Problem::Job(JobProblem::NotFound));
            }
            archive_answer(&id, SystemClock.now())
        }
        Route::Search(search) => search_answer(request, &logs::search(&deps.lines, &search, now).await?, now),
        Route::Stats => {
            let (totals, active) = tokio::try_join!(deps.counters.totals(), deps.jobs.active_counts())?;
            let (ended, log) = totals;
            stats_answer(ended.total() + active.total(), &log, now)
        }
    })
}
