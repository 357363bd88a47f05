//! Verifies deliveries as receivers do: X-StreamGank-Signature and Standard Webhooks, here and in other languages.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName};
use reelhook_signing::{SigningKeys, streamgank};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use standardwebhooks::Webhook;

const STREAMGANK: HeaderName = HeaderName::from_static("x-streamgank-signature");
const EVENT: HeaderName = HeaderName::from_static("x-streamgank-event");
const BARE: HeaderName = HeaderName::from_static("x-webhook-signature");
const STANDARD: HeaderName = HeaderName::from_static("webhook-signature");

/// The result of one verifier.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The checks of a verifier that makes several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Value>,
}

impl Check {
    pub(crate) fn passed() -> Self {
        Self { ok: true, error: None, checks: None }
    }

    pub(crate) fn failed(error: impl Into<String>) -> Self {
        Self { ok: false, error: Some(error.into()), checks: None }
    }
}

/// The results of all verifiers; none for one that was not run.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Verification {
    pub streamgank: Option<Check>,
    pub standard_webhooks: Option<Check>,
    /// VidBuilder's `X-Webhook-Signature`, only if that header was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_signature: Option<Check>,
    pub node: Option<Check>,
    pub python: Option<Check>,
}

impl Verification {
    /// Each verifier that was run, by its member's name, and whether it accepted.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let checks = [
            ("streamgank", &self.streamgank),
            ("standard_webhooks", &self.standard_webhooks),
            ("webhook_signature", &self.webhook_signature),
            ("node", &self.node),
            ("python", &self.python),
        ];
        checks.into_iter().filter_map(|(name, check)| Some((name, check.as_ref()?.ok)))
    }

    /// Whether every verifier that was run accepted.
    pub(crate) fn all_accept(&self) -> bool {
        self.outcomes().all(|(_, ok)| ok)
    }
}

/// The secrets of one sender, newest first.
#[derive(Clone)]
pub(crate) struct Secrets {
    text: SecretString,
    keys: SigningKeys,
}

impl Secrets {
    /// Parses secrets separated by commas; none if there are none.
    pub(crate) fn parse(text: &SecretString) -> Option<Self> {
        Some(Self { keys: SigningKeys::parse(text.expose_secret())?, text: text.clone() })
    }

    /// Each secret separately: the official libraries accept one.
    pub(crate) fn each(&self) -> impl Iterator<Item = &str> {
        self.text.expose_secret().split(',').map(str::trim).filter(|secret| !secret.is_empty())
    }

    /// Verifies both signatures of a delivery, and VidBuilder's if it is present.
    pub(crate) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Verification {
        let bare = headers.contains_key(BARE).then(|| self.hex_header(headers, BARE, body));
        // Neither VidBuilder's notifications nor the payloads of Standard Webhooks have X-StreamGank-Signature.
        let standard = headers.contains_key(STANDARD) && !headers.contains_key(EVENT);
        let is_streamgank = headers.contains_key(STREAMGANK) || (bare.is_none() && !standard);
        let streamgank = is_streamgank.then(|| self.hex_header(headers, STREAMGANK, body));
        Verification {
            streamgank,
            standard_webhooks: Some(self.standard_webhooks(headers, body)),
            webhook_signature: bare,
            node: None,
            python: None,
        }
    }

    fn hex_header(&self, headers: &HeaderMap, name: HeaderName, body: &[u8]) -> Check {
        let Some(header) = headers.get(&name) else {
            return Check::failed(format!("missing header {name}"));
        };
        let Ok(header) = header.to_str() else {
            return Check::failed(format!("header {name} is not ASCII text"));
        };
        match streamgank::verify_hex(body, header, &self.keys) {
            Ok(_) => Check::passed(),
            Err(error) => Check::failed(error.to_string()),
        }
    }

    fn standard_webhooks(&self, headers: &HeaderMap, body: &[u8]) -> Check {
        let mut result = Check::failed("no secret");
        for secret in self.each() {
            result = standard_webhook(secret, headers, body);
            if result.ok {
                break;
            }
        }
        result
    }
}

/// Verifies with the official Rust library and one secret.
fn standard_webhook(secret: &str, headers: &HeaderMap, body: &[u8]) -> Check {
    let webhook = if secret.starts_with("whsec_") {
        Webhook::new(secret)
    } else {
        Webhook::from_bytes(secret.as_bytes().to_vec())
    };
    match webhook.and_then(|webhook| webhook.verify(body, headers)) {
        Ok(()) => Check::passed(),
        Err(error) => Check::failed(error.to_string()),
    }
}

/// Secrets and public keys of an endpoint. Each of them alone must accept a delivery: during a rotation, some receivers
/// have only that one.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiverKeys {
    #[serde(default)]
    pub secrets: Vec<String>,
    #[serde(default)]
    pub public_keys: Vec<String>,
}

impl ReceiverKeys {
    /// Verifies with the official Rust library and each secret.
    pub(crate) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Verification {
        let checks = self.secrets.iter().map(|secret| standard_webhook(secret, headers, body));
        let refused = checks.into_iter().find(|check| !check.ok);
        Verification { standard_webhooks: Some(refused.unwrap_or_else(Check::passed)), ..Verification::default() }
    }
}

/// Headers as strings with lower-case names; several of one name are joined with commas.
pub(crate) fn header_texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        texts
            .entry(name.as_str().to_owned())
            .and_modify(|text| *text = format!("{text}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"event":"job.completed"}"#;

    fn secrets(text: &str) -> Secrets {
        Secrets::parse(&text.into()).unwrap()
    }

    fn signed(by: &str) -> HeaderMap {
        let keys = SigningKeys::parse(by).unwrap();
        let now = crate::bounded_log::now_ms() as i64 / 1000;
        let mut headers = HeaderMap::new();
        let token = reelhook_signing::standard::sign("msg_1", now, BODY, &keys);
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        headers.insert("webhook-timestamp", now.into());
        headers.insert("webhook-signature", token.parse().unwrap());
        let hex = streamgank::signature(BODY, &keys);
        headers.insert(STREAMGANK, hex.parse().unwrap());
        headers
    }

    fn check(sender: &str, receiver: &str, expected: bool) {
        let found = secrets(receiver).verify(&signed(sender), BODY);
        assert_eq!(found.all_accept(), expected, "{sender} at {receiver}: {found:?}");
    }

    #[test]
    fn a_delivery_is_verified_in_both_ways() {
        check("plain", "plain", true);
        check("plain", "other", false);
        check("plain", "new, plain", true);
        let standard = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        check(standard, standard, true);
        check(standard, "plain", false);
    }

    #[test]
    fn an_unsigned_delivery_is_not_verified() {
        let found = secrets("plain").verify(&HeaderMap::new(), BODY);
        assert_eq!(found.streamgank.unwrap().error.unwrap(), "missing header x-streamgank-signature");
        assert_eq!(found.standard_webhooks.unwrap().error.unwrap(), "missing header id");
    }

    #[test]
    fn vidbuilders_signature_replaces_streamganks() {
        let mut headers = signed("plain");
        headers.remove(STREAMGANK);
        let hex = streamgank::hex_signature(BODY, &SigningKeys::parse("plain").unwrap());
        headers.insert(BARE, hex.parse().unwrap());
        let found = secrets("plain").verify(&headers, BODY);
        assert!(found.all_accept(), "{found:?}");
        assert!(found.streamgank.is_none());
    }

    #[test]
    fn a_standard_payload_needs_no_streamgank_signature() {
        let mut headers = signed("plain");
        headers.remove(STREAMGANK);
        let found = secrets("plain").verify(&headers, BODY);
        assert!(found.all_accept() && found.streamgank.is_none(), "{found:?}");
        headers.insert(EVENT, "job.completed".parse().unwrap());
        assert!(!secrets("plain").verify(&headers, BODY).all_accept(), "the envelope is signed in both ways");
    }
}
