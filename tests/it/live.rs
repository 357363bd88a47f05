//! Live updates over both transports: every event arrives exactly once, however often a viewer is disconnected.

use std::time::{Duration, Instant};

use reelhook_domain::HistorySource as _;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::stack::{Stack, read};

/// The number of disconnects per transport during one job; a few more connections see its end.
const CUTS: usize = 220;
/// The time within which a job must show its end.
const TIMEOUT: Duration = Duration::from_secs(90);

/// One block of a stream: id, event name, data, and reconnect delay.
#[derive(Debug, Clone, Default)]
pub struct Block {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: Option<Value>,
    pub retry: Option<u64>,
}

/// The complete blocks of a text (HTML Standard, 9.2.6).
pub fn blocks(text: &str) -> Vec<Block> {
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    whole
        .split("\n\n")
        .map(|part| {
            let mut block = Block::default();
            for line in part.lines() {
                match line.split_once(": ") {
                    Some(("id", id)) => block.id = Some(id.to_owned()),
                    Some(("event", name)) => block.event = Some(name.to_owned()),
                    Some(("retry", retry)) => block.retry = Some(retry.parse().expect("milliseconds")),
                    Some(("data", data)) => block.data = Some(serde_json::from_str(data).expect("JSON")),
                    _ => {}
                }
            }
            block
        })
        .collect()
}

/// A viewer that reconnects with its last event id.
#[derive(Debug, Default)]
struct Viewer {
    last: Option<String>,
    seen: Vec<(String, Value)>,
    connections: usize,
}

impl Viewer {
    fn take(&mut self, text: &str) -> bool {
        let mut any = false;
        for block in blocks(text) {
            if let (Some(id), Some(data)) = (&block.id, &block.data) {
                any = true;
                self.seen.push((id.clone(), data.clone()));
            }
            self.last = block.id.or(self.last.take());
        }
        any
    }

    fn ask(&mut self, request: RequestBuilder) -> RequestBuilder {
        self.connections += 1;
        match &self.last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        }
    }

    fn types(&self) -> Vec<&str> {
        self.seen.iter().filter_map(|(_, data)| data["type"].as_str()).collect()
    }

    fn has_ended(&self) -> bool {
        matches!(self.types().last(), Some(&"render_completed"))
    }

    /// Each event of the job once, in order.
    async fn assert_complete(&self, stack: &Stack, job: &str) {
        let expected = stack.aws.live_events(job).await;
        let ids = |events: &[(String, Value)]| events.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&self.seen), ids(&expected));
        assert_eq!(self.seen, expected);
        assert!(expected.len() >= 15, "a job shows each of its steps: {expected:#?}");
    }
}

async fn stream(stack: &Stack, path: &str) -> RequestBuilder {
    let url = format!("{}{path}", stack.aws.stream_url());
    stack.http.get(url).header("x-api-key", &stack.key)
}

/// Reads a stream for a moment and hangs up: every other time as soon as it says where the viewer is, else at the first
/// event.
async fn glance(viewer: &mut Viewer, mut response: Response) {
    let hasty = !viewer.connections.is_multiple_of(2);
    let (mut text, end) = (String::new(), Instant::now() + Duration::from_millis(if hasty { 500 } else { 60 }));
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        let Ok(Ok(Some(chunk))) = tokio::time::timeout(left, response.chunk()).await else { break };
        text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        if blocks(&text).iter().any(|block| block.id.is_some() && (hasty || block.data.is_some())) {
            break;
        }
    }
    viewer.take(&text);
}

/// The remaining reports of a job whose worker stopped reporting after step 1.
pub fn reports(job: &str) -> Vec<Value> {
    let report = |number: u8, status: &str| json!({ "job_id": job, "step_number": number, "status": status });
    let mut reports: Vec<Value> =
        (2..=7).flat_map(|number| [report(number, "started"), report(number, "completed")]).collect();
    let mut last = report(8, "completed");
    last["details"] = json!({ "video_url": "https://cdn.example/video.mp4" });
    reports.push(last);
    reports
}

/// The transport of a viewer's connection.
#[derive(Clone, Copy)]
enum Transport {
    Api,
    Stream,
}

impl Transport {
    async fn glance(self, stack: &Stack, path: &str, viewer: &mut Viewer) {
        match self {
            // A viewer that disconnects early reconnects with its last event id.
            Self::Api => {
                let request = viewer.ask(stack.request(Method::GET, path)).timeout(Duration::from_millis(40));
                let Ok(response) = request.send().await else { return };
                if let Ok(text) = response.text().await {
                    viewer.take(&text);
                }
            }
            Self::Stream => {
                let response = viewer.ask(stream(stack, path).await).send().await.expect("an answer");
                assert_eq!(response.status(), 200, "{}", viewer.connections);
                glance(viewer, response).await;
            }
        }
    }

    /// Reconnects until the viewer has seen the job's end.
    async fn see_the_end(self, stack: &Stack, path: &str, viewer: &mut Viewer) {
        let deadline = Instant::now() + TIMEOUT;
        while !viewer.has_ended() {
            assert!(Instant::now() < deadline, "the end is not seen: {viewer:#?}");
            match self {
                Self::Api => {
                    let response = viewer.ask(stack.request(Method::GET, path)).send().await.expect("an answer");
                    assert_eq!(response.status(), 200);
                    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
                    viewer.take(&response.text().await.expect("text"));
                }
                Self::Stream => self.glance(stack, path, viewer).await,
            }
        }
    }
}

/// A job whose worker stopped reporting after step 1, so that the test reports the others.
pub async fn stalled_job(stack: &Stack) -> String {
    let job = stack.submit("step_ms=5&stall=1").await;
    stack.until(&job, "done with step 1", |job| job["progress"] == 12).await;
    // Moves the start of the run, so that its short timer does not end it while viewers reconnect.
    let mut stored = stack.stored(&job).await;
    let (before, later) = (stored.clone(), stored.updated_at.after(Duration::from_secs(600)));
    stored.version += 1;
    (stored.run.times.started_at, stored.due_at) = (Some(later), Some(later));
    stored.outbox.clear();
    // What the version before logged and showed is kept, as it is when a function of an older version saved the job.
    stored.history = None;
    stored.restore_history(&before);
    stack.aws.save_job(&stored).await;
    job
}

/// Disconnects four viewers of one job 50 times each, while the test reports the job's steps.
async fn four_viewers(stack: &Stack, transport: Transport) -> (String, [Viewer; 4]) {
    let job = stalled_job(stack).await;
    let path = format!("/api/job/{job}/stream");
    let mut viewers = [(); 4].map(|()| Viewer { last: Some("0".to_owned()), ..Viewer::default() });
    let reports = reports(&job);
    for (number, report) in reports.iter().enumerate() {
        let (status, answer) = stack.post("/api/webhooks/step-update", report).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
        let share = CUTS / 4 * (number + 1) / reports.len();
        let look = async |viewer: &mut Viewer| {
            while viewer.connections < share && !viewer.has_ended() {
                transport.glance(stack, &path, viewer).await;
            }
        };
        let [a, b, c, d] = &mut viewers;
        tokio::join!(look(a), look(b), look(c), look(d));
    }
    for viewer in &mut viewers {
        transport.see_the_end(stack, &path, viewer).await;
        viewer.assert_complete(stack, &job).await;
    }
    let cuts: usize = viewers.iter().map(|viewer| viewer.connections).sum();
    assert!(cuts >= 200, "{cuts}");
    (job, viewers)
}

#[tokio::test]
async fn cut_off_200_times_viewers_of_the_stream_miss_nothing_and_see_nothing_twice() {
    let stack = Stack::open().await;
    four_viewers(&stack, Transport::Stream).await;
}

#[tokio::test]
async fn cut_off_200_times_viewers_of_the_api_miss_nothing_and_see_nothing_twice() {
    let stack = Stack::open().await;
    let (job, [mut viewer, ..]) = four_viewers(&stack, Transport::Api).await;

    // A viewer that has seen the end gets 204; a new viewer gets the end.
    let path = format!("/api/job/{job}/stream");
    let over = viewer.ask(stack.request(Method::GET, &path)).send().await.expect("an answer");
    assert_eq!(over.status(), 204);
    let mut late = Viewer::default();
    late.take(&stack.request(Method::GET, &path).send().await.expect("an answer").text().await.expect("text"));
    assert_eq!(late.types(), ["render_completed"]);
}

#[tokio::test]
async fn a_stream_shows_each_step_as_it_happens_and_ends_with_the_job() {
    let stack = Stack::open().await;
    // Slow enough that each poll of the stream sees at most one step.
    let job = stack.submit("step_ms=400&render_ms=400").await;
    let (mut viewer, mut all, mut chunks) = (Viewer::default(), String::new(), 0);
    let deadline = Instant::now() + TIMEOUT;
    // A stream ends after its time: on a busy machine before the job does.
    while !viewer.has_ended() {
        assert!(Instant::now() < deadline, "{chunks} chunks: {all}");
        let request = viewer.ask(stream(&stack, &format!("/api/job/{job}/stream")).await);
        let mut response = request.send().await.expect("an answer");
        let mut text = String::new();
        while let Some(chunk) = response.chunk().await.expect("a chunk") {
            chunks += 1;
            text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
        viewer.take(&text);
        all.push_str(&text);
    }
    assert!(chunks > 3, "{chunks} chunks: {all}");
    assert!(all.contains("\"type\":\"connected\""));
    let progress: Vec<u64> = viewer.seen.iter().filter_map(|(_, data)| data["progress"].as_u64()).collect();
    assert!(progress.is_sorted(), "{progress:?}");
    assert!(viewer.seen.last().expect("an event").1["videoUrl"].is_string());
}

#[tokio::test]
async fn a_stream_token_authorizes_only_the_stream_of_its_job() {
    let stack = Stack::open().await;
    let (job, other) = (stack.submit("step_ms=5").await, stack.submit("step_ms=5").await);
    let (status, answer) = stack.post("/api/stream-token", &json!({ "jobId": job })).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["token"].as_str().expect("a token");
    for id in [&job, &other] {
        stack.until_status(id, "completed").await;
    }
    let open = async |path: &str| {
        let url = format!("{}{path}?token={token}", stack.api);
        stack.http.get(url).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(open(&format!("/api/job/{job}/stream")).await, 200);
    assert_eq!(open(&format!("/api/job/{other}/stream")).await, 401);
    assert_eq!(open("/api/queue/status/stream").await, 401);
    assert_eq!(open(&format!("/api/job/{job}")).await, 401, "the token opens only the stream");
    let (status, _) = stack.post("/api/stream-token", &json!({ "jobId": "job_1_unknown" })).await;
    assert_eq!(status, 404);
    let (status, _) =
        read(stack.request(Method::GET, "/api/job/job_1_unknown/stream").send().await.expect("an answer")).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn the_queue_stream_answers_at_the_first_change() {
    let stack = Stack::open().await;
    let path = "/api/queue/status/stream";
    let text = stack.request(Method::GET, path).send().await.expect("an answer").text().await.expect("text");
    let first = blocks(&text).into_iter().find(|block| block.data.is_some()).expect("an event");
    assert_eq!(first.event.as_deref(), Some("status"));
    let data = first.data.expect("data");
    assert!(data["stats"]["maxWorkers"].is_number() && data["clientId"].is_string());

    let waiting = stack.request(Method::GET, path).header("last-event-id", first.id.expect("an id")).send();
    let (text, _) = tokio::join!(async { waiting.await.expect("an answer").text().await.expect("text") }, async {
        stack.post("/api/queue/toggle", &json!({ "processing": false })).await
    });
    let next = blocks(&text).into_iter().find(|block| block.data.is_some()).expect("an event");
    assert_eq!(next.data.expect("data")["stats"]["isProcessing"], false);
}
