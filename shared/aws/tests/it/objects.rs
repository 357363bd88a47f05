//! S3: large details and broken records are stored unchanged.

use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use reelhook_app::files::ports::StoredFiles as _;
use reelhook_app::jobs::steps::DetailStore;
use reelhook_app::projects::store::ProjectFiles;
use reelhook_aws::objects::Bucket;
use reelhook_aws::videos::films::FilmBucket;

use crate::replay::{ATTEMPTS, kind, ok, s3, s3_with_texts};

#[tokio::test]
async fn an_object_is_put_under_its_key() {
    let (client, calls) = s3(|_, _| ok());
    Bucket::new(client, "bucket").put("details/job_1/1/step-3-100.json", br#"{"a":1}"#.to_vec()).await.unwrap();
    let call = calls.only();
    assert_eq!(call.operation, "PUT /bucket/details/job_1/1/step-3-100.json");
    assert_eq!(call.headers["content-type"], "application/json");
    assert_eq!(call.raw, br#"{"a":1}"#);
}

#[tokio::test]
async fn an_object_that_can_t_be_put_is_an_error() {
    let (client, calls) = s3(|_, _| (503, serde_json::Value::Null));
    let failure = Bucket::new(client, "bucket").put("key", Vec::new()).await.unwrap_err();
    assert_eq!((kind(&failure), calls.all().len()), ("busy", ATTEMPTS));
    let (client, _) = s3(|_, _| (403, serde_json::Value::Null));
    assert_eq!(kind(&Bucket::new(client, "bucket").put("key", Vec::new()).await.unwrap_err()), "refused");
}

#[tokio::test]
async fn a_long_text_is_stored_and_read_under_its_key() {
    let (client, calls) = s3(|_, _| (200, serde_json::json!("caf\u{e9}")));
    let bucket = Bucket::new(client, "bucket");
    bucket.put_text("projects/proj_1/prompts/a.txt", Bytes::from_static(b"text")).await.unwrap();
    let call = calls.only();
    assert_eq!((call.operation.as_str(), &call.raw[..]), ("PUT /bucket/projects/proj_1/prompts/a.txt", &b"text"[..]));
    assert_eq!(call.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(bucket.text("projects/proj_1/prompts/a.txt").await.unwrap().as_deref(), Some("\"caf\u{e9}\""));
    assert_eq!(calls.operations()[1], "GET /bucket/projects/proj_1/prompts/a.txt");
}

/// Source: CompleteMultipartUpload (Amazon S3 API Reference): "a request could fail after the initial 200 OK response".
#[tokio::test]
async fn an_upload_in_parts_that_fails_after_its_status_is_begun_anew_later() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("upload-in-parts");
    File::create(&path).unwrap().set_len(9 * 1024 * 1024).unwrap();
    let (client, calls) = s3_with_texts(|call| match call.operation.split(' ').next() {
        Some("POST") if call.raw.is_empty() => {
            (200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        }
        Some("POST") => (200, "<Error><Code>InternalError</Code><Message>Please try again.</Message></Error>"),
        Some("DELETE") => (204, ""),
        _ => (200, ""),
    });
    let failure = FilmBucket::new(client, "bucket").put_file("clips/a.mp4", "video/mp4", &path).await.unwrap_err();
    assert_eq!(kind(&failure), "busy");
    let mut methods: Vec<String> =
        calls.operations().iter().filter_map(|call| call.split(' ').next().map(str::to_owned)).collect();
    // The SDK reads the error, and repeats the call as after a 500.
    methods.dedup();
    assert_eq!(methods, ["POST", "PUT", "POST", "DELETE"], "what was uploaded is removed");
}
