//! The `callbacks` function: wiring only.

use callbacks::{Deps, respond};
use lambda_http::{Error, run, service_fn};
use reelhook_aws::resources::Resources;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    reelhook_aws::start::logs();
    let deps = Deps::new(Resources::of_process()).await?;
    run(service_fn(|request| deps.api.serve(&deps, respond, request))).await
}
