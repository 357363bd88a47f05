//! Endpoints that are registered over the API: their public choices, their sealed private part, and how both change.

use std::collections::HashMap;

use async_trait::async_trait;
use reelhook_domain::{EndpointId, EndpointState, EventFilter, Metadata, Timestamp};
use reelhook_signing::{SealingKeys, SigningKeys};
use serde::{Deserialize, Serialize};

use crate::clock::ClockAndRandom;
use crate::idempotency::{IdempotencyKey, check};
use crate::retry::Retry;
use crate::store::{Saved, StoreError};
use crate::webhooks::endpoints::policies::OwnPolicy;
use crate::webhooks::endpoints::secrets::{EndpointSecret, PublicKey};
use crate::webhooks::endpoints::{Destination, Endpoint, Form, Signers};
use crate::webhooks::settings::WebhookSettings;
use crate::webhooks::subscriptions::{Subscriber, Subscribers};

/// The most endpoints that may be registered.
pub const MOST_ENDPOINTS: usize = 1000;
/// Attempts at a change within one call.
const ATTEMPTS: u32 = 10;
/// The most endpoints that one key can register, each after the earlier one was removed.
const ROUNDS: usize = 20;
/// How many of them are looked up under each former fingerprint of the caller, before a new one is made. Under the present
/// one the first is enough: an insert finds the others.
const LOOKED_UP: usize = 3;

/// The public choices of an endpoint's owner.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Choices {
    /// A description for operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The owner's metadata.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// Which events it gets.
    pub events: EventFilter,
    /// How its bodies are written.
    pub form: Form,
    /// Whether its webhooks carry a `v1a` signature beside `v1`.
    pub asymmetric: bool,
    /// The policy of its deliveries.
    pub policy: OwnPolicy,
}

/// The private part of an endpoint, sealed in the store. `Debug` shows the destination's server only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// Its destination: a URL may be a secret itself.
    pub destination: Destination,
    /// Additional headers of its webhooks.
    pub headers: Vec<(String, String)>,
    /// The secrets that sign them, newest first.
    pub secrets: Vec<EndpointSecret>,
}

impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Private({}, {} headers, {} secrets)",
            self.destination.server(),
            self.headers.len(),
            self.secrets.len()
        )
    }
}

/// A registered endpoint as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Random.
    pub id: EndpointId,
    /// Rises by one with each change.
    pub version: u64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Its public choices.
    pub choices: Choices,
    /// Keys that verify its webhooks; empty unless it uses `v1a`.
    pub public_keys: Vec<PublicKey>,
    /// The hash of the request that made it, if that had an Idempotency-Key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// [`Private`], sealed.
    pub sealed: String,
}

impl Registration {
    /// It as a subscriber.
    pub fn subscriber(&self) -> Subscriber {
        Subscriber {
            id: self.id.clone(),
            name: self.id.to_string(),
            events: self.choices.events.clone(),
            since: self.created_at,
        }
    }

    /// The endpoint that it describes, and when its next secret ends.
    pub fn endpoint(&self, of: &Private, settings: &WebhookSettings, now: Timestamp) -> (Endpoint, Option<Timestamp>) {
        let live: Vec<&EndpointSecret> = of.secrets.iter().filter(|secret| secret.is_live(now)).collect();
        let asymmetric = live.iter().filter(|_| self.choices.asymmetric).filter_map(|secret| secret.key());
        let policy = &self.choices.policy;
        let endpoint = Endpoint {
            id: self.id.clone(),
            name: self.id.to_string(),
            destination: of.destination.clone(),
            policy: policy.over(&settings.policy, settings.doubling),
            permanent: policy.permanent_statuses.clone().unwrap_or_else(|| settings.permanent.clone()),
            headers: of.headers.clone(),
            form: self.choices.form,
            signers: Signers {
                asymmetric: asymmetric.collect(),
                hmac: SigningKeys::new(live.iter().map(|secret| secret.secret.clone()).collect()),
            },
        };
        (endpoint, live.iter().filter_map(|secret| secret.expires_at).min())
    }

    fn next(&self, choices: Choices, of: &Private, vault: &Vault, clock: &dyn ClockAndRandom) -> Self {
        let mut next = Self { version: self.version + 1, updated_at: clock.now(), choices, ..self.clone() };
        next.close(of, vault, clock);
        next
    }

    /// Seals the private part and lists the public keys of its secrets.
    fn close(&mut self, of: &Private, vault: &Vault, clock: &dyn ClockAndRandom) {
        let key = |secret: &EndpointSecret| {
            let key = secret.key()?.public();
            Some(PublicKey { id: secret.id.clone(), key, expires_at: secret.expires_at })
        };
        self.public_keys =
            if self.choices.asymmetric { of.secrets.iter().filter_map(key).collect() } else { Vec::new() };
        self.sealed = vault.seal(&self.id, of, clock.random());
    }
}

/// Seals and opens the private parts of endpoints.
#[derive(Debug)]
pub struct Vault(SealingKeys);

impl Vault {
    /// A vault with the keys of ENDPOINT_SECRETS_KEY; the newest one seals. None without a key.
    pub fn parse(keys: &str) -> Option<Self> {
        SigningKeys::parse(keys).map(|keys| Self(SealingKeys::new(&keys)))
    }

    fn seal(&self, id: &EndpointId, of: &Private, random: u128) -> String {
        let text = serde_json::to_string(of).expect("plain values are JSON");
        self.0.seal(&text, id.as_str(), random)
    }

    /// Whether the newest key sealed it.
    fn is_current(&self, of: &Registration) -> bool {
        self.0.is_current(&of.sealed)
    }

    /// The private part of an endpoint.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when the key that sealed it is missing, or the text was changed.
    pub fn open(&self, of: &Registration) -> Result<Private, StoreError> {
        let unreadable = |reason: String| StoreError::Unreadable { operation: "open endpoint", reason };
        let text = self.0.open(&of.sealed, of.id.as_str()).map_err(|error| unreadable(error.to_string()))?;
        // The error's own text may quote secrets.
        serde_json::from_str(&text).map_err(|error| unreadable(format!("it breaks off at column {}", error.column())))
    }
}

/// How an endpoint's state changes when its registration is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChange<'a> {
    /// It stays as it is.
    Keep,
    /// It becomes disabled, for this reason.
    Disable(&'a str),
    /// Its failures are reset because it has a new destination.
    Reset,
}

/// Stores registrations.
#[async_trait]
pub trait RegistrationStore: Subscribers {
    /// A registration; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn registration(&self, id: &EndpointId) -> Result<Option<Registration>, StoreError>;

    /// Saves the first or the next version of a registration, and changes the endpoint's state so that the dispatcher
    /// notices. The id of a removed registration is not used again: that is a conflict without a current version.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save_registration(
        &self,
        registration: &Registration,
        start: StateChange<'_>,
    ) -> Result<Saved<Registration>, StoreError>;

    /// Removes a registration unless it has another version; whether it had this version.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remove_registration(&self, registration: &Registration, now: Timestamp) -> Result<bool, StoreError>;
}

/// Reads many endpoints in one call.
#[async_trait]
pub trait EndpointReader: Send + Sync {
    /// The state of each of these endpoints, in order; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn states(&self, ids: &[EndpointId]) -> Result<Vec<EndpointState>, StoreError>;

    /// Those of these registrations that exist, by id; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn registrations(&self, ids: &[EndpointId]) -> Result<HashMap<EndpointId, Registration>, StoreError>;
}

/// What registering and changing endpoints needs.
#[derive(Clone, Copy)]
pub struct RegistrationPorts<'a> {
    /// Registrations.
    pub store: &'a dyn RegistrationStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// ENDPOINT_SECRETS_KEY.
    pub vault: &'a Vault,
}

/// A request to register an endpoint; `Debug` hides what is secret.
#[derive(Clone)]
pub struct RegistrationRequest {
    /// The public choices.
    pub choices: Choices,
    /// Where its webhooks go.
    pub destination: Destination,
    /// Additional headers of its webhooks.
    pub headers: Vec<(String, String)>,
    /// The receiver's own secret; none to generate one.
    pub secret: Option<String>,
    /// Whether it is enabled.
    pub enabled: bool,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
}

impl std::fmt::Debug for RegistrationRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RegistrationRequest({:?}, {})", self.choices, self.destination.server())
    }
}

/// A registration with its private part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The registration.
    pub registration: Registration,
    /// The private part.
    pub private: Private,
}

/// The result of [`register`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It is registered; a repeat with the same key finds the first call's endpoint in its current form.
    Done(Box<Opened>),
    /// The key was used with another body.
    KeyReused,
    /// [`MOST_ENDPOINTS`] are registered.
    TooMany,
}

/// Registers an endpoint.
///
/// # Errors
/// [`StoreError`].
pub async fn register(ports: &RegistrationPorts<'_>, requested: RegistrationRequest) -> Result<Registered, StoreError> {
    let now = ports.clock.now();
    // A key whose endpoint was removed makes another one, which is the same for each repeat.
    let bits = |round: usize| match &requested.key {
        Some(key) => key.derived_id(&key.caller, round),
        None => ports.clock.random(),
    };
    let request = requested.key.as_ref().map(|key| key.body_hash.clone());
    if let Some(key) = &requested.key {
        for (index, caller) in key.callers().enumerate() {
            let rounds = if index == 0 { 1 } else { LOOKED_UP };
            for round in 0..rounds {
                let id = endpoint_id(key.derived_id(&caller, round));
                if let Some(known) = ports.store.registration(&id).await? {
                    return same(ports, known, requested.key.as_ref());
                }
            }
        }
    }
    if ports.store.subscribers().await?.len() >= MOST_ENDPOINTS {
        // What this key registered after its first one was removed is there all the same.
        for round in (1..ROUNDS).take_while(|_| requested.key.is_some()) {
            if let Some(known) = ports.store.registration(&endpoint_id(bits(round))).await? {
                return same(ports, known, requested.key.as_ref());
            }
        }
        return Ok(Registered::TooMany);
    }
    let secret = EndpointSecret::new(ports.clock, ports.clock.random(), requested.secret.clone());
    let (destination, headers) = (requested.destination.clone(), requested.headers.clone());
    let private = Private { destination, headers, secrets: vec![secret] };
    let mut registration = Registration {
        id: endpoint_id(0),
        version: 1,
        created_at: now,
        updated_at: now,
        choices: requested.choices.clone(),
        public_keys: Vec::new(),
        request,
        sealed: String::new(),
    };
    let start =
        if requested.enabled { StateChange::Keep } else { StateChange::Disable("disabled when it was registered") };
    for round in 0..ROUNDS {
        registration.id = endpoint_id(bits(round));
        registration.close(&private, ports.vault, ports.clock);
        match ports.store.save_registration(&registration, start).await? {
            Saved::Done => return Ok(Registered::Done(Box::new(Opened { registration, private }))),
            Saved::Conflict(Some(known)) => return same(ports, *known, requested.key.as_ref()),
            // The endpoint that this key registered has been removed.
            Saved::Conflict(None) => {}
        }
    }
    Err(StoreError::Busy { operation: "register endpoint", source: "every id was taken".into() })
}

/// The endpoint that an earlier request with the same key registered, in its current form.
fn same(
    ports: &RegistrationPorts<'_>,
    registration: Registration,
    key: Option<&IdempotencyKey>,
) -> Result<Registered, StoreError> {
    if check(key, registration.request.as_deref()).is_err() {
        return Ok(Registered::KeyReused);
    }
    let private = ports.vault.open(&registration)?;
    Ok(Registered::Done(Box::new(Opened { registration, private })))
}

fn endpoint_id(bits: u128) -> EndpointId {
    EndpointId::parse(&format!("ep_{bits:032x}")).expect("hex is a valid id")
}

/// The result of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Its current form.
    Done(Box<Opened>),
    /// It has another version than the one that the caller saw.
    OtherVersion,
    /// There is no such endpoint.
    NotFound,
}

/// Changes a registration by `edit`, if it still has the version that the caller saw. A registration that `edit` leaves
/// unchanged is only saved if an older key sealed it: so an empty change seals it with the newest key.
///
/// # Errors
/// [`StoreError`]; inside, the refusal of `edit`.
pub async fn change<E>(
    ports: &RegistrationPorts<'_>,
    id: &EndpointId,
    seen: Option<u64>,
    edit: impl Fn(&mut Choices, &mut Private) -> Result<(), E>,
) -> Result<Result<Changed, E>, StoreError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let Some(Opened { registration, private }) = look(ports, id).await? else { return Ok(Ok(Changed::NotFound)) };
        if seen.is_some_and(|seen| seen != registration.version) {
            return Ok(Ok(Changed::OtherVersion));
        }
        let (mut choices, mut next) = (registration.choices.clone(), private.clone());
        if let Err(refused) = edit(&mut choices, &mut next) {
            return Ok(Err(refused));
        }
        if choices == registration.choices && next == private && ports.vault.is_current(&registration) {
            return Ok(Ok(Changed::Done(Box::new(Opened { registration, private }))));
        }
        let start = if next.destination == private.destination { StateChange::Keep } else { StateChange::Reset };
        let registration = registration.next(choices, &next, ports.vault, ports.clock);
        if ports.store.save_registration(&registration, start).await? == Saved::Done {
            return Ok(Ok(Changed::Done(Box::new(Opened { registration, private: next }))));
        }
    }
    Err(StoreError::Busy { operation: "change endpoint", source: "it changed each time".into() })
}

/// A registration with its private part.
///
/// # Errors
/// [`StoreError`].
pub async fn look(ports: &RegistrationPorts<'_>, id: &EndpointId) -> Result<Option<Opened>, StoreError> {
    let Some(registration) = ports.store.registration(id).await? else { return Ok(None) };
    let private = ports.vault.open(&registration)?;
    Ok(Some(Opened { registration, private }))
}

/// Removes a registration, even one that cannot be opened; whether it existed.
///
/// # Errors
/// [`StoreError`].
pub async fn remove(
    store: &dyn RegistrationStore,
    clock: &dyn ClockAndRandom,
    id: &EndpointId,
) -> Result<bool, StoreError> {
    let mut retry = Retry::new(clock, ATTEMPTS);
    while retry.attempt().await {
        let Some(registration) = store.registration(id).await? else { return Ok(false) };
        if store.remove_registration(&registration, clock.now()).await? {
            return Ok(true);
        }
    }
    Err(StoreError::Busy { operation: "remove endpoint", source: "it changed each time".into() })
}
