//! The `job-stream` function: wiring only.

use std::sync::Arc;

use job_stream::{Deps, Transport, handle_stream, respond_waiting};
use lambda_http::{Error, run, run_with_streaming_response, service_fn};
use reelhook_aws::resources::Resources;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    reelhook_aws::start::logs();
    let deps = Arc::new(Deps::new(Resources::of_process()).await?);
    match deps.transport {
        Transport::Wait => run(service_fn(|request| deps.api.serve(&*deps, respond_waiting, request))).await,
        Transport::Stream => run_with_streaming_response(service_fn(|request| handle_stream(&deps, request))).await,
    }
}
