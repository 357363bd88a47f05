//! SDK clients that share one HTTP client and one credentials chain, built before the first event.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::calls::Calls;

/// The HTTP client that all SDK clients share. It uses ring, which collects no entropy at start; the guarded client uses
/// ring too.
pub fn http_client() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// Builds SDK clients with the same configuration.
#[derive(Debug, Clone)]
pub struct Clients {
    config: SdkConfig,
    endpoint_is_local: bool,
}

impl Clients {
    /// Reads AWS_REGION, AWS_ENDPOINT_URL and the credentials that Lambda puts into the environment.
    ///
    /// The default credentials chain would link STS, SSO and profile files into every bootstrap.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
        Self::new(variable("AWS_REGION").map(Region::new), credentials, variable("AWS_ENDPOINT_URL"))
    }

    fn new(region: Option<Region>, credentials: SharedCredentialsProvider, endpoint: Option<String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(10))
            .build();
        let endpoint_is_local = endpoint.is_some();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(credentials)
            .http_client(http_client())
            .timeout_config(timeouts)
            // Only bodies that are streamed need it: the timeout of an attempt covers a whole answer in JSON, without a
            // wrapper around each body.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(RetryConfig::standard().with_max_attempts(4));
        config.set_endpoint_url(endpoint);
        Self { config: config.build(), endpoint_is_local }
    }

    /// DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.config).interceptor(Calls).build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    /// The WebSocket API at `endpoint`. A message has one attempt of two seconds: one viewer must not delay others.
    pub fn sockets(&self, endpoint: &str) -> aws_sdk_apigatewaymanagement::Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_secs(2))
            .operation_timeout(Duration::from_secs(2))
            .build();
        let config = aws_sdk_apigatewaymanagement::config::Builder::from(&self.config)
            .endpoint_url(endpoint)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled());
        aws_sdk_apigatewaymanagement::Client::from_conf(config.interceptor(Calls).build())
    }

    /// SQS.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::config::Builder::from(&self.config).interceptor(Calls).build();
        aws_sdk_sqs::Client::from_conf(config)
    }

    /// CloudWatch.
    pub fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        let config = aws_sdk_cloudwatch::config::Builder::from(&self.config).interceptor(Calls);
        aws_sdk_cloudwatch::Client::from_conf(config.build())
    }

    /// EventBridge.
    pub fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        let config = aws_sdk_eventbridge::config::Builder::from(&self.config).interceptor(Calls).build();
        aws_sdk_eventbridge::Client::from_conf(config)
    }

    /// S3; with path-style addresses if the endpoint is local.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = self.s3_config();
        aws_sdk_s3::Client::from_conf(config.interceptor(Calls).build())
    }

    /// S3 for files, with longer timeouts. Presigned links must not require checksums that their users do not send.
    pub fn s3_for_files(&self) -> aws_sdk_s3::Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(60))
            .operation_timeout(Duration::from_secs(180))
            .build();
        let config = self
            .s3_config()
            .timeout_config(timeouts)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        aws_sdk_s3::Client::from_conf(config.interceptor(Calls).build())
    }

    /// The configuration of S3, whose bodies are streamed.
    fn s3_config(&self) -> aws_sdk_s3::config::Builder {
        aws_sdk_s3::config::Builder::from(&self.config)
            .force_path_style(self.endpoint_is_local)
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build())
    }

    /// SSM. It throttles calls when many instances start at once: six attempts with jitter, within the 10 s that Lambda
    /// gives a start.
    pub fn ssm(&self) -> aws_sdk_ssm::Client {
        let retries = RetryConfig::standard().with_max_attempts(6).with_initial_backoff(Duration::from_millis(250));
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(9))
            .build();
        let config = aws_sdk_ssm::config::Builder::from(&self.config).retry_config(retries).timeout_config(timeouts);
        aws_sdk_ssm::Client::from_conf(config.interceptor(Calls).build())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::Credentials;
    use aws_sdk_dynamodb::error::SdkError;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_answer_that_stalls_ends_the_attempt() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let service = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // An answer before its request would be no answer.
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            let begun = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 99\r\n\r\n{";
            stream.write_all(begun).await.unwrap();
            // Kept open, and never completed.
            std::future::pending::<()>().await;
        });
        let credentials = SharedCredentialsProvider::new(Credentials::from_keys("id", "key", None));
        let clients = Clients::new(Some(Region::new("us-east-1")), credentials, Some(endpoint));
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(100)).build();
        let config = clients.config.into_builder().timeout_config(timeouts).retry_config(RetryConfig::disabled());
        let client = Clients { config: config.build(), endpoint_is_local: true }.dynamodb();
        let error = client.get_item().table_name("Jobs").send().await.unwrap_err();
        assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
        service.abort();
    }
}
