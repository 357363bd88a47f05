//! Prompt cards as videos: at any frame rate, with a silent sound track, so that they are joined with each other and with
//! videos of services alike.

use std::path::Path;

use reelhook_domain::videos::film::FRAME_RATE;

use crate::encode::{ENCODER_ARGUMENTS, Ffmpeg, every_frame, feed, file_url};
use crate::error::RenderError;
use crate::frames::buffers::Frames;
use crate::frames::{Change, Yuv};
use crate::scene::LaidOutScene;

/// The samples of sound per second.
const SAMPLES: u64 = 48_000;
/// The ticks of a frame in the file's time scale, as in the files of films.
const TICKS: u32 = 512;

/// A laid-out scene at a frame rate of its own.
pub(crate) struct PromptFrames {
    scene: LaidOutScene,
    frames: u32,
    rate: u32,
}

impl PromptFrames {
    /// So many frames of a scene, `rate` per second.
    pub fn new(scene: LaidOutScene, frames: u32, rate: u32) -> Self {
        Self { scene, frames: frames.max(1), rate: rate.max(1) }
    }
}

impl Frames for PromptFrames {
    fn size(&self) -> (u32, u32) {
        self.scene.size()
    }

    fn count(&self) -> u32 {
        self.frames
    }

    fn advance(&mut self, frame: u32) -> Change {
        let at = u64::from(frame) * u64::from(FRAME_RATE) / u64::from(self.rate);
        let last = self.scene.frames() - 1;
        self.scene.advance(u32::try_from(at).unwrap_or(last).min(last))
    }

    fn paint(&mut self, missing: &Change, into: &mut Yuv) {
        self.scene.paint(missing, into);
    }
}

impl Ffmpeg {
    /// Draws a prompt card and encodes it. All cards of one size and rate have the same parameters. Calls `progress` with
    /// the number of frames written so far.
    ///
    /// # Errors
    ///
    /// As [`Self::encode`].
    pub(crate) async fn encode_prompt(
        &self,
        frames: PromptFrames,
        to: &Path,
        progress: impl FnMut(u32) + Send + 'static,
    ) -> Result<(), RenderError> {
        let (count, rate) = (frames.count(), frames.rate);
        let samples = (u64::from(count) * SAMPLES * 2 + u64::from(rate)) / (u64::from(rate) * 2);
        let mut command = self.reading_frames();
        command.args(["-f", "lavfi", "-i", "anullsrc=channel_layout=stereo:sample_rate=48000"]);
        command.args(["-map", "0:v:0", "-map", "1:a:0", "-af"]).arg(format!("atrim=end_sample={samples}"));
        // A limit of frames (`-frames:v`) would also end the sound, in some versions before its last packets.
        command.arg("-vf").arg(every_frame(rate, count));
        command.args(["-c:a", "aac", "-b:a", "64k"]).args(ENCODER_ARGUMENTS);
        // The first frame is the last one of the scene before: it is encoded almost without loss.
        command.args(["-x264-params", "zones=0,0,q=6"]);
        let scale = rate.saturating_mul(TICKS).to_string();
        command.args(["-video_track_timescale", &scale, "-movie_timescale", &scale]);
        command.args(["-movflags", "+faststart", "-y", "-f", "mp4"]).arg(file_url(to));
        feed(command, frames, rate, progress, std::future::pending()).await
    }
}
