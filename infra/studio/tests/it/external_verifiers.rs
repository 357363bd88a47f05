//! Verifiers in other languages: shell scripts stand in for them and use the same line protocol.

use std::path::PathBuf;

use reelhook_studio::{Config, ReceivedQuery, Studio};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::post;
use crate::support::{config, eventually, start};

async fn studio_with(script: &str) -> Studio {
    let directory = format!("verify-{}", Uuid::new_v4());
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(directory);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("verify.mjs"), script).unwrap();
    let config = Config {
        verify_with: vec!["node=sh".parse().unwrap()],
        verify_scripts: directory,
        webhook_secret_key: Some("s3cret".into()),
        ..config()
    };
    start(config).await
}

async fn verification(studio: &Studio, delivery: usize) -> Value {
    let url = format!("{}/hooks/shop", studio.url());
    assert_eq!(post(&url, &[], "{}").await.status, 200);
    eventually("a verification", || {
        let received = studio.receiver().received("shop", &ReceivedQuery::default());
        let verification = received["received"][delivery]["verification"].clone();
        (!verification.is_null()).then_some(verification)
    })
    .await
}

#[tokio::test]
async fn one_process_verifies_all_deliveries() {
    let script = r#"while read -r line; do
        case "$line" in
            *'"url_path":"/hooks/shop"'*'"body_base64":"e30="'*'"secret":"s3cret"'*)
                echo '{"ok": true, "checks": {"svix": true, "pid": '$$'}, "error": null}' ;;
            *) echo '{"ok": false, "checks": {}, "error": "unexpected line"}' ;;
        esac
    done"#;
    let studio = studio_with(script).await;
    let first = verification(&studio, 0).await;
    assert_eq!((&first["node"]["ok"], &first["python"]), (&json!(true), &Value::Null));
    assert_eq!(first["node"]["checks"]["svix"], true);
    assert_eq!(verification(&studio, 1).await["node"], first["node"], "the same process");
}

#[tokio::test]
async fn a_process_that_ended_is_restarted() {
    let studio = studio_with("read -r line; echo '{\"ok\": false, \"error\": \"bad secret\"}'").await;
    for delivery in 0..3 {
        let verification = verification(&studio, delivery).await;
        assert_eq!(verification["node"], json!({"ok": false, "error": "bad secret"}));
    }
}

#[tokio::test]
async fn a_missing_script_is_explained_at_start() {
    let config = Config { verify_with: vec!["python".parse().unwrap()], verify_scripts: "/nowhere".into(), ..config() };
    let Err(error) = Studio::start(config).await else {
        panic!("started without its script");
    };
    assert!(error.to_string().starts_with("no script `/nowhere/verify.py`"), "{error}");
}
