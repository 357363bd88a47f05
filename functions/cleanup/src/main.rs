//! The `cleanup` function: wiring only.

use cleanup::{Config, Deps, handle};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    reelhook_aws::start::logs();
    let deps = Deps::new(Config::from_environment()?).await?;
    run(service_fn(|event| handle(&deps, event))).await
}
