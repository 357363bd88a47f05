//! POST /api/webhooks/ai-clipping and its alias /api/webhooks/clipping: the clipping worker reports on clip jobs. Reports
//! are authenticated on their raw bytes, then counted, then read.

pub mod receiver;

use std::time::Duration;

use reelhook_api::{Api, SettingsReader};
use reelhook_app::clips::reports::ReportPorts;
use reelhook_app::clips::reports::files::WorkerFiles;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::errors::raise::RaisePorts;
use reelhook_app::outbox::messages::DeliveryMessage;
use reelhook_app::webhooks::notify::NotifyPorts;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_aws::clips::table::ClipTable;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_domain::ClipPolicy;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::clips::webhook::answers::health;
use reelhook_http::clips::webhook::route::Route;
use reelhook_http::clips::webhook::sender::ReportKeys;
use reelhook_http::edge::Edge;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_signing::SigningKeys;

use crate::receiver::Receiver;

/// The keys that verify reports, the endpoints that subscribe to errors, and the secret of the domain in front of the API.
pub struct Secrets {
    keys: ReportKeys,
    webhooks: WebhookSettings,
    edge: Edge,
}

const TOKENS: &str = "CALLBACK_TOKEN_SECRET";
const SETTINGS: &[&str] = &[TOKENS, Edge::SETTING, "WEBHOOK_URLS", "WEBHOOK_EVENTS"];

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API.
    pub api: Api<Secrets>,
    jobs: ClipTable,
    counters: CounterTable,
    errors: ErrorTable,
    deliveries: DeliveryTable,
    hints: Queue<DeliveryMessage>,
    registrations: RegistrationTable,
    grace: Duration,
    policy: ClipPolicy,
    files: WorkerFiles,
    per_minute: u32,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let (jobs, hints) = (resources.clips(), resources.queues().deliveries());
        let environment = &mut resources.environment;
        let (allow_http, per_minute) = (environment.allows_http(), environment.reports_per_minute());
        let (grace, policy) = (environment.policy().hint_grace, environment.clip_policy());
        let files = WorkerFiles { worker: environment.clipping_worker(), bucket: environment.required("BUCKET") };
        let settings = SettingsReader::new(&[SETTINGS, &ReportKeys::SETTINGS].concat(), move |raw, _| {
            let lookup = |name: &str| raw.text(name);
            let tokens = raw.required(TOKENS, SigningKeys::parse)?;
            let webhooks = WebhookSettings::read(&lookup, allow_http)?;
            Ok(Secrets { keys: ReportKeys::new(tokens, &lookup), webhooks, edge: Edge::read(&lookup) })
        });
        Ok(Self {
            counters: resources.counters(),
            errors: resources.errors(),
            deliveries: resources.deliveries(),
            hints,
            registrations: RegistrationTable::new(resources.endpoints()),
            grace,
            policy,
            files,
            per_minute,
            api: Api::for_reports(resources, settings, jobs.first_call()).await?.with_errors(Problem::callback),
            jobs,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    match Route::read(request)? {
        Route::Receive => {}
        Route::Health => return Ok(health(SystemClock.now())),
    }
    // The audit log has every caller, admitted or refused.
    deps.api.settings.get().await.edge.audit(request, "report on a clip job received");
    let token = deps.api.settings.check(|secrets| secrets.keys.verify(request)).await?;
    let secrets = deps.api.settings.get().await;
    let raise = RaisePorts {
        errors: &deps.errors,
        notify: NotifyPorts { store: &deps.deliveries, hints: &deps.hints, grace: deps.grace },
        subscribers: &deps.registrations,
        settings: &secrets.webhooks,
        clock: &SystemClock,
    };
    let ports = ReportPorts {
        jobs: &deps.jobs,
        lookups: &deps.counters,
        errors: &raise,
        clock: &SystemClock,
        policy: &deps.policy,
        files: &deps.files,
    };
    let receiver = Receiver { calls: &deps.counters, per_minute: deps.per_minute, ports };
    receiver.receive(request, token, &secrets.edge.network(request)).await
}
