//! The `inbox` function: wiring only.

use inbox::{Deps, handle};
use lambda_runtime::{Error, run, service_fn};
use reelhook_aws::metrics::measured;
use reelhook_aws::resources::Resources;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    reelhook_aws::start::logs();
    let deps = Deps::new(Resources::of_process()).await?;
    run(service_fn(|event| measured(handle(&deps, event)))).await
}
