//! WebSocket connections: their table, the gateway that holds them, and the flag that there are some.

pub mod connections;
mod rows;
mod slots;
pub mod sockets;
pub mod viewers;
