//! The tables and settings of webhooks, and the AWS services that receive them.

pub mod cloud_transport;
pub mod deliveries;
mod due;
pub mod endpoints;
mod lists;
pub mod recoveries;
pub mod registrations;
pub mod rows;
pub mod secrets;
mod together;
pub mod triggers;
