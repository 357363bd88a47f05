//! The `job-stream` function: wiring only.

use job_stream::{Deps, handle};
use lambda_http::{Error, run_with_streaming_response, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    reelhook_aws::start::logs();
    let deps = std::sync::Arc::new(Deps::from_environment().await?);
    run_with_streaming_response(service_fn(|request| handle(&deps, request))).await
}
