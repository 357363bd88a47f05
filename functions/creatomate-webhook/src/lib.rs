//! POST /api/webhooks/creatomate: receives render callbacks. A callback without a token is only a hint.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Context;
use lambda_http::{Body, Request, Response};
use reelhook_app::change::AggregateStore;
use reelhook_app::jobs::renders::{CallbackAuth, RenderPorts, receive};
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, warm_up};
use reelhook_domain::{JobId, Policy};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::jobs::creatomate::{answer, authenticate, note, read};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::serve;
use reelhook_http::site::Site;
use reelhook_signing::SigningKeys;

/// The configuration of the function.
pub struct Config {
    jobs_table: String,
    counters_table: String,
    work_queue_url: String,
    settings_path: String,
    site: Site,
    reports_per_minute: u32,
    policy: Policy,
}

impl Config {
    /// Reads JOBS_TABLE, COUNTERS_TABLE, WORK_QUEUE_URL, SETTINGS_PATH, PUBLIC_BASE_URL, CORS_ORIGINS, AUTH,
    /// JOB_REPORTS_PER_MINUTE and the jobs' timers.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or invalid variable.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            work_queue_url: environment.required("WORK_QUEUE_URL"),
            settings_path: environment.required("SETTINGS_PATH"),
            site: environment.site(Site::read),
            reports_per_minute: environment.reports_per_minute(),
            policy: environment.policy(),
        };
        environment.finish()?;
        Ok(config)
    }
}

/// The keys that authenticate callbacks, and whether Creatomate can confirm them.
struct Secrets {
    tokens: SigningKeys,
    operator: Option<SigningKeys>,
    confirmable: bool,
    edge: Edge,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET", "OPERATOR_CALLBACK_TOKEN", "CREATOMATE_API_KEY", Edge::SETTING];

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    renders: RenderTable,
    work: Queue<WorkMessage>,
    limits: Limits,
    site: Site,
    secrets: Settings<Secrets>,
    policy: Policy,
}

impl Deps {
    /// Builds the clients and reads the secrets, before the first event.
    ///
    /// # Errors
    /// When the secrets can't be read.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let dynamodb = clients.dynamodb();
        let counters = CounterTable::new(dynamodb.clone(), config.counters_table);
        let jobs = JobTable::new(dynamodb, config.jobs_table, counters.clone(), Arc::new(SystemClock));
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, |raw| {
            let keys = |name: &str| raw.get(name).and_then(SigningKeys::parse);
            Ok(Secrets {
                tokens: keys("CALLBACK_TOKEN_SECRET").context("CALLBACK_TOKEN_SECRET is not set")?,
                operator: keys("OPERATOR_CALLBACK_TOKEN"),
                confirmable: raw.get("CREATOMATE_API_KEY").is_some(),
                edge: Edge::read(&|name| raw.text(name)),
            })
        });
        let no_job = JobId::parse("warm-up")?;
        let (secrets, ()) = tokio::join!(secrets, warm_up(jobs.load(&no_job)));
        Ok(Self {
            limits: Limits::of_jobs(counters.clone(), config.reports_per_minute),
            renders: RenderTable { counters, jobs: jobs.clone() },
            jobs,
            work: Queue::new(clients.sqs(), config.work_queue_url),
            site: config.site,
            secrets: secrets?,
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
    // The audit log has every caller, admitted or refused.
    request.audit(&deps.secrets.get().await.edge.address(request), "render callback received");
    let check = |secrets: &Secrets| authenticate(request, &secrets.tokens, secrets.operator.as_ref());
    let auth = deps.secrets.check(check).await?;
    let secrets = deps.secrets.get().await;
    if auth == CallbackAuth::Anonymous && !secrets.confirmable {
        return Err(Problem::Request(RequestProblem::Unauthorized));
    }
    match &auth {
        CallbackAuth::Run(job_id, _) => deps.limits.admit_report(job_id).await?,
        // Hints need no authentication, but each one reads tables, so their number is limited.
        CallbackAuth::Anonymous => deps.limits.admit(&format!("hint {}", secrets.edge.network(request))).await?,
        CallbackAuth::Operator => {}
    }
    let (render, callback) = read(request)?;
    let ports = RenderPorts {
        jobs: &deps.jobs,
        renders: &deps.renders,
        clock: &SystemClock,
        policy: &deps.policy,
        confirmable: secrets.confirmable,
    };
    let received = receive(&ports, &deps.work, &auth, &render, &callback).await?;
    note(&received, &render, &callback);
    answer(&received, &render, &callback)
}
