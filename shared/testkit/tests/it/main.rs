//! Rules of the workspace that a tool can check, each with its reason.

mod rules;
