//! Routes of credits: the account of a caller, and credits that an operator adds.

pub mod answers;
pub mod requests;

/// The family's paths with their methods ([`crate::routes`]).
pub(crate) const ROUTES: &[(&str, &[&str])] =
    &[("/ai-clipping-agent/credits", &["GET", "POST"]), ("/api/ai-clipping-agent/credits", &["GET", "POST"])];
