//! What an MP4 says of its own times: read from its boxes (ISO/IEC 14496-12), since ffmpeg rounds what it prints.

/// The times of a file's pictures.
#[derive(Debug, PartialEq, Eq)]
pub struct Times {
    /// Ticks of a second of the picture's track, and how many it lasts.
    pub track: (u32, u32),
    /// Ticks of a second of the whole file, and how many it lasts.
    pub file: (u32, u32),
    /// How many frames in a row last how many ticks.
    pub runs: Vec<(u32, u32)>,
}

/// Reads the times of the first track with pictures.
pub fn times(bytes: &[u8]) -> Times {
    let movie = inside(bytes, b"moov").next().expect("a moov box");
    let of_pictures = |track: &&[u8]| {
        let handler = inside(track, b"mdia").flat_map(|media| inside(media, b"hdlr")).next().expect("a handler");
        handler[8..12] == *b"vide"
    };
    let track = inside(movie, b"trak").find(of_pictures).expect("a track of pictures");
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

/// Time scale and duration of a header; none that ffmpeg writes for short files is of version 1.
fn scale(header: &[u8]) -> (u32, u32) {
    assert_eq!(header[0], 0, "a header of version 0");
    (number(header, 12), number(header, 16))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The contents of the boxes with this name.
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
