//! Faults of our own: dead letters, poison records and lost keys, raised while they last.

use std::sync::Mutex;

use async_trait::async_trait;
use reelhook_app::circuit::ServiceCircuit;
use reelhook_app::clips::worker::{self, WORKER};
use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::errors::dead_letters::{FaultPorts, LeftBehind, QueueDepth, check, poison};
use reelhook_app::errors::lost_key;
use reelhook_app::errors::service_down::{self, ServicePorts};
use reelhook_app::errors::steps::ErrorSteps as _;
use reelhook_app::projects::services::watched;
use reelhook_app::store::StoreError;
use reelhook_domain::errors::cause::Cause;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::task::Stage;
use reelhook_domain::{ClipPolicy, EndpointId};
use reelhook_testkit::Stack;

use super::memory::MemoryErrors;
use super::{ports, stack};

/// One dead-letter queue, and the queue of notes on poison records.
#[derive(Default)]
struct Queues {
    dead: Mutex<u64>,
    poison: Mutex<u64>,
}

#[async_trait]
impl LeftBehind for Queues {
    async fn dead_letters(&self) -> Result<Vec<QueueDepth>, StoreError> {
        Ok(vec![QueueDepth { name: "WorkDlq".to_owned(), messages: *self.dead.lock().unwrap() }])
    }

    async fn poison_notes(&self) -> Result<QueueDepth, StoreError> {
        Ok(QueueDepth { name: "Failures".to_owned(), messages: *self.poison.lock().unwrap() })
    }
}

async fn checked(stack: &Stack, errors: &MemoryErrors, queues: &Queues) {
    let steps = ports(stack, errors);
    let tables = ["Jobs".to_owned()];
    check(&FaultPorts { queues, errors, steps: &steps, clock: &*stack.world, tables: &tables }).await.unwrap();
}

#[tokio::test]
async fn dead_letters_are_one_error_until_their_queue_is_empty() {
    let (stack, errors, queues) = (stack(), MemoryErrors::default(), Queues::default());
    checked(&stack, &errors, &queues).await;
    assert!(errors.all().is_empty());
    *queues.dead.lock().unwrap() = 2;
    for _ in 0..3 {
        checked(&stack, &errors, &queues).await;
        stack.world.advance_s(60);
    }
    let error = errors.only();
    assert_eq!((error.cause, error.about.as_str(), error.occurrences), (Cause::DeadLetters, "WorkDlq", 1));
    assert_eq!(error.context["messages"], 2);
    *queues.dead.lock().unwrap() = 3;
    checked(&stack, &errors, &queues).await;
    assert_eq!(errors.only().occurrences, 2, "more messages are another occurrence");
    *queues.dead.lock().unwrap() = 0;
    stack.world.advance_s(60);
    checked(&stack, &errors, &queues).await;
    assert_eq!(errors.only().resolved_at, Some(stack.world.now()));
    *queues.dead.lock().unwrap() = 1;
    stack.world.advance_s(60);
    checked(&stack, &errors, &queues).await;
    assert!(errors.only().is_active(stack.world.now()));
}

async fn services_checked(stack: &Stack, errors: &MemoryErrors, policy: &ProjectPolicy) {
    let steps = ports(stack, errors);
    let circuits = &*stack.scenes.projects;
    let ports = ServicePorts { circuits, errors, steps: &steps, clock: &*stack.world };
    service_down::check(&ports, &watched(policy)).await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_down_is_one_error_until_its_circuit_closes() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let policy = stack.scenes.policy.clone();
    services_checked(&stack, &errors, &policy).await;
    assert!(errors.all().is_empty());
    let now = stack.world.now();
    let open = ServiceCircuit { version: 1, failures: 5, until: Some(now), opened_at: Some(now), failed_probes: 0 };
    stack.scenes.projects.put_circuit(Stage::Video, open.clone());
    for _ in 0..3 {
        services_checked(&stack, &errors, &policy).await;
        stack.world.advance_s(60);
    }
    let error = errors.only();
    assert_eq!((error.cause, error.about.as_str(), error.occurrences), (Cause::ServiceDown, "service/video", 1));
    assert_eq!((&error.context["stage"], &error.context["failures"]), (&"video".into(), &5.into()));

    let (own, closed) = (ProjectPolicy::default(), ServiceCircuit { version: 2, ..ServiceCircuit::default() });
    stack.scenes.projects.put_circuit(Stage::Video, closed);
    services_checked(&stack, &errors, &policy).await;
    assert_eq!(errors.only().resolved_at, Some(stack.world.now()));
    stack.world.advance_s(60);
    let again = ServiceCircuit { opened_at: Some(stack.world.now()), ..open };
    stack.scenes.projects.put_circuit(Stage::Video, again);
    services_checked(&stack, &errors, &policy).await;
    assert!(errors.only().is_active(stack.world.now()), "it is down again");
    services_checked(&stack, &errors, &own).await;
    assert!(!errors.only().is_active(stack.world.now()), "our own renderers make the videos now");
}

#[tokio::test]
async fn the_error_about_a_service_that_no_task_uses_is_resolved_after_half_an_hour() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let policy = stack.scenes.policy.clone();
    let now = stack.world.now();
    let open = ServiceCircuit { version: 1, failures: 5, until: Some(now), opened_at: Some(now), failed_probes: 0 };
    stack.scenes.projects.put_circuit(Stage::Frame, open);
    services_checked(&stack, &errors, &policy).await;
    stack.world.advance_s(1799);
    services_checked(&stack, &errors, &policy).await;
    assert!(errors.only().is_active(stack.world.now()));
    stack.world.advance_s(1);
    services_checked(&stack, &errors, &policy).await;
    assert_eq!(errors.only().resolved_at, Some(stack.world.now()));
    let closed = ServiceCircuit { version: 2, ..ServiceCircuit::default() };
    assert_eq!(stack.scenes.projects.circuit_of(Stage::Frame), closed);
}

#[tokio::test]
async fn a_clipping_worker_that_is_down_is_an_error_as_long_as_one_is_used() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let steps = ports(&stack, &errors);
    let circuits = &*stack.scenes.projects;
    let ports = ServicePorts { circuits, errors: &errors, steps: &steps, clock: &*stack.world };
    let now = stack.world.now();
    let open = ServiceCircuit { version: 1, failures: 5, until: Some(now), opened_at: Some(now), failed_probes: 0 };
    stack.scenes.projects.put_circuit(WORKER, open);
    service_down::check(&ports, &[worker::watched(&stack.clips.policy)]).await.unwrap();
    let error = errors.only();
    assert_eq!((error.cause, error.about.as_str()), (Cause::ServiceDown, "service/clips"));
    assert_eq!(error.context["service"], "clips");
    assert!(error.message.starts_with("The clipping worker does not answer"), "{}", error.message);
    stack.world.advance_s(60);
    service_down::check(&ports, &[worker::watched(&ClipPolicy::default())]).await.unwrap();
    assert!(!errors.only().is_active(stack.world.now()), "our own renderers cut now");
}

#[tokio::test]
async fn a_poison_record_is_an_error_until_its_note_is_gone() {
    let (stack, errors, queues) = (stack(), MemoryErrors::default(), Queues::default());
    let raise = |sequence: &str| poison("Jobs", sequence, "no version", "poison/1.json", stack.world.now()).unwrap();
    let ports = ports(&stack, &errors);
    for sequence in ["1", "2", "1"] {
        ports.apply(&raise(sequence)).await.unwrap();
    }
    assert_eq!(errors.only().occurrences, 2, "a record that is put aside again counts once");
    // The number of notes lags behind.
    checked(&stack, &errors, &queues).await;
    assert_eq!(errors.only().resolved_at, None);
    *queues.poison.lock().unwrap() = 2;
    stack.world.advance_s(600);
    checked(&stack, &errors, &queues).await;
    assert_eq!(errors.only().resolved_at, None);
    *queues.poison.lock().unwrap() = 0;
    checked(&stack, &errors, &queues).await;
    assert_eq!(errors.only().resolved_at, Some(stack.world.now()));
}

#[tokio::test]
async fn a_lost_key_is_one_occurrence_in_five_minutes() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let ports = ports(&stack, &errors);
    let endpoint = EndpointId::parse("ep_1").unwrap();
    for _ in 0..3 {
        ports.apply(&lost_key::lost(&endpoint, stack.world.now())).await.unwrap();
    }
    assert_eq!(errors.only().occurrences, 1);
    stack.world.advance_s(300);
    ports.apply(&lost_key::lost(&endpoint, stack.world.now())).await.unwrap();
    assert_eq!((errors.only().occurrences, errors.only().about.as_str()), (2, "ep_1"));
    ports.apply(&lost_key::found(&endpoint, stack.world.now())).await.unwrap();
    assert!(errors.only().resolved_at.is_some());
}
