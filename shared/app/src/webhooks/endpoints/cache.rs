//! Endpoints for the dispatcher: those of the settings, and registered ones, which are cached until they change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reelhook_domain::{EndpointId, EndpointState, Timestamp};

use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::endpoints::recent::RecentEndpoints;
use crate::webhooks::endpoints::registrations::{RegistrationStore, Vault};
use crate::webhooks::settings::WebhookSettings;

/// The longest time that a registration is cached: the settings that it builds on change as well.
const FRESH: Duration = Duration::from_secs(60);
/// The most registrations that are cached.
const KEPT: usize = 2000;

/// The result of looking up an endpoint.
#[derive(Debug, Clone)]
pub enum ResolvedEndpoint {
    /// The endpoint.
    Endpoint(Arc<Endpoint>),
    /// The endpoint's registration was removed.
    Removed,
    /// The endpoint is neither in these settings nor registered.
    Unknown,
    /// It is registered, but its private part cannot be opened: the key is missing or a different one.
    Sealed,
}

/// What an instance remembers of endpoints: registered ones that were opened before, and those it has sent to lately.
#[derive(Debug, Default)]
pub struct EndpointCache {
    cached: Mutex<HashMap<EndpointId, CachedEndpoint>>,
    /// The endpoints of the last batches.
    pub recent: RecentEndpoints,
}

#[derive(Debug, Clone)]
struct CachedEndpoint {
    version: u64,
    until: Timestamp,
    endpoint: Arc<Endpoint>,
}

/// What [`EndpointCache::find`] needs.
pub struct EndpointCachePorts<'a> {
    /// Registrations.
    pub store: &'a dyn RegistrationStore,
    /// ENDPOINT_SECRETS_KEY; without one no registration can be opened.
    pub vault: Option<&'a Vault>,
    /// WEBHOOK_* settings.
    pub settings: &'a WebhookSettings,
}

impl EndpointCache {
    /// The endpoint with this state. It reflects the current registration, whose version the state contains.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find(
        &self,
        ports: &EndpointCachePorts<'_>,
        id: &EndpointId,
        state: &EndpointState,
        now: Timestamp,
    ) -> Result<ResolvedEndpoint, StoreError> {
        if let Some(endpoint) = ports.settings.endpoint(id) {
            return Ok(ResolvedEndpoint::Endpoint(Arc::clone(endpoint)));
        }
        let Some(version) = state.registration else { return Ok(ResolvedEndpoint::Unknown) };
        if state.removed_at.is_some() {
            return Ok(ResolvedEndpoint::Removed);
        }
        if let Some(cached) = self.cached(id).filter(|cached| cached.version >= version && cached.until > now) {
            return Ok(ResolvedEndpoint::Endpoint(cached.endpoint));
        }
        let Some(registration) = ports.store.registration(id).await? else { return Ok(ResolvedEndpoint::Removed) };
        let private = match ports.vault.map(|vault| vault.open(&registration)) {
            Some(Ok(private)) => private,
            Some(Err(error)) => {
                tracing::error!(fault = "settings", endpoint_id = %id, %error, "failed to open a registered endpoint, its webhooks wait");
                return Ok(ResolvedEndpoint::Sealed);
            }
            None => {
                tracing::error!(
                    fault = "settings",
                    endpoint_id = %id,
                    "ENDPOINT_SECRETS_KEY is not set, webhooks of a registered endpoint wait"
                );
                return Ok(ResolvedEndpoint::Sealed);
            }
        };
        let (endpoint, ends) = registration.endpoint(&private, ports.settings, now);
        let endpoint = Arc::new(endpoint);
        let fresh = now.after(FRESH);
        let until = ends.map_or(fresh, |ends| fresh.min(ends));
        self.keep(id, CachedEndpoint { version: registration.version, until, endpoint: Arc::clone(&endpoint) }, now);
        Ok(ResolvedEndpoint::Endpoint(endpoint))
    }

    fn cached(&self, id: &EndpointId) -> Option<CachedEndpoint> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn keep(&self, id: &EndpointId, cached: CachedEndpoint, now: Timestamp) {
        let mut all = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT {
            all.retain(|_, cached| cached.until > now);
        }
        all.insert(id.clone(), cached);
    }
}
