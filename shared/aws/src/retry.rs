//! Retries of DynamoDB calls; they wait through the client's own sleep, so that tests do not wait.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::{AsyncSleep, SharedAsyncSleep};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::retry::Retry;
use reelhook_domain::Timestamp;

use crate::start::SystemClock;

/// The default number of attempts; their waits take a second and a half in total, on average.
pub(crate) const ATTEMPTS: u32 = 10;

/// The machine's clock and random source, with the sleep of a client.
#[derive(Debug)]
pub(crate) struct RetryClock(Option<SharedAsyncSleep>);

impl RetryClock {
    /// The clock that waits as `client` does.
    pub fn of(client: &aws_sdk_dynamodb::Client) -> Self {
        Self(client.config().sleep_impl())
    }

    /// The attempts at one call.
    pub fn retry(&self) -> Retry<'_> {
        Retry::new(self, ATTEMPTS)
    }
}

#[async_trait]
impl ClockAndRandom for RetryClock {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn random(&self) -> u128 {
        SystemClock.random()
    }

    async fn wait(&self, time: Duration) {
        match &self.0 {
            Some(sleep) => sleep.sleep(time).await,
            // A client without a sleep of its own uses the SDK's default, which is not in its configuration.
            None => SystemClock.wait(time).await,
        }
    }
}

/// Sends an update; retries while a transaction holds its item, which takes milliseconds.
pub(crate) async fn send_update(
    client: &aws_sdk_dynamodb::Client,
    update: UpdateItemFluentBuilder,
) -> Result<UpdateItemOutput, SdkError<UpdateItemError, HttpResponse>> {
    let waits = RetryClock::of(client);
    let mut retry = waits.retry();
    retry.attempt().await;
    loop {
        let answer = update.clone().send().await;
        let again = answer.as_ref().is_err_and(meets_a_transaction) && retry.attempt().await;
        if !again {
            return answer;
        }
    }
}

fn meets_a_transaction(error: &SdkError<UpdateItemError, HttpResponse>) -> bool {
    matches!(error.as_service_error(), Some(UpdateItemError::TransactionConflictException(_)))
}
