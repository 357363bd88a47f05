//! The graph of a project's scenes: which scene waits for which, and which may start. A pure function of the scenes.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::SceneId;
use crate::projects::scene::{Dependency, Scene, SceneSpec, SceneState};

/// Why scenes form no valid graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two scenes have the same id.
    #[error("the id `{0}` is used twice")]
    SameId(SceneId),
    /// Two scenes have the same number.
    #[error("the scene number `{0}` is used twice")]
    SameNumber(String),
    /// A scene depends on a scene that the project does not have.
    #[error("scene `{scene}` depends on `{on}`, which is not a scene of the project")]
    Unknown {
        /// The scene.
        scene: SceneId,
        /// What it depends on.
        on: SceneId,
    },
    /// A scene depends on itself, directly or through others.
    #[error("scene `{0}` depends on itself, directly or through other scenes")]
    Cycle(SceneId),
    /// A scene lacks an image that its type needs.
    #[error("scene `{scene}` of the type `{kind}` lacks `{member}`")]
    MissingImage {
        /// The scene.
        scene: SceneId,
        /// Its type.
        kind: &'static str,
        /// The member that is missing.
        member: &'static str,
    },
    /// An order does not name each scene exactly once.
    #[error("the order must name each scene of the project exactly once")]
    Order,
}

/// The index of the scene whose last frame scene `index` starts from; none if it needs none.
pub fn dependency(scenes: &[Scene], index: usize) -> Option<usize> {
    match &scenes[index].spec.depends_on {
        Dependency::Previous => index.checked_sub(1),
        Dependency::Nothing => None,
        Dependency::Scene(on) => scenes.iter().position(|scene| scene.id == *on),
    }
}

/// Checks the graph of scenes.
///
/// # Errors
/// [`GraphError`].
pub fn check(scenes: &[Scene]) -> Result<(), GraphError> {
    let (mut ids, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for scene in scenes {
        if !ids.insert(&scene.id) {
            return Err(GraphError::SameId(scene.id.clone()));
        }
        if !numbers.insert(&scene.spec.number) {
            return Err(GraphError::SameNumber(scene.spec.number.clone()));
        }
    }
    for scene in scenes {
        if let Dependency::Scene(on) = &scene.spec.depends_on
            && !ids.contains(on)
        {
            return Err(GraphError::Unknown { scene: scene.id.clone(), on: on.clone() });
        }
    }
    for start in 0..scenes.len() {
        // A walk that is longer than the list has met a scene twice.
        let (mut at, mut steps) = (start, 0);
        while let Some(next) = dependency(scenes, at) {
            (at, steps) = (next, steps + 1);
            if steps > scenes.len() {
                return Err(GraphError::Cycle(scenes[start].id.clone()));
            }
        }
    }
    Ok(())
}

/// Checks that the scenes have the images that their types need, except drafts.
///
/// # Errors
/// [`GraphError::MissingImage`].
pub fn check_images(scenes: &[Scene]) -> Result<(), GraphError> {
    for (index, scene) in scenes.iter().enumerate().filter(|(_, scene)| scene.state != SceneState::Draft) {
        if let Some(member) = missing_image(&scene.spec, dependency(scenes, index).is_some()) {
            let kind = scene.spec.kind.name();
            return Err(GraphError::MissingImage { scene: scene.id.clone(), kind, member });
        }
    }
    Ok(())
}

/// The indexes of the scenes that depend on scene `index`, directly or through others, in order.
pub fn dependants(scenes: &[Scene], index: usize) -> Vec<usize> {
    let depends = |mut at: usize| {
        for _ in 0..scenes.len() {
            match dependency(scenes, at) {
                Some(next) if next == index => return true,
                Some(next) => at = next,
                None => return false,
            }
        }
        false
    };
    (0..scenes.len()).filter(|at| *at != index && depends(*at)).collect()
}

/// The indexes of the scenes that may start now: they are ready, and what they depend on is verified.
pub fn startable(scenes: &[Scene]) -> Vec<usize> {
    let may_start = |index: &usize| {
        matches!(scenes[*index].state, SceneState::Ready | SceneState::Revision)
            && dependency(scenes, *index).is_none_or(|before| scenes[before].is_verified())
    };
    (0..scenes.len()).filter(may_start).collect()
}

/// The natural order of scene numbers: runs of digits compare as numbers, so that `2` comes before `010`, and `002a`
/// after `002`.
pub fn natural(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    loop {
        match (left.chars().next(), right.chars().next()) {
            (None, None) => return one.cmp(other),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (first, second);
                (first, left) = digits(left);
                (second, right) = digits(right);
                let order = first.len().cmp(&second.len()).then_with(|| first.cmp(second));
                if order.is_ne() {
                    return order;
                }
            }
            (Some(a), Some(b)) => {
                if a != b {
                    return a.cmp(&b);
                }
                (left, right) = (&left[a.len_utf8()..], &right[b.len_utf8()..]);
            }
        }
    }
}

/// The digits at the start without leading zeros, and the rest.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

/// Whether a scene cannot be generated since it lacks an image, and the member that is missing; `has_before` says
/// whether it starts from another scene's last frame.
pub fn missing_image(spec: &SceneSpec, has_before: bool) -> Option<&'static str> {
    use crate::projects::scene::SceneKind;
    match spec.kind {
        SceneKind::TextToVideo => None,
        SceneKind::ImageToVideo | SceneKind::FirstLastFrame => {
            (spec.first_frame.is_none() && !has_before).then_some("firstFrameUrl")
        }
        SceneKind::CompositeToVideo => spec.images.is_empty().then_some("imageUrls"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_people_read_them() {
        let mut numbers = ["10", "002a", "2", "010b", "1", "002", "a", "2b", "010"];
        numbers.sort_by(|one, other| natural(one, other));
        assert_eq!(numbers, ["1", "002", "2", "002a", "2b", "010", "10", "010b", "a"]);
    }
}
