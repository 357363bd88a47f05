//! The Endpoints table: the state of each endpoint, beside its settings.

use std::fmt::{Display, Write as _};

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::deliver::{EndpointAdmission, EndpointHealthStore};
use reelhook_app::webhooks::endpoints::EndpointStateStore;
use reelhook_app::webhooks::endpoints::callback::is_callback;
use reelhook_domain::{
    AttemptClaim, CircuitState, Concurrency, ConcurrencyChange, EndpointId, EndpointReport, EndpointState, RateWindow,
    Slot, Timestamp, WarningLevel,
};

use crate::batch::get_all;
use crate::errors::store_error;
use crate::items::{Item, n, number, s, text};
use crate::retry::send_update;

/// How long the state of a client's URL is kept after the last delivery, in seconds.
const CALLBACK_S: i64 = 35 * 24 * 3600;

/// The Endpoints table.
#[derive(Debug, Clone)]
pub struct EndpointTable {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) table: String,
}

impl EndpointTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    async fn state(&self, id: &EndpointId) -> Result<EndpointState, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("id", s(id.as_str())).consistent_read(true);
        let item = get.send().await.map_err(|error| store_error("load endpoint", error))?.item.unwrap_or_default();
        Ok(state(&item))
    }

    /// The state of each of these endpoints, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn states(&self, ids: &[EndpointId]) -> Result<Vec<EndpointState>, StoreError> {
        let keys: Vec<Item> = ids.iter().map(state_key).collect();
        let found = get_all("load endpoints", &self.client, &self.table, "id", &keys).await?;
        Ok(ids.iter().map(|id| found.get(id.as_str()).map(state).unwrap_or_default()).collect())
    }

    /// Pauses an endpoint, unless it is paused for longer.
    async fn pause(&self, id: &EndpointId, until: Timestamp) -> Result<(), StoreError> {
        let mut change = Expression::new();
        change.add("revision", n(1));
        change.set("paused_until", n(until.millis()));
        let update = change.apply(self.update(id));
        let update = update
            .condition_expression("attribute_not_exists(#paused) OR #paused < :until")
            .expression_attribute_names("#paused", "paused_until")
            .expression_attribute_values(":until", n(until.millis()));
        self.when(update, "pause endpoint").await.map(|_| ())
    }

    fn update(&self, id: &EndpointId) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).key("id", s(id.as_str()))
    }

    /// Whether an update's condition held.
    async fn when(&self, update: UpdateItemFluentBuilder, operation: &'static str) -> Result<bool, StoreError> {
        match send_update(&self.client, update).await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(store_error(operation, error)),
            },
        }
    }
}

#[async_trait]
impl EndpointStateStore for EndpointTable {
    async fn endpoint(&self, id: &EndpointId) -> Result<EndpointState, StoreError> {
        self.state(id).await
    }

    async fn request_probe(&self, id: &EndpointId) -> Result<(), StoreError> {
        let mut change = Expression::new();
        change.add("revision", n(1));
        change.set("circuit_until", n(0));
        change.remove("candidate");
        let update = change.apply(self.update(id));
        let update = update.condition_expression("attribute_exists(#open)");
        self.when(update.expression_attribute_names("#open", "circuit_until"), "request probe").await.map(|_| ())
    }

    async fn enable(&self, id: &EndpointId) -> Result<(), StoreError> {
        let mut change = Expression::new();
        change.add("revision", n(1));
        for name in TROUBLES {
            change.remove(name);
        }
        let update = change.apply(self.update(id)).condition_expression("attribute_exists(id)");
        // A missing item has nothing to reset.
        self.when(update, "enable endpoint").await.map(|_| ())
    }

    async fn disable(&self, id: &EndpointId, reason: &str, now: Timestamp, notified: bool) -> Result<(), StoreError> {
        let mut change = Expression::new();
        change.add("revision", n(1));
        change.set("disabled_at", n(now.millis()));
        change.set("disabled_reason", s(reason));
        change.set_or_remove("told", notified.then(|| n(1)));
        let update = change.apply(self.update(id)).condition_expression("attribute_not_exists(#disabled)");
        self.when(update.expression_attribute_names("#disabled", "disabled_at"), "disable endpoint").await.map(|_| ())
    }
}

#[async_trait]
impl EndpointAdmission for EndpointTable {
    async fn admit(
        &self,
        id: &EndpointId,
        was: &EndpointState,
        next: &EndpointState,
    ) -> Result<Option<EndpointState>, StoreError> {
        // On condition of the revision the stored state is `was`, so only differences are written.
        let mut change = Expression::new();
        change.set("revision", n(next.revision));
        change.set_if_other("window_index", Some(was.window.index), Some(next.window.index));
        change.set_if_other("window_used", Some(was.window.used), Some(next.window.used));
        let millis = |at: Option<Timestamp>| at.map(Timestamp::millis);
        change.set_if_other("circuit_until", millis(was.circuit.until), millis(next.circuit.until));
        change.set_if_other("candidate", millis(was.circuit.candidate), millis(next.circuit.candidate));
        change.set_if_other("line", millis(was.concurrency.queue_end), millis(next.concurrency.queue_end));
        change.set_if_other("changed_at", millis(was.concurrency.changed_at), millis(next.concurrency.changed_at));
        let (held, taken) = (&was.concurrency.slots, &next.concurrency.slots);
        for slot in taken.iter().filter(|slot| !held.contains(slot)) {
            change.set(&slot_name(slot.holder), s(slot_text(slot)));
        }
        for slot in held.iter().filter(|slot| taken.iter().all(|other| other.holder != slot.holder)) {
            change.remove(&slot_name(slot.holder));
        }
        let last = taken.iter().map(|slot| slot.until).max();
        if let Some(last) = last.filter(|_| is_callback(id)) {
            // Clients' URLs are not removed otherwise.
            change.set("expires_at", n(last.seconds() + CALLBACK_S));
        }
        let update = change.apply(self.update(id));
        // A missing item is an endpoint whose state has never changed.
        let update = update
            .condition_expression("#revision = :was OR (attribute_not_exists(#revision) AND :was = :none)")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":was", n(was.revision))
            .expression_attribute_values(":none", n(0))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let stored = match send_update(&self.client, update).await {
            Ok(_) => return Ok(None),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => failed.item().map(state),
                _ => return Err(store_error("admit deliveries", error)),
            },
        };
        match stored {
            // This call's own write, whose answer was lost.
            Some(stored)
                if stored.concurrency.slots.iter().any(|slot| taken.contains(slot) && !held.contains(slot)) =>
            {
                Ok(None)
            }
            Some(stored) => Ok(Some(stored)),
            None => Ok(Some(self.state(id).await?)),
        }
    }

    async fn extend(&self, id: &EndpointId, slot: &Slot) -> Result<(), StoreError> {
        let mut change = Expression::new();
        change.add("revision", n(1));
        change.set(&slot_name(slot.holder), s(slot_text(slot)));
        let update = change.apply(self.update(id));
        send_update(&self.client, update).await.map_err(|error| store_error("extend slot", error)).map(|_| ())
    }
}

#[async_trait]
impl EndpointHealthStore for EndpointTable {
    async fn report(&self, id: &EndpointId, report: &EndpointReport) -> Result<EndpointState, StoreError> {
        let mut change = Expression::new();
        change.add("revision", n(1));
        change.set("changed_at", n(report.at.millis()));
        change.set_or_remove(&slot_name(report.holder), report.kept.as_ref().map(|slot| s(slot_text(slot))));
        if let Some(latency_ms) = report.latency_ms {
            change.set("latency_ms", n(latency_ms));
        }
        if let Some(permille) = report.success_permille {
            change.set("success_permille", n(permille));
        }
        match report.concurrency_limit {
            ConcurrencyChange::Unchanged => {}
            ConcurrencyChange::Set(concurrency_limit) => change.set("width", n(concurrency_limit)),
            ConcurrencyChange::RaiseBy(more) => change.add("width", n(more)),
        }
        match report.failed {
            None => {
                for name in ["failures", "failing_since", "warned", "circuit_until", "candidate", "probes"] {
                    change.remove(name);
                }
            }
            Some(failed) => {
                if failed > 0 {
                    change.add("failures", n(failed));
                    change.set_once("failing_since", n(report.at.millis()));
                }
                if let Some(until) = report.circuit_until {
                    change.set("circuit_until", n(until.millis()));
                }
                if let Some(probes) = report.probes {
                    change.set("probes", n(probes));
                }
            }
        }
        let update = change.apply(self.update(id)).return_values(ReturnValue::AllNew);
        let answer =
            send_update(&self.client, update).await.map_err(|error| store_error("report on endpoint", error))?;
        let mut state = state(&answer.attributes.unwrap_or_default());
        if let Some(until) = report.pause_until.filter(|until| state.paused_until < Some(*until)) {
            self.pause(id, until).await?;
            state.paused_until = Some(until);
        }
        Ok(state)
    }

    async fn warn(&self, id: &EndpointId, level: WarningLevel) -> Result<bool, StoreError> {
        let mut change = Expression::new();
        change.set("warned", n(level.percent()));
        let update = change.apply(self.update(id));
        let update = update
            .condition_expression(
                "attribute_exists(failures) AND (attribute_not_exists(#warned) OR #warned < :percent)",
            )
            .expression_attribute_names("#warned", "warned")
            .expression_attribute_values(":percent", n(level.percent()));
        self.when(update, "record a warning").await
    }

    async fn auto_disable(
        &self,
        id: &EndpointId,
        failures: u64,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut change = Expression::new();
        change.add("revision", n(1));
        change.set("disabled_at", n(now.millis()));
        change.set("disabled_reason", s(reason));
        change.remove("told");
        let update = change.apply(self.update(id));
        let update = update
            .condition_expression("failures >= :failures AND attribute_not_exists(#disabled)")
            .expression_attribute_names("#disabled", "disabled_at")
            .expression_attribute_values(":failures", n(failures))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = send_update(&self.client, update).await else { return Ok(true) };
        match error.as_service_error() {
            // This call's own write, whose answer was lost: the log and subscribers must still learn of it.
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => Ok(failed.item().is_some_and(|item| {
                number(item, "disabled_at") == Some(now.millis()) && text(item, "disabled_reason") == Some(reason)
            })),
            _ => Err(store_error("disable endpoint", error)),
        }
    }

    async fn mark_failing_notified(&self, id: &EndpointId, since: Option<Timestamp>) -> Result<bool, StoreError> {
        let mut change = Expression::new();
        change.set_or_remove("told_failing", since.map(|since| n(since.millis())));
        let update = change.apply(self.update(id));
        let update = match since {
            Some(_) => update.condition_expression("attribute_exists(failures)"),
            None => update.condition_expression("attribute_exists(id)"),
        };
        self.when(update, "save what was notified").await
    }

    async fn mark_disabled_notified(&self, id: &EndpointId) -> Result<(), StoreError> {
        let mut change = Expression::new();
        change.set("told", n(1));
        let update = change.apply(self.update(id)).condition_expression("attribute_exists(#disabled)");
        self.when(update.expression_attribute_names("#disabled", "disabled_at"), "save what was notified")
            .await
            .map(|_| ())
    }
}

/// The attributes that are removed when an endpoint is enabled.
pub(crate) const TROUBLES: [&str; 15] = [
    "disabled_at",
    "disabled_reason",
    "told",
    "told_failing",
    "paused_until",
    "failures",
    "failing_since",
    "warned",
    "circuit_until",
    "candidate",
    "probes",
    "width",
    "latency_ms",
    "success_permille",
    "line",
];
/// The prefix of the attributes that hold slots.
const SLOT: &str = "slot_";

fn slot_name(holder: u64) -> String {
    format!("{SLOT}{holder:x}")
}

/// An update expression under construction.
struct Expression {
    set: Vec<String>,
    add: Vec<String>,
    remove: Vec<String>,
    names: Vec<(String, String)>,
    values: Vec<(String, AttributeValue)>,
}

impl Expression {
    fn new() -> Self {
        Self { set: Vec::new(), add: Vec::new(), remove: Vec::new(), names: Vec::new(), values: Vec::new() }
    }

    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#n{}", self.names.len());
        self.names.push((placeholder.clone(), name.to_owned()));
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.push((placeholder.clone(), value));
        placeholder
    }

    fn set(&mut self, name: &str, value: AttributeValue) {
        let (name, value) = (self.name(name), self.value(value));
        self.set.push(format!("{name} = {value}"));
    }

    fn set_once(&mut self, name: &str, value: AttributeValue) {
        let (name, value) = (self.name(name), self.value(value));
        self.set.push(format!("{name} = if_not_exists({name}, {value})"));
    }

    fn set_or_remove(&mut self, name: &str, value: Option<AttributeValue>) {
        match value {
            Some(value) => self.set(name, value),
            None => self.remove(name),
        }
    }

    /// Sets or removes a number that differs from the stored one.
    fn set_if_other<N: Display + PartialEq>(&mut self, name: &str, was: Option<N>, next: Option<N>) {
        if was != next {
            self.set_or_remove(name, next.map(n));
        }
    }

    fn add(&mut self, name: &str, value: AttributeValue) {
        let (name, value) = (self.name(name), self.value(value));
        self.add.push(format!("{name} {value}"));
    }

    fn remove(&mut self, name: &str) {
        let name = self.name(name);
        self.remove.push(name);
    }

    fn apply(self, update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        let clauses = [("SET", self.set), ("ADD", self.add), ("REMOVE", self.remove)];
        let clauses = clauses.into_iter().filter(|(_, parts)| !parts.is_empty());
        let text: Vec<String> = clauses.map(|(word, parts)| format!("{word} {}", parts.join(", "))).collect();
        let mut update = update.update_expression(text.join(" "));
        for (placeholder, name) in self.names {
            update = update.expression_attribute_names(placeholder, name);
        }
        for (placeholder, value) in self.values {
            update = update.expression_attribute_values(placeholder, value);
        }
        update
    }
}

/// The key of an endpoint's state.
pub(crate) fn state_key(id: &EndpointId) -> Item {
    [("id".to_owned(), s(id.as_str()))].into()
}

/// Reads an endpoint's state.
pub(crate) fn state(item: &Item) -> EndpointState {
    let time = |name: &str| number(item, name).map(Timestamp);
    let small = |name: &str| number(item, name).and_then(|number| u32::try_from(number).ok());
    let large = |name: &str| number(item, name).and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
    EndpointState {
        revision: large("revision"),
        registration: number(item, "registration").and_then(|number| u64::try_from(number).ok()),
        removed_at: time("removed_at"),
        disabled_at: time("disabled_at"),
        disabled_reason: text(item, "disabled_reason").map(str::to_owned),
        disable_notified: number(item, "told").is_some(),
        window: RateWindow {
            index: number(item, "window_index").unwrap_or_default(),
            used: small("window_used").unwrap_or_default(),
        },
        paused_until: time("paused_until"),
        failures: large("failures"),
        failing_since: time("failing_since"),
        outage_notified_since: time("told_failing"),
        warned: WarningLevel::reached(large("warned")),
        circuit: CircuitState {
            until: time("circuit_until"),
            failed_probes: small("probes").unwrap_or_default(),
            candidate: time("candidate"),
        },
        concurrency: Concurrency {
            limit: small("width"),
            queue_end: time("line"),
            slots: item.iter().filter_map(|(name, value)| slot(name, value)).collect(),
            changed_at: time("changed_at"),
        },
        latency_ms: large("latency_ms"),
        success_permille: small("success_permille"),
    }
}

/// What `slot_<holder>` contains: the number of attempts; when the slot expires, stops counting and began; and its claims.
fn slot_text(slot: &Slot) -> String {
    let times = [slot.until, slot.busy_until, slot.started_at].map(Timestamp::millis);
    let mut text = format!("{} {} {} {}", slot.attempts, times[0], times[1], times[2]);
    for AttemptClaim { delivery, attempt } in &slot.claims {
        // Writing to a string cannot fail.
        let _ = match attempt {
            1 => write!(text, " {delivery:x}"),
            _ => write!(text, " {delivery:x}.{attempt}"),
        };
    }
    text
}

/// Reads `slot_<holder>`; version 0.2 stored only the number of attempts and when the slot expires.
fn slot(name: &str, value: &AttributeValue) -> Option<Slot> {
    let holder = u64::from_str_radix(name.strip_prefix(SLOT)?, 16).ok()?;
    let mut parts = value.as_s().ok()?.split(' ');
    let attempts = parts.next()?.parse().ok()?;
    let until = Timestamp(parts.next()?.parse().ok()?);
    let mut time = || Some(Timestamp(parts.next()?.parse().ok()?));
    let (busy_until, started_at) = (time().unwrap_or(until), time().unwrap_or(until));
    Some(Slot { holder, attempts, until, busy_until, started_at, claims: parts.filter_map(claim).collect() })
}

fn claim(text: &str) -> Option<AttemptClaim> {
    let (delivery, attempt) = text.split_once('.').unwrap_or((text, "1"));
    Some(AttemptClaim { delivery: u64::from_str_radix(delivery, 16).ok()?, attempt: attempt.parse().ok()? })
}
