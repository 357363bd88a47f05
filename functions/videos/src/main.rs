//! The `videos` function: wiring only.

use lambda_http::{Error, run, service_fn};
use videos::{Config, Deps, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    reelhook_aws::start::logs();
    let deps = Deps::new(Config::from_environment()?).await?;
    run(service_fn(|request| handle(&deps, request))).await
}
