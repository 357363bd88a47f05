//! The ids that a report names, and the submission that they mean.

use reelhook_domain::{ClipJob, ClipJobId, RenderId, brief};
use serde_json::{Map, Value};

use super::fields;
use super::ports::{ReportPorts, Submission};
use crate::store::StoreError;

/// The names of ids in a report: the one that we gave, then the worker's own.
const IDS: [&str; 2] = ["external_job_id", "job_id"];

/// The ids that a report names.
pub(super) struct Named {
    /// The id that we gave the worker, and the worker's own, as they were sent.
    ids: [Option<String>; 2],
}

impl Named {
    /// The ids in a body: texts, or whole numbers.
    pub fn of(body: &Value) -> Self {
        let id = |name: &str| match &body[name] {
            Value::Number(number) => Some(number.to_string()),
            other => fields::text(other, usize::MAX).map(str::to_owned),
        };
        Self { ids: IDS.map(id) }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.iter().all(Option::is_none)
    }

    /// The worker's id of the submission.
    pub fn worker_id(&self) -> Option<RenderId> {
        self.ids[1].as_deref().and_then(|id| RenderId::parse(id).ok())
    }

    /// The job and the submission that the token names, or else the first of the ids that is known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find(
        &self,
        ports: &ReportPorts<'_>,
        token: Option<&Submission>,
    ) -> Result<Option<(ClipJob, u32)>, StoreError> {
        if let Some(token) = token {
            return Ok(ports.jobs.load(&token.job).await?.map(|job| (job, token.number)));
        }
        // The external id of the first submission is that of the job.
        for id in self.ids.iter().flatten() {
            let Ok(id) = RenderId::parse(id) else { continue };
            if let Ok(job) = ClipJobId::parse(id.as_str())
                && let Some(job) = ports.jobs.load(&job).await?
            {
                return Ok(Some((job, 1)));
            }
            if let Some((job, number)) = ports.lookups.submission(id.as_str()).await?
                && let Some(job) = ports.jobs.load(&job).await?
            {
                return Ok(Some((job, number)));
            }
        }
        Ok(None)
    }

    /// What an error about the report is about: the same id is one error.
    pub fn about(&self, token: Option<&Submission>) -> String {
        let token = token.map(|token| token.job.uuid());
        let id = token.or_else(|| self.ids.iter().flatten().next().map(String::as_str));
        id.map_or_else(|| "report".to_owned(), brief)
    }

    /// The ids for people, bounded.
    pub fn context(&self) -> Map<String, Value> {
        let ids = IDS.iter().zip(&self.ids);
        ids.filter_map(|(name, id)| Some(((*name).to_owned(), Value::from(brief(id.as_ref()?))))).collect()
    }
}
