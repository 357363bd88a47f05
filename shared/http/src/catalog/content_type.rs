//! The catalogue's names of content types (docs/contract/jobs.md, Creating).

/// The catalogue's name of a content type; none for `All`.
pub(crate) fn content_type(text: String) -> Option<String> {
    match text.as_str() {
        "All" => None,
        "Serie" => Some("Série".to_owned()),
        "all" => Some("Film".to_owned()),
        _ => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_those_of_the_contract() {
        assert_eq!(content_type("Serie".to_owned()).as_deref(), Some("Série"));
        assert_eq!(content_type("all".to_owned()).as_deref(), Some("Film"));
        assert_eq!(content_type("All".to_owned()), None);
        assert_eq!(content_type("Film".to_owned()).as_deref(), Some("Film"));
    }
}
