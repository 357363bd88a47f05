//! What a viewer's request needs to know of a job, a project or a clip job.

use async_trait::async_trait;
use reelhook_domain::projects::project::Project;
use reelhook_domain::{ClipJob, Job, OwnerId, Subject, Timestamp};

use crate::change::AggregateStore;
use crate::store::StoreError;
use crate::views::Dialect;
use crate::watch::Watched;

/// A job, a project or a clip job, as far as viewers' requests need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// What it is.
    pub subject: Subject,
    /// The dialect of its events.
    pub dialect: Dialect,
    /// Whose it is; none for an operator's.
    pub owner: Option<OwnerId>,
    /// The newest version with live events; 0 for none.
    pub live_version: u64,
    /// Whether it has ended.
    pub has_ended: bool,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The path of the whole state; `/stream` below it has the events.
pub fn state_path(subject: &Subject) -> String {
    let list = match subject {
        Subject::Project(_) => "/api/v1/projects",
        Subject::Clips(_) => "/ai-clipping-agent/jobs",
        Subject::Job(_) | Subject::Endpoint(_) | Subject::Error(_) | Subject::Trigger(_) => "/api/job",
    };
    format!("{list}/{}", subject.client_id())
}

/// Finds jobs, projects and clip jobs.
#[async_trait]
pub trait Subjects: Send + Sync {
    /// Reads one that exists and was not deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn current(&self, subject: &Subject) -> Result<Option<Current>, StoreError>;
}

/// The tables of all families.
pub struct Families<'a> {
    /// Jobs.
    pub jobs: &'a dyn AggregateStore<Job>,
    /// Projects.
    pub projects: &'a dyn AggregateStore<Project>,
    /// Clip jobs.
    pub clips: &'a dyn AggregateStore<ClipJob>,
}

#[async_trait]
impl Subjects for Families<'_> {
    async fn current(&self, subject: &Subject) -> Result<Option<Current>, StoreError> {
        match subject {
            Subject::Job(id) => load(self.jobs, id).await,
            Subject::Project(id) => load(self.projects, id).await,
            Subject::Clips(id) => load(self.clips, id).await,
            // Nothing else has live events.
            Subject::Endpoint(_) | Subject::Error(_) | Subject::Trigger(_) => Ok(None),
        }
    }
}

async fn load<A: Watched>(store: &dyn AggregateStore<A>, id: &A::Id) -> Result<Option<Current>, StoreError> {
    let found = store.load(id).await?.filter(|found| !found.is_deleted());
    Ok(found.map(|found| Current {
        subject: found.subject(),
        dialect: found.view().dialect(),
        owner: found.owner().cloned(),
        live_version: found.live_version(),
        has_ended: found.has_ended(),
        updated_at: found.updated_at(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_the_path_of_its_state() {
        for (subject, expected) in [
            ("job_1", "/api/job/job_1"),
            ("proj_1", "/api/v1/projects/proj_1"),
            (
                "clip_0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11",
                "/ai-clipping-agent/jobs/0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11",
            ),
        ] {
            assert_eq!(state_path(&Subject::parse(subject).unwrap()), expected);
        }
    }
}
