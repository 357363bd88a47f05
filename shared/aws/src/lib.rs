//! Adapters to AWS: the ports of `reelhook-app` on DynamoDB, SQS, S3 and SSM, and the start of every function.

mod aggregates;
mod batch;
mod calls;
pub mod catalog;
pub mod clients;
pub mod clips;
mod conditional;
pub mod credits;
pub mod environment;
pub mod errors;
pub mod items;
pub mod jobs;
pub mod limits;
pub mod live;
mod log_lines;
pub mod metrics;
pub mod objects;
pub mod outbox;
pub mod projects;
pub mod resources;
mod retry;
pub mod settings;
pub mod start;
mod transactions;
pub mod videos;
pub mod webhooks;
