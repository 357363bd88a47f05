//! Files of renderers: writes, and the error when one fails.

use std::path::Path;

use reelhook_app::videos::draw_error::DrawError;

/// Writes a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), DrawError> {
    std::fs::write(path, bytes).map_err(disk_error)
}

/// The error of a file that could not be read or written.
pub(super) fn disk_error(error: std::io::Error) -> DrawError {
    DrawError::Renderer(format!("no room on the disk: {error}"))
}
