//! Calls about endpoints: those of the settings, which are only enabled and disabled here, and those that are registered.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::idempotency::IdempotencyStore;
use reelhook_app::webhooks::endpoints::Endpoint;
use reelhook_app::webhooks::endpoints::registrations::{
    Changed, EndpointReader, Opened, Registered, RegistrationPorts, RegistrationRequest, RegistrationStore, Vault,
    change, look, register, remove,
};
use reelhook_app::webhooks::endpoints::rotation::{NotRotated, Rotation, rotate};
use reelhook_app::webhooks::events::EventStore;
use reelhook_app::webhooks::notify::NotifyPorts;
use reelhook_app::webhooks::previews::{example, example_endpoint, preview};
use reelhook_app::webhooks::recover::{self, RecoverPorts};
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_app::webhooks::subscriptions::Subscriber;
use reelhook_app::webhooks::triggers::{test_bits, test_endpoint};
use reelhook_domain::{DeliveryId, EndpointId, EndpointState, OutboundEvent, Timestamp, brief};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::webhooks::endpoints::{
    EndpointChange, EndpointView, Route, changed_answer, enable_answer, event_types_answer, list_answer, one_answer,
    preview_answer, registered_answer, removed_answer, secrets_answer, test_answer,
};
use reelhook_http::webhooks::problem::WebhookProblem;

/// How long pending deliveries to an enabled endpoint are sent before the answer; the due sweep does the rest.
const WAKE_BUDGET: Duration = Duration::from_secs(2);
/// The latest time that 13 digits can express, in Unix milliseconds: cursors count down from it, so that the newest
/// endpoints come first.
const LATEST: Timestamp = Timestamp(9_999_999_999_999);

/// What the calls about endpoints need.
pub struct EndpointHandler<'a> {
    /// Registrations.
    pub registrations: &'a dyn RegistrationStore,
    /// Many endpoints in one call.
    pub reader: &'a dyn EndpointReader,
    /// Events and deliveries of tests.
    pub events: &'a dyn EventStore,
    /// Idempotency records of tests.
    pub records: &'a dyn IdempotencyStore,
    /// Endpoint states, and the recovery of what waits for an endpoint.
    pub recover: RecoverPorts<'a>,
    /// WEBHOOK_* settings.
    pub settings: &'a WebhookSettings,
    /// ENDPOINT_SECRETS_KEY.
    pub vault: Option<&'a Vault>,
}

/// Answers a call about endpoints.
///
/// # Errors
/// [`Problem`].
pub async fn answer(
    handler: &EndpointHandler<'_>,
    route: Route,
    traceparent: Option<String>,
    caller: &str,
) -> Result<ApiAnswer, Problem> {
    let clock = handler.recover.clock;
    let now = clock.now();
    match route {
        Route::List(limit, after) => {
            let cursors = handler.cursors().await?;
            // A cursor stays valid when its endpoint has been removed.
            let rest: Vec<_> =
                cursors.iter().filter(|(cursor, _)| after.as_ref().is_none_or(|after| cursor > after)).collect();
            let part = &rest[..rest.len().min(limit)];
            let next = part.last().filter(|_| part.len() < rest.len()).map(|(cursor, _)| cursor.as_str());
            let ids: Vec<EndpointId> = part.iter().map(|(_, id)| id.clone()).collect();
            Ok(list_answer(&handler.shown(&ids).await?, next, now))
        }
        Route::Register(command) => handler.register(*command, traceparent.as_deref(), caller).await,
        Route::One(name) => Ok(one_answer(&handler.find(&name).await?, now)),
        Route::Change(name, patch) => handler.change(&name, &patch, caller).await,
        Route::Remove(name) => {
            let id = handler.id(&name)?;
            if !remove(handler.registrations, clock, &id).await? {
                return Err(Problem::Webhook(WebhookProblem::EndpointNotFound));
            }
            tracing::info!(caller, endpoint_id = %id, "endpoint deleted");
            Ok(removed_answer(&id, now))
        }
        Route::Enable(name) => {
            let endpoint = handler.find(&name).await?.endpoint;
            tracing::info!(caller, endpoint_id = %endpoint.id, "endpoint enabled");
            let recovery = recover::enable(&handler.recover, &endpoint, WAKE_BUDGET).await?;
            Ok(enable_answer(&handler.find(&name).await?, &recovery, clock.now()))
        }
        Route::Test(name, key) => {
            let shown = handler.find(&name).await?;
            if shown.state.disabled_at.is_some() {
                return Err(Problem::Webhook(WebhookProblem::EndpointDisabled));
            }
            let Ok(random) = test_bits(handler.records, clock, key.as_ref()).await? else {
                return Err(Problem::Request(RequestProblem::KeyReused));
            };
            Ok(test_answer(handler.test(&shown.endpoint, now, random, traceparent.as_deref()).await?))
        }
        Route::Preview(name, event) => {
            let endpoint = handler.find(&name).await?.endpoint;
            let events = event.map_or_else(|| OutboundEvent::ALL.to_vec(), |event| vec![event]);
            let previews: Vec<_> = events.into_iter().map(|event| preview(&endpoint, event, now)).collect();
            Ok(preview_answer(&previews))
        }
        Route::Secrets(name) => {
            let id = handler.registered(&name).await?;
            let opened =
                look(&handler.ports()?, &id).await?.ok_or(Problem::Webhook(WebhookProblem::EndpointNotFound))?;
            tracing::info!(target: "audit", audit = true, caller, endpoint_id = %id, "endpoint secrets shown");
            Ok(secrets_answer(&opened, "Secrets that are valid now, newest first", now))
        }
        Route::Rotate(name, rotation) => handler.rotate(&name, *rotation, caller).await,
        Route::EventTypes => {
            let endpoint = example_endpoint(handler.settings);
            Ok(event_types_answer(|event| example(&endpoint, event, now).data.into_value()))
        }
    }
}

impl EndpointHandler<'_> {
    fn vault(&self) -> Result<&Vault, Problem> {
        self.vault.ok_or(Problem::Webhook(WebhookProblem::NoSecretsKey))
    }

    fn ports(&self) -> Result<RegistrationPorts<'_>, Problem> {
        Ok(RegistrationPorts { store: self.registrations, clock: self.recover.clock, vault: self.vault()? })
    }

    /// The id of an endpoint that the settings do not contain.
    fn id(&self, name: &str) -> Result<EndpointId, Problem> {
        match self.settings.named(name) {
            Some(_) => Err(Problem::Webhook(WebhookProblem::EndpointConfigured)),
            None => EndpointId::parse(name).map_err(|_| Problem::Webhook(WebhookProblem::EndpointNotFound)),
        }
    }

    /// The id of a registered endpoint.
    async fn registered(&self, name: &str) -> Result<EndpointId, Problem> {
        let id = self.id(name)?;
        let registration = self.registrations.registration(&id).await?;
        registration.map(|registration| registration.id).ok_or(Problem::Webhook(WebhookProblem::EndpointNotFound))
    }

    /// All endpoints in order, each with its cursor: those of the settings first, then the newest.
    async fn cursors(&self) -> Result<Vec<(String, EndpointId)>, Problem> {
        let configured = self.settings.endpoints.iter().enumerate();
        let mut cursors: Vec<_> = configured.map(|(index, one)| (format!("0.{index:06}"), one.id.clone())).collect();
        for Subscriber { id, since, .. } in self.registrations.subscribers().await?.iter() {
            cursors.push((format!("1.{:013}.{id}", LATEST.millis_since(*since)), id.clone()));
        }
        cursors.sort();
        Ok(cursors)
    }

    /// Every endpoint.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn all(&self) -> Result<Vec<EndpointView>, Problem> {
        let ids: Vec<EndpointId> = self.cursors().await?.into_iter().map(|(_, id)| id).collect();
        self.shown(&ids).await
    }

    /// These endpoints; without those that have been removed.
    async fn shown(&self, ids: &[EndpointId]) -> Result<Vec<EndpointView>, Problem> {
        let settings = self.settings;
        let registered: Vec<EndpointId> = ids.iter().filter(|id| settings.endpoint(id).is_none()).cloned().collect();
        let (states, mut registrations) =
            tokio::try_join!(self.reader.states(ids), self.reader.registrations(&registered))?;
        let mut all = Vec::with_capacity(ids.len());
        for (id, state) in ids.iter().zip(states) {
            match (settings.endpoint(id), registrations.remove(id)) {
                (Some(endpoint), _) => all.push(self.of_settings(endpoint, state)),
                (None, Some(registration)) => {
                    match self.vault.map(|vault| vault.open(&registration)) {
                        Some(Ok(private)) => all.push(self.of_registration(Opened { registration, private }, state)),
                        // An endpoint that was sealed with a lost key must not hide the others.
                        Some(Err(error)) => tracing::error!(endpoint_id = %id, %error, "failed to open an endpoint"),
                        None => tracing::error!(endpoint_id = %id, "ENDPOINT_SECRETS_KEY is not set"),
                    }
                }
                (None, None) => {}
            }
        }
        Ok(all)
    }

    fn of_settings(&self, endpoint: &Arc<Endpoint>, state: EndpointState) -> EndpointView {
        let events = self.settings.events.clone();
        EndpointView { endpoint: Arc::clone(endpoint), state, events, registration: None }
    }

    fn of_registration(&self, opened: Opened, state: EndpointState) -> EndpointView {
        let Opened { registration, private } = opened;
        let (endpoint, _) = registration.endpoint(&private, self.settings, self.recover.clock.now());
        let events = registration.choices.events.clone();
        EndpointView { endpoint: Arc::new(endpoint), state, events, registration: Some(registration) }
    }

    /// An endpoint by its id or name.
    async fn find(&self, name: &str) -> Result<EndpointView, Problem> {
        let states = self.recover.endpoints;
        if let Some(endpoint) = self.settings.named(name) {
            return Ok(self.of_settings(endpoint, states.endpoint(&endpoint.id).await?));
        }
        let id = self.registered(name).await?;
        let opened = look(&self.ports()?, &id).await?.ok_or(Problem::Webhook(WebhookProblem::EndpointNotFound))?;
        Ok(self.of_registration(opened, states.endpoint(&id).await?))
    }

    async fn register(
        &self,
        command: RegistrationRequest,
        traceparent: Option<&str>,
        caller: &str,
    ) -> Result<ApiAnswer, Problem> {
        let enabled = command.enabled;
        let opened = match register(&self.ports()?, command).await? {
            Registered::Done(opened) => *opened,
            Registered::KeyReused => return Err(Problem::Request(RequestProblem::KeyReused)),
            Registered::TooMany => return Err(Problem::Webhook(WebhookProblem::TooManyEndpoints)),
        };
        let (id, at) = (opened.registration.id.clone(), opened.registration.created_at);
        tracing::info!(caller, endpoint_id = %id, "endpoint registered");
        let shown = self.of_registration(opened, self.recover.endpoints.endpoint(&id).await?);
        // A repeat with the same key makes the same test, and so no second one.
        let test = match enabled {
            // The endpoint exists all the same: an error would make callers without a key register another one.
            true => match self.test(&shown.endpoint, at, 0, traceparent).await {
                Ok(id) => Some(id),
                Err(problem) => {
                    let problem = brief(&format!("{problem:?}"));
                    tracing::warn!(endpoint_id = %id, problem, "failed to send the test of a new endpoint");
                    None
                }
            },
            false => None,
        };
        Ok(registered_answer(&shown, test, self.recover.clock.now()))
    }

    async fn change(&self, name: &str, patch: &EndpointChange, caller: &str) -> Result<ApiAnswer, Problem> {
        let shown = self.find(name).await?;
        if patch.seen.is_some() && shown.registration.is_none() {
            // Endpoints of the settings have no version.
            return Err(Problem::Webhook(WebhookProblem::VersionMismatch));
        }
        if patch.changes_fields() || shown.registration.is_some() {
            let id = self.id(name)?;
            let edit = |choices: &mut _, private: &mut _| patch.apply(choices, private);
            match change(&self.ports()?, &id, patch.seen, edit).await?? {
                Changed::Done(_) => {}
                Changed::OtherVersion => return Err(Problem::Webhook(WebhookProblem::VersionMismatch)),
                Changed::NotFound => return Err(Problem::Webhook(WebhookProblem::EndpointNotFound)),
            }
        }
        let (endpoint, disabled) = (&shown.endpoint, shown.state.disabled_at.is_some());
        match patch.enabled {
            Some(true) if disabled => {
                recover::enable(&self.recover, endpoint, WAKE_BUDGET).await?;
            }
            Some(false) if !disabled => {
                let now = self.recover.clock.now();
                self.recover.endpoints.disable(&endpoint.id, "disabled by its operator", now, true).await?;
            }
            Some(_) | None => {}
        }
        tracing::info!(caller, endpoint_id = %endpoint.id, "endpoint changed");
        Ok(changed_answer(&self.find(name).await?, self.recover.clock.now()))
    }

    async fn rotate(&self, name: &str, rotation: Rotation, caller: &str) -> Result<ApiAnswer, Problem> {
        let id = self.registered(name).await?;
        let grace_s = rotation.grace.as_secs();
        match rotate(&self.ports()?, &id, rotation).await? {
            Ok(Changed::Done(opened)) => {
                tracing::info!(target: "audit", audit = true, caller, endpoint_id = %id, grace_s,
                    "endpoint secret rotated");
                let message = "The newest secret signs from now on, beside those before it until they end";
                Ok(secrets_answer(&opened, message, self.recover.clock.now()))
            }
            Ok(Changed::OtherVersion | Changed::NotFound) => Err(Problem::Webhook(WebhookProblem::EndpointNotFound)),
            Err(NotRotated::TooMany(ends)) => Err(Problem::Webhook(WebhookProblem::TooManySecrets(ends))),
            Err(NotRotated::KeyReused) => Err(Problem::Request(RequestProblem::KeyReused)),
        }
    }

    async fn test(
        &self,
        endpoint: &Endpoint,
        at: Timestamp,
        random: u128,
        traceparent: Option<&str>,
    ) -> Result<DeliveryId, Problem> {
        let ports = NotifyPorts { store: self.events, hints: self.recover.hints, grace: self.recover.grace };
        Ok(test_endpoint(&ports, &Subscriber::only(endpoint), endpoint.form.format, at, random, traceparent).await?)
    }
}
