//! VidBuilder's API: accepts requests for videos, shows their status, links to finished videos, and deletes them.

use std::time::Duration;

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::Url;
use reelhook_app::change::{Changed, change};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::claims::oldest_ready;
use reelhook_app::jobs::waiting::{WaitOutcome, WaitPorts, wait_for_end};
use reelhook_app::jobs::{queue, store};
use reelhook_app::videos::requests::{self, VideoRequestPorts, VideoSubmitted};
use reelhook_app::videos::uploads::Links;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::slots::SlotTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_aws::videos::films::FilmBucket;
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{Event, Job, JobId, Policy};
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::site::base_url;
use reelhook_http::videos::problem::VideoProblem;
use reelhook_http::videos::routes::{self, Route};
use reelhook_signing::SigningKeys;

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API, and the keys that sign links.
    pub api: Api<WithAccess<SigningKeys>>,
    jobs: JobTable,
    counters: CounterTable,
    waiters: SlotTable,
    films: FilmBucket,
    base: Option<Url>,
    allow_http: bool,
    max_workers: usize,
    wait: Duration,
    renderer: Renderer,
    policy: Policy,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET"];

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let (jobs, counters) = (resources.jobs(), resources.counters());
        let links = SettingsReader::new(SETTINGS, |raw, _| raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse));
        Ok(Self {
            waiters: SlotTable::waiters(counters.clone(), resources.environment.parsed("MAX_WAITERS", 20)),
            counters,
            films: resources.films(),
            base: resources.environment.public_base(),
            allow_http: resources.environment.allows_http(),
            max_workers: resources.environment.max_workers(),
            wait: Duration::from_secs(resources.environment.parsed("WAIT_SECONDS", 25)),
            renderer: resources.environment.renderer(),
            policy: resources.environment.policy(),
            api: Api::for_callers(resources, links, jobs.first_call()).await?.with_errors(Problem::vidbuilder),
            jobs,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let route = Route::read(request);
    if let Ok(route) = &route
        && let Some(link) = route.linked(request)
    {
        link.check(SystemClock.now(), &deps.api.settings.get().await.own)?;
        return answer(deps, request, route.clone(), None).await;
    }
    // A caller without a key must not learn which routes and parameters are valid.
    let caller = deps.api.admit(request).await?;
    answer(deps, request, route?, Some(caller)).await
}

/// The job, if it exists and the caller sees it. A signed link, which has no caller, names its own job.
async fn find(deps: &Deps, caller: Option<&Caller>, id: &JobId) -> Result<Option<Job>, Problem> {
    let may_see = |job: &Job| caller.is_none_or(|caller| caller.may_see(&job.origin));
    Ok(store::find(&deps.jobs, id).await?.filter(may_see))
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
            let job = find(deps, caller.as_ref(), &id)
                .await?
                .ok_or_else(|| Problem::Video(VideoProblem::NoJob(id.to_string())))?;
            Ok(routes::status_answer(&job))
        }
        Route::Download(id, rendition) => {
            let job = find(deps, caller.as_ref(), &id).await?.ok_or(Problem::Video(VideoProblem::NotFound))?;
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
            let filter = filter.seen_by(caller.as_ref().and_then(|caller| caller.owner.as_ref()));
            Ok(routes::list_answer(&queue::list(&deps.jobs, now, &filter, limit, cursor).await?))
        }
        Route::Delete(id) => {
            if caller.as_ref().is_some_and(|caller| caller.owner.is_some())
                && find(deps, caller.as_ref(), &id).await?.is_none()
            {
                return Err(Problem::Video(VideoProblem::Gone));
            }
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
            let waiting = oldest_ready(&deps.jobs, now, routes::QUEUED_SHOWN).await?;
            Ok(routes::queue_answer(&status, &waiting, deps.max_workers))
        }
        Route::Tracks => {
            let base = base_url(deps.base.as_ref(), request).ok_or(Problem::Request(RequestProblem::Internal))?;
            let settings = deps.api.settings.get().await;
            let tracks = reelhook_music::TRACKS.iter().map(|track| (track.id, track.name, track.filename));
            Ok(routes::tracks_answer(tracks, &base, &settings.own, now))
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
    deps.api.admit_new(&caller).await?;
    let ports = VideoRequestPorts {
        jobs: &deps.jobs,
        films: &deps.films,
        links: &deps.films,
        speeds: &deps.counters,
        clock: &SystemClock,
        policy: &deps.policy,
        renderer: deps.renderer,
    };
    let VideoSubmitted::Answer { body, job_id } = requests::submit_video(&ports, video).await? else {
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
