//! Writes a loop as a WAV file of 32-bit floats, so that samples are not quantised before encoding.

use std::io::{self, Write};

use crate::layer::Layer;
use crate::sample_rate::RATE;

/// Writes the header and both channels.
pub fn write(layer: &Layer, out: &mut impl Write) -> io::Result<()> {
    const CHANNELS: u16 = 2;
    const BYTES: u16 = 4;
    const FLOATS: u16 = 3;
    let [left, right] = &layer.channels;
    let rate = RATE as u32;
    let frame = CHANNELS * BYTES;
    let length = left.len() as u32 * u32::from(frame);

    out.write_all(b"RIFF")?;
    out.write_all(&(36 + length).to_le_bytes())?;
    out.write_all(b"WAVEfmt ")?;
    out.write_all(&16u32.to_le_bytes())?;
    out.write_all(&FLOATS.to_le_bytes())?;
    out.write_all(&CHANNELS.to_le_bytes())?;
    out.write_all(&rate.to_le_bytes())?;
    out.write_all(&(rate * u32::from(frame)).to_le_bytes())?;
    out.write_all(&frame.to_le_bytes())?;
    out.write_all(&(BYTES * 8).to_le_bytes())?;
    out.write_all(b"data")?;
    out.write_all(&length.to_le_bytes())?;
    for (left, right) in left.iter().zip(right) {
        out.write_all(&(*left as f32).to_le_bytes())?;
        out.write_all(&(*right as f32).to_le_bytes())?;
    }
    out.flush()
}
