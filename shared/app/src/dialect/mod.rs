//! The dialects: views of a job in the words of its clients. The domain knows none of these names.

pub mod streamgank;
