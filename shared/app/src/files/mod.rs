//! Files of projects and clips: in the bucket, and at outside services.

pub(crate) mod fetch;
pub mod links;
pub mod ports;
