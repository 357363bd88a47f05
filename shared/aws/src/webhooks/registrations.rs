//! Registered endpoints: a row of each in the Endpoints table, beside the row of its state, and an index of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::webhooks::endpoints::registrations::{EndpointReader, Registration, RegistrationStore, StateChange};
use reelhook_app::webhooks::endpoints::secrets::PublicKey;
use reelhook_app::webhooks::subscriptions::{Subscriber, Subscribers};
use reelhook_domain::{EndpointId, EndpointState, Timestamp};
use tokio::sync::Mutex;

use crate::batch::get_all;
use crate::errors::store_error;
use crate::items::{Item, SCHEMA, json, n, read, s, text, ttl};
use crate::retry::RetryClock;
use crate::transactions::{Cancelled, cancelled};
use crate::webhooks::endpoints::{EndpointTable, TROUBLES};

/// The operation of reading the list.
const LISTING: &str = "list endpoints";
/// The partition of the index that lists all registrations.
const LIST: &str = "endpoints";
/// Days that the state of a removed endpoint is kept: deliveries to it may be recovered for so long.
const REMOVED_DAYS: i64 = 35;
/// The attributes that stay when an endpoint gets another destination: whether it is disabled, and which notifications
/// about it were sent.
const STAYS: [&str; 4] = ["disabled_at", "disabled_reason", "told", "told_failing"];
/// How long a list of public keys is cached: as long as clients may cache the answer.
const KEYS_FRESH: Duration = Duration::from_secs(60);

/// The public keys of one endpoint.
pub type Keys = (EndpointId, Vec<PublicKey>);

/// The public keys of all endpoints, and when they were read.
type KeysThen = (Instant, Arc<Vec<Keys>>);

/// Registered endpoints in the Endpoints table.
#[derive(Debug, Clone)]
pub struct RegistrationTable {
    endpoints: EndpointTable,
    /// The last list of public keys.
    keys: Arc<Mutex<Option<KeysThen>>>,
}

impl RegistrationTable {
    /// The registrations in this table.
    pub fn new(endpoints: EndpointTable) -> Self {
        Self { endpoints, keys: Arc::default() }
    }

    /// All entries of the index, newest first; eventually consistent.
    async fn list<T>(&self, read: impl Fn(&Item) -> Result<T, StoreError>) -> Result<Arc<Vec<T>>, StoreError> {
        let query = self.endpoints.client.query().table_name(&self.endpoints.table).index_name("registered");
        let query = query
            .key_condition_expression("registry = :list")
            .expression_attribute_values(":list", s(LIST))
            .scan_index_forward(false);
        let (mut listed, mut start): (Vec<T>, Option<Item>) = (Vec::new(), None);
        loop {
            let answer = query.clone().set_exclusive_start_key(start).send().await;
            let answer = answer.map_err(|error| store_error(LISTING, error))?;
            for item in answer.items() {
                listed.push(read(item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(Arc::new(listed));
            }
        }
    }

    /// The public keys of all endpoints, at most a minute old: this call is open to everyone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn public_keys(&self) -> Result<Arc<Vec<Keys>>, StoreError> {
        let mut known = self.keys.lock().await;
        if let Some((at, all)) = known.as_ref()
            && at.elapsed() < KEYS_FRESH
        {
            return Ok(Arc::clone(all));
        }
        let read = |item: &Item| Ok((subscriber_of(item)?.id, read(LISTING, item, "public_keys")?));
        let all = self.list(read).await?;
        *known = Some((Instant::now(), Arc::clone(&all)));
        Ok(all)
    }

    /// Changes both items in one transaction; whether their conditions held.
    async fn write(&self, operation: &'static str, items: &[TransactWriteItem]) -> Result<bool, StoreError> {
        let waits = RetryClock::of(&self.endpoints.client);
        let mut retry = waits.retry();
        while retry.attempt().await {
            let write = self.endpoints.client.transact_write_items().set_transact_items(Some(items.to_vec()));
            match write.send().await {
                Ok(_) => return Ok(true),
                Err(error) => match cancelled(operation, error) {
                    Cancelled::Condition(_) => return Ok(false),
                    // The dispatcher updates the endpoint's state at the same time.
                    Cancelled::Conflict => {}
                    Cancelled::Failed(error) => return Err(error),
                },
            }
        }
        Err(StoreError::Busy { operation, source: "others changed the endpoint each time".into() })
    }
}

#[async_trait]
impl Subscribers for RegistrationTable {
    async fn subscribers(&self) -> Result<Arc<Vec<Subscriber>>, StoreError> {
        self.list(subscriber_of).await
    }
}

#[async_trait]
impl EndpointReader for RegistrationTable {
    async fn states(&self, ids: &[EndpointId]) -> Result<Vec<EndpointState>, StoreError> {
        self.endpoints.states(ids).await
    }

    async fn registrations(&self, ids: &[EndpointId]) -> Result<HashMap<EndpointId, Registration>, StoreError> {
        let operation = "load endpoints";
        let keys: Vec<Item> = ids.iter().map(key).collect();
        let found = get_all(operation, &self.endpoints.client, &self.endpoints.table, "id", &keys).await?;
        let read = |item: Item| read::<Registration>(operation, &item, "body").map(|one| (one.id.clone(), one));
        found.into_values().map(read).collect()
    }
}

#[async_trait]
impl RegistrationStore for RegistrationTable {
    async fn registration(&self, id: &EndpointId) -> Result<Option<Registration>, StoreError> {
        let operation = "load endpoint";
        let get = self.endpoints.client.get_item().table_name(&self.endpoints.table);
        let answer = get.set_key(Some(key(id))).consistent_read(true).send().await;
        let item = answer.map_err(|error| store_error(operation, error))?.item;
        item.map(|item| read(operation, &item, "body")).transpose()
    }

    async fn save_registration(
        &self,
        registration: &Registration,
        start: StateChange<'_>,
    ) -> Result<Saved<Registration>, StoreError> {
        let put = Put::builder().table_name(&self.endpoints.table).set_item(Some(item(registration)));
        let put = if registration.version == 1 {
            put.condition_expression("attribute_not_exists(id)")
        } else {
            put.condition_expression("#version = :was")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":was", n(registration.version - 1))
        };
        let update = self.update(&registration.id);
        let changed = "SET registration = :version";
        let update = match start {
            StateChange::Keep => update.update_expression(format!("{changed} ADD revision :one")),
            StateChange::Disable(reason) => update
                .update_expression(format!(
                    "{changed}, disabled_at = :at, disabled_reason = :reason, told = :one ADD revision :one"
                ))
                .expression_attribute_values(":at", n(registration.created_at.millis()))
                .expression_attribute_values(":reason", s(reason)),
            // A disabled endpoint stays disabled until an operator enables it.
            StateChange::Reset => {
                let failures: Vec<&str> = TROUBLES.into_iter().filter(|name| !STAYS.contains(name)).collect();
                update.update_expression(format!("{changed} ADD revision :one REMOVE {}", failures.join(", ")))
            }
        };
        // The id of a removed endpoint is not used again while deliveries to it may exist.
        let new = (registration.version == 1).then(|| "attribute_not_exists(registration)".to_owned());
        let update = update
            .set_condition_expression(new)
            .expression_attribute_values(":version", n(registration.version))
            .expression_attribute_values(":one", n(1));
        let items = [
            TransactWriteItem::builder().put(put.build().expect("all is set")).build(),
            TransactWriteItem::builder().update(update.build().expect("all is set")).build(),
        ];
        if self.write("save endpoint", &items).await? {
            return Ok(Saved::Done);
        }
        Ok(Saved::Conflict(self.registration(&registration.id).await?.map(Box::new)))
    }

    async fn remove_registration(&self, registration: &Registration, now: Timestamp) -> Result<bool, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.endpoints.table)
            .set_key(Some(key(&registration.id)))
            .condition_expression("#version = :was")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":was", n(registration.version));
        let update = self
            .update(&registration.id)
            .update_expression("SET removed_at = :now, expires_at = :expires ADD revision :one")
            .expression_attribute_values(":now", n(now.millis()))
            .expression_attribute_values(":expires", ttl(now, REMOVED_DAYS))
            .expression_attribute_values(":one", n(1));
        let items = [
            TransactWriteItem::builder().delete(delete.build().expect("all is set")).build(),
            TransactWriteItem::builder().update(update.build().expect("all is set")).build(),
        ];
        self.write("remove endpoint", &items).await
    }
}

impl RegistrationTable {
    /// An update of an endpoint's state, which the dispatcher notices.
    fn update(&self, id: &EndpointId) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder().table_name(&self.endpoints.table).key("id", s(id.as_str()))
    }
}

fn key(id: &EndpointId) -> Item {
    [("id".to_owned(), s(format!("registration#{id}")))].into()
}

fn item(registration: &Registration) -> Item {
    let mut item = key(&registration.id);
    let mut set = |name: &str, value| item.insert(name.to_owned(), value);
    set("schema", n(SCHEMA));
    set("version", n(registration.version));
    set("registry", s(LIST));
    set("place", s(format!("{:013}.{}", registration.created_at.millis(), registration.id)));
    set("events", json(&registration.choices.events));
    set("public_keys", json(&registration.public_keys));
    set("body", json(registration));
    item
}

fn subscriber_of(item: &Item) -> Result<Subscriber, StoreError> {
    let unreadable = |reason: &str| StoreError::Unreadable { operation: LISTING, reason: reason.to_owned() };
    let place = text(item, "place").and_then(|place| place.split_once('.'));
    let (since, id) = place.ok_or_else(|| unreadable("attribute `place` must be `<milliseconds>.<endpoint id>`"))?;
    let id = EndpointId::parse(id).map_err(|error| unreadable(&error.to_string()))?;
    let since = since.parse().map(Timestamp).map_err(|_| unreadable("attribute `place` has no time"))?;
    Ok(Subscriber { name: id.to_string(), id, events: read(LISTING, item, "events")?, since })
}
