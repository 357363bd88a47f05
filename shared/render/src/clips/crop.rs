//! The vertical crop: one place for each scene, where most happens, so that the picture never moves within a scene.

use crate::clips::pictures::{Columns, SIZE};

/// How much motion counts; the rest is detail.
const MOTION: f32 = 0.7;
/// How much of what a crop shows it must gain for each column that it is away from the middle.
const MIDDLE: f32 = 0.002;
/// Places that differ by so many columns at most are one place: a small jump at a cut looks like a mistake.
const SAME: f32 = 5.0;
/// A shorter scene keeps the place of the scene before, in frames.
const SHORT: usize = 12;
/// The places of a clip at most: ffmpeg gets all of them in one argument.
const MOST: usize = 200;

/// Where the crop begins, in columns of scanned pictures, from a frame of the clip on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub frame: usize,
    pub column: f32,
}

/// What happens in a scene of a clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SceneColumns {
    /// Its frames.
    pub first: usize,
    pub end: usize,
    pub columns: Columns,
}

/// The places of a crop of this width in columns: one for each scene, or fewer if neighbours have the same one.
pub(crate) fn places(scenes: &[SceneColumns], width: f32) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for scene in scenes {
        let column = best(&scene.columns, width);
        match places.last() {
            Some(before) if scene.end - scene.first < SHORT || (before.column - column).abs() <= SAME => {}
            _ => places.push(Place { frame: scene.first, column }),
        }
    }
    // Scenes keep the place of the scene before where that is nearest.
    while places.len() > MOST {
        let moved = |at: &usize| (places[*at].column - places[at - 1].column).abs();
        let nearest = (1..places.len()).min_by(|one, other| moved(one).total_cmp(&moved(other)));
        places.remove(nearest.unwrap_or(MOST));
    }
    places
}

/// The column at which a crop begins that shows most of what happens; the middle if it is the same everywhere.
fn best(columns: &Columns, width: f32) -> f32 {
    let profile = profile(columns);
    let last = (SIZE.0 as f32 - width).max(0.0);
    let steps = (last * 2.0).floor() as usize;
    let value = |column: f32| shown(&profile, column, width) - MIDDLE * (column - last / 2.0).abs();
    let middle = last / 2.0;
    let mut found = (value(middle), middle);
    for column in (0..=steps).map(|step| step as f32 / 2.0).chain([last]) {
        let value = value(column);
        if value > found.0 + 1e-4 {
            found = (value, column);
        }
    }
    found.1
}

/// How much of what happens is in each column; the sum is 1, or 0 if nothing stands out.
fn profile(columns: &Columns) -> [f32; SIZE.0] {
    let (motion, detail) = (standing_out(&columns.motion), standing_out(&columns.detail));
    let mut profile = [0.0; SIZE.0];
    for (at, value) in profile.iter_mut().enumerate() {
        *value = MOTION * motion[at] + (1.0 - MOTION) * detail[at];
    }
    profile
}

/// The parts above the middle value, which is the background's, as shares of their sum.
fn standing_out(values: &[f32; SIZE.0]) -> [f32; SIZE.0] {
    let mut sorted = *values;
    sorted.sort_by(f32::total_cmp);
    let usual = sorted[SIZE.0 / 2];
    let above = values.map(|value| (value - usual).max(0.0));
    let sum: f32 = above.iter().sum();
    if sum > 1e-3 { above.map(|value| value / sum) } else { [0.0; SIZE.0] }
}

/// The sum of the columns that a crop shows, with parts of those at its edges.
fn shown(profile: &[f32; SIZE.0], from: f32, width: f32) -> f32 {
    let until = from + width;
    let part = |at: usize| ((at as f32 + 1.0).min(until) - (at as f32).max(from)).clamp(0.0, 1.0);
    profile.iter().enumerate().map(|(at, value)| value * part(at)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: f32 = 20.25;

    /// A scene in which something moves in these columns.
    fn scene(first: usize, end: usize, moving: std::ops::Range<usize>) -> SceneColumns {
        let mut columns = Columns { motion: [1.0; SIZE.0], detail: [1.0; SIZE.0] };
        columns.motion[moving].fill(50.0);
        SceneColumns { first, end, columns }
    }

    #[test]
    fn a_crop_shows_what_moves_and_else_the_middle() {
        let middle = (SIZE.0 as f32 - WIDTH) / 2.0;
        assert_eq!(places(&[scene(0, 100, 0..0)], WIDTH), [Place { frame: 0, column: middle }]);
        for moving in [0..6, 10..24, 50..64] {
            let column = places(&[scene(0, 100, moving.clone())], WIDTH)[0].column;
            let shows = column <= moving.start as f32 && column + WIDTH >= moving.end as f32;
            assert!(shows && column >= 0.0 && column + WIDTH <= 64.0, "{moving:?}: {column}");
        }
        // All of it, if the source is narrower than the crop.
        assert_eq!(places(&[scene(0, 100, 50..64)], 64.0)[0].column, 0.0);
    }

    #[test]
    fn each_scene_has_one_place_and_near_ones_are_the_same() {
        let scenes = [
            scene(0, 50, 2..10),
            scene(50, 90, 4..12),
            scene(90, 140, 54..62),
            scene(140, 150, 2..10),
            scene(150, 200, 54..62),
        ];
        let places = places(&scenes, WIDTH);
        assert_eq!(places.iter().map(|place| place.frame).collect::<Vec<_>>(), [0, 90]);
        assert!(places[0].column <= 2.0 && places[1].column > 40.0, "{places:?}");
    }

    #[test]
    fn a_clip_of_many_scenes_keeps_the_largest_steps() {
        let far = |at: usize| if at.is_multiple_of(2) { 2..10 } else { 54..62 };
        let scenes: Vec<SceneColumns> = (0..300)
            .map(|at| scene(at * 12, (at + 1) * 12, if at < 150 { far(at) } else { 10 + at % 3 * 6..16 + at % 3 * 6 }))
            .collect();
        let places = places(&scenes, WIDTH);
        assert_eq!(places.len(), MOST);
        let frames: Vec<usize> = places.iter().map(|place| place.frame).collect();
        assert_eq!(frames[..150], (0..150).map(|at| at * 12).collect::<Vec<usize>>());
        assert!(frames.is_sorted());
    }
}
