//! The views of the dialects: how clients see jobs. The domain knows none of these names.

pub mod captions;
pub mod dialect;
pub mod streamgank;
pub mod vidbuilder;
pub mod view;

use reelhook_domain::Job;

pub use self::dialect::Dialect;
use self::streamgank::StreamGank;
use self::vidbuilder::VidBuilder;
use self::view::WebhookView;

/// The view of a dialect.
pub fn of(dialect: Dialect) -> &'static dyn WebhookView<Job> {
    match dialect {
        Dialect::StreamGank => &StreamGank,
        Dialect::VidBuilder => &VidBuilder,
    }
}
