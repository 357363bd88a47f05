//! A registered endpoint for webhooks about projects, scenes, errors and clip jobs.

use std::collections::BTreeSet;

use reelhook_domain::{DeliveryId, EndpointId, EventId};
use reqwest::Method;
use serde_json::{Value, json};

use super::project::{call, text, unique};
use crate::endpoints::hold_all;
use crate::stack::Stack;

const ENDPOINTS: &str = "/api/webhooks/endpoints";

/// An endpoint at a receiver of its own.
pub struct Listener {
    hook: String,
    endpoint: String,
}

impl Listener {
    /// Registers an endpoint for these events.
    pub async fn register(stack: &Stack, events: &[&str]) -> Self {
        let hook = format!("scenes-{}", unique());
        let body = json!({ "url": format!("{}/hooks/{hook}", stack.studio), "events": events });
        let (status, answer) = stack.post(ENDPOINTS, &body).await;
        assert_eq!(status, 201, "{answer}");
        Self { hook, endpoint: text(&answer["endpoint"]["id"]) }
    }

    /// Gives the receiver the endpoint's secrets and keys, so that it verifies what arrives.
    pub async fn hold_secrets(&self, stack: &Stack) {
        hold_all(stack, &self.endpoint, &self.hook).await;
    }

    /// The id under which an event arrives here.
    pub fn webhook_id(&self, event: &EventId) -> String {
        let endpoint = EndpointId::parse(&self.endpoint).expect("an id");
        DeliveryId::of(event, &endpoint).webhook_id()
    }

    /// The receiver's name.
    pub fn hook(&self) -> &str {
        &self.hook
    }

    /// All webhooks, in the order in which they arrived.
    pub async fn all(&self, stack: &Stack) -> Vec<Value> {
        let all = stack.studio(&format!("/hooks/{}/received?limit=100000", self.hook)).await;
        all["received"].as_array().expect("a list").clone()
    }

    /// The webhooks about a project and its scenes, or about a clip job, in the order in which they arrived.
    pub async fn about(&self, stack: &Stack, id: &str) -> Vec<Value> {
        let is_about = |one: &Value| ["project_id", "jobId"].iter().any(|name| one["body"]["data"][name] == id);
        self.all(stack).await.into_iter().filter(is_about).collect()
    }

    /// The ids under which an event about a project arrived.
    pub async fn ids(&self, stack: &Stack, project: &str, event: &str) -> BTreeSet<String> {
        let all = self.about(stack, project).await;
        all.iter().filter(|one| one["body"]["type"] == event).map(|one| text(&one["webhook_id"])).collect()
    }

    /// Waits for an event about a project, and returns its data.
    pub async fn heard(&self, stack: &Stack, project: &str, event: &str) -> Value {
        stack
            .eventually(&format!("{event} about {project}"), || async {
                let all = self.about(stack, project).await;
                all.iter().find(|one| one["body"]["type"] == event).map(|one| one["body"]["data"].clone())
            })
            .await
    }

    /// Deletes the endpoint.
    pub async fn remove(self, stack: &Stack) {
        let path = format!("{ENDPOINTS}/{}", self.endpoint);
        let (status, answer) = call(stack, Method::DELETE, &path, &Value::Null).await;
        assert_eq!(status, 200, "{answer}");
    }
}
