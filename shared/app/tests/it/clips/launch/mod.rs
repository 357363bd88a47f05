//! The launcher of clip jobs: requests, answers, look-ups, polls, cancellations, and the worker's circuit.

mod answers;
mod cancellations;
mod circuit;
mod lookups;
mod lossy;
mod polls;
mod requests;

use reelhook_app::clips::launch::{ClipLaunchPorts, work as work_on};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbound::{Method, OutboundRequest};
use reelhook_domain::clips::event::Event;
use reelhook_domain::clips::run::WorkerState;
use reelhook_domain::{ClipJob, ClipJobId, RenderId};
use reelhook_testkit::{Stack, body_of, response};

/// A worker that accepts each submission as `g-1`.
fn accepting() -> Stack {
    let stack = Stack::default();
    stack.http.script(|_| Ok(response(202, r#"{"job_id": "g-1", "status": "pending"}"#)));
    stack
}

fn create(stack: &Stack, n: u32) -> ClipJobId {
    stack.clips.create(n, stack.world.now())
}

fn ports(stack: &Stack) -> ClipLaunchPorts<'_> {
    stack.clips.launch_ports(&stack.scenes.projects, &stack.http, &stack.world)
}

/// The worker function takes a hint about a clip job.
async fn work(stack: &Stack, id: &ClipJobId) {
    work_on(&ports(stack), id).await.unwrap();
}

fn apply(stack: &Stack, id: &ClipJobId, event: &Event) -> bool {
    stack.clips.jobs.apply(id, event, stack.world.now(), &stack.clips.policy)
}

fn job(stack: &Stack, id: &ClipJobId) -> ClipJob {
    stack.clips.jobs.get(id)
}

/// The state of the present submission.
fn state(stack: &Stack, id: &ClipJobId) -> WorkerState {
    job(stack, id).run.engine.worker().expect("a run at the worker").state.clone()
}

fn worker_id(id: &str) -> RenderId {
    RenderId::parse(id).unwrap()
}

fn sent(stack: &Stack, method: Method) -> Vec<OutboundRequest> {
    stack.http.requests().into_iter().filter(|request| request.method == method).collect()
}

/// The paths of the requests with this method so far.
fn paths(stack: &Stack, method: Method) -> Vec<String> {
    sent(stack, method).iter().map(|request| request.url.path().to_owned()).collect()
}

/// The external ids of the submissions so far.
fn submitted(stack: &Stack) -> Vec<String> {
    let id = |request: &OutboundRequest| body_of(request)["external_job_id"].as_str().expect("an id").to_owned();
    sent(stack, Method::Post).iter().map(id).collect()
}
