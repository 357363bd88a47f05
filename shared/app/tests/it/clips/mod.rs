//! Clip jobs: what the launcher does at the clipping worker, and histories of jobs with their credits.

mod histories;
mod launch;
