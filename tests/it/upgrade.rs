//! Upgrades: restores the data of an older version into a stack of this version, and checks that everything ends
//! correctly.
//!
//! `cargo xtask test --only upgrade` starts a stack for each recording (tests/upgrade, made by `cargo xtask record`).

mod clips;
mod projects;

use reqwest::Method;
use serde_json::{Value, json};

use crate::lost::assert_counts_are_right;
use crate::stack::{JsonText, Stack, read};

/// A recording, with its times moved to the present where it is of an older version.
pub struct Recording(pub Value);

impl Recording {
    fn id(&self, name: &str) -> &str {
        self.0["names"][name]["id"].as_str().unwrap_or_else(|| panic!("the recording has no `{name}`"))
    }

    fn has(&self, name: &str) -> bool {
        self.0["names"][name].is_object()
    }

    /// The answer of the recorded version's API about a resource.
    fn answer(&self, name: &str) -> &Value {
        &self.0["answers"][name]
    }

    /// The format of a receiver's webhooks. Versions without this choice sent the envelope to every endpoint.
    fn format(&self, name: &str) -> &str {
        self.answer(name)["format"].as_str().unwrap_or("streamgank")
    }

    /// The recorded names of a kind.
    fn names(&self, kind: &str) -> Vec<&str> {
        let names = self.0["names"].as_object().expect("names").iter();
        names.filter(|(_, one)| one["kind"] == kind).map(|(name, _)| name.as_str()).collect()
    }
}

/// The expected end of each job that was under way; the test acts as the worker that was recorded.
const ENDS: [(&str, &str); 8] = [
    ("pending", "completed"),
    ("unseen", "completed"),
    ("waits_for_retry", "failed"),
    ("processing", "completed"),
    ("vanished", "failed"),
    ("rendering", "completed"),
    ("video_pending", "completed"),
    ("video_drawing", "completed"),
];

#[tokio::test]
async fn everything_that_an_older_version_stored_ends_correctly() {
    let stack = Stack::attach().await;
    let directory = std::env::var("REELHOOK_RECORDING").expect("REELHOOK_RECORDING names a recording");
    quicken(&stack).await;
    let recording = Recording(stack.operate(&["replay", &directory]).await);
    println!("restored what version {} stored", recording.0["version"]);
    settings_are_read_as_they_stood(&stack).await;
    everything_goes_on(&stack, &recording).await;
}

/// Lets the mock services end what they are given at once.
pub async fn quicken(stack: &Stack) {
    projects::quicken_the_service(stack).await;
    clips::quicken_the_worker(stack).await;
}

/// Checks that what a recording has is read as before, and that what was under way ends correctly.
pub async fn everything_goes_on(stack: &Stack, recording: &Recording) {
    receivers_have_their_secrets(stack, recording).await;
    worker_goes_on(stack, recording).await;
    what_had_ended_is_read_as_before(stack, recording).await;
    projects::what_had_ended_is_read_as_before(stack, recording).await;
    clips::what_had_ended_is_read_as_before(stack, recording).await;

    let (_, status) = stack.get("/api/queue/status").await;
    assert_eq!(status["stats"]["isProcessing"], false, "the queue is still stopped: {status}");
    assert_eq!(stack.job(recording.id("pending")).await["status"], "pending");
    let (code, answer) = stack.post("/api/queue/toggle", &json!({ "processing": true })).await;
    assert_eq!(code, 200, "{answer}");
    everything_ends(stack, recording).await;
    projects::everything_ends(stack, recording).await;
    clips::everything_ends(stack, recording).await;
    webhooks_arrive(stack, recording).await;
    recoveries_end(stack, recording).await;
    assert_counts_are_right(stack).await;
    assert_eq!(stack.aws.admission().await.used(), 0, "every slot is free");
    assert!(stack.aws.slots("scene-admission").await.active.is_empty(), "every slot of scenes is free");
    // Endpoints were enabled, which delivers at once what waited for another attempt.
    stack.assert_only_hints_wait().await;
}

/// Gives the receivers the recorded secrets that still sign. The earlier secret of a rotation signs until its grace period
/// ends: that time is sealed, so it is not moved, and it may have passed since the recording.
async fn receivers_have_their_secrets(stack: &Stack, recording: &Recording) {
    for name in ["registered", "rotated", "thin"] {
        let recorded = recording.0["names"][name]["secrets"].as_array().expect("secrets");
        let (status, answer) = stack.get(&format!("/api/webhooks/endpoints/{}/secret", recording.id(name))).await;
        assert_eq!(status, 200, "{name}: {}", answer["error"]);
        let signing = answer["secrets"].as_array().expect("secrets").iter().map(|one| one["secret"].clone());
        let signing: Vec<Value> = signing.collect();
        assert!(
            !signing.is_empty() && recorded.starts_with(&signing),
            "{name} has other secrets than the recorded ones"
        );
        stack.control(&format!("hooks/{name}/secrets"), json!({ "secrets": signing })).await;
    }
}

/// Asserts that an answer has each member of an older one, at any depth. A newer version may add members, and each answer
/// signs its links anew.
fn assert_reads_as(now: &Value, before: &Value, path: &str) {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => {
            for (name, before) in before {
                assert_reads_as(now.get(name).unwrap_or(&Value::Null), before, &format!("{path}.{name}"));
            }
        }
        (Value::Array(now), Value::Array(before)) => {
            assert_eq!(now.len(), before.len(), "{path}");
            for (index, (now, before)) in now.iter().zip(before).enumerate() {
                assert_reads_as(now, before, &format!("{path}[{index}]"));
            }
        }
        (Value::String(now), Value::String(before)) => {
            assert_eq!(without_token(now), without_token(before), "{path}");
        }
        (now, before) => assert_eq!(now, before, "{path}"),
    }
}

/// A link without its token; any other text as it is.
fn without_token(text: &str) -> &str {
    text.split_once("?token=").map_or(text, |(link, _)| link)
}

/// The settings of webhooks too: version 0.1.0 kept each in a parameter of its own (infra/local/upgrade-profile.json).
async fn settings_are_read_as_they_stood(stack: &Stack) {
    let (status, answer) = stack.get("/api/webhooks/endpoints/webhook_1").await;
    assert_eq!((status, &answer["endpoint"]["rateLimit"]["max"]), (200, &json!(1_000_000)), "{answer}");
}

/// Reports as the worker that ran a job before the upgrade, with the token of that run.
async fn worker_goes_on(stack: &Stack, recording: &Recording) {
    let token = recording.0["names"]["processing"]["token"].as_str().expect("a token");
    let url = format!("{}/w/{token}/api/webhooks/step-update", stack.api);
    let body = json!({
        "job_id": recording.id("processing"), "step_number": 8, "step_name": "Workflow Completed", "status": "completed",
        "details": { "video_url": "https://cdn.example/after.mp4" },
    });
    let (status, answer) = read(stack.http.post(url).json_text(&body).send().await.expect("an answer")).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
}

/// Jobs, videos and endpoints, an idempotency record, a link, and an archived log.
async fn what_had_ended_is_read_as_before(stack: &Stack, recording: &Recording) {
    for name in recording.names("job") {
        let before = recording.answer(name);
        if before["isActive"] != false || before["status"] == "pending" {
            continue;
        }
        let (status, answer) = stack.get(&format!("/api/job/{}/details", recording.id(name))).await;
        assert_eq!(status, 200, "{name}: {answer}");
        for member in [
            "id",
            "status",
            "parameters",
            "createdAt",
            "startedAt",
            "completedAt",
            "failedAt",
            "cancelledAt",
            "duration",
            "videoUrl",
            "retryCount",
            "stepDetails",
            "stepDuration",
            "extractedMovies",
            "noRetryReason",
            "timeoutAt",
            "workflowIncomplete",
            "renderTimeout",
            "pausedAfterExtraction",
        ] {
            assert_eq!(answer["job"][member], before[member], "{name}: {member}");
        }
    }
    for name in ["video_completed", "video_failed", "video_cancelled"] {
        let before = recording.answer(name);
        let (_, answer) = stack.get(&format!("/api/job-status/{}", recording.id(name))).await;
        for member in ["jobId", "status", "createdAt", "duration", "videoUrl", "scenes", "s3Upload"] {
            assert_eq!(answer[member], before[member], "{name}: {member}");
        }
    }
    let signed = &recording.answer("video_completed")["s3Upload"]["standard"]["signedUrl"];
    let signed = signed.as_str().expect("a signed link");
    let video = stack.http.get(signed).send().await.expect("an answer");
    assert_eq!((video.status().as_u16(), &video.headers()["content-type"]), (200, &"video/mp4".parse().unwrap()));
    for (name, path) in [("deleted", "job"), ("video_deleted", "download")] {
        assert_eq!(stack.get(&format!("/api/{path}/{}", recording.id(name))).await.0, 404, "{name}");
    }
    for name in ["registered", "rotated", "thin", "disabled"] {
        let (status, answer) = stack.get(&format!("/api/webhooks/endpoints/{}", recording.id(name))).await;
        assert_eq!(status, 200, "{answer}");
        for member in ["id", "url", "events", "headers", "payload", "signatures", "enabled", "version", "createdAt"] {
            assert_eq!(answer["endpoint"][member], recording.answer(name)[member], "{name}: {member}");
        }
        assert_eq!(answer["endpoint"]["format"], recording.format(name), "{name}");
    }
    assert_eq!(stack.get(&format!("/api/webhooks/endpoints/{}", recording.id("removed"))).await.0, 404);
    let request = stack.request(Method::POST, "/api/generate").header("idempotency-key", "before-the-upgrade");
    let body = recording.0["names"]["keyed"]["request"].as_str().expect("a body").to_owned();
    let repeated = request.header("content-type", "application/json").body(body).send().await.expect("an answer");
    let (status, answer) = read(repeated).await;
    assert_eq!((status, &answer["jobId"]), (200, &json!(recording.id("keyed"))), "{answer}");
    let (_, logs) = stack.get(&format!("/api/queue/job/{}/logs/persistent", recording.id("completed"))).await;
    assert!(logs["data"]["count"].as_u64() > Some(10), "{logs}");
}

async fn everything_ends(stack: &Stack, recording: &Recording) {
    for (name, wanted) in ENDS {
        if !recording.has(name) {
            continue;
        }
        let (path, member) = match name.strip_prefix("video_") {
            Some(_) => (format!("/api/job-status/{}", recording.id(name)), Value::Null),
            None => (format!("/api/job/{}", recording.id(name)), json!("job")),
        };
        stack
            .eventually(&format!("{wanted} of {name}"), || async {
                let (_, answer) = stack.get(&path).await;
                let job = member.as_str().map_or(&answer, |member| &answer[member]);
                (job["status"] == wanted).then_some(())
            })
            .await;
    }
    let video = stack.job(recording.id("processing")).await;
    assert_eq!(video["videoUrl"], "https://cdn.example/after.mp4");
    let vanished = stack.job(recording.id("vanished")).await;
    assert!(vanished["error"].as_str().is_some_and(|error| error.contains("timed out")), "{vanished}");
}

/// Waiting webhooks are sent with signatures that the recorded secrets verify, and delivered ones are not repeated.
async fn webhooks_arrive(stack: &Stack, recording: &Recording) {
    for name in ["webhook_2", "webhook_4"] {
        let (status, answer) = stack.post(&format!("/api/webhooks/endpoints/{name}/enable"), &json!({})).await;
        assert_eq!(status, 200, "{answer}");
    }
    stack
        .eventually("no delivery waits", || async {
            let (_, answer) = stack.get("/api/webhooks/deliveries?status=pending&limit=10").await;
            (answer["count"] == 0).then_some(())
        })
        .await;
    for (hook, job) in [("main", "by-hand-hinted"), ("slow", "by-hand-slow"), ("failing", "by-hand-failing")] {
        assert_eq!(stack.webhooks(hook, job).await.len(), 1, "{job} at {hook}");
    }
    for hook in ["main", "slow", "registered", "rotated", "thin"] {
        let arrived = stack.webhooks(hook, recording.id("pending")).await;
        let completed: Vec<_> = arrived.iter().filter(|one| one["event"] == "job.completed").collect();
        assert_eq!(completed.len(), 1, "{hook}: {arrived:#?}");
        assert_eq!(completed[0]["verification"]["standard_webhooks"]["ok"], true, "{hook}: {arrived:#?}");
        let enveloped = completed[0]["body"]["source"] == "streamgank";
        assert_eq!(enveloped, recording.format(hook) == "streamgank", "{hook}: {arrived:#?}");
    }
    for hook in ["removed", "disabled"] {
        assert_eq!(stack.webhooks(hook, recording.id("pending")).await.len(), 0, "{hook}");
    }
    for name in ["completed", "retried", "keyed", "failed"] {
        let again = stack.webhooks("main", recording.id(name)).await;
        assert!(again.is_empty(), "{name} had arrived before: {again:#?}");
    }
    let words = stack
        .eventually("the client's webhook about its video", || async {
            let webhooks = stack.webhooks("client", recording.id("video_drawing")).await;
            let words = webhooks.iter().filter_map(|one| one["body"]["status"].as_str().map(str::to_owned));
            Some(words.collect::<Vec<_>>()).filter(|words| !words.is_empty())
        })
        .await;
    assert_eq!(words, ["completed"], "`started` was delivered before the upgrade");
}

async fn recoveries_end(stack: &Stack, recording: &Recording) {
    for (name, wanted) in [("recovery_running", "done"), ("recovery_cancelled", "cancelled"), ("recovery_done", "done")]
    {
        stack
            .eventually(&format!("{wanted} of {name}"), || async {
                let (status, answer) = stack.get(&format!("/api/webhooks/recover/{}", recording.id(name))).await;
                assert_eq!(status, 200, "{answer}");
                (answer["recovery"]["status"] == wanted).then_some(())
            })
            .await;
    }
}
