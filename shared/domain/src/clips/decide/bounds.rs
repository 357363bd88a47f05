//! Bounds of what workers and renderers say about a job: its item has at most 400 KB.

use serde_json::{Map, Value};

use crate::clips::clip::Clip;

/// Characters of what a job does at present.
pub(super) const STAGE: usize = 200;
/// Characters of an error or a note.
pub(super) const ERROR: usize = 1000;
/// Characters of what a clip is about.
const SUMMARY: usize = 2000;
/// Words about a clip.
const TAGS: usize = 20;
/// Characters of one such word.
const TAG: usize = 50;
/// Characters of the name of a clip's shape.
const LAYOUT: usize = 50;
/// Bytes of the parts of a score as JSON.
const SCORE_BASIS: usize = 2048;
/// Bytes of all clips as JSON, after which clips get no further texts.
const CLIPS: usize = 192 * 1024;

/// The start of a text: at most so many characters.
pub(super) fn text(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

pub(super) fn summary(summary: &str) -> String {
    text(summary, SUMMARY)
}

pub(super) fn tags(tags: &[String]) -> Vec<String> {
    tags.iter().take(TAGS).map(|tag| text(tag, TAG)).collect()
}

pub(super) fn layout(layout: &str) -> String {
    text(layout, LAYOUT)
}

/// The parts of a score, without those for which there is no room.
pub(super) fn score_basis(parts: &Map<String, Value>) -> Map<String, Value> {
    let mut kept = Map::new();
    // The braces.
    let mut bytes = 2;
    for (name, part) in parts {
        // The colon and the comma.
        bytes += json(name) + json(part) + 2;
        if bytes > SCORE_BASIS {
            break;
        }
        kept.insert(name.clone(), part.clone());
    }
    kept
}

/// The bytes that clips may still grow by.
pub(super) fn room(clips: &[Clip]) -> usize {
    CLIPS.saturating_sub(clips.iter().map(size).sum())
}

/// The size of a clip, in bytes.
pub(super) fn size(clip: &Clip) -> usize {
    json(clip)
}

/// The size of a value as JSON, in bytes.
fn json(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        for (given, most, expected) in [("abc", 2, "ab"), ("aé🎬b", 3, "aé🎬"), ("", 1, ""), ("ab", 9, "ab")] {
            assert_eq!(text(given, most), expected);
        }
        assert_eq!(summary(&"é".repeat(2001)).chars().count(), 2000);
        assert_eq!(layout(&"x".repeat(51)).len(), 50);
        let words = vec!["x".repeat(51); 21];
        assert_eq!(tags(&words), vec!["x".repeat(50); 20]);
    }

    #[test]
    fn the_parts_of_a_score_fit_into_two_kib() {
        let parts = |count: usize| {
            (0..count).map(|n| (format!("part{n:03}"), json!("x".repeat(90)))).collect::<Map<String, Value>>()
        };
        assert_eq!(score_basis(&parts(10)), parts(10));
        let kept = score_basis(&parts(100));
        assert!(kept.len() > 10 && kept.len() < 100);
        assert!(json(&kept) <= SCORE_BASIS && kept.keys().eq(parts(kept.len()).keys()));
        let huge = [("all".to_owned(), json!("x".repeat(5000)))].into_iter().collect();
        assert!(score_basis(&huge).is_empty());
    }
}
