//! Frames of scenes: a video is as long as the sum of its scenes, at any frame rate.

use proptest::prelude::*;
use reelhook_domain::videos::film::{FRAME_RATE, FrameGrid};

fn frames(rate: u32, seconds: &[f64]) -> Vec<u32> {
    let mut grid = FrameGrid::new(rate);
    seconds.iter().map(|seconds| grid.scene(*seconds)).collect()
}

#[test]
fn the_ends_of_scenes_are_rounded_and_not_their_lengths() {
    let check = |rate: u32, seconds: &[f64], sum: u32| {
        let frames = frames(rate, seconds);
        assert_eq!(frames.iter().sum::<u32>(), sum, "{rate} a second: {frames:?}");
    };
    check(FRAME_RATE, &[0.55; 40], 660);
    check(FRAME_RATE, &[0.55; 1], 17);
    check(FRAME_RATE, &[0.51; 100], 1530);
    check(FRAME_RATE, &[1.0 / 3.0 + 0.5; 12], 300);
    check(FRAME_RATE, &[2.04, 2.04, 2.04, 2.04, 2.04], 306);
    check(24, &[0.55; 40], 528);
    check(25, &[0.55; 40], 550);
    check(50, &[0.55; 40], 1100);
    check(60, &[0.55; 40], 1320);
    assert_eq!(frames(FRAME_RATE, &[0.55; 6]), [17, 16, 17, 16, 17, 16]);
}

#[test]
fn a_scene_has_a_frame_at_least() {
    assert_eq!(frames(FRAME_RATE, &[0.0, 0.001, f64::NAN, -3.0]), [1, 1, 1, 1]);
}

proptest! {
    #[test]
    fn every_scene_change_is_within_half_a_frame_of_its_time(
        rate in prop_oneof![Just(24_u32), Just(25), Just(30), Just(50), Just(60)],
        seconds in proptest::collection::vec(0.5_f64..120.0, 1..100),
    ) {
        let (mut time, mut frames) = (0.0, 0);
        let mut grid = FrameGrid::new(rate);
        for seconds in seconds {
            time += seconds;
            frames += grid.scene(seconds);
            let away = f64::from(frames) - time * f64::from(rate);
            prop_assert!(away.abs() <= 0.5001, "{away} frames");
        }
    }
}
