//! What a new version wants done outside of its item.

pub(crate) mod effect;
