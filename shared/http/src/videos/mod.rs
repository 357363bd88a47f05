//! Routes of videos: film specifications, forms and answers.

pub mod answers;
pub mod bodies;
pub mod film;
pub(crate) mod film_content;
pub(crate) mod film_names;
pub(crate) mod film_numbers;
pub(crate) mod film_reader;
pub mod film_schema;
pub(crate) mod film_values;
pub(crate) mod film_warnings;
pub(crate) mod form;
pub(crate) mod links;
pub mod problem;
pub(crate) mod request;
pub mod routes;

/// The family's paths with their methods ([`crate::routes`]).
pub(crate) const ROUTES: &[(&str, &[&str])] = &[
    ("/api/download/{id}", &["GET"]),
    ("/api/generate-flexible-video", &["POST"]),
    ("/api/generate-video-async", &["POST"]),
    ("/api/job-status/{id}", &["GET"]),
    ("/api/music-tracks", &["GET"]),
    ("/api/music-tracks/{name}", &["GET"]),
    ("/api/queue-status", &["GET"]),
    ("/api/uploads", &["POST"]),
    ("/api/videos", &["GET"]),
    ("/api/videos/{id}", &["DELETE"]),
];
