//! One take as a segment of the joined video: its frames on the plan's grid, without sound.

use std::path::Path;

use crate::encode::{ENCODER_ARGUMENTS, Ffmpeg, file_url, finish, start};
use crate::error::RenderError;
use crate::takes::plan::{Part, Plan, fit};
use crate::takes::probe::Probe;

impl Ffmpeg {
    /// Writes a segment without encoding: the first frames of the take, whose times begin at 0.
    pub(crate) async fn copy_segment(
        &self,
        take: &Path,
        probe: &Probe,
        part: Part,
        to: &Path,
    ) -> Result<(), RenderError> {
        let first = probe.times().first().copied().unwrap_or_default();
        let scale = probe.time_base.1.to_string();
        let mut command = self.reading(take, &[])?;
        command.args(["-map", "0:V:0", "-c", "copy", "-an", "-frames:v"]).arg(part.frames.to_string());
        command.arg("-bsf:v").arg(format!("setts=pts=PTS-({first}):dts=DTS-({first})"));
        command.args(["-video_track_timescale", &scale, "-movie_timescale", &scale]);
        command.args(["-map_metadata", "-1", "-y", "-f", "mp4"]).arg(file_url(to));
        let child = start(&mut command)?;
        finish(child, "copy a take", std::future::pending(), async { Ok(()) }).await
    }

    /// Encodes a segment: at the plan's size and rate, with the colours of BT.709, and with exactly the frames of the
    /// part. A take that ends too early shows its last frame until then.
    pub(crate) async fn encode_segment(
        &self,
        take: &Path,
        probe: &Probe,
        part: Part,
        plan: &Plan,
        to: &Path,
    ) -> Result<(), RenderError> {
        let mut command = self.reading(take, &["-max_error_rate", "1"])?;
        command.args(["-map", "0:V:0", "-an", "-vf"]).arg(filter(probe, part, plan));
        command.arg("-frames:v").arg(part.frames.to_string());
        // A take has been encoded before: the second time must not be seen.
        command.args(ENCODER_ARGUMENTS).args(["-crf", "18"]);
        let scale = plan.rate.ticks().0.to_string();
        command.args(["-video_track_timescale", &scale, "-movie_timescale", &scale]);
        command.args(["-map_metadata", "-1", "-y", "-f", "mp4"]).arg(file_url(to));
        let child = start(&mut command)?;
        finish(child, "encode a take", std::future::pending(), async { Ok(()) }).await
    }
}

/// The video filter. It consists of numbers and constants only.
fn filter(probe: &Probe, part: Part, plan: &Plan) -> String {
    let (frames, seconds) = (plan.rate.frames, plan.rate.seconds);
    let times = match part.one_by_one {
        true => format!("setpts=N*{seconds}/({frames}*TB)"),
        false => "setpts=PTS-STARTPTS".to_owned(),
    };
    let (full_width, full_height) = plan.size;
    let ((width, height), (left, top)) = fit(probe, plan.size);
    let input = probe.look.scale_input();
    format!(
        "{times},scale=w={width}:h={height}:{input}:out_color_matrix=bt709:out_range=tv\
         :flags=lanczos+accurate_rnd+full_chroma_inp+full_chroma_int\
         ,pad=w={full_width}:h={full_height}:x={left}:y={top},setsar=1,fps={frames}/{seconds}\
         ,tpad=stop=-1:stop_mode=clone,format=yuv420p"
    )
}
