//! The circuits of the services of projects, and what an error says about a service that is down.

use reelhook_domain::projects::policy::{Backend, ProjectPolicy};
use reelhook_domain::projects::task::Stage;

use crate::circuit::ServiceKey;
use crate::errors::service_down::WatchedService;

impl From<Stage> for ServiceKey {
    /// The service that makes the tasks of a stage.
    fn from(stage: Stage) -> Self {
        Self::new(stage.name())
    }
}

/// The services of all stages, for the check on services that are down.
pub fn watched(policy: &ProjectPolicy) -> [WatchedService; 3] {
    [Stage::Video, Stage::Frame, Stage::Stitch].map(|stage| WatchedService {
        key: stage.into(),
        is_used: match policy.stage(stage).backend {
            Backend::Own => false,
            Backend::Service { .. } => true,
        },
        subject: match stage {
            Stage::Video => "The service that generates videos",
            Stage::Frame => "The service that extracts last frames",
            Stage::Stitch => "The service that stitches videos",
        },
        waiting: "tasks",
        member: "stage",
    })
}
