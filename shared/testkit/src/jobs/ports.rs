//! The ports of the Jobs table, with the conditions that DynamoDB would check.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::change::AggregateStore;
use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::claims::{Claimed, Look, Ready, StartStore};
use reelhook_app::jobs::logs::{Active, ActiveJobs};
use reelhook_app::jobs::queue::QueueStore;
use reelhook_app::jobs::renders::{Callback, RenderStore};
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_app::outbox::repair::{JobLister, Page};
use reelhook_app::retention::KeepsJobs;
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::jobs::slots::fair::Waiting;
use reelhook_domain::{Admission, Job, JobId, JobKind, OwnerId, RenderId, Service, SlotRow, Slots, Status, Timestamp};

use super::MemoryJobs;

/// The number of ids in a page: few, so that tests read several pages.
const PAGE: usize = 3;
/// The time for which a callback stays parked.
const PARKED: Duration = Duration::from_secs(3600);
/// The minimum interval of hints that check a render.
const HINT: Duration = Duration::from_secs(10);

#[async_trait]
impl AggregateStore<Job> for MemoryJobs {
    async fn load(&self, id: &JobId) -> Result<Option<Job>, StoreError> {
        self.enter("load").await;
        let done = self.faults.check_about("load", id)?;
        let job = self.state().jobs.get(id).cloned();
        done.answer(job)
    }

    async fn save(&self, job: &Job) -> Result<Saved<Job>, StoreError> {
        self.enter("save").await;
        let done = self.faults.check_about("save", &job.id)?;
        let saved = self.state().replace(job);
        done.answer(saved)
    }
}

#[async_trait]
impl SubmitStore for MemoryJobs {
    async fn queue_counts(&self) -> Result<QueueCounts, StoreError> {
        self.enter("queue_counts").await;
        self.faults.check("queue_counts")?.answer(self.counts())
    }

    async fn insert(&self, job: &Job) -> Result<Saved<Job>, StoreError> {
        self.enter("insert").await;
        let done = self.faults.check("insert")?;
        let mut state = self.state();
        if let Some(stored) = state.jobs.get(&job.id) {
            let stored = Box::new(stored.clone());
            return done.answer(Saved::Conflict(Some(stored)));
        }
        state.write(job);
        done.answer(Saved::Done)
    }

    async fn insert_with_key(
        &self,
        job: &Job,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Saved<IdempotencyRecord>, StoreError> {
        self.enter("insert_with_key").await;
        let done = self.faults.check("insert_with_key")?;
        let mut state = self.state();
        let key = (record.caller.clone(), record.key.clone());
        if let Some(known) = state.records.get(&key).filter(|known| known.expires_at > now) {
            let known = Box::new(known.clone());
            return done.answer(Saved::Conflict(Some(known)));
        }
        state.records.insert(key, record.clone());
        state.write(job);
        done.answer(Saved::Done)
    }
}

#[async_trait]
impl IdempotencyStore for MemoryJobs {
    async fn record(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.enter("record").await;
        let known = self.state().records.get(&(caller.to_owned(), key.to_owned())).cloned();
        self.faults.check("record")?.answer(known.filter(|known| known.expires_at > now))
    }

    async fn remember(
        &self,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.enter("remember").await;
        let done = self.faults.check("remember")?;
        let mut state = self.state();
        let key = (record.caller.clone(), record.key.clone());
        let known = state.records.get(&key).filter(|known| known.expires_at > now).cloned();
        if known.is_none() {
            state.records.insert(key, record.clone());
        }
        done.answer(known)
    }
}

#[async_trait]
impl AdmissionStore for MemoryJobs {
    async fn admission(&self) -> Result<Slots, StoreError> {
        self.enter("admission").await;
        self.faults.check("admission")?.answer(self.state().slots())
    }

    async fn save_admission(&self, changed: &SlotRow) -> Result<Saved<Admission>, StoreError> {
        self.enter("save_admission").await;
        let done = self.faults.check("save_admission")?;
        let mut state = self.state();
        if !state.write_rows(std::slice::from_ref(changed)) {
            let theirs = state.rows.get(changed.number).cloned().unwrap_or_default();
            return done.answer(Saved::Conflict(Some(Box::new(theirs))));
        }
        done.answer(Saved::Done)
    }
}

#[async_trait]
impl StartStore for MemoryJobs {
    async fn ready(&self, look: &Look) -> Result<Ready, StoreError> {
        self.enter("ready").await;
        let done = self.faults.check("ready")?;
        let state = self.state();
        let waits = |job: &&Job| {
            job.status == Status::Pending && job.deleted_at.is_none() && job.run.start.ready_at <= look.now
        };
        let waiting = |job: &Job| Waiting {
            job: job.id.clone(),
            lane: job.lane(),
            priority: job.request.priority,
            ready_at: job.run.start.ready_at,
        };
        let indexed = state.indexed.as_ref().unwrap_or(&state.jobs);
        let mut jobs: Vec<Waiting<JobId>> = indexed.values().filter(waits).map(waiting).collect();
        jobs.sort_by_key(|job| (job.lane, std::cmp::Reverse(job.priority), job.ready_at));
        // As the index does: the first jobs of each lane.
        let (found, mut of_lane) = (jobs.len(), BTreeMap::new());
        jobs.retain(|job| {
            let taken: &mut usize = of_lane.entry(job.lane).or_default();
            *taken += 1;
            *taken <= look.each
        });
        let is_cut = jobs.len() < found;
        done.answer(Ready { jobs, all: true, is_cut })
    }

    async fn claim(&self, jobs: &[Job], rows: &[SlotRow]) -> Result<Claimed, StoreError> {
        self.enter("claim").await;
        let done = self.faults.check("claim")?;
        let mut state = self.state();
        let fits = |job: &Job| state.jobs.get(&job.id).is_some_and(|stored| stored.version + 1 == job.version);
        if !jobs.iter().all(fits) {
            return done.answer(Claimed::Conflict);
        }
        if !state.write_rows(rows) {
            return done.answer(Claimed::RowsChanged);
        }
        for job in jobs {
            state.write(job);
        }
        done.answer(Claimed::Done)
    }
}

#[async_trait]
impl RenderStore for MemoryJobs {
    async fn jobs_of(&self, render: &RenderId) -> Result<Vec<JobId>, StoreError> {
        self.enter("jobs_of").await;
        let done = self.faults.check("jobs_of")?;
        let state = self.state();
        let known = |job: &&Job| job.render_id() == Some(render) && job.deleted_at.is_none();
        done.answer(state.jobs.values().filter(known).map(|job| job.id.clone()).collect())
    }

    async fn park(
        &self,
        service: Service,
        task: &RenderId,
        callback: &Callback,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.enter("park").await;
        let done = self.faults.check("park")?;
        let mut state = self.state();
        let task = (service.name(), task.clone());
        let taken = state.parked.get(&task).is_some_and(|(there, until)| {
            let job = |callback: &Callback| callback.run.as_ref().map(|run| run.job_id.clone());
            let foreign = callback.run.is_some() && job(there) != job(callback);
            *until > now && (foreign || (there.is_final() && !callback.is_final()))
        });
        if !taken {
            state.parked.insert(task, (callback.clone(), now.after(PARKED)));
        }
        drop(state);
        done.answer(())
    }

    async fn parked(&self, service: Service, task: &RenderId, now: Timestamp) -> Result<Option<Callback>, StoreError> {
        self.enter("parked").await;
        let done = self.faults.check("parked")?;
        let state = self.state();
        let parked = state.parked.get(&(service.name(), task.clone())).filter(|(_, until)| *until > now);
        done.answer(parked.map(|(callback, _)| callback.clone()))
    }

    async fn may_hint(&self, service: Service, task: &RenderId, now: Timestamp) -> Result<bool, StoreError> {
        self.enter("may_hint").await;
        let done = self.faults.check("may_hint")?;
        let mut state = self.state();
        let task = (service.name(), task.clone());
        let may = state.hinted.get(&task).is_none_or(|until| *until <= now);
        if may {
            state.hinted.insert(task, now.after(HINT));
        }
        done.answer(may)
    }
}

impl KeepsJobs for MemoryJobs {}

#[async_trait]
impl QueueStore for MemoryJobs {
    async fn newest(
        &self,
        family: Option<JobKind>,
        status: Status,
        month: &str,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        self.enter("newest").await;
        let done = self.faults.check("newest")?;
        let state = self.state();
        let listed = |job: &&Job| {
            job.status == status
                && family.is_none_or(|family| job.kind == family)
                && job.deleted_at.is_none()
                && job.created_at <= until
                && job.created_at.day().starts_with(month)
        };
        let mut found: Vec<(Timestamp, JobId)> =
            state.jobs.values().filter(listed).map(|job| (job.created_at, job.id.clone())).collect();
        found.sort_by(|a, b| b.cmp(a));
        found.truncate(limit);
        done.answer(found)
    }

    async fn newest_of(
        &self,
        owner: &OwnerId,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        self.enter("newest_of").await;
        let done = self.faults.check("newest_of")?;
        let state = self.state();
        let listed = |job: &&Job| {
            job.origin.owner.as_ref() == Some(owner) && job.deleted_at.is_none() && job.created_at <= until
        };
        let mut found: Vec<(Timestamp, JobId)> =
            state.jobs.values().filter(listed).map(|job| (job.created_at, job.id.clone())).collect();
        found.sort_by(|a, b| b.cmp(a));
        found.truncate(limit);
        done.answer(found)
    }

    async fn oldest(
        &self,
        status: Status,
        month: &str,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        let mut found = self.newest(None, status, month, until, usize::MAX).await?;
        found.reverse();
        found.retain(|(at, _)| *at >= from);
        found.truncate(limit);
        Ok(found)
    }

    async fn load_all(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        self.enter("load_all").await;
        let done = self.faults.check("load_all")?;
        let state = self.state();
        done.answer(ids.iter().filter_map(|id| state.jobs.get(id).cloned()).collect())
    }

    async fn running(&self) -> Result<Vec<JobId>, StoreError> {
        self.enter("running").await;
        let done = self.faults.check("running")?;
        let state = self.state();
        let runs = |job: &&Job| matches!(job.status, Status::Processing | Status::Rendering);
        done.answer(state.jobs.values().filter(runs).map(|job| job.id.clone()).collect())
    }
}

#[async_trait]
impl ActiveJobs for MemoryJobs {
    async fn active(&self, most: usize) -> Result<Active, StoreError> {
        self.enter("active").await;
        let done = self.faults.check("active")?;
        let state = self.state();
        let mut jobs: Vec<Job> = state.jobs.values().filter(|job| !job.status.is_final()).cloned().collect();
        jobs.sort_by_key(|job| (job.status == Status::Pending, std::cmp::Reverse(job.run.start.ready_at)));
        let all = jobs.len() <= most;
        let ids = jobs.into_iter().take(most).map(|job| job.id).collect();
        done.answer(Active { ids, all })
    }

    async fn read(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        self.load_all(ids).await
    }
}

#[async_trait]
impl JobLister for MemoryJobs {
    async fn page(&self, status: Status, day: &str, after: Option<&str>) -> Result<Page, StoreError> {
        self.enter("page").await;
        let done = self.faults.check("page")?;
        let state = self.state();
        let listed = |job: &&Job| {
            job.status == status && job.deleted_at.is_none() && job.created_at.day() == day
                // A page continues after the last id of the page before.
                && after.is_none_or(|after| job.id.as_str() > after)
        };
        let mut ids: Vec<JobId> = state.jobs.values().filter(listed).map(|job| job.id.clone()).collect();
        let more = ids.len() > PAGE;
        ids.truncate(PAGE);
        let next = ids.last().filter(|_| more).map(ToString::to_string);
        done.answer(Page { ids, next })
    }
}
