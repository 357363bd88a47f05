//! Commands to jobs and to the queue, the queue's counts and list, and the lookup of a render.

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::change::change;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::{self, RemovalPorts};
use reelhook_app::jobs::renders::{Creatomate, RenderLookup, RenderPorts, RenderStore, look_up};
use reelhook_app::jobs::store;
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::cleanup::clean_up_now;
use reelhook_app::outbox::messages::{DeliveryMessage, WorkMessage};
use reelhook_app::outbox::sweep::{Due, SweepPorts};
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::{JobId, Policy, RenderId};
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::control::Command;
use reelhook_http::jobs::problem::JobProblem;
use reelhook_http::jobs::queue::{
    Route, cleanup_answer, clear_answer, clear_failed_answer, list_answer, status_answer, toggle_answer,
};
use reelhook_http::jobs::render::{read_render_lookup, render_lookup_answer};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::routes;
use reelhook_outbound::{AllowList, GuardedClient};

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API, and the settings of requests to Creatomate.
    pub api: Api<WithAccess<Creatomate>>,
    jobs: JobTable,
    renders: RenderTable,
    deliveries_table: DeliveryTable,
    work: Queue<WorkMessage>,
    deliveries: Queue<DeliveryMessage>,
    http: GuardedClient,
    policy: Policy,
    max_workers: usize,
}

const SETTINGS: &[&str] = &["CREATOMATE_API_KEY"];

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let jobs = resources.jobs();
        let agent = user_agent(resources.environment.public_base().as_ref());
        let base = resources.environment.url("CREATOMATE_BASE_URL");
        let settings = SettingsReader::new(SETTINGS, move |raw, _| {
            Ok(Creatomate { base: base.clone(), key: raw.secret("CREATOMATE_API_KEY") })
        });
        let mut queues = resources.queues();
        let (work, deliveries) = (queues.work(), queues.deliveries());
        Ok(Self {
            renders: RenderTable { counters: resources.counters(), jobs: jobs.clone() },
            deliveries_table: resources.deliveries(),
            work,
            deliveries,
            http: GuardedClient::new(resources.environment.outbound(AllowList::parse), Some(&agent))?,
            policy: resources.environment.policy(),
            max_workers: resources.environment.max_workers(),
            api: Api::for_callers(resources, settings, jobs.first_call()).await?,
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
    if let Some((id, command)) = Command::read(request)? {
        if !may_see(deps, &caller, &id).await? {
            return Err(Problem::Job(JobProblem::NotFound));
        }
        let changed = change(&deps.jobs, &SystemClock, &deps.policy, &id, &command.event()).await?;
        command.note(&id, &caller, changed.name());
        return command.answer(changed);
    }
    if let Some(route) = Route::read(request)? {
        route.note(&caller);
        return handle_queue(deps, route, &caller).await;
    }
    match read_render_lookup(request)? {
        Some(render) => look_up_render(deps, &render, &caller).await,
        None => Err(routes::unknown(request)),
    }
}

/// Whether a caller sees a job. It is read only for an owner: the change finds out whether it exists.
async fn may_see(deps: &Deps, caller: &Caller, id: &JobId) -> Result<bool, Problem> {
    if caller.owner.is_none() {
        return Ok(true);
    }
    Ok(store::find(&deps.jobs, id).await?.is_some_and(|job| caller.may_see(&job.origin)))
}

async fn handle_queue(deps: &Deps, route: Route, caller: &Caller) -> Result<ApiAnswer, Problem> {
    let now = SystemClock.now();
    Ok(match route {
        Route::Status => status_answer(&queue::status(&deps.jobs, now).await?, deps.max_workers),
        Route::List { filter, limit, cursor } => {
            let filter = filter.seen_by(caller.owner.as_ref());
            list_answer(&queue::list(&deps.jobs, now, &filter, limit, cursor).await?)
        }
        Route::Clear => {
            queue::clear(&deps.jobs, &SystemClock).await?;
            clear_answer()
        }
        Route::ClearFailed => clear_failed_answer(queue::clear_failed(&deps.jobs, &SystemClock).await?),
        Route::Toggle(processing) => {
            let (was, is) = queue::toggle(&deps.jobs, &deps.work, &SystemClock, processing).await?;
            toggle_answer(was, is)
        }
        Route::Cleanup => {
            let jobs = Due { index: &deps.jobs, store: &deps.jobs, policy: &deps.policy };
            let ports = SweepPorts {
                aggregates: &[&jobs],
                due_deliveries: &deps.deliveries_table,
                starts: &deps.jobs,
                work: &deps.work,
                deliveries: &deps.deliveries,
                clock: &SystemClock,
            };
            let removal =
                RemovalPorts { queue: &deps.jobs, jobs: &deps.jobs, clock: &SystemClock, policy: &deps.policy };
            cleanup_answer(clean_up_now(&ports, &removal).await?)
        }
    })
}

async fn look_up_render(deps: &Deps, render: &RenderId, caller: &Caller) -> Result<ApiAnswer, Problem> {
    let unknown = || Problem::Job(JobProblem::RenderUnknown(render.to_string()));
    if caller.owner.is_some() {
        // All jobs with the render would change.
        for id in deps.renders.jobs_of(render).await? {
            if !may_see(deps, caller, &id).await? {
                return Err(unknown());
            }
        }
    }
    let settings = deps.api.settings.get().await;
    let ports = RenderPorts {
        jobs: &deps.jobs,
        renders: &deps.renders,
        clock: &SystemClock,
        policy: &deps.policy,
        confirmable: true,
    };
    match look_up(&ports, &deps.http, &settings.own, render).await? {
        RenderLookup::Found(found) => Ok(render_lookup_answer(render, &found)),
        RenderLookup::Unknown => Err(unknown()),
        RenderLookup::Failed => Err(Problem::Job(JobProblem::RenderCheckFailed)),
        RenderLookup::TimedOut => Err(Problem::Job(JobProblem::RenderCheckTimeout)),
    }
}
