//! The ports of those who report to a stack: workers and the render service.

use reelhook_app::change::{ChangeError, Changed};
use reelhook_app::jobs::renders::{CallbackPorts, RenderPorts};
use reelhook_app::jobs::steps::{StepPorts, report};
use reelhook_domain::{Event, JobId};

use crate::stack::Stack;

impl Stack {
    /// The ports of render checks.
    pub fn render_ports(&self) -> RenderPorts<'_> {
        RenderPorts {
            jobs: &*self.jobs,
            renders: &*self.jobs,
            clock: &*self.world,
            policy: &self.policy,
            confirmable: self.creatomate.key.is_some(),
        }
    }

    /// The ports of render callbacks.
    pub fn callback_ports(&self) -> CallbackPorts<'_> {
        CallbackPorts { renders: self.render_ports(), http: &self.http, creatomate: &self.creatomate, work: &self.work }
    }

    /// Takes a worker's report, which is an [`Event::Step`].
    ///
    /// # Errors
    /// [`ChangeError`].
    ///
    /// # Panics
    /// When the event is another one.
    pub async fn report_step(&self, id: &JobId, event: &Event) -> Result<Changed, ChangeError> {
        let Event::Step { attempt, update } = event else { panic!("no report of a step: {event:?}") };
        let ports = StepPorts {
            jobs: &*self.jobs,
            renders: &*self.jobs,
            details: &self.files,
            clock: &*self.world,
            policy: &self.policy,
        };
        report(&ports, id, *attempt, update.clone()).await
    }
}
