//! VidBuilder's API: accepts requests for videos, shows their status, links to finished videos, and deletes them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lambda_http::{Body, Request, Response};
use reelhook_app::Url;
use reelhook_app::change::AggregateStore;
use reelhook_app::change::{Changed, change};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue;
use reelhook_app::jobs::starts::StartStore;
use reelhook_app::jobs::waiting::{WaitOutcome, WaitPorts, wait_for_end};
use reelhook_app::videos::requests::{self, VideoRequestPorts, VideoSubmitted};
use reelhook_app::videos::uploads::Links;
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::slots::SlotTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, warm_up};
use reelhook_aws::videos::films::FilmBucket;
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{Event, Job, JobId, Policy};
use reelhook_http::access::{Access, Caller};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::serve_in;
use reelhook_http::site::Site;
use reelhook_http::videos::problem::VideoProblem;
use reelhook_http::videos::routes::{self, Route};
use reelhook_signing::SigningKeys;

/// The configuration of the function.
pub struct Config {
    jobs_table: String,
    counters_table: String,
    bucket: String,
    settings_path: String,
    base: Option<Url>,
    calls_per_minute: u32,
    site: Site,
    allow_http: bool,
    max_workers: usize,
    max_waiters: usize,
    wait: Duration,
    renderer: Renderer,
    policy: Policy,
}

impl Config {
    /// Reads JOBS_TABLE, COUNTERS_TABLE, BUCKET, SETTINGS_PATH, PUBLIC_BASE_URL, CORS_ORIGINS, AUTH,
    /// API_CALLS_PER_MINUTE, ALLOW_HTTP_WEBHOOKS, MAX_WORKERS, MAX_WAITERS, WAIT_SECONDS, RENDERER and the jobs'
    /// timers.
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
            base: environment.public_base(),
            calls_per_minute: environment.calls_per_minute(),
            site: environment.site(Site::read),
            allow_http: environment.parsed("ALLOW_HTTP_WEBHOOKS", false),
            max_workers: environment.parsed("MAX_WORKERS", 3),
            max_waiters: environment.parsed("MAX_WAITERS", 20),
            wait: Duration::from_secs(environment.parsed("WAIT_SECONDS", 25)),
            renderer: environment.renderer(),
            policy: environment.policy(),
        };
        environment.finish()?;
        Ok(config)
    }
}

const SETTINGS: &[&str] = &["API_KEYS", "API_USERNAME", "API_PASSWORD", "SESSION_SECRET", "CALLBACK_TOKEN_SECRET"];

/// The credentials of callers, and the keys that sign links.
struct Secrets {
    access: Access,
    links: SigningKeys,
}

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    counters: CounterTable,
    waiters: SlotTable,
    films: FilmBucket,
    limits: Limits,
    site: Site,
    secrets: Settings<Secrets>,
    base: Option<Url>,
    allow_http: bool,
    max_workers: usize,
    wait: Duration,
    renderer: Renderer,
    policy: Policy,
}

impl Deps {
    /// Builds the clients and reads the keys before the first event.
    ///
    /// # Errors
    /// When the keys can't be read.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let counters = CounterTable::new(clients.dynamodb(), config.counters_table);
        let jobs = JobTable::new(clients.dynamodb(), config.jobs_table, counters.clone(), Arc::new(SystemClock));
        let site = config.site.clone();
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, move |raw| {
            let links = raw.get("CALLBACK_TOKEN_SECRET").and_then(SigningKeys::parse);
            let links = links.context("CALLBACK_TOKEN_SECRET is not set")?;
            Ok(Secrets { access: Access::read(&site, &|name| raw.text(name))?, links })
        });
        let no_job = JobId::parse("warm-up")?;
        let (secrets, ()) = tokio::join!(secrets, warm_up(jobs.load(&no_job)));
        Ok(Self {
            limits: Limits::of_callers(counters.clone(), config.calls_per_minute),
            films: FilmBucket::new(clients.s3_for_files(), config.bucket),
            site: config.site,
            secrets: secrets?,
            jobs,
            waiters: SlotTable::waiters(counters.clone(), config.max_waiters),
            counters,
            base: config.base,
            allow_http: config.allow_http,
            max_workers: config.max_workers,
            wait: config.wait,
            renderer: config.renderer,
            policy: config.policy,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// Never: every error becomes an answer.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Infallible> {
    Ok(serve_in(Problem::vidbuilder, &deps.site, request, async |request| respond(deps, request).await).await)
}

async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let route = Route::read(request);
    if let Ok(route) = &route
        && let Some(link) = route.linked(request)
    {
        let secrets = deps.secrets.get().await;
        link.check(SystemClock.now(), &secrets.links)?;
        return answer(deps, request, route.clone(), None).await;
    }
    // A caller without a key must not learn which routes and parameters are valid.
    let caller = deps.secrets.check(|secrets| secrets.access.caller(request, SystemClock.now())).await?;
    deps.limits.admit(&caller.fingerprint).await?;
    answer(deps, request, route?, Some(caller)).await
}

async fn answer(deps: &Deps, request: &ApiRequest, route: Route, caller: Option<Caller>) -> Result<ApiAnswer, Problem> {
    let now = SystemClock.now();
    match route {
        Route::Create { wait } => {
            // A signed link authorizes downloads only, so it has no caller here.
            create(deps, request, caller.ok_or(Problem::Request(RequestProblem::Unauthorized))?, wait).await
        }
        Route::Upload => {
            let upload = routes::read_upload(request, SystemClock.random())?;
            let url = deps.films.upload(&upload).await?;
            Ok(routes::upload_answer(&upload, &url, now))
        }
        Route::Status(id) => {
            let job = find(deps, &id).await?.ok_or_else(|| Problem::Video(VideoProblem::NoJob(id.to_string())))?;
            Ok(routes::status_answer(&job))
        }
        Route::Download(id, rendition) => {
            let job = find(deps, &id).await?.ok_or(Problem::Video(VideoProblem::NotFound))?;
            let video = job
                .videos()
                .iter()
                .find(|video| video.rendition == rendition)
                .ok_or(Problem::Video(VideoProblem::NotFound))?;
            // A signed S3 link is valid for one method.
            let films = &deps.films;
            let link =
                if request.is_head() { films.head_link(&video.key).await } else { films.download(&video.key).await };
            Ok(routes::download_answer(&link?))
        }
        Route::List { filter, limit, cursor } => {
            Ok(routes::list_answer(&queue::list(&deps.jobs, now, &filter, limit, cursor).await?))
        }
        Route::Delete(id) => {
            let changed = change(&deps.jobs, &SystemClock, &deps.policy, &id, &Event::DeleteVideo).await?;
            let caller = caller.map(|caller| caller.fingerprint);
            tracing::info!(job_id = %id, caller, outcome = changed.name(), "received a request to delete a video");
            match changed {
                Changed::Applied(_) => Ok(routes::deleted_answer(&id)),
                Changed::Ignored(..) | Changed::Rejected(..) | Changed::NotFound => {
                    Err(Problem::Video(VideoProblem::Gone))
                }
            }
        }
        Route::Queue => {
            let status = queue::status(&deps.jobs, now).await?;
            let waiting = deps.jobs.oldest_ready(now, routes::QUEUED_SHOWN).await?;
            Ok(routes::queue_answer(&status, &waiting, deps.max_workers))
        }
        Route::Tracks => {
            let secrets = deps.secrets.get().await;
            let tracks = reelhook_music::TRACKS.iter().map(|track| (track.id, track.name, track.filename));
            Ok(routes::tracks_answer(tracks, &base(deps, request)?, &secrets.links, now))
        }
        Route::Track(name) => match reelhook_music::find(&name) {
            Some(track) => Ok(ApiAnswer::bytes(200, track.file.to_vec()).header("content-type", "audio/mpeg")),
            None => Err(Problem::Video(VideoProblem::TrackNotFound)),
        },
    }
}

/// Accepts a request for a video. If the caller waits for the video and a waiter slot is free, the answer waits within
/// the time limit of this function; otherwise the answer is the same as after that time.
async fn create(deps: &Deps, request: &ApiRequest, caller: Caller, wait: bool) -> Result<ApiAnswer, Problem> {
    let track = |word: &str| reelhook_music::find(word).map(|track| track.id);
    let random = || SystemClock.random();
    let video = routes::read(request, &caller, !wait, deps.allow_http, deps.renderer, random, track).await?;
    let ports = VideoRequestPorts {
        jobs: &deps.jobs,
        films: &deps.films,
        links: &deps.films,
        speeds: &deps.counters,
        clock: &SystemClock,
        policy: &deps.policy,
        renderer: deps.renderer,
    };
    let VideoSubmitted::Answer { body, job_id } = requests::submit_video(&ports, video, caller.fingerprint).await?
    else {
        return Err(Problem::Request(RequestProblem::KeyReused));
    };
    if wait && let Some(job) = wait_for(deps, request, &job_id).await? {
        return routes::finished_answer(&job, &body);
    }
    Ok(ApiAnswer::text(202, body))
}

/// The job once it has ended; none if that takes longer than this function may wait, or if no waiter slot is free.
async fn wait_for(deps: &Deps, request: &ApiRequest, id: &JobId) -> Result<Option<Job>, Problem> {
    let ports = WaitPorts { jobs: &deps.jobs, slots: &deps.waiters, clock: &SystemClock, timer: &SystemClock };
    let slot = format!("{}.{:08x}", request.request_id, SystemClock.random() as u32);
    match wait_for_end(&ports, id, &slot, deps.wait).await {
        WaitOutcome::Ended(job) => Ok(Some(*job)),
        WaitOutcome::NotYet => Ok(None),
        WaitOutcome::Gone => Err(Problem::Video(VideoProblem::NoJob(id.to_string()))),
    }
}

async fn find(deps: &Deps, id: &JobId) -> Result<Option<Job>, Problem> {
    Ok(deps.jobs.load(id).await?.filter(|job| job.deleted_at.is_none()))
}

/// The base URL of the API: the configured one, or that of the request.
fn base(deps: &Deps, request: &ApiRequest) -> Result<Url, Problem> {
    if let Some(base) = &deps.base {
        return Ok(base.clone());
    }
    let host = request.header("host").unwrap_or_default();
    Url::parse(&format!("https://{host}")).map_err(|_| Problem::Request(RequestProblem::Internal))
}
