//! Runs of jobs whose steps the test reports, since those of the mock worker come by themselves and are random.

use reelhook_signing::{RunClaims, SignedToken, SigningKeys};
use serde_json::{Value, json};

use crate::stack::{JsonText, Stack, read};

/// The name and the key of each step.
const STEPS: [(&str, &str); 9] = [
    ("Workflow Started", "step_0_workflow_started"),
    ("Database Extraction", "step_1_database_extraction"),
    ("Script Generation", "step_2_script_generation"),
    ("Asset Preparation", "step_3_asset_prep"),
    ("HeyGen Video Creation", "step_4_heygen_creation"),
    ("HeyGen Processing", "step_5_heygen_processing"),
    ("Scroll Video Generation", "step_6_scroll_video"),
    ("Creatomate Assembly", "step_7_creatomate_assembly"),
    ("Workflow Completed", "step_8_workflow_completed"),
];
/// The sequence of the first report, and Unix milliseconds. Times in examples begin here.
const FIRST: i64 = 1_704_110_400_000;

/// A run that the mock worker has accepted and never reports about.
pub struct Run {
    pub job: String,
    /// The token of its callbacks.
    pub token: String,
}

impl Run {
    /// Submits a job with more members, and waits until its run has started.
    pub async fn begin(stack: &Stack, more: Value) -> Self {
        let mut body = json!({ "template": "studio:vanish" });
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        Self::of(stack, stack.submit_with(body).await).await
    }

    /// The run of a job, once it has started.
    pub async fn of(stack: &Stack, job: String) -> Self {
        stack.until(&job, "started", |job| !job["workerId"].is_null()).await;
        let keys = SigningKeys::parse(&stack.aws.secret("CALLBACK_TOKEN_SECRET").await).expect("a secret");
        let token = SignedToken::mint(&RunClaims::of_run(job.clone(), 1), &keys).expose().to_owned();
        Self { job, token }
    }

    /// A report about a step.
    pub fn report(&self, number: u8, status: &str, details: Value) -> Value {
        let (name, key) = STEPS[usize::from(number)];
        let is_start = status == "started";
        let sequence = FIRST + 2000 * i64::from(number) + if is_start { 0 } else { 1000 };
        json!({
            "job_id": self.job,
            "step_number": number,
            "step_name": name,
            "status": status,
            "duration": (!is_start).then_some(12.5),
            "details": details,
            "timestamp": sequence as f64 / 1000.0,
            "step_key": key,
            "sequence": sequence,
            "workflow_stage": "processing",
        })
    }

    /// Reports that a step has started, is completed or has failed.
    pub async fn reported(&self, stack: &Stack, number: u8, status: &str, details: Value) {
        let url = format!("{}/w/{}/api/webhooks/step-update", stack.api, self.token);
        let request = stack.http.post(url).json_text(&self.report(number, status, details));
        let (status, answer) = read(request.send().await.expect("an answer")).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "step {number}: {answer}");
    }
}

/// What step 1 extracts.
pub fn movies() -> Value {
    json!({
        "extracted_movies": "The Salt Orchard (2019), Ninety Lanterns (2022), Paper Astronauts (2023)",
        "movies_count": 3,
    })
}

/// A render at the mock of Creatomate that has succeeded: its id.
pub async fn finished_render(stack: &Stack) -> String {
    let key = stack.aws.secret("CREATOMATE_API_KEY").await;
    let request = stack.http.post(format!("{}/creatomate/v2/renders", stack.studio)).bearer_auth(key);
    let title = json!({ "type": "text", "text": "Example" });
    let (status, render) =
        read(request.json_text(&json!({ "elements": [title] })).send().await.expect("an answer")).await;
    assert_eq!(status, 202, "{render}");
    let id = render["id"].as_str().expect("an id").to_owned();
    stack
        .eventually("the render succeeds", || async {
            let all = stack.studio("/control/creatomate").await;
            let found = all["renders"].as_array()?.iter().find(|known| known["id"] == id.as_str())?.clone();
            (found["status"] == "succeeded").then_some(())
        })
        .await;
    id
}
