//! The `dispatcher` function: sends the deliveries that the Deliveries queue hints at, and records each attempt.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::LambdaEvent;
use reelhook_app::outbox::messages::DeliveryMessage;
use reelhook_app::webhooks::deliver::{DeliverPorts, deliver};
use reelhook_app::webhooks::endpoints::cache::EndpointCache;
use reelhook_app::webhooks::endpoints::registrations::Vault;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_app::webhooks::transport::Transports;
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::settings::{OPTIONS, Settings, required};
use reelhook_aws::start::{SystemClock, Verdict, batch};
use reelhook_aws::webhooks::cloud_transport::CloudTransport;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_domain::Policy;
use reelhook_outbound::{AllowList, GuardedClient};
use reelhook_signing::SigningKeys;

/// What the function is configured with.
pub struct Config {
    deliveries_table: String,
    endpoints_table: String,
    deliveries_queue_url: String,
    settings_path: String,
    allow_http: bool,
    allow: AllowList,
    policy: Policy,
    unsigned: bool,
}

impl Config {
    /// Reads DELIVERIES_TABLE, ENDPOINTS_TABLE, DELIVERIES_QUEUE_URL, SETTINGS_PATH, ALLOW_HTTP_WEBHOOKS, OUTBOUND_ALLOW,
    /// AUTH and HINT_GRACE_SECONDS.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists everything that is wrong.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            deliveries_table: environment.required("DELIVERIES_TABLE"),
            endpoints_table: environment.required("ENDPOINTS_TABLE"),
            deliveries_queue_url: environment.required("DELIVERIES_QUEUE_URL"),
            settings_path: environment.required("SETTINGS_PATH"),
            allow_http: environment.parsed("ALLOW_HTTP_WEBHOOKS", false),
            allow: environment.outbound(AllowList::parse),
            policy: environment.policy(),
            unsigned: environment.optional("AUTH").as_deref() == Some("none"),
        };
        environment.finish()?;
        Ok(config)
    }
}

/// Configured endpoints, and the key that seals the secrets of registered ones.
struct Secrets {
    webhooks: WebhookSettings,
    vault: Option<Vault>,
}

const SETTINGS: &[&str] = &[
    "WEBHOOK_URLS",
    "WEBHOOK_EVENTS",
    "WEBHOOK_SECRET_KEY",
    "ENDPOINT_SECRETS_KEY",
    // One call reads the names up to here; the others are in the options.
    OPTIONS,
    "WEBHOOK_HEADERS",
    "WEBHOOK_TIMEOUT",
    "WEBHOOK_SCHEDULE",
    "WEBHOOK_MAX_RETRIES",
    "WEBHOOK_RETRY_DELAY",
    "WEBHOOK_MAX_RETRY_DELAY",
    "WEBHOOK_RATE_LIMIT_WINDOW",
    "WEBHOOK_RATE_LIMIT_MAX",
    "WEBHOOK_ENDPOINT_POLICIES",
    "WEBHOOK_CONCURRENCY",
    "WEBHOOK_CIRCUIT_FAILURES",
    "WEBHOOK_CIRCUIT_DELAY",
    "WEBHOOK_CIRCUIT_MAX_DELAY",
    "WEBHOOK_DISABLE_AFTER",
    "WEBHOOK_DISABLE_AFTER_FAILURES",
    "WEBHOOK_PERMANENT_STATUSES",
];

/// What the function works with.
pub struct Deps {
    deliveries: DeliveryTable,
    endpoints: EndpointTable,
    registrations: RegistrationTable,
    endpoint_cache: EndpointCache,
    hints: Queue<DeliveryMessage>,
    transports: Transports<GuardedClient, CloudTransport>,
    secrets: Settings<Secrets>,
    policy: Policy,
}

impl Deps {
    /// Builds the clients and reads the settings, before the first event.
    ///
    /// # Errors
    /// When the settings cannot be read or are invalid, or a deployed stack has no secret.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let dynamodb = clients.dynamodb();
        let endpoints = EndpointTable::new(dynamodb.clone(), config.endpoints_table);
        let (allow_http, unsigned) = (config.allow_http, config.unsigned);
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, move |raw| {
            let webhooks = WebhookSettings::read(&|name| raw.text(name), allow_http)?;
            let vault = raw.get("ENDPOINT_SECRETS_KEY").and_then(SigningKeys::parse).map(|keys| Vault::new(&keys));
            if !unsigned {
                required(&[
                    ("WEBHOOK_SECRET_KEY", webhooks.secret.is_some()),
                    ("ENDPOINT_SECRETS_KEY", vault.is_some()),
                ])?;
            }
            Ok(Secrets { webhooks, vault })
        });
        Ok(Self {
            deliveries: DeliveryTable::new(dynamodb, config.deliveries_table),
            registrations: RegistrationTable::new(endpoints.clone()),
            endpoints,
            endpoint_cache: EndpointCache::default(),
            hints: Queue::new(clients.sqs(), config.deliveries_queue_url),
            transports: Transports {
                web: GuardedClient::new(config.allow, None)?,
                cloud: CloudTransport::new(clients.sqs(), clients.eventbridge()),
            },
            secrets: secrets.await?,
            policy: config.policy,
        })
    }
}

/// Processes a batch of hints.
///
/// # Errors
/// Never: the answer names the messages that must come again.
pub async fn handle(deps: &Deps, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    Ok(batch(event.payload, |messages: Vec<DeliveryMessage>| process(deps, messages)).await)
}

async fn process(deps: &Deps, messages: Vec<DeliveryMessage>) -> Vec<Verdict> {
    let secrets = deps.secrets.get().await;
    let ports = DeliverPorts {
        deliveries: &deps.deliveries,
        attempts: &deps.deliveries,
        events: &deps.deliveries,
        endpoints: &deps.endpoints,
        admission: &deps.endpoints,
        health: &deps.endpoints,
        hints: &deps.hints,
        registrations: &deps.registrations,
        endpoint_cache: &deps.endpoint_cache,
        vault: secrets.vault.as_ref(),
        transport: &deps.transports,
        clock: &SystemClock,
        settings: &secrets.webhooks,
        grace: deps.policy.hint_grace,
    };
    let hints: Vec<_> = messages
        .into_iter()
        .map(|DeliveryMessage::Deliver { delivery_id, event_id }| (delivery_id, event_id))
        .collect();
    let results = deliver(&ports, &hints).await;
    results.into_iter().map(|result| result.map_or_else(Verdict::Retry, |()| Verdict::Done)).collect()
}
