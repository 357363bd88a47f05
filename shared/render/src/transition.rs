//! Transitions: how the last frame of the scene before changes into the first frames of this scene.

use reelhook_domain::videos::film::Transition;
use tiny_skia::Pixmap;

use crate::motion::ease_in_out;

/// The duration of a transition in frames.
pub(crate) const FRAMES: u32 = 18;

/// Blends two frames of equal size: at 0 only `before` is visible, at 1 only `current`.
pub(crate) fn mix(transition: Transition, before: &Pixmap, current: &Pixmap, progress: f32, out: &mut Pixmap) {
    let eased = ease_in_out(progress.clamp(0.0, 1.0));
    match transition {
        Transition::Fade => fade(before, current, eased, out),
        Transition::Slide => slide(before, current, eased, out),
        Transition::Zoom => {
            draw_transformed(before, 1.0 + 0.12 * eased, 0.0, None, out);
            draw_transformed(current, 0.35 + 0.65 * eased, 0.0, Some((eased * 1.6).min(1.0)), out);
        }
        Transition::Rotate => {
            fade(before, before, 0.0, out);
            draw_transformed(current, 0.55 + 0.45 * eased, (1.0 - eased) * -0.5, Some((eased * 1.6).min(1.0)), out);
        }
        Transition::Blur => blur(before, current, eased, progress, out),
    }
}

fn fade(before: &Pixmap, current: &Pixmap, part: f32, out: &mut Pixmap) {
    let part = (part * 256.0).round() as u32;
    let pixels = out.data_mut().iter_mut().zip(before.data()).zip(current.data());
    for ((out, &a), &b) in pixels {
        *out = ((u32::from(a) * (256 - part) + u32::from(b) * part + 128) >> 8) as u8;
    }
}

fn slide(before: &Pixmap, current: &Pixmap, part: f32, out: &mut Pixmap) {
    let line = current.width() as usize * 4;
    let moved = (part * current.width() as f32).round() as usize * 4;
    let rows = out
        .data_mut()
        .chunks_exact_mut(line)
        .zip(before.data().chunks_exact(line))
        .zip(current.data().chunks_exact(line));
    for ((out, before), current) in rows {
        out[..line - moved].copy_from_slice(&before[moved..]);
        out[line - moved..].copy_from_slice(&current[..moved]);
    }
}

/// Draws a frame scaled and rotated (in radians) around the centre, over the existing pixels.
fn draw_transformed(source: &Pixmap, scale: f32, angle: f32, alpha: Option<f32>, out: &mut Pixmap) {
    let (width, height) = (source.width() as i32, source.height() as i32);
    let (middle_x, middle_y) = (width as f32 / 2.0, height as f32 / 2.0);
    let (sin, cos) = (angle.sin() / scale, angle.cos() / scale);
    let part = (alpha.unwrap_or(1.0) * 256.0).round() as u32;
    let line = width as usize * 4;
    let data = source.data();
    for (y, row) in out.data_mut().chunks_exact_mut(line).enumerate() {
        let v = y as f32 + 0.5 - middle_y;
        for (x, below) in row.chunks_exact_mut(4).enumerate() {
            let u = x as f32 + 0.5 - middle_x;
            let from_x = u * cos + v * sin + middle_x - 0.5;
            let from_y = v * cos - u * sin + middle_y - 0.5;
            let (left, top) = (from_x.floor(), from_y.floor());
            let (x0, y0) = (left as i32, top as i32);
            if x0 < -1 || y0 < -1 || x0 >= width || y0 >= height {
                continue;
            }
            let (px, py) = (((from_x - left) * 256.0) as u32, ((from_y - top) * 256.0) as u32);
            let (x1, y1) = ((x0 + 1).min(width - 1) as usize * 4, (y0 + 1).min(height - 1) as usize * line);
            let (x0, y0) = (x0.max(0) as usize * 4, y0.max(0) as usize * line);
            for channel in 0..3 {
                let at = |offset: usize| u32::from(data[offset + channel]);
                let upper = at(y0 + x0) * (256 - px) + at(y0 + x1) * px;
                let lower = at(y1 + x0) * (256 - px) + at(y1 + x1) * px;
                let value = (upper * (256 - py) + lower * py) >> 16;
                below[channel] = ((u32::from(below[channel]) * (256 - part) + value * part + 128) >> 8) as u8;
            }
        }
    }
}

/// The factor by which the blurred frame is smaller on each side.
const BLUR_SCALE: usize = 4;

fn blur(before: &Pixmap, current: &Pixmap, eased: f32, progress: f32, out: &mut Pixmap) {
    fade(before, current, eased, out);
    let strength = (progress.clamp(0.0, 1.0) * std::f32::consts::PI).sin();
    let radius = (strength * out.width().min(out.height()) as f32 / 60.0 / BLUR_SCALE as f32 * 2.0).round() as usize;
    if radius == 0 {
        return;
    }
    let (width, height) = (out.width() as usize, out.height() as usize);
    let (w, h) = (width.div_ceil(BLUR_SCALE), height.div_ceil(BLUR_SCALE));
    let mut small = vec![[0_u16; 3]; w * h];
    for (at, small) in small.iter_mut().enumerate() {
        let (x, y) = (at % w * BLUR_SCALE, at / w * BLUR_SCALE);
        let (right, bottom) = ((x + BLUR_SCALE).min(width), (y + BLUR_SCALE).min(height));
        let count = ((right - x) * (bottom - y)) as u16;
        let mut sum = [0_u16; 3];
        for y in y..bottom {
            for pixel in out.data()[(y * width + x) * 4..(y * width + right) * 4].chunks_exact(4) {
                for (sum, &value) in sum.iter_mut().zip(pixel) {
                    *sum += u16::from(value);
                }
            }
        }
        *small = sum.map(|sum| sum * 16 / count);
    }
    for _ in 0..2 {
        small = box_blurred(&small, w, h, radius);
        small = box_blurred(&small, h, w, radius);
    }
    let blurred = (strength * 3.0).min(1.0);
    let part = (blurred * 256.0) as u32;
    for (y, row) in out.data_mut().chunks_exact_mut(width * 4).enumerate() {
        let v = ((y as f32 + 0.5) / BLUR_SCALE as f32 - 0.5).max(0.0);
        let (top, py) = (v as usize, ((v - v.floor()) * 256.0) as u32);
        let below = (top + 1).min(h - 1);
        for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
            let u = ((x as f32 + 0.5) / BLUR_SCALE as f32 - 0.5).max(0.0);
            let (left, px) = (u as usize, ((u - u.floor()) * 256.0) as u32);
            let right = (left + 1).min(w - 1);
            for (channel, value) in pixel.iter_mut().enumerate().take(3) {
                let at = |x: usize, y: usize| u32::from(small[y * w + x][channel]);
                let upper = at(left, top) * (256 - px) + at(right, top) * px;
                let lower = at(left, below) * (256 - px) + at(right, below) * px;
                let soft = (upper * (256 - py) + lower * py) >> 20;
                *value = ((u32::from(*value) * (256 - part) + soft * part + 128) >> 8) as u8;
            }
        }
    }
}

/// Averages along the rows and transposes the result.
fn box_blurred(source: &[[u16; 3]], width: usize, height: usize, radius: usize) -> Vec<[u16; 3]> {
    let mut out = vec![[0_u16; 3]; source.len()];
    let span = (2 * radius + 1) as u32;
    for (y, row) in source.chunks_exact(width).enumerate() {
        let at = |x: isize| row[x.clamp(0, width as isize - 1) as usize];
        let mut sum = [0_u32; 3];
        for x in -(radius as isize)..=radius as isize {
            for (sum, value) in sum.iter_mut().zip(at(x)) {
                *sum += u32::from(value);
            }
        }
        for x in 0..width {
            out[x * height + y] = sum.map(|sum| (sum / span) as u16);
            let (gone, new) = (at(x as isize - radius as isize), at(x as isize + radius as isize + 1));
            for ((sum, gone), new) in sum.iter_mut().zip(gone).zip(new) {
                *sum = *sum + u32::from(new) - u32::from(gone);
            }
        }
    }
    out
}
