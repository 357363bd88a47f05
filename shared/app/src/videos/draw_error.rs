//! The error of rendering work, which says whether a retry may succeed.

use crate::store::StoreError;

/// Why a piece failed.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The film can't be rendered, and a retry would fail again; the text is a sentence for the client.
    #[error("{0}")]
    Input(String),
    /// An asset of the film can't be fetched or shown.
    #[error("{place}: {why}")]
    Asset {
        /// The path of the asset in the request, such as `scenes[0].content.items[2].image`.
        place: String,
        /// A sentence that says what is wrong with the asset.
        why: String,
        /// Whether a retry would fail again.
        permanent: bool,
    },
    /// The renderer failed; a retry may succeed.
    #[error("{0}")]
    Renderer(String),
    /// A store failed; a retry may succeed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DrawError {
    /// Whether a retry would fail again.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Input(_) => true,
            Self::Asset { permanent, .. } => *permanent,
            Self::Renderer(_) | Self::Store(_) => false,
        }
    }

    /// The same error, about the asset at the path `place`.
    pub(crate) fn at(self, place: String) -> Self {
        match self {
            Self::Input(why) => Self::Asset { place, why, permanent: true },
            Self::Renderer(why) => Self::Asset { place, why, permanent: false },
            known @ (Self::Asset { .. } | Self::Store(_)) => known,
        }
    }
}
