//! Draws frames into two buffers and writes them to ffmpeg: while one is written, the next frame is drawn into the other.
//! A frame that equals the one before is not written.

use std::fs::File;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::matroska;
use super::patch::Change;
use super::yuv::Yuv;
use crate::error::RenderError;

/// Frames that are drawn one after the other.
pub(crate) trait Frames: Send + 'static {
    /// Width and height in pixels; both are even.
    fn size(&self) -> (u32, u32);

    /// The number of frames.
    fn count(&self) -> u32;

    /// Goes on to this frame, and returns what changed since the frame before.
    fn advance(&mut self, frame: u32) -> Change;

    /// Draws the present frame into a buffer that lacks these changes.
    fn paint(&mut self, missing: &Change, into: &mut Yuv);
}

/// A buffer on its way to ffmpeg.
struct Filled {
    /// Which buffer it is.
    index: usize,
    yuv: Yuv,
    /// The first frame that shows it.
    at: u32,
}

/// The ends of the two channels between drawing and writing.
pub(crate) struct Drawing {
    filled: SyncSender<Filled>,
    free: Receiver<(usize, Yuv)>,
}

/// As [`Drawing`], for the writer.
pub(crate) struct Writing {
    filled: Receiver<Filled>,
    free: Sender<(usize, Yuv)>,
    count: u32,
}

/// Makes the two buffers for these frames.
pub(crate) fn buffers(frames: &impl Frames) -> (Drawing, Writing) {
    let (width, height) = frames.size();
    let (filled, to_write) = sync_channel(1);
    let (free, to_draw) = channel();
    for index in 0..2 {
        // The receiver exists.
        let _ = free.send((index, Yuv::new(width, height)));
    }
    (Drawing { filled, free: to_draw }, Writing { filled: to_write, free, count: frames.count() })
}

impl Drawing {
    /// Draws all frames, until the writer is gone.
    pub fn run(self, mut frames: impl Frames) {
        let mut missing = [Change::All, Change::All];
        let count = frames.count();
        for at in 0..count {
            let change = frames.advance(at);
            missing.iter_mut().for_each(|missing| missing.add(&change));
            if at > 0 && change.is_nothing() {
                continue;
            }
            let Ok((index, mut yuv)) = self.free.recv() else { return };
            frames.paint(&std::mem::replace(&mut missing[index], Change::NOTHING), &mut yuv);
            if self.filled.send(Filled { index, yuv, at }).is_err() {
                return;
            }
        }
    }
}

impl Writing {
    /// Writes what is drawn. The last frame is written again at the end, for ffmpeg shows a frame until the next begins.
    pub fn run(self, mut pipe: File, rate: u32, mut progress: impl FnMut(u32)) -> Result<(), RenderError> {
        let io = |source| RenderError::Io { action: "write to ffmpeg", source };
        let mut last: Option<Filled> = None;
        while let Ok(next) = self.filled.recv() {
            match last.take() {
                None => std::io::Write::write_all(&mut pipe, &matroska::head(next.yuv.size(), rate)).map_err(io)?,
                // Drawing has ended if nobody receives it.
                Some(last) => drop(self.free.send((last.index, last.yuv))),
            }
            matroska::write_frame(&mut pipe, next.at, next.yuv.bytes()).map_err(io)?;
            progress(next.at + 1);
            last = Some(next);
        }
        if let Some(last) = last {
            matroska::write_frame(&mut pipe, self.count, last.yuv.bytes()).map_err(io)?;
            progress(self.count);
        }
        Ok(())
    }
}
