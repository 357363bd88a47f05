//! The catalogue: platforms, genres, templates, and the movies that a job would be about.

use std::borrow::Cow;

use reelhook_http::catalog::{Country, Genres, Platforms, Preview, PreviewRequest, Templates};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::operation::{Operation, operation};

/// The operations about the catalogue.
pub fn operations() -> Vec<Operation> {
    vec![
        of_catalogue("POST /api/movies/preview", "previewMovies", "Preview the movies that a job would be about")
            .body::<PreviewRequest>()
            .answer::<Preview>(200, "At most three movies")
            .codes(&["missing_parameters"]),
        of_country("GET /api/platforms/{country}", "listPlatforms", "List the platforms of a country")
            .answer::<Platforms>(200, "The platforms"),
        of_country("GET /api/genres/{country}", "listGenres", "List the genres of a country")
            .query::<GenresQuery>()
            .answer::<Genres>(200, "The genres"),
        of_catalogue("GET /api/templates", "listTemplates", "List the templates that forms show")
            .about("Beside these, a job may name `auto`, which depends on the genre.")
            .stateless()
            .answer::<Templates>(200, "The templates"),
    ]
}

fn of_catalogue(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("catalogue", route, id, summary)
}

/// An operation about a country.
fn of_country(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    of_catalogue(route, id, summary)
        .stateless()
        .path::<Country>("country", "The country, such as `US` or `FR`; an unknown one gets the lists of the US")
        .codes(&["bad_field"])
}

/// The query of the list of genres.
struct GenresQuery;

impl JsonSchema for GenresQuery {
    fn schema_name() -> Cow<'static, str> {
        "GenresQuery".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let about = "StreamGank's page sends it. It has no effect: the list is that of the country";
        json_schema!({
            "type": "object",
            "properties": { "platform": { "type": "string", "maxLength": 200, "description": about } },
        })
    }
}
