//! The API of clip jobs: creates, shows and commands them, links to their files, and shows and adds credits.

pub mod service;

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::Url;
use reelhook_app::clips::requests::find::find;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::files::links::FileLinks;
use reelhook_app::videos::uploads::Links;
use reelhook_aws::clips::attempts::AttemptTables;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_aws::videos::films::FilmBucket;
use reelhook_domain::ClipPolicy;
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::clips::files::FileRoute;
use reelhook_http::clips::problem::ClipProblem;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::projects::files::redirect;
use reelhook_http::request::ApiRequest;
use reelhook_http::site::base_url;
use reelhook_signing::SigningKeys;

use crate::service::{Call, Rules, Service};

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API, and the keys that sign links.
    pub api: Api<WithAccess<SigningKeys>>,
    /// Clip jobs and credits.
    tables: AttemptTables,
    /// Links to files.
    files: FilmBucket,
    base: Option<Url>,
    policy: ClipPolicy,
    rules: Rules,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET"];

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let tables = resources.clip_attempts();
        let links = SettingsReader::new(SETTINGS, |raw, _| raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse));
        Ok(Self {
            files: resources.films(),
            base: resources.environment.public_base(),
            policy: resources.environment.clip_policy(),
            rules: Rules {
                limited: resources.environment.credits_limited(),
                allow_http: resources.environment.allows_http(),
            },
            api: Api::for_callers(resources, links, tables.clips.first_call()).await?.with_errors(Problem::clips),
            tables,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let file = FileRoute::read(request);
    if let Ok(Some(file)) = &file
        && file.check_token(request, SystemClock.now(), &deps.api.settings.get().await.own)?
    {
        return download(deps, request, file).await;
    }
    // A caller without a key must not learn which routes and parameters are valid.
    let caller = deps.api.admit(request).await?;
    match file? {
        Some(file) => {
            check_file(deps, &caller, &file).await?;
            download(deps, request, &file).await
        }
        None => answer(deps, request, &caller).await,
    }
}

async fn answer(deps: &Deps, request: &ApiRequest, caller: &Caller) -> Result<ApiAnswer, Problem> {
    let base = base_url(deps.base.as_ref(), request).ok_or(Problem::Request(RequestProblem::Internal))?;
    let settings = deps.api.settings.get().await;
    let service = Service {
        jobs: &deps.tables.clips,
        list: &deps.tables.clips,
        attempts: &deps.tables,
        ledger: &deps.tables.credits,
        clock: &SystemClock,
        policy: &deps.policy,
        rules: deps.rules,
        links: FileLinks { base: &base, keys: &settings.own },
    };
    let call = Call::read(request, caller, deps.rules)?;
    if call.makes_a_job() {
        deps.api.admit_new(caller).await?;
    }
    service.answer(call, request, caller).await
}

/// Refuses an owner the files of jobs that are not theirs, and files that belong to no job by their path.
async fn check_file(deps: &Deps, caller: &Caller, file: &FileRoute) -> Result<(), Problem> {
    if caller.owner.is_none() {
        return Ok(());
    }
    let job = match &file.job {
        Some(id) => find(&deps.tables.clips, id).await?,
        None => None,
    };
    match job.filter(|job| caller.may_see(&job.origin)) {
        Some(_) => Ok(()),
        None => Err(Problem::Clip(ClipProblem::FileNotFound)),
    }
}

/// Redirects to a file. A signed S3 link is valid for one method.
async fn download(deps: &Deps, request: &ApiRequest, file: &FileRoute) -> Result<ApiAnswer, Problem> {
    let files = &deps.files;
    let link = if request.is_head() { files.head_link(&file.key).await } else { files.download(&file.key).await };
    Ok(redirect(&link?))
}
