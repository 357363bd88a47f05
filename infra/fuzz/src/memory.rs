//! The bytes that a process has allocated, as infra/load/allocations.c counts them when it is preloaded: an allocator in Rust
//! would be unsafe code.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The variable with the path of the file in which the counts are.
pub const VARIABLE: &str = "ALLOCATIONS_FILE";

/// Reads the counts; without the preloaded library there are none.
#[derive(Debug, Default)]
pub struct Meter(Option<File>);

impl Meter {
    /// The meter of this process.
    ///
    /// # Errors
    /// If the file that the variable names can't be opened.
    pub fn of_process() -> std::io::Result<Self> {
        std::env::var_os(VARIABLE).map(File::open).transpose().map(Self)
    }

    /// Whether allocations are counted.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The bytes of all allocations so far.
    pub fn bytes(&self) -> u64 {
        let mut counts = [0; 16];
        let read = self.0.as_ref().is_some_and(|file| file.read_exact_at(&mut counts, 0).is_ok());
        let (_, bytes) = counts.split_at(8);
        if read { bytes.try_into().map_or(0, u64::from_ne_bytes) } else { 0 }
    }
}
