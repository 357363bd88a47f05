//! Dithers smooth gradients to eight bits. Colours are rounded so that luma and chroma of neighbouring pixels average
//! to the exact values, in patterns that survive encoding. Without dithering a dark gradient shows banding.
//!
//! Encoders discard small amplitudes in the higher frequencies of a block, and with them the noise that hides banding.
//! Therefore luma has a fine pattern that spans two steps and never vanishes, whatever the exact value between two
//! steps. Chroma is quantised more coarsely and has a pattern with cells as large as the encoder's chroma blocks. Both
//! patterns are constant over time, so that unchanged frames cost nothing.

/// The patterns repeat after this number of pixels, horizontally and vertically.
pub(crate) const PERIOD: i32 = 208;

/// The steps of the fine pattern; each row and each column contains all of them.
const STEPS: usize = 13;
/// The offset that is added to luma before truncation.
const FINE: [f32; STEPS] = {
    let mut fine = [0.0; STEPS];
    let mut step = 0;
    while step < STEPS {
        fine[step] = (2 * step + 1) as f32 / STEPS as f32 - 0.5;
        step += 1;
    }
    fine
};
/// The width and height of a cell of the coarse pattern in pixels.
const CELL: usize = 8;
/// The offset that is added to the blue chroma of a cell. Red chroma gets one minus this offset, so that both never
/// step at the same time.
const COARSE: [[f32; 2]; 2] = [[0.125, 0.625], [0.875, 0.375]];

/// The dithered colour of the pixel at `x` and `y` for an exact colour with channels from 0 to 255. `Yuv::copy_patch`
/// converts it to exactly the luma and chroma chosen here, because rounding red, green and blue shifts them by less
/// than half a step.
pub(crate) fn dithered([r, g, b]: [f32; 3], x: usize, y: usize) -> [u8; 3] {
    let fine = FINE[(5 * x + y) % STEPS];
    let coarse = COARSE[y / CELL % 2][x / CELL % 2];
    // BT.709 in limited range, as in `Yuv::copy_patch`. The truncated values are never negative.
    let luma = 0.182_587 * r + 0.614_227 * g + 0.062_012 * b;
    let luma = (luma + 16.0 + fine) as i32 - 16;
    let blue = -0.100_647 * r - 0.338_562 * g + 0.439_209 * b;
    let blue = ((blue + 128.0 + coarse) as i32 - 128) as f32;
    let red = 0.439_209 * r - 0.398_941 * g - 0.040_268 * b;
    let red = ((red + 128.0 + 1.0 - coarse) as i32 - 128) as f32;
    let grey = 1.164_384 * luma as f32;
    // The cast saturates at 0 and 255.
    [grey + 1.792_741 * red, grey - 0.213_249 * blue - 0.532_909 * red, grey + 2.112_402 * blue]
        .map(|channel| (channel + 0.5) as u8)
}

#[cfg(test)]
mod tests {
    use tiny_skia::{Pixmap, PremultipliedColorU8};

    use super::*;
    use crate::frames::Yuv;

    const SIDE: usize = PERIOD as usize;

    /// The planes of a square of one period with these exact colours.
    fn planes(colour: impl Fn(usize, usize) -> [f32; 3]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let mut pixmap = Pixmap::new(SIDE as u32, SIDE as u32).expect("a size");
        for (at, pixel) in pixmap.pixels_mut().iter_mut().enumerate() {
            let (x, y) = (at % SIDE, at / SIDE);
            let [r, g, b] = dithered(colour(x, y), x, y);
            *pixel = PremultipliedColorU8::from_rgba(r, g, b, 255).expect("an opaque colour");
        }
        let mut frame = Yuv::new(SIDE as u32, SIDE as u32);
        frame.copy_all(&pixmap);
        let (luma, chroma) = frame.bytes().split_at(SIDE * SIDE);
        let (blue, red) = chroma.split_at(SIDE * SIDE / 4);
        (luma.to_vec(), blue.to_vec(), red.to_vec())
    }

    fn mean(plane: &[u8]) -> f64 {
        plane.iter().map(|value| f64::from(*value)).sum::<f64>() / plane.len() as f64
    }

    /// Luma, blue chroma and red chroma of a colour in limited range (BT.709).
    fn exact([r, g, b]: [f32; 3]) -> [f64; 3] {
        let [r, g, b] = [f64::from(r), f64::from(g), f64::from(b)];
        let luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        let (blue, red) = ((b - luma) / 1.8556, (r - luma) / 1.5748);
        [16.0 + luma * 219.0 / 255.0, 128.0 + blue * 224.0 / 255.0, 128.0 + red * 224.0 / 255.0]
    }

    #[test]
    fn neighbours_average_to_the_exact_colour() {
        for colour in [
            [5.0, 42.3, 69.9],
            [10.0, 85.5, 102.2],
            [7.4, 9.1, 13.6],
            [10.5, 9.2, 7.8],
            [100.2, 16.7, 47.1],
            [128.0, 128.5, 127.6],
            [243.3, 242.1, 238.9],
        ] {
            let (luma, blue, red) = planes(|_, _| colour);
            let [exact_luma, exact_blue, exact_red] = exact(colour);
            assert!((mean(&luma) - exact_luma).abs() < 0.045, "{colour:?}: {} for {exact_luma}", mean(&luma));
            assert!((mean(&blue) - exact_blue).abs() < 0.13, "{colour:?}: {} for {exact_blue}", mean(&blue));
            assert!((mean(&red) - exact_red).abs() < 0.13, "{colour:?}: {} for {exact_red}", mean(&red));
        }
    }

    #[test]
    fn a_slow_gradient_has_no_bands() {
        // Luma rises by two steps over the whole width: without dithering there would be three flat bands.
        let colour = |x: usize, _: usize| [20.0, 40.0, 60.0].map(|channel: f32| channel + 2.3 * x as f32 / SIDE as f32);
        let (luma, _, _) = planes(colour);
        for row in luma.chunks_exact(SIDE) {
            assert!(row.windows(8).all(|run| run.iter().any(|value| *value != run[0])), "{row:?}");
        }
        for start in 0..SIDE - 13 {
            let column: Vec<u8> = luma.chunks_exact(SIDE).flat_map(|row| row[start..start + 13].to_vec()).collect();
            let middle = exact(colour(start + 6, 0))[0];
            assert!((mean(&column) - middle).abs() < 0.06, "{} for {middle} at {start}", mean(&column));
        }
    }

    #[test]
    fn black_and_white_stay_within_their_range() {
        let (luma, _, _) = planes(|_, _| [0.0; 3]);
        assert!(luma.iter().all(|value| (16..=17).contains(value)));
        let (luma, _, _) = planes(|_, _| [255.0; 3]);
        assert!(luma.iter().all(|value| (234..=235).contains(value)));
    }
}
