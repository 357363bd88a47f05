//! Renders at Creatomate: their callbacks, and checks of their state (docs/contract/renders.md).

mod callback;
mod checks;
mod ports;
mod receive;

pub use callback::{Callback, Run};
pub use checks::{Creatomate, RenderLookup, check_render, look_up};
pub use ports::{RenderPorts, RenderStore};
pub use receive::{CallbackAuth, Received, apply_parked, receive};
