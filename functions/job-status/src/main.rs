//! The `job-status` function: wiring only.

use job_status::{Config, Deps, handle};
use lambda_http::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    reelhook_aws::start::logs();
    let deps = Deps::new(Config::from_environment()?).await?;
    run(service_fn(|request| handle(&deps, request))).await
}
