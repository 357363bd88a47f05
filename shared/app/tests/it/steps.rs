//! Taking a worker's reports: large details go beside the job, and nothing is half-written.

use reelhook_app::change::{ChangeError, Changed};
use reelhook_app::jobs::steps::{StepPorts, report};
use reelhook_domain::{JobId, Status, StepStatus, StepUpdate};
use reelhook_testkit::{MemoryDetails, Stack};
use serde_json::{Value, json};

struct Desk {
    stack: Stack,
    details: MemoryDetails,
    id: JobId,
}

impl Desk {
    fn new() -> Self {
        let stack = Stack::default();
        let id = stack.submit(1);
        Self { stack, details: MemoryDetails::default(), id }
    }

    async fn report(&self, number: u8, bytes: usize) -> Result<Changed, ChangeError> {
        let ports = StepPorts {
            jobs: &*self.stack.jobs,
            renders: &*self.stack.jobs,
            details: &self.details,
            clock: &*self.stack.world,
            policy: &self.stack.policy,
        };
        let mut update = StepUpdate::plain(number, "Step", StepStatus::Completed, 100 * i64::from(number));
        update.details = Some(json!({ "text": "x".repeat(bytes) }));
        report(&ports, &self.id, Some(1), update).await
    }

    fn kept(&self, number: u8) -> Value {
        self.stack.jobs.get(&self.id).run.engine.steps().unwrap().records[&number].details.clone().unwrap()
    }
}

/// `{"text":""}` around the text.
const FRAME: usize = 11;

#[tokio::test]
async fn details_up_to_16_kib_stay_on_the_job() {
    let desk = Desk::new();
    desk.report(1, 16 * 1024 - FRAME).await.unwrap();
    assert_eq!(desk.kept(1)["text"].as_str().unwrap().len(), 16 * 1024 - FRAME);
    assert!(desk.details.stored().is_empty());
}

#[tokio::test]
async fn larger_details_are_stored_first_and_the_job_has_their_key() {
    let desk = Desk::new();
    desk.report(1, 16 * 1024 - FRAME + 1).await.unwrap();
    let key = format!("details/{}/1/step-1-100.json", desk.id);
    assert_eq!(desk.kept(1), json!({ "stored": key, "bytes": 16 * 1024 + 1 }));
    let stored: Value = serde_json::from_slice(&desk.details.stored()[&key]).unwrap();
    assert_eq!(stored["text"].as_str().unwrap().len(), 16 * 1024 - FRAME + 1);
}

#[tokio::test]
async fn beyond_64_kib_of_all_steps_details_are_stored_too() {
    let desk = Desk::new();
    for number in 1..=4 {
        desk.report(number, 16 * 1024 - FRAME).await.unwrap();
    }
    assert!(desk.details.stored().is_empty());
    desk.report(5, 1).await.unwrap();
    assert_eq!(desk.details.stored().len(), 1);
    assert!(desk.kept(5)["stored"].is_string());
}

#[tokio::test]
async fn a_step_s_newer_details_replace_its_own_and_do_not_add_up() {
    let desk = Desk::new();
    for number in 1..=4 {
        desk.report(number, 16 * 1024 - FRAME).await.unwrap();
    }
    let ports = StepPorts {
        jobs: &*desk.stack.jobs,
        renders: &*desk.stack.jobs,
        details: &desk.details,
        clock: &*desk.stack.world,
        policy: &desk.stack.policy,
    };
    let mut update = StepUpdate::plain(4, "Step", StepStatus::RenderReady, 401);
    update.details = Some(json!({ "text": "x".repeat(16 * 1024 - FRAME) }));
    report(&ports, &desk.id, Some(1), update).await.unwrap();
    assert!(desk.details.stored().is_empty());
}

#[tokio::test]
async fn details_that_can_t_be_stored_leave_the_job_unchanged() {
    let desk = Desk::new();
    desk.details.faults.busy("put", 1);
    assert!(desk.report(1, 20_000).await.is_err());
    assert_eq!(desk.stack.jobs.get(&desk.id).status, Status::Pending);
    desk.report(1, 20_000).await.unwrap();
    assert_eq!(desk.stack.jobs.get(&desk.id).status, Status::Processing);
}

#[tokio::test]
async fn conflicts_are_retried_because_workers_never_retry() {
    let desk = Desk::new();
    desk.stack.jobs.conflict(&desk.id, 5);
    assert!(matches!(desk.report(1, 10).await.unwrap(), Changed::Applied(_)));
}

#[tokio::test]
async fn a_report_about_an_unknown_job_stores_nothing() {
    let mut desk = Desk::new();
    desk.id = JobId::parse("job_unknown").unwrap();
    assert_eq!(desk.report(1, 20_000).await.unwrap(), Changed::NotFound);
    assert!(desk.details.stored().is_empty());
}
