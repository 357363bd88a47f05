//! Rotation of a registered endpoint's secrets: a new one signs beside the earlier ones until their grace period ends.

use std::time::Duration;

use reelhook_domain::{EndpointId, Timestamp};

use crate::idempotency::{IdempotencyKey, check};
use crate::store::StoreError;
use crate::webhooks::endpoints::registrations::{Changed, RegistrationPorts, change};
use crate::webhooks::endpoints::secrets::{EndpointSecret, MOST_SECRETS, Request};

/// A request to rotate; `Debug` hides the secret.
#[derive(Clone)]
pub struct Rotation {
    /// The receiver's own new secret; none to generate one.
    pub secret: Option<String>,
    /// How long the earlier secrets stay valid.
    pub grace: Duration,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
}

impl std::fmt::Debug for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rotation({:?})", self.grace)
    }
}

/// Why a rotation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRotated {
    /// [`MOST_SECRETS`] are valid; with the time at which the next one ends.
    TooMany(Option<Timestamp>),
    /// The Idempotency-Key was used with another body.
    KeyReused,
}

/// Gives an endpoint a new secret, which signs immediately, beside the earlier ones. A repeat with the same
/// Idempotency-Key changes nothing.
///
/// # Errors
/// [`StoreError`]; inside, [`NotRotated`].
pub async fn rotate(
    ports: &RegistrationPorts<'_>,
    id: &EndpointId,
    rotation: Rotation,
) -> Result<Result<Changed, NotRotated>, StoreError> {
    let now = ports.clock.now();
    let key = rotation.key.as_ref();
    let request = key.map(|key| Request { key: key_id(&key.caller, key), body: key.body_hash.clone() });
    let secret = EndpointSecret::new(ports.clock, ports.clock.random(), rotation.secret);
    let new = EndpointSecret { request, ..secret };
    let until = now.after(rotation.grace);
    change(ports, id, None, |_, private| {
        if let Some(first) = key.and_then(|key| first_rotation(&private.secrets, key)) {
            return check(key, Some(&first.body)).map_err(|_| NotRotated::KeyReused);
        }
        for secret in &mut private.secrets {
            secret.expires_at = Some(secret.expires_at.map_or(until, |ends| ends.min(until)));
        }
        private.secrets.retain(|secret| secret.is_live(now));
        if private.secrets.len() >= MOST_SECRETS {
            return Err(NotRotated::TooMany(private.secrets.iter().filter_map(|secret| secret.expires_at).min()));
        }
        private.secrets.insert(0, new.clone());
        Ok(())
    })
    .await
}

/// The request that made one of these secrets with this key.
fn first_rotation<'a>(secrets: &'a [EndpointSecret], key: &IdempotencyKey) -> Option<&'a Request> {
    key.callers().find_map(|caller| {
        let id = key_id(&caller, key);
        secrets.iter().filter_map(|secret| secret.request.as_ref()).find(|request| request.key == id)
    })
}

/// The hash of a caller and its key that is stored, as hex.
fn key_id(caller: &str, key: &IdempotencyKey) -> String {
    format!("{:032x}", key.derived_id(caller, 0))
}
