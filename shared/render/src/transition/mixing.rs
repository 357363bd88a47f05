//! How two values are mixed.

/// A fraction of 256.
pub(super) fn weight(part: f32) -> u16 {
    (part.clamp(0.0, 1.0) * 256.0).round() as u16
}

/// The value between `below` and `above`; `part` is a fraction of 256.
pub(super) fn between(below: u8, above: u8, part: u16) -> u8 {
    ((u16::from(below) * (256 - part) + u16::from(above) * part + 128) >> 8) as u8
}
