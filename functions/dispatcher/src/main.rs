//! The `dispatcher` function: wiring only.

use dispatcher::{Deps, handle};
use lambda_runtime::{Error, run, service_fn};
use reelhook_aws::metrics::measured;
use reelhook_aws::resources::Resources;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let log = reelhook_aws::start::collected_logs();
    let deps = Deps::new(Resources::of_process(), log).await?;
    run(service_fn(|event| measured(handle(&deps, event)))).await
}
