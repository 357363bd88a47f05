//! What can go wrong between a scene and its file, named so that the log and the client's message can tell them apart.

use std::path::PathBuf;

use reelhook_domain::videos::film::ImageRef;

/// Why something could not be drawn, encoded or joined.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The typefaces are not where they should be.
    #[error("cannot use the fonts below `{directory}`: {reason}")]
    Fonts {
        /// Where they were looked for.
        directory: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A picture is missing, broken or too large.
    #[error("the picture {} {reason}", name(image))]
    Image {
        /// Which one.
        image: ImageRef,
        /// What is wrong, as a client may read it: the rest of the sentence.
        reason: String,
    },
    /// A size that no video has.
    #[error("a picture of {width}x{height} cannot be drawn")]
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// A file or a pipe failed.
    #[error("cannot {action}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// ffmpeg ended with an error.
    #[error("ffmpeg could not {action} ({status}): {stderr}")]
    Ffmpeg {
        /// What it was asked to do.
        action: &'static str,
        /// How it ended.
        status: String,
        /// The last 400 characters that it said.
        stderr: String,
    },
    /// The caller asked to stop.
    #[error("stopped before the end")]
    Stopped,
    /// The thread that draws ended early.
    #[error("the drawing ended before the last frame")]
    Drawing,
}

/// A picture as others may read of it: its URL may hold a secret, its server does not.
fn name(image: &ImageRef) -> String {
    match image {
        ImageRef::Key(key) => format!("`{key}`"),
        ImageRef::Url(url) => {
            let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            let server = rest.split(['/', '?', '#']).next().unwrap_or_default();
            format!("at {}", server.rsplit('@').next().unwrap_or_default())
        }
    }
}
