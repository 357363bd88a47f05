//! The stored form of an origin, whatever it is of.

use reelhook_domain::{Origin, OwnerId};
use serde::{Deserialize, Serialize};

/// The stored form of where something came from, and whose it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct StoredOrigin {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerId>,
}

impl From<&Origin> for StoredOrigin {
    fn from(origin: &Origin) -> Self {
        let Origin { caller, traceparent, owner } = origin.clone();
        Self { caller, traceparent, owner }
    }
}

impl From<StoredOrigin> for Origin {
    fn from(stored: StoredOrigin) -> Self {
        let StoredOrigin { caller, traceparent, owner } = stored;
        Self { caller, traceparent, owner }
    }
}
