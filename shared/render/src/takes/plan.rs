//! How takes are joined: at which frame rate and size, with how many frames of each, and whether they are copied as they
//! are.

use crate::takes::probe::Probe;

/// The rates that a take of an uneven or imprecise rate is given: frames in so many seconds, as a fraction.
const USUAL: [(u32, u32); 10] =
    [(10, 1), (12, 1), (15, 1), (24_000, 1001), (24, 1), (25, 1), (30_000, 1001), (30, 1), (50, 1), (60, 1)];
/// The highest rate.
const HIGHEST: Rate = Rate { frames: 60, seconds: 1 };
/// The longest side in pixels.
const LONGEST_SIDE: u32 = 3840;
/// The samples of sound per second.
pub(crate) const SAMPLES: u32 = 48_000;

/// A constant frame rate: so many frames in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The frames.
    pub frames: u32,
    /// The seconds.
    pub seconds: u32,
}

/// The timing of a take.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Timing {
    /// Every frame lasts so many units of the time base.
    Even(i64),
    /// Every frame lasts equally long, as far as the time base shows.
    Rounded(Rate),
    /// Frames last differently long; the usual rate that is nearest to most of them.
    Uneven(Rate),
}

/// How takes are joined.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub rate: Rate,
    /// Width and height.
    pub size: (u32, u32),
    /// The frames of each take.
    pub parts: Vec<Part>,
    /// If the takes can be copied, the duration of a frame, in units of their time base.
    pub copied: Option<i64>,
}

/// What is joined of a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its frames at the plan's rate.
    pub frames: u32,
    /// Whether its frames are taken one by one, since it has the plan's rate.
    pub one_by_one: bool,
}

impl Rate {
    fn new(frames: u64, seconds: u64) -> Option<Self> {
        let (mut one, mut other) = (frames, seconds);
        while other != 0 {
            (one, other) = (other, one % other);
        }
        let divisor = one.max(1);
        let rate = Self { frames: (frames / divisor).try_into().ok()?, seconds: (seconds / divisor).try_into().ok()? };
        (rate.frames > 0 && rate.seconds > 0).then_some(rate)
    }

    /// Frames per second.
    pub fn per_second(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds)
    }

    /// The usual rate that is nearest to so many frames per second.
    fn nearest(per_second: f64) -> Self {
        let away = |rate: &Self| (rate.per_second() / per_second).ln().abs();
        let usual = USUAL.map(|(frames, seconds)| Self { frames, seconds });
        usual.into_iter().min_by(|one, other| away(one).total_cmp(&away(other))).unwrap_or(HIGHEST)
    }

    /// The time scale of a file in ticks per second, and the duration of a frame in ticks, which is a whole number.
    pub(crate) fn ticks(self) -> (u32, u32) {
        let factor = 10_000_u32.div_ceil(self.frames);
        (self.frames.saturating_mul(factor), self.seconds.saturating_mul(factor))
    }

    /// The sample of the sound at which a frame starts.
    pub(crate) fn sample(self, frame: u64) -> u64 {
        let (frame, samples) = (u128::from(frame), u128::from(SAMPLES));
        let (seconds, frames) = (u128::from(self.seconds), u128::from(self.frames));
        u64::try_from((frame * samples * seconds * 2 + frames) / (frames * 2)).unwrap_or(u64::MAX)
    }

    /// The length of so many frames in milliseconds.
    pub(crate) fn millis(self, frames: u64) -> u64 {
        u64::try_from(u128::from(frames) * u128::from(self.seconds) * 1000 / u128::from(self.frames))
            .unwrap_or(u64::MAX)
    }
}

impl Plan {
    /// Plans to join takes; `doubled[i]` says that the last frame of take `i` is also the first one of the next.
    pub fn new(takes: &[Probe], doubled: &[bool]) -> Self {
        let timings: Vec<Timing> = takes.iter().map(timing).collect();
        let rates = takes.iter().zip(&timings).map(|(take, timing)| timing.rate(take));
        let fastest = rates.max_by(|one, other| one.per_second().total_cmp(&other.per_second())).unwrap_or(HIGHEST);
        let rate = if fastest.per_second() > HIGHEST.per_second() { HIGHEST } else { fastest };
        let parts = takes.iter().zip(&timings).zip(doubled).map(|((take, timing), doubled)| {
            let one_by_one = !matches!(timing, Timing::Uneven(_)) && timing.rate(take) == rate;
            let frames =
                if one_by_one { take.packets.len() as f64 } else { (length(take) * rate.per_second()).round() };
            Part { frames: (frames as u32).max(1).saturating_sub(u32::from(*doubled)).max(1), one_by_one }
        });
        Self { rate, size: size(takes), parts: parts.collect(), copied: copied(takes, &timings, doubled) }
    }

    /// The frames of all takes.
    pub fn frames(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.frames)).sum()
    }
}

impl Timing {
    fn rate(self, take: &Probe) -> Rate {
        let (num, den) = take.time_base;
        match self {
            Self::Even(step) => {
                let step = u64::try_from(step).unwrap_or(1);
                Rate::new(u64::from(den), u64::from(num).saturating_mul(step)).unwrap_or(HIGHEST)
            }
            Self::Rounded(rate) | Self::Uneven(rate) => rate,
        }
    }
}

/// The timing of a take, from the times of its frames.
fn timing(take: &Probe) -> Timing {
    let times = take.times();
    let steps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let Some(&first) = steps.first() else {
        let alone = take.packets.first().map_or(0, |packet| packet.duration);
        return if alone > 0 { Timing::Even(alone) } else { Timing::Uneven(Rate::nearest(30.0)) };
    };
    if first > 0 && steps.iter().all(|step| *step == first) {
        return Timing::Even(first);
    }
    let mean = (times[times.len() - 1] - times[0]) as f64 / steps.len() as f64;
    let is_even = |(at, time): (usize, &i64)| ((time - times[0]) as f64 - at as f64 * mean).abs() <= 1.0;
    let per_second = 1.0 / take.seconds(mean.max(1e-9));
    let usual = Rate::nearest(per_second);
    if (usual.per_second() / per_second - 1.0).abs() < 0.002 && times.iter().enumerate().all(is_even) {
        return Timing::Rounded(usual);
    }
    let mut sorted = steps;
    sorted.sort_unstable();
    let most = sorted[sorted.len() / 2].max(1);
    Timing::Uneven(Rate::nearest(1.0 / take.seconds(most as f64)))
}

/// The frame rate of a video: the exact one if it is constant, else the average.
pub(crate) fn rate(video: &Probe) -> Rate {
    let timing = timing(video);
    match timing {
        Timing::Even(_) | Timing::Rounded(_) => timing.rate(video),
        Timing::Uneven(usual) => {
            Rate::new(video.packets.len() as u64 * 1000, (length(video) * 1000.0).round() as u64).unwrap_or(usual)
        }
    }
}

/// The length of a take in seconds.
fn length(take: &Probe) -> f64 {
    let times = take.times();
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return 0.0 };
    let duration = take.packets.iter().find(|packet| packet.pts == *last).map_or(0, |packet| packet.duration.max(0));
    take.seconds((last - first + duration) as f64)
}

/// The size that most takes have, the larger one if there are several; even, and with square pixels.
fn size(takes: &[Probe]) -> (u32, u32) {
    let sizes: Vec<(u32, u32)> = takes.iter().map(square_size).collect();
    let votes = |size: &(u32, u32)| sizes.iter().filter(|other| *other == size).count();
    let most = sizes.iter().max_by_key(|size| (votes(size), u64::from(size.0) * u64::from(size.1)));
    let (width, height) = most.copied().unwrap_or((1280, 720));
    let shrink = (f64::from(LONGEST_SIDE) / f64::from(width.max(height))).min(1.0);
    (even(f64::from(width) * shrink), even(f64::from(height) * shrink))
}

/// The size of a take with square pixels.
fn square_size(take: &Probe) -> (u32, u32) {
    ((f64::from(take.look.size.0) * take.look.pixel_aspect).round().max(1.0) as u32, take.look.size.1)
}

/// A side that H.264 can have.
fn even(side: f64) -> u32 {
    (((side / 2.0).round() as u32) * 2).max(2)
}

/// The size at which a take fits into `into`, and the place of its upper left corner.
pub(crate) fn fit(take: &Probe, into: (u32, u32)) -> ((u32, u32), (u32, u32)) {
    let (width, height) = square_size(take);
    let part = (f64::from(into.0) / f64::from(width)).min(f64::from(into.1) / f64::from(height));
    let side = |side: u32, room: u32| even(f64::from(side) * part).min(room);
    let (width, height) = (side(width, into.0), side(height, into.1));
    // Places are even too, as the colours have half the resolution.
    ((width, height), ((into.0 - width) / 4 * 2, (into.1 - height) / 4 * 2))
}

/// The duration of a frame if the takes can be copied as they are: they have the same parameters, and no frame that is left
/// out is needed to decode another one.
fn copied(takes: &[Probe], timings: &[Timing], doubled: &[bool]) -> Option<i64> {
    let (first, timing) = (takes.first()?, *timings.first()?);
    let Timing::Even(step) = timing else { return None };
    let same = |take: &Probe| {
        (&take.codec, &take.parameters, take.time_base, take.size)
            == (&first.codec, &first.parameters, first.time_base, first.size)
            && take.look == first.look
            && take.whole
            && !take.look.rotated
    };
    let usual = first.codec == "h264" && !first.parameters.is_empty() && first.time_base.0 == 1;
    let all = takes.iter().all(same) && timings.iter().all(|other| *other == timing);
    let removable = takes.iter().zip(doubled).all(|(take, doubled)| !doubled || ends_with_its_last_frame(take));
    (usual && all && removable).then_some(step)
}

/// Whether the frame that is shown last is decoded last, so that no other one needs it.
fn ends_with_its_last_frame(take: &Probe) -> bool {
    let last = take.packets.last().map(|packet| packet.pts);
    take.packets.len() > 1 && take.packets.iter().map(|packet| packet.pts).max() == last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::takes::probe::{FrameLook, Packet};

    fn take(den: u32, times: &[i64], last: i64) -> Probe {
        let packet = |(at, pts): (usize, &i64)| Packet {
            dts: *pts,
            pts: *pts,
            duration: times.get(at + 1).map_or(last, |next| next - pts),
        };
        Probe {
            codec: "h264".to_owned(),
            parameters: "47, 0x1".to_owned(),
            time_base: (1, den),
            size: (1280, 720),
            packets: times.iter().enumerate().map(packet).collect(),
            whole: true,
            sound: false,
            look: FrameLook { size: (1280, 720), pixel_aspect: 1.0, ..FrameLook::default() },
        }
    }

    fn even_take(den: u32, step: i64, frames: i64) -> Probe {
        take(den, &(0..frames).map(|frame| frame * step).collect::<Vec<_>>(), step)
    }

    #[test]
    fn equal_takes_are_copied_and_lose_only_their_doubled_frames() {
        let takes = [even_take(15_360, 512, 30), even_take(15_360, 512, 20), even_take(15_360, 512, 10)];
        let plan = Plan::new(&takes, &[true, false, false]);
        assert_eq!((plan.copied, plan.rate, plan.frames()), (Some(512), Rate { frames: 30, seconds: 1 }, 59));
        let mut other = takes.clone();
        other[1].parameters = "48, 0x2".to_owned();
        assert_eq!(Plan::new(&other, &[false; 3]).copied, None);
        let mut reordered = takes;
        reordered[0].packets.swap(28, 29);
        assert_eq!(Plan::new(&reordered, &[true, false, false]).copied, None, "another frame needs the last one");
        assert_eq!(Plan::new(&reordered, &[false; 3]).copied, Some(512));
    }

    #[test]
    fn the_highest_rate_wins_and_every_take_keeps_its_length() {
        let ntsc = even_take(30_000, 1001, 60);
        let rounded = take(1000, &[0, 42, 83, 125, 167, 208, 250, 292], 41);
        let uneven = take(1000, &[0, 40, 70, 110, 500, 540], 460);
        let plan = Plan::new(&[ntsc, rounded, uneven], &[false; 3]);
        assert_eq!((plan.rate, plan.copied), (Rate { frames: 30_000, seconds: 1001 }, None));
        let frames: Vec<_> = plan.parts.iter().map(|part| (part.frames, part.one_by_one)).collect();
        assert_eq!(frames, [(60, true), (10, false), (30, false)]);
        let fast = Plan::new(&[even_take(120, 1, 240)], &[false]);
        assert_eq!((fast.rate, fast.frames()), (HIGHEST, 120));
    }

    #[test]
    fn samples_and_ticks_have_no_drift() {
        let ntsc = Rate { frames: 30_000, seconds: 1001 };
        assert_eq!((ntsc.sample(1), ntsc.sample(30_000), ntsc.ticks()), (1602, 48_048_000, (30_000, 1001)));
        let film = Rate { frames: 24, seconds: 1 };
        assert_eq!((film.sample(1), film.ticks(), film.millis(36)), (2000, (10_008, 417), 1500));
    }

    #[test]
    fn other_sizes_fit_into_the_one_that_most_takes_have() {
        let of =
            |size| Probe { look: FrameLook { size, pixel_aspect: 1.0, ..FrameLook::default() }, ..even_take(30, 1, 9) };
        let takes = [of((1280, 720)), of((1080, 1920)), of((1280, 720)), of((641, 361))];
        let plan = Plan::new(&takes, &[false; 4]);
        assert_eq!(plan.size, (1280, 720));
        assert_eq!(fit(&takes[0], plan.size), ((1280, 720), (0, 0)));
        assert_eq!(fit(&takes[1], plan.size), ((406, 720), (436, 0)));
        assert_eq!(Plan::new(&takes[3..], &[false]).size, (642, 362));
    }
}
