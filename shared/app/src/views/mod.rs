//! The views of the dialects: how clients see jobs, projects and clips. The domain knows none of these names.

pub mod captions;
pub mod clips;
pub mod dialect;
pub mod scenes;
pub mod streamgank;
pub mod usage;
pub mod vidbuilder;
pub mod view;
pub mod wire;

use reelhook_domain::{Job, JobKind};

use self::clips::Clips;
pub use self::dialect::Dialect;
use self::scenes::Scenes;
use self::streamgank::StreamGank;
use self::vidbuilder::VidBuilder;
use self::view::{View, WebhookView};

/// The view of a dialect, for rows of any kind of aggregate.
pub fn of(dialect: Dialect) -> &'static dyn View {
    match dialect {
        Dialect::StreamGank => &StreamGank,
        Dialect::VidBuilder => &VidBuilder,
        Dialect::Scenes => &Scenes,
        Dialect::Clips => &Clips,
    }
}

/// The view of the clients that submit jobs of this kind.
pub fn of_jobs(kind: JobKind) -> &'static dyn WebhookView<Job> {
    match kind {
        JobKind::Workflow => &StreamGank,
        JobKind::Video => &VidBuilder,
    }
}
