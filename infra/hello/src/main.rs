//! The baselines of `cargo xtask bench`: a function that builds the same SDK clients as ours, and responds.
//!
//! With HELLO_READS it also reads that SSM parameter during INIT, as ours read their secrets.

use aws_config::BehaviorVersion;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let clients =
        (aws_sdk_dynamodb::Client::new(&config), aws_sdk_sqs::Client::new(&config), aws_sdk_ssm::Client::new(&config));
    let clients = &clients;
    if let Ok(name) = std::env::var("HELLO_READS") {
        clients.2.get_parameters().names(name).with_decryption(true).send().await?;
    }
    lambda_runtime::run(service_fn(async move |_: LambdaEvent<Value>| {
        // Used, so that the optimiser does not remove the clients.
        let region = clients.0.config().region().or(clients.1.config().region()).or(clients.2.config().region());
        Ok::<_, Error>(json!({ "region": region.map(|region| region.to_string()) }))
    }))
    .await
}
