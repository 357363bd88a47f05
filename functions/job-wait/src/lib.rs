//! Live updates over the HTTP API, which buffers: a wait that ends at the first event, after 25 s at the latest; and
//! the tokens with which streams are opened from elsewhere.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lambda_http::{Body, Request, Response};
use reelhook_app::ambient::Ambient;
use reelhook_app::jobs::JobStore;
use reelhook_app::queue;
use reelhook_app::watch::{Begun, Seen, Watch, begin, connected};
use reelhook_aws::clients::Clients;
use reelhook_aws::counters::CounterTable;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::job_events::JobEventTable;
use reelhook_aws::jobs::JobTable;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{System, warm_up};
use reelhook_aws::viewers::Viewers;
use reelhook_domain::{JobId, Timestamp};
use reelhook_http::access::{Access, Mode};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::serve;
use reelhook_http::sse::{self, Asked};
use reelhook_http::stream::{admit, read_token_request, token_answer};
use reelhook_signing::SigningKeys;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The longest wait: the HTTP API gives up after 30 s.
const LONGEST: Duration = Duration::from_secs(25);
/// How often the tables are looked at.
const POLL: Duration = Duration::from_millis(500);
/// How soon a viewer comes back after an answer.
const RETRY_MS: u32 = 500;

/// What the function is configured with.
pub struct Config {
    jobs_table: String,
    job_events_table: String,
    counters_table: String,
    settings_path: String,
    max_workers: usize,
    max_viewers: usize,
    mode: Mode,
}

impl Config {
    /// Reads JOBS_TABLE, JOB_EVENTS_TABLE, COUNTERS_TABLE, SETTINGS_PATH, MAX_WORKERS, MAX_VIEWERS, PUBLIC_BASE_URL and
    /// AUTH.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists everything that is wrong.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            job_events_table: environment.required("JOB_EVENTS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            settings_path: environment.required("SETTINGS_PATH"),
            max_workers: environment.parsed("MAX_WORKERS", 3),
            max_viewers: environment.parsed("MAX_VIEWERS", 100),
            mode: {
                let (auth, base) = environment.access();
                environment.checked(Mode::read(auth.as_deref(), base.as_ref()), Mode::Required)
            },
        };
        environment.finish()?;
        Ok(config)
    }
}

/// Who may watch.
pub struct Secrets {
    /// API keys.
    pub access: Access,
    /// What stream tokens are signed with.
    pub tokens: SigningKeys,
}

const SETTINGS: &[&str] = &["API_KEYS", "API_USERNAME", "API_PASSWORD", "CALLBACK_TOKEN_SECRET"];

/// What the function works with; `job-stream` shows the same over another transport.
pub struct Deps {
    /// Jobs.
    pub jobs: JobTable,
    /// What viewers see of them.
    pub live: JobEventTable,
    /// Who watches.
    pub viewers: Viewers,
    /// Who may.
    pub secrets: Settings<Secrets>,
    /// MAX_WORKERS.
    pub max_workers: usize,
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
        let jobs = JobTable::new(dynamodb.clone(), config.jobs_table, counters.clone(), Arc::new(System));
        let mode = config.mode;
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, move |raw| {
            let tokens = raw.get("CALLBACK_TOKEN_SECRET").and_then(SigningKeys::parse);
            Ok(Secrets {
                access: Access::read(mode, &|name| raw.text(name)),
                tokens: tokens.context("CALLBACK_TOKEN_SECRET is not set")?,
            })
        });
        let nobody = JobId::parse("warm-up")?;
        let (secrets, ()) = tokio::join!(secrets, warm_up(jobs.load(&nobody)));
        Ok(Self {
            jobs,
            live: JobEventTable::new(dynamodb, config.job_events_table),
            viewers: Viewers::new(counters, config.max_viewers),
            secrets: secrets?,
            max_workers: config.max_workers,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// Never: what goes wrong becomes an answer.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Infallible> {
    Ok(serve(request, async |request| respond(deps, request).await).await)
}

async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let now = System.now();
    if (request.method.as_str(), request.path.as_str()) == ("POST", "/api/stream-token") {
        deps.secrets.check(|secrets| secrets.access.caller(request)).await?;
        let job = read_token_request(request)?;
        if let Some(id) = &job {
            let found = deps.jobs.load(id).await?;
            found.filter(|job| job.deleted_at.is_none()).ok_or(Problem::JobNotFound)?;
        }
        return Ok(token_answer(job.as_ref(), &deps.secrets.get().await.tokens, now));
    }
    let asked = Asked::read(request)?.ok_or(Problem::UnknownRoute)?;
    deps.secrets.check(|secrets| admit(request, &asked, &secrets.access, &secrets.tokens, now)).await?;
    match asked {
        Asked::Job { id, last } => match begin(&deps.jobs, &deps.live, &id, last).await? {
            Begun::NotFound => Err(Problem::JobNotFound),
            Begun::Over => Ok(ApiAnswer::text(204, String::new())),
            Begun::Ended(seen) => Ok(events(sse::seen(&seen))),
            Begun::Watch(watch) => wait_for_job(deps, &id, watch, last.is_none(), request).await,
        },
        Asked::Queue { last } => wait_for_queue(deps, last.as_deref(), request).await,
    }
}

async fn wait_for_job(
    deps: &Deps,
    id: &JobId,
    mut watch: Watch,
    first: bool,
    request: &ApiRequest,
) -> Result<ApiAnswer, Problem> {
    // The position lets the viewer come back to here, should nothing happen now.
    let mut text = sse::position(&watch.position());
    if first {
        text.push_str(&sse::unnumbered(&connected(id, System.now())));
    }
    let found = watch.next(&deps.live, System.now()).await?;
    let found = if found.is_empty() {
        let slot = enter(deps, request).await?;
        let found = next_events(deps, &mut watch).await;
        deps.viewers.leave(&slot).await;
        found?
    } else {
        found
    };
    text.extend(found.iter().map(sse::seen));
    Ok(events(text))
}

async fn next_events(deps: &Deps, watch: &mut Watch) -> Result<Vec<Seen>, Problem> {
    let (end, mut poll) = (Instant::now() + LONGEST, ticks());
    while Instant::now() < end {
        poll.tick().await;
        let found = watch.next(&deps.live, System.now()).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

async fn wait_for_queue(deps: &Deps, last: Option<&str>, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let client = format!("{:032x}", System.random());
    let mut slot = None;
    let (end, mut poll) = (Instant::now() + LONGEST, ticks());
    let answer = loop {
        poll.tick().await;
        let now = System.now();
        let status = match queue::status(&deps.jobs, now).await {
            Ok(status) => status,
            Err(error) => break Err(Problem::from(error)),
        };
        let (id, data) = reelhook_http::queue::live_status(&status, deps.max_workers, now, &client);
        if last != Some(id.as_str()) {
            break Ok(events(sse::named("status", Some(&id), &data)));
        }
        if Instant::now() >= end {
            break Ok(events(sse::named("heartbeat", None, &serde_json::json!({}))));
        }
        if slot.is_none() {
            slot = Some(enter(deps, request).await?);
        }
    };
    if let Some(slot) = slot {
        deps.viewers.leave(&slot).await;
    }
    answer
}

/// A viewer's slot, for the time of one wait.
async fn enter(deps: &Deps, request: &ApiRequest) -> Result<String, Problem> {
    let now = System.now();
    let slot = format!("wait.{}.{:08x}", request.request_id, System.random() as u32);
    let until = Timestamp(now.0 + i64::try_from(LONGEST.as_millis()).unwrap_or_default() + 5_000);
    if deps.viewers.enter(&slot, now, until).await? { Ok(slot) } else { Err(Problem::TooManyStreams) }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn events(text: String) -> ApiAnswer {
    ApiAnswer::text(200, sse::retry(RETRY_MS) + &text).header("content-type", "text/event-stream; charset=utf-8")
}
