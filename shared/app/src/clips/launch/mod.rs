//! The launcher of clip jobs: it submits a job to the clipping worker, looks it up where the answer was lost, and polls it.
//! Each hint sends one request about its job, and one more to cancel what no job needs.

mod cancel;
mod ports;
mod work;

pub use cancel::cancel;
pub use ports::ClipLaunchPorts;
pub use work::work;
