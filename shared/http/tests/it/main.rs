//! The routes as callers meet them, from sample events.

mod log_lines;
