//! Platforms, genres and the movie preview (contract.md, StreamGank: jobs).

use reelhook_app::catalog::{Choice, Movie, genres, platforms};
use serde_json::{Value, json};

use crate::answer::ApiAnswer;
use crate::generate::content_type;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// Names in one list of a request.
const NAMES: usize = 10;
/// Characters of a name.
const NAME: usize = 100;

/// What is asked of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// GET /api/platforms/{country}
    Platforms(String),
    /// GET /api/genres/{country}
    Genres(String),
    /// POST /api/movies/preview
    Preview(Choice),
}

impl Asked {
    /// Reads the route; none where it is another's.
    ///
    /// # Errors
    /// [`Problem`] names what is missing or wrong.
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "platforms", country]) => Self::Platforms(read_country(country)?),
            ("GET", ["api", "genres", country]) => Self::Genres(read_country(country)?),
            ("POST", ["api", "movies", "preview"]) => Self::Preview(read_choice(request)?),
            _ => return Ok(None),
        }))
    }
}

fn read_country(text: &str) -> Result<String, Problem> {
    let is_code = (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let right = || Problem::BadField { field: "country", right: "a country code such as US".to_owned() };
    if is_code { Ok(text.to_uppercase()) } else { Err(right()) }
}

fn read_choice(request: &ApiRequest) -> Result<Choice, Problem> {
    let body = request.json()?;
    let country = match &body["country"] {
        Value::String(text) if !text.trim().is_empty() => Some(read_country(text.trim())?),
        Value::Null | Value::String(_) => None,
        _ => return Err(Problem::BadField { field: "country", right: "a country code such as US".to_owned() }),
    };
    let platforms = names(&body, "platforms")?;
    let genres = names(&body, "genre")?;
    let content_type = match &body["contentType"] {
        Value::Null => None,
        Value::String(text) => content_type(text.trim().to_owned()).filter(|text| !text.is_empty()),
        _ => return Err(Problem::BadField { field: "contentType", right: "Film, Série or All".to_owned() }),
    };
    match country {
        Some(country) if !platforms.is_empty() && !genres.is_empty() => {
            Ok(Choice { country, platforms, genres, content_type })
        }
        _ => Err(Problem::PreviewParametersMissing),
    }
}

/// One name, or a list of them.
fn names(body: &Value, field: &'static str) -> Result<Vec<String>, Problem> {
    let right = || Problem::BadField {
        field,
        right: format!("a name, or a list of at most {NAMES} names of at most {NAME} characters"),
    };
    let values = match &body[field] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    if values.len() > NAMES {
        return Err(right());
    }
    let mut names = Vec::with_capacity(values.len());
    for value in values {
        match value.as_str().map(str::trim) {
            Some("") => {}
            Some(name) if name.chars().count() <= NAME => names.push(name.to_owned()),
            Some(_) | None => return Err(right()),
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

fn list(country: &str, name: &str, found: &[String]) -> ApiAnswer {
    let mut body = json!({ "success": true, "country": country, "source": "catalog", "count": found.len() });
    body[name] = json!(found);
    ApiAnswer::json(200, &body)
}

/// The answer with the best movies.
pub fn preview_answer(choice: &Choice, movies: &[Movie]) -> ApiAnswer {
    let movies: Vec<Value> = movies.iter().map(movie).collect();
    let filters = json!({
        "country": choice.country, "platforms": choice.platforms, "genre": choice.genres,
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
