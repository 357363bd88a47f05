//! Commands to jobs and to the queue, the queue's counts and list, and the lookup of a render.

use std::convert::Infallible;
use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use reelhook_app::Url;
use reelhook_app::change::change;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::{self, RemovalPorts};
use reelhook_app::jobs::renders::{Creatomate, RenderLookup, RenderPorts, look_up};
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::{DeliveryMessage, WorkMessage};
use reelhook_app::outbox::sweep::{Due, SweepPorts, sweep};
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, warm_up};
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::{JobId, Policy, RenderId};
use reelhook_http::access::Access;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::control::Command;
use reelhook_http::jobs::problem::JobProblem;
use reelhook_http::jobs::queue::{
    Route, cleanup_answer, clear_answer, clear_failed_answer, list_answer, status_answer, toggle_answer,
};
use reelhook_http::jobs::render::{read_render_lookup, render_lookup_answer};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::routes;
use reelhook_http::serve::serve;
use reelhook_http::site::Site;
use reelhook_outbound::{AllowList, GuardedClient};

/// The configuration of the function.
pub struct Config {
    jobs_table: String,
    counters_table: String,
    deliveries_table: String,
    work_queue_url: String,
    deliveries_queue_url: String,
    settings_path: String,
    max_workers: usize,
    creatomate: Url,
    allow: AllowList,
    base: Option<Url>,
    calls_per_minute: u32,
    site: Site,
    policy: Policy,
}

impl Config {
    /// Reads JOBS_TABLE, COUNTERS_TABLE, DELIVERIES_TABLE, WORK_QUEUE_URL, DELIVERIES_QUEUE_URL, SETTINGS_PATH,
    /// MAX_WORKERS, CREATOMATE_BASE_URL, OUTBOUND_ALLOW, PUBLIC_BASE_URL, CORS_ORIGINS, AUTH, API_CALLS_PER_MINUTE and
    /// the jobs' timers.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or invalid variable.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            deliveries_table: environment.required("DELIVERIES_TABLE"),
            work_queue_url: environment.required("WORK_QUEUE_URL"),
            deliveries_queue_url: environment.required("DELIVERIES_QUEUE_URL"),
            settings_path: environment.required("SETTINGS_PATH"),
            max_workers: environment.parsed("MAX_WORKERS", 3),
            creatomate: environment.url("CREATOMATE_BASE_URL"),
            allow: environment.outbound(AllowList::parse),
            base: environment.public_base(),
            calls_per_minute: environment.calls_per_minute(),
            site: environment.site(Site::read),
            policy: environment.policy(),
        };
        environment.finish()?;
        Ok(config)
    }
}

/// The credentials of callers, and the settings of requests to Creatomate.
struct Secrets {
    access: Access,
    creatomate: Creatomate,
}

const SETTINGS: &[&str] = &["API_KEYS", "API_USERNAME", "API_PASSWORD", "SESSION_SECRET", "CREATOMATE_API_KEY"];

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    renders: RenderTable,
    deliveries_table: DeliveryTable,
    work: Queue<WorkMessage>,
    deliveries: Queue<DeliveryMessage>,
    http: GuardedClient,
    site: Site,
    secrets: Settings<Secrets>,
    limits: Limits,
    policy: Policy,
    max_workers: usize,
}

impl Deps {
    /// Builds the clients and reads the secrets, before the first event.
    ///
    /// # Errors
    /// When the secrets can't be read.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let (dynamodb, sqs) = (clients.dynamodb(), clients.sqs());
        let counters = CounterTable::new(dynamodb.clone(), config.counters_table);
        let jobs = JobTable::new(dynamodb.clone(), config.jobs_table, counters.clone(), Arc::new(SystemClock));
        let (site, creatomate) = (config.site.clone(), config.creatomate);
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, move |raw| {
            let access = Access::read(&site, &|name| raw.text(name))?;
            let creatomate = Creatomate { base: creatomate.clone(), key: raw.secret("CREATOMATE_API_KEY") };
            Ok(Secrets { access, creatomate })
        });
        let no_job = JobId::parse("warm-up")?;
        let (secrets, ()) = tokio::join!(secrets, warm_up(reelhook_app::change::AggregateStore::load(&jobs, &no_job)));
        Ok(Self {
            limits: Limits::of_callers(counters.clone(), config.calls_per_minute),
            renders: RenderTable { counters, jobs: jobs.clone() },
            deliveries_table: DeliveryTable::new(dynamodb, config.deliveries_table),
            jobs,
            work: Queue::new(sqs.clone(), config.work_queue_url),
            deliveries: Queue::new(sqs, config.deliveries_queue_url),
            http: GuardedClient::new(config.allow, Some(&user_agent(config.base.as_ref())))?,
            site: config.site,
            secrets: secrets?,
            policy: config.policy,
            max_workers: config.max_workers,
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
    let caller = deps.secrets.check(|secrets| secrets.access.caller(request, SystemClock.now())).await?;
    deps.limits.admit(&caller.fingerprint).await?;
    if let Some((id, command)) = Command::read(request)? {
        let changed = change(&deps.jobs, &SystemClock, &deps.policy, &id, &command.event()).await?;
        command.note(&id, &caller, changed.name());
        return command.answer(changed);
    }
    if let Some(route) = Route::read(request)? {
        route.note(&caller);
        return handle_queue(deps, route).await;
    }
    match read_render_lookup(request)? {
        Some(render) => look_up_render(deps, &render).await,
        None => Err(routes::unknown(request)),
    }
}

async fn handle_queue(deps: &Deps, route: Route) -> Result<ApiAnswer, Problem> {
    let now = SystemClock.now();
    Ok(match route {
        Route::Status => status_answer(&queue::status(&deps.jobs, now).await?, deps.max_workers),
        Route::List { filter, limit, cursor } => {
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
            let swept = sweep(&ports).await;
            let removal =
                RemovalPorts { queue: &deps.jobs, jobs: &deps.jobs, clock: &SystemClock, policy: &deps.policy };
            let removed = queue::remove_cleared(&removal).await?;
            if swept.failed > 0 {
                return Err(Problem::Request(RequestProblem::Busy));
            }
            cleanup_answer(swept.jobs_changed + swept.deliveries_hinted + removed)
        }
    })
}

async fn look_up_render(deps: &Deps, render: &RenderId) -> Result<ApiAnswer, Problem> {
    let secrets = deps.secrets.get().await;
    let ports = RenderPorts {
        jobs: &deps.jobs,
        renders: &deps.renders,
        clock: &SystemClock,
        policy: &deps.policy,
        confirmable: true,
    };
    match look_up(&ports, &deps.http, &secrets.creatomate, render).await? {
        RenderLookup::Found(found) => Ok(render_lookup_answer(render, &found)),
        RenderLookup::Unknown => Err(Problem::Job(JobProblem::RenderUnknown(render.to_string()))),
        RenderLookup::Failed => Err(Problem::Job(JobProblem::RenderCheckFailed)),
        RenderLookup::TimedOut => Err(Problem::Job(JobProblem::RenderCheckTimeout)),
    }
}
