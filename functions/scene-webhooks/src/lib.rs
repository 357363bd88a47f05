//! POST /api/webhooks/video-complete, last-frame-complete and stitch-complete: services report tasks of projects. Callbacks
//! are authenticated on their raw bytes, then counted, then read.

pub mod receiver;

use std::time::Duration;

use reelhook_api::{Api, SettingsReader};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::errors::raise::RaisePorts;
use reelhook_app::outbox::messages::{DeliveryMessage, WorkMessage};
use reelhook_app::projects::callbacks::CallbackPorts;
use reelhook_app::webhooks::notification;
use reelhook_app::webhooks::notify::NotifyPorts;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::objects::Bucket;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::projects::table::ProjectTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::problem::Problem;
use reelhook_http::projects::callbacks::answers::{health, preflight};
use reelhook_http::projects::callbacks::route::Route;
use reelhook_http::projects::callbacks::sender::CallbackKeys;
use reelhook_http::request::ApiRequest;
use reelhook_signing::SigningKeys;

use crate::receiver::Receiver;

/// The keys that verify callbacks, the endpoints that subscribe to errors, and the secret of the domain in front of the API.
pub struct Secrets {
    keys: CallbackKeys,
    webhooks: WebhookSettings,
    edge: Edge,
}

const TOKENS: &str = "CALLBACK_TOKEN_SECRET";
const SETTINGS: &[&str] = &[TOKENS, Edge::SETTING, "WEBHOOK_URLS", "WEBHOOK_EVENTS", notification::URL];

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API.
    pub api: Api<Secrets>,
    projects: ProjectTable,
    counters: CounterTable,
    files: Bucket,
    errors: ErrorTable,
    deliveries: DeliveryTable,
    hints: Queue<DeliveryMessage>,
    work: Queue<WorkMessage>,
    registrations: RegistrationTable,
    grace: Duration,
    policy: ProjectPolicy,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let (projects, mut queues) = (resources.projects(), resources.queues());
        let (hints, work) = (queues.deliveries(), queues.work());
        let allow_http = resources.environment.allows_http();
        let settings = SettingsReader::new(&[SETTINGS, &CallbackKeys::SETTINGS].concat(), move |raw, _| {
            let lookup = |name: &str| raw.text(name);
            let tokens = raw.required(TOKENS, SigningKeys::parse)?;
            let webhooks = WebhookSettings::read(&lookup, allow_http)?.with_notification(&lookup, allow_http)?;
            Ok(Secrets { keys: CallbackKeys::new(tokens, &lookup), webhooks, edge: Edge::read(&lookup) })
        });
        Ok(Self {
            counters: resources.counters(),
            files: resources.bucket(),
            errors: resources.errors(),
            deliveries: resources.deliveries(),
            hints,
            work,
            registrations: RegistrationTable::new(resources.endpoints()),
            grace: resources.environment.policy().hint_grace,
            policy: resources.environment.project_policy(),
            api: Api::for_reports(resources, settings, projects.first_call())
                .await?
                .with_errors(Problem::callback)
                .with_preflight(preflight),
            projects,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let stage = match Route::read(request)? {
        Route::Receive(stage) => stage,
        Route::Health(stage) => return Ok(health(stage, SystemClock.now())),
    };
    // The audit log has every caller, admitted or refused.
    deps.api.settings.get().await.edge.audit(request, "callback about a task received");
    let token = deps.api.settings.check(|secrets| secrets.keys.verify(request, stage)).await?;
    let secrets = deps.api.settings.get().await;
    let raise = RaisePorts {
        errors: &deps.errors,
        notify: NotifyPorts { store: &deps.deliveries, hints: &deps.hints, grace: deps.grace },
        subscribers: &deps.registrations,
        settings: &secrets.webhooks,
        clock: &SystemClock,
    };
    let ports = CallbackPorts {
        projects: &deps.projects,
        lookups: &deps.counters,
        early: &deps.counters,
        files: &deps.files,
        errors: &raise,
        work: &deps.work,
        clock: &SystemClock,
        policy: &deps.policy,
        notifies: secrets.webhooks.notification.is_some(),
    };
    let receiver = Receiver { calls: &deps.counters, ports };
    receiver.receive(request, stage, token, &secrets.edge.network(request)).await
}
