//! Raw frames with their times as Matroska (RFC 9559), the input of ffmpeg: a frame that is shown again is not sent again.
//! ffmpeg gets each frame as a cluster of its own, so nothing has to be known in advance or changed afterwards.

use std::io::{Result, Write};

/// The nanoseconds of a second. A unit of time in the stream is a frame, in whole nanoseconds: after an hour this is a
/// thousandth of a frame off, and ffmpeg rounds to frames.
const NANOSECONDS: u64 = 1_000_000_000;

/// The start of a stream of frames of this size, `rate` per second.
pub(crate) fn head((width, height): (usize, usize), rate: u32) -> Vec<u8> {
    let nanoseconds = NANOSECONDS / u64::from(rate.max(1));
    let header =
        element(0x1A45_DFA3, &[element(0x4282, &[b"matroska".to_vec()]), number(0x4287, 4), number(0x4285, 2)]);
    let video = element(
        0xE0,
        &[number(0xB0, width as u64), number(0xBA, height as u64), element(0x002E_B524, &[b"I420".to_vec()])],
    );
    let track = element(
        0xAE,
        &[
            number(0xD7, 1),
            number(0x73C5, 1),
            number(0x83, 1),
            // No lacing: a block is a frame.
            number(0x9C, 0),
            number(0x0023_E383, nanoseconds),
            element(0x86, &[b"V_UNCOMPRESSED".to_vec()]),
            video,
        ],
    );
    let mut head = header;
    head.extend(id(0x1853_8067));
    // The segment's size is unknown.
    head.extend([0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    head.extend(element(0x1549_A966, &[number(0x002A_D7B1, nanoseconds)]));
    head.extend(element(0x1654_AE6B, &[track]));
    head
}

/// Writes the frame that is shown from frame `at` on.
pub(crate) fn write_frame(to: &mut impl Write, at: u32, bytes: &[u8]) -> Result<()> {
    let time = number(0xE7, at.into());
    // Track 1, no time after the cluster's, a key frame.
    let block = [0x81, 0x00, 0x00, 0x80];
    let block_size = size(block.len() + bytes.len());
    let mut head = id(0x1F43_B675);
    head.extend(size(time.len() + 1 + block_size.len() + block.len() + bytes.len()));
    head.extend(time);
    head.push(0xA3);
    head.extend(block_size);
    head.extend(block);
    to.write_all(&head)?;
    to.write_all(bytes)
}

/// An element with the contents of these parts.
fn element(name: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = id(name);
    bytes.extend(size(parts.iter().map(Vec::len).sum()));
    bytes.extend(parts.iter().flatten());
    bytes
}

/// An element that is a number.
fn number(name: u32, value: u64) -> Vec<u8> {
    element(name, &[value.to_be_bytes().to_vec()])
}

/// The bytes of an element's name; its length is in its first bits.
fn id(name: u32) -> Vec<u8> {
    name.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

/// A size in eight bytes.
fn size(length: usize) -> [u8; 8] {
    ((length as u64) | 1 << 56).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_cluster_with_its_number_as_its_time() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, 258, &[7, 8, 9]).expect("memory");
        let expected = [
            &[0x1F, 0x43, 0xB6, 0x75, 1, 0, 0, 0, 0, 0, 0, 33][..],
            &[0xE7, 1, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2],
            &[0xA3, 1, 0, 0, 0, 0, 0, 0, 7, 0x81, 0, 0, 0x80, 7, 8, 9],
        ];
        assert_eq!(bytes, expected.concat());
        let head = head((1920, 1080), 30);
        let has = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
        assert!(
            has(b"matroska")
                && has(b"V_UNCOMPRESSED")
                && has(&[0xB0, 1, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 7, 128])
        );
        assert!(has(&33_333_333_u64.to_be_bytes()), "a unit of time is a frame");
    }
}
