//! The `job-stream` function: wiring only.

use std::sync::Arc;

use job_stream::{Config, Deps, Transport, handle_stream, handle_wait};
use lambda_http::{Error, run, run_with_streaming_response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    reelhook_aws::start::logs();
    let config = Config::from_environment()?;
    let transport = config.transport();
    let deps = Arc::new(Deps::new(config).await?);
    match transport {
        Transport::Wait => run(service_fn(|request| handle_wait(&deps, request))).await,
        Transport::Stream => run_with_streaming_response(service_fn(|request| handle_stream(&deps, request))).await,
    }
}
