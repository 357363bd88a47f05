//! Who may report: the holders of a token or of the secret, as often as the rate limit admits.

use reelhook_app::errors::steps::ErrorChange;
use reelhook_domain::ClipStatus;
use reelhook_http::clips::webhook::answers::health;

use super::*;

const HEADERS: [&str; 3] = [GENESIS, "x-webhook-signature", "authorization"];

#[tokio::test]
async fn the_signature_over_sorted_keys_is_valid_in_each_header_and_a_flipped_byte_is_not() {
    // serde_json keeps the order of members, so they are sorted here, as the worker's `json.dumps(…, sort_keys=True)`.
    let payload = payload("job.progress");
    let mut members: Vec<(&String, &Value)> = payload.as_object().unwrap().iter().collect();
    members.sort_by(|one, other| one.0.cmp(other.0));
    let texts: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    let body = format!("{{{}}}", texts.join(", "));
    let prefixed = signature(body.as_bytes(), SECRET);
    let bare = prefixed.strip_prefix("sha256=").unwrap();
    for header in HEADERS {
        for given in [prefixed.as_str(), bare] {
            let stack = Stack::default();
            let answer = stack.answer(&post(PATH, &[(header, given)], body.clone()), ADDRESS).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"received":true}"#), "{header}");
            assert_eq!(stack.job().run.progress, 65, "{header}");
        }
        for flipped in 0..body.len() {
            let mut bytes = body.clone().into_bytes();
            bytes[flipped] ^= 1;
            let stack = Stack::default();
            let answer = stack.answer(&post(PATH, &[(header, prefixed.as_str())], bytes), ADDRESS).await;
            assert_eq!((answer.status, answer.body.as_str()), (401, r#"{"error":"Invalid signature"}"#), "{flipped}");
            assert_eq!(stack.job().run.progress, 0, "{header} {flipped}");
        }
    }
}

#[tokio::test]
async fn a_sender_without_a_token_or_the_secret_changes_nothing() {
    let body = payload("job.completed").to_string();
    let wrong = signature(body.as_bytes(), "another secret");
    let bearer = format!("Bearer {}", signature(body.as_bytes(), SECRET));
    for headers in [
        vec![],
        vec![(GENESIS, "")],
        vec![(GENESIS, "sha256=")],
        vec![(GENESIS, wrong.as_str()), ("authorization", wrong.as_str())],
        vec![("authorization", bearer.as_str())],
        vec![("authorization", SECRET)],
        vec![("x-genesis-api-key", SECRET)],
    ] {
        let stack = Stack::default();
        for path in [PATH, ALIAS, "/w/guessed/api/webhooks/ai-clipping", "/w//api/webhooks/clipping"] {
            let answer = stack.answer(&post(path, &headers, body.clone()), ADDRESS).await;
            assert_eq!(answer.status, 401, "{path} {headers:?}");
        }
        assert_eq!((stack.job().status, stack.errors.all().len()), (ClipStatus::Queued, 0), "{headers:?}");
    }
}

#[tokio::test]
async fn a_token_decides_which_submission_is_meant() {
    for path in [PATH, ALIAS] {
        let stack = Stack::default();
        let other = json!({ "event": "job.completed", "external_job_id": "11111111-1111-4111-8111-111111111111" });
        let later = with_token(path, EXTERNAL, 2);
        assert_eq!(stack.answer(&post(&later, &[], other.to_string()), ADDRESS).await.status, 200);
        assert_eq!(stack.job().status, ClipStatus::Queued, "there is no second submission");
        let own = with_token(path, EXTERNAL, 1);
        assert_eq!(stack.answer(&post(&own, &[], other.to_string()), ADDRESS).await.status, 200);
        assert_eq!((stack.job().status, stack.errors.all().len()), (ClipStatus::Succeeded, 0));
    }
}

#[tokio::test]
async fn an_unknown_job_is_answered_with_200_and_raises_one_warning() {
    let stack = Stack::default();
    let unknown = json!({ "event": "job.started", "job_id": "xyz", "external_job_id": "unknown" });
    for call in 1..=3 {
        assert_eq!(stack.report(&unknown).await, 200, "call {call}");
    }
    let path = with_token(PATH, "11111111-1111-4111-8111-111111111111", 1);
    assert_eq!(stack.answer(&post(&path, &[], r#"{"event":"job.started"}"#), ADDRESS).await.status, 200);
    let abouts = stack.errors.all().into_iter().map(|step| match step.change {
        ErrorChange::Raise(raise) => raise.about,
        ErrorChange::Resolve(resolve) => panic!("resolved: {resolve:?}"),
    });
    // Calls without an id of the gateway are one call.
    assert_eq!(abouts.collect::<Vec<_>>(), ["unknown", "11111111-1111-4111-8111-111111111111"]);
}

#[tokio::test]
async fn a_report_whose_warning_cannot_be_raised_is_answered_with_503() {
    let stack = Stack::default();
    stack.errors.faults.busy("apply", 1);
    let request = signed(PATH, json!({ "event": "job.started", "job_id": "xyz" }).to_string());
    let refused = stack.answer(&request, ADDRESS).await;
    assert_eq!((refused.status, stack.errors.all().len()), (503, 0), "{refused:?}");
    assert!(refused.headers.contains(&("retry-after", "1".to_owned())), "{refused:?}");
    assert_eq!((stack.answer(&request, ADDRESS).await.status, stack.errors.all().len()), (200, 1));
}

#[tokio::test]
async fn the_report_after_the_limit_is_answered_with_429() {
    let stack = Stack::default();
    let body = json!({ "event": "job.progress", "progress_percent": 1 }).to_string();
    let own = with_token(PATH, EXTERNAL, 1);
    // Refused callers do not count.
    for call in 1..=10 {
        let answer = stack.answer(&post(PATH, &[(GENESIS, "00")], body.clone()), ADDRESS).await;
        assert_eq!(answer.status, 401, "{call}");
    }
    for call in 1..=600 {
        assert_eq!(stack.answer(&post(&own, &[], body.clone()), ADDRESS).await.status, 200, "{call}");
    }
    let refused = stack.answer(&post(&own, &[], payload("job.completed").to_string()), "198.51.100.1").await;
    assert_eq!((refused.status, refused.body.as_str()), (429, r#"{"error":"Rate limit exceeded"}"#));
    assert!(refused.headers.contains(&("retry-after", "60".to_owned())), "{refused:?}");
    assert_eq!(stack.job().status, ClipStatus::Running, "a refused report changes nothing");
    // The limit comes before the body is read, and is one of each job.
    assert_eq!(stack.answer(&post(&own, &[], "no JSON"), ADDRESS).await.status, 429);
    assert_eq!(stack.report(&payload("job.progress")).await, 200);
    stack.world.advance_s(60);
    assert_eq!(stack.answer(&post(&own, &[], body), ADDRESS).await.status, 200);
}

#[tokio::test]
async fn each_sample_event_gets_its_answer() {
    let profile: Value = serde_json::from_str(include_str!("../../../../infra/local/test-profile.json")).unwrap();
    let setting = |name: &str| profile["settings"][name].as_str().map(str::to_owned);
    let tokens = keys(&setting("CALLBACK_TOKEN_SECRET").unwrap());
    let stack = Stack { keys: ReportKeys::new(tokens, &setting), ..Stack::default() };
    let events = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let answers: Value = serde_json::from_slice(&std::fs::read(events.join("answers.json")).unwrap()).unwrap();
    let mut count = 0;
    for file in std::fs::read_dir(events.join("clipping-webhook")).unwrap().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let request = ApiRequest::of(lambda_http::request::from_str(&text).unwrap());
        let status = match Route::read(&request).unwrap() {
            Route::Health => health(NOON).status,
            Route::Receive => stack.answer(&request, ADDRESS).await.status,
        };
        let path = file.path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(answers[format!("clipping-webhook/{name}")], status, "{name}");
        count += 1;
    }
    assert!(count > 12, "{count}");
}
