//! The job inbox: takes messages of other AWS services that ask for jobs, videos, projects and clip jobs (docs/inbox.md).

pub mod intake;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use lambda_runtime::LambdaEvent;
use reelhook_app::clips::requests::create::CreatePorts as ClipPorts;
use reelhook_app::errors::raise::RaisePorts;
use reelhook_app::errors::refused::RefusePorts;
use reelhook_app::outbox::messages::DeliveryMessage;
use reelhook_app::projects::requests::create::CreatePorts as ProjectPorts;
use reelhook_app::videos::requests::VideoRequestPorts;
use reelhook_app::webhooks::notify::NotifyPorts;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_aws::clips::attempts::AttemptTables;
use reelhook_aws::errors::refused::RefusedQueue;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::objects::Bucket;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::projects::table::ProjectTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::SystemClock;
use reelhook_aws::videos::films::FilmBucket;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{ClipPolicy, Policy};
use reelhook_http::access::senders::Senders;
use tracing::Instrument as _;

use crate::intake::{Intake, Received};

/// What finds the subscribers of an error.
const SETTINGS: &[&str] = &["WEBHOOK_URLS", "WEBHOOK_EVENTS"];

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    counters: CounterTable,
    films: FilmBucket,
    texts: Bucket,
    projects: ProjectTable,
    clips: AttemptTables,
    errors: ErrorTable,
    deliveries: DeliveryTable,
    registrations: RegistrationTable,
    hints: Queue<DeliveryMessage>,
    refused: RefusedQueue,
    senders: Senders,
    rules: Rules,
    policies: Policies,
    settings: Settings<WebhookSettings>,
}

/// Settings that requests depend on.
struct Rules {
    /// CREDITS: whether an account must have the credits that a clip job reserves.
    limited: bool,
    /// ALLOW_HTTP_WEBHOOKS.
    allow_http: bool,
    /// RENDERER.
    renderer: Renderer,
}

/// The times and limits of aggregates.
struct Policies {
    jobs: Policy,
    projects: ProjectPolicy,
    clips: ClipPolicy,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let mut queues = resources.queues();
        let (hints, refused) = (queues.deliveries(), queues.refused());
        let allow_http = resources.environment.allows_http();
        Ok(Self {
            jobs: resources.jobs(),
            counters: resources.counters(),
            films: resources.films(),
            texts: resources.bucket(),
            projects: resources.projects(),
            clips: resources.clip_attempts(),
            errors: resources.errors(),
            deliveries: resources.deliveries(),
            registrations: RegistrationTable::new(resources.endpoints()),
            hints,
            refused,
            senders: resources.environment.parsed("INBOX_OWNERS", Senders::default()),
            rules: Rules {
                limited: resources.environment.credits_limited(),
                allow_http,
                renderer: resources.environment.renderer(),
            },
            policies: Policies {
                jobs: resources.environment.policy(),
                projects: resources.environment.project_policy(),
                clips: resources.environment.clip_policy(),
            },
            settings: resources
                .settings(SETTINGS, move |raw| Ok(WebhookSettings::read(&|name| raw.text(name), allow_http)?))?
                .await?,
        })
    }
}

/// Takes a batch of messages.
///
/// # Errors
/// Never: the answer names the messages that must come again.
pub async fn handle(deps: &Deps, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    let settings = deps.settings.get().await;
    let raise = RaisePorts {
        errors: &deps.errors,
        notify: NotifyPorts { store: &deps.deliveries, hints: &deps.hints, grace: deps.policies.jobs.hint_grace },
        subscribers: &deps.registrations,
        settings: &settings,
        clock: &SystemClock,
    };
    let intake = Intake {
        videos: VideoRequestPorts {
            jobs: &deps.jobs,
            films: &deps.films,
            links: &deps.films,
            speeds: &deps.counters,
            clock: &SystemClock,
            policy: &deps.policies.jobs,
            renderer: deps.rules.renderer,
        },
        projects: ProjectPorts {
            projects: &deps.projects,
            files: &deps.texts,
            clock: &SystemClock,
            policy: &deps.policies.projects,
        },
        clips: ClipPorts {
            attempts: &deps.clips,
            jobs: &deps.clips.clips,
            list: &deps.clips.clips,
            clock: &SystemClock,
            policy: &deps.policies.clips,
            limited: deps.rules.limited,
        },
        refusals: RefusePorts { kept: &deps.refused, errors: &raise, clock: &SystemClock },
        senders: &deps.senders,
        allow_http: deps.rules.allow_http,
    };
    let mut response = SqsBatchResponse::default();
    for record in event.payload.records {
        let id = record.message_id.clone().unwrap_or_default();
        // No filter drops spans of this level.
        let span = tracing::error_span!("message", message_id = id);
        if intake.take(&Received::of(record)).instrument(span).await.is_err() {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            response.batch_item_failures.push(failure);
        }
    }
    Ok(response)
}
