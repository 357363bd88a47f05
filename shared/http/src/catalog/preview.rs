//! The body of POST /api/movies/preview: which movies a job would be about.

use std::borrow::Cow;

use reelhook_app::catalog::{Choice, NAMES};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::catalog::content_type;
use crate::jobs::problem::JobProblem;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::typed::fields::{Text, blank_is_absent};

/// The maximum length of a name, in characters.
const NAME: usize = 100;

/// A country's code, in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Country(String);

impl Country {
    /// What would be right.
    pub(super) const RIGHT: &str = "a country code such as US";

    /// Reads a code: 1 to 8 letters and digits, in any case.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_code = (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_code.then(|| Self(text.to_uppercase()))
    }

    /// The code.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        value.as_str().and_then(|text| Self::parse(text.trim())).ok_or_else(|| D::Error::custom(Self::RIGHT))
    }
}

impl JsonSchema for Country {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Country".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9]{1,8}$", "examples": ["FR"] })
    }
}

/// A name or a list of names; commas in a text separate names.
#[derive(Debug, Default)]
struct Names(Vec<String>);

impl Names {
    fn of(value: &Value) -> Option<Self> {
        let values = match value {
            Value::Null => return Some(Self::default()),
            Value::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut names = Vec::new();
        for value in values {
            for name in value.as_str()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                if names.len() == NAMES || name.chars().count() > NAME {
                    return None;
                }
                names.push(name.to_owned());
            }
        }
        Some(Self(names))
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let right = || format!("a name, or a list of at most {NAMES} names of at most {NAME} characters");
        Self::of(&Value::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(right()))
    }
}

impl JsonSchema for Names {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let name = "[^\\s,]";
        json_schema!({
            "oneOf": [
                { "type": "string", "description": "One name, or several separated by commas", "pattern": name },
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": NAMES,
                    "items": { "type": "string", "maxLength": NAME, "pattern": name },
                },
            ],
        })
    }
}

/// The criteria for movies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["country", "platforms"], "anyOf" = [{ "required": ["genres"] }, { "required": ["genre"] }]))]
pub struct PreviewRequest {
    /// The country, such as `US` or `FR`, in any case.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Country")]
    country: Option<Country>,
    /// The platforms.
    #[serde(default)]
    platforms: Names,
    /// The genres.
    #[serde(default)]
    genres: Names,
    /// The genres, if `genres` has none.
    #[serde(default)]
    genre: Names,
    /// `Film`, `Serie` or `Série`; `all` means Film, `All` or null means both.
    #[serde(default, deserialize_with = "blank_is_absent")]
    content_type: Option<Text<200>>,
}

/// Reads the criteria.
///
/// # Errors
/// [`Problem`] names the missing or wrong value.
pub(super) fn read(request: &ApiRequest) -> Result<Choice, Problem> {
    let given: PreviewRequest = request.body()?;
    let (platforms, genres) = (given.platforms.0, given.genres.0);
    let genres = if genres.is_empty() { given.genre.0 } else { genres };
    let content_type = given.content_type.and_then(Text::filled).and_then(content_type);
    match given.country {
        Some(country) if !platforms.is_empty() && !genres.is_empty() => {
            Ok(Choice { country: country.into_string(), platforms, genres, content_type })
        }
        Some(_) | None => Err(Problem::Job(JobProblem::PreviewParametersMissing)),
    }
}

#[cfg(test)]
mod tests {
    use reelhook_app::catalog::{genres, platforms};
    use serde_json::json;

    use super::*;
    use crate::request::posting;

    fn preview(body: Value) -> Result<Choice, Problem> {
        read(&posting("/api/movies/preview", &body))
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (name, value, right) in [
            ("country", json!(7), "a country code such as US"),
            ("country", json!("U.S."), "a country code such as US"),
            ("platforms", json!({}), "a name, or a list of at most 20 names of at most 100 characters"),
            ("genre", json!([7]), "a name, or a list of at most 20 names of at most 100 characters"),
            ("contentType", json!(true), "a text of at most 200 characters"),
        ] {
            let mut body = json!({ "country": " us ", "platforms": ["Netflix"], "genre": "Horror" });
            assert_eq!(preview(body.clone()).map(|choice| choice.country), Ok("US".to_owned()));
            body[name] = value;
            let problem = preview(body).unwrap_err();
            assert_eq!(problem.path(), Some(name));
            assert_eq!(problem.parts().2, format!("`{name}` must be {right}"));
        }
    }

    #[test]
    fn genres_are_read_from_both_members_as_a_text_or_a_list() {
        let check = |more: Value, expected: &[&str]| {
            let mut body = json!({ "country": "us", "platforms": ["Netflix"] });
            for (name, value) in more.as_object().unwrap() {
                body[name] = value.clone();
            }
            assert_eq!(
                preview(body).map(|choice| choice.genres),
                Ok(expected.iter().map(|&name| name.into()).collect())
            );
        };
        check(json!({ "genre": "Horror" }), &["Horror"]);
        check(json!({ "genre": ["Horror", "Crime"] }), &["Horror", "Crime"]);
        check(json!({ "genres": ["Horror", " Crime "] }), &["Horror", "Crime"]);
        check(json!({ "genres": "Horror" }), &["Horror"]);
        check(json!({ "genres": "Horror,Crime, ,Drama" }), &["Horror", "Crime", "Drama"]);
        check(json!({ "genres": ["Crime"], "genre": "Horror" }), &["Crime"]);
        check(json!({ "genres": [], "genre": "Horror" }), &["Horror"]);
        check(json!({ "genres": null, "genre": "Horror" }), &["Horror"]);
        check(json!({ "genres": ["", "Horror"], "genre": "" }), &["Horror"]);
    }

    #[test]
    fn a_preview_accepts_every_platform_and_genre_at_once() {
        let body = json!({ "country": "US", "platforms": platforms("US"), "genres": genres("US") });
        let choice = preview(body).unwrap();
        assert_eq!((choice.platforms.len(), choice.genres.len()), (13, 19));
    }

    #[test]
    fn a_preview_without_genres_or_with_invalid_ones_is_refused() {
        let of = |genres: Value| preview(json!({ "country": "US", "platforms": "Netflix", "genres": genres }));
        for missing in [json!(null), json!([]), json!(""), json!(" , "), json!([""])] {
            assert_eq!(of(missing), Err(Problem::Job(JobProblem::PreviewParametersMissing)));
        }
        for bad in
            [json!(7), json!([7]), json!({}), json!("x".repeat(101)), json!("a,".repeat(21)), json!(vec!["a"; 21])]
        {
            assert!(of(bad).as_ref().is_err_and(|problem| problem.path() == Some("genres")));
        }
    }
}
