//! Commands of clients: an event that is made from the stored project, decided, and saved, until no other writer is
//! faster.

use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::reasons::Rejected;
use reelhook_domain::{Aggregate, Decision, ProjectId};

use crate::change::ChangeError;
use crate::clock::ClockAndRandom;
use crate::projects::store::ProjectStore;
use crate::retry::Retry;
use crate::store::{Saved, StoreError};

/// Attempts at a change; each conflict means that another writer succeeded.
const ATTEMPTS: u32 = 12;

/// The ports of [`command`].
pub struct CommandPorts<'a> {
    /// Projects.
    pub projects: &'a dyn ProjectStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The policy of projects.
    pub policy: &'a ProjectPolicy,
}

/// The outcome of a command; `E` is why the event could not be made.
#[derive(Debug, Clone, PartialEq)]
pub enum Commanded<E> {
    /// The project after the command, also if nothing had to change.
    Done(Box<Project>),
    /// The project refuses the command.
    Rejected(Rejected),
    /// The event could not be made from the project.
    Refused(E),
    /// There is no such project, or it was deleted.
    NotFound,
}

/// Reads a project that clients see: one that exists and was not deleted.
///
/// # Errors
/// [`StoreError`].
pub async fn find(projects: &dyn ProjectStore, id: &ProjectId) -> Result<Option<Project>, StoreError> {
    Ok(projects.load(id).await?.filter(|project| project.deleted_at.is_none()))
}

/// Applies the event that `event` makes from the newest version of a project.
///
/// # Errors
/// [`ChangeError`] if the store fails or every attempt ends in a conflict.
pub async fn command<E>(
    ports: &CommandPorts<'_>,
    id: &ProjectId,
    event: impl Fn(&Project) -> Result<Event, E>,
) -> Result<Commanded<E>, ChangeError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let Some(current) = find(ports.projects, id).await? else { return Ok(Commanded::NotFound) };
        let event = match event(&current) {
            Ok(event) => event,
            Err(refusal) => return Ok(Commanded::Refused(refusal)),
        };
        let next = match current.decide(&event, ports.clock.now(), ports.policy) {
            Decision::Apply(next) => next,
            Decision::Ignore(_) => return Ok(Commanded::Done(Box::new(current))),
            Decision::Reject(reason) => return Ok(Commanded::Rejected(reason)),
        };
        match ports.projects.save(&next).await? {
            Saved::Done => return Ok(Commanded::Done(next)),
            Saved::Conflict(_) => {}
        }
    }
    Err(ChangeError::Contended(id.clone().into()))
}
