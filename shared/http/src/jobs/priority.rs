//! The priority of a new job or video: its place among the caller's own.

use reelhook_domain::Priority;

use crate::typed::fields::Whole;

/// The member `priority` of a request.
pub(crate) type PriorityField = Whole<0, { Priority::MOST as i64 }>;

/// The priority that a request names, or the usual one.
pub(crate) fn priority(given: Option<PriorityField>) -> Priority {
    given.and_then(|given| Priority::new(given.get())).unwrap_or_default()
}
