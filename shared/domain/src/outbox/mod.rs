//! What a new version causes outside of its item.

pub(crate) mod effect;
pub(crate) mod hint;
pub(crate) mod history;
pub(crate) mod live;
pub(crate) mod log;
