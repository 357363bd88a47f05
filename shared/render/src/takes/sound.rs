//! The sound of joined takes: decoded take by take, cut or filled to the length of the frames to a sample, and joined
//! without a click, so that it is encoded once and has no gap.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::encode::{Ffmpeg, finish, start};
use crate::error::RenderError;
use crate::takes::plan::SAMPLES;
use crate::takes::probe::Probe;

/// The bytes of a sample: two channels of 16 bits.
const SAMPLE: usize = 4;
/// The samples over which a step at a seam is levelled out: 5 ms.
const SEAM: u32 = SAMPLES / 200;
/// The bytes that are processed at once.
const CHUNK: usize = 4096 * SAMPLE;

/// The arguments for the raw sound that is passed between processes.
pub(crate) const RAW_SOUND: [&str; 6] = ["-f", "s16le", "-ar", "48000", "-ac", "2"];

/// The sound of a take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TakeSound<'a> {
    pub take: &'a Path,
    pub probe: &'a Probe,
    /// Its length in samples.
    pub samples: u64,
}

/// Levels out the step between two sounds: the second one starts where the first one ended, and is itself again after 5 ms.
/// A fade would be heard as a gap.
#[derive(Debug, Default)]
struct Seam {
    /// The last sample of what was written; none before the first one.
    last: Option<[f32; 2]>,
    /// Whether another sound begins.
    begins: bool,
    step: [f32; 2],
    left: u32,
}

impl Seam {
    fn begin(&mut self) {
        self.begins = true;
    }

    /// Levels out whole samples.
    fn apply(&mut self, bytes: &mut [u8]) {
        for sample in bytes.chunks_exact_mut(SAMPLE) {
            let mut values =
                [[sample[0], sample[1]], [sample[2], sample[3]]].map(|value| f32::from(i16::from_le_bytes(value)));
            if std::mem::take(&mut self.begins)
                && let Some(last) = self.last
            {
                self.step = [last[0] - values[0], last[1] - values[1]];
                self.left = SEAM;
            }
            if self.left > 0 {
                let part = self.left as f32 / SEAM as f32;
                values = [values[0] + self.step[0] * part, values[1] + self.step[1] * part];
                self.left -= 1;
                let [left, right] = values.map(|value| (value.round() as i16).to_le_bytes());
                sample.copy_from_slice(&[left[0], left[1], right[0], right[1]]);
            }
            self.last = Some(values);
        }
    }
}

impl Ffmpeg {
    /// Writes the sound of takes, one after the other, as raw sound of exactly their lengths.
    pub(crate) async fn write_sound(
        &self,
        takes: &[TakeSound<'_>],
        mut to: impl AsyncWrite + Unpin + Send,
    ) -> Result<(), RenderError> {
        let mut seam = Seam::default();
        for take in takes {
            let mut left = take.samples;
            if take.probe.sound && left > 0 {
                seam.begin();
                left -= self.decode_sound(take, &mut seam, &mut to).await?;
            }
            seam.begin();
            while left > 0 {
                let samples = left.min((CHUNK / SAMPLE) as u64);
                let mut silence = vec![0; samples as usize * SAMPLE];
                seam.apply(&mut silence);
                to.write_all(&silence).await.map_err(write_error)?;
                left -= samples;
            }
        }
        to.shutdown().await.map_err(write_error)
    }

    /// Decodes the sound of a take from the time of its first frame on; returns the number of samples. What can't be
    /// decoded is silent.
    async fn decode_sound(
        &self,
        take: &TakeSound<'_>,
        seam: &mut Seam,
        to: &mut (impl AsyncWrite + Unpin + Send),
    ) -> Result<u64, RenderError> {
        let first = take.probe.times().first().map_or(0.0, |first| take.probe.seconds(*first as f64));
        let first = (first * f64::from(SAMPLES)).round() as i64;
        let mut command = self.reading(take.take, &["-max_error_rate", "1"])?;
        command.args(["-map", "0:a:0", "-vn", "-af"]).arg(format!(
            "aresample={SAMPLES}:async=1:first_pts={first},aformat=sample_fmts=s16:channel_layouts=stereo\
             ,atrim=end_sample={}",
            take.samples
        ));
        command.args(RAW_SOUND).arg("pipe:1").stdout(Stdio::piped());
        let mut child = start(&mut command)?;
        let (stdout, mut samples) = (child.stdout.take(), 0);
        let copy = async {
            let Some(mut stdout) = stdout else { return Ok::<_, RenderError>(()) };
            let mut chunk = vec![0; CHUNK];
            loop {
                let read = fill(&mut stdout, &mut chunk).await?;
                let whole = &mut chunk[..read / SAMPLE * SAMPLE];
                seam.apply(whole);
                to.write_all(whole).await.map_err(write_error)?;
                samples += (whole.len() / SAMPLE) as u64;
                if read < CHUNK {
                    return Ok(());
                }
            }
        };
        match finish(child, "decode the sound of a take", std::future::pending(), copy).await {
            Err(RenderError::Ffmpeg { stderr, .. }) => {
                tracing::warn!(stderr, samples, "the sound of a take is damaged, the rest is silent");
                Ok(samples.min(take.samples))
            }
            finished => finished.map(|()| samples.min(take.samples)),
        }
    }
}

/// Reads until a buffer is full or the source ends; returns the number of bytes.
pub(crate) async fn fill(from: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> Result<usize, RenderError> {
    let mut filled = 0;
    while filled < buffer.len() {
        let read = from.read(&mut buffer[filled..]).await;
        match read.map_err(|source| RenderError::Io { action: "read what ffmpeg decodes", source })? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

fn write_error(source: std::io::Error) -> RenderError {
    RenderError::Io { action: "write sound to ffmpeg", source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seam_has_no_step_and_ends_after_five_milliseconds() {
        let sound = |value: i16, samples: usize| value.to_le_bytes().repeat(2 * samples);
        let mut seam = Seam::default();
        let (mut one, mut other) = (sound(8000, 100), sound(-8000, 1000));
        seam.begin();
        seam.apply(&mut one);
        assert_eq!(one, sound(8000, 100), "the first sound starts as it is");
        seam.begin();
        seam.apply(&mut other);
        let values: Vec<i16> = other.chunks_exact(2).map(|value| i16::from_le_bytes([value[0], value[1]])).collect();
        let left: Vec<i16> = values.iter().step_by(2).copied().collect();
        assert_eq!(left[0], 8000);
        assert!(left.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 70), "{left:?}");
        assert!(left[SEAM as usize..].iter().all(|value| *value == -8000));
        assert!(values.chunks_exact(2).all(|pair| pair[0] == pair[1]), "both channels are equal");
    }
}
