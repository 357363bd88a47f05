//! Adapters to AWS: DynamoDB, SQS, S3 and SSM behind the ports of `reelhook-app`, and what every function starts with.

mod batch;
mod calls;
pub mod carrier;
pub mod catalog;
pub mod clients;
mod conditional;
pub mod counters;
pub mod deliveries;
pub mod due;
pub mod endpoints;
pub mod environment;
mod errors;
pub mod items;
pub mod job_events;
mod job_lists;
pub mod jobs;
pub mod limits;
pub mod objects;
pub mod queues;
pub mod recoveries;
pub mod registrations;
pub mod settings;
pub mod start;
pub mod stream;
mod transactions;
pub mod triggers;
pub mod viewers;
