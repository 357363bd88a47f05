//! Draws the colour glyphs of an emoji font: evaluates the paint graph of COLR versions 0 and 1 on pixmaps.

use skrifa::color::{Brush, ColorPainter, ColorStop, CompositeMode, Extend, Transform as FontTransform};
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::raw::TableProvider;
use skrifa::raw::types::BoundingBox;
use skrifa::{FontRef, GlyphId, MetadataProvider};
use tiny_skia::{
    BlendMode, Color, FillRule, GradientStop, LinearGradient, Mask, Paint, Path, PathBuilder, Pixmap, PixmapPaint,
    Point, RadialGradient, Rect, Shader, SpreadMode, SweepGradient, Transform,
};

/// Draws a glyph at `size` pixels per em. The origin of its baseline is at (0.25 em, 1.25 em) of the pixmap.
pub(crate) fn draw(data: &[u8], glyph: u16, size: f32) -> Option<Pixmap> {
    let font = FontRef::new(data).ok()?;
    let side = (size * 1.75).ceil().max(1.0) as u32;
    let units = f32::from(font.head().ok()?.units_per_em());
    let scale = size / units;
    let root = Transform::from_row(scale, 0.0, 0.0, -scale, size * 0.25, size * 1.25);
    let mut palette = Vec::new();
    for record in font.cpal().ok()?.color_records_array()?.ok()?.iter() {
        palette.push(Color::from_rgba8(record.red, record.green, record.blue, record.alpha));
    }
    let glyph = GlyphId::from(glyph);
    let colour = font.color_glyphs().get(glyph)?;
    let mut painter = Painter {
        font: font.clone(),
        palette,
        transforms: vec![root],
        clips: Vec::new(),
        layers: vec![(Pixmap::new(side, side)?, CompositeMode::SrcOver)],
        side,
    };
    colour.paint(LocationRef::default(), &mut painter).ok()?;
    painter.layers.into_iter().next().map(|(pixmap, _)| pixmap)
}

struct Painter<'a> {
    font: FontRef<'a>,
    palette: Vec<Color>,
    transforms: Vec<Transform>,
    clips: Vec<Mask>,
    layers: Vec<(Pixmap, CompositeMode)>,
    side: u32,
}

impl Painter<'_> {
    fn transform(&self) -> Transform {
        self.transforms.last().copied().unwrap_or_default()
    }

    fn outline(&self, glyph: GlyphId) -> Option<Path> {
        let mut pen = Pen(PathBuilder::new());
        let outline = self.font.outline_glyphs().get(glyph)?;
        outline.draw(DrawSettings::unhinted(Size::unscaled(), LocationRef::default()), &mut pen).ok()?;
        pen.0.finish()
    }

    fn clip(&mut self, path: Option<Path>) {
        let mut mask = self.clips.last().cloned();
        let transform = self.transform();
        let empty = Mask::new(self.side, self.side);
        match (path, &mut mask) {
            (Some(path), Some(mask)) => mask.intersect_path(&path, FillRule::Winding, true, transform),
            (Some(path), None) => {
                mask = empty;
                if let Some(mask) = &mut mask {
                    mask.fill_path(&path, FillRule::Winding, true, transform);
                }
            }
            (None, _) => mask = empty,
        }
        self.clips.extend(mask);
    }

    fn colour(&self, index: u16, alpha: f32) -> Color {
        let mut colour = self.palette.get(usize::from(index)).copied().unwrap_or(Color::BLACK);
        colour.apply_opacity(alpha);
        colour
    }

    fn stops(&self, stops: &[ColorStop]) -> Vec<GradientStop> {
        stops.iter().map(|stop| GradientStop::new(stop.offset, self.colour(stop.palette_index, stop.alpha))).collect()
    }

    fn shader(&self, brush: &Brush<'_>, transform: Transform) -> Option<Shader<'static>> {
        match brush {
            Brush::Solid { palette_index, alpha } => Some(Shader::SolidColor(self.colour(*palette_index, *alpha))),
            Brush::LinearGradient { p0, p1, color_stops, extend } => LinearGradient::new(
                Point::from_xy(p0.x, p0.y),
                Point::from_xy(p1.x, p1.y),
                self.stops(color_stops),
                spread(*extend),
                transform,
            ),
            Brush::RadialGradient { c0, r0, c1, r1, color_stops, extend } => RadialGradient::new(
                Point::from_xy(c0.x, c0.y),
                r0.max(0.0),
                Point::from_xy(c1.x, c1.y),
                r1.max(0.0),
                self.stops(color_stops),
                spread(*extend),
                transform,
            ),
            Brush::SweepGradient { c0, start_angle, end_angle, color_stops, extend } => SweepGradient::new(
                Point::from_xy(c0.x, c0.y),
                *start_angle,
                *end_angle,
                self.stops(color_stops),
                spread(*extend),
                transform,
            ),
        }
        .or_else(|| match brush {
            Brush::Solid { .. } => None,
            Brush::LinearGradient { color_stops, .. }
            | Brush::RadialGradient { color_stops, .. }
            | Brush::SweepGradient { color_stops, .. } => {
                color_stops.last().map(|stop| Shader::SolidColor(self.colour(stop.palette_index, stop.alpha)))
            }
        })
    }

    fn paint(&mut self, path: &Path, path_transform: Transform, brush: &Brush<'_>, brush_transform: Transform) {
        // The shader's transform is applied on top of the path's transform, so invert the latter.
        let Some(inverse) = path_transform.invert() else { return };
        let Some(shader) = self.shader(brush, inverse.pre_concat(brush_transform)) else { return };
        let paint = Paint { shader, anti_alias: true, ..Paint::default() };
        let clip = self.clips.last();
        if let Some((layer, _)) = self.layers.last_mut() {
            layer.fill_path(path, &paint, FillRule::Winding, path_transform, clip);
        }
    }
}

impl ColorPainter for Painter<'_> {
    fn push_transform(&mut self, t: FontTransform) {
        let next = self.transform().pre_concat(Transform::from_row(t.xx, t.yx, t.xy, t.yy, t.dx, t.dy));
        self.transforms.push(next);
    }

    fn pop_transform(&mut self) {
        if self.transforms.len() > 1 {
            self.transforms.pop();
        }
    }

    fn push_clip_glyph(&mut self, glyph_id: GlyphId) {
        let path = self.outline(glyph_id);
        self.clip(path);
    }

    fn push_clip_box(&mut self, clip_box: BoundingBox<f32>) {
        let rect = Rect::from_ltrb(clip_box.x_min, clip_box.y_min, clip_box.x_max, clip_box.y_max);
        self.clip(rect.map(PathBuilder::from_rect));
    }

    fn pop_clip(&mut self) {
        self.clips.pop();
    }

    fn fill(&mut self, brush: Brush<'_>) {
        let side = self.side as f32;
        let Some(all) = Rect::from_xywh(0.0, 0.0, side, side) else { return };
        let transform = self.transform();
        self.paint(&PathBuilder::from_rect(all), Transform::identity(), &brush, transform);
    }

    fn fill_glyph(&mut self, glyph_id: GlyphId, brush_transform: Option<FontTransform>, brush: Brush<'_>) {
        let Some(path) = self.outline(glyph_id) else { return };
        let transform = self.transform();
        let brushed = brush_transform
            .map_or(transform, |t| transform.pre_concat(Transform::from_row(t.xx, t.yx, t.xy, t.yy, t.dx, t.dy)));
        self.paint(&path, transform, &brush, brushed);
    }

    fn push_layer(&mut self, composite_mode: CompositeMode) {
        if let Some(pixmap) = Pixmap::new(self.side, self.side) {
            self.layers.push((pixmap, composite_mode));
        }
    }

    fn pop_layer(&mut self) {
        if self.layers.len() < 2 {
            return;
        }
        let Some((top, mode)) = self.layers.pop() else { return };
        let clip = self.clips.last();
        if let Some((below, _)) = self.layers.last_mut() {
            let paint = PixmapPaint { blend_mode: blend(mode), ..PixmapPaint::default() };
            below.draw_pixmap(0, 0, top.as_ref(), &paint, Transform::identity(), clip);
        }
    }
}

struct Pen(PathBuilder);

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }
    fn quad_to(&mut self, cx0: f32, cy0: f32, x: f32, y: f32) {
        self.0.quad_to(cx0, cy0, x, y);
    }
    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.0.cubic_to(cx0, cy0, cx1, cy1, x, y);
    }
    fn close(&mut self) {
        self.0.close();
    }
}

fn spread(extend: Extend) -> SpreadMode {
    match extend {
        Extend::Repeat => SpreadMode::Repeat,
        Extend::Reflect => SpreadMode::Reflect,
        // The enum is non-exhaustive and belongs to another crate.
        _ => SpreadMode::Pad,
    }
}

fn blend(mode: CompositeMode) -> BlendMode {
    match mode {
        CompositeMode::Clear => BlendMode::Clear,
        CompositeMode::Src => BlendMode::Source,
        CompositeMode::Dest => BlendMode::Destination,
        CompositeMode::DestOver => BlendMode::DestinationOver,
        CompositeMode::SrcIn => BlendMode::SourceIn,
        CompositeMode::DestIn => BlendMode::DestinationIn,
        CompositeMode::SrcOut => BlendMode::SourceOut,
        CompositeMode::DestOut => BlendMode::DestinationOut,
        CompositeMode::SrcAtop => BlendMode::SourceAtop,
        CompositeMode::DestAtop => BlendMode::DestinationAtop,
        CompositeMode::Xor => BlendMode::Xor,
        CompositeMode::Plus => BlendMode::Plus,
        CompositeMode::Screen => BlendMode::Screen,
        CompositeMode::Multiply => BlendMode::Multiply,
        CompositeMode::SoftLight => BlendMode::SoftLight,
        CompositeMode::Overlay => BlendMode::Overlay,
        // The enum is non-exhaustive and belongs to another crate.
        _ => BlendMode::SourceOver,
    }
}
