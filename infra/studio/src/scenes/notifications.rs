//! The notification service: records what it gets, and responds as configured.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{post, put};
use axum::{Json, Router};
use reelhook_faults::Connection;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::bounded_log::{BoundedLog, now_ms};
use crate::config::Config;
use crate::responses::{Problem, control_body};
use crate::verify::{Secrets, Verification, header_texts};

use super::scopes::{Scope, Scopes};

/// One notification.
struct Notification {
    at_ms: u64,
    ids: Scope,
    headers: BTreeMap<String, String>,
    body: Value,
    /// None without a secret, or if the notification is not signed.
    verification: Option<Verification>,
    /// Status of the response; none if the headers were not sent completely.
    answered: Option<u16>,
}

#[derive(Default)]
struct Records {
    scopes: Scopes<Behaviour>,
    log: BoundedLog<Notification>,
}

/// The mock of the notification service.
pub(crate) struct Notifications {
    key: Option<SecretString>,
    secrets: Option<Secrets>,
    records: Mutex<Records>,
}

impl Notifications {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            key: config.scenes.notification_api_key.clone().filter(|key| !key.expose_secret().is_empty()),
            secrets: config.secret_of("notifications").and_then(Secrets::parse),
            records: Mutex::default(),
        }
    }

    /// Records a notification, and returns how to respond to it.
    fn record(&self, headers: &HeaderMap, body: &Bytes) -> Behaviour {
        let is_signed = headers.contains_key("webhook-signature") || headers.contains_key("x-webhook-signature");
        let verification = self.secrets.as_ref().filter(|_| is_signed).map(|secrets| secrets.verify(headers, body));
        let size = body.len();
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let ids = Scope::new(body.get("project_id").and_then(Value::as_str), None);
        let given = headers.get("x-api-key").and_then(|key| key.to_str().ok());
        let is_known = self.key.as_ref().is_none_or(|key| given == Some(key.expose_secret()));
        let mut records = self.records();
        let behaviour = match is_known {
            true => next_behaviour(&mut records.scopes, &ids),
            false => Behaviour { answer: Some(StatusCode::UNAUTHORIZED.as_u16()), ..Behaviour::default() },
        };
        let answered = behaviour.status();
        let headers = header_texts(headers);
        let notification = Notification { at_ms: now_ms(), ids, headers, body, verification, answered };
        records.log.push(size, notification);
        behaviour
    }

    fn received(&self, scope: &Scope) -> Value {
        let records = self.records();
        let notifications = records.log.since(0).filter(|(_, notification)| scope.contains(&notification.ids));
        let received: Vec<Value> = notifications
            .map(|(index, notification)| {
                json!({
                    "index": index,
                    "at_ms": notification.at_ms,
                    "headers": notification.headers,
                    "body": notification.body,
                    "verification": notification.verification,
                    "answered": notification.answered,
                })
            })
            .collect();
        json!({ "received": received })
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next_behaviour(scopes: &mut Scopes<Behaviour>, ids: &Scope) -> Behaviour {
    let entry = scopes.entry_for(ids);
    entry.posts += 1;
    match entry.settings.times {
        Some(times) if entry.posts > times => Behaviour::default(),
        _ => (*entry.settings).clone(),
    }
}

pub(crate) fn routes(notifications: Arc<Notifications>) -> Router {
    Router::new()
        .route("/notifications", post(receive).get(list))
        .route("/control/notifications", put(put_behaviour).get(get_behaviour))
        .with_state(notifications)
}

async fn receive(
    State(notifications): State<Arc<Notifications>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    notifications.record(&headers, &body).respond(connection).await
}

async fn list(State(notifications): State<Arc<Notifications>>, Query(scope): Query<Scope>) -> Json<Value> {
    Json(notifications.received(&scope))
}

async fn put_behaviour(
    State(notifications): State<Arc<Notifications>>,
    Query(scope): Query<Scope>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let behaviour = Behaviour::parse(control_body(&body)?).map_err(Problem::bad_request)?;
    notifications.records().scopes.set(scope.clone(), behaviour);
    Ok(get_behaviour(State(notifications), Query(scope)).await)
}

async fn get_behaviour(State(notifications): State<Arc<Notifications>>, Query(scope): Query<Scope>) -> Json<Value> {
    Json(notifications.records().scopes.shown(&scope))
}
