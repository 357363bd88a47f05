//! Calls of operators about webhooks: status, endpoints, deliveries, recoveries, tests and triggered events. It also
//! checks whether a URL can be fetched, because it is the function of the API that calls URLs of users.

pub mod endpoints;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use lambda_http::{Body, Request, Response};
use reelhook_app::Url;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::DeliveryMessage;
use reelhook_app::webhooks::deliveries::{DeliveryQueries, ReplayPorts, Replayed, list, replay};
use reelhook_app::webhooks::endpoints::registrations::{RegistrationStore, Vault};
use reelhook_app::webhooks::recover::{self, RecoverPorts, RecoveryStore, Started};
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_app::webhooks::subscriptions::{Subscribers, Subscriptions};
use reelhook_app::webhooks::triggers::{self, Trigger, TriggerPorts, Triggered};
use reelhook_app::webhooks::validate::validate;
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::settings::{OPTIONS, Settings, required};
use reelhook_aws::start::{SystemClock, warm_up};
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_aws::webhooks::triggers::TriggerTables;
use reelhook_domain::{EndpointId, Policy};
use reelhook_http::access::Access;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::serve;
use reelhook_http::site::{Mode, Site};
use reelhook_http::webhooks::deliveries::{self, delivery_answer, list_answer, replay_answer};
use reelhook_http::webhooks::endpoint_fields::DestinationRules;
use reelhook_http::webhooks::endpoints::{Route as EndpointRoute, keys_answer, read_keys_request};
use reelhook_http::webhooks::hooks::{
    Route, note_test, note_trigger, status_answer, test_answer, trigger_body, validate_answer,
};
use reelhook_http::webhooks::problem::WebhookProblem;
use reelhook_http::webhooks::recover::{Route as RecoveryRoute, one_answer, recoveries_answer, recovery_answer};
use reelhook_outbound::{AllowList, GuardedClient};
use reelhook_signing::SigningKeys;

use crate::endpoints::EndpointHandler;

/// How long a recovery is worked on before the answer; the due sweep does the rest.
const RECOVERY_BUDGET: Duration = Duration::from_secs(5);
/// The recoveries of a list.
const RECOVERIES_SHOWN: usize = 20;

/// What the function is configured with.
pub struct Config {
    counters_table: String,
    deliveries_table: String,
    endpoints_table: String,
    deliveries_queue_url: String,
    settings_path: String,
    reach: DestinationRules,
    allow: AllowList,
    base: Option<Url>,
    calls_per_minute: u32,
    site: Site,
    policy: Policy,
}

impl Config {
    /// Reads COUNTERS_TABLE, DELIVERIES_TABLE, ENDPOINTS_TABLE, DELIVERIES_QUEUE_URL, SETTINGS_PATH,
    /// ALLOW_HTTP_WEBHOOKS, DESTINATIONS, AWS_REGION, OUTBOUND_ALLOW, PUBLIC_BASE_URL, CORS_ORIGINS, AUTH, API_CALLS_PER_MINUTE and
    /// HINT_GRACE_SECONDS.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists everything that is wrong.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            counters_table: environment.required("COUNTERS_TABLE"),
            deliveries_table: environment.required("DELIVERIES_TABLE"),
            endpoints_table: environment.required("ENDPOINTS_TABLE"),
            deliveries_queue_url: environment.required("DELIVERIES_QUEUE_URL"),
            settings_path: environment.required("SETTINGS_PATH"),
            reach: DestinationRules {
                allow_http: environment.parsed("ALLOW_HTTP_WEBHOOKS", false),
                destinations: list_of(environment.optional("DESTINATIONS")),
                region: environment.required("AWS_REGION"),
            },
            allow: environment.outbound(AllowList::parse),
            base: environment.public_base(),
            calls_per_minute: environment.calls_per_minute(),
            site: environment.site(Site::read),
            policy: environment.policy(),
        };
        environment.finish()?;
        Ok(config)
    }
}

/// `one,two`
fn list_of(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Access, webhook settings, and the keys that seal endpoints' secrets.
struct Secrets {
    access: Access,
    webhooks: WebhookSettings,
    vault: Option<Vault>,
    edge: Edge,
}

const SETTINGS: &[&str] = &[
    "API_KEYS",
    "API_USERNAME",
    "API_PASSWORD",
    "SESSION_SECRET",
    "WEBHOOK_URLS",
    "WEBHOOK_EVENTS",
    "WEBHOOK_SECRET_KEY",
    "ENDPOINT_SECRETS_KEY",
    Edge::SETTING,
    // One call reads the names up to here; the others are in the options.
    OPTIONS,
    "WEBHOOK_HEADERS",
    "WEBHOOK_TIMEOUT",
    "WEBHOOK_SCHEDULE",
    "WEBHOOK_PERMANENT_STATUSES",
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
];

/// What the function works with.
pub struct Deps {
    tables: TriggerTables,
    hints: Queue<DeliveryMessage>,
    http: GuardedClient,
    site: Site,
    secrets: Settings<Secrets>,
    registrations: RegistrationTable,
    endpoints: EndpointTable,
    limits: Limits,
    reach: DestinationRules,
    policy: Policy,
}

impl Deps {
    /// Builds the clients and reads the settings, before the first event.
    ///
    /// # Errors
    /// When settings cannot be read or are invalid, or a secret is missing on a deployed stack.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let dynamodb = clients.dynamodb();
        let counters = CounterTable::new(dynamodb.clone(), config.counters_table);
        let endpoints = EndpointTable::new(dynamodb.clone(), config.endpoints_table);
        let (site, allow_http) = (config.site.clone(), config.reach.allow_http);
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, move |raw| {
            let webhooks = WebhookSettings::read(&|name| raw.text(name), allow_http)?;
            let vault = raw.get("ENDPOINT_SECRETS_KEY").and_then(SigningKeys::parse).map(|keys| Vault::new(&keys));
            if site.mode() == Mode::Required {
                required(&[
                    ("WEBHOOK_SECRET_KEY", webhooks.secret.is_some()),
                    ("ENDPOINT_SECRETS_KEY", vault.is_some()),
                ])?;
            }
            let edge = Edge::read(&|name| raw.text(name));
            Ok(Secrets { access: Access::read(&site, &|name| raw.text(name))?, webhooks, vault, edge })
        });
        let no_endpoint = [EndpointId::parse("warm-up")?];
        let (secrets, ()) = tokio::join!(secrets, warm_up(endpoints.states(&no_endpoint)));
        Ok(Self {
            tables: TriggerTables {
                deliveries: DeliveryTable::new(dynamodb, config.deliveries_table),
                counters: counters.clone(),
            },
            registrations: RegistrationTable::new(endpoints.clone()),
            endpoints,
            hints: Queue::new(clients.sqs(), config.deliveries_queue_url),
            http: GuardedClient::new(config.allow, Some(&user_agent(config.base.as_ref())))?,
            site: config.site,
            secrets: secrets?,
            limits: Limits::of_callers(counters, config.calls_per_minute),
            reach: config.reach,
            policy: config.policy,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// Never: an error becomes an answer.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Infallible> {
    Ok(serve(&deps.site, request, async |request| respond(deps, request).await).await)
}

async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    if let Some(of) = read_keys_request(request) {
        let network = deps.secrets.get().await.edge.network(request);
        deps.limits.admit(&format!("keys {network}")).await?;
        // A malformed id has no keys.
        let of = of.map(|id| EndpointId::parse(id).ok());
        return public_keys(deps, of).await;
    }
    let caller = deps.secrets.check(|secrets| secrets.access.caller(request, SystemClock.now())).await?;
    deps.limits.admit(&caller.fingerprint).await?;
    let fingerprint = caller.fingerprint.clone();
    let secrets = deps.secrets.get().await;
    if let Some(route) = deliveries::Route::read(request)? {
        route.note(&caller);
        return handle_deliveries(deps, route).await;
    }
    if let Some(route) = RecoveryRoute::read(request, &caller, SystemClock.now())? {
        route.note(&caller);
        return handle_recoveries(deps, route).await;
    }
    if let Some(route) = EndpointRoute::read(request, &caller, &deps.reach)? {
        return endpoints::answer(&endpoint_handler(deps, &secrets), route, request.traceparent(), &fingerprint).await;
    }
    match Route::read(request, caller, deps.reach.allow_http)? {
        Route::Status => {
            let endpoints = endpoint_handler(deps, &secrets).all().await?;
            Ok(status_answer(&secrets.webhooks, &endpoints, SystemClock.now()))
        }
        Route::Test(url) => {
            let tested = triggers::test(&deps.http, &SystemClock, secrets.webhooks.secret.as_ref(), &url).await;
            note_test(&fingerprint, &url, &tested);
            Ok(test_answer(&tested, SystemClock.now()))
        }
        Route::Trigger(trigger, key) => trigger_event(deps, &secrets, *trigger, key).await,
        Route::Validate(text) => Ok(validate_answer(&validate(&deps.http, &text).await)),
    }
}

async fn handle_deliveries(deps: &Deps, route: deliveries::Route) -> Result<ApiAnswer, Problem> {
    let deliveries = &deps.tables.deliveries;
    match route {
        deliveries::Route::List(wanted) => Ok(list_answer(&list(deliveries, &wanted, SystemClock.now()).await?)),
        deliveries::Route::One(id) => {
            let details = deliveries.details(id).await?.ok_or(Problem::Webhook(WebhookProblem::DeliveryNotFound))?;
            Ok(delivery_answer(&details))
        }
        deliveries::Route::Replay(id) => {
            let (endpoints, grace) = (&deps.endpoints, deps.policy.hint_grace);
            let ports = ReplayPorts { deliveries, endpoints, hints: &deps.hints, clock: &SystemClock, grace };
            match replay(&ports, id).await? {
                Replayed::Due(delivery) => Ok(replay_answer(&delivery, SystemClock.now())),
                Replayed::InProgress(_) => Err(Problem::Webhook(WebhookProblem::DeliveryUnderWay)),
                Replayed::Disabled => Err(Problem::Webhook(WebhookProblem::EndpointDisabled)),
                Replayed::Removed => Err(Problem::Webhook(WebhookProblem::EndpointNotFound)),
                Replayed::NotFound => Err(Problem::Webhook(WebhookProblem::DeliveryNotFound)),
            }
        }
    }
}

/// The current public keys of one endpoint, or recent ones of all; this call is open to everyone.
async fn public_keys(deps: &Deps, of: Option<Option<EndpointId>>) -> Result<ApiAnswer, Problem> {
    let all = match of {
        None => deps.registrations.public_keys().await?,
        Some(None) => Arc::default(),
        Some(Some(id)) => {
            let one = deps.registrations.registration(&id).await?;
            Arc::new(one.into_iter().map(|one| (one.id, one.public_keys)).collect())
        }
    };
    Ok(keys_answer(all.iter().flat_map(|(id, keys)| keys.iter().map(move |key| (id, key))), SystemClock.now()))
}

fn endpoint_handler<'a>(deps: &'a Deps, secrets: &'a Secrets) -> EndpointHandler<'a> {
    EndpointHandler {
        registrations: &deps.registrations,
        reader: &deps.registrations,
        events: &deps.tables,
        records: &deps.tables,
        recover: recover_ports(deps),
        settings: &secrets.webhooks,
        vault: secrets.vault.as_ref(),
    }
}

fn recover_ports(deps: &Deps) -> RecoverPorts<'_> {
    let table = &deps.tables.deliveries;
    RecoverPorts {
        store: table,
        deliveries: table,
        endpoints: &deps.endpoints,
        hints: &deps.hints,
        clock: &SystemClock,
        grace: deps.policy.hint_grace,
    }
}

async fn handle_recoveries(deps: &Deps, route: RecoveryRoute) -> Result<ApiAnswer, Problem> {
    let (table, ports) = (&deps.tables.deliveries, recover_ports(deps));
    match route {
        RecoveryRoute::Begin(command) => match recover::begin(&ports, command, RECOVERY_BUDGET).await? {
            Started::Recovery(recovery) => Ok(recovery_answer(&recovery)),
            Started::KeyReused => Err(Problem::Request(RequestProblem::KeyReused)),
        },
        RecoveryRoute::List => Ok(recoveries_answer(&table.newest_recoveries(RECOVERIES_SHOWN).await?)),
        RecoveryRoute::One(id) => {
            let recovery = table.recovery(&id).await?.ok_or(Problem::Webhook(WebhookProblem::RecoveryNotFound))?;
            Ok(one_answer(&recovery))
        }
        RecoveryRoute::Cancel(id) => {
            let recovery =
                recover::cancel(&ports, &id).await?.ok_or(Problem::Webhook(WebhookProblem::RecoveryNotFound))?;
            Ok(one_answer(&recovery))
        }
    }
}

async fn trigger_event(
    deps: &Deps,
    secrets: &Secrets,
    trigger: Trigger,
    key: Option<IdempotencyKey>,
) -> Result<ApiAnswer, Problem> {
    let subscriptions = Subscriptions::new(&secrets.webhooks, deps.registrations.subscribers().await?);
    let ports = TriggerPorts {
        store: &deps.tables,
        hints: &deps.hints,
        clock: &SystemClock,
        subscriptions: &subscriptions,
        grace: deps.policy.hint_grace,
    };
    note_trigger(&trigger);
    let now = SystemClock.now();
    match triggers::trigger(&ports, trigger, key, |id, results| trigger_body(id, results, now)).await? {
        Triggered::Answer(body) => Ok(ApiAnswer::text(200, body)),
        Triggered::KeyReused => Err(Problem::Request(RequestProblem::KeyReused)),
    }
}
