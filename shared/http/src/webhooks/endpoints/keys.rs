//! The public keys of endpoints.

use reelhook_app::views::wire::Time;
use reelhook_app::webhooks::endpoints::secrets::PublicKey;
use reelhook_app::webhooks::wire::{EndpointIdText, PublicKeyText, SecretIdText};
use reelhook_domain::{EndpointId, Timestamp};
use reelhook_signing::asymmetric::jwk_x;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::ApiAnswer;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// The parameters of the list of public keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookKeysQuery {
    /// Only the keys of this endpoint.
    pub endpoint_id: Option<String>,
}

/// A JSON Web Key Set (RFC 7517, RFC 8037).
#[derive(Debug, Serialize, JsonSchema)]
pub struct WebhookKeys<'a> {
    /// The keys.
    keys: Vec<WebhookKey<'a>>,
}

/// A public key, with its form of Standard Webhooks.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct WebhookKey<'a> {
    /// The id of the secret that the key came with.
    #[schemars(with = "SecretIdText")]
    kid: &'a str,
    /// The endpoint.
    #[schemars(with = "EndpointIdText")]
    endpoint_id: &'a EndpointId,
    /// The type of the key.
    #[schemars(extend("const" = "OKP"))]
    kty: &'static str,
    /// The curve.
    #[schemars(extend("const" = "Ed25519"))]
    crv: &'static str,
    /// The algorithm.
    #[schemars(extend("const" = "EdDSA"))]
    alg: &'static str,
    /// The use.
    #[schemars(extend("const" = "sig"))]
    r#use: &'static str,
    /// The key in base64url.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]{43}$"))]
    x: String,
    /// The key in the form of Standard Webhooks.
    #[schemars(with = "PublicKeyText")]
    whpk: &'a str,
    /// Until when it verifies new webhooks; null for the newest.
    expires_at: Option<Time>,
}

/// Reads GET /.well-known/webhook-keys.json; none if it is another route.
///
/// # Errors
/// [`Problem`] names the wrong parameter.
pub fn read_keys_request(request: &ApiRequest) -> Result<Option<WebhookKeysQuery>, Problem> {
    let is_keys_route =
        matches!((request.method.as_str(), request.path.as_str()), ("GET", "/.well-known/webhook-keys.json"));
    is_keys_route.then(|| request.parameters()).transpose()
}

/// Public keys of endpoints as a JSON Web Key Set (RFC 7517, RFC 8037), with the form of Standard Webhooks beside it.
pub fn keys_answer<'a>(keys: impl Iterator<Item = (&'a EndpointId, &'a PublicKey)>, now: Timestamp) -> ApiAnswer {
    let live = keys.filter(|(_, key)| key.expires_at.is_none_or(|until| until > now));
    let shown = live.filter_map(|(endpoint_id, key)| {
        Some(WebhookKey {
            kid: &key.id,
            endpoint_id,
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            r#use: "sig",
            x: jwk_x(&key.key)?,
            whpk: &key.key,
            expires_at: key.expires_at.map(Time),
        })
    });
    ApiAnswer::json(200, &WebhookKeys { keys: shown.collect() }).header("cache-control", "public, max-age=60")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn keys_that_verify_are_listed_in_both_forms_and_those_whose_time_is_over_are_not() {
        let id = EndpointId::parse("ep_1").unwrap();
        let key = |id: &str, expires_at: Option<i64>| PublicKey {
            id: id.to_owned(),
            // RFC 8037, A.2.
            key: "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned(),
            expires_at: expires_at.map(Timestamp),
        };
        let keys = [key("sec_1", None), key("sec_2", Some(2000)), key("sec_3", Some(1000))];
        let answer = keys_answer(keys.iter().map(|key| (&id, key)), Timestamp(1000));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let expected = |kid: &str, expires_at: Value| {
            json!({ "kid": kid, "endpointId": "ep_1", "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "whpk": keys[0].key, "expiresAt": expires_at })
        };
        let until = json!(Timestamp(2000).to_string());
        assert_eq!(body["keys"], json!([expected("sec_1", Value::Null), expected("sec_2", until)]));
    }
}
