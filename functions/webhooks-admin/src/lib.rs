//! Calls of operators about webhooks: status, endpoints, deliveries, recoveries, tests and triggered events. It also
//! checks whether a URL can be fetched, because it is the function of the API that calls URLs of users.

pub mod endpoints;

use std::sync::Arc;
use std::time::Duration;

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::DeliveryMessage;
use reelhook_app::webhooks::deliveries::{DeliveryQueries as _, ReplayPorts, Replayed, details, list, replay};
use reelhook_app::webhooks::endpoints::registrations::RegistrationStore;
use reelhook_app::webhooks::recover::{self, RecoverPorts, RecoveryStore, Started};
use reelhook_app::webhooks::subscriptions::{Subscribers, Subscriptions};
use reelhook_app::webhooks::triggers::{self, Trigger, TriggerPorts, Triggered};
use reelhook_app::webhooks::validate::validate;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_aws::webhooks::secrets::WebhookSecrets;
use reelhook_aws::webhooks::triggers::TriggerTables;
use reelhook_domain::{EndpointId, Policy};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::site::Mode;
use reelhook_http::webhooks::deliveries::{self, delivery_answer, list_answer, replay_answer};
use reelhook_http::webhooks::endpoint_fields::DestinationRules;
use reelhook_http::webhooks::endpoints::{Route as EndpointRoute, keys_answer, read_keys_request};
use reelhook_http::webhooks::hooks::{
    Route, note_test, note_trigger, status_answer, test_answer, trigger_body, validate_answer,
};
use reelhook_http::webhooks::problem::WebhookProblem;
use reelhook_http::webhooks::recover::{Route as RecoveryRoute, one_answer, recoveries_answer, recovery_answer};
use reelhook_outbound::{AllowList, GuardedClient};

use crate::endpoints::EndpointHandler;

/// How long a recovery is worked on before the answer; the due sweep does the rest.
const RECOVERY_BUDGET: Duration = Duration::from_secs(5);
/// The recoveries of a list.
const RECOVERIES_SHOWN: usize = 20;

/// The settings of webhooks, and the secret of the domain in front of the API.
pub struct Secrets {
    webhooks: WebhookSecrets,
    edge: Edge,
}

/// One call reads it with the credentials of callers and the first settings of webhooks.
const SETTINGS: &[&str] = &[Edge::SETTING];

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API.
    pub api: Api<WithAccess<Secrets>>,
    tables: TriggerTables,
    hints: Queue<DeliveryMessage>,
    http: GuardedClient,
    registrations: RegistrationTable,
    endpoints: EndpointTable,
    rules: DestinationRules,
    policy: Policy,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let (endpoints, hints) = (resources.endpoints(), resources.queues().deliveries());
        let no_endpoint = [EndpointId::parse("warm-up")?];
        let agent = user_agent(resources.environment.public_base().as_ref());
        let rules = DestinationRules {
            allow_http: resources.environment.allows_http(),
            destinations: resources.environment.list("DESTINATIONS"),
            region: resources.environment.required("AWS_REGION"),
        };
        let allow_http = rules.allow_http;
        let settings = SettingsReader::new(&[SETTINGS, WebhookSecrets::SETTINGS].concat(), move |raw, site| {
            let webhooks = WebhookSecrets::read(raw, allow_http, site.mode() == Mode::Required)?;
            Ok(Secrets { webhooks, edge: Edge::read(&|name| raw.text(name)) })
        });
        Ok(Self {
            tables: TriggerTables { deliveries: resources.deliveries(), counters: resources.counters() },
            registrations: RegistrationTable::new(endpoints.clone()),
            hints,
            http: GuardedClient::new(resources.environment.outbound(AllowList::parse), Some(&agent))?,
            rules,
            policy: resources.environment.policy(),
            api: Api::for_operators(resources, settings, endpoints.states(&no_endpoint)).await?,
            endpoints,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    if let Some(query) = read_keys_request(request)? {
        let network = deps.api.settings.get().await.own.edge.network(request);
        deps.api.limits.admit(&format!("keys {network}")).await?;
        // A malformed id has no keys.
        let of = query.endpoint_id.map(|id| EndpointId::parse(&id).ok());
        return public_keys(deps, of).await;
    }
    let caller = deps.api.admit(request).await?;
    let fingerprint = caller.fingerprint.clone();
    let settings = deps.api.settings.get().await;
    let secrets = &settings.own;
    if let Some(route) = deliveries::Route::read(request)? {
        route.note(&caller);
        return handle_deliveries(deps, route).await;
    }
    if let Some(route) = RecoveryRoute::read(request, &caller, deps.tables.deliveries.index().kept, SystemClock.now())?
    {
        route.note(&caller);
        return handle_recoveries(deps, route).await;
    }
    if let Some(route) = EndpointRoute::read(request, &caller, &deps.rules)? {
        return endpoints::answer(&endpoint_handler(deps, secrets), route, request.traceparent(), &fingerprint).await;
    }
    match Route::read(request, caller, deps.rules.allow_http)? {
        Route::Status => {
            let endpoints = endpoint_handler(deps, secrets).all().await?;
            Ok(status_answer(&secrets.webhooks.settings, &endpoints, SystemClock.now()))
        }
        Route::Test(url) => {
            let tested =
                triggers::test(&deps.http, &SystemClock, secrets.webhooks.settings.secret.as_ref(), &url).await;
            note_test(&fingerprint, &url, &tested);
            Ok(test_answer(&tested, SystemClock.now()))
        }
        Route::Trigger(trigger, key) => trigger_event(deps, secrets, *trigger, key).await,
        Route::Validate(text) => Ok(validate_answer(&validate(&deps.http, &text).await)),
    }
}

async fn handle_deliveries(deps: &Deps, route: deliveries::Route) -> Result<ApiAnswer, Problem> {
    let deliveries = &deps.tables.deliveries;
    match route {
        deliveries::Route::List(wanted) => Ok(list_answer(&list(deliveries, &wanted, SystemClock.now()).await?)),
        deliveries::Route::One(id) => {
            let found = details(deliveries, &deps.endpoints, id).await?;
            let details = found.ok_or(Problem::Webhook(WebhookProblem::DeliveryNotFound))?;
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
        settings: &secrets.webhooks.settings,
        vault: secrets.webhooks.vault.as_ref(),
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
    let subscriptions = Subscriptions::new(&secrets.webhooks.settings, deps.registrations.subscribers().await?);
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
