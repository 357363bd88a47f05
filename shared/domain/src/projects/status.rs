//! The status of a project as clients see it.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// The status of a project as clients see it. The names are those of the wire.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumString,
    IntoStaticStr,
    VariantArray,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ProjectStatus {
    /// Not started.
    Draft,
    /// Its scenes are being generated.
    Generating,
    /// Its scenes are being stitched.
    Stitching,
    /// Its video is there.
    Completed,
    /// A scene or the stitch failed for good.
    Failed,
    /// A person cancelled it.
    Cancelled,
}

impl ProjectStatus {
    /// Every status.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether only a command continues it.
    pub fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled => true,
            Self::Draft | Self::Generating | Self::Stitching => false,
        }
    }
}
