//! Whether the content of a scene is visible.

use reelhook_domain::videos::film::Item;

use crate::spans;

/// Whether a text has visible characters.
pub(super) fn has_text(text: &str) -> bool {
    !spans::clean(text).is_empty()
}

/// Whether an item has visible content.
pub(super) fn has_content(item: &Item) -> bool {
    [&item.title, &item.text, &item.value].into_iter().any(|text| has_text(text))
        || item.image.is_some()
        || item.points.iter().any(|point| has_text(point))
}
