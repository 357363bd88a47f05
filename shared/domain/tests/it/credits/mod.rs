//! Credits through their public API.

mod histories;
