//! The store, lists and look-ups of clip jobs, with the conditions that DynamoDB would check.

use std::cmp::Reverse;

use async_trait::async_trait;
use reelhook_app::change::AggregateStore;
use reelhook_app::clips::digest;
use reelhook_app::clips::store::{ClipJobPage, ClipList, ClipLookups};
use reelhook_app::outbox::sweep::{DueIndex, PER_SHARD, shard};
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::{ClipJob, ClipJobId, ClipStatus, OwnerId, Timestamp};

use super::table::MemoryClips;

#[async_trait]
impl AggregateStore<ClipJob> for MemoryClips {
    async fn load(&self, id: &ClipJobId) -> Result<Option<ClipJob>, StoreError> {
        self.enter("load").await;
        let done = self.faults.check_about("load", id)?;
        let job = self.state().jobs.get(id).cloned();
        done.answer(job)
    }

    async fn save(&self, job: &ClipJob) -> Result<Saved<ClipJob>, StoreError> {
        self.enter("save").await;
        let done = self.faults.check_about("save", &job.id)?;
        let mut state = self.state();
        if !state.follows(job) {
            let theirs = state.jobs.get(&job.id).cloned().map(Box::new);
            return done.answer(Saved::Conflict(theirs));
        }
        state.write(job);
        done.answer(Saved::Done)
    }
}

#[async_trait]
impl ClipList for MemoryClips {
    async fn page(
        &self,
        owner: Option<&OwnerId>,
        status: Option<ClipStatus>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ClipJobPage, StoreError> {
        self.enter("page").await;
        let done = self.faults.check("page")?;
        let mut shown = self.newest();
        shown.retain(|job| owner.is_none_or(|owner| job.origin.owner.as_ref() == Some(owner)));
        shown.retain(|job| status.is_none_or(|status| job.status == status));
        let from = match cursor {
            None => 0,
            Some(cursor) => shown.iter().position(|job| job.id.uuid() == cursor).map_or(shown.len(), |at| at + 1),
        };
        let jobs: Vec<ClipJob> = shown.iter().skip(from).take(limit).cloned().collect();
        let is_last = from.saturating_add(jobs.len()) >= shown.len();
        let next = jobs.last().filter(|_| !is_last).map(|job| self.cursor_after(job));
        done.answer(ClipJobPage { jobs, next })
    }

    fn cursor_after(&self, job: &ClipJob) -> String {
        job.id.uuid().to_owned()
    }

    async fn with_request(&self, owner: Option<&OwnerId>, digest: &str) -> Result<Option<ClipJob>, StoreError> {
        self.enter("with_request").await;
        let done = self.faults.check("with_request")?;
        let newest = self
            .newest()
            .into_iter()
            .find(|job| job.origin.owner.as_ref() == owner && digest::of_request(&job.request) == digest);
        done.answer(newest.filter(|job| !matches!(job.status, ClipStatus::Failed | ClipStatus::Canceled)))
    }
}

#[async_trait]
impl ClipLookups for MemoryClips {
    async fn remember(&self, id: &str, job: &ClipJobId, number: u32) -> Result<(), StoreError> {
        self.enter("remember").await;
        let done = self.faults.check("remember")?;
        self.state().submissions.entry(id.to_owned()).or_insert_with(|| (job.clone(), number));
        done.answer(())
    }

    async fn submission(&self, id: &str) -> Result<Option<(ClipJobId, u32)>, StoreError> {
        self.enter("submission").await;
        let done = self.faults.check("submission")?;
        let found = self.state().submissions.get(id).cloned();
        done.answer(found)
    }
}

#[async_trait]
impl DueIndex<ClipJob> for MemoryClips {
    async fn due(&self, of: u32, now: Timestamp) -> Result<Vec<ClipJobId>, StoreError> {
        self.enter("due").await;
        let done = self.faults.check("due")?;
        let due = |job: ClipJob| Some((job.due_at.filter(|due| *due <= now)?, job.id));
        let mut found: Vec<(Timestamp, ClipJobId)> = self.all().into_iter().filter_map(due).collect();
        found.retain(|(_, id)| shard(id.as_str()) == of);
        found.sort();
        found.truncate(PER_SHARD as usize);
        done.answer(found.into_iter().map(|(_, id)| id).collect())
    }
}

impl MemoryClips {
    /// The jobs that readers see, the newest first.
    fn newest(&self) -> Vec<ClipJob> {
        let mut shown = self.all();
        shown.retain(|job| job.deleted_at.is_none());
        shown.sort_by_key(|job| Reverse((job.created_at, job.id.clone())));
        shown
    }
}
