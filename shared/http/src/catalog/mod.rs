//! Routes of the catalogue: platforms, genres, templates and the movie preview (docs/contract/catalog.md).

mod answers;
mod content_type;
mod preview;

use reelhook_app::catalog::Choice;

pub use self::answers::{
    Genres, MovieView, Platforms, Preview, Templates, genres_answer, platforms_answer, preview_answer, templates_answer,
};
pub(crate) use self::content_type::content_type;
pub use self::preview::{Country, PreviewRequest};
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;

/// The family's paths with their methods ([`crate::routes`]).
pub(crate) const ROUTES: &[(&str, &[&str])] = &[
    ("/api/genres/{country}", &["GET"]),
    ("/api/movies/preview", &["POST"]),
    ("/api/platforms/{country}", &["GET"]),
    ("/api/templates", &["GET"]),
];

/// A request to the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// GET /api/platforms/{country}
    Platforms(String),
    /// GET /api/genres/{country}
    Genres(String),
    /// GET /api/templates
    Templates,
    /// POST /api/movies/preview
    Preview(Choice),
}

impl Route {
    /// Reads the route; none for another route.
    ///
    /// # Errors
    /// [`Problem`] names the missing or wrong value.
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "platforms", country]) => Self::Platforms(read_country(country)?),
            ("GET", ["api", "genres", country]) => Self::Genres(read_country(country)?),
            ("GET", ["api", "templates"]) => Self::Templates,
            ("POST", ["api", "movies", "preview"]) => Self::Preview(preview::read(request)?),
            _ => return Ok(None),
        }))
    }
}

fn read_country(text: &str) -> Result<String, Problem> {
    Country::parse(text).map(Country::into_string).ok_or_else(|| bad("country", Country::RIGHT))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn each_template_has_the_fields_that_forms_show() {
        let body: Value = serde_json::from_str(&templates_answer().body).unwrap();
        let templates = body["templates"].as_array().unwrap();
        assert_eq!((&body["success"], &body["count"]), (&json!(true), &json!(templates.len())));
        assert!(!templates.is_empty());
        for template in templates {
            for name in ["id", "name", "description"] {
                assert!(template[name].as_str().is_some_and(|text| !text.is_empty()), "{name} of {template}");
            }
        }
        assert!(matches!(Route::read(&crate::request::get_request("/api/templates", &[])), Ok(Some(Route::Templates))));
    }
}
