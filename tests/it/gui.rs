//! StreamGank's own pages on this API: their flows as requests, and a browser that keeps cookies, whose pages open a
//! new EventSource each time and so never say what they have seen.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reelhook_app::views::captions::step_shown;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::edge::Edge;
use crate::live::{Block, blocks};
use crate::stack::{JsonText, Stack, read};
use crate::videos::{film, order};

/// A stream that does not end within this time is held; a stream with an event to send ends within milliseconds.
const LONG_POLL: Duration = Duration::from_millis(1500);
/// The time within which a job must show its end.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A browser at one origin.
struct Browser<'a> {
    stack: &'a Stack,
    origin: String,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl<'a> Browser<'a> {
    fn at(stack: &'a Stack, origin: &str) -> Self {
        Self { stack, origin: origin.to_owned(), cookies: RefCell::default() }
    }

    fn request(&self, path: &str) -> RequestBuilder {
        let request = self.stack.http.get(format!("{}{path}", self.origin)).header("x-api-key", &self.stack.key);
        match self.cookies.borrow().get(path) {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// Opens a stream, and keeps the cookies that come with it.
    async fn connect(&self, path: &str) -> Response {
        let response = self.request(path).send().await.expect("an answer");
        for cookie in response.headers().get_all("set-cookie") {
            let text = cookie.to_str().expect("ASCII");
            let (pair, attributes) = text.split_once("; ").expect("attributes");
            let attributes: Vec<&str> = attributes.split("; ").collect();
            assert!(attributes.contains(&"HttpOnly") && attributes.contains(&"SameSite=Strict"), "{text}");
            assert!(attributes.contains(&format!("Path={path}").as_str()), "{text} is for {path} only");
            self.cookies.borrow_mut().insert(path.to_owned(), pair.to_owned());
        }
        response
    }

    /// Reads a stream to its end.
    async fn open(&self, path: &str) -> (u16, Vec<Block>) {
        let response = self.connect(path).await;
        let status = response.status().as_u16();
        (status, blocks(&response.text().await.expect("text")))
    }

    /// The number of requests of a page until its stream is held.
    async fn requests_until_long_poll(&self, path: &str, most: usize) -> usize {
        for requests in 1..=most {
            if timeout(LONG_POLL, self.open(path)).await.is_err() {
                return requests;
            }
        }
        panic!("{path} is not at rest after {most} requests")
    }
}

fn retry(blocks: &[Block]) -> Option<u64> {
    blocks.iter().find_map(|block| block.retry)
}

/// The events of a job's stream, with their ids.
fn events(blocks: Vec<Block>) -> Vec<(String, Value)> {
    blocks.into_iter().filter_map(|block| block.id.zip(block.data)).collect()
}

/// A request of a page, which must succeed.
async fn page(stack: &Stack, method: Method, path: &str, body: Option<Value>) -> Value {
    let request = stack.request(method, path);
    let request = match &body {
        Some(body) => request.json_text(body),
        None => request,
    };
    let (status, answer) = read(request.send().await.expect("an answer")).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{path}: {answer}");
    answer
}

/// The requests of a page that shows a job.
async fn show(stack: &Stack, job: &str) -> Value {
    let shown = page(stack, Method::GET, &format!("/api/job/{job}"), None).await;
    page(stack, Method::GET, &format!("/api/queue/job/{job}/logs"), None).await;
    page(stack, Method::GET, &format!("/api/queue/job/{job}/logs/persistent?limit=50"), None).await;
    shown["job"].clone()
}

fn stream_of(job: &str) -> String {
    format!("/api/job/{job}/stream")
}

/// A job that failed at its first attempt and will not fail again.
async fn failed(stack: &Stack) -> String {
    let job = stack.submit("step_ms=5&fail=1&fail_attempts=1&error=No%20movies%20found").await;
    stack.until_status(&job, "failed").await;
    job
}

/// The ids in the list of the queue's page.
async fn listed(stack: &Stack, query: &str) -> Vec<Value> {
    let answer = page(stack, Method::GET, &format!("/api/queue/jobs{query}"), None).await;
    answer["jobs"].as_array().expect("jobs").clone()
}

#[tokio::test]
async fn the_form_submits_a_job_that_the_queue_page_shows_cancels_and_deletes() {
    form_and_queue(&Stack::open().await).await;
}

/// The form, its preview, and the queue's page: at the origin under which the stack is called.
async fn form_and_queue(stack: &Stack) {
    let platforms = page(stack, Method::GET, "/api/platforms/US", None).await["platforms"].clone();
    let genres = page(stack, Method::GET, "/api/genres/US?platform=Netflix", None).await["genres"].clone();
    let templates = page(stack, Method::GET, "/api/templates", None).await["templates"].clone();
    // All boxes are checked.
    let wanted = json!({ "country": "US", "platforms": platforms, "genres": genres, "contentType": "All" });
    let preview = page(stack, Method::POST, "/api/movies/preview", Some(wanted)).await;
    assert_eq!(preview["movies"].as_array().map(Vec::len), Some(3), "{preview}");

    page(stack, Method::POST, "/api/queue/toggle", Some(json!({ "processing": false }))).await;
    let names = |list: &Value| -> String {
        let names: Vec<&str> = list.as_array().expect("names").iter().filter_map(Value::as_str).collect();
        names.join(", ")
    };
    let body = json!({
        "country": "US", "platform": names(&platforms), "genre": names(&genres), "contentType": "All",
        "template": templates[0]["id"],
    });
    let job = page(stack, Method::POST, "/api/generate", Some(body)).await["jobId"].as_str().expect("an id").to_owned();
    let video = order(stack, film(1, 1.0)).await;

    // Both jobs wait, and only StreamGank's is in the list.
    let numbers = page(stack, Method::GET, "/api/queue/status", None).await;
    assert_eq!(numbers["stats"]["pending"], 2, "both families have one queue");
    let has = |jobs: &[Value], id: &str| jobs.iter().any(|job| job["id"] == id);
    for (query, shown) in [("", [true, false]), ("?family=vidbuilder", [false, true]), ("?family=all", [true, true])] {
        stack
            .eventually(&format!("the list {query}"), || async {
                let jobs = listed(stack, query).await;
                ([has(&jobs, &job), has(&jobs, &video)] == shown).then_some(())
            })
            .await;
    }
    assert!(
        listed(stack, "").await.iter().all(|job| job["parameters"]["country"].is_string()),
        "each row has a country"
    );

    page(stack, Method::POST, &format!("/api/job/{job}/cancel"), Some(json!({}))).await;
    let cancelled = show(stack, &job).await;
    assert_eq!((&cancelled["status"], &cancelled["creatomateId"]), (&json!("cancelled"), &json!(null)));
    assert_eq!(cancelled["error"], "Process stopped by user request");
    assert_eq!(cancelled["currentStep"], "Job cancelled by user");

    // Its page stays open while it is deleted.
    let (browser, path) = (Browser::at(stack, &stack.api), stream_of(&job));
    assert_eq!(browser.open(&path).await.0, 200);
    page(stack, Method::DELETE, &format!("/api/queue/job/{job}/delete"), None).await;
    let (status, _) = browser.open(&path).await;
    assert_eq!(status, 404, "the first answer is 404");
    let (status, received) = browser.open(&path).await;
    assert_eq!((status, retry(&received)), (200, Some(120_000)), "the answer has a long `retry`");
    assert!(received.iter().all(|block| block.data.is_none()), "{received:?}");
    stack.eventually("a list without the job", || async { (!has(&listed(stack, "").await, &job)).then_some(()) }).await;
}

#[tokio::test]
async fn the_queue_stream_holds_a_page_that_reopens_it_each_time() {
    let stack = Stack::open().await;
    let (browser, path) = (Browser::at(&stack, &stack.api), "/api/queue/status/stream");
    let numbers = |blocks: &[Block]| -> Value {
        let received = blocks.iter().find(|block| block.event.as_deref() == Some("status")).expect("numbers");
        received.data.clone().expect("data")["stats"].clone()
    };
    let (status, received) = browser.open(path).await;
    assert_eq!((status, &numbers(&received)["isProcessing"]), (200, &json!(true)), "the first stream starts at once");
    let requests = browser.requests_until_long_poll(path, 5).await;
    println!("the queue's page rests at its request {}", requests + 1);

    // A change is sent immediately; one of the numbers may have come before it.
    let watching = async {
        loop {
            let (status, received) = browser.open(path).await;
            assert_eq!(status, 200);
            if numbers(&received)["isProcessing"] == json!(false) {
                return;
            }
        }
    };
    let (received, _) = tokio::join!(
        timeout(Duration::from_secs(20), watching),
        page(&stack, Method::POST, "/api/queue/toggle", Some(json!({ "processing": false })))
    );
    received.expect("a change ends the wait");
    page(&stack, Method::POST, "/api/queue/toggle", Some(json!({ "processing": true }))).await;

    // If the transport streams, the counts come at the beginning of each stream.
    let browser = Browser::at(&stack, &stack.aws.stream_url());
    for _ in 0..2 {
        let mut response = browser.connect(path).await;
        let mut text = String::new();
        while !blocks(&text).iter().any(|block| block.event.as_deref() == Some("status")) {
            let chunk = response.chunk().await.expect("a stream").expect("numbers");
            text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }
}

#[tokio::test]
async fn a_page_of_a_running_job_receives_each_event_once_and_then_waits() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=60&render_ms=200").await;
    let (browser, path) = (Browser::at(&stack, &stack.api), stream_of(&job));
    show(&stack, &job).await;
    let mut seen: Vec<(String, Value)> = Vec::new();
    let deadline = Instant::now() + TIMEOUT;
    while seen.last().is_none_or(|(_, data)| data["type"] != "render_completed") {
        assert!(Instant::now() < deadline, "the end is not seen: {seen:#?}");
        let (status, received) = browser.open(&path).await;
        assert_eq!(status, 200);
        seen.extend(events(received));
    }
    let expected = stack.aws.live_events(&job).await;
    let from = expected.iter().position(|event| *event == seen[0]).expect("the first that was seen");
    assert_eq!(seen, expected[from..], "from the first one on each once");
    for (_, data) in &seen {
        if let Some(number) = data["step_number"].as_u64().filter(|number| (1..=7).contains(number)) {
            let text = data["currentStep"].as_str().expect("a text");
            assert_eq!(step_shown(text).map(u64::from), Some(number), "{text}");
        }
    }
    let done = show(&stack, &job).await;
    assert_eq!((&done["status"], done["videoUrl"].is_string()), (&json!("completed"), true));
    browser.requests_until_long_poll(&path, 2).await;

    // A page that is opened only now gets the end, and may come back much later.
    for origin in [stack.api.clone(), stack.aws.stream_url()] {
        let browser = Browser::at(&stack, &origin);
        let (status, received) = browser.open(&path).await;
        assert_eq!((status, retry(&received)), (200, Some(120_000)), "{origin}");
        assert_eq!(events(received).last(), seen.last(), "{origin}");
        assert_eq!(browser.requests_until_long_poll(&path, 1).await, 1, "{origin}");
    }
}

#[tokio::test]
async fn a_page_of_a_failed_job_waits_until_the_job_is_retried() {
    let stack = Stack::open().await;
    let job = failed(&stack).await;
    let path = stream_of(&job);
    let shown = show(&stack, &job).await;
    assert_eq!((&shown["error"], &shown["creatomateId"]), (&json!("No movies found"), &json!(null)));
    let step = shown["currentStep"].as_str().expect("a text");
    assert_eq!((step_shown(step), step.starts_with("FAILED: Step 1 (")), (Some(1), true), "{step}");
    let search = format!("/api/logs/search?jobId={job}&eventType=webhook_received&limit=100");
    let line = stack
        .eventually("the log line of the failed step", || async {
            let found = page(&stack, Method::GET, &search, None).await["data"].clone();
            assert_eq!((&found["filters"]["limit"], found["searchTime"].is_string()), (&json!("100"), true), "{found}");
            let lines = found["logs"].as_array().expect("lines").clone();
            lines.into_iter().find(|line| line["details"]["step_status"] == "failed")
        })
        .await;
    assert_eq!(line["details"]["status"], json!(null), "`started` there is what shows a step as going on");

    let browser = Browser::at(&stack, &stack.api);
    let (status, received) = browser.open(&path).await;
    assert_eq!((status, retry(&received)), (200, Some(5000)));
    let received = events(received);
    let [(_, end)] = &received[..] else { panic!("one event: {received:?}") };
    assert_eq!((&end["status"], &end["error"]), (&json!("failed"), &json!("No movies found")));
    assert_eq!(browser.requests_until_long_poll(&path, 1).await, 1);
    let again = format!("/api/job/{job}/retry");
    let (received, _) = tokio::join!(
        timeout(Duration::from_secs(20), browser.open(&path)),
        page(&stack, Method::POST, &again, Some(json!({})))
    );
    let (status, received) = received.expect("a retry ends the wait");
    assert_eq!((status, retry(&received)), (200, Some(500)));
    assert_eq!(events(received)[0].1["status"], "pending");
    stack.until_status(&job, "completed").await;
}

#[tokio::test]
async fn a_stream_of_a_failed_job_stays_open_and_shows_its_next_attempt() {
    let stack = Stack::open().await;
    failed_job(&stack, &stack.aws.stream_url()).await;
}

#[tokio::test]
async fn the_pages_work_at_one_address_for_api_and_streams() {
    let stack = Stack::open().await;
    let edge = Edge::start(&stack).await;
    let stack = stack.at(&edge.url);
    form_and_queue(&stack).await;
    page(&stack, Method::POST, "/api/queue/toggle", Some(json!({ "processing": true }))).await;
    failed_job(&stack, &edge.url).await;
}

/// The page of a failed job, whose stream is at `origin` and streams.
async fn failed_job(stack: &Stack, origin: &str) {
    let job = failed(stack).await;
    let (browser, path) = (Browser::at(stack, origin), stream_of(&job));
    let (status, received) = browser.open(&path).await;
    assert_eq!((status, retry(&received), events(received).len()), (200, Some(5000), 1));

    let mut response = browser.connect(&path).await;
    let mut text = String::new();
    while !blocks(&text).iter().any(|block| block.data.is_some()) {
        let chunk = response.chunk().await.expect("a stream").expect("the end again");
        text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
    }
    let received = blocks(&text);
    assert_eq!(retry(&received), Some(60_000));
    assert!(events(received).is_empty(), "the repeated end has no id: {text}");
    page(stack, Method::POST, &format!("/api/job/{job}/retry"), Some(json!({}))).await;
    // A stream ends after its time, and the page opens the next one. None of them misses anything.
    let mut seen = Vec::new();
    let deadline = Instant::now() + TIMEOUT;
    while seen.last().is_none_or(|(_, data): &(String, Value)| data["type"] != "render_completed") {
        assert!(Instant::now() < deadline, "the end is not seen: {seen:#?}");
        match response.chunk().await.expect("a stream") {
            Some(chunk) => text.push_str(std::str::from_utf8(&chunk).expect("UTF-8")),
            None => {
                response = browser.connect(&path).await;
                assert_eq!(response.status(), 200);
                text.clear();
            }
        }
        seen = events(blocks(&text));
    }
    let statuses: Vec<&Value> = seen.iter().map(|(_, data)| &data["status"]).collect();
    assert_eq!((statuses[0], statuses[statuses.len() - 1]), (&json!("pending"), &json!("completed")), "{seen:#?}");
}
