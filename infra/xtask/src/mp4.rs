//! The duration of an MP4 video, read from its `mvhd` box (ISO/IEC 14496-12, 8.2.2).

use std::time::Duration;

/// The video's duration; none if these bytes are not an MP4 file.
pub fn duration(bytes: &[u8]) -> Option<Duration> {
    let at = bytes.windows(4).position(|window| window == b"mvhd")? + 4;
    let version = *bytes.get(at)?;
    let number = |from: usize, size: usize| {
        let digits = bytes.get(at + from..at + from + size)?;
        Some(digits.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    let (timescale, units) = match version {
        0 => (number(12, 4)?, number(16, 4)?),
        1 => (number(20, 4)?, number(24, 8)?),
        _ => return None,
    };
    (timescale > 0).then(|| Duration::from_secs_f64(units as f64 / timescale as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Option<u64>) {
        assert_eq!(duration(bytes), expected.map(Duration::from_millis));
    }

    #[test]
    fn both_versions_of_the_box_are_read() {
        let times = [0_u8; 8];
        check(&[b"..mvhd", &[0; 4][..], &times, &1000_u32.to_be_bytes(), &4250_u32.to_be_bytes()].concat(), Some(4250));
        let times = [0_u8; 16];
        check(
            &[b"mvhd", &[1, 0, 0, 0][..], &times, &90_u32.to_be_bytes(), &180_u64.to_be_bytes()].concat(),
            Some(2000),
        );
        check(b"mvhd", None);
        check(b"not a video", None);
    }
}
