//! Logs: the log of a job, its archive, the search over all jobs, and statistics.

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::logs::{self, LogPorts, LogSources};
use reelhook_app::jobs::store;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::events::JobEventTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::objects::Bucket;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_domain::{JobId, Policy};
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::logs::{Route, archive_answer, log_answer, search_answer, shown, stats_answer};
use reelhook_http::jobs::problem::JobProblem;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API.
    pub api: Api<WithAccess>,
    jobs: JobTable,
    counters: CounterTable,
    lines: JobEventTable,
    archive: Bucket,
    policy: Policy,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let jobs = resources.jobs();
        Ok(Self {
            counters: resources.counters(),
            lines: resources.job_events(),
            archive: resources.bucket(),
            policy: resources.environment.policy(),
            api: Api::for_callers(resources, SettingsReader::none(), jobs.first_call()).await?,
            jobs,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let caller = deps.api.admit(request).await?;
    let sources = LogSources { lines: &deps.lines, jobs: &deps.jobs, active: &deps.jobs };
    let ports = LogPorts { sources, archive: &deps.archive, clock: &SystemClock, policy: &deps.policy };
    let now = SystemClock.now();
    Ok(match Route::read(request)? {
        Route::Log(id) => {
            check(deps, &caller, &id).await?;
            let found = logs::search(sources, &shown(&id), now).await?;
            log_answer(&id, &found.lines, None, now)
        }
        Route::StoredLog(id, limit) => {
            check(deps, &caller, &id).await?;
            let (lines, archived) = logs::kept(&ports, &id, limit).await?;
            log_answer(&id, &lines, Some(if archived { "archive" } else { "job_events" }), now)
        }
        Route::Archive(id) => {
            check(deps, &caller, &id).await?;
            if !logs::archive(&ports, &id).await? {
                return Err(Problem::Job(JobProblem::NotFound));
            }
            archive_answer(&id, SystemClock.now())
        }
        Route::Search(search, filters) => search_answer(&filters, &logs::search(sources, &search, now).await?, now),
        Route::Stats => {
            let (totals, active) = tokio::try_join!(deps.counters.totals(), deps.jobs.active_counts())?;
            let (ended, log) = totals;
            stats_answer(ended.total() + active.total(), &log, now)
        }
    })
}

/// Refuses an owner the log of a job that is not theirs, or that does not exist any more.
async fn check(deps: &Deps, caller: &Caller, id: &JobId) -> Result<(), Problem> {
    if caller.owner.is_none() {
        return Ok(());
    }
    let found = store::find(&deps.jobs, id).await?.filter(|job| caller.may_see(&job.origin));
    found.map(drop).ok_or(Problem::Job(JobProblem::NotFound))
}
