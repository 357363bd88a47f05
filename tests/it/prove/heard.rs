//! Webhooks about projects and clip jobs: each event that they have stored arrived under its one id, and no other did.

use std::collections::{BTreeMap, BTreeSet};

use reelhook_domain::{Aggregate, DeliveryStatus, Emitted, OutboundEvent};
use serde_json::Value;

use crate::scenes::listener::Listener;
use crate::scenes::project::text;
use crate::stack::Stack;

/// The number of the latest events that an item keeps: of one that has fewer, all are known.
const KEPT: usize = 16;

/// What has caused events: a project or a clip job.
pub struct Emitter {
    /// Its id as it is stored.
    stored: String,
    /// Its id as clients know it.
    pub id: String,
    emitted: Vec<Emitted>,
}

impl Emitter {
    /// A project.
    pub async fn project(stack: &Stack, id: &str) -> Self {
        let item = stack.aws.item("ProjectsTable", &[("id", id)]).await.expect("the project is stored");
        let project = reelhook_aws::projects::item::from_item("read project", &item).expect("a project");
        Self::of(&project)
    }

    /// A clip job, by the id that clients know.
    pub async fn clip_job(stack: &Stack, id: &str) -> Self {
        let stored = format!("clip_{id}");
        let item = stack.aws.item("ClipsTable", &[("id", &stored)]).await.expect("the clip job is stored");
        let job = reelhook_aws::clips::item::from_item("read clip job", &item).expect("a clip job");
        Self::of(&job)
    }

    fn of<A: Aggregate>(aggregate: &A) -> Self {
        let (subject, emitted) = (aggregate.subject(), aggregate.emitted().to_vec());
        Self { stored: subject.as_str().to_owned(), id: subject.client_id().to_owned(), emitted }
    }

    /// The ids under which its events arrive at a listener.
    fn webhook_ids(&self, listener: &Listener) -> BTreeSet<String> {
        self.emitted.iter().map(|emitted| listener.webhook_id(&emitted.id)).collect()
    }
}

/// The webhooks of a listener: the name of each event by its id, by the project or the clip job that it is about.
pub struct Heard(BTreeMap<String, BTreeMap<String, String>>);

impl Heard {
    async fn read(stack: &Stack, listener: &Listener) -> Self {
        let mut heard: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for one in listener.all(stack).await {
            let (body, data) = (&one["body"], &one["body"]["data"]);
            if let Some(Value::String(about)) = data.get("project_id").or_else(|| data.get("jobId")) {
                heard.entry(about.clone()).or_default().insert(text(&one["webhook_id"]), text(&body["type"]));
            }
        }
        Self(heard)
    }

    fn ids(&self, emitter: &Emitter) -> BTreeSet<String> {
        self.0.get(&emitter.id).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// How many events of this kind have arrived, each counted once.
    pub fn count(&self, emitter: &Emitter, event: OutboundEvent) -> usize {
        let names = self.0.get(&emitter.id).into_iter().flat_map(BTreeMap::values);
        names.filter(|name| name.as_str() == event.name()).count()
    }
}

/// Asserts that the listener has heard each event of these once, and that each delivery about them has ended well. Returns
/// what it has heard.
pub async fn assert_heard_once(stack: &Stack, listener: &Listener, emitters: &[Emitter]) -> Heard {
    let heard = stack
        .eventually("every webhook about projects and clip jobs", || async {
            let heard = Heard::read(stack, listener).await;
            let is_complete = |emitter: &Emitter| emitter.webhook_ids(listener).is_subset(&heard.ids(emitter));
            emitters.iter().all(is_complete).then_some(heard)
        })
        .await;
    for emitter in emitters.iter().filter(|emitter| emitter.emitted.len() < KEPT) {
        let (ids, expected) = (heard.ids(emitter), emitter.webhook_ids(listener));
        assert_eq!(ids, expected, "{} has {:#?}", emitter.id, emitter.emitted);
    }
    let stored: Vec<String> = emitters.iter().map(|emitter| emitter.stored.clone()).collect();
    for delivery in stack.aws.deliveries_of(&stored).await {
        assert_eq!(delivery.status, DeliveryStatus::Delivered, "{delivery:#?}");
    }
    heard
}
