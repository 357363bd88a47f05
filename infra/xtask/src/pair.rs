//! `NAME=VALUE` options of the command line: parameters, secrets and resources.

use std::str::FromStr;

use serde_json::Value;

use crate::json;

/// `NAME=VALUE` on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair(pub String, pub String);

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self(name.to_owned(), value.to_owned())),
            // The text is not repeated: it may be a secret.
            _ => Err("expected NAME=VALUE".to_owned()),
        }
    }
}

/// The string members of a JSON object as pairs.
pub fn pairs(object: &Value) -> Vec<Pair> {
    json::string_members(object).into_iter().map(|(name, value)| Pair(name, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_splits_at_its_first_equals_sign() {
        assert_eq!("A=b=c".parse(), Ok(Pair("A".into(), "b=c".into())));
        assert_eq!("A=".parse(), Ok(Pair("A".into(), String::new())));
        assert!("secret".parse::<Pair>().unwrap_err().starts_with("expected"));
    }
}
