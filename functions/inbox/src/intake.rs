//! What becomes of one message, over its ports: it makes something once, is refused with its reason, or comes again.

use aws_lambda_events::event::sqs::SqsMessage;
use reelhook_api::{MadeClips, MadeProject, submit_clips, submit_project};
use reelhook_app::clips::requests::create::CreatePorts as ClipPorts;
use reelhook_app::errors::refused::{RefusePorts, RefusedMessage, refuse};
use reelhook_app::idempotency::{IdempotencyKey, IdempotencyStore, first_answer};
use reelhook_app::jobs::submit::{Submitted, submit_as};
use reelhook_app::limits::{DayCounter, admit_new};
use reelhook_app::projects::requests::create::CreatePorts as ProjectPorts;
use reelhook_app::store::StoreError;
use reelhook_app::videos::requests::{VideoRequestPorts, VideoSubmitted, submit_video};
use reelhook_aws::errors::refused::FIRST_ID;
use reelhook_domain::{JobId, KeyLimits, ProjectId, Subject, TraceParent, brief};
use reelhook_http::access::Caller;
use reelhook_http::access::senders::Senders;
use reelhook_http::clips::routes::Route as ClipRoute;
use reelhook_http::inbox::{Message, Operation, read};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::projects::routes::Route as ProjectRoute;
use reelhook_http::request::ApiRequest;
use reelhook_http::routes::unknown;
use reelhook_http::{jobs, videos};

/// The longest id of a message, in bytes; those of SQS have 36.
const ID: usize = 100;

/// A message as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The id under which it was sent first.
    pub id: String,
    /// The text.
    pub body: String,
    /// The principal that sent it, as SQS names it.
    pub sender: Option<String>,
}

impl Received {
    /// A message of a batch. One that was redriven has the id that it was sent with at first, so that it makes nothing twice.
    pub fn of(message: SqsMessage) -> Self {
        let first = message.message_attributes.get(FIRST_ID).and_then(|attribute| attribute.string_value.clone());
        let first = first.filter(|id| (1..=ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
        Self {
            id: first.or(message.message_id).unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            sender: message.attributes.get("SenderId").cloned(),
        }
    }
}

/// The message must come again: a store was busy, or refused the function. The cause is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComeAgain;

/// Takes messages.
pub struct Intake<'a> {
    /// Videos, and the jobs of both kinds.
    pub videos: VideoRequestPorts<'a>,
    /// Projects.
    pub projects: ProjectPorts<'a>,
    /// Clip jobs.
    pub clips: ClipPorts<'a>,
    /// What is refused.
    pub refusals: RefusePorts<'a>,
    /// The owners whom messages may name.
    pub senders: &'a Senders,
    /// What owners, and the inbox itself, may make in a day (KEY_LIMITS).
    pub limits: &'a KeyLimits,
    /// Counts it.
    pub made: &'a dyn DayCounter,
    /// Whether webhooks may be sent to http URLs (ALLOW_HTTP_WEBHOOKS).
    pub allow_http: bool,
}

impl Intake<'_> {
    /// Takes a message: makes what it asks for unless it was made before, or puts it aside with its reason.
    ///
    /// # Errors
    /// [`ComeAgain`]; taking the same message again makes nothing twice.
    pub async fn take(&self, received: &Received) -> Result<(), ComeAgain> {
        let sender = received.sender.as_deref().map(brief);
        let (operation, problem) = match read(&received.id, &received.body) {
            Ok(message) => {
                let operation = message.operation.name();
                match self.submit(&message).await {
                    Ok(made) => {
                        note_accepted(&received.id, &message, &made, sender.as_deref());
                        return Ok(());
                    }
                    Err(problem) => (Some(operation), problem),
                }
            }
            Err(problem) => (None, problem),
        };
        let (status, code, reason) = problem.parts();
        // Its cause is not the message's own; it is in the log already.
        if passes(&problem, status) {
            tracing::warn!(first_message_id = received.id, operation, code, sender, "a message must come again");
            return Err(ComeAgain);
        }
        tracing::warn!(
            first_message_id = received.id,
            operation,
            code,
            reason = brief(&reason),
            sender,
            "refused a message"
        );
        let message = RefusedMessage { id: received.id.clone(), body: received.body.clone(), operation, code, reason };
        refuse(&self.refusals, message).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, "failed to put a refused message aside, it must come again");
            ComeAgain
        })
    }

    /// Makes what a message asks for, or finds what it made before.
    async fn submit(&self, message: &Message) -> Result<Subject, Problem> {
        let caller = self.senders.caller(message.owner.as_deref())?.keeping_keys(message.key_kept);
        let request = &message.request;
        match message.operation {
            Operation::Generate => self.job(request, caller).await,
            Operation::GenerateVideoAsync => self.video(request, &caller).await,
            Operation::Projects => self.project(request, &caller).await,
            Operation::Clips => self.clip_job(request, &caller).await,
        }
    }

    /// Counts what a message is about to make, if its owner has a limit of a day.
    async fn admit_new(
        &self,
        caller: &Caller,
        keys: &dyn IdempotencyStore,
        key: Option<&IdempotencyKey>,
    ) -> Result<(), Problem> {
        let limits = self.limits.of(caller.owner.as_ref(), [caller.fingerprint.as_str()].into_iter());
        let Some(most) = limits.jobs else { return Ok(()) };
        let now = self.videos.clock.now();
        // SQS delivers at least once: a message that has made something is counted, and must not be refused afterwards.
        if let Some(key) = key
            && first_answer(keys, key, now).await?.is_some()
        {
            return Ok(());
        }
        Ok(admit_new(self.made, &caller.counted_as(), most, now).await?)
    }

    async fn job(&self, request: &ApiRequest, caller: Caller) -> Result<Subject, Problem> {
        let submission = jobs::generate::read(request, caller.clone())?;
        let VideoRequestPorts { jobs, clock, policy, .. } = &self.videos;
        self.admit_new(&caller, *jobs, submission.key.as_ref()).await?;
        let now = clock.now();
        let id = JobId::timed(now, clock.random());
        match submit_as(*jobs, now, policy, id, submission, |job| job.id.to_string()).await? {
            Submitted::Answer(id) => Ok(JobId::parse(&id).map_err(|_| unreadable())?.into()),
            Submitted::KeyReused => Err(Problem::Request(RequestProblem::KeyReused)),
        }
    }

    async fn video(&self, request: &ApiRequest, caller: &Caller) -> Result<Subject, Problem> {
        let random = || self.videos.clock.random();
        let track = |word: &str| reelhook_music::find(word).map(|track| track.id);
        // A registered endpoint may hear of the video, so it needs no URL of its own.
        let (renderer, needs_callback) = (self.videos.renderer, false);
        let video =
            videos::routes::read(request, caller, needs_callback, self.allow_http, renderer, random, track).await?;
        self.admit_new(caller, self.videos.jobs, video.key.as_ref()).await?;
        match submit_video(&self.videos, video).await? {
            VideoSubmitted::Answer { job_id, .. } => Ok(job_id.into()),
            VideoSubmitted::KeyReused => Err(Problem::Request(RequestProblem::KeyReused)),
        }
    }

    async fn project(&self, request: &ApiRequest, caller: &Caller) -> Result<Subject, Problem> {
        let ProjectRoute::Create(new) = ProjectRoute::read(request, caller)? else { return Err(unknown(request)) };
        self.admit_new(caller, self.projects.projects, new.key.as_ref()).await?;
        Ok(match submit_project(&self.projects, *new).await? {
            MadeProject::Now(project, _) => project.id.into(),
            MadeProject::Before(id, _) => id.into(),
        })
    }

    async fn clip_job(&self, request: &ApiRequest, caller: &Caller) -> Result<Subject, Problem> {
        let ClipRoute::Create(new) = ClipRoute::read(request, caller, self.allow_http)? else {
            return Err(unknown(request));
        };
        self.admit_new(caller, self.clips.attempts, new.key.as_ref()).await?;
        Ok(match submit_clips(&self.clips, *new).await? {
            MadeClips::Now(job) | MadeClips::Existing(job) => job.id.into(),
            MadeClips::Before(id) => id.into(),
        })
    }
}

/// Whether the same message may be taken in minutes. A limit of a day outlasts the times that it may come again.
fn passes(problem: &Problem, status: u16) -> bool {
    let is_of_the_day = matches!(problem, Problem::Request(RequestProblem::DailyLimit(..)));
    status >= 500 || (status == 429 && !is_of_the_day)
}

/// The record of a key holds no id.
fn unreadable() -> StoreError {
    StoreError::Unreadable { operation: "read key", reason: "the first answer of this key names no job".to_owned() }
}

/// Logs what a message made, under the names and the trace by which its other lines are found.
fn note_accepted(first_message_id: &str, message: &Message, made: &Subject, sender: Option<&str>) {
    let trace = TraceParent::of(made.as_str(), message.request.traceparent().as_deref());
    let clip_job_id = match made {
        Subject::Clips(id) => Some(id.as_str()),
        Subject::Job(_) | Subject::Project(_) | Subject::Endpoint(_) | Subject::Error(_) | Subject::Trigger(_) => None,
    };
    tracing::info!(
        first_message_id,
        operation = message.operation.name(),
        job_id = made.job().map(JobId::as_str),
        project_id = made.project().map(ProjectId::as_str),
        clip_job_id,
        trace_id = trace.trace_id(),
        sender,
        "accepted a message"
    );
}
