//! Tests of the adapters: real SDK clients with their retries, over replayed HTTP.

mod catalog;
mod clips;
mod cloud_transport;
mod counter_shards;
mod counters;
mod credits;
mod daily_limits;
mod deliveries;
mod endpoints;
mod errors;
mod exact_limits;
mod golden;
mod job_events;
mod jobs;
mod live;
mod objects;
mod opened;
mod projects;
mod queues;
mod registrations;
mod replay;
mod retry;
mod settings;
mod slots;
mod start;
mod stream;
