//! Clip jobs: what the launcher does at the clipping worker, histories of jobs with their credits, and a job's own receiver.

mod histories;
mod launch;
mod own_receiver;
