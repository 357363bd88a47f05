//! A label in each video: its project and scene, in a box of the MP4 that players skip. The service for last frames and
//! stitches is told nothing but URLs, also those of copies, and knows by the label whose videos they are.

use serde::{Deserialize, Serialize};

/// The type of boxes that players skip.
const FREE: &[u8; 4] = b"free";
/// Bytes of a box's size and type.
const HEAD: usize = 8;

/// What a video belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Label {
    pub project: Option<String>,
    pub scene: Option<String>,
}

impl Label {
    /// The box to append to an MP4.
    pub(crate) fn to_box(&self) -> Vec<u8> {
        // Two optional strings always become JSON.
        let text = serde_json::to_vec(self).unwrap_or_default();
        let size = u32::try_from(HEAD + text.len()).unwrap_or(u32::MAX);
        let mut label = size.to_be_bytes().to_vec();
        label.extend_from_slice(FREE);
        label.extend(text);
        label
    }

    /// The label of an MP4; none if it has no such box.
    pub(crate) fn read(mut file: &[u8]) -> Option<Self> {
        let mut found = None;
        while let Some((head, _)) = file.split_at_checked(HEAD) {
            let size = u32::from_be_bytes(head[..4].try_into().ok()?);
            let size = match size {
                0 => file.len(),
                // A size of 64 bits follows.
                1 => usize::try_from(u64::from_be_bytes(file.get(HEAD..16)?.try_into().ok()?)).ok()?,
                size => usize::try_from(size).ok()?,
            };
            if size < HEAD {
                return found;
            }
            let Some((this, rest)) = file.split_at_checked(size) else {
                return found;
            };
            if &this[4..HEAD] == FREE {
                found = serde_json::from_slice(&this[HEAD..]).ok().or(found);
            }
            file = rest;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIP: &[u8] = include_bytes!("../../files/clip.mp4");

    #[test]
    fn a_label_is_read_again() {
        let label = Label { project: Some("proj_1".to_owned()), scene: None };
        let mut file = CLIP.to_vec();
        file.extend(label.to_box());
        assert_eq!(Label::read(&file), Some(label));
    }

    #[test]
    fn other_files_have_no_label() {
        let check = |file: &[u8]| assert_eq!(Label::read(file), None);
        check(CLIP);
        check(b"");
        check(b"no video at all");
        check(b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff");
        check(&CLIP[..100]);
    }
}
