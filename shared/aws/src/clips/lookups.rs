//! Finding a clip job by the ids that its worker uses: rows of the Counters table.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use reelhook_app::clips::store::ClipLookups;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::store::StoreError;
use reelhook_domain::{ClipJobId, RenderId};

use crate::errors::store_error;
use crate::items::{Item, is_expired, n, number, s, text, ttl};
use crate::jobs::counters::{ALONE, CounterTable};
use crate::start::SystemClock;

/// Days for which a row is kept: longer than a job can run and an ended one is kept.
const DAYS: i64 = 60;

#[async_trait]
impl ClipLookups for CounterTable {
    async fn remember(&self, id: &str, job: &ClipJobId, number: u32) -> Result<(), StoreError> {
        let now = SystemClock.now();
        let put = self
            .client()
            .put_item()
            .table_name(self.name())
            .item("pk", s(partition(id)))
            .item("sk", s(ALONE))
            .item("job", s(job.as_str()))
            .item("submission", n(number))
            .item("expires_at", ttl(now, DAYS))
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
            .expression_attribute_values(":now", n(now.seconds()));
        match put.send().await {
            Ok(_) => Ok(()),
            // It is there already.
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(store_error("remember clip job", error)),
        }
    }

    async fn submission(&self, id: &str) -> Result<Option<(ClipJobId, u32)>, StoreError> {
        // Ids of workers and external ids are ids; nothing else has a row.
        if RenderId::parse(id).is_err() {
            return Ok(None);
        }
        let item = self.get("find clip job of submission", &partition(id), ALONE).await?;
        let item = item.filter(|item| !is_expired(item, SystemClock.now()));
        Ok(item.as_ref().and_then(submission))
    }
}

fn submission(item: &Item) -> Option<(ClipJobId, u32)> {
    Some((ClipJobId::parse(text(item, "job")?).ok()?, u32::try_from(number(item, "submission")?).ok()?))
}

fn partition(id: &str) -> String {
    format!("clip-submission#{id}")
}
