//! Tasks at services that nobody waits for any more: an answer or a report names one after its project has given it up.

use reelhook_domain::RenderId;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::{Stage, TaskRef};

use crate::change::Changed;

/// The task that is to be cancelled at its service after an event: it is under way there, and the event did not change the
/// project, which does not want it.
pub(super) fn unwanted<'a>(event: &'a Event, changed: &Changed<Project>) -> Option<(Stage, &'a RenderId)> {
    let (task, id) = at_service(event)?;
    let is_unwanted = match changed {
        Changed::Applied(_) => false,
        Changed::Ignored(_, project) | Changed::Rejected(_, project) => project.is_unwanted(task, id),
        Changed::NotFound => true,
    };
    is_unwanted.then_some((task.stage(), id))
}

/// The task that, as an event says, a service has under this id and has not ended.
fn at_service(event: &Event) -> Option<(&TaskRef, &RenderId)> {
    if let Event::Submitted { task, id, .. } | Event::LookedUp { task, found: Some(id), .. } = event {
        return Some((task, id));
    }
    if let Event::Reported { task, id: Some(id), report, .. } = event
        && !report.is_end()
    {
        return Some((task, id));
    }
    None
}
