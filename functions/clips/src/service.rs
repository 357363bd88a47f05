//! What the function answers about jobs and credits, over its ports.

use reelhook_api::{MadeClips, insufficient, submit_clips};
use reelhook_app::change::{Changed, change_loaded};
use reelhook_app::clips::requests::create::{CreatePorts, NewClips, has_too_many_ranges};
use reelhook_app::clips::requests::find::find;
use reelhook_app::clips::requests::retry::{Retried, retry_job};
use reelhook_app::clips::store::{AttemptPorts, ClipAttempts, ClipList, ClipStore};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::credits::ledger::Ledger;
use reelhook_app::credits::requests::{AddPorts, Added, NewCredits, add, read};
use reelhook_app::files::links::FileLinks;
use reelhook_app::views::clips::{ClipOrder, Shown};
use reelhook_domain::clips::event::Event;
use reelhook_domain::clips::request::estimate;
use reelhook_domain::{ClipJob, ClipJobId, ClipPolicy, TraceParent};
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::clips::answers::{
    created_answer, deleted_answer, estimate_answer, is_known, job_answer, list_answer, read_answer, unchanged_answer,
};
use reelhook_http::clips::problem::{ClipProblem, too_many_ranges};
use reelhook_http::clips::routes::{ListPage, Route};
use reelhook_http::credits::answers::{account_answer, added_answer};
use reelhook_http::credits::requests::Route as CreditRoute;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;

/// Settings that requests depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether an account must have the credits that a job reserves (CREDITS).
    pub limited: bool,
    /// Whether webhooks may be sent to http URLs (ALLOW_HTTP_WEBHOOKS).
    pub allow_http: bool,
}

/// A request that was read.
#[derive(Debug)]
pub enum Call {
    /// About clip jobs.
    Clips(Route),
    /// About credits.
    Credits(CreditRoute),
}

impl Call {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn read(request: &ApiRequest, caller: &Caller, rules: Rules) -> Result<Self, Problem> {
        match CreditRoute::read(request, caller)? {
            Some(route) => Ok(Self::Credits(route)),
            None => Route::read(request, caller, rules.allow_http).map(Self::Clips),
        }
    }

    /// Whether it is for a new job.
    pub fn makes_a_job(&self) -> bool {
        matches!(self, Self::Clips(Route::Create(_)))
    }
}

/// Answers requests of admitted callers.
pub struct Service<'a> {
    /// Clip jobs.
    pub jobs: &'a dyn ClipStore,
    /// Lists of clip jobs.
    pub list: &'a dyn ClipList,
    /// New attempts, and the records of keys.
    pub attempts: &'a dyn ClipAttempts,
    /// Credits.
    pub ledger: &'a dyn Ledger,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The policy of clip jobs.
    pub policy: &'a ClipPolicy,
    /// Settings.
    pub rules: Rules,
    /// Makes links to files.
    pub links: FileLinks<'a>,
}

impl Service<'_> {
    /// Answers a request.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn answer(&self, call: Call, request: &ApiRequest, caller: &Caller) -> Result<ApiAnswer, Problem> {
        let route = match call {
            Call::Credits(route) => return self.credits(route, caller).await,
            Call::Clips(route) => route,
        };
        match route {
            Route::List(page) => self.list(&page, caller).await,
            Route::Create(new) => self.create(*new, caller).await,
            Route::Estimate { ranges, .. } if has_too_many_ranges(&ranges, self.policy) => {
                Err(too_many_ranges(ranges.len()))
            }
            Route::Estimate { ranges, declared_ms } => {
                Ok(estimate_answer(estimate(&ranges, declared_ms, self.policy.price)))
            }
            Route::Read(id, order) => {
                let job = self.find(caller, &id).await?;
                if is_known(request, &job, order) {
                    return Ok(unchanged_answer(&job, order));
                }
                Ok(self.show(order, |shown| read_answer(&job, shown)))
            }
            Route::Cancel(id) => {
                let job = self.command(caller, &id, &Event::Cancel).await?;
                Ok(self.show_job(200, &job))
            }
            Route::Delete(id) => {
                self.command(caller, &id, &Event::Delete).await?;
                Ok(deleted_answer())
            }
            Route::Retry(id) => self.retry(caller, &id).await,
            Route::Recut(id, index, range) => {
                let job = self.command(caller, &id, &Event::Recut { index, range }).await?;
                Ok(self.show_job(202, &job))
            }
        }
    }

    async fn credits(&self, route: CreditRoute, caller: &Caller) -> Result<ApiAnswer, Problem> {
        match route {
            CreditRoute::Read { account, cursor, limit } => {
                Ok(account_answer(&read(self.ledger, account, cursor.as_deref(), limit).await?))
            }
            CreditRoute::Add(new) => self.add_credits(*new, caller).await,
        }
    }

    async fn add_credits(&self, new: NewCredits, caller: &Caller) -> Result<ApiAnswer, Problem> {
        let (account, credits) = (new.account.clone(), new.credits);
        let ports = AddPorts { ledger: self.ledger, keys: self.attempts, clock: self.clock };
        match add(&ports, new).await? {
            Added::Entry(entry, balance) => {
                let caller = caller.fingerprint.as_str();
                tracing::info!(entry_id = entry.id, caller, credits, "added credits");
                Ok(added_answer(&account, &balance, &entry))
            }
            Added::KeyReused => Err(Problem::Request(RequestProblem::KeyReused)),
        }
    }

    async fn list(&self, page: &ListPage, caller: &Caller) -> Result<ApiAnswer, Problem> {
        let ListPage { status, order, cursor, limit } = page;
        let found = self.list.page(caller.owner.as_ref(), *status, cursor.as_deref(), *limit).await?;
        Ok(self.show(*order, |shown| list_answer(&found, shown, |last| self.list.cursor_after(last))))
    }

    async fn create(&self, new: NewClips, caller: &Caller) -> Result<ApiAnswer, Problem> {
        let reuse = new.reuse;
        let ports = CreatePorts {
            attempts: self.attempts,
            jobs: self.jobs,
            list: self.list,
            clock: self.clock,
            policy: self.policy,
            limited: self.rules.limited,
        };
        let job = match submit_clips(&ports, new).await? {
            MadeClips::Now(job) => *job,
            MadeClips::Existing(job) => return Ok(self.show_job(200, &job)),
            MadeClips::Before(id) => {
                let job = self.find(caller, &id).await?;
                // A client that allows an earlier job gets one.
                return Ok(if reuse { self.show_job(200, &job) } else { self.show_created(&job) });
            }
        };
        let (caller, trace) = (caller.fingerprint.as_str(), TraceParent::of_aggregate(&job));
        tracing::info!(clip_job_id = %job.id, caller, trace_id = trace.trace_id(), "accepted a clip job");
        Ok(self.show_created(&job))
    }

    async fn retry(&self, caller: &Caller, id: &ClipJobId) -> Result<ApiAnswer, Problem> {
        let loaded = self.find(caller, id).await?;
        let ports = AttemptPorts {
            attempts: self.attempts,
            jobs: self.jobs,
            clock: self.clock,
            policy: self.policy,
            limited: self.rules.limited,
        };
        match retry_job(&ports, loaded).await? {
            Retried::Done(job) => {
                tracing::info!(clip_job_id = %id, caller = caller.fingerprint.as_str(), "retried a clip job");
                Ok(self.show_job(200, &job))
            }
            Retried::Rejected(reason) => Err(reason.into()),
            Retried::Insufficient { balance, needed } => Err(insufficient(&balance, needed)),
            Retried::PageUnreadable => Err(ClipProblem::PageUnreadable.into()),
            Retried::TooManyRanges(given) => Err(too_many_ranges(given)),
            Retried::NotFound => Err(ClipProblem::NotFound.into()),
        }
    }

    /// The job, if the caller sees it.
    async fn find(&self, caller: &Caller, id: &ClipJobId) -> Result<ClipJob, Problem> {
        let found = find(self.jobs, id).await?.filter(|job| caller.may_see(&job.origin));
        found.ok_or(Problem::Clip(ClipProblem::NotFound))
    }

    /// Applies a command to a job that the caller sees.
    async fn command(&self, caller: &Caller, id: &ClipJobId, event: &Event) -> Result<ClipJob, Problem> {
        let loaded = self.find(caller, id).await?;
        match change_loaded(self.jobs, self.clock, self.policy, loaded, event).await? {
            Changed::Applied(job) => {
                tracing::info!(clip_job_id = %id, caller = caller.fingerprint.as_str(), ?event, "commanded a clip job");
                Ok(*job)
            }
            Changed::Ignored(_, job) => Ok(*job),
            Changed::Rejected(reason, _) => Err(reason.into()),
            Changed::NotFound => Err(ClipProblem::NotFound.into()),
        }
    }

    fn show_created(&self, job: &ClipJob) -> ApiAnswer {
        self.show(ClipOrder::default(), |shown| created_answer(job, shown))
    }

    fn show_job(&self, status: u16, job: &ClipJob) -> ApiAnswer {
        self.show(ClipOrder::default(), |shown| job_answer(status, job, shown))
    }

    /// The answer that `answer` makes, with links to files.
    fn show(&self, order: ClipOrder, answer: impl FnOnce(Shown<'_>) -> ApiAnswer) -> ApiAnswer {
        let now = self.clock.now();
        answer(Shown { url: &|file| self.links.of(file, now), order })
    }
}
