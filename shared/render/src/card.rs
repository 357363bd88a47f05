//! Composites the layers of a card; only the parts that changed since the last frame are drawn again.

use std::sync::Arc;

use tiny_skia::Pixmap;

use crate::frames::{Patch, Tiles, Yuv};
use crate::kept::{Backdrop, CardParts};
use crate::layer::{Layer, LayerKind, Sprite};
use crate::motion::{FULL_SCALE, Pose, Timeline};

/// The state in which a layer was drawn: the index of its sprite and its pose. `None` if it was invisible.
type LayerState = Option<(usize, Pose)>;

/// A card, ready to be shown frame by frame.
pub(crate) struct Card {
    base: Arc<Backdrop>,
    layers: Arc<[Layer]>,
    timeline: Timeline,
    states: Vec<LayerState>,
    tiles: Tiles,
    /// The present frame, as it is composited.
    pub canvas: Pixmap,
    /// The present frame, as it is encoded.
    pub yuv: Yuv,
}

impl Card {
    pub fn new(parts: CardParts, timeline: Timeline) -> Self {
        let CardParts { base, layers, .. } = parts;
        let states = vec![None; layers.len()];
        let (canvas, yuv) = (base.pixmap.clone(), base.yuv.clone());
        let tiles = Tiles::new(canvas.width(), canvas.height());
        Self { base, layers, timeline, states, tiles, canvas, yuv }
    }

    /// Draws a frame and returns the patches that changed.
    pub fn draw_frame(&mut self, frame: u32) -> Vec<Patch> {
        let next: Vec<LayerState> = self.layers.iter().map(|layer| state_of(layer, &self.timeline, frame)).collect();
        for ((layer, old), new) in self.layers.iter().zip(&self.states).zip(&next) {
            if old != new {
                self.tiles.mark(bounds(layer, old));
                self.tiles.mark(bounds(layer, new));
            }
        }
        let dirty = self.tiles.take();
        for &patch in &dirty {
            self.restore(patch);
            for (layer, state) in self.layers.iter().zip(&next) {
                let Some((index, pose)) = state else { continue };
                let Some(sprite) = layer.sprites.get(*index) else { continue };
                if bounds(layer, state).intersection(patch).is_empty() {
                    continue;
                }
                if pose.scale == FULL_SCALE {
                    draw_sprite(&mut self.canvas, sprite, *pose, patch);
                } else {
                    draw_scaled_sprite(&mut self.canvas, sprite, *pose, patch);
                }
            }
        }
        for &patch in &dirty {
            self.yuv.copy_patch(&self.canvas, patch);
        }
        self.states = next;
        dirty
    }

    fn restore(&mut self, patch: Patch) {
        let width = self.canvas.width() as usize;
        let (base, canvas) = (self.base.pixmap.data(), self.canvas.data_mut());
        for y in patch.top as usize..patch.bottom as usize {
            let row = (y * width + patch.left as usize) * 4..(y * width + patch.right as usize) * 4;
            canvas[row.clone()].copy_from_slice(&base[row]);
        }
    }
}

fn state_of(layer: &Layer, timeline: &Timeline, frame: u32) -> LayerState {
    let pose = match layer.order {
        Some(order) => timeline.pose(order, frame)?,
        None => Pose::REST,
    };
    match layer.kind {
        LayerKind::Plain => Some((0, pose)),
        LayerKind::Counter { order } => {
            let last = layer.sprites.len().saturating_sub(1);
            let counted = timeline.count_progress(order, frame);
            Some((((counted * last as f32).round() as usize).min(last), pose))
        }
        LayerKind::Answer => match timeline.answer_alpha(frame) {
            0 => None,
            alpha => Some((0, Pose { alpha: (u32::from(alpha) * u32::from(pose.alpha) / 255) as u8, ..pose })),
        },
        LayerKind::Button => {
            let scale = pose.scale * timeline.button_scale(frame) / FULL_SCALE;
            Some((0, Pose { scale, ..pose }))
        }
        LayerKind::Glint { travel } => {
            let part = timeline.glint_progress(frame)?;
            let alpha = ((part * std::f32::consts::PI).sin() * 255.0) as u8;
            Some((0, Pose { alpha, dx: (part * travel) as i32, ..Pose::REST }))
        }
    }
}

fn bounds(layer: &Layer, state: &LayerState) -> Patch {
    let nothing = Patch { left: 0, top: 0, right: 0, bottom: 0 };
    let Some((index, pose)) = state else { return nothing };
    let Some(sprite) = layer.sprites.get(*index) else { return nothing };
    placement(sprite, *pose).0
}

/// The patch that a sprite covers, its exact left and top edges, and its scale.
fn placement(sprite: &Sprite, pose: Pose) -> (Patch, f32, f32, f32) {
    let scale = pose.scale as f32 / FULL_SCALE as f32;
    let (w, h) = (sprite.pixmap.width() as f32, sprite.pixmap.height() as f32);
    let left = (sprite.x + pose.dx) as f32 + w * (1.0 - scale) / 2.0;
    let top = (sprite.y + pose.dy) as f32 + h * (1.0 - scale) / 2.0;
    let patch = Patch {
        left: left.floor() as i32,
        top: top.floor() as i32,
        right: (left + w * scale).ceil() as i32,
        bottom: (top + h * scale).ceil() as i32,
    };
    (patch, left, top, scale)
}

fn draw_sprite(canvas: &mut Pixmap, sprite: &Sprite, pose: Pose, clip: Patch) {
    let (patch, _, _, _) = placement(sprite, pose);
    let seen = patch.intersection(clip);
    if seen.is_empty() {
        return;
    }
    let (across, from) = (canvas.width() as usize, sprite.pixmap.width() as usize);
    let columns = (seen.left - patch.left) as usize..(seen.right - patch.left) as usize;
    let (pixels, out) = (sprite.pixmap.data(), canvas.data_mut());
    for y in seen.top..seen.bottom {
        let row = (y - patch.top) as usize;
        let source = &pixels[row * from * 4..(row + 1) * from * 4];
        let at = y as usize * across + seen.left as usize;
        let out = &mut out[at * 4..(at + columns.len()) * 4];
        for span in sprite.spans(row) {
            let (start, end) = (span.start.max(columns.start), span.end.min(columns.end));
            if start >= end {
                continue;
            }
            let source = &source[start * 4..end * 4];
            let out = &mut out[(start - columns.start) * 4..(end - columns.start) * 4];
            if span.opaque && pose.alpha == 255 {
                out.copy_from_slice(source);
                continue;
            }
            for (below, above) in out.chunks_exact_mut(4).zip(source.chunks_exact(4)) {
                blend(below, [above[0], above[1], above[2], above[3]].map(u16::from), pose.alpha.into());
            }
        }
    }
}

fn draw_scaled_sprite(canvas: &mut Pixmap, sprite: &Sprite, pose: Pose, clip: Patch) {
    let (patch, left, top, scale) = placement(sprite, pose);
    let seen = patch.intersection(clip);
    let across = canvas.width() as usize;
    let out = canvas.data_mut();
    for y in seen.top..seen.bottom {
        let v = (y as f32 + 0.5 - top) / scale - 0.5;
        for x in seen.left..seen.right {
            let u = (x as f32 + 0.5 - left) / scale - 0.5;
            let above = sample(&sprite.pixmap, u, v);
            let at = (y as usize * across + x as usize) * 4;
            if above[3] != 0 {
                blend(&mut out[at..at + 4], above, pose.alpha.into());
            }
        }
    }
}

/// Composites a premultiplied pixel with this opacity over an opaque one, and rounds to the nearest step.
fn blend(below: &mut [u8], above: [u16; 4], alpha: u16) {
    let keep = 255 - divided(above[3] * alpha);
    for (below, above) in below.iter_mut().zip(above) {
        *below = divided(above * alpha + u16::from(*below) * keep).min(255) as u8;
    }
}

/// A product of two values from 0 to 255 (or a little more, by rounding) over 255, to the nearest whole number.
fn divided(product: u16) -> u16 {
    let more = product + 128;
    (more + (more >> 8)) >> 8
}

/// The bilinear sample of a pixmap at a position; outside it is transparent.
fn sample(pixmap: &Pixmap, u: f32, v: f32) -> [u16; 4] {
    let (x, y) = (u.floor(), v.floor());
    let (part_x, part_y) = (((u - x) * 256.0) as u32, ((v - y) * 256.0) as u32);
    let (width, height) = (pixmap.width() as i32, pixmap.height() as i32);
    let pixel = |dx: i32, dy: i32| {
        let (x, y) = (x as i32 + dx, y as i32 + dy);
        if x < 0 || y < 0 || x >= width || y >= height {
            return [0; 4];
        }
        let at = (y * width + x) as usize * 4;
        let data = pixmap.data();
        [u32::from(data[at]), u32::from(data[at + 1]), u32::from(data[at + 2]), u32::from(data[at + 3])]
    };
    let (a, b, c, d) = (pixel(0, 0), pixel(1, 0), pixel(0, 1), pixel(1, 1));
    let mut out = [0; 4];
    for (channel, out) in out.iter_mut().enumerate() {
        let upper = a[channel] * (256 - part_x) + b[channel] * part_x;
        let lower = c[channel] * (256 - part_x) + d[channel] * part_x;
        *out = ((upper * (256 - part_y) + lower * part_y + (1 << 15)) >> 16) as u16;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_is_divided_exactly() {
        for product in 0..=65_152_u32 {
            assert_eq!(u32::from(divided(product as u16)), (product + 127) / 255, "{product}");
        }
    }

    #[test]
    fn a_pixel_over_another_stays_opaque_and_in_range() {
        for (a, alpha) in (0..=255_u16).flat_map(|a| (0..=255_u16).map(move |alpha| (a, alpha))) {
            let mut below = [255, 0, 255, 255];
            blend(&mut below, [a, a, 0, a], alpha);
            let part = u32::from(a) * u32::from(alpha);
            let keep = 255 - (part + 127) / 255;
            let over = |above: u32, below: u32| ((above * u32::from(alpha) + below * keep + 127) / 255).min(255) as u8;
            assert_eq!(below, [over(a.into(), 255), over(a.into(), 0), over(0, 255), 255], "{a} at {alpha}");
        }
    }
}
