//! Routes of the catalogue: platforms, genres, templates and the movie preview (contract.md, StreamGank: jobs).

use reelhook_app::catalog::{Choice, Movie, NAMES, genres, platforms, templates};
use serde_json::{Value, json};

use crate::answer::ApiAnswer;
use crate::jobs::generate::content_type;
use crate::jobs::problem::JobProblem;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;

/// The family's paths with their methods ([`crate::routes`]).
pub(crate) const ROUTES: &[(&str, &[&str])] = &[
    ("/api/genres/{country}", &["GET"]),
    ("/api/movies/preview", &["POST"]),
    ("/api/platforms/{country}", &["GET"]),
    ("/api/templates", &["GET"]),
];

/// The maximum length of a name, in characters.
const NAME: usize = 100;

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
            ("POST", ["api", "movies", "preview"]) => Self::Preview(read_choice(request)?),
            _ => return Ok(None),
        }))
    }
}

fn read_country(text: &str) -> Result<String, Problem> {
    let is_code = (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let right = || bad("country", "a country code such as US");
    if is_code { Ok(text.to_uppercase()) } else { Err(right()) }
}

fn read_choice(request: &ApiRequest) -> Result<Choice, Problem> {
    let body = request.json()?;
    let country = match &body["country"] {
        Value::String(text) if !text.trim().is_empty() => Some(read_country(text.trim())?),
        Value::Null | Value::String(_) => None,
        _ => return Err(bad("country", "a country code such as US")),
    };
    let platforms = names(&body, "platforms")?;
    let genres = names(&body, "genres")?;
    let genres = if genres.is_empty() { names(&body, "genre")? } else { genres };
    let content_type = match &body["contentType"] {
        Value::Null => None,
        Value::String(text) => content_type(text.trim().to_owned()).filter(|text| !text.is_empty()),
        _ => return Err(bad("contentType", "Film, Série or All")),
    };
    match country {
        Some(country) if !platforms.is_empty() && !genres.is_empty() => {
            Ok(Choice { country, platforms, genres, content_type })
        }
        _ => Err(Problem::Job(JobProblem::PreviewParametersMissing)),
    }
}

/// Reads a name or a list of names; commas in a text separate names.
fn names(body: &Value, field: &'static str) -> Result<Vec<String>, Problem> {
    let right = || bad(field, format!("a name, or a list of at most {NAMES} names of at most {NAME} characters"));
    let values = match &body[field] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut names = Vec::new();
    for value in values {
        let text = value.as_str().ok_or_else(right)?;
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if names.len() == NAMES || name.chars().count() > NAME {
                return Err(right());
            }
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// The answer with a country's platforms.
pub fn platforms_answer(country: &str) -> ApiAnswer {
    let found = platforms(country);
    list(country, "platforms", found)
}

/// The answer with a country's genres.
pub fn genres_answer(country: &str) -> ApiAnswer {
    let found = genres(country);
    list(country, "genres", found)
}

/// The answer with the templates.
pub fn templates_answer() -> ApiAnswer {
    let found = templates();
    let body = json!({ "success": true, "templates": found, "count": found.len(), "source": "catalog" });
    ApiAnswer::json(200, &body)
}

fn list(country: &str, name: &str, found: &[String]) -> ApiAnswer {
    let mut body = json!({ "success": true, "country": country, "source": "catalog", "count": found.len() });
    body[name] = json!(found);
    ApiAnswer::json(200, &body)
}

/// The answer with the best movies.
pub fn preview_answer(choice: &Choice, movies: &[Movie]) -> ApiAnswer {
    let movies: Vec<Value> = movies.iter().map(movie).collect();
    let filters = json!({
        "country": choice.country, "platforms": choice.platforms, "genre": choice.genres, "genres": choice.genres,
        "contentType": choice.content_type,
    });
    ApiAnswer::json(200, &json!({ "success": true, "count": movies.len(), "movies": movies, "filters": filters }))
}

fn movie(of: &Movie) -> Value {
    json!({
        "id": of.id,
        "title": of.title,
        "platform": of.platform,
        "year": of.year.to_string(),
        "imdb": format!("{}/10 ({} votes)", of.imdb_score, of.imdb_votes),
        "imdb_score": of.imdb_score,
        "imdb_votes": of.imdb_votes,
        "runtime": format!("{} min", of.runtime_minutes),
        "trailer_url": of.trailer_url,
        "poster_url": of.poster_url,
        "streaming_url": of.streaming_url,
        "genres": of.genres,
        "content_type": of.content_type,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::posting;

    fn preview(body: Value) -> Result<Choice, Problem> {
        match Route::read(&posting("/api/movies/preview", &body))? {
            Some(Route::Preview(choice)) => Ok(choice),
            other => panic!("{other:?}"),
        }
    }

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
