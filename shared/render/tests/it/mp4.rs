//! Reads the timing of an MP4 from its boxes (ISO/IEC 14496-12), because ffmpeg rounds the times that it prints.

/// The timing of a video file.
#[derive(Debug, PartialEq, Eq)]
pub struct Times {
    /// Time scale in ticks per second, and duration in ticks, of the video track.
    pub track: (u32, u32),
    /// Time scale in ticks per second, and duration in ticks, of the whole file.
    pub file: (u32, u32),
    /// Runs of frames with the same duration: number of frames and ticks of each.
    pub runs: Vec<(u32, u32)>,
}

/// Reads the timing of the first video track.
pub fn times(bytes: &[u8]) -> Times {
    let movie = inside(bytes, b"moov").next().expect("a moov box");
    let is_video = |track: &&[u8]| {
        let handler = inside(track, b"mdia").flat_map(|media| inside(media, b"hdlr")).next().expect("a handler");
        handler[8..12] == *b"vide"
    };
    let track = inside(movie, b"trak").find(is_video).expect("a video track");
    let media = inside(track, b"mdia").next().expect("a mdia box");
    let table = inside(media, b"minf").flat_map(|inner| inside(inner, b"stbl"));
    let steps = table.flat_map(|table| inside(table, b"stts")).next().expect("a table of times");
    let runs =
        (0..number(steps, 4)).map(|run| run as usize * 8 + 8).map(|at| (number(steps, at), number(steps, at + 4)));
    Times {
        track: scale(inside(media, b"mdhd").next().expect("a media header")),
        file: scale(inside(movie, b"mvhd").next().expect("a movie header")),
        runs: runs.collect(),
    }
}

/// Time scale and duration of a header. ffmpeg writes version 0 for short files.
fn scale(header: &[u8]) -> (u32, u32) {
    assert_eq!(header[0], 0, "a header of version 0");
    (number(header, 12), number(header, 16))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The contents of all boxes with this name.
fn inside<'a>(bytes: &'a [u8], name: &'static [u8; 4]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    let boxes = std::iter::from_fn(move || {
        if rest.len() < 8 {
            return None;
        }
        let length = (number(rest, 0) as usize).clamp(8, rest.len());
        let (whole, after) = rest.split_at(length);
        rest = after;
        Some(whole)
    });
    boxes.filter(move |whole| whole[4..8] == *name).map(|whole| &whole[8..])
}
