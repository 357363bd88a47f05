//! Adapters to AWS: DynamoDB, SQS, S3 and SSM behind the ports of `reelhook-app`, and what every function starts with.

mod batch;
mod calls;
pub mod catalog;
pub mod clients;
mod conditional;
pub mod environment;
mod errors;
pub mod items;
pub mod jobs;
pub mod limits;
mod log_lines;
pub mod objects;
pub mod outbox;
mod retry;
pub mod settings;
pub mod start;
mod transactions;
pub mod videos;
pub mod webhooks;
