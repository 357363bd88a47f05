//! Why a scene could not be rendered. The variants separate errors for the client from errors for the log.

use std::path::PathBuf;

use reelhook_domain::videos::film::ImageRef;

/// Why a scene or film could not be drawn, encoded or joined.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The fonts are missing or unusable.
    #[error("fonts below `{directory}` can't be used: {reason}")]
    Fonts {
        /// The directory that was searched.
        directory: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An image is missing, damaged or too large.
    #[error("the image {} {reason}", name(image))]
    Image {
        /// The image.
        image: ImageRef,
        /// What is wrong with it, for the client: the rest of a sentence about the image.
        reason: String,
    },
    /// A video that was made elsewhere can't be used.
    #[error("the video {0}")]
    Video(String),
    /// The requested size is not supported.
    #[error("size `{width}x{height}` is not supported; each side must be even and from 64 to 8192 pixels")]
    Size {
        /// The requested width in pixels.
        width: u32,
        /// The requested height in pixels.
        height: u32,
    },
    /// An operation on a file or pipe failed.
    #[error("failed to {action}")]
    Io {
        /// The operation.
        action: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// ffmpeg exited with an error.
    #[error("ffmpeg failed to {action} ({status}): {stderr}")]
    Ffmpeg {
        /// What ffmpeg was meant to do.
        action: &'static str,
        /// Its exit status.
        status: String,
        /// The last 400 characters of its error output.
        stderr: String,
    },
    /// The caller stopped the rendering.
    #[error("rendering was stopped by the caller")]
    Stopped,
    /// The drawing thread ended early.
    #[error("the drawing thread ended before the last frame")]
    DrawingThread,
}

/// The name of an image in messages: its key, or the host of its URL. The rest of a URL may contain a secret.
fn name(image: &ImageRef) -> String {
    match image {
        ImageRef::Key(key) => format!("`{key}`"),
        ImageRef::Url(url) => {
            let url = url.as_written();
            let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
            let server = rest.split(['/', '?', '#']).next().unwrap_or_default();
            format!("at {}", server.rsplit('@').next().unwrap_or_default())
        }
    }
}
