//! Idempotency keys: a repeat of a request gets what the first one made, another request under the same key is refused.
//!
//! Requests whose first answer is repeated have a record in a store. A resource that keeps the body hash of its request
//! needs none: its id is derived from caller and key. The rule for both is [`check`] (ADR 36).

use std::fmt;
use std::iter::{once, once_with};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::Timestamp;
use sha2::{Digest, Sha256};

use crate::store::StoreError;

/// How long a record is kept unless its key says otherwise (docs/contract/requests.md, Idempotency).
const RECORD_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Computes the former form of a value.
type Former<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// The Idempotency-Key of a request, with its caller and the hash of its body.
#[derive(Clone)]
pub struct IdempotencyKey {
    /// The caller, as a fingerprint.
    pub caller: String,
    /// The header's text.
    pub key: String,
    /// SHA-256 of the body's value, as hex; the same however that value is written.
    pub body_hash: String,
    kept: Duration,
    former_callers: Option<Former<Vec<String>>>,
    former_hash: Option<Former<String>>,
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({}, {:?}, {})", self.caller, self.key, self.body_hash)
    }
}

impl IdempotencyKey {
    /// A key without former forms.
    pub fn new(caller: impl Into<String>, key: impl Into<String>, body_hash: impl Into<String>) -> Self {
        let (caller, key, body_hash) = (caller.into(), key.into(), body_hash.into());
        Self { caller, key, body_hash, kept: RECORD_LIFE, former_callers: None, former_hash: None }
    }

    /// Keeps the record of this key for another time.
    #[must_use]
    pub fn kept_for(self, kept: Duration) -> Self {
        Self { kept, ..self }
    }

    /// Adds the fingerprints of the caller under older secrets and in version 0.1. They are computed only if nothing is
    /// known under the present one.
    #[must_use]
    pub fn formerly_of(self, callers: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self { former_callers: Some(Arc::new(callers)), ..self }
    }

    /// Adds the hash that version 0.1 stored, which is of the body's bytes. It is computed only if the stored hash is not
    /// the present one.
    #[must_use]
    pub fn formerly_hashed(self, hash: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { former_hash: Some(Arc::new(hash)), ..self }
    }

    /// The fingerprints under which this key may be known: the present one, then the former ones.
    pub fn callers(&self) -> impl Iterator<Item = String> + Send {
        let former = once_with(move || self.former_callers.as_ref().map_or_else(Vec::new, |callers| callers()));
        once(self.caller.clone()).chain(former.flatten())
    }

    /// Whether a stored hash is of this request's body.
    pub fn is_same(&self, stored: &str) -> bool {
        stored == self.body_hash || self.former_hash.as_ref().is_some_and(|hash| hash() == stored)
    }

    /// The id of the resource that this key makes, under one of its [`Self::callers`]: 128 bits, the same each time. A key
    /// whose resource was removed makes another one, with the id of the next round.
    pub fn derived_id(&self, caller: &str, round: usize) -> u128 {
        let round = round.to_string();
        bits(digest(&[caller.as_bytes(), self.key.as_bytes(), round.as_bytes()]))
    }

    /// [`Self::derived_id`] in the form that stored recoveries have.
    pub fn derived_recovery_id(&self, caller: &str) -> u128 {
        bits(Sha256::new().chain_update(caller).chain_update([0]).chain_update(&self.key).finalize().into())
    }

    /// The record of this request, which is the first one with its key.
    pub fn record(&self, answer: String, now: Timestamp) -> IdempotencyRecord {
        IdempotencyRecord {
            caller: self.caller.clone(),
            key: self.key.clone(),
            body_hash: self.body_hash.clone(),
            answer,
            expires_at: now.after(self.kept),
        }
    }

    /// The answer of a record of this key.
    ///
    /// # Errors
    /// [`KeyReused`].
    pub fn repeated(&self, record: IdempotencyRecord) -> Result<String, KeyReused> {
        check(Some(self), Some(&record.body_hash)).map(|()| record.answer)
    }
}

fn bits(hash: [u8; 32]) -> u128 {
    hash[..16].iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

/// SHA-256 of parts, each with its length before it, so that no two lists of parts are hashed alike.
pub(crate) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The key was used for another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the idempotency key was used with another body")]
pub struct KeyReused;

/// The one rule: the same key with the same body is a repeat, with another body it is refused. `first` is the body hash
/// of the request that made the resource, none if that had no key.
///
/// # Errors
/// [`KeyReused`].
pub fn check(key: Option<&IdempotencyKey>, first: Option<&str>) -> Result<(), KeyReused> {
    let is_same = match (key, first) {
        (Some(key), Some(first)) => key.is_same(first),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if is_same { Ok(()) } else { Err(KeyReused) }
}

/// The first request with a key, and its answer, which names the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The caller, as a fingerprint.
    pub caller: String,
    /// The header's text.
    pub key: String,
    /// SHA-256 of the body's value, as hex; of the body's bytes in records of version 0.1.
    pub body_hash: String,
    /// The body of the first answer.
    pub answer: String,
    /// From this time on the key is unused.
    pub expires_at: Timestamp,
}

/// Where idempotency records are kept.
#[async_trait]
pub trait IdempotencyStore: Send + Sync {
    /// The record of a caller's key, unless it has expired.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn record(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError>;

    /// Stores a record and returns none; if the key has a record, returns that one.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remember(
        &self,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError>;
}

/// The answer of the first request with this key; none if this request is the first.
///
/// # Errors
/// [`StoreError`]; inside, [`KeyReused`].
pub async fn first_answer(
    store: &dyn IdempotencyStore,
    key: &IdempotencyKey,
    now: Timestamp,
) -> Result<Option<Result<String, KeyReused>>, StoreError> {
    for caller in key.callers() {
        if let Some(record) = store.record(&caller, &key.key, now).await? {
            return Ok(Some(key.repeated(record)));
        }
    }
    Ok(None)
}

/// [`first_answer`]; if this request is the first, its own answer, which is stored.
///
/// # Errors
/// As [`first_answer`].
pub async fn first_answer_or(
    store: &dyn IdempotencyStore,
    key: &IdempotencyKey,
    answer: String,
    now: Timestamp,
) -> Result<Result<String, KeyReused>, StoreError> {
    if let Some(first) = first_answer(store, key, now).await? {
        return Ok(first);
    }
    let record = key.record(answer, now);
    Ok(match store.remember(&record, now).await? {
        Some(first) => key.repeated(first),
        None => Ok(record.answer),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn former_forms_are_computed_only_when_the_present_ones_are_unknown() {
        let computed = Arc::new(AtomicU32::new(0));
        let (callers, hashes) = (Arc::clone(&computed), Arc::clone(&computed));
        let key = IdempotencyKey::new("ann", "k", "h")
            .formerly_of(move || {
                callers.fetch_add(1, Ordering::Relaxed);
                vec!["older".to_owned()]
            })
            .formerly_hashed(move || {
                hashes.fetch_add(1, Ordering::Relaxed);
                "of bytes".to_owned()
            });
        assert_eq!(key.callers().next().as_deref(), Some("ann"));
        assert_eq!(check(Some(&key), Some("h")), Ok(()));
        assert_eq!(computed.load(Ordering::Relaxed), 0);
        assert_eq!(key.callers().collect::<Vec<_>>(), ["ann", "older"]);
        assert_eq!(check(Some(&key), Some("of bytes")), Ok(()));
        assert_eq!(computed.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_record_is_kept_for_a_day_unless_its_key_says_otherwise() {
        let key = IdempotencyKey::new("ann", "k", "h");
        let expires = |key: &IdempotencyKey| key.record(String::new(), Timestamp(1000)).expires_at;
        assert_eq!(expires(&key), Timestamp(1000 + 24 * 3_600_000));
        assert_eq!(expires(&key.kept_for(Duration::from_secs(7))), Timestamp(8000));
    }

    #[test]
    fn only_the_same_body_is_a_repeat() {
        let key = IdempotencyKey::new("ann", "k", "h").formerly_hashed(|| "of bytes".to_owned());
        assert_eq!(check(Some(&key), Some("of others")), Err(KeyReused));
        assert_eq!((check(Some(&key), None), check(None, Some("h"))), (Err(KeyReused), Err(KeyReused)));
        assert_eq!(check(None, None), Ok(()), "a request without a key that meets its own write");
    }

    #[test]
    fn derived_ids_stay_as_they_are_stored() {
        let key = IdempotencyKey::new("ann", "k", "h");
        assert_eq!(format!("{:032x}", key.derived_id("ann", 0)), "7026bb45934efc5261cdbc3e18b1625f");
        assert_eq!(format!("{:032x}", key.derived_id("ann", 1)), "ae8904b01b133ea3d12be2a33eeb0052");
        assert_eq!(format!("{:032x}", key.derived_recovery_id("ann")), "ebbeb2e6d796ee8877f99376966726b0");
    }
}
