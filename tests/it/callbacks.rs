//! Callbacks of a misbehaving worker: disordered, repeated, late, malformed.

use serde_json::{Value, json};

use crate::stack::{Stack, read};

#[tokio::test]
async fn disordered_repeated_and_late_steps_lead_to_the_same_job() {
    let stack = Stack::open().await;
    for scenario in
        ["step_ms=10&repeat=3", "step_ms=10&late=2,5,7", "step_ms=10&garbage", "step_ms=10&reorder=2&seed=7&repeat=2"]
    {
        let job = stack.submit(scenario).await;
        let done = stack.until_status(&job, "completed").await;
        assert!(done["videoUrl"].is_string(), "{scenario}: {done:#}");
        let completed = stack.webhook("main", &job, "job.completed").await;
        assert_eq!(completed["repeat"], 0);
        let stored = stack.stored(&job).await;
        assert_eq!(
            stored.emitted.iter().filter(|emitted| emitted.event.name() == "job.completed").count(),
            1,
            "{scenario}"
        );
    }
    stack.assert_queues_empty().await;
}

/// Starts a job whose worker accepts the run and never reports, and returns it with the callback base URL of the run.
pub async fn unreported(stack: &Stack) -> (String, String) {
    let job = stack.submit("vanish").await;
    stack
        .eventually("the worker receives the run", || async {
            let seen = stack.studio(&format!("/worker/jobs?job_id={job}")).await;
            (!seen["posts"].as_array()?.is_empty()).then_some(())
        })
        .await;
    let token = reelhook_signing::SignedToken::mint(
        &reelhook_signing::RunClaims::of_run(job.clone(), 1),
        &reelhook_signing::SigningKeys::parse(&stack.aws.secret("CALLBACK_TOKEN_SECRET").await).expect("a secret"),
    );
    let base = format!("{}/w/{}", stack.api, token.expose());
    stack.until(&job, "started", |job| !job["workerId"].is_null()).await;
    (job, base)
}

async fn step(stack: &Stack, base: &str, body: &Value) -> (u16, Value) {
    let url = format!("{base}/api/webhooks/step-update");
    read(
        stack
            .http
            .post(url)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("an answer"),
    )
    .await
}

#[tokio::test]
async fn each_refused_report_gets_the_documented_answer() {
    let stack = Stack::open().await;
    let (job, base) = unreported(&stack).await;
    let report = |number: u8, status: &str, sequence: i64| {
        json!({ "job_id": job, "step_number": number, "step_name": "Step", "status": status, "sequence": sequence,
                "timestamp": 1_704_110_400.5, "duration": null, "details": {} })
    };
    let check = async |body: Value, expected: Value| {
        let (status, answer) = step(&stack, &base, &body).await;
        assert_eq!(status, 200, "{answer}");
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(&answer[name], value, "{body} gave {answer}");
        }
    };
    check(report(3, "started", 1000), json!({ "success": true, "message": "Real-time step update processed" })).await;
    check(report(3, "started", 1000), json!({ "success": true, "duplicate": true })).await;
    check(
        report(3, "completed", 999),
        json!({
            "success": false, "message": "Out-of-order step update rejected", "reason": "sequence_validation_failed",
        }),
    )
    .await;
    check(report(2, "started", 1001), json!({
        "success": false, "message": "Backward step progression rejected", "reason": "step_progression_validation_failed",
    })).await;
    check(report(2, "completed", 1002), json!({ "success": true })).await;
    let (status, answer) = step(&stack, &base, &report(9, "started", 1003)).await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_field")));
    let (status, answer) = step(&stack, &base, &report(3, "finished", 1003)).await;
    assert_eq!(status, 400, "{answer}");
    check(report(8, "completed", 1004), json!({ "success": true })).await;
    check(report(7, "completed", 1005), json!({ "success": false, "reason": "job_is_final" })).await;
    let job = stack.job(&job).await;
    assert_eq!((&job["status"], &job["currentStepNumber"]), (&json!("completed"), &json!(8)));
}

#[tokio::test]
async fn large_details_go_to_s3_and_the_job_stays_readable() {
    let stack = Stack::open().await;
    let (job, base) = unreported(&stack).await;
    let details = json!({ "creatomate_id": "render-large", "text": "x".repeat(200_000) });
    let body = json!({ "job_id": job, "step_number": 2, "status": "completed", "sequence": 5, "details": details });
    let (status, answer) = step(&stack, &base, &body).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    let job = stack.job(&job).await;
    assert_eq!(job["creatomateId"], "render-large");
    assert!(job["stepDetails"]["step_2"]["stored"].as_str().expect("a key").starts_with("details/"), "{job:#}");
}

#[tokio::test]
async fn tokens_and_signatures_authorize_only_their_purpose() {
    let stack = Stack::open().await;
    let (job, base) = unreported(&stack).await;
    let (other, other_base) = unreported(&stack).await;
    let body = json!({ "job_id": job, "step_number": 1, "status": "started", "sequence": 10 }).to_string();
    let secret = stack.aws.secret("STEP_WEBHOOK_SECRET").await;
    let newest = reelhook_signing::SigningKeys::parse(secret.split(',').next().expect("one")).expect("a secret");
    let older = reelhook_signing::SigningKeys::parse(secret.split(',').nth(1).expect("two secrets")).expect("a secret");
    let foreign = reelhook_signing::SigningKeys::parse("another secret").expect("a secret");
    let signature = |keys: &reelhook_signing::SigningKeys, text: &str| {
        reelhook_signing::streamgank::signature(text.as_bytes(), keys)
    };
    let plain = format!("{}/api/webhooks/step-update", stack.api);
    let old = reelhook_signing::SignedToken::mint(&reelhook_signing::RunClaims::of_run(job.clone(), 1), &foreign);
    let path = "/api/webhooks/step-update";
    let check = async |what: &str, url: String, header: Option<(&str, String)>, status: u16| {
        let mut request = stack.http.post(url).header("content-type", "application/json").body(body.clone());
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let (found, answer) = read(request.send().await.expect("an answer")).await;
        assert_eq!(found, status, "{what}: {answer}");
        assert!(!answer.to_string().contains(&secret), "an answer contains a secret");
    };
    check("nothing", plain.clone(), None, 401).await;
    check("foreign signature", plain.clone(), Some(("x-streamgank-signature", signature(&foreign, &body))), 401).await;
    check("signature of another body", plain.clone(), Some(("x-streamgank-signature", signature(&newest, "{}"))), 401)
        .await;
    check("empty signature", plain.clone(), Some(("x-streamgank-signature", String::new())), 401).await;
    check("token of another secret", format!("{}/w/{}{path}", stack.api, old.expose()), None, 401).await;
    check("token of another job", format!("{other_base}{path}"), None, 401).await;
    check("cut token", format!("{}{path}", &base[..base.len() - 2]), None, 401).await;
    let standard = async |what: &str, keys: &reelhook_signing::SigningKeys, age: i64, status: u16| {
        let (id, at) = ("msg_1", std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a time").as_secs() as i64 - age);
        let signed = reelhook_signing::standard::sign(id, at, body.as_bytes(), keys);
        let request = stack.http.post(&plain).header("content-type", "application/json").body(body.clone());
        let request = request.header("webhook-id", id).header("webhook-timestamp", at.to_string());
        let (found, answer) = read(request.header("webhook-signature", signed).send().await.expect("an answer")).await;
        assert_eq!(found, status, "{what}: {answer}");
    };
    standard("foreign Standard Webhooks signature", &foreign, 0, 401).await;
    standard("signature that is too old", &newest, 310, 401).await;
    standard("signature from the future", &newest, -310, 401).await;
    check("no token", format!("{}/w/x{path}", stack.api), None, 401).await;
    check("wrong key", plain.clone(), Some(("x-api-key", "rk_wrong".to_owned())), 401).await;
    assert_eq!(stack.job(&job).await["currentStepNumber"], 0, "none of them changed the job");
    check("newest secret", plain.clone(), Some(("x-streamgank-signature", signature(&newest, &body))), 200).await;
    check("older secret", plain.clone(), Some(("x-webhook-signature", signature(&older, &body))), 200).await;
    check("token", format!("{base}{path}"), None, 200).await;
    standard("Standard Webhooks signature", &older, 200, 200).await;
    assert_eq!(stack.job(&other).await["currentStepNumber"], 0);
}

#[tokio::test]
async fn the_function_url_takes_tokens_of_runs_and_nothing_else() {
    let stack = Stack::open().await;
    let (job, base) = unreported(&stack).await;
    let (other, other_base) = unreported(&stack).await;
    let token = |base: &str| base.rsplit('/').next().expect("a token").to_owned();
    let (own, foreign, url) = (token(&base), token(&other_base), stack.aws.function_url("CallbacksUrl"));
    let given = stack.studio(&format!("/worker/jobs?job_id={job}")).await;
    assert!(!given["runs"].as_array().expect("runs").is_empty(), "{given}");
    let step = json!({ "job_id": job, "step_number": 1, "status": "started", "sequence": 10 });
    let render = json!({ "id": "render-1", "status": "failed" });
    let secret = stack.aws.secret("STEP_WEBHOOK_SECRET").await;
    let keys = reelhook_signing::SigningKeys::parse(&secret).expect("a secret");
    let signature = reelhook_signing::streamgank::signature(step.to_string().as_bytes(), &keys);
    let operator = stack.aws.secret("OPERATOR_CALLBACK_TOKEN").await;
    let call = async |path: &str, body: &Value, header: Option<(&str, &str)>| {
        let request = stack.http.post(format!("{url}{path}")).header("content-type", "application/json");
        let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        read(request.body(body.to_string()).send().await.expect("an answer")).await
    };
    let (steps, renders) = ("/api/webhooks/step-update", "/api/webhooks/creatomate");
    for (what, path, body, header) in [
        ("no token", steps.to_owned(), &step, None),
        ("a key", steps.to_owned(), &step, Some(("x-api-key", stack.key.as_str()))),
        ("a signature", steps.to_owned(), &step, Some(("x-streamgank-signature", signature.as_str()))),
        ("the token of another job", format!("/w/{foreign}{steps}"), &step, None),
        ("a cut token", format!("/w/{}{steps}", &own[..own.len() - 2]), &step, None),
        ("a hint about a render", renders.to_owned(), &render, None),
        ("the token of the operator", format!("/w/{operator}{renders}"), &render, None),
    ] {
        let (status, answer) = call(&path, body, header).await;
        assert_eq!(status, 401, "{what}: {answer}");
    }
    for path in ["/", "/api/generate", "/api/webhooks/video-complete", "/health"] {
        let (status, answer) = call(&format!("/w/{own}{path}"), &step, None).await;
        assert_eq!(status, 404, "{path}: {answer}");
    }
    for id in [&job, &other] {
        assert_eq!(stack.job(id).await["currentStepNumber"], 0, "none of them changed a job");
    }
    let large = json!({ "job_id": job, "step_number": 1, "status": "started", "details": "x".repeat(1_100_000) });
    let (status, answer) = call(&format!("/w/{own}{steps}"), &large, None).await;
    assert_eq!((status, &answer["code"]), (413, &json!("body_too_large")), "{answer}");
    let (status, answer) = call(&format!("/w/{own}{steps}"), &step, None).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    assert_eq!(stack.job(&job).await["currentStepNumber"], 1);
    // A callback about a render that no report has named yet waits for that report.
    let (status, answer) = call(&format!("/w/{own}{renders}"), &render, None).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
}
