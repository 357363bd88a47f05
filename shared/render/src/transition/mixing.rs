//! How two values are mixed.

/// A fraction of 256 that is all of it.
pub(super) const WHOLE: u16 = 256;

/// A fraction of 256.
pub(super) fn weight(part: f32) -> u16 {
    (part.clamp(0.0, 1.0) * f32::from(WHOLE)).round() as u16
}

/// The value between `below` and `above`; `part` is a fraction of 256. Nothing here exceeds 16 bits, which wrapping
/// operations promise to the compiler: it mixes many values at once, where overflows are checked, too.
#[inline]
pub(super) fn between(below: u8, above: u8, part: u16) -> u8 {
    (both(below, above, part).wrapping_add(128) >> 8) as u8
}

/// As [`between`], in 256ths of a step.
#[inline]
pub(super) fn both(below: u8, above: u8, part: u16) -> u16 {
    u16::from(below).wrapping_mul(WHOLE.wrapping_sub(part)).wrapping_add(u16::from(above).wrapping_mul(part))
}

/// Mixes values into those that are there; `part` is a fraction of 256.
pub(super) fn mix_in(out: &mut [u8], above: &[u8], part: u16) {
    if part == WHOLE {
        return out.copy_from_slice(above);
    }
    for (out, above) in out.iter_mut().zip(above) {
        *out = between(*out, *above, part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_the_exact_value_rounded() {
        for (below, above, part) in (0..=255_u8)
            .flat_map(|below| [0, 1, 127, 128, 254, 255].map(|above| (below, above)))
            .flat_map(|(below, above)| (0..=WHOLE).map(move |part| (below, above, part)))
        {
            let exact = u32::from(below) * (256 - u32::from(part)) + u32::from(above) * u32::from(part);
            assert_eq!(u32::from(both(below, above, part)), exact, "{below}, {above}, {part}");
            assert_eq!(u32::from(between(below, above, part)), (exact + 128) / 256, "{below}, {above}, {part}");
        }
    }
}
