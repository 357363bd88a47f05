//! Finding a clip job by what its client asked: a row of the Counters table for each owner and digest of a request.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use reelhook_app::clips::digest;
use reelhook_app::retention::Days;
use reelhook_app::store::StoreError;
use reelhook_domain::credits::account::Account;
use reelhook_domain::{ClipJob, ClipJobId, OwnerId, Timestamp};

use crate::items::{is_expired, s, text, ttl};
use crate::jobs::counters::{ALONE, CounterTable};

impl CounterTable {
    /// The part of a transaction that makes a new job the newest with its request, for as long as such jobs are kept.
    pub(super) fn request_put(&self, job: &ClipJob, kept: Days, now: Timestamp) -> TransactWriteItem {
        let partition = partition(job.origin.owner.as_ref(), &digest::of_request(&job.request));
        let put = Put::builder()
            .table_name(self.name())
            .item("pk", s(partition))
            .item("sk", s(ALONE))
            .item("job", s(job.id.as_str()))
            .item("expires_at", ttl(now, kept.count()));
        TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
    }

    /// The newest job of an owner with a request.
    pub(super) async fn job_of_request(
        &self,
        owner: Option<&OwnerId>,
        digest: &str,
        now: Timestamp,
    ) -> Result<Option<ClipJobId>, StoreError> {
        let item = self.get("find clip job of request", &partition(owner, digest), ALONE).await?;
        let item = item.filter(|item| !is_expired(item, now));
        Ok(item.and_then(|item| ClipJobId::parse(text(&item, "job")?).ok()))
    }
}

fn partition(owner: Option<&OwnerId>, digest: &str) -> String {
    format!("clip-request#{}#{digest}", Account::of(owner))
}
