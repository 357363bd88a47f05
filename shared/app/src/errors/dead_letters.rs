//! Faults that leave messages behind: dead letters, and notes on poison records. Each minute the queues are looked at, and
//! what they say becomes errors, which are resolved when the queues are empty.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::errors::cause::{Cause, Raise, Resolve};
use reelhook_domain::errors::error::ErrorRow;
use reelhook_domain::{EventId, Timestamp};
use serde_json::{Map, Value};

use crate::clock::ClockAndRandom;
use crate::errors::steps::{ErrorChange, ErrorStep, ErrorSteps};
use crate::errors::store::{ErrorStore, group};
use crate::store::StoreError;

/// The number of messages in a queue is approximate: it may lag for so long.
const LAG: Duration = Duration::from_secs(180);
/// The time in which checks of one queue count once.
const MINUTE: Duration = Duration::from_secs(60);
/// The fact that has the number of messages.
const MESSAGES: &str = "messages";

/// A queue, and how many messages are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDepth {
    /// The queue's name.
    pub name: String,
    /// Its messages, approximately.
    pub messages: u64,
}

/// Queues that nothing consumes.
#[async_trait]
pub trait LeftBehind: Send + Sync {
    /// The dead-letter queues.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn dead_letters(&self) -> Result<Vec<QueueDepth>, StoreError>;

    /// The notes on poison records.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn poison_notes(&self) -> Result<QueueDepth, StoreError>;
}

/// What [`check`] needs.
pub struct FaultPorts<'a> {
    /// The queues.
    pub queues: &'a dyn LeftBehind,
    /// Errors.
    pub errors: &'a dyn ErrorStore,
    /// Raises and resolves errors.
    pub steps: &'a dyn ErrorSteps,
    /// The clock.
    pub clock: &'a dyn ClockAndRandom,
    /// The tables whose streams may have poison records.
    pub tables: &'a [String],
}

/// Raises an error for each queue with dead letters, and resolves those of empty queues.
///
/// # Errors
/// [`StoreError`]; the next check does the rest.
pub async fn check(ports: &FaultPorts<'_>) -> Result<(), StoreError> {
    for queue in ports.queues.dead_letters().await? {
        let known = active(ports, Cause::DeadLetters, &queue.name).await?;
        let before = known.as_ref().and_then(|error| error.context.get(MESSAGES)?.as_u64());
        if queue.messages == 0 {
            resolve(ports, known, Cause::DeadLetters, &queue.name).await?;
        } else if before.is_none_or(|before| before < queue.messages) {
            let now = ports.clock.now();
            // Checks of one minute count once.
            let key = group(Cause::DeadLetters, &queue.name);
            let id = EventId::parse(&format!("dlq.{key}.{}", now.window_index(MINUTE)));
            let id = id.expect("hex and a number are an id");
            let step = ErrorStep { id, at: now, change: dead_letters(&queue) };
            ports.steps.apply(&step).await?;
        }
    }
    if ports.queues.poison_notes().await?.messages == 0 {
        for table in ports.tables {
            let known = active(ports, Cause::Poison, table).await?;
            let settled = known.filter(|error| error.last_seen.after(LAG) <= ports.clock.now());
            resolve(ports, settled, Cause::Poison, table).await?;
        }
    }
    Ok(())
}

fn dead_letters(queue: &QueueDepth) -> ErrorChange {
    let QueueDepth { name, messages } = queue;
    let context: Map<String, Value> =
        [("queue".to_owned(), Value::from(name.as_str())), (MESSAGES.to_owned(), Value::from(*messages))]
            .into_iter()
            .collect();
    let message = format!(
        "{messages} messages in the dead-letter queue {name}: their function crashed again and again; repair it, then \
         send them back with `cargo xtask redrive`"
    );
    ErrorChange::Raise(Raise { cause: Cause::DeadLetters, about: name.clone(), message, context })
}

/// A record of a table's stream can never be processed; its whole text is in the bucket under `key`.
pub fn poison(table: &str, sequence: &str, reason: &str, key: &str, now: Timestamp) -> Option<ErrorStep> {
    let facts = [("table", table), ("sequence", sequence), ("error", reason), ("key", key)];
    let context: Map<String, Value> =
        facts.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect();
    let message = format!("A record of the stream of {table} can't be processed and was put aside as {key}: {reason}");
    let raise = Raise { cause: Cause::Poison, about: table.to_owned(), message, context };
    let id = EventId::parse(&format!("poison.{sequence}")).ok()?;
    Some(ErrorStep { id, at: now, change: ErrorChange::Raise(raise) })
}

/// The error, if it is active.
async fn active(ports: &FaultPorts<'_>, cause: Cause, about: &str) -> Result<Option<ErrorRow>, StoreError> {
    let found = ports.errors.error(&group(cause, about)).await?;
    Ok(found.filter(|error| error.is_active(ports.clock.now())))
}

/// Resolves an error, if there is one.
async fn resolve(ports: &FaultPorts<'_>, known: Option<ErrorRow>, cause: Cause, about: &str) -> Result<(), StoreError> {
    let Some(error) = known else { return Ok(()) };
    let change = ErrorChange::Resolve(Resolve { cause, about: about.to_owned() });
    let id = EventId::of(&format!("{}.gone", error.id), error.version, 0);
    ports.steps.apply(&ErrorStep { id, at: ports.clock.now(), change }).await
}
