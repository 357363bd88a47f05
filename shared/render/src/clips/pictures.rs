//! The pictures of a source, scaled down: how much changes from frame to frame, and where.

/// The size of the scanned pictures, whatever the shape of the source. Brightness has a value for each pixel, colours
/// two values for each four pixels.
pub(crate) const SIZE: (usize, usize) = (64, 36);
/// The bytes of a picture.
pub(crate) const BYTES: usize = SIZE.0 * SIZE.1 * 3 / 2;
/// The frames whose columns are added up.
const GROUP: usize = 8;
/// The least change at a scene change, of 255.
const LEAST_CHANGE: f32 = 7.0;
/// How many times more changes at a scene change than at the frames around it.
const TIMES_AROUND: f32 = 2.5;
/// The frames on each side that a scene change is compared with. Most of them may repeat the one before, as in a
/// recording of few frames per second.
const AROUND: usize = 12;
/// The shortest scene in microseconds: flashes are no scenes.
const SHORTEST: u64 = 400_000;

/// How much changes from one picture to the next: mean differences of 255 at most.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Change {
    brightness: f32,
    /// Brightness and colours together.
    all: f32,
}

/// What happens in each column of the pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Columns {
    /// Changes of brightness.
    pub motion: [f32; SIZE.0],
    /// Edges: differences of neighbouring pixels.
    pub detail: [f32; SIZE.0],
}

impl Columns {
    const NONE: Self = Self { motion: [0.0; SIZE.0], detail: [0.0; SIZE.0] };

    fn add(&mut self, other: &Self) {
        for (sum, value) in self.motion.iter_mut().zip(other.motion) {
            *sum += value;
        }
        for (sum, value) in self.detail.iter_mut().zip(other.detail) {
            *sum += value;
        }
    }
}

/// The measures of all pictures so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Pictures {
    before: Vec<u8>,
    changes: Vec<Change>,
    groups: Vec<Columns>,
}

impl Pictures {
    /// Measures the next picture.
    pub fn push(&mut self, picture: &[u8]) {
        let mut columns = Columns::NONE;
        let (brightness, colours) = picture.split_at(SIZE.0 * SIZE.1);
        let mut change = Change::default();
        if self.before.len() == picture.len() {
            let (brightness_before, colours_before) = self.before.split_at(SIZE.0 * SIZE.1);
            for (row, before) in brightness.chunks_exact(SIZE.0).zip(brightness_before.chunks_exact(SIZE.0)) {
                for ((sum, value), before) in columns.motion.iter_mut().zip(row).zip(before) {
                    *sum += f32::from(value.abs_diff(*before));
                }
            }
            change.brightness = columns.motion.iter().sum::<f32>() / (SIZE.0 * SIZE.1) as f32;
            change.all = change.brightness + mean_difference(colours, colours_before);
        }
        for row in brightness.chunks_exact(SIZE.0) {
            for (at, pair) in row.windows(2).enumerate() {
                columns.detail[at] += f32::from(pair[0].abs_diff(pair[1]));
            }
        }
        if self.changes.len().is_multiple_of(GROUP) {
            self.groups.push(Columns::NONE);
        }
        if let Some(group) = self.groups.last_mut() {
            group.add(&columns);
        }
        self.changes.push(change);
        self.before.clear();
        self.before.extend_from_slice(picture);
    }

    /// The number of pictures.
    pub fn count(&self) -> usize {
        self.changes.len()
    }

    /// The first frames of new scenes, but not the first frame of all; `times` are those of the pictures in
    /// microseconds.
    pub fn scene_changes(&self, times: &[u64]) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for (index, time) in times.iter().enumerate().take(self.changes.len()).skip(1) {
            let change = self.changes[index].all;
            let began = times[found.last().copied().unwrap_or_default()];
            if change >= LEAST_CHANGE
                && time.saturating_sub(began) >= SHORTEST
                && change >= self.around(index) * TIMES_AROUND
            {
                found.push(index);
            }
        }
        found
    }

    /// The change at the livelier ones of the frames around this one. A sixth of them may be other scene changes.
    fn around(&self, index: usize) -> f32 {
        // Near an end there are more on the other side. The first picture has none before it.
        let until = index.max(AROUND + 1).saturating_add(AROUND + 1).min(self.changes.len());
        let from = index.saturating_sub(AROUND).min(until.saturating_sub(2 * AROUND + 1)).max(1);
        let around = (from..until).filter(|at| *at != index).map(|at| self.changes[at].all);
        let mut around: Vec<f32> = around.collect();
        around.sort_by(f32::total_cmp);
        around.get(around.len().saturating_sub(1) * 5 / 6).copied().unwrap_or_default()
    }

    /// The motion of each second; scene changes are none.
    pub fn motion(&self, times: &[u64], scene_changes: &[usize]) -> Vec<f32> {
        let seconds = times.last().map_or(0, |last| last / 1_000_000 + 1);
        let mut motion = vec![0.0; usize::try_from(seconds).unwrap_or_default()];
        for (index, (change, time)) in self.changes.iter().zip(times).enumerate() {
            if scene_changes.binary_search(&index).is_err()
                && let Some(second) = motion.get_mut((time / 1_000_000) as usize)
            {
                *second += change.brightness;
            }
        }
        motion
    }

    /// What happens in the columns during the frames `first` to `end`. Frames at the edges may be left out, so that the
    /// change of scenes is not taken for motion.
    pub fn columns(&self, first: usize, end: usize) -> Columns {
        let inside = first.div_ceil(GROUP)..(end / GROUP).min(self.groups.len());
        // At its first frame, a group has the change from the scene before.
        let inside = if first > 0 && first.is_multiple_of(GROUP) { inside.start + 1..inside.end } else { inside };
        let touched = first / GROUP..end.div_ceil(GROUP).min(self.groups.len());
        let mut sum = Columns::NONE;
        for group in if inside.is_empty() { touched } else { inside } {
            sum.add(&self.groups[group]);
        }
        sum
    }
}

fn mean_difference(one: &[u8], other: &[u8]) -> f32 {
    let sum: u32 = one.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(*other))).sum();
    sum as f32 / one.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = 40_000;

    /// A picture of one brightness and colour, with a bright bar that is four columns wide.
    fn picture(brightness: u8, colour: u8, bar: usize) -> Vec<u8> {
        let mut picture = vec![brightness; SIZE.0 * SIZE.1];
        for row in picture.chunks_exact_mut(SIZE.0) {
            row[bar..bar + 4].fill(255);
        }
        picture.resize(BYTES, colour);
        picture
    }

    fn measured(pictures: impl IntoIterator<Item = Vec<u8>>) -> (Pictures, Vec<u64>) {
        let mut measured = Pictures::default();
        pictures.into_iter().for_each(|picture| measured.push(&picture));
        let times = (0..measured.count() as u64).map(|frame| frame * FRAME).collect();
        (measured, times)
    }

    #[test]
    fn scenes_change_where_brightness_or_colours_do() {
        let scenes = [(30, 40, 128), (30, 90, 128), (25, 90, 30), (5, 10, 30), (30, 200, 200)];
        let (pictures, times) =
            measured(scenes.iter().flat_map(|(frames, light, colour)| vec![picture(*light, *colour, 8); *frames]));
        assert_eq!(pictures.scene_changes(&times), [30, 60, 85], "five frames are a flash");
    }

    #[test]
    fn steady_motion_is_no_scene_change() {
        for repeats in 1..=4 {
            let (pictures, times) = measured((0..60 * repeats).map(|frame| picture(20, 128, frame / repeats)));
            assert!(pictures.scene_changes(&times).is_empty(), "each picture {repeats} times");
            let motion = pictures.motion(&times, &[]);
            assert!(motion[1] > 30.0, "{motion:?}");
        }
    }

    #[test]
    fn columns_tell_where_something_moves() {
        let still = vec![picture(20, 128, 4); 40];
        let moving = (0..40).map(|frame| picture(120, 128, 40 + [0, 1, 2, 3, 4, 3, 2, 1][frame % 8]));
        let (pictures, times) = measured(still.into_iter().chain(moving));
        assert_eq!(pictures.scene_changes(&times), [40]);
        let (first, second) = (pictures.columns(0, 40), pictures.columns(40, 80));
        assert_eq!(first.motion.iter().sum::<f32>(), 0.0);
        assert!(first.detail[3] > 0.0 && first.detail[30] == 0.0);
        assert_eq!(second.motion[..40].iter().sum::<f32>(), 0.0, "without the change of scenes");
        assert!(second.motion[44] > 0.0);
        assert_eq!(pictures.motion(&times, &[40])[0], 0.0);
    }
}
