//! What one caller may make in a day (`KEY_LIMITS`), all kinds of jobs together.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reelhook_domain::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::clips::backends::Backends;
use crate::clips::job::{JOBS, of_page, open, page, succeeded};
use crate::clips::tokens::Owner;
use crate::scenes::project::{PROJECTS, text};
use crate::stack::{JsonText, Stack, read};
use crate::videos::{self, film};

/// An owner that no other test uses, and what it may make in a day (infra/local/test-profile.json).
const OWNER: &str = "limited-daily";
const MOST: u32 = 4;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Sets what the owner has made today; tomorrow too, as midnight may pass.
async fn set_made(stack: &Stack, count: u32) {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
    let now = Timestamp(i64::try_from(millis).expect("a time"));
    for day in [now.day(), now.after(DAY).day()] {
        stack.aws.set_counter(&format!("made#owner:{OWNER}"), &day, count).await;
    }
}

fn workflow() -> Value {
    json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": "studio:step_ms=5" })
}

/// Of each kind of job the route that makes it, a body, and the member of the answer with its id.
fn kinds(stack: &Stack) -> [(&'static str, Value, &'static str); 4] {
    let mut wanted = film(1, 1.0);
    wanted["webhookUrl"] = json!(format!("{}/hooks/client", stack.studio));
    let draft = json!({ "name": "A lake", "scenes": [{ "prompt": "A lake", "status": "draft" }] });
    [
        ("/api/generate", workflow(), "jobId"),
        ("/api/generate-video-async", wanted, "jobId"),
        (PROJECTS, draft, "id"),
        (JOBS, of_page(&page()), "id"),
    ]
}

#[tokio::test]
async fn what_a_caller_makes_in_a_day_is_limited_until_midnight() {
    let stack = open(Backends::Worker).await;
    let owner = Owner::called(&stack, OWNER.to_owned()).await;
    set_made(&stack, 0).await;

    // An invalid request makes nothing.
    let (status, answer) = owner.post(&stack, "/api/generate", &json!({})).await;
    assert_eq!(status, 400, "{answer}");
    let mut ids = Vec::new();
    for (path, body, id) in kinds(&stack) {
        let (status, answer) = owner.post(&stack, path, &body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        ids.push(text(&answer[id]));
    }
    for (path, body, _) in kinds(&stack) {
        let request = owner.request(&stack, Method::POST, path).json_text(&body);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 429, "{path}");
        let wait: u64 = response.headers()["retry-after"].to_str().expect("ASCII").parse().expect("seconds");
        assert!((1..=DAY.as_secs()).contains(&wait), "{path}: {wait}");
        let (_, answer) = read(response).await;
        assert_eq!((&answer["code"], &answer["retryAfter"]), (&json!("daily_limit"), &json!(wait)), "{path}: {answer}");
        assert!(answer.to_string().contains(&format!("may make {MOST} jobs a day")), "{path}: {answer}");
    }

    // What is there goes on and can be read, and other callers are not limited.
    stack.until_status(&ids[0], "completed").await;
    videos::until(&stack, &ids[1], "completed").await;
    succeeded(&stack, &ids[3]).await;
    assert_eq!(owner.get(&stack, &format!("{PROJECTS}/{}", ids[2])).await.0, 200);
    let other = Owner::of(&stack, OWNER).await;
    let (status, answer) = other.post(&stack, "/api/generate", &workflow()).await;
    assert_eq!(status, 200, "{answer}");
    stack.until_status(&text(&answer["jobId"]), "completed").await;
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn of_requests_at_the_same_time_only_those_within_the_limit_make_a_job() {
    let stack = Stack::open().await;
    let owner = Owner::called(&stack, OWNER.to_owned()).await;
    set_made(&stack, MOST - 1).await;
    let body = workflow();
    let send = || owner.post(&stack, "/api/generate", &body);
    let (first, second, third) = tokio::join!(send(), send(), send());
    let mut statuses = [first.0, second.0, third.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429, 429]);
    let made = [first, second, third].into_iter().find(|(status, _)| *status == 200).expect("one is made");
    stack.until_status(&text(&made.1["jobId"]), "completed").await;
    set_made(&stack, 0).await;
}
