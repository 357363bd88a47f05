//! The `render` function: wiring only.

use lambda_runtime::{Error, run, service_fn};
use render::{Config, Deps, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    reelhook_aws::start::logs();
    let deps = Deps::new(Config::from_environment()?).await?;
    run(service_fn(|event| handle(&deps, event))).await
}
