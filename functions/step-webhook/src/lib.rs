//! POST /api/webhooks/step-update: external workers report their steps. Reports are authenticated on their raw bytes.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Context;
use lambda_http::{Body, Request, Response};
use reelhook_app::change::AggregateStore;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::steps::{StepPorts, report};
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::objects::Bucket;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, warm_up};
use reelhook_domain::{JobId, Policy};
use reelhook_http::access::Access;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::jobs::step::{Credentials, answer, read, reporter};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::serve;
use reelhook_http::site::Site;
use reelhook_signing::SigningKeys;

/// The configuration of the function.
pub struct Config {
    jobs_table: String,
    counters_table: String,
    bucket: String,
    settings_path: String,
    reports_per_minute: u32,
    site: Site,
    policy: Policy,
}

impl Config {
    /// Reads JOBS_TABLE, COUNTERS_TABLE, BUCKET, SETTINGS_PATH, PUBLIC_BASE_URL, CORS_ORIGINS, AUTH,
    /// JOB_REPORTS_PER_MINUTE and the jobs' timers.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or invalid variable.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            bucket: environment.required("BUCKET"),
            settings_path: environment.required("SETTINGS_PATH"),
            reports_per_minute: environment.reports_per_minute(),
            site: environment.site(Site::read),
            policy: environment.policy(),
        };
        environment.finish()?;
        Ok(config)
    }
}

/// The secrets and keys that authenticate reports.
struct Secrets {
    access: Access,
    tokens: SigningKeys,
    secret: Option<SigningKeys>,
    edge: Edge,
}

const SETTINGS: &[&str] = &[
    "API_KEYS",
    "API_USERNAME",
    "API_PASSWORD",
    "SESSION_SECRET",
    "CALLBACK_TOKEN_SECRET",
    "STEP_WEBHOOK_SECRET",
    Edge::SETTING,
];

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    bucket: Bucket,
    site: Site,
    secrets: Settings<Secrets>,
    limits: Limits,
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
        let site = config.site.clone();
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, move |raw| {
            let keys = |name: &str| raw.get(name).and_then(SigningKeys::parse);
            Ok(Secrets {
                access: Access::read(&site, &|name| raw.text(name))?,
                tokens: keys("CALLBACK_TOKEN_SECRET").context("CALLBACK_TOKEN_SECRET is not set")?,
                secret: keys("STEP_WEBHOOK_SECRET"),
                edge: Edge::read(&|name| raw.text(name)),
            })
        });
        let no_job = JobId::parse("warm-up")?;
        let (secrets, ()) = tokio::join!(secrets, warm_up(jobs.load(&no_job)));
        Ok(Self {
            jobs,
            bucket: Bucket::new(clients.s3(), config.bucket),
            site: config.site,
            secrets: secrets?,
            limits: Limits::of_jobs(counters, config.reports_per_minute),
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
    request.audit(&deps.secrets.get().await.edge.address(request), "step update received");
    let now = SystemClock.now();
    let authenticate = |secrets: &Secrets| {
        let credentials =
            Credentials { tokens: &secrets.tokens, secret: secrets.secret.as_ref(), access: &secrets.access };
        reporter(request, &credentials, now)
    };
    let reporter = deps.secrets.check(authenticate).await?;
    let step = read(request, &reporter, now)?;
    deps.limits.admit_report(&step.job_id).await?;
    let ports = StepPorts { jobs: &deps.jobs, details: &deps.bucket, clock: &SystemClock, policy: &deps.policy };
    let (number, status) = (step.update.number, step.update.status);
    let changed = report(&ports, &step.job_id, step.attempt, step.update).await?;
    tracing::info!(job_id = %step.job_id, attempt = step.attempt, step = number, ?status, outcome = changed.name(),
        "received a step update");
    answer(&changed, &request.request_id)
}
