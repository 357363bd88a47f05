//! The stream of a project: however often a viewer is disconnected, it sees each change once, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::backends::Backends;
use super::project::{PROJECTS, behave, command, fast, made, open, scene_ids, scenes};
use crate::live::blocks;
use crate::stack::Stack;

/// The time within which a stream must show the end.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The end of a project.
const END: (&str, &str) = ("project_update", "completed");
/// How long an impatient viewer waits for an answer.
const IMPATIENCE: Duration = Duration::from_millis(150);

/// A viewer that reconnects with its last event id.
pub struct Viewer {
    last: Option<String>,
    /// The events that it has seen, with their ids.
    pub seen: Vec<(String, Value)>,
}

impl Viewer {
    /// A viewer that wants all events since this one.
    pub fn since(last: Option<&str>) -> Self {
        Self { last: last.map(str::to_owned), seen: Vec::new() }
    }

    /// Connects and reads what there is; an impatient viewer hangs up soon. Returns the status of the answer: 200, or 204
    /// if there will be nothing more.
    async fn look(&mut self, stack: &Stack, path: &str, patience: Option<Duration>) -> Option<u16> {
        let mut request = stack.request(Method::GET, path);
        if let Some(last) = &self.last {
            request = request.header("last-event-id", last);
        }
        if let Some(patience) = patience {
            request = request.timeout(patience);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        assert!(matches!(status, 200 | 204), "{status}");
        self.take(&response.text().await.ok()?);
        Some(status)
    }

    fn take(&mut self, text: &str) {
        for block in blocks(text) {
            if let (Some(id), Some(data)) = (&block.id, block.data) {
                self.seen.push((id.clone(), data));
            }
            self.last = block.id.or(self.last.take());
        }
    }

    /// Whether it has seen an event of this type, with this status.
    fn has_seen(&self, (kind, status): (&str, &str)) -> bool {
        self.seen.iter().any(|(_, data)| data["type"] == kind && data["status"] == status)
    }

    /// Connects until it has seen this event; every other time it disconnects soon. Returns the number of connections.
    pub async fn look_until(&mut self, stack: &Stack, path: &str, end: (&str, &str)) -> u32 {
        let (deadline, mut connections) = (Instant::now() + TIMEOUT, 0_u32);
        while !self.has_seen(end) {
            assert!(Instant::now() < deadline, "the end is not seen: {:#?}", self.seen);
            let patience = connections.is_multiple_of(2).then_some(IMPATIENCE);
            self.look(stack, path, patience).await;
            connections += 1;
            stack.sweep().await;
        }
        connections
    }

    /// Each event was seen once, and neither progress nor a scene went back.
    fn assert_in_order(&self, scenes: &[String]) {
        let ids: BTreeSet<&String> = self.seen.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), self.seen.len(), "nothing is seen twice: {:#?}", self.seen);
        let mut progress: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        let mut statuses: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (_, data) in &self.seen {
            let of = data["scene_id"].as_str().unwrap_or("the project");
            progress.entry(of).or_default().extend(data["progress"].as_u64());
            let status = data["status"].as_str().filter(|status| *status != "ready");
            statuses.entry(of).or_default().extend(status);
        }
        for (of, values) in &progress {
            assert!(values.is_sorted(), "{of}: {values:?}");
        }
        for scene in scenes {
            let mut seen = statuses.remove(scene.as_str()).unwrap_or_default();
            seen.dedup();
            assert_eq!(seen, ["generating", "generated", "verified"], "{scene}: {:#?}", self.seen);
        }
    }
}

#[tokio::test]
async fn a_viewer_that_reconnects_misses_no_change_of_a_project_and_sees_none_twice() {
    let stack = open(Backends::Services).await;
    let (id, project) = made(&stack, scenes(3)).await;
    behave(&stack, "videos", &id, fast(json!({ "task": { "ms": 600 } }))).await;
    let path = format!("{PROJECTS}/{id}/stream");
    let mut viewer = Viewer::since(Some("0"));
    command(&stack, &id, "start").await;
    viewer.look_until(&stack, &path, END).await;
    // A viewer that has seen the last event gets 204: copies of files may be shown after the end. A new one gets the end.
    let deadline = Instant::now() + TIMEOUT;
    while viewer.look(&stack, &path, None).await != Some(204) {
        assert!(Instant::now() < deadline, "the viewer is not stopped: {:#?}", viewer.seen);
    }
    viewer.assert_in_order(&scene_ids(&project));
    let mut late = Viewer::since(None);
    assert_eq!(late.look(&stack, &path, None).await, Some(200));
    assert!(late.has_seen(END), "{:#?}", late.seen);
}

/// Status of a stream that is opened with a token.
async fn opened(stack: &Stack, path: &str, token: &str) -> u16 {
    let url = format!("{}{path}?token={token}", stack.api);
    let response: Response = stack.http.get(url).send().await.expect("an answer");
    response.status().as_u16()
}

#[tokio::test]
async fn a_stream_token_opens_only_the_stream_of_its_project() {
    let stack = open(Backends::Services).await;
    let (one, other) = (ended(&stack).await, ended(&stack).await);
    let (status, answer) = stack.post("/api/stream-token", &json!({ "projectId": one })).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["token"].as_str().expect("a token");
    assert_eq!(opened(&stack, &format!("{PROJECTS}/{one}/stream"), token).await, 200);
    assert_eq!(opened(&stack, &format!("{PROJECTS}/{other}/stream"), token).await, 401);
    assert_eq!(opened(&stack, &format!("{PROJECTS}/{one}"), token).await, 401);
    let (status, _) = stack.post("/api/stream-token", &json!({ "projectId": "proj_unknown" })).await;
    assert_eq!(status, 404);
}

/// A project whose stream does not wait, since it has ended.
async fn ended(stack: &Stack) -> String {
    let (id, _) = made(stack, scenes(1)).await;
    command(stack, &id, "start").await;
    command(stack, &id, "cancel").await;
    id
}
