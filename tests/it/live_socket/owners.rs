//! Owners who follow all that is theirs: clip jobs, projects and videos, and nothing of another.

use std::time::Duration;

use reelhook_app::views::Dialect;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout};

use super::{address, start};
use crate::clips::backends::Backends as Cutters;
use crate::clips::job::{JOBS, of_page, open, page};
use crate::clips::tokens::Owner;
use crate::scenes::backends::Backends as Services;
use crate::scenes::project::{PROJECTS, choose, completed, scenes, text};
use crate::stack::Stack;
use crate::{clips, videos};

/// The deadline of every message.
const TIMEOUT: Duration = Duration::from_secs(90);

/// A connection that stays open while a test acts.
struct Connection {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// What it got so far.
    received: Vec<Value>,
}

impl Connection {
    /// Opens a connection of an owner that follows all that is theirs.
    async fn of(stack: &Stack, owner: &Owner) -> Self {
        let (status, answer) = owner.post(stack, "/api/stream-token", &json!({ "live": true })).await;
        assert_eq!(status, 200, "{answer}");
        let url = address(stack, answer["token"].as_str().expect("a token"));
        let (input, output) = start(stack, &json!({ "url": url })).await;
        let mut connection = Self { input, output: output.lines(), received: Vec::new() };
        connection.say(&json!({ "action": "subscribe", "owner": owner.id })).await;
        let subscribed = connection.receive().await;
        assert_eq!((&subscribed["type"], &subscribed["owner"]), (&json!("subscribed"), &json!(owner.id)));
        connection
    }

    async fn say(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.expect("written");
    }

    /// The next message.
    async fn receive(&mut self) -> Value {
        let Ok(line) = tokio::time::timeout(TIMEOUT, self.output.next_line()).await else {
            panic!("no other message came: {:#?}", self.received)
        };
        let message: Value = serde_json::from_str(&line.expect("text").expect("an open connection")).expect("JSON");
        self.received.push(message.clone());
        message
    }

    /// The events about a job or a project so far, with their positions.
    fn events(&self, about: &str) -> Vec<(String, Value)> {
        let is_about = |message: &&Value| message["jobId"] == about || message["projectId"] == about;
        let events = self.received.iter().filter(is_about).filter(|message| message["data"].is_object());
        events.map(|message| (text(&message["cursor"]), message["data"].clone())).collect()
    }
}

/// Whether an event is the end of a job or a project.
fn is_end((_, data): &(String, Value)) -> bool {
    let is_whole =
        ["clips_update", "project_update", "job_update", "render_completed"].iter().any(|kind| data["type"] == *kind);
    is_whole && (data["status"] == "succeeded" || data["status"] == "completed")
}

/// Creates something as an owner; the member `id` of the answer.
async fn create(stack: &Stack, owner: &Owner, path: &str, body: &Value, id: &str) -> String {
    let (status, answer) = owner.post(stack, path, body).await;
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    text(&answer[id])
}

#[tokio::test]
async fn an_owner_sees_the_end_of_all_that_is_theirs_once_and_another_sees_nothing() {
    let stack = open(Cutters::Worker).await;
    choose(&stack, Services::Services).await;
    let (ann, bob) = (Owner::of(&stack, "ann").await, Owner::of(&stack, "bob").await);
    let (mut anns, mut bobs) = (Connection::of(&stack, &ann).await, Connection::of(&stack, &bob).await);

    let clip_job = create(&stack, &ann, JOBS, &of_page(&page()), "id").await;
    let walk = json!({ "name": "A walk through the snow", "scenes": scenes(1) });
    let project = create(&stack, &ann, PROJECTS, &walk, "id").await;
    let (status, answer) = ann.post(&stack, &format!("{PROJECTS}/{project}/start"), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let mut film = videos::film(1, 1.0);
    film["webhookUrl"] = json!(format!("{}/hooks/client", stack.studio));
    let video = create(&stack, &ann, "/api/generate-video-async", &film, "jobId").await;
    clips::job::succeeded(&stack, &clip_job).await;
    completed(&stack, &project).await;
    videos::until(&stack, &video, "completed").await;

    for (dialect, stored, id) in [
        (Dialect::Clips, format!("clip_{clip_job}"), &clip_job),
        (Dialect::Scenes, project.clone(), &project),
        (Dialect::VidBuilder, video.clone(), &video),
    ] {
        let expected = stack
            .eventually(&format!("the end of {stored} is stored"), || async {
                let events = stack.aws.live_events_of(dialect, &stored).await;
                events.iter().any(is_end).then_some(events)
            })
            .await;
        while anns.events(id).len() < expected.len() {
            anns.receive().await;
        }
        assert_eq!(anns.events(id), expected, "{stored}");
    }

    for others in [json!({ "jobId": clip_job }), json!({ "projectId": project }), json!({ "owner": ann.id })] {
        let mut message = others;
        message["action"] = json!("subscribe");
        bobs.say(&message).await;
    }
    bobs.say(&json!({ "action": "ping" })).await;
    let mut got: Vec<String> = Vec::new();
    for _ in 0..4 {
        let message = bobs.receive().await;
        got.push(text(message.get("code").unwrap_or(&message["type"])));
    }
    got.sort_unstable();
    assert_eq!(got, ["not_found", "not_found", "not_found", "pong"], "{:#?}", bobs.received);
}
