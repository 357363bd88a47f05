//! The settings of webhooks, and the key that seals the secrets of registered endpoints: what functions that call
//! endpoints read.

use reelhook_app::webhooks::endpoints::registrations::Vault;
use reelhook_app::webhooks::settings::WebhookSettings;

use crate::settings::{OPTIONS, Raw, required};

/// The settings of webhooks, and the key that seals the secrets of registered endpoints.
#[derive(Debug)]
pub struct WebhookSecrets {
    /// Configured endpoints, and the policy of all endpoints.
    pub settings: WebhookSettings,
    /// Seals and opens secrets of registered endpoints.
    pub vault: Option<Vault>,
}

impl WebhookSecrets {
    /// The names of the settings; they come last in a function's list.
    pub const SETTINGS: &[&str] = &[
        "WEBHOOK_URLS",
        "WEBHOOK_EVENTS",
        "WEBHOOK_SECRET_KEY",
        "ENDPOINT_SECRETS_KEY",
        // One call reads the names up to here; the others are in the options.
        OPTIONS,
        "WEBHOOK_HEADERS",
        "WEBHOOK_TIMEOUT",
        "WEBHOOK_SCHEDULE",
        "WEBHOOK_MAX_RETRIES",
        "WEBHOOK_RETRY_DELAY",
        "WEBHOOK_MAX_RETRY_DELAY",
        "WEBHOOK_RATE_LIMIT_WINDOW",
        "WEBHOOK_RATE_LIMIT_MAX",
        "WEBHOOK_ENDPOINT_POLICIES",
        "WEBHOOK_CONCURRENCY",
        "WEBHOOK_CIRCUIT_FAILURES",
        "WEBHOOK_CIRCUIT_DELAY",
        "WEBHOOK_CIRCUIT_MAX_DELAY",
        "WEBHOOK_DISABLE_AFTER",
        "WEBHOOK_DISABLE_AFTER_FAILURES",
        "WEBHOOK_PERMANENT_STATUSES",
    ];

    /// Reads the settings; `keys_required` says whether both keys must be set.
    ///
    /// # Errors
    /// When a setting is invalid, or a required key is missing.
    pub fn read(raw: &Raw, allow_http: bool, keys_required: bool) -> anyhow::Result<Self> {
        let lookup = |name: &str| raw.text(name);
        // Only functions that send webhooks read the settings of the notification service.
        let settings = WebhookSettings::read(&lookup, allow_http)?.with_notification(&lookup, allow_http)?;
        let vault = raw.get("ENDPOINT_SECRETS_KEY").and_then(Vault::parse);
        if keys_required {
            required(&[("WEBHOOK_SECRET_KEY", settings.secret.is_some()), ("ENDPOINT_SECRETS_KEY", vault.is_some())])?;
        }
        Ok(Self { settings, vault })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_setting_of_webhooks_is_named_once() {
        let found = RefCell::new(BTreeSet::from([OPTIONS.to_owned(), "ENDPOINT_SECRETS_KEY".to_owned()]));
        let note = |name: &str| -> Option<String> {
            found.borrow_mut().insert(name.to_owned());
            None
        };
        WebhookSettings::read(&note, false).unwrap();
        let mut names: Vec<&str> = WebhookSecrets::SETTINGS.to_vec();
        names.sort_unstable();
        assert_eq!(names, found.into_inner().iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn both_keys_are_read_and_named_if_they_are_required_and_missing() {
        assert!(WebhookSecrets::read(&Raw::default(), false, false).unwrap().vault.is_none());
        let missing = WebhookSecrets::read(&Raw::default(), false, true).unwrap_err().to_string();
        assert!(missing.ends_with("WEBHOOK_SECRET_KEY, ENDPOINT_SECRETS_KEY"), "{missing}");
    }
}
