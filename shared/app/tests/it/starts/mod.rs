//! Starts of runs: their order and slots, the request to the worker, its response, and crashes in between.

mod answers;
mod crashes;
mod fair;
mod named;
mod request;
mod rows;
mod slots;

use reelhook_app::jobs::starts::start_some;
use reelhook_domain::JobId;
use reelhook_testkit::{Stack, body_of};

/// The worker function takes one hint; the number of runs that began.
async fn start(stack: &Stack) -> usize {
    start_some(&stack.start_ports(), &[]).await.unwrap()
}

/// The jobs whose starts the worker was sent, in order.
fn requested_jobs(stack: &Stack) -> Vec<JobId> {
    let requests = stack.http.requests();
    requests.iter().map(|request| JobId::parse(body_of(request)["job_id"].as_str().unwrap()).unwrap()).collect()
}
