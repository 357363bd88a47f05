//! Reports of workers and render services about jobs, applied once they are authenticated and counted: behind the API and
//! at the Function URL of callbacks.

use reelhook_app::jobs::renders::{CallbackAuth, CallbackPorts, Creatomate, RenderPorts, receive};
use reelhook_app::jobs::steps::{StepPorts, report};
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_app::store::StoreError;
use reelhook_aws::environment::Environment;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::objects::Bucket;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::settings::Raw;
use reelhook_aws::start::SystemClock;
use reelhook_domain::Policy;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::report_line::ReportLine;
use reelhook_http::jobs::{creatomate, step};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_outbound::{AllowList, GuardedClient};

/// What reports about jobs are applied to.
pub struct JobReports {
    jobs: JobTable,
    renders: RenderTable,
    policy: Policy,
}

impl JobReports {
    /// Reads the variables of jobs, and those of their timers.
    pub fn for_jobs(resources: &mut Resources) -> Self {
        let jobs = resources.jobs().with_viewers(resources.viewers());
        let renders = RenderTable { counters: resources.counters(), jobs: jobs.clone() };
        Self { jobs, renders, policy: resources.environment.policy() }
    }

    /// Opens a connection to the table of jobs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_call(&self) -> Result<(), StoreError> {
        self.jobs.first_call().await
    }

    /// Applies the report of a step, whose large details go to `details` ([`apply_step`]).
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn step(
        &self,
        details: &Bucket,
        step: step::Report,
        request_id: &str,
        line: &mut ReportLine,
    ) -> Result<ApiAnswer, Problem> {
        let ports =
            StepPorts { jobs: &self.jobs, renders: &self.renders, details, clock: &SystemClock, policy: &self.policy };
        apply_step(&ports, step, request_id, line).await
    }

    /// Applies the callback of a render ([`apply_render`]). Creatomate confirms ends only with an API key.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn render(
        &self,
        clients: &RenderClients,
        creatomate: &Creatomate,
        auth: &CallbackAuth,
        request: &ApiRequest,
        line: &mut ReportLine,
    ) -> Result<ApiAnswer, Problem> {
        let renders = RenderPorts {
            jobs: &self.jobs,
            renders: &self.renders,
            clock: &SystemClock,
            policy: &self.policy,
            confirmable: creatomate.key.is_some(),
        };
        let ports = CallbackPorts { renders, http: &clients.http, creatomate, work: &clients.work };
        apply_render(&ports, auth, request, line).await
    }
}

/// What callbacks of renders go on to: Creatomate, and the Work queue.
pub struct RenderClients {
    http: GuardedClient,
    work: Queue<WorkMessage>,
}

impl RenderClients {
    /// Reads WORK_QUEUE_URL, PUBLIC_BASE_URL and OUTBOUND_ALLOW.
    ///
    /// # Errors
    /// When the user agent is no valid header value, or TLS can't be configured.
    pub fn for_renders(resources: &mut Resources) -> anyhow::Result<Self> {
        let work = resources.queues().work();
        let agent = user_agent(resources.environment.public_base().as_ref());
        let http = GuardedClient::new(resources.environment.outbound(AllowList::parse), Some(&agent))?;
        Ok(Self { http, work })
    }
}

/// Reads CREATOMATE_BASE_URL; the result completes it with the setting CREATOMATE_API_KEY.
pub fn creatomate_access(environment: &mut Environment) -> impl Fn(&Raw) -> Creatomate + Send + Sync + use<> {
    let base = environment.url("CREATOMATE_BASE_URL");
    move |raw: &Raw| Creatomate { base: base.clone(), key: raw.secret("CREATOMATE_API_KEY") }
}

/// Applies the report of a step, and notes in its line what it did.
///
/// # Errors
/// [`Problem`].
pub async fn apply_step(
    ports: &StepPorts<'_>,
    step: step::Report,
    request_id: &str,
    line: &mut ReportLine,
) -> Result<ApiAnswer, Problem> {
    (line.attempt, line.step) = (step.attempt, Some(step.update.number));
    line.status = Some(format!("{:?}", step.update.status));
    let changed = report(ports, &step.job_id, step.attempt, step.update).await?;
    line.outcome = Some(changed.name());
    step::answer(&changed, request_id)
}

/// Reads the callback of a render, applies it, and notes in its line what it did. One without a token only sends a hint to
/// the Work queue.
///
/// # Errors
/// [`Problem`].
pub async fn apply_render(
    ports: &CallbackPorts<'_>,
    auth: &CallbackAuth,
    request: &ApiRequest,
    line: &mut ReportLine,
) -> Result<ApiAnswer, Problem> {
    let (render, callback) = creatomate::read(request)?;
    line.render_id = Some(render.to_string());
    line.status = Some(callback.status.clone());
    let received = receive(ports, auth, &render, &callback).await?;
    line.received(&received);
    creatomate::answer(&received, &render, &callback)
}
