//! The answers about the catalogue.

use reelhook_app::catalog::{Choice, Movie, PREVIEW, Template, genres, platforms, templates};
use reelhook_app::views::wire::Yes;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Number;

use crate::answer::ApiAnswer;

/// The source of the lists.
const SOURCE: &str = "catalog";

/// The platforms of a country.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Platforms<'a> {
    success: Yes,
    /// The country of the request, in upper case.
    country: &'a str,
    /// `catalog`.
    #[schemars(extend("const" = SOURCE))]
    source: &'static str,
    /// The number of platforms.
    count: usize,
    /// The platforms, in the order in which forms show them.
    platforms: &'a [String],
}

/// The genres of a country.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Genres<'a> {
    success: Yes,
    /// The country of the request, in upper case.
    country: &'a str,
    /// `catalog`.
    #[schemars(extend("const" = SOURCE))]
    source: &'static str,
    /// The number of genres.
    count: usize,
    /// The genres, in the order in which forms show them.
    genres: &'a [String],
}

/// The templates that a job may name, besides `auto`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Templates {
    success: Yes,
    /// The templates, in the order in which forms show them.
    templates: &'static [Template],
    /// The number of templates.
    count: usize,
    /// `catalog`.
    #[schemars(extend("const" = SOURCE))]
    source: &'static str,
}

/// The movies that a job would be about.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Preview<'a> {
    success: Yes,
    /// The number of movies.
    #[schemars(range(max = PREVIEW))]
    count: usize,
    /// The movies by IMDb score, then votes.
    #[schemars(length(max = PREVIEW))]
    movies: Vec<MovieView<'a>>,
    /// The criteria of the request, as they were read.
    filters: Filters<'a>,
}

/// A movie of the catalogue.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Movie")]
pub struct MovieView<'a> {
    /// The id, unique within the country.
    id: u64,
    /// The title in the country.
    title: &'a str,
    /// The platform that shows it.
    platform: &'a str,
    /// The year of release.
    #[schemars(regex(pattern = "^[0-9]{4}$"))]
    year: String,
    /// The score and the votes as text.
    #[schemars(extend("examples" = ["7.3/10 (500000 votes)"]))]
    imdb: String,
    /// The score at IMDb.
    #[schemars(with = "Number", range(min = 0, max = 10))]
    imdb_score: f64,
    /// The number of votes at IMDb.
    imdb_votes: u64,
    /// The length of the film or of one episode.
    #[schemars(regex(pattern = "^[0-9]+ min$"))]
    runtime: String,
    /// The URL of the trailer; empty if there is none.
    trailer_url: &'a str,
    /// The URL of the poster; empty if there is none.
    poster_url: &'a str,
    /// The URL at the platform; empty if there is none.
    streaming_url: &'a str,
    /// The genres.
    genres: &'a [String],
    /// `Film` or `Série`.
    content_type: &'a str,
}

/// The criteria of a preview.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct Filters<'a> {
    /// The country, in upper case.
    country: &'a str,
    /// The platforms.
    platforms: &'a [String],
    /// The genres.
    genre: &'a [String],
    /// The same genres.
    genres: &'a [String],
    /// The content type; null for all.
    content_type: Option<&'a str>,
}

/// The answer with a country's platforms.
pub fn platforms_answer(country: &str) -> ApiAnswer {
    let platforms = platforms(country);
    ApiAnswer::json(200, &Platforms { success: Yes, country, source: SOURCE, count: platforms.len(), platforms })
}

/// The answer with a country's genres.
pub fn genres_answer(country: &str) -> ApiAnswer {
    let genres = genres(country);
    ApiAnswer::json(200, &Genres { success: Yes, country, source: SOURCE, count: genres.len(), genres })
}

/// The answer with the templates.
pub fn templates_answer() -> ApiAnswer {
    let templates = templates();
    ApiAnswer::json(200, &Templates { success: Yes, templates, count: templates.len(), source: SOURCE })
}

/// The answer with the best movies.
pub fn preview_answer(choice: &Choice, movies: &[Movie]) -> ApiAnswer {
    let filters = Filters {
        country: &choice.country,
        platforms: &choice.platforms,
        genre: &choice.genres,
        genres: &choice.genres,
        content_type: choice.content_type.as_deref(),
    };
    let movies: Vec<MovieView<'_>> = movies.iter().map(movie).collect();
    ApiAnswer::json(200, &Preview { success: Yes, count: movies.len(), movies, filters })
}

fn movie(of: &Movie) -> MovieView<'_> {
    MovieView {
        id: of.id,
        title: &of.title,
        platform: &of.platform,
        year: of.year.to_string(),
        imdb: format!("{}/10 ({} votes)", of.imdb_score, of.imdb_votes),
        imdb_score: of.imdb_score,
        imdb_votes: of.imdb_votes,
        runtime: format!("{} min", of.runtime_minutes),
        trailer_url: &of.trailer_url,
        poster_url: &of.poster_url,
        streaming_url: &of.streaming_url,
        genres: &of.genres,
        content_type: &of.content_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_shows_the_movies_and_its_criteria() {
        let choice = Choice {
            country: "FR".to_owned(),
            platforms: vec!["Netflix".to_owned()],
            genres: vec!["Drame".to_owned()],
            content_type: None,
        };
        let best = Movie {
            id: 7,
            title: "Le Temps".to_owned(),
            platform: "Netflix".to_owned(),
            year: 2021,
            imdb_score: 8.0,
            imdb_votes: 500_000,
            runtime_minutes: 112,
            trailer_url: String::new(),
            poster_url: "https://cdn.example/p.jpg".to_owned(),
            streaming_url: String::new(),
            genres: vec!["Drame".to_owned()],
            content_type: "Film".to_owned(),
        };
        let expected = concat!(
            r#"{"success":true,"count":1,"movies":[{"id":7,"title":"Le Temps","platform":"Netflix","year":"2021","#,
            r#""imdb":"8/10 (500000 votes)","imdb_score":8.0,"imdb_votes":500000,"runtime":"112 min","#,
            r#""trailer_url":"","poster_url":"https://cdn.example/p.jpg","streaming_url":"","genres":["Drame"],"#,
            r#""content_type":"Film"}],"filters":{"country":"FR","platforms":["Netflix"],"genre":["Drame"],"#,
            r#""genres":["Drame"],"contentType":null}}"#,
        );
        assert_eq!(preview_answer(&choice, &[best]).body, expected);
    }
}
