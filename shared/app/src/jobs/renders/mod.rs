//! Renders at Creatomate: their callbacks, and checks of their state (docs/contract/renders.md).

mod callback;
mod checks;
mod ports;
mod receive;
mod service;

pub use callback::{Callback, Run};
pub use checks::{RenderLookup, check_render, look_up};
pub use ports::{CallbackPorts, RenderPorts, RenderStore};
pub use receive::{CallbackAuth, Received, apply_parked, receive};
pub use service::Creatomate;
