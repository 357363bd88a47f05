//! The routes of clip jobs and credits, on tables in memory: who sees what, and what each command answers.

use std::collections::HashMap;

use clips::service::{Call, Rules, Service};
use lambda_http::http::HeaderValue;
use lambda_http::{Body, Request, RequestExt};
use reelhook_app::Url;
use reelhook_app::files::links::FileLinks;
use reelhook_domain::clips::clip::{Clip, SourceFacts};
use reelhook_domain::clips::run::{Engine, OwnRun};
use reelhook_domain::credits::account::Account;
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJob, ClipJobId, ClipPolicy, ClipStatus, OwnerId};
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_signing::SigningKeys;
use reelhook_testkit::{MemoryClips, NOON, World, a_clip_job};
use serde_json::{Value, json};

const JOBS: &str = "/ai-clipping-agent/jobs";
const CREDITS: &str = "/api/ai-clipping-agent/credits";

/// A stack, and the settings that a test changes.
struct Stack {
    stored: MemoryClips,
    world: World,
    policy: ClipPolicy,
    limited: bool,
    base: Url,
    keys: SigningKeys,
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            stored: MemoryClips::default(),
            world: World::default(),
            policy: ClipPolicy::default(),
            limited: false,
            base: Url::parse("https://api.example").unwrap(),
            keys: SigningKeys::parse("secret").unwrap(),
        }
    }
}

impl Stack {
    /// The answer to a request, as its caller gets it.
    async fn answer(&self, request: &ApiRequest, caller: &Caller) -> ApiAnswer {
        let service = Service {
            jobs: &self.stored,
            list: &self.stored,
            attempts: &self.stored,
            ledger: &self.stored,
            clock: &self.world,
            policy: &self.policy,
            rules: Rules { limited: self.limited, allow_http: false },
            links: FileLinks { base: &self.base, keys: &self.keys },
        };
        let answered = match Call::read(request, caller, service.rules) {
            Ok(call) => service.answer(call, request, caller).await,
            Err(problem) => Err(problem),
        };
        answered.unwrap_or_else(|problem: Problem| problem.clips("r-1"))
    }

    async fn get(&self, path: &str, caller: &Caller) -> ApiAnswer {
        self.answer(&request("GET", path, None, &[]), caller).await
    }

    async fn post(&self, path: &str, body: &Value, caller: &Caller) -> ApiAnswer {
        self.answer(&request("POST", path, Some(body), &[]), caller).await
    }

    /// The id of a new job.
    async fn created(&self, caller: &Caller) -> String {
        let answer = self.post(JOBS, &wanted(), caller).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        body(&answer)["id"].as_str().unwrap().to_owned()
    }

    /// A job of ann's whose clip our renderers have cut.
    fn put_succeeded(&self) -> ClipJob {
        let mut job = a_clip_job(99, NOON, &self.policy);
        job.origin.owner = Some(ann());
        job.status = ClipStatus::Succeeded;
        job.pieces.list.clear();
        let source = SourceFacts {
            duration_ms: 60_000,
            width: 1920,
            height: 1080,
            fps: (30, 1),
            sound: true,
            key: format!("clips/{}/source.mp4", job.id),
        };
        job.run.engine = Engine::Own(OwnRun { source: Some(source), planned: true, ..OwnRun::default() });
        job.clips = vec![Clip {
            file: Some(File::stored(format!("clips/{}/0-0.mp4", job.id))),
            duration_ms: Some(30_000),
            ..Clip::new(0, 0)
        }];
        self.stored.put(&job);
        job
    }
}

fn request(method: &str, path: &str, body: Option<&Value>, headers: &[(&'static str, &str)]) -> ApiRequest {
    let body = body.map_or(Body::Empty, |body| Body::Text(body.to_string()));
    let mut request = Request::new(body).with_raw_http_path(path);
    *request.method_mut() = method.parse().unwrap();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    ApiRequest::of(request)
}

fn wanted() -> Value {
    json!({ "videoUrl": "https://media.example/talk.mp4", "requestedClipCount": 3 })
}

fn ann() -> OwnerId {
    OwnerId::parse("ann").unwrap()
}

fn operator() -> Caller {
    Caller::known_as("root")
}

fn owner(id: &str) -> Caller {
    Caller::known_as(id).owned_by(OwnerId::parse(id).unwrap())
}

fn body(answer: &ApiAnswer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("no JSON: {}", answer.body))
}

fn header<'a>(answer: &'a ApiAnswer, name: &str) -> &'a str {
    answer.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
}

#[tokio::test]
async fn a_job_is_created_read_listed_and_deleted() {
    let stack = Stack::default();
    let answer = stack.post(JOBS, &wanted(), &owner("ann")).await;
    let job = body(&answer);
    let (id, path) = (job["id"].clone(), format!("{JOBS}/{}", job["id"].as_str().unwrap()));
    assert_eq!((answer.status, header(&answer, "location")), (201, path.as_str()));
    assert_eq!((&job["status"], &job["creditsReserved"], &job["owner"]), (&json!("queued"), &json!(10), &json!("ann")));
    let read = stack.get(&path, &owner("ann")).await;
    assert_eq!((read.status, body(&read)), (200, job.clone()));
    let tag = header(&read, "etag").to_owned();
    let known = stack.answer(&request("GET", &path, None, &[("if-none-match", tag.as_str())]), &owner("ann")).await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let list = body(&stack.get(&format!("/api{JOBS}"), &owner("ann")).await);
    assert_eq!((list["jobs"].as_array().map(Vec::len), &list["jobs"][0]["id"]), (Some(1), &id));
    let delete = async || {
        let answer = stack.answer(&request("DELETE", &path, None, &[]), &owner("ann")).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    };
    delete().await;
    let canceled = stack.get(&path, &owner("ann")).await;
    assert_eq!((canceled.status, &body(&canceled)["status"]), (200, &json!("canceled")), "it was under way, and stays");
    delete().await;
    assert_eq!(stack.get(&path, &owner("ann")).await.status, 404);
    assert_eq!(stack.answer(&request("DELETE", &path, None, &[]), &owner("ann")).await.status, 404);
}

#[tokio::test]
async fn one_delete_removes_a_job_that_has_ended() {
    let stack = Stack::default();
    let path = format!("{JOBS}/{}", stack.put_succeeded().id.uuid());
    let delete = async || stack.answer(&request("DELETE", &path, None, &[]), &owner("ann")).await;
    let deleted = delete().await;
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    assert_eq!(stack.get(&path, &owner("ann")).await.status, 404);
    let again = delete().await;
    assert_eq!((again.status, &body(&again)["code"]), (404, &json!("clip_job_not_found")));
}

#[tokio::test]
async fn another_owners_job_does_not_exist() {
    let stack = Stack::default();
    let id = stack.created(&owner("ann")).await;
    let path = format!("{JOBS}/{id}");
    let bob = owner("bob");
    let range = json!({ "start": 0, "end": 1 });
    for request in [
        request("GET", &path, None, &[]),
        request("DELETE", &path, None, &[]),
        request("POST", &format!("{path}/cancel"), None, &[]),
        request("POST", &format!("{path}/retry"), None, &[]),
        request("POST", &format!("{path}/clips/0"), Some(&range), &[]),
    ] {
        let answer = stack.answer(&request, &bob).await;
        assert_eq!((answer.status, &body(&answer)["code"]), (404, &json!("clip_job_not_found")), "{}", request.path);
    }
    assert_eq!(body(&stack.get(JOBS, &bob).await), json!({ "jobs": [] }));
    assert_eq!(stack.get(&path, &operator()).await.status, 200, "an operator sees all");
    assert_eq!(stack.stored.get(&ClipJobId::parse(&id).unwrap()).status, ClipStatus::Queued);
}

#[tokio::test]
async fn the_same_request_is_answered_with_the_job_that_is_there_if_it_allows_that() {
    let stack = Stack::default();
    let id = stack.created(&operator()).await;
    let mut again = wanted();
    again["reuse"] = json!(true);
    let answer = stack.post(JOBS, &again, &operator()).await;
    assert_eq!((answer.status, &body(&answer)["id"]), (200, &json!(id)));
    assert_ne!(stack.created(&operator()).await, id);
}

#[tokio::test]
async fn a_repeated_key_gets_the_same_job() {
    let stack = Stack::default();
    let create = |body: Value| request("POST", JOBS, Some(&body), &[("idempotency-key", "k")]);
    let first = stack.answer(&create(wanted()), &operator()).await;
    let second = stack.answer(&create(wanted()), &operator()).await;
    assert_eq!((first.status, second.status, body(&first)["id"].clone()), (201, 201, body(&second)["id"].clone()));
    let mut other = wanted();
    other["requestedClipCount"] = json!(4);
    assert_eq!(stack.answer(&create(other), &operator()).await.status, 422);
    assert_eq!(stack.stored.all().len(), 1);
}

#[tokio::test]
async fn a_job_is_canceled_and_retried() {
    let stack = Stack::default();
    let path = format!("{JOBS}/{}", stack.created(&operator()).await);
    let retry = format!("{path}/retry");
    let early = stack.post(&retry, &json!({}), &operator()).await;
    assert_eq!((early.status, &body(&early)["code"]), (409, &json!("clip_job_under_way")));
    for call in 1..=2 {
        let canceled = stack.post(&format!("{path}/cancel"), &json!({}), &operator()).await;
        assert_eq!((canceled.status, &body(&canceled)["status"]), (200, &json!("canceled")), "{call}");
    }
    let retried = stack.post(&retry, &json!({}), &operator()).await;
    assert_eq!((retried.status, &body(&retried)["status"]), (200, &json!("queued")));
}

#[tokio::test]
async fn a_clip_is_cut_again_within_its_source() {
    let stack = Stack::default();
    let job = stack.put_succeeded();
    let path = format!("{JOBS}/{}", job.id.uuid());
    let clip = |index: u32| format!("{path}/clips/{index}");
    let cut = stack.post(&clip(0), &json!({ "start": 5, "end": 20 }), &owner("ann")).await;
    assert_eq!(cut.status, 202, "{}", cut.body);
    let url = body(&cut)["output"]["clips"][0]["url"].as_str().unwrap().to_owned();
    let expected = format!("https://api.example/api/v1/files/clips/{}/0-0.mp4?token=", job.id);
    assert!(url.starts_with(&expected), "its file stays until the new one is there: {url}");
    for (index, range, status, code) in [
        (0, json!({ "start": 5, "end": 20 }), 409, "clip_busy"),
        (7, json!({ "start": 5, "end": 20 }), 404, "clip_not_found"),
        (7, json!({ "start": 5, "end": 5 }), 400, "bad_field"),
    ] {
        let answer = stack.post(&clip(index), &range, &owner("ann")).await;
        assert_eq!((answer.status, &body(&answer)["code"]), (status, &json!(code)), "{}", answer.body);
    }
    let other = Stack::default();
    other.put_succeeded();
    let late = other.post(&clip(0), &json!({ "start": 5, "end": 61 }), &owner("ann")).await;
    assert_eq!((late.status, &body(&late)["field"]), (400, &json!("end")), "{}", late.body);
    let short = other.post(&clip(0), &json!({ "start": 5, "end": 5.5 }), &owner("ann")).await;
    assert_eq!((short.status, &body(&short)["field"]), (400, &json!("end")), "{}", short.body);
    let ended = other.post(&format!("{path}/cancel"), &json!({}), &owner("ann")).await;
    assert_eq!((ended.status, &body(&ended)["code"]), (409, &json!("clip_job_ended")));
}

#[tokio::test]
async fn a_page_of_large_jobs_is_shorter_and_has_the_cursor_of_the_rest() {
    let stack = Stack::default();
    for n in 0..7 {
        let mut job = a_clip_job(n, NOON, &stack.policy);
        job.error = Some("x".repeat(1_500_000));
        stack.stored.put(&job);
    }
    let (mut sizes, mut seen, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let query = cursor.into_iter().map(|cursor| ("cursor".to_owned(), vec![cursor]));
        let query: HashMap<String, Vec<String>> = query.collect();
        let page = Request::new(Body::Empty).with_raw_http_path(JOBS).with_query_string_parameters(query);
        let answer = stack.answer(&ApiRequest::of(page), &operator()).await;
        assert!(answer.body.len() < 4_100_000);
        let list = body(&answer);
        let jobs = list["jobs"].as_array().unwrap();
        sizes.push(jobs.len());
        seen.extend(jobs.iter().map(|job| job["id"].as_str().unwrap().to_owned()));
        cursor = list["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
        assert!(sizes.len() < 10, "the cursor never reaches the end");
    }
    assert_eq!(sizes, [2, 2, 2, 1]);
    let mut all: Vec<String> = stack.stored.all().iter().map(|job| job.id.uuid().to_owned()).collect();
    all.sort();
    seen.sort();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_page_is_as_short_as_its_escaped_texts_need() {
    let stack = Stack::default();
    for n in 0..2 {
        let mut job = a_clip_job(n, NOON, &stack.policy);
        job.error = Some("\"".repeat(700_000));
        stack.stored.put(&job);
    }
    let list = body(&stack.get(JOBS, &operator()).await);
    assert_eq!((list["jobs"].as_array().map(Vec::len), list["nextCursor"].is_string()), (Some(1), true));
}

#[tokio::test]
async fn missing_credits_are_reported_and_can_be_added() {
    let stack = Stack { limited: true, ..Stack::default() };
    let ann = owner("ann");
    let refused = stack.post(JOBS, &wanted(), &ann).await;
    let expected = json!({
        "error": "Insufficient credits", "code": "insufficient_credits", "request_id": "r-1", "balance": 0, "needed": 10,
    });
    assert_eq!((refused.status, body(&refused)), (402, expected));
    let gift = json!({ "userId": "ann", "amount": 25, "type": "bonus" });
    assert_eq!(stack.post(CREDITS, &gift, &ann).await.status, 403, "an owner adds none");
    let add = request("POST", CREDITS, Some(&gift), &[("idempotency-key", "k")]);
    for call in 1..=2 {
        let added = stack.answer(&add, &operator()).await;
        assert_eq!((added.status, &body(&added)["balance"]), (201, &json!(25)), "{call}: {}", added.body);
    }
    stack.created(&ann).await;
    let account = body(&stack.get(CREDITS, &ann).await);
    assert_eq!(
        (&account["userId"], &account["balance"], &account["reserved"]),
        (&json!("ann"), &json!(25), &json!(10))
    );
    assert_eq!(account["transactions"].as_array().map(Vec::len), Some(1));
    assert_eq!(account["transactions"][0]["amount"], 25);
    assert_eq!(stack.stored.balance_of(&Account::Operator).earned, 0);
}

#[tokio::test]
async fn an_estimate_is_that_of_the_ranges_or_of_the_declared_length() {
    let stack = Stack::default();
    let estimate = format!("{JOBS}/estimate");
    let whole = stack.answer(&request("POST", &estimate, None, &[]), &operator()).await;
    assert_eq!((whole.status, body(&whole)), (200, json!({ "credits": 10, "basis": "minimum" })));
    let ranges = json!({ "videoUrl": 7, "ranges": [{ "start": 0, "end": 150 }] });
    assert_eq!(body(&stack.post(&estimate, &ranges, &operator()).await), json!({ "credits": 25, "basis": "ranges" }));
    let declared = json!({ "durationSeconds": 7200 });
    let expected = json!({ "credits": 1200, "basis": "declared" });
    assert_eq!(body(&stack.post(&estimate, &declared, &operator()).await), expected);
    let wrong = stack.post(&estimate, &json!({ "durationSeconds": 14_401 }), &operator()).await;
    assert_eq!((wrong.status, &body(&wrong)["field"]), (400, &json!("durationSeconds")), "{}", wrong.body);
    assert!(stack.stored.all().is_empty());
}

#[tokio::test]
async fn more_than_one_range_is_refused_where_a_worker_cuts() {
    let policy = ClipPolicy { has_worker: true, ..ClipPolicy::default() };
    let of_worker = Stack { policy, ..Stack::default() };
    let mut body_of_two = wanted();
    body_of_two["ranges"] = json!([{ "start": 0, "end": 60 }, { "start": 90, "end": 120 }]);
    for path in [JOBS.to_owned(), format!("{JOBS}/estimate")] {
        let refused = of_worker.post(&path, &body_of_two, &operator()).await;
        let answer = body(&refused);
        assert_eq!((refused.status, &answer["code"], &answer["field"]), (400, &json!("bad_field"), &json!("ranges")));
        let sentence = "`ranges` must be a list of one range: the clipping worker cuts one range; send one job per range \
                        (got 2)";
        assert_eq!(answer["error"], sentence, "{path}");
    }
    assert!(of_worker.stored.all().is_empty());
    let mut body_of_one = wanted();
    body_of_one["ranges"] = json!([{ "start": 0, "end": 60 }]);
    assert_eq!(of_worker.post(JOBS, &body_of_one, &operator()).await.status, 201);
    assert_eq!(Stack::default().post(JOBS, &body_of_two, &operator()).await.status, 201, "our renderers cut several");
}

#[tokio::test]
async fn a_job_reserves_what_its_declared_length_costs() {
    let stack = Stack { limited: true, ..Stack::default() };
    let gift = json!({ "userId": "ann", "amount": 100 });
    assert_eq!(stack.post(CREDITS, &gift, &operator()).await.status, 201);
    let declared = |seconds: u32| {
        let mut body = wanted();
        body["durationSeconds"] = json!(seconds);
        body
    };
    let refused = stack.post(JOBS, &declared(7200), &owner("ann")).await;
    let facts = (body(&refused)["balance"].clone(), body(&refused)["needed"].clone());
    assert_eq!((refused.status, facts), (402, (json!(100), json!(1200))), "{}", refused.body);
    let made = stack.post(JOBS, &declared(600), &owner("ann")).await;
    assert_eq!((made.status, &body(&made)["creditsReserved"]), (201, &json!(100)), "{}", made.body);
}

#[tokio::test]
async fn what_our_renderers_do_not_use_is_named() {
    let mut request = wanted();
    request["captions"] = json!("bold");
    request["keywords"] = json!(["goal"]);
    request["targetPlatform"] = json!("linkedin");
    let answer = Stack::default().post(JOBS, &request, &operator()).await;
    assert_eq!(body(&answer)["ignored"], json!(["targetPlatform", "captions", "keywords"]), "{}", answer.body);
    let policy = ClipPolicy { has_worker: true, ..ClipPolicy::default() };
    let at_worker = Stack { policy, ..Stack::default() }.post(JOBS, &request, &operator()).await;
    assert_eq!((at_worker.status, body(&at_worker).get("ignored")), (201, None), "a worker gets them");
}

#[tokio::test]
async fn a_page_of_a_video_site_is_refused_without_a_worker() {
    let stack = Stack::default();
    let page = json!({ "youtubeUrl": "https://www.youtube.com/watch?v=abc" });
    let refused = stack.post(JOBS, &page, &operator()).await;
    assert_eq!((refused.status, &body(&refused)["code"]), (422, &json!("source_unreadable")));
    let policy = ClipPolicy { has_worker: true, ..ClipPolicy::default() };
    assert_eq!(Stack { policy, ..Stack::default() }.post(JOBS, &page, &operator()).await.status, 201);
}
