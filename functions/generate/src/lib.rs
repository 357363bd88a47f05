//! POST /api/generate: creates a job with one conditional put and answers without waiting for it.

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::jobs::submit::{SubmitStore, Submitted, submit};
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_domain::{Job, Policy, TraceParent};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::generate::{answer, read};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API.
    pub api: Api<WithAccess>,
    jobs: JobTable,
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
            policy: resources.environment.policy(),
            api: Api::for_callers(resources, SettingsReader::none(), jobs.queue_counts()).await?,
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
    let submission = read(request, caller.clone())?;
    deps.api.admit_new(&caller).await?;
    let accept = |job: &Job, counts: &QueueCounts| {
        let (id, caller, trace) = (&job.id, &job.origin.caller, TraceParent::of_aggregate(job));
        tracing::info!(job_id = %id, caller, trace_id = trace.trace_id(), "accepted a job");
        answer(job, counts)
    };
    match submit(&deps.jobs, &SystemClock, &deps.policy, submission, accept).await? {
        Submitted::Answer(body) => Ok(ApiAnswer::text(200, body)),
        Submitted::KeyReused => Err(Problem::Request(RequestProblem::KeyReused)),
    }
}
