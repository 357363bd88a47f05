//! What admitted callers submit becomes a project or a clip job, or a problem: behind the API and from the job inbox.

use reelhook_app::clips::requests::create::{self as clips, NewClips};
use reelhook_app::projects::requests::create::{self as projects, ProjectRequest};
use reelhook_domain::credits::ledger::Balance;
use reelhook_domain::projects::project::Project;
use reelhook_domain::{ClipJob, ClipJobId, ProjectId};
use reelhook_http::clips::problem::{ClipProblem, too_many_ranges};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::projects::problem::ProjectProblem;

/// The project of a request, and sentences about what differs from the request.
pub enum MadeProject {
    /// It is new.
    Now(Box<Project>, Vec<String>),
    /// The key of the request made it before.
    Before(ProjectId, Vec<String>),
}

/// The clip job of a request.
pub enum MadeClips {
    /// It is new.
    Now(Box<ClipJob>),
    /// It does the same as another request asked for, which this one allows.
    Existing(Box<ClipJob>),
    /// The key of the request made or found it before.
    Before(ClipJobId),
}

/// Creates a project.
///
/// # Errors
/// [`Problem`].
pub async fn submit_project(ports: &projects::CreatePorts<'_>, new: ProjectRequest) -> Result<MadeProject, Problem> {
    use projects::Created;
    match projects::create_project(ports, new).await? {
        Created::Project(project, warnings) => Ok(MadeProject::Now(project, warnings)),
        Created::Repeated(id, warnings) => Ok(MadeProject::Before(id, warnings)),
        Created::KeyReused => Err(Problem::Request(RequestProblem::KeyReused)),
        Created::Exists => Err(Problem::Project(ProjectProblem::Exists)),
        Created::Fault(fault) => Err(fault.into()),
        Created::Rejected(reason) => Err(reason.into()),
    }
}

/// Creates a clip job, or finds the one that does the same.
///
/// # Errors
/// [`Problem`].
pub async fn submit_clips(ports: &clips::CreatePorts<'_>, new: NewClips) -> Result<MadeClips, Problem> {
    use clips::Created;
    match clips::create_job(ports, new).await? {
        Created::Job(job) => Ok(MadeClips::Now(job)),
        Created::Existing(job) => Ok(MadeClips::Existing(job)),
        Created::Repeated(id) => Ok(MadeClips::Before(id)),
        Created::KeyReused => Err(Problem::Request(RequestProblem::KeyReused)),
        Created::Insufficient { balance, needed } => Err(insufficient(&balance, needed)),
        Created::PageUnreadable => Err(ClipProblem::PageUnreadable.into()),
        Created::TooManyRanges(given) => Err(too_many_ranges(given)),
    }
}

/// The problem of a job whose account has not enough credits.
pub fn insufficient(balance: &Balance, needed: u64) -> Problem {
    Problem::Clip(ClipProblem::InsufficientCredits(balance.available(), needed))
}
