//! What ffmpeg prints about films that others have made: their packets, and how their first frame looks, whatever is in
//! their metadata.

use std::fmt::Write as _;

use reelhook_render::probe::{FrameLook, Probe, read_look, read_packets};

use crate::input::Input;
use crate::target::Verdict;

/// The latest time and the longest duration that are read, in units of the time base.
const MOST_TIME: u64 = 1 << 50;

/// Names and values that look like what is read.
const FEIGNED: [&str; 8] = [
    "Side data:",
    "displaymatrix: rotation of 90.00 degrees",
    "[Parsed_showinfo_0 @ 0x1] n:   0 fmt:rgb24 sar:9/1 s:9x9",
    "x\nSide data:\n  displaymatrix: rotation of 90.00 degrees\ny",
    "x\n  Stream #0:1: Audio: aac\n    Metadata:\n      y",
    "x\nStream mapping:\n[Parsed_showinfo_0 @ 0x1] n:   0 fmt:rgb24 sar:9/1 s:9x9\ny",
    "x\r\n[Parsed_showinfo_0 @ 0x1] color_range:pc color_space:fcc color_primaries:fcc color_trc:fcc\ny",
    "a name of more than sixteen characters",
];

/// What ffmpeg prints from the moment at which it decodes.
const DECODED: &str = "\
Stream mapping:
  Stream #0:0 -> #0:0 (h264 (native) -> wrapped_avframe (native))
[Parsed_showinfo_0 @ 0x55] config in time_base: 1/12800, frame_rate: 25/1
[Parsed_showinfo_0 @ 0x55] n:   0 pts:      0 pts_time:0 fmt:yuv420p sar:4/3 s:720x576 i:P iskey:1 type:I
[Parsed_showinfo_0 @ 0x55] color_range:tv color_space:bt470bg color_primaries:unknown color_trc:unknown
Output #0, null, to 'pipe:':
  Stream #0:0: Video: wrapped_avframe, yuv420p, 720x576 [SAR 4:3 DAR 5:3], q=2-31, 200 kb/s, 25 fps, 25 tbn
    Side data:
      displaymatrix: rotation of -0.00 degrees
";

/// What ffmpeg prints: the bytes as they are, and metadata that are made of them.
pub fn of_ffmpeg(bytes: &[u8]) -> Verdict {
    let printed = String::from_utf8_lossy(bytes);
    let has_packets = check_packets(&read_packets(&printed));
    let has_frame = check_look(&read_look(&printed));
    check_metadata(&mut Input::new(bytes));
    Verdict::of(has_packets || has_frame)
}

/// Checks what was read of packets; whether there are any.
fn check_packets(film: &Probe) -> bool {
    let (numerator, denominator) = film.time_base;
    assert!(numerator > 0 && denominator > 0, "a time base of {numerator}/{denominator}");
    let is_bounded = |time: i64| time.unsigned_abs() <= MOST_TIME;
    let are_bounded = film.packets.iter().all(|packet| is_bounded(packet.pts) && is_bounded(packet.duration));
    assert!(are_bounded, "times are bounded");
    let times = film.times();
    assert!(times.is_sorted() && times.len() == film.packets.len(), "each packet has its time");
    assert!(times.iter().all(|time| film.seconds(*time as f64).is_finite()), "times are numbers of seconds");
    let again = read_packets(&framecrc(film));
    // Damaged packets are left out, so that what is left is whole.
    assert_eq!(Probe { whole: film.whole, ..again }, *film, "packets are read as they were printed");
    !film.packets.is_empty()
}

/// Packets as the `framecrc` muxer prints them.
fn framecrc(film: &Probe) -> String {
    let (time_base, size) = (film.time_base, film.size);
    let mut text = format!(
        "#extradata 0: {}\n#tb 0: {}/{}\n#media_type 0: video\n#codec_id 0: {}\n#dimensions 0: {}x{}\n",
        film.parameters, time_base.0, time_base.1, film.codec, size.0, size.1
    );
    if film.sound {
        text.push_str("#media_type 1: audio\n");
    }
    for packet in &film.packets {
        // Writing to a string can't fail.
        let _ = writeln!(text, "0, {:10}, {:10}, {:8}, 9, 0x01", packet.dts, packet.pts, packet.duration);
    }
    text
}

/// Checks how a frame looks; whether there is one.
fn check_look(look: &FrameLook) -> bool {
    let aspect = look.pixel_aspect;
    assert!(aspect.is_finite() && aspect > 0.0, "pixels are {aspect} times as wide as high");
    let filter = look.scale_input();
    let is_plain = filter.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_=:".contains(&byte));
    assert!(is_plain, "no text of a film gets into a filter: {filter}");
    look.size != (0, 0)
}

/// Metadata change nothing of what is read; only names with line breaks may feign a rotation, which then is not copied.
fn check_metadata(input: &mut Input<'_>) {
    let is_rotated = input.flag();
    let mut text = || if input.flag() { (*input.pick(&FEIGNED)).to_owned() } else { input.text() };
    let pairs: Vec<(String, String)> = (0..3).map(|_| (text(), text())).collect();
    let (plain, found) = (read_look(&log(&[], is_rotated)), read_look(&log(&pairs, is_rotated)));
    assert_eq!(plain.rotated, is_rotated, "a rotation is read");
    let may_feign = pairs.iter().any(|(name, _)| name.contains('\n'));
    assert!(
        found.rotated == is_rotated || (found.rotated && may_feign),
        "a rotation is as the side data say: {pairs:?}"
    );
    assert_eq!(FrameLook { rotated: is_rotated, ..found }, plain, "metadata change no look: {pairs:?}");
}

/// The log of a film with these metadata.
fn log(pairs: &[(String, String)], is_rotated: bool) -> String {
    let mut log = "Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:take.mp4':\n".to_owned();
    write_metadata(&mut log, "  ", pairs);
    log.push_str("  Duration: 00:00:01.00, start: 0.000000, bitrate: 93 kb/s\n");
    log.push_str("  Stream #0:0[0x1](und): Video: h264 (High), yuv420p, 720x576 [SAR 4:3 DAR 5:3], 25 fps, 25 tbr\n");
    write_metadata(&mut log, "    ", pairs);
    if is_rotated {
        log.push_str("    Side data:\n      displaymatrix: rotation of -90.00 degrees\n");
    }
    log.push_str(DECODED);
    log
}

/// Metadata as ffmpeg's `dump_metadata` prints them.
fn write_metadata(log: &mut String, indentation: &str, pairs: &[(String, String)]) {
    let _ = writeln!(log, "{indentation}Metadata:");
    for (name, value) in pairs {
        let next = format!("\n{indentation}  {:<16}: ", "");
        let value = value.replace(['\u{8}', '\u{b}', '\u{c}'], "").replace('\r', " ").replace('\n', &next);
        let _ = writeln!(log, "{indentation}  {name:<16}: {value}");
    }
}
