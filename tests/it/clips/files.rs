//! The files that a worker names: paths of its disk are copied into our bucket, and what leads elsewhere is refused.

use serde_json::{Value, json};

use super::backends::{Backends, genesis};
use super::job::{
    PRICE, assert_charged_once, begin, clips, entries, fast, is_ours, job, open, succeeded, until, until_status,
};
use super::submission::Submission;
use crate::scenes::inbox::error_about;
use crate::stack::Stack;

/// The bytes at a link.
async fn bytes(stack: &Stack, link: &Value) -> Vec<u8> {
    let url = link.as_str().expect("a link");
    let answer = stack.http.get(url).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{url}");
    answer.bytes().await.expect("a file").to_vec()
}

#[tokio::test]
async fn files_are_copied_however_the_worker_names_them() {
    let stack = open(Backends::Worker).await;
    let mut begun = Vec::new();
    for named in ["path", "outputs", "url"] {
        begun.push((named, begin(&stack, fast(json!({ "clip": { "named": named } }))).await));
    }
    for (named, (id, _)) in &begun {
        succeeded(&stack, id).await;
        // The documents are copied too.
        let done = until(&stack, id, "copied", |job| {
            ["transcriptUrl", "planUrl"].iter().all(|name| is_ours(&job["output"][name]))
        })
        .await;
        for clip in clips(&done) {
            let video = bytes(&stack, &clip["url"]).await;
            assert_eq!(&video[4..8], b"ftyp", "{named}: {clip:#}");
        }
        assert_eq!(bytes(&stack, &done["output"]["planUrl"]).await, br#"{"clips": []}"#, "{named}");
        assert_charged_once(&stack, id, PRICE).await;
    }
}

#[tokio::test]
async fn a_path_that_leads_out_of_the_worker_s_folder_is_no_file() {
    let stack = open(Backends::Worker).await;
    for named in ["escape", "s3"] {
        let (id, _) = begin(&stack, fast(json!({ "clip": { "named": named } }))).await;
        let done = until_status(&stack, &id, "succeeded").await;
        let all = clips(&done);
        assert!(all.len() == 2 && all.iter().all(|clip| clip["url"].is_null()), "{named}: {done:#}");
        assert_eq!((&done["output"]["transcriptUrl"], &done["output"]["planUrl"]), (&Value::Null, &Value::Null));
        assert_eq!(done["errorMessage"], "No file of the clips can be used");
        assert_eq!((&done["creditsReserved"], &done["creditsCharged"]), (&json!(0), &json!(0)), "{named}");
        let error = error_about(&stack, &id, "clip_file_unusable").await;
        assert_eq!((&error["type"], &error["severity"]), (&json!("processing"), &json!("warning")), "{error:#}");
        assert_eq!(entries(&stack, &id).await, Vec::<Value>::new(), "{named}");
    }
}

#[tokio::test]
async fn one_file_that_can_not_be_used_leaves_the_others() {
    let stack = open(Backends::Worker).await;
    let submission = Submission::of(&stack).await;
    let clip = |index: u32, named: &str| json!({ "clip_index": index, "s3_url": named, "duration_ms": 20_000 });
    let completed = json!({ "event": "job.completed", "status": "succeeded", "output": {
        "clips": [clip(0, "/app/output/j/clip_00.mp4"), clip(1, "/outputs/../../etc/x")],
    } });
    submission.takes(&submission.report(completed)).await;
    let done = job(&stack, &submission.job).await;
    let [first, second] = clips(&done) else { panic!("two clips: {done:#}") };
    let expected = format!("{}/outputs/j/clip_00.mp4", genesis(&stack));
    assert_eq!((&first["url"], &second["url"]), (&json!(expected), &Value::Null));
    assert_eq!((&done["status"], &done["errorMessage"]), (&json!("succeeded"), &Value::Null));
    let error = error_about(&stack, &submission.job, "clip_file_unusable").await;
    assert!(!error.to_string().contains("token="), "{error:#}");
    // The minimum, for 40 seconds of clips.
    assert_charged_once(&stack, &submission.job, 10).await;
}
