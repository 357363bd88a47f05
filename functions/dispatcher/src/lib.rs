//! The `dispatcher` function: sends the deliveries that the Deliveries queue hints at, and records each attempt.

use aws_lambda_events::event::sqs::SqsBatchResponse;
use lambda_runtime::LambdaEvent;
use reelhook_app::errors::raise::RaisePorts;
use reelhook_app::outbox::messages::{DeliveryMessage, of_messages};
use reelhook_app::webhooks::deliver::{DeliverPorts, deliver};
use reelhook_app::webhooks::endpoints::cache::EndpointCache;
use reelhook_app::webhooks::notification;
use reelhook_app::webhooks::notify::NotifyPorts;
use reelhook_app::webhooks::transport::Transports;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::settings::{Raw, Settings};
use reelhook_aws::start::{LogBuffer, QueueBatch, SystemClock, Verdict, batch};
use reelhook_aws::webhooks::cloud_transport::CloudTransport;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_aws::webhooks::secrets::WebhookSecrets;
use reelhook_domain::Policy;
use reelhook_outbound::{AllowList, GuardedClient};

/// The dependencies of the function.
pub struct Deps {
    deliveries: DeliveryTable,
    endpoints: EndpointTable,
    errors: ErrorTable,
    registrations: RegistrationTable,
    endpoint_cache: EndpointCache,
    hints: Queue<DeliveryMessage>,
    transports: Transports<GuardedClient, CloudTransport>,
    secrets: Settings<WebhookSecrets>,
    policy: Policy,
    log: LogBuffer,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings; lines in `log` are written after each batch.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources, log: LogBuffer) -> anyhow::Result<Self> {
        let (endpoints, hints) = (resources.endpoints(), resources.queues().deliveries());
        let (allow_http, keys_required) = (resources.environment.allows_http(), !resources.environment.needs_no_keys());
        let parse = move |raw: &Raw| WebhookSecrets::read(raw, allow_http, keys_required);
        // The notification service comes first: one call reads the names up to the options.
        let settings = [notification::SETTINGS, WebhookSecrets::SETTINGS].concat();
        Ok(Self {
            deliveries: resources.deliveries().beside(&endpoints),
            errors: resources.errors(),
            registrations: RegistrationTable::new(endpoints.clone()),
            endpoints,
            endpoint_cache: EndpointCache::default(),
            hints,
            transports: Transports {
                web: GuardedClient::new(resources.environment.outbound(AllowList::parse), None)?,
                cloud: resources.cloud_transport(),
            },
            policy: resources.environment.policy(),
            log,
            secrets: resources.settings(settings, parse)?.await?,
        })
    }
}

/// Processes a batch of hints.
///
/// # Errors
/// Never: the answer names the messages that must come again.
pub async fn handle(deps: &Deps, event: LambdaEvent<QueueBatch>) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    let response = batch(event.payload, |messages: Vec<DeliveryMessage>| process(deps, messages)).await;
    // After the response the instance may be frozen.
    deps.log.flush();
    Ok(response)
}

async fn process(deps: &Deps, messages: Vec<DeliveryMessage>) -> Vec<Verdict> {
    let secrets = deps.secrets.get().await;
    let grace = deps.policy.hint_grace;
    let errors = RaisePorts {
        errors: &deps.errors,
        notify: NotifyPorts { store: &deps.deliveries, hints: &deps.hints, grace },
        subscribers: &deps.registrations,
        settings: &secrets.settings,
        clock: &SystemClock,
    };
    let ports = DeliverPorts {
        deliveries: &deps.deliveries,
        attempts: &deps.deliveries,
        events: &deps.deliveries,
        errors: &errors,
        endpoints: &deps.endpoints,
        admission: &deps.endpoints,
        health: &deps.endpoints,
        hints: &deps.hints,
        registrations: &deps.registrations,
        endpoint_cache: &deps.endpoint_cache,
        vault: secrets.vault.as_ref(),
        transport: &deps.transports,
        clock: &SystemClock,
        timer: &SystemClock,
        settings: &secrets.settings,
        grace,
    };
    let named: Vec<_> = messages.iter().flat_map(DeliveryMessage::deliveries).collect();
    let results = deliver(&ports, &named).await;
    of_messages(&messages, results).into_iter().map(Verdict::from).collect()
}
