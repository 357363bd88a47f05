//! One wiring for all functions behind the API: it starts a function, and answers its requests.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::metrics::{MetricName, count, is_on};
use reelhook_app::outbound::{HttpSender, user_agent};
use reelhook_app::store::StoreError;
use reelhook_aws::environment::Environment;
use reelhook_aws::limits::Limits;
use reelhook_aws::metrics;
use reelhook_aws::resources::Resources;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, warm_up};
use reelhook_http::access::Caller;
use reelhook_http::access::jwt::OwnerTokens;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::refusal::refusal;
use reelhook_http::request::ApiRequest;
use reelhook_http::site::Site;
use reelhook_outbound::{AllowList, GuardedClient};
use reelhook_signing::jwt::{JwtAlgorithm, JwtRules};
use tracing::Instrument as _;

use crate::settings::{SettingsReader, WithAccess};

/// What a function behind the API has in common with the others; `S` is what it makes of its settings.
pub struct Api<S> {
    /// The API's own address, and the origins that may call it.
    pub site: Site,
    /// The settings; they are read again every few minutes, and after a refusal.
    pub settings: Settings<S>,
    /// The rate limit: calls of each caller, or reports about each job.
    pub limits: Limits,
    to_answer: fn(&Problem, &str) -> ApiAnswer,
    preflight: fn(&Site, &ApiRequest) -> ApiAnswer,
}

impl<S: 'static> Api<WithAccess<S>> {
    /// A function whose callers have keys, or tokens of owners, and a rate limit. Reads SETTINGS_PATH, COUNTERS_TABLE, AUTH,
    /// PUBLIC_BASE_URL, CORS_ORIGINS, API_CALLS_PER_MINUTE and the rules of tokens, and then the credentials and the
    /// function's `own` settings while `first_call` opens a connection.
    ///
    /// # Errors
    /// When any variable is missing or invalid, or the settings can't be read.
    pub async fn for_callers<T>(
        mut resources: Resources,
        own: SettingsReader<S>,
        first_call: impl Future<Output = Result<T, StoreError>>,
    ) -> anyhow::Result<Self> {
        let tokens = Arc::new(owner_tokens(&mut resources.environment)?);
        let limits = Limits::of_callers(resources.counters(), resources.environment.calls_per_minute());
        Self::load(resources, limits, own.with_callers(tokens), first_call).await
    }

    /// [`Self::for_callers`] for a function whose routes are all the operator's: owners are refused.
    ///
    /// # Errors
    /// As [`Self::for_callers`].
    pub async fn for_operators<T>(
        mut resources: Resources,
        own: SettingsReader<S>,
        first_call: impl Future<Output = Result<T, StoreError>>,
    ) -> anyhow::Result<Self> {
        let limits = Limits::of_callers(resources.counters(), resources.environment.calls_per_minute());
        Self::load(resources, limits, own.with_operators(), first_call).await
    }
}

/// Reads JWT_ALGORITHM, JWT_JWKS_URL, JWT_ISSUER and JWT_AUDIENCE.
fn owner_tokens(environment: &mut Environment) -> anyhow::Result<OwnerTokens> {
    let rules = JwtRules {
        algorithm: environment.parsed("JWT_ALGORITHM", JwtAlgorithm::default()),
        issuer: environment.optional("JWT_ISSUER"),
        audience: environment.optional("JWT_AUDIENCE"),
    };
    let set = match environment.optional_url("JWT_JWKS_URL") {
        Some(url) => {
            let agent = user_agent(environment.public_base().as_ref());
            let http = GuardedClient::new(environment.outbound(AllowList::parse), Some(&agent))?;
            Some((url, Arc::new(http) as Arc<dyn HttpSender>))
        }
        None => None,
    };
    Ok(environment.checked(OwnerTokens::new(rules, set), OwnerTokens::default()))
}

impl<S> Api<WithAccess<S>> {
    /// Authenticates a caller. A caller without valid credentials is checked again with newer settings.
    ///
    /// # Errors
    /// Those of [`reelhook_http::access::Access::caller`].
    pub async fn authenticate(&self, request: &ApiRequest) -> Result<Caller, Problem> {
        self.check(request, |settings| settings.access.caller(request, SystemClock.now())).await
    }

    /// The result of `check`, with the published keys of owners' tokens if the request needs them. If it refuses, it
    /// decides again with newer settings.
    ///
    /// # Errors
    /// Those of `check`.
    pub async fn check<R>(
        &self,
        request: &ApiRequest,
        check: impl Fn(&WithAccess<S>) -> Result<R, Problem>,
    ) -> Result<R, Problem> {
        self.settings.get().await.access.fetch_keys(request, SystemClock.now()).await;
        self.settings.check(check).await
    }

    /// Authenticates a caller, and counts the call against the caller's rate limit.
    ///
    /// # Errors
    /// Those of [`Self::authenticate`], and a problem if the limit is reached.
    pub async fn admit(&self, request: &ApiRequest) -> Result<Caller, Problem> {
        let caller = self.authenticate(request).await?;
        let limits = self.settings.get().await.access.limits_of(&caller);
        match limits.calls {
            Some(per_minute) => self.limits.admit_up_to(&caller.fingerprint, per_minute).await?,
            None => self.limits.admit(&caller.fingerprint).await?,
        }
        Ok(caller)
    }

    /// Counts a job, a video, a project or a clip job that a caller is about to make, if the caller has a limit of a day. A
    /// request that is repeated with its `Idempotency-Key` counts again.
    ///
    /// # Errors
    /// A problem if the limit is reached.
    pub async fn admit_new(&self, caller: &Caller) -> Result<(), Problem> {
        let limits = self.settings.get().await.access.limits_of(caller);
        match limits.jobs {
            Some(most) => self.limits.admit_new(&caller.counted_as(), most).await.map_err(Problem::from),
            None => Ok(()),
        }
    }
}

impl<S: 'static> Api<S> {
    /// A function that receives reports, which have a rate limit for each job. Reads what [`Self::for_callers`] reads,
    /// with JOB_REPORTS_PER_MINUTE as the limit, and only the settings of `settings`.
    ///
    /// # Errors
    /// When any variable is missing or invalid, or the settings can't be read.
    pub async fn for_reports<T>(
        mut resources: Resources,
        settings: SettingsReader<S>,
        first_call: impl Future<Output = Result<T, StoreError>>,
    ) -> anyhow::Result<Self> {
        let limits = Limits::of_jobs(resources.counters(), resources.environment.reports_per_minute());
        Self::load(resources, limits, settings, first_call).await
    }

    async fn load<T>(
        mut resources: Resources,
        limits: Limits,
        settings: SettingsReader<S>,
        first_call: impl Future<Output = Result<T, StoreError>>,
    ) -> anyhow::Result<Self> {
        let site = resources.environment.site(Site::read);
        let (SettingsReader { names, read }, of) = (settings, site.clone());
        let settings = resources.settings(names, move |raw| read(raw, &of))?;
        let (settings, ()) = tokio::join!(settings, warm_up(first_call));
        Ok(Self { site, settings: settings?, limits, to_answer: Problem::streamgank, preflight: Site::preflight })
    }
}

impl<S> Api<S> {
    /// Reports errors in another format than StreamGank's.
    #[must_use]
    pub fn with_errors(self, to_answer: fn(&Problem, &str) -> ApiAnswer) -> Self {
        Self { to_answer, ..self }
    }

    /// Answers OPTIONS in another way than [`Site::preflight`].
    #[must_use]
    pub fn with_preflight(self, preflight: fn(&Site, &ApiRequest) -> ApiAnswer) -> Self {
        Self { preflight, ..self }
    }

    /// Answers a request with the result of `respond`, or reports its error. Every log line of the request has its
    /// `request_id`, and the `trace_id` of its caller if there is one.
    ///
    /// # Errors
    /// Never: every error becomes an answer.
    pub async fn serve<D>(
        &self,
        deps: &D,
        respond: impl AsyncFnOnce(&D, &ApiRequest) -> Result<ApiAnswer, Problem>,
        request: Request,
    ) -> Result<Response<Body>, Infallible> {
        let request = ApiRequest::of(request);
        // Functions receive preflights from an API with a `$default` route, and from a Function URL without CORS
        // settings.
        if request.method == "OPTIONS" {
            return Ok((self.preflight)(&self.site, &request).into_response());
        }
        // No filter drops spans of this level.
        let trace = request.trace();
        let trace_id = trace.as_ref().map(|trace| trace.trace_id());
        let span = tracing::error_span!("request", request_id = request.request_id, trace_id);
        let answer = respond(deps, &request).instrument(span).await;
        let answer = answer.unwrap_or_else(|problem| self.refusal(&problem, &request));
        metrics::finish();
        Ok(request.finish(answer).into_response())
    }

    /// The answer to a request that failed, in the format of the function's callers.
    pub fn refusal(&self, problem: &Problem, request: &ApiRequest) -> ApiAnswer {
        if is_on() {
            count(MetricName::ApiErrors, [problem.parts().1]);
        }
        refusal(self.to_answer, problem, request)
    }
}

#[cfg(test)]
mod tests;
