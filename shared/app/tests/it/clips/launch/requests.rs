//! The requests to the clipping worker, as the contract has them.

use reelhook_app::Url;
use reelhook_app::outbound::Method;
use reelhook_domain::clips::request::{Lengths, Range, Source};
use reelhook_domain::{OwnerId, WebUrl};
use reelhook_signing::{ClipClaims, SubjectClaims, Verified};
use reelhook_testkit::{NOON, Stack, a_clip_job, body_of, headers};
use serde_json::{Value, json};

use super::{accepting, create, sent, work};

/// Takes the URL for reports out of the only submission's body, and checks its path and its token.
fn body_without_callback(stack: &Stack, job: &str, number: u32) -> Value {
    let mut body = body_of(&sent(stack, Method::Post).remove(0));
    let url = body.as_object_mut().unwrap().remove("callback_url").unwrap();
    let rest = url.as_str().unwrap().strip_prefix("https://reelhook.example/w/").unwrap();
    let (token, path) = rest.split_once('/').unwrap();
    assert_eq!(path, "api/webhooks/ai-clipping");
    let keys = &stack.clips.worker.as_ref().unwrap().tokens;
    let claims = ClipClaims::verify(token, keys).map(Verified::into_inner);
    assert_eq!(claims, Ok(ClipClaims { job: job.to_owned(), number }));
    body
}

#[tokio::test]
async fn a_job_is_submitted_as_the_worker_reads_it() {
    let stack = accepting();
    let id = create(&stack, 1);
    work(&stack, &id).await;
    let request = sent(&stack, Method::Post).remove(0);
    assert_eq!(request.url.as_str(), "https://genesis.example/ai-clipping/jobs");
    let headers = headers(&request);
    assert_eq!(headers["x-genesis-api-key"], "the key of clips");
    assert_eq!(headers["content-type"], "application/json");
    let expected = json!({
        "video_url": "https://client.example/talk-1.mp4",
        "external_job_id": id.uuid(),
        "owner_user_id": "operator",
        "max_clips": 3,
        "auto_clip_count": false,
        "include_captions": false,
    });
    assert_eq!(body_without_callback(&stack, id.as_str(), 1), expected);
}

#[tokio::test]
async fn everything_that_a_client_asks_for_reaches_the_worker() {
    let mut stack = accepting();
    stack.clips.worker.as_mut().unwrap().url = Url::parse("https://gpu.example/genesis/").unwrap();
    let mut job = a_clip_job(1, NOON, &stack.clips.policy);
    let request = &mut job.request;
    request.source = Source::Page(WebUrl::parse("https://www.youtube.com/watch?v=dQw4w9WgXcQ").unwrap());
    request.count = None;
    request.ranges = vec![Range { start_ms: 1500, end_ms: 120_000 }];
    request.lengths = vec![Lengths { min_s: 15, max_s: 30 }, Lengths { min_s: 30, max_s: 60 }];
    (request.platform, request.caption_preset) = (Some("tiktok".to_owned()), Some("bold".to_owned()));
    request.captions = true;
    request.keywords = vec!["goal".to_owned(), "interview".to_owned()];
    job.origin.owner = OwnerId::parse("user_789");
    job.origin.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    stack.clips.jobs.put(&job);
    work(&stack, &job.id).await;
    let request = sent(&stack, Method::Post).remove(0);
    assert_eq!(request.url.as_str(), "https://gpu.example/genesis/ai-clipping/jobs");
    assert_eq!(headers(&request)["traceparent"], job.origin.traceparent.clone().unwrap());
    let expected = json!({
        "video_url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "external_job_id": job.id.uuid(),
        "owner_user_id": "user_789",
        "max_clips": 10,
        "auto_clip_count": false,
        "start_time_seconds": 1.5,
        "end_time_seconds": 120,
        "duration_ranges": ["15-30", "30-60"],
        "target_platform": "tiktok",
        "include_captions": true,
        "caption_preset": "bold",
        "keywords": ["goal", "interview"],
    });
    assert_eq!(body_without_callback(&stack, job.id.as_str(), 1), expected);
}

#[tokio::test]
async fn an_uploaded_source_is_a_signed_link() {
    let stack = accepting();
    let mut job = a_clip_job(1, NOON, &stack.clips.policy);
    let key = "uploads/00112233445566778899aabbccddeeff.mp4";
    job.request.source = Source::Upload(key.to_owned());
    stack.clips.jobs.put(&job);
    work(&stack, &job.id).await;
    let body = body_without_callback(&stack, job.id.as_str(), 1);
    let link = Url::parse(body["video_url"].as_str().unwrap()).unwrap();
    assert_eq!((link.host_str(), link.path()), (Some("reelhook.example"), format!("/api/v1/files/{key}").as_str()));
    let token = link.query().and_then(|query| query.strip_prefix("token=")).unwrap();
    let (keys, subject) = (&stack.clips.worker.as_ref().unwrap().tokens, format!("file:{key}"));
    // The worker may have it in its queue for hours.
    let tomorrow = NOON.seconds() + 24 * 3600;
    assert!(SubjectClaims::verify(token, &subject, tomorrow, keys).is_ok());
}

#[tokio::test]
async fn a_worker_without_a_key_gets_none() {
    let mut stack = accepting();
    stack.clips.worker.as_mut().unwrap().key = None;
    let id = create(&stack, 1);
    work(&stack, &id).await;
    assert_eq!(headers(&sent(&stack, Method::Post).remove(0)).get("x-genesis-api-key"), None);
}
