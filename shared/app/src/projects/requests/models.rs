//! The longest videos of models that are known: a longer scene would be refused after it was queued.

/// The longest scene of any model, in milliseconds.
pub const MOST_MS: u64 = 600_000;

/// Models by the beginning of their names, with the longest video that they make, in milliseconds.
const KNOWN: [(&str, u64); 6] = [
    ("gen-3", 10_000),
    ("gen-4", 10_000),
    ("seedance-1", 12_000),
    ("sora-2", 12_000),
    ("veo-2", 8_000),
    ("veo-3", 8_000),
];

/// The longest video of a model, in milliseconds.
pub fn limit(model: Option<&str>) -> u64 {
    let model = model.unwrap_or_default().to_ascii_lowercase();
    KNOWN.iter().find(|(name, _)| model.starts_with(name)).map_or(MOST_MS, |(_, most)| *most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_the_beginning_of_its_name() {
        assert_eq!(limit(Some("Veo-3.1-fast")), 8_000);
        assert_eq!(limit(Some("sora-2-pro")), 12_000);
        assert_eq!(limit(Some("in-house")), MOST_MS);
        assert_eq!(limit(None), MOST_MS);
    }
}
