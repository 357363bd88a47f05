//! Starting runs: who may start when, what the worker is asked, what its answer does, and crashes in between.

mod answers;
mod crashes;
mod request;
mod slots;

use reelhook_app::jobs::starts::start_some;
use reelhook_domain::JobId;
use reelhook_testkit::{Stack, body_of};

/// The worker function takes one hint; the number of runs that began.
async fn start(stack: &Stack) -> usize {
    start_some(&stack.start_ports()).await.unwrap()
}

/// The jobs that the worker was asked to run, in order.
fn asked(stack: &Stack) -> Vec<JobId> {
    let requests = stack.http.requests();
    requests.iter().map(|request| JobId::parse(body_of(request)["job_id"].as_str().unwrap()).unwrap()).collect()
}
