//! GET /api/job/{id}, the job's details and its deliveries: one consistent read, and 304 if the caller has this version.

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::store;
use reelhook_app::webhooks::deliveries::list;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::{Job, JobId, Subject};
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::problem::JobProblem;
use reelhook_http::jobs::status::{Route, details_answer, job_answer};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::webhooks::deliveries::list_answer;

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API.
    pub api: Api<WithAccess>,
    jobs: JobTable,
    deliveries: DeliveryTable,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let jobs = resources.jobs();
        Ok(Self {
            deliveries: resources.deliveries(),
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
    match Route::read(request)? {
        Route::Job(id) => Ok(job_answer(request, &find(deps, &caller, &id).await?)),
        Route::Details(id) => Ok(details_answer(request, &find(deps, &caller, &id).await?, SystemClock.now())),
        Route::Deliveries(wanted) => {
            if let Some(id) = wanted.subject.as_ref().and_then(Subject::job) {
                find(deps, &caller, id).await?;
            }
            Ok(list_answer(&list(&deps.deliveries, &wanted, SystemClock.now()).await?))
        }
    }
}

async fn find(deps: &Deps, caller: &Caller, id: &JobId) -> Result<Job, Problem> {
    let found = store::find(&deps.jobs, id).await?.filter(|job| caller.may_see(&job.origin));
    found.ok_or(Problem::Job(JobProblem::NotFound))
}
