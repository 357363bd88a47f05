//! The job inbox: messages of other AWS services, through the deployed queue, by EventBridge, and after a redrive.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};

use crate::clips::job::JOBS;
use crate::stack::Stack;

/// The owner whom the name `shop` means (infra/local/test-profile.json).
const OWNER: &str = "inbox-owner";
/// The output of the queue of refused messages.
pub const REFUSED: &str = "JobInboxRefusedUrl";

/// A text that no other run of a test has.
pub fn unique(what: &str) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    format!("{what}-{}", since.as_nanos())
}

pub fn generate(order: &str) -> Value {
    json!({ "operation": "generate", "owner": "shop", "body": {
        "country": "US", "platform": "netflix", "genre": "Horror", "template": "studio:step_ms=5",
        "metadata": { "order": order },
    } })
}

/// The jobs with this order in their metadata.
pub async fn jobs_of(stack: &Stack, order: &str) -> Vec<Value> {
    let (status, answer) = stack.get(&format!("/api/queue/jobs?metadata.order={order}")).await;
    assert_eq!(status, 200, "{answer}");
    answer["jobs"].as_array().expect("a list").clone()
}

/// The job of an order, once it exists.
async fn job_of(stack: &Stack, order: &str) -> String {
    let job = stack.eventually("a job of the order", || async { jobs_of(stack, order).await.pop() }).await;
    job["id"].as_str().or(job["jobId"].as_str()).expect("an id").to_owned()
}

/// The active error about refusals of `generate` whose last one has this reason.
pub async fn refusal(stack: &Stack, reason: &str) -> Option<Value> {
    let (_, answer) = stack.get("/api/v1/errors?type=validation").await;
    let errors = answer["errors"].as_array().expect("a list").clone();
    errors.into_iter().find(|error| {
        error["cause"] == "message_refused"
            && error["context"]["operation"] == "generate"
            && error["message"].as_str().is_some_and(|text| text.contains(reason))
    })
}

pub async fn dismiss(stack: &Stack, error: &Value) {
    let (status, answer) = stack.post("/api/v1/errors/dismiss", &json!({ "errorId": error["id"] })).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_message_makes_a_job_of_the_owner_whom_it_names() {
    let stack = Stack::open().await;
    let order = unique("message");
    stack.aws.send("JobInboxUrl", &generate(&order)).await;
    let job = job_of(&stack, &order).await;
    stack.until_status(&job, "completed").await;
    let origin = stack.stored(&job).await.origin;
    assert_eq!(origin.owner.map(|owner| owner.to_string()).as_deref(), Some(OWNER));
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn an_event_of_eventbridge_makes_one_job_however_often_it_comes() {
    let stack = Stack::open().await;
    let (order, url) = (unique("event"), stack.aws.output("JobInboxUrl").to_owned());
    let arn = stack.aws.output("JobInboxArn").to_owned();
    let events = async |action: &str, body: Value| {
        let target = format!("AWSEvents.{action}");
        let (status, answer, _) = stack.aws.call("events", "POST", "/", Some(&target), &body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let pattern = json!({ "source": ["reelhook.test.shop"], "detail-type": ["Video wanted"] }).to_string();
    events("PutRule", json!({ "Name": "job-inbox", "EventPattern": pattern, "State": "ENABLED" })).await;
    events("PutTargets", json!({ "Rule": "job-inbox", "Targets": [{ "Id": "inbox", "Arn": arn }] })).await;
    let detail = generate(&order).to_string();
    let entry = json!({ "Source": "reelhook.test.shop", "DetailType": "Video wanted", "Detail": detail });
    let put = events("PutEvents", json!({ "Entries": [entry] })).await;
    assert_eq!(put["FailedEntryCount"], 0, "{put}");
    let job = job_of(&stack, &order).await;
    // EventBridge may deliver an event more than once, in messages of their own.
    let event = json!({
        "id": put["Entries"][0]["EventId"], "source": "reelhook.test.shop", "detail-type": "Video wanted",
        "detail": generate(&order),
    });
    let send = stack.aws.sqs.send_message().queue_url(&url).message_body(event.to_string());
    send.send().await.expect("sent");
    stack.assert_queues_empty().await;
    stack.until_status(&job, "completed").await;
    assert_eq!(jobs_of(&stack, &order).await.len(), 1);
    events("RemoveTargets", json!({ "Rule": "job-inbox", "Ids": ["inbox"] })).await;
    events("DeleteRule", json!({ "Name": "job-inbox" })).await;
}

#[tokio::test]
async fn every_operation_is_taken() {
    let stack = Stack::open().await;
    let order = unique("all");
    let metadata = json!({ "order": order });
    let scenes = json!([{ "type": "hero-title", "duration": 1, "content": { "title": "Ordered" } }]);
    let video = json!({ "title": order, "quality": "720p", "scenes": scenes, "metadata": metadata });
    let project = json!({ "name": order, "metadata": metadata, "scenes": [{ "prompt": "a harbour at dawn" }] });
    let clips = json!({ "videoUrl": "https://media.example/talk.mp4", "metadata": metadata });
    for (operation, body) in [("generate-video-async", &video), ("projects", &project), ("clips", &clips)] {
        stack.aws.send("JobInboxUrl", &json!({ "operation": operation, "body": body })).await;
    }
    let listed = async |path: &str, list: &str| {
        let (status, answer) = stack.get(path).await;
        assert_eq!(status, 200, "{answer}");
        answer[list].as_array().expect("a list").iter().find(|one| one["metadata"]["order"] == order.as_str()).cloned()
    };
    let video = async || {
        let (status, answer) = stack.get(&format!("/api/videos?metadata.order={order}")).await;
        assert_eq!(status, 200, "{answer}");
        answer["videos"].as_array().expect("a list").first().cloned()
    };
    stack.eventually("a video", || async { video().await }).await;
    stack.eventually("a project", || async { listed("/api/v1/projects?limit=50", "projects").await }).await;
    let job = stack.eventually("a clip job", || async { listed(JOBS, "jobs").await }).await;
    let path = format!("{JOBS}/{}", job["id"].as_str().expect("an id"));
    let answer = stack.request(Method::DELETE, &path).send().await.expect("an answer");
    assert_eq!(answer.status(), 204, "nothing serves its source");
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_refused_message_is_kept_is_an_error_and_can_be_sent_again() {
    let stack = Stack::open().await;
    let (order, url) = (unique("refused"), stack.aws.output(REFUSED).to_owned());
    stack.aws.sqs.purge_queue().queue_url(&url).send().await.expect("an empty queue");
    let mut wrong = generate(&order);
    wrong["body"]["genre"] = json!(["Horror"]);
    stack.aws.send("JobInboxUrl", &wrong).await;
    let reason = "`genre` must be a text of at most 1000 characters";
    let error = stack.eventually("an error", || async { refusal(&stack, reason).await }).await;
    assert_eq!(error["context"]["code"], "bad_field", "{error:#}");
    assert_eq!((&error["type"], &error["dismissible"]), (&json!("validation"), &json!(true)));
    // It would be refused again; an operator may repair what else refused it.
    stack
        .eventually("the message is sent again", || async {
            (stack.operate(&["redrive", "--refused"]).await["JobInboxQueue"] == 1).then_some(())
        })
        .await;
    let (body, attributes) =
        stack.eventually("the message", || async { stack.aws.receive_about(&url, &order).await }).await;
    assert_eq!(body, wrong);
    assert_eq!((attributes["code"].as_str(), attributes["operation"].as_str()), ("bad_field", "generate"));
    assert_eq!(attributes["reason"], reason);
    assert_eq!(attributes["reelhook-message-id"], error["context"]["message_id"]);
    assert_eq!(jobs_of(&stack, &order).await, Vec::<Value>::new());
    dismiss(&stack, &error).await;
    stack.aws.sqs.purge_queue().queue_url(&url).send().await.expect("an empty queue");
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_message_names_no_owner_whom_the_stack_does_not_list() {
    let stack = Stack::open().await;
    let order = unique("foreign");
    let mut foreign = generate(&order);
    foreign["owner"] = json!(OWNER);
    stack.aws.send("JobInboxUrl", &foreign).await;
    let error =
        stack.eventually("an error about the owner", || async { refusal(&stack, "JobInboxOwners").await }).await;
    assert_eq!(jobs_of(&stack, &order).await, Vec::<Value>::new());
    dismiss(&stack, &error).await;
    stack.aws.sqs.purge_queue().queue_url(stack.aws.output(REFUSED)).send().await.expect("an empty queue");
}
