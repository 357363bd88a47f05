//! What a take is like: its packets and parameters, the colours of its frames, and whether it has sound. ffmpeg prints it
//! among texts of the file, which others have written.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::encode::{Ffmpeg, finish, start};
use crate::error::RenderError;

/// The flag of a packet with errors.
const CORRUPT: u32 = 2;
/// The flag of a packet that is decoded but not shown, as an edit list says.
const NOT_SHOWN: u32 = 4;
/// The latest time and the longest duration that are read, in units of the time base: sums of them stay numbers.
const MOST_TIME: u64 = 1 << 50;
/// The flag of a packet that starts with a key frame.
const KEY: u32 = 1;

/// A take's streams.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The name of its codec.
    pub codec: String,
    /// Length and checksum of the codec's parameters.
    pub parameters: String,
    /// The unit of times in seconds, as a fraction.
    pub time_base: (u32, u32),
    /// The size as stored, before rotation.
    pub size: (u32, u32),
    /// The packets of frames that are shown, in the order of decoding.
    pub packets: Vec<Packet>,
    /// Whether every packet is intact and shown, and the first one starts with a key frame.
    pub whole: bool,
    /// Whether it has sound.
    pub sound: bool,
    /// What its frames look like.
    pub look: FrameLook,
}

/// A packet of the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// When it is decoded.
    pub dts: i64,
    /// When its frame is shown.
    pub pts: i64,
    /// For how long its frame is shown.
    pub duration: i64,
}

/// What decoded frames look like.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrameLook {
    /// The size after rotation.
    pub size: (u32, u32),
    /// The width of a pixel divided by its height.
    pub pixel_aspect: f64,
    /// The names of range and matrix, and of primaries and transfer, as ffmpeg prints them.
    pub colours: Colours,
    /// Whether the pixels are RGB.
    pub rgb: bool,
    /// Whether the file says that players rotate or mirror it. Names of metadata with line breaks may say so, too; such a
    /// take is not copied as it is.
    pub rotated: bool,
}

/// How a video codes its colours, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Colours {
    /// `tv` or `pc`.
    pub range: String,
    /// The matrix of luma and chroma.
    pub matrix: String,
    /// The primaries.
    pub primaries: String,
    /// The transfer characteristics.
    pub transfer: String,
}

impl Probe {
    /// The times of its frames in the order of display.
    pub fn times(&self) -> Vec<i64> {
        let mut times: Vec<i64> = self.packets.iter().map(|packet| packet.pts).collect();
        times.sort_unstable();
        times
    }

    /// A time in seconds.
    pub fn seconds(&self, time: f64) -> f64 {
        time * f64::from(self.time_base.0) / f64::from(self.time_base.1)
    }
}

impl FrameLook {
    /// The input options of ffmpeg's `scale` filter, which name matrix and range of the frames. Players take the matrix of
    /// a video that names none from its size.
    pub fn scale_input(&self) -> String {
        if self.rgb {
            return "in_color_matrix=auto:in_range=auto".to_owned();
        }
        let (width, height) = self.size;
        let matrix = match self.colours.matrix.as_str() {
            "bt709" => "bt709",
            "smpte170m" | "bt470bg" => "bt601",
            "fcc" => "fcc",
            "smpte240m" => "smpte240m",
            "bt2020nc" | "bt2020c" => "bt2020",
            _ if width.max(height) >= 1280 || width.min(height) > 576 => "bt709",
            _ => "bt601",
        };
        let range = if self.colours.range == "pc" { "pc" } else { "tv" };
        format!("in_color_matrix={matrix}:in_range={range}")
    }
}

impl Ffmpeg {
    /// Reads the streams of a take.
    pub(crate) async fn probe(&self, file: &Path) -> Result<Probe, RenderError> {
        let mut probe = self.packets(file).await?;
        probe.look = self.look(file).await?;
        if probe.look.size == (0, 0) || probe.packets.is_empty() {
            return Err(RenderError::Video("has no frame that can be decoded".to_owned()));
        }
        Ok(probe)
    }

    /// Lists the packets without decoding them.
    pub(crate) async fn packets(&self, file: &Path) -> Result<Probe, RenderError> {
        let mut command = self.reading(file, &[])?;
        // V is the video without cover images.
        command.args(["-map", "0:V:0", "-map", "0:a:0?", "-c", "copy", "-f", "framecrc", "pipe:1"]);
        let output = text_of(&mut command, "list the packets of a video", Output::Standard).await?;
        Ok(read_packets(&output))
    }

    /// Decodes the first frame and reads how it looks.
    async fn look(&self, file: &Path) -> Result<FrameLook, RenderError> {
        let mut command = self.reading(file, &["-loglevel", "info", "-max_error_rate", "1"])?;
        // The output has no metadata, so that ffmpeg prints none of the file's texts once it decodes.
        command.args(["-map", "0:V:0", "-map_metadata", "-1", "-map_chapters", "-1"]);
        command.args(["-vf", "showinfo", "-frames:v", "1", "-f", "null", "-"]);
        let output = text_of(&mut command, "read the first frame of a video", Output::Log).await?;
        Ok(read_look(&output))
    }
}

/// Where ffmpeg prints what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Standard,
    Log,
}

/// What is read of a process.
type Pipe = Box<dyn AsyncRead + Send + Unpin>;

/// Runs a command and returns what it prints. A file that ffmpeg refuses is no fault of ours.
async fn text_of(command: &mut Command, action: &'static str, output: Output) -> Result<String, RenderError> {
    command.stdout(Stdio::piped());
    let mut child = start(command)?;
    let mut text = String::new();
    let pipe = match output {
        Output::Standard => child.stdout.take().map(|pipe| Box::new(pipe) as Pipe),
        Output::Log => child.stderr.take().map(|pipe| Box::new(pipe) as Pipe),
    };
    let read = async {
        if let Some(pipe) = pipe {
            text = lines(pipe).await.map_err(|source| RenderError::Io { action: "read what ffmpeg prints", source })?;
        }
        Ok::<_, RenderError>(())
    };
    match finish(child, action, std::future::pending(), read).await {
        Err(RenderError::Ffmpeg { stderr, .. }) => {
            tracing::warn!(action, stderr, "ffmpeg refused a video");
            Err(RenderError::Video("can't be read".to_owned()))
        }
        finished => finished.map(|()| text),
    }
}

/// All lines. Texts of a file that are no UTF-8 are of no interest here.
async fn lines(pipe: impl AsyncRead + Unpin) -> std::io::Result<String> {
    let (mut pipe, mut text, mut line) = (BufReader::new(pipe).take(MOST_OUTPUT), String::new(), Vec::new());
    while pipe.read_until(b'\n', &mut line).await? > 0 {
        text.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(text)
}

/// The most that is read of what ffmpeg prints, in bytes: the packets of some hours.
const MOST_OUTPUT: u64 = 256 * 1024 * 1024;

/// Reads the output of the `framecrc` muxer: lines such as `#tb 0: 1/15360`, and for each packet
/// `0, -1024, 0, 512, 4397, 0x0f6025e9, F=0x0`: stream, dts, pts, duration, size, checksum, and unusual flags.
pub fn read_packets(output: &str) -> Probe {
    let header = |name: &str| {
        let prefix = format!("#{name} 0:");
        output.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::trim)
    };
    let pair = |name: &str, between: char| {
        let (one, other) = header(name)?.split_once(between)?;
        Some((one.parse().ok()?, other.parse().ok()?))
    };
    let (mut packets, mut whole, mut first) = (Vec::new(), true, true);
    for line in output.lines().filter(|line| line.starts_with("0,")) {
        let Some((packet, flags)) = read_packet(line) else { continue };
        whole &= flags & (CORRUPT | NOT_SHOWN) == 0 && (!first || flags & KEY != 0);
        first = false;
        if flags & (CORRUPT | NOT_SHOWN) == 0 {
            packets.push(packet);
        }
    }
    Probe {
        codec: header("codec_id").unwrap_or_default().to_owned(),
        parameters: header("extradata").unwrap_or_default().to_owned(),
        time_base: pair("tb", '/').filter(|(num, den)| *num > 0 && *den > 0).unwrap_or((1, 1000)),
        size: pair("dimensions", 'x').unwrap_or_default(),
        packets,
        whole,
        sound: output.lines().any(|line| line == "#media_type 1: audio"),
        look: FrameLook::default(),
    }
}

fn read_packet(line: &str) -> Option<(Packet, u32)> {
    let mut columns = line.split(',').map(str::trim);
    let mut number = || columns.next()?.parse::<i64>().ok();
    let (_stream, dts, pts, duration) = (number()?, number()?, number()?, number()?);
    let flags = columns.find_map(|column| column.strip_prefix("F=0x"));
    let flags = flags.map_or(Some(KEY), |flags| u32::from_str_radix(flags, 16).ok())?;
    let is_time = |time: i64| time.unsigned_abs() <= MOST_TIME;
    (is_time(pts) && is_time(duration)).then_some((Packet { dts, pts, duration }, flags))
}

/// What ffmpeg prints between its description of the file and what it decodes.
const DECODING: &str = "\nStream mapping:\n";

/// Reads the log of a process that decodes with the `showinfo` filter and writes no metadata. First it describes the file,
/// with the texts of the file; then it says that it begins to decode, and prints nothing of these texts any more.
pub fn read_look(log: &str) -> FrameLook {
    let mut look = FrameLook { pixel_aspect: 1.0, ..FrameLook::default() };
    // A name in the metadata may contain the same line, but before it.
    let Some((file, decoded)) = log.rsplit_once(DECODING) else { return look };
    look.rotated = has_display_matrix(file);
    for line in decoded.lines().filter(|line| line.starts_with("[Parsed_showinfo_0")) {
        let value = |name: &str| {
            line.split_whitespace().find_map(|word| word.strip_prefix(name)).filter(|value| !value.is_empty())
        };
        let pair = |name: &str, between: char| {
            let (one, other) = value(name)?.split_once(between)?;
            Some((one.parse::<u32>().ok()?, other.parse::<u32>().ok()?))
        };
        if let (Some(size), true) = (pair("s:", 'x'), look.size == (0, 0)) {
            look.size = size;
            look.rgb = value("fmt:")
                .is_some_and(|format| format.contains("rgb") || format.contains("bgr") || format.contains("gbr"));
            if let Some((wide, high)) = pair("sar:", '/').filter(|(wide, high)| *wide > 0 && *high > 0) {
                look.pixel_aspect = f64::from(wide) / f64::from(high);
            }
            if value("fmt:").is_some_and(|format| format.starts_with("yuvj")) {
                look.colours.range = "pc".to_owned();
            }
        }
        let colours = &mut look.colours;
        for (name, to) in [
            ("color_range:", &mut colours.range),
            ("color_space:", &mut colours.matrix),
            ("color_primaries:", &mut colours.primaries),
            ("color_trc:", &mut colours.transfer),
        ] {
            if let Some(value) = value(name)
                && to.is_empty()
            {
                *to = value.to_owned();
            }
        }
    }
    look
}

/// Whether the description of a file has a display matrix among the side data of a stream: in a line that is indented below
/// a line `Side data:`. A line of metadata is neither of them: it has a name, which is filled up to 16 characters, and a
/// colon; so has each further line of a value, with an empty name. Line breaks in a name are printed as they are, so that a
/// name can feign a matrix. It can't hide one, which follows its heading whatever comes before.
fn has_display_matrix(file: &str) -> bool {
    let mut heading = None;
    for line in file.lines() {
        let text = line.trim_start_matches(' ');
        let indentation = line.len() - text.len();
        if heading.is_none_or(|heading| indentation <= heading) {
            heading = (text == "Side data:").then_some(indentation);
        } else if text.starts_with("displaymatrix: rotation of") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log: what ffmpeg says about the file, and what it prints while it decodes.
    fn log(file: &str, decoded: &str) -> String {
        let mapping = "Stream mapping:\n  Stream #0:0 -> #0:0 (h264 (native) -> wrapped_avframe (native))";
        format!("Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:take.mp4':\n{file}{mapping}\n{decoded}")
    }

    #[test]
    fn packets_are_read_from_framecrc() {
        let output = "#extradata 0:       47, 0x4ddc1076\n#extradata 1:        5, 0x03460155\n#tb 0: 1/15360\n\
            #media_type 0: video\n#codec_id 0: h264\n#dimensions 0: 320x180\n#sar 0: 1/1\n#tb 1: 1/44100\n\
            #media_type 1: audio\n\
            0,      -1024,          0,      512,     4397, 0x0f6025e9\n\
            0,       -512,       1536,      512,     1579, 0x77ba1af8, F=0x0\n\
            1,      -1024,      -1024,     1024,      258, 0x2c5b786a, F=0x5, S=1,       10\n\
            0,          0,        512,      512,      963, 0x5134d9ea, F=0x0, S=1,       10\n";
        let probe = read_packets(output);
        assert_eq!((probe.codec.as_str(), probe.parameters.as_str()), ("h264", "47, 0x4ddc1076"));
        assert_eq!((probe.time_base, probe.size, probe.whole, probe.sound), ((1, 15360), (320, 180), true, true));
        assert_eq!(probe.times(), [0, 512, 1536]);
        let cut = read_packets(&format!("{output}0, 512, 1024, 512, 144, 0x00, F=0x2\n"));
        assert_eq!((cut.packets.len(), cut.whole), (3, false));
        for (pts, duration) in [(i64::MIN, 512), (i64::MAX, 512), (2048, i64::MAX)] {
            let far = read_packets(&format!("{output}0, 512, {pts}, {duration}, 144, 0x00\n"));
            assert_eq!(far.times(), [0, 512, 1536], "no time: {pts}, {duration}");
        }
    }

    const DECODED: &str = "[Parsed_showinfo_0 @ 0x55] config in time_base: 1/12800, frame_rate: 25/1\n\
        [Parsed_showinfo_0 @ 0x55] n:   0 pts:      0 pts_time:0 fmt:yuv420p sar:4/3 s:720x576 i:P iskey:1 type:I\n\
        [Parsed_showinfo_0 @ 0x55] color_range:tv color_space:bt470bg color_primaries:unknown color_trc:unknown\n\
        Output #0, null, to 'pipe:':\n\
        [Parsed_showinfo_0 @ 0x55] n:   1 pts:    512 pts_time:0.04 fmt:yuv420p sar:1/1 s:64x64 i:P iskey:0 type:B\n";

    #[test]
    fn the_look_is_read_from_showinfo() {
        let look = read_look(&log("  title           : color_space:bt2020nc\n", DECODED));
        assert_eq!((look.size, look.rgb, look.rotated), ((720, 576), false, false));
        assert!((look.pixel_aspect - 4.0 / 3.0).abs() < 1e-9);
        assert_eq!(look.scale_input(), "in_color_matrix=bt601:in_range=tv");
        let full = "[Parsed_showinfo_0 @ 0x55] n:   0 fmt:yuvj420p sar:0/1 s:1280x720\n\
            [Parsed_showinfo_0 @ 0x55] color_range:unknown color_space:unknown color_primaries:unknown color_trc:unknown\n";
        assert_eq!(read_look(&log("", full)).scale_input(), "in_color_matrix=bt709:in_range=pc");
        assert_eq!(read_look(DECODED).size, (0, 0), "nothing was decoded");
    }

    #[test]
    fn a_rotation_is_among_the_side_data_of_a_stream() {
        // Version 5.1 indents streams by four spaces, version 7.0 by six.
        for indentation in ["    ", "      "] {
            let side_data = |line: &str| {
                let stream = "  Stream #0:0[0x1](und): Video: h264, yuv420p, 720x576, 25 fps";
                let metadata = format!("{indentation}Metadata:\n{indentation}  handler_name    : VideoHandler");
                let list = format!("{indentation}Side data:\n{indentation}  cpb: bitrate max/min/avg: 0/0/0");
                log(&format!("{stream}\n{metadata}\n{list}\n{line}\n"), DECODED)
            };
            let matrix = "displaymatrix: rotation of -90.00 degrees";
            assert!(read_look(&side_data(&format!("{indentation}  {matrix}"))).rotated);
            // The next stream has no list of side data.
            let next = format!("  Stream #0:1: Audio: aac\n{indentation}Metadata:\n{indentation}  {matrix}: x");
            assert!(!read_look(&side_data(&next)).rotated);
        }
    }

    #[test]
    fn metadata_are_no_side_data() {
        for metadata in [
            "      displaymatrix: rotation of 90.00 degrees: x",
            "      displaymatrix   : rotation of 90.00 degrees",
            "      Side data       : \n      displaymatrix: rotation of 90.00 degrees: x",
            "      comment         : Side data:\n                      : displaymatrix: rotation of 90.00 degrees",
            "      comment         : x\n                      : Stream mapping:\n                      : Side data:",
        ] {
            let file = format!("  Stream #0:0: Video: h264\n    Metadata:\n{metadata}\n");
            assert_eq!(read_look(&log(&file, DECODED)), read_look(&log("", DECODED)), "{metadata}");
        }
    }

    #[test]
    fn names_with_line_breaks_change_no_size_and_no_colour_and_hide_no_rotation() {
        let shown = "[Parsed_showinfo_0 @ 0x1] n:   0 fmt:rgb24 sar:9/1 s:9x9\n\
            [Parsed_showinfo_0 @ 0x1] color_range:pc color_space:fcc color_primaries:fcc color_trc:fcc";
        let honest = read_look(&log("", DECODED));
        for name in [
            shown.to_owned(),
            format!("Stream mapping:\n{shown}"),
            "    Side data:\n      displaymatrix: rotation of 90.00 degrees".to_owned(),
            "  Stream #0:1: Audio: aac\n    Metadata:".to_owned(),
            "    Side data:".to_owned(),
        ] {
            let file = format!("  Stream #0:0: Video: h264\n    Metadata:\n      x\n{name}\ny: value\n");
            let look = read_look(&log(&file, DECODED));
            assert_eq!(FrameLook { rotated: false, ..look }, honest, "{name}");
            let rotated = format!("{file}    Side data:\n      displaymatrix: rotation of 90.00 degrees\n");
            assert!(read_look(&log(&rotated, DECODED)).rotated, "{name}");
        }
    }
}
