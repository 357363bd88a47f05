//! Rotation of a registered endpoint's secrets: a new one signs beside the earlier ones until their grace period ends.

use std::time::Duration;

use reelhook_domain::{EndpointId, Timestamp};

use crate::jobs::submit::IdempotencyKey;
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
    /// The caller and its Idempotency-Key.
    pub key: Option<(String, IdempotencyKey)>,
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
    let by_key = rotation.key.map(|(caller, key)| (key_id(&caller, &key), key));
    let request = by_key.as_ref().map(|(id, key)| Request { key: id.clone(), body: key.body_hash.clone() });
    let known = |made: &str| {
        by_key
            .as_ref()
            .is_some_and(|(id, key)| made == id || key.former_callers.iter().any(|former| made == key_id(former, key)))
    };
    let secret = EndpointSecret::new(ports.clock, ports.clock.random(), rotation.secret);
    let new = EndpointSecret { request, ..secret };
    let until = now.after(rotation.grace);
    change(ports, id, None, |_, private| {
        let mut made = private.secrets.iter().filter_map(|secret| secret.request.as_ref());
        if let Some((_, key)) = &by_key
            && let Some(made) = made.find(|made| known(&made.key))
        {
            return if key.is_same(&made.body) { Ok(()) } else { Err(NotRotated::KeyReused) };
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

/// The hash of a caller and its key that is stored, as hex.
fn key_id(caller: &str, key: &IdempotencyKey) -> String {
    format!("{:032x}", key.bits(caller, 0))
}
