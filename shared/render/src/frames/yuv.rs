//! Frames in the encoder's format: planar YUV 4:2:0 with BT.709 colours in limited range.

use image::RgbaImage;
use tiny_skia::Pixmap;

use super::patch::{Change, Patch};

/// One frame: the Y plane, then U, then V.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yuv {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Yuv {
    /// Creates a black frame; both sides must be even.
    pub fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        let mut bytes = vec![16; width * height * 3 / 2];
        bytes[width * height..].fill(128);
        Self { width, height, bytes }
    }

    /// All planes, in the layout of ffmpeg's `-f rawvideo -pix_fmt yuv420p`.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Y, U and V, each with its width.
    pub(crate) fn planes(&self) -> [(&[u8], usize); 3] {
        let (luma, chroma) = self.bytes.split_at(self.width * self.height);
        let (blue, red) = chroma.split_at(chroma.len() / 2);
        [(luma, self.width), (blue, self.width / 2), (red, self.width / 2)]
    }

    /// As [`Self::planes`], to be written.
    pub(crate) fn planes_mut(&mut self) -> [(&mut [u8], usize); 3] {
        let (luma, chroma) = self.bytes.split_at_mut(self.width * self.height);
        let middle = chroma.len() / 2;
        let (blue, red) = chroma.split_at_mut(middle);
        [(luma, self.width), (blue, self.width / 2), (red, self.width / 2)]
    }

    /// Copies what changed from a frame of the same size.
    pub(crate) fn copy_from(&mut self, frame: &Self, change: &Change) {
        let patches = match change {
            Change::Patches(patches) => patches,
            Change::All => return self.bytes.copy_from_slice(&frame.bytes),
        };
        let size = (self.width as u32, self.height as u32);
        for ((out, width), (source, _)) in self.planes_mut().into_iter().zip(frame.planes()) {
            let scale = size.0 as usize / width;
            for patch in patches.iter().map(|patch| patch.clamped(size.0, size.1)) {
                // A block of four pixels has one chroma.
                let columns = patch.left as usize / 2 * 2 / scale..(patch.right as usize).div_ceil(2) * 2 / scale;
                for row in patch.top as usize / 2 * 2 / scale..(patch.bottom as usize).div_ceil(2) * 2 / scale {
                    let row = row * width + columns.start..row * width + columns.end;
                    out[row.clone()].copy_from_slice(&source[row]);
                }
            }
        }
    }

    /// Copies all pixels from an opaque pixmap of the same size.
    pub(crate) fn copy_all(&mut self, pixmap: &Pixmap) {
        self.copy_patch(pixmap, Patch { left: 0, top: 0, right: self.width as i32, bottom: self.height as i32 });
    }

    /// The frame as an RGBA image. A block of four pixels has one chroma.
    pub(crate) fn to_rgba(&self) -> RgbaImage {
        let [(luma, width), (blue, half), (red, _)] = self.planes();
        RgbaImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            let (x, y) = (x as usize, y as usize);
            let at = y / 2 * half + x / 2;
            let grey = 1.164_384 * (f32::from(luma[y * width + x]) - 16.0);
            let (blue, red) = (f32::from(blue[at]) - 128.0, f32::from(red[at]) - 128.0);
            let [r, g, b] =
                [grey + 1.792_741 * red, grey - 0.213_249 * blue - 0.532_909 * red, grey + 2.112_402 * blue]
                    .map(|channel| (channel + 0.5) as u8);
            image::Rgba([r, g, b, 255])
        })
    }

    /// Copies the pixels of `patch` from an opaque pixmap of the same size.
    pub(crate) fn copy_patch(&mut self, pixmap: &Pixmap, patch: Patch) {
        let patch = patch.clamped(self.width as u32, self.height as u32);
        if patch.is_empty() {
            return;
        }
        let (left, top) = (patch.left as usize & !1, patch.top as usize & !1);
        let (right, bottom) = ((patch.right as usize + 1) & !1, (patch.bottom as usize + 1) & !1);
        let (width, pixels) = (self.width, pixmap.data());
        let (luma, chroma) = self.bytes.split_at_mut(width * self.height);
        let (blue, red) = chroma.split_at_mut(width * self.height / 4);
        for y in (top..bottom).step_by(2) {
            let source = |y: usize| &pixels[(y * width + left) * 4..(y * width + right) * 4];
            let (upper, lower) = (source(y), source(y + 1));
            for (row, line) in [(y, upper), (y + 1, lower)] {
                let out = &mut luma[row * width + left..row * width + right];
                for (out, pixel) in out.iter_mut().zip(line.chunks_exact(4)) {
                    let (r, g, b) = (i32::from(pixel[0]), i32::from(pixel[1]), i32::from(pixel[2]));
                    *out = (((11_966 * r + 40_254 * g + 4_064 * b + 32_768) >> 16) + 16) as u8;
                }
            }
            let at = y / 2 * (width / 2);
            let out_blue = &mut blue[at + left / 2..at + right / 2];
            let out_red = &mut red[at + left / 2..at + right / 2];
            let pairs = upper.chunks_exact(8).zip(lower.chunks_exact(8));
            for ((out_blue, out_red), (a, b)) in out_blue.iter_mut().zip(out_red).zip(pairs) {
                let sum = |at: usize| i32::from(a[at]) + i32::from(a[at + 4]) + i32::from(b[at]) + i32::from(b[at + 4]);
                let (r, g, b) = (sum(0), sum(1), sum(2));
                *out_blue = (((-6_596 * r - 22_188 * g + 28_784 * b + (1 << 17)) >> 18) + 128) as u8;
                *out_red = (((28_784 * r - 26_145 * g - 2_639 * b + (1 << 17)) >> 18) + 128) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_black_and_red_are_what_bt_709_says() {
        for (rgb, expected) in
            [([255, 255, 255], [235, 128, 128]), ([0, 0, 0], [16, 128, 128]), ([255, 0, 0], [63, 102, 240])]
        {
            let mut pixmap = Pixmap::new(2, 2).expect("a size");
            pixmap.fill(tiny_skia::Color::from_rgba8(rgb[0], rgb[1], rgb[2], 255));
            let mut frame = Yuv::new(2, 2);
            frame.copy_all(&pixmap);
            assert_eq!([frame.bytes()[0], frame.bytes()[4], frame.bytes()[5]], expected, "{rgb:?}");
            let back = frame.to_rgba().get_pixel(1, 1).0;
            assert!(back[..3].iter().zip(rgb).all(|(back, rgb)| back.abs_diff(rgb) <= 2), "{rgb:?}: {back:?}");
        }
    }
}
